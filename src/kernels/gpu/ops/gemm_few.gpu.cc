// y_i = x w_i^T for 9 to 64 rows of x and weights of the common types, from packed weights
// (gemm_args.h: SkinnyArgs). A block takes 128 rows of w and a part of k. A stage is 128 columns:
// packed words go through registers into shared memory as they are, and a wave makes its operands
// of them (gemm_few.h), 32 rows for each row of x. Where a block has eight waves two of them share
// the rows and add their sums in the end.
//   Traffic: the packed weights once; x (2 bytes an element) once per 128 rows of w out of the
//   cache; partial sums, 4 bytes, written and read once per part.
//   Arithmetic on an H200, 32 rows of x: 32 rows of w by 32 columns of Q4_K are 592 bytes, 30
//   clocks of memory, 122 issue slots. They are about 60 instructions to unpack, 16 mma, 12 loads
//   of operands and 15 of copying: 100.
#include "kernels/gpu/ops/gemm_few.h"

#include "kernels/gpu/ops/gemm_args.h"
#include "kernels/gpu/ops/gemm_scale.h"
#include "kernels/gpu/ops/skinny_weight.h"

#if RF_PORT_FEW_ROWS

namespace rocforge::port {
namespace {

constexpr uint32_t kFewThreads = 256;
constexpr uint32_t kFewRows = gpu::kGemmColumns;  // of w
constexpr uint32_t kFewTiles = kStageUnits / 2;   // k tiles of a stage
constexpr uint32_t kRowGroups = 4;                // of 32 rows
constexpr uint32_t kUnitGroups = kFewThreads / kWaveSize / kRowGroups;
constexpr uint32_t kFewFragmentsN = 2;

template <uint32_t kFragmentsM>
struct FewSlot {
  U32x4 x[kFewTiles][16 * kFragmentsM * kTileRowChunks];
  U32x4 w[kFewRows * gpu::kFewMostRowChunks];
  U32x2 scales[kFewRows * kStageUnits / 2];
};
template <uint32_t kFragmentsM>
struct FewShared {
  FewSlot<kFragmentsM> slot[kCopiesInBackground ? gpu::kFewStages : 1];
};

constexpr uint32_t Copies(uint32_t n) { return (n + kFewThreads - 1) / kFewThreads; }

// Parts of k of a block, in k tiles.
struct FewRange {
  uint32_t begin;
  uint32_t end;
};

// Where the chunks of a stage come from and go to. Rows and units beyond the end are those at the
// end: nobody wants the ones, and the others' scales are 0.
template <uint32_t kType, uint32_t kFragmentsM>
struct FewBlock {
  using Type = FewType<kType>;
  static constexpr uint32_t kTileChunks = 16 * kFragmentsM * kTileRowChunks;
  static constexpr uint32_t kQuantCopies = Copies(kFewRows * kStageUnits);
  static constexpr uint32_t kExtraCopies = Copies(kFewRows * Type::kExtraChunks);
  static constexpr uint32_t kXCopies = Copies(kFewTiles * kTileChunks);
  static constexpr uint32_t kWeightCopies = kQuantCopies + kExtraCopies;

  const SkinnyArgs& args;
  const Weight& weight;
  const uint8_t* rows;  // the block's first
  uint32_t last_row;    // of the weight, from there
  uint32_t end;         // of the block's k tiles
  float norm;

  RF_MEMBER const uint8_t* Row(uint32_t row) const {
    return rows + (row < last_row ? row : last_row) * weight.row_bytes;
  }
  // `unit`, the first of a group of `group`, or the last such.
  RF_MEMBER uint32_t Within(uint32_t unit, uint32_t group) const {
    const uint32_t last = (weight.n_units - 1) / group * group;
    return unit < last ? unit : last;
  }
  // Calls copy(from, to) for chunk i of this thread, i in [0, kWeightCopies), of the stage that
  // begins at tile k.
  template <typename F>
  RF_MEMBER void Packed(uint32_t i, uint32_t k, FewSlot<kFragmentsM>& slot, F&& copy) const {
    if (i < kQuantCopies) {
      const uint32_t at = i * kFewThreads + ThreadId();
      const uint32_t unit = Within(2 * k + at % kStageUnits, 1);
      copy(Row(at / kStageUnits) + 16 * unit,
           slot.w + at / kStageUnits * Type::kRowChunks + at % kStageUnits);
    } else if constexpr (Type::kExtraChunks > 0) {
      constexpr uint32_t kUnits = 16 / Type::kExtraBytes;  // of a chunk
      const uint32_t at = (i - kQuantCopies) * kFewThreads + ThreadId();
      const uint32_t row = at / Type::kExtraChunks;
      if (row >= kFewRows) return;
      const uint32_t unit = Within(2 * k + at % Type::kExtraChunks * kUnits, kUnits);
      copy(Row(row) + weight.plane[1] + Type::kExtraBytes * unit,
           slot.w + row * Type::kRowChunks + kStageUnits + at % Type::kExtraChunks);
    }
  }
  template <typename F>
  RF_MEMBER void X(uint32_t i, uint32_t k, FewSlot<kFragmentsM>& slot, F&& copy) const {
    const uint32_t at = i * kFewThreads + ThreadId();
    const uint32_t tile = k + at / kTileChunks < end ? k + at / kTileChunks : end - 1;
    copy(static_cast<const U32x4*>(args.x) + uint64_t{tile} * args.x_stride * kTileRowChunks +
             at % kTileChunks,
         &slot.x[0][0] + at);
  }
  // Two units' scales of a row.
  RF_MEMBER U32x2 LoadScales(uint32_t k) const {
    const uint8_t* row = Row(ThreadId() / 2);
    const uint32_t unit = Within(2 * k + ThreadId() % 2 * 2, 2);
    const uint32_t scales = Load32(row + weight.plane[Type::kScalePlane] + 2 * unit);
    if constexpr (Type::kKQuant)
      return {scales, Load32(row + weight.plane[Type::kScalePlane + 1] + 4 * (unit / 8))};
    if constexpr (kType == gpu::kWeightQ6_K)
      return {scales, Load16(row + weight.plane[3] + 2 * (unit / 8))};
    return {scales, 0};
  }
  RF_MEMBER void StoreScales(U32x2 raw, uint32_t k, FewSlot<kFragmentsM>& slot) const {
    const uint32_t n_units = 2 * end < weight.n_units ? 2 * end : weight.n_units;
    const uint32_t unit = 2 * k + ThreadId() % 2 * 2;
    const uint32_t first = FewScales<kType>(raw.x, raw.y, norm);
    const uint32_t second = FewScales<kType>(raw.x >> 16, raw.y, norm);
    slot.scales[ThreadId()] = {unit < n_units ? first : 0, unit + 1 < n_units ? second : 0};
  }
};

template <uint32_t kFragmentsM>
struct FewSums {
  TileSum at[kFragmentsM][kFewFragmentsN];
};

template <uint32_t kType, uint32_t kFragmentsM>
RF_DEVICE void MultiplyFew(FewSums<kFragmentsM>& sums, const FewSlot<kFragmentsM>& slot) {
  constexpr uint32_t kUnits = kStageUnits / kUnitGroups;
  const uint32_t row0 = WaveId() % kRowGroups * (kFewRows / kRowGroups);
  RF_UNROLL
  for (uint32_t i = 0; i < kUnits; ++i) {
    const uint32_t unit = WaveId() / kRowGroups * kUnits + i;
    TileB low[kFewFragmentsN], high[kFewFragmentsN];
    RF_UNROLL
    for (uint32_t n = 0; n < kFewFragmentsN; ++n) {
      FillTiles(
          low[n], high[n],
          FewPairs<kType>{reinterpret_cast<const uint32_t*>(slot.w),
                          reinterpret_cast<const uint32_t*>(slot.scales), row0 + 16 * n, unit});
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

// The sums of both waves that share rows, in the first one's registers.
template <uint32_t kFragmentsM>
RF_DEVICE void JoinUnitGroups(FewSums<kFragmentsM>& sums, FewShared<kFragmentsM>& shared) {
  static_assert(sizeof(shared) >= kRowGroups * kWaveSize * sizeof(sums));
  float* joined = reinterpret_cast<float*>(&shared) +
                  WaveId() % kRowGroups * kWaveSize * sizeof(sums) / sizeof(float) + LaneId();
  const bool second = WaveId() >= kRowGroups;
  for (uint32_t turn = 0; turn < 2; ++turn) {
    RF_UNROLL
    for (uint32_t m = 0; m < kFragmentsM; ++m) {
      RF_UNROLL
      for (uint32_t n = 0; n < kFewFragmentsN; ++n) {
        RF_UNROLL
        for (uint32_t i = 0; i < kTileValues; ++i) {
          float& at = joined[((m * kFewFragmentsN + n) * kTileValues + i) * kWaveSize];
          if (turn == 0 && second) at = sums.at[m][n].v[i];
          if (turn == 1 && !second) sums.at[m][n].v[i] += at;
        }
      }
    }
    if (turn == 0) SharedBarrier();
  }
}

// Two stages are on their way while one is multiplied.
template <uint32_t kType, uint32_t kFragmentsM>
RF_DEVICE void SumInBackground(const FewBlock<kType, kFragmentsM>& block, uint32_t begin,
                               FewShared<kFragmentsM>& shared, FewSums<kFragmentsM>& sums) {
  using Block = FewBlock<kType, kFragmentsM>;
  using Slot = FewSlot<kFragmentsM>;
  const auto copy_weights = [&](uint32_t k, Slot& slot) {
    RF_UNROLL
    for (uint32_t i = 0; i < Block::kWeightCopies; ++i) {
      block.Packed(i, k, slot, [](const uint8_t* from, U32x4* to) {
        CopyAsync(to, reinterpret_cast<const U32x4*>(from));
      });
    }
  };
  const auto copy_x = [&](uint32_t k, Slot& slot) {
    RF_UNROLL
    for (uint32_t i = 0; i < Block::kXCopies; ++i)
      block.X(i, k, slot, [](const U32x4* from, U32x4* to) { CopyAsync(to, from); });
  };
  const uint32_t second = begin + kFewTiles;
  copy_weights(begin, shared.slot[0]);
  if (second < block.end) copy_weights(second, shared.slot[1]);
  const U32x2 first_scales = block.LoadScales(begin);
  U32x2 scales = block.LoadScales(second);
  AwaitPrevious();
  copy_x(begin, shared.slot[0]);
  CopyCommit();
  if (second < block.end) copy_x(second, shared.slot[1]);
  CopyCommit();
  block.StoreScales(first_scales, begin, shared.slot[0]);
  uint32_t now = 0;
  for (uint32_t k = begin; k < block.end; k += kFewTiles) {
    const uint32_t next = now + 1 < gpu::kFewStages ? now + 1 : 0;
    const uint32_t after = next + 1 < gpu::kFewStages ? next + 1 : 0;
    const uint32_t ahead = k + 2 * kFewTiles;
    CopyWaitBut<1>();
    SharedBarrier();
    if (ahead < block.end) {
      copy_weights(ahead, shared.slot[after]);
      copy_x(ahead, shared.slot[after]);
    }
    CopyCommit();
    block.StoreScales(scales, k + kFewTiles, shared.slot[next]);
    scales = block.LoadScales(ahead);
    MultiplyFew<kType>(sums, shared.slot[now]);
    now = next;
  }
  CopyWait();
  SharedBarrier();
}

// The next stage is on its way into registers while one is multiplied.
template <uint32_t kType, uint32_t kFragmentsM>
RF_DEVICE void SumByRegisters(const FewBlock<kType, kFragmentsM>& block, uint32_t begin,
                              FewShared<kFragmentsM>& shared, FewSums<kFragmentsM>& sums) {
  using Block = FewBlock<kType, kFragmentsM>;
  FewSlot<kFragmentsM>& slot = shared.slot[0];
  TileChunk packed[Block::kWeightCopies];
  TileChunk x[Block::kXCopies];
  const auto load_weights = [&](uint32_t k) {
    RF_UNROLL
    for (uint32_t i = 0; i < Block::kWeightCopies; ++i) {
      block.Packed(i, k, slot, [&](const uint8_t* from, U32x4*) {
        const U32x4 v = Load128(from);
        packed[i] = TileChunk{v.x, v.y, v.z, v.w};
      });
    }
  };
  const auto load_x = [&](uint32_t k) {
    RF_UNROLL
    for (uint32_t i = 0; i < Block::kXCopies; ++i)
      block.X(i, k, slot, [&](const U32x4* from, U32x4*) { x[i] = LoadChunk(from); });
  };
  load_weights(begin);
  U32x2 scales = block.LoadScales(begin);
  AwaitPrevious();
  load_x(begin);
  for (uint32_t k = begin; k < block.end; k += kFewTiles) {
    RF_UNROLL
    for (uint32_t i = 0; i < Block::kWeightCopies; ++i)
      block.Packed(i, k, slot, [&](const uint8_t*, U32x4* to) { StoreChunk(to, packed[i]); });
    RF_UNROLL
    for (uint32_t i = 0; i < Block::kXCopies; ++i)
      block.X(i, k, slot, [&](const U32x4*, U32x4* to) { StoreChunk(to, x[i]); });
    block.StoreScales(scales, k, slot);
    SharedBarrier();
    if (k + kFewTiles < block.end) {
      load_weights(k + kFewTiles);
      scales = block.LoadScales(k + kFewTiles);
      load_x(k + kFewTiles);
    }
    MultiplyFew<kType>(sums, slot);
    SharedBarrier();
  }
}

template <uint32_t kType, uint32_t kFragmentsM>
RF_DEVICE void SumFew(const SkinnyArgs& args, const SkinnyWeight& w, uint32_t first_row,
                      FewRange range, FewShared<kFragmentsM>& shared, FewSums<kFragmentsM>& sums) {
  const FewBlock<kType, kFragmentsM> block = {
      args,
      w.weight,
      w.weight.data + uint64_t{first_row} * w.weight.row_bytes,
      w.weight.n_rows - 1 - first_row,
      range.end,
      ScaleToHalf(*w.magnitude)};
  if constexpr (kCopiesInBackground) {
    SumInBackground(block, range.begin, shared, sums);
  } else {
    SumByRegisters(block, range.begin, shared, sums);
  }
}

// x of the grid: block tiles of virtual columns; y: parts of k.
template <uint32_t kFragmentsM>
RF_DEVICE void GemmFew(const SkinnyArgs& args) {
  auto& shared = SharedLarge<FewShared<kFragmentsM>>();
  LetNextStart();
  const uint32_t column = BlockId() * kFewRows;
  const SkinnyWeight w = WeightOfColumn(args, column);
  static_assert(sizeof(FewSlot<kFragmentsM>) == gpu::FewStageBytes(16 * kFragmentsM));
  FewRange range;
  range.begin = BlockIdY() * args.k_tiles_per_part;
  range.end = range.begin + args.k_tiles_per_part;
  range.end = range.end < args.n_k_tiles ? range.end : args.n_k_tiles;
  FewSums<kFragmentsM> sums = {};
  const uint32_t first_row = column - w.first_column;
  switch (w.weight.type) {
#define RF_FEW(name)                                                     \
  case gpu::kWeight##name:                                               \
    SumFew<gpu::kWeight##name>(args, w, first_row, range, shared, sums); \
    break;
    RF_FEW(Q4_0)
    RF_FEW(Q8_0)
    RF_FEW(Q4_K)
    RF_FEW(Q5_K)
    RF_FEW(Q6_K)
#undef RF_FEW
    default:
      break;
  }
  if constexpr (kUnitGroups == 2) JoinUnitGroups(sums, shared);
  if (WaveId() >= kRowGroups) return;
  float* partial = args.partial + uint64_t{BlockIdY()} * args.n_rows * args.n_columns;
  RF_UNROLL
  for (uint32_t m = 0; m < kFragmentsM; ++m) {
    RF_UNROLL
    for (uint32_t i = 0; i < kTileValues; ++i) {
      const uint32_t row = 16 * m + TileRow(i);
      if (row >= args.n_rows) continue;
      const uint64_t at = uint64_t{row} * args.n_columns + column +
                          WaveId() * (kFewRows / kRowGroups) + TileColumn(i);
      RF_UNROLL
      for (uint32_t n = 0; n < kFewFragmentsN; ++n) partial[at + 16 * n] = sums.at[m][n].v[i];
    }
  }
}

}  // namespace

RF_KERNEL_RESIDENT(gemm_few_32, gpu::SkinnyArgs, 256, 2) { GemmFew<2>(args); }
RF_KERNEL_RESIDENT(gemm_few_64, gpu::SkinnyArgs, 256, 1) { GemmFew<4>(args); }

}  // namespace rocforge::port

#endif  // RF_PORT_FEW_ROWS
