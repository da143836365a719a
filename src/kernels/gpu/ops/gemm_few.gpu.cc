// y_i = x w_i^T for up to 64 rows of x and weights of the common types, from packed weights
// (gemm_args.h: SkinnyArgs). Tiles of 128 rows of w, each in stages of 128 columns, are one list; a
// block takes a stretch of it, and its copies run stages ahead of its products from tile to tile.
// Packed words lie in shared memory as they are, and a wave makes its operands of them
// (gemm_few.h), 32 rows for each row of x. Two waves share the rows, half the units each, and add
// their sums at the end of a tile.
//   Traffic: the packed weights once; x (2 bytes an element) once per 128 rows of w out of the
//   cache; partial sums, 4 bytes, written and read once per part.
//   Arithmetic on an H200, 32 rows of x: 32 rows of w by 32 columns of Q4_K are 592 bytes, 30
//   clocks of memory, and 150 instructions, 38 clocks of a multiprocessor's four schedulers. But x
//   comes from the cache at 8 KB for each 10 KB of weights, and copies without any product take
//   80 % of the time: what limits is the path from the cache to shared memory. Copies of less than
//   16 bytes a lane are as slow as those of 16.
#include "kernels/gpu/ops/gemm_few.h"

#include "kernels/gpu/ops/gemm_args.h"
#include "kernels/gpu/ops/gemm_few_warpgroup.h"
#include "kernels/gpu/ops/gemm_scale.h"

#if RF_PORT_FEW_ROWS

namespace rocforge::port {
namespace {

constexpr uint32_t kFewThreads = 256;
constexpr uint32_t kFewRows = gpu::kGemmColumns;  // of w
constexpr uint32_t kFewTiles = gpu::kFewStageTiles;
static_assert(2 * kFewTiles == kStageUnits);
constexpr uint32_t kRowGroups = 4;  // of 32 rows
constexpr uint32_t kUnitGroups = kFewThreads / kWaveSize / kRowGroups;
constexpr uint32_t kFewFragmentsN = 2;
constexpr uint32_t kWaveRows = kFewRows / kRowGroups;
constexpr uint32_t kWaveUnits = kStageUnits / kUnitGroups;  // of a stage
constexpr uint32_t kJoinedValues = 2 * kFewFragmentsN * kTileValues;

// A stage as it is copied. An odd stage brings the scales of the two stages after it, which become
// f16 while the stage before theirs is multiplied: 16 bytes of a row are copied as fast as four.
template <uint32_t kType, uint32_t kFragmentsM>
struct FewSlot {
  U32x4 x[kFewTiles][16 * kFragmentsM * kTileRowChunks];
  U32x4 w[kFewRows * FewType<kType>::kRowChunks];
  U32x4 scales[kFewRows];                                        // two bytes a unit
  U32x4 super[FewType<kType>::kSuperBytes != 0 ? kFewRows : 1];  // and what is beside it
};
constexpr uint32_t kScaleBytes = kFewRows * kStageUnits * sizeof(U32x2);
template <uint32_t kFragmentsM>
constexpr uint32_t kRingBytes = gpu::FewSharedBytes(16 * kFragmentsM) - kScaleBytes;
template <uint32_t kFragmentsM>
struct FewShared {
  U32x2 scales[kScaleBytes / sizeof(U32x2)];  // as f16; each wave has a part of its own
  U32x4 ring[kRingBytes<kFragmentsM> / sizeof(U32x4)];
};

constexpr uint32_t Copies(uint32_t n) { return (n + kFewThreads - 1) / kFewThreads; }
constexpr uint32_t Slots(uint32_t ring_bytes, uint32_t slot_bytes) {
  return ring_bytes / slot_bytes < gpu::kFewMostSlots ? ring_bytes / slot_bytes
                                                      : gpu::kFewMostSlots;
}

// What a thread copies, stage by stage. Rows and units beyond the end are those at the end: nobody
// wants the ones, and the others' scales are made 0. Rows of x that there are not stay what they
// were: nobody wants their sums.
template <uint32_t kType, uint32_t kFragmentsM>
struct FewCopies {
  using Type = FewType<kType>;
  using Slot = FewSlot<kType, kFragmentsM>;
  static constexpr uint32_t kTileChunks = 16 * kFragmentsM * kTileRowChunks;
  static constexpr uint32_t kQuantCopies = Copies(kFewRows * kStageUnits);
  static constexpr uint32_t kExtraCopies = Copies(kFewRows * Type::kExtraChunks);
  static constexpr uint32_t kXCopies = Copies(kFewTiles * kTileChunks);

  const SkinnyArgs& args;
  const Weight& weight;
  uint32_t n_stages;  // of a row
  uint32_t stage;     // the next one
  uint32_t first_row;
  // Of the tile at first_row; this thread's rows in bytes from there.
  const uint8_t* rows = nullptr;
  uint32_t quants[kQuantCopies] = {};
  uint32_t extra[kExtraCopies + 1] = {};
  uint32_t scales = 0;

  RF_MEMBER void EnterTile() {
    const uint32_t last = weight.n_rows - 1 - first_row;
    rows = weight.data + uint64_t{first_row} * weight.row_bytes;
    const auto row = [&](uint32_t i) { return Least(i, last) * weight.row_bytes; };
    RF_UNROLL
    for (uint32_t i = 0; i < kQuantCopies; ++i)
      quants[i] = row((i * kFewThreads + ThreadId()) / kStageUnits);
    if constexpr (Type::kExtraChunks > 0) {
      RF_UNROLL
      for (uint32_t i = 0; i < kExtraCopies; ++i)
        extra[i] = row((i * kFewThreads + ThreadId()) / Type::kExtraChunks) + weight.plane[1];
    }
    scales = row(ThreadId() % kFewRows) +
             weight.plane[Type::kScalePlane + (ThreadId() < kFewRows ? 0 : 1)];
  }
  RF_MEMBER void Next() {
    if (++stage < n_stages) return;
    stage = 0;
    first_row += kFewRows;
    EnterTile();
  }

  RF_MEMBER void Weights(Slot& slot) const {
    const uint32_t unit0 = stage * kStageUnits;
    const uint32_t last = weight.n_units - 1;
    const uint32_t unit = Least(unit0 + ThreadId() % kStageUnits, last);
    RF_UNROLL
    for (uint32_t i = 0; i < kQuantCopies; ++i) {
      const uint32_t at = i * kFewThreads + ThreadId();
      CopyAsync(slot.w + at / kStageUnits * Type::kRowChunks + at % kStageUnits,
                reinterpret_cast<const U32x4*>(rows + (quants[i] + 16 * unit)));
    }
    if constexpr (Type::kExtraChunks > 0) {
      constexpr uint32_t kUnits = 16 / Type::kExtraBytes;  // of a chunk
      const uint32_t chunk = Least(unit0 / kUnits + ThreadId() % Type::kExtraChunks, last / kUnits);
      RF_UNROLL
      for (uint32_t i = 0; i < kExtraCopies; ++i) {
        const uint32_t at = i * kFewThreads + ThreadId();
        const uint32_t row = at / Type::kExtraChunks;
        if (row >= kFewRows) continue;
        CopyAsync(slot.w + row * Type::kRowChunks + kStageUnits + at % Type::kExtraChunks,
                  reinterpret_cast<const U32x4*>(rows + (extra[i] + 16 * chunk)));
      }
    }
  }
  // Of this pair of stages.
  RF_MEMBER void Scales(Slot& slot) const {
    const uint32_t pair = Least(stage, (weight.n_units - 1) / kStageUnits) / 2;
    if (ThreadId() < kFewRows) {
      CopyAsync(slot.scales + ThreadId(),
                reinterpret_cast<const U32x4*>(rows + (scales + 16 * pair)));
    } else if constexpr (Type::kSuperBytes != 0) {
      CopyAsync(
          slot.super + ThreadId() % kFewRows,
          reinterpret_cast<const U32x4*>(rows + (scales + pair * Type::kSuperBytes / 16 * 16)));
    }
  }
  RF_MEMBER void X(uint32_t of_stage, Slot& slot) const {
    static_assert(kTileChunks % kFewThreads == 0);
    const U32x4* x = static_cast<const U32x4*>(args.x) + ThreadId();
    RF_UNROLL
    for (uint32_t i = 0; i < kXCopies; ++i) {
      const uint32_t at = i * kFewThreads;
      if ((at % kTileChunks + ThreadId()) / kTileRowChunks >= args.n_rows) continue;
      const uint32_t tile = Least(of_stage * kFewTiles + at / kTileChunks, args.n_k_tiles - 1);
      CopyAsync(&slot.x[0][0] + at + ThreadId(),
                x + (tile * args.x_stride * kTileRowChunks + at % kTileChunks));
    }
  }
};

// The scales of two units of a row for each lane, so that the wave has those that it uses, of a
// pair of stages.
template <uint32_t kType>
struct FewRawScales {
  static constexpr uint32_t kPairs = kWaveUnits / 2;  // of units
  static_assert(kWaveRows * kPairs == kWaveSize);
  uint32_t even = 0;
  uint32_t odd = 0;
  uint32_t super = 0;

  static RF_MEMBER uint32_t Unit() {
    return WaveId() / kRowGroups * kWaveUnits + LaneId() % kPairs * 2;
  }
  template <uint32_t kFragmentsM>
  RF_MEMBER void Load(const FewSlot<kType, kFragmentsM>& slot, uint32_t stage) {
    const uint32_t row = WaveId() % kRowGroups * kWaveRows + LaneId() / kPairs;
    const auto* at = reinterpret_cast<const uint32_t*>(slot.scales + row) + Unit() / 2;
    even = at[0];
    odd = at[kStageUnits / 2];
    if constexpr (FewType<kType>::kSuperBytes != 0) {
      constexpr uint32_t kBytes = FewType<kType>::kSuperBytes;
      const uint32_t offset = stage / 2 * kBytes % 16;
      super = reinterpret_cast<const uint32_t*>(slot.super + row)[offset / 4] >> (offset % 4 * 8);
    }
  }
  // As f16; 0 for units from n_units on.
  RF_MEMBER U32x4 Of(uint32_t stage, uint32_t n_units, float norm) const {
    const uint32_t raw = stage % 2 != 0 ? odd : even;
    const uint32_t left = n_units - Least(n_units, stage * kStageUnits + Unit());
    const U32x2 first = FewScales<kType>(raw, super, norm);
    const U32x2 second = FewScales<kType>(raw >> 16, super, norm);
    U32x4 both = {first.x, first.y, second.x, second.y};
    if (left < 2) both.z = both.w = 0;
    if (left < 1) both.x = both.y = 0;
    return both;
  }
};

template <uint32_t kFragmentsM>
struct FewSums {
  TileSum at[kFragmentsM][kFewFragmentsN];
};

// `scales`: the wave's.
template <uint32_t kType, uint32_t kFragmentsM>
RF_DEVICE void MultiplyFew(FewSums<kFragmentsM>& sums, const FewSlot<kType, kFragmentsM>& slot,
                           const U32x2* scales) {
  const uint32_t row0 = WaveId() % kRowGroups * kWaveRows;
  RF_UNROLL
  for (uint32_t i = 0; i < kWaveUnits; ++i) {
    const uint32_t unit = WaveId() / kRowGroups * kWaveUnits + i;
    TileB low[kFewFragmentsN], high[kFewFragmentsN];
    RF_UNROLL
    for (uint32_t n = 0; n < kFewFragmentsN; ++n) {
      const U32x4* rows = slot.w + (row0 + 16 * n) * FewType<kType>::kRowChunks;
      FillTiles(low[n], high[n],
                FewPairs<kType>{reinterpret_cast<const uint32_t*>(rows),
                                scales + 16 * n * kWaveUnits + i, kWaveUnits, unit});
    }
    const U32x4* x = slot.x[unit / 2];
    RF_UNROLL
    for (uint32_t m = 0; m < kFragmentsM; ++m) {
      TileA a;
      LoadTile(a, x, 16 * m, unit % 2 * 4);
      RF_UNROLL
      for (uint32_t n = 0; n < kFewFragmentsN; ++n) MultiplyTile(sums.at[m][n], a, low[n]);
      LoadTile(a, x, 16 * m, unit % 2 * 4 + 2);
      RF_UNROLL
      for (uint32_t n = 0; n < kFewFragmentsN; ++n) MultiplyTile(sums.at[m][n], a, high[n]);
    }
  }
}

// The sums of both waves that share rows, in the first one's registers, two rows of fragments at a
// time through `joined`. Nobody uses that any more when it is called; it is free after the next
// barrier.
template <uint32_t kFragmentsM>
RF_DEVICE void JoinUnitGroups(FewSums<kFragmentsM>& sums, float* joined) {
  joined += WaveId() % kRowGroups * kWaveSize * kJoinedValues + LaneId();
  const bool second = WaveId() >= kRowGroups;
  RF_UNROLL
  for (uint32_t m0 = 0; m0 < kFragmentsM; m0 += 2) {
    const auto each = [&](auto&& f) {
      RF_UNROLL
      for (uint32_t i = 0; i < kJoinedValues; ++i) {
        const uint32_t fragment = i / kTileValues;
        f(sums.at[m0 + fragment / kFewFragmentsN][fragment % kFewFragmentsN].v[i % kTileValues],
          joined[i * kWaveSize]);
      }
    };
    SharedBarrier();
    if (second) each([](float& sum, float& at) { at = sum; });
    SharedBarrier();
    if (!second) each([](float& sum, float& at) { sum += at; });
  }
}

template <uint32_t kFragmentsM>
RF_DEVICE void StorePart(const SkinnyArgs& args, const FewSums<kFragmentsM>& sums, uint32_t tile,
                         uint32_t part) {
  if (WaveId() >= kRowGroups) return;
  float* partial = args.partial + uint64_t{part} * args.n_rows * args.n_columns;
  RF_UNROLL
  for (uint32_t m = 0; m < kFragmentsM; ++m) {
    RF_UNROLL
    for (uint32_t i = 0; i < kTileValues; ++i) {
      const uint32_t row = 16 * m + TileRow(i);
      if (row >= args.n_rows) continue;
      const uint64_t at =
          uint64_t{row} * args.n_columns + tile * kFewRows + WaveId() * kWaveRows + TileColumn(i);
      RF_UNROLL
      for (uint32_t n = 0; n < kFewFragmentsN; ++n) partial[at + 16 * n] = sums.at[m][n].v[i];
    }
  }
}

// The block's stages of one weight, [begin, end) counted from that weight's first tile; copies run
// ahead of the products from tile to tile.
template <uint32_t kType, uint32_t kFragmentsM>
RF_DEVICE void SumFew(const SkinnyArgs& args, const SkinnyWeight& w, uint32_t begin, uint32_t end,
                      uint32_t n_stages, FewShared<kFragmentsM>& shared) {
  using Slot = FewSlot<kType, kFragmentsM>;
  constexpr uint32_t kSlots = Slots(kRingBytes<kFragmentsM>, sizeof(Slot));
  static_assert(kSlots >= 3);
  static_assert(sizeof(Slot) >= kRowGroups * kWaveSize * kJoinedValues * sizeof(float));
  Slot* ring = reinterpret_cast<Slot*>(shared.ring);
  U32x4* scales = reinterpret_cast<U32x4*>(shared.scales) + WaveId() * kWaveSize;
  const float norm = ScaleToHalf(*w.magnitude);
  uint32_t tile = begin / n_stages;
  uint32_t stage = begin - tile * n_stages;
  FewCopies<kType, kFragmentsM> copies = {args, w.weight, n_stages, stage, tile * kFewRows};
  tile += w.first_column / kFewRows;
  copies.EnterTile();
  copies.Scales(ring[kSlots - 1]);
  for (uint32_t i = 0; i + 1 < kSlots && begin + i < end; ++i) {
    copies.Weights(ring[i]);
    copies.Next();
    if (begin + i + 1 < end && copies.stage % 2 == 0) copies.Scales(ring[i]);
  }
  AwaitPrevious();
  uint32_t x_stage = stage;
  for (uint32_t i = 0; i + 1 < kSlots; ++i) {
    if (begin + i < end) copies.X(x_stage, ring[i]);
    CopyCommit();
    x_stage = x_stage + 1 < n_stages ? x_stage + 1 : 0;
  }
  CopyWaitBut<kSlots - 2>();
  SharedBarrier();
  FewRawScales<kType> raw;
  raw.Load(ring[kSlots - 1], stage);
  scales[LaneId()] = raw.Of(stage, w.weight.n_units, norm);
  FewSums<kFragmentsM> sums = {};
  uint32_t now = 0;
  uint32_t before = kSlots - 1;
  for (uint32_t at = begin; at < end; ++at) {
    CopyWaitBut<kSlots - 2>();
    SharedBarrier();
    if (at + kSlots - 1 < end) {
      copies.Weights(ring[before]);
      copies.X(copies.stage, ring[before]);
      copies.Next();
      if (at + kSlots < end && copies.stage % 2 == 0) copies.Scales(ring[before]);
    }
    CopyCommit();
    const bool last = ++stage == n_stages;
    if (last) stage = 0;
    if (stage % 2 == 0) raw.Load(ring[now], stage);
    const U32x4 next = raw.Of(stage, w.weight.n_units, norm);
    MultiplyFew(sums, ring[now], reinterpret_cast<const U32x2*>(scales));
    WaveSync();
    scales[LaneId()] = next;
    if (last || at + 1 == end) {
      if constexpr (kUnitGroups == 2) JoinUnitGroups(sums, reinterpret_cast<float*>(ring + now));
      StorePart(args, sums, tile, BlockId() - tile * n_stages / args.stages_per_block);
      sums = {};
      ++tile;
    }
    before = now;
    now = now + 1 < kSlots ? now + 1 : 0;
  }
  CopyWait();
  SharedBarrier();
}

template <uint32_t kFragmentsM>
RF_DEVICE void GemmFew(const SkinnyArgs& args) {
  auto& shared = SharedLarge<FewShared<kFragmentsM>>();
  static_assert(sizeof(FewShared<kFragmentsM>) == gpu::FewSharedBytes(16 * kFragmentsM));
  LetNextStart();
  const uint32_t n_stages = (args.n_k_tiles + kFewTiles - 1) / kFewTiles;
  ForFewStages<kFewRows>(
      args, n_stages,
      [&]<uint32_t kType>(const SkinnyWeight& w, uint32_t begin, uint32_t end, uint32_t) {
        SumFew<kType>(args, w, begin, end, n_stages, shared);
      });
}

}  // namespace

RF_KERNEL_RESIDENT(gemm_few_32, gpu::SkinnyArgs, 256, 2) { GemmFew<2>(args); }
RF_KERNEL_RESIDENT(gemm_few_64, gpu::SkinnyArgs, 256, 1) { GemmFew<4>(args); }
#if RF_PORT_WARPGROUP
RF_KERNEL_RESIDENT(gemm_few_group_32, gpu::SkinnyArgs, 512, 1) { GemmFewGroup<32>(args); }
RF_KERNEL_RESIDENT(gemm_few_group_64, gpu::SkinnyArgs, 512, 1) { GemmFewGroup<64>(args); }
#endif

}  // namespace rocforge::port

#endif  // RF_PORT_FEW_ROWS
