// gemm_few on warpgroup units: a block of four warpgroups takes 256 rows of w, 64 of them each. A
// lane copies the units that it multiplies itself, eight k steps of two rows, so weights go from
// its own place in shared memory to its registers, become f16 there and are A of the product; B is
// x, which bulk copies bring to all warpgroups. Nobody waits for another wave but for x.
//   x has the columns of each 128 in the order that lanes have theirs (pack_rows: by_unit).
//   Traffic and sums of parts as gemm_few's, with half its copies of x: 8 KB, with 32 rows, for
//   each 18.5 KB of Q4_K. Arithmetic, 32 rows of x: a wave's 16 rows by 128 columns of Q4_K are
//   some 275 instructions, of which 112 make f16 of weights. On an H200 the copies without products
//   take 23.5 of 27.2 us (22016x4096 without the launches around it), products without copies 19.6.
#pragma once

#include "kernels/gpu/ops/gemm_few.h"
#include "kernels/gpu/ops/gemm_scale.h"
#include "kernels/gpu/port/warpgroup.h"

#if RF_PORT_WARPGROUP

namespace rocforge::port {
namespace {

constexpr uint32_t kGroupWaves = gpu::kFewGroupThreads / kWaveSize;
constexpr uint32_t kGroupRows = gpu::kFewGroupColumns;  // of w
constexpr uint32_t kGroupWaveRows = 16;
static_assert(kGroupRows == kGroupWaves * kGroupWaveRows);
constexpr uint32_t kGroupTiles = gpu::kFewStageTiles;  // of x in a stage

// What a wave copies of a stage: two units a lane, what else the type has of them, and in the
// stages that begin a pair (or a block's stretch) the scales of two stages.
template <uint32_t kType>
struct GroupSlot {
  U32x4 quants[2][kWaveSize];
  U32x4
      extra[FewType<kType>::kExtraChunks != 0 ? kGroupWaveRows * FewType<kType>::kExtraChunks : 1];
  U32x4 scales[2 * kGroupWaveRows];  // of units, and behind them of super-blocks
};

template <uint32_t kRowsX>
struct alignas(1024) GroupShared {
  static constexpr uint32_t kXSlots = kRowsX <= 32 ? 8 : 4;  // a power of two
  U32x4 x[kXSlots][kGroupTiles][kRowsX * kTileRowChunks];
  uint8_t ring[kGroupWaves][8 * 1024];
  SharedPhase full[kXSlots];
  SharedPhase empty[kXSlots];
};

// Copies of stages of w by one wave: lane 4 r + q brings unit q of rows r and r + 8.
template <uint32_t kType>
struct GroupCopies {
  using Type = FewType<kType>;
  const Weight& weight;
  uint32_t n_stages;  // of a row
  uint32_t stage;     // the next one
  uint32_t first_row;
  const uint8_t* rows = nullptr;  // of the tile at first_row; from there in bytes:
  uint32_t quants[2] = {};
  uint32_t extra = 0;
  uint32_t scales = 0;

  RF_MEMBER uint32_t Row(uint32_t of_wave) const {
    const uint32_t last = weight.n_rows - 1 - first_row;
    const uint32_t row = WaveId() * kGroupWaveRows + of_wave;
    return Least(row, last) * weight.row_bytes;
  }
  RF_MEMBER void EnterTile() {
    rows = weight.data + uint64_t{first_row} * weight.row_bytes;
    quants[0] = Row(LaneId() / 4);
    quants[1] = Row(LaneId() / 4 + 8);
    if constexpr (Type::kExtraChunks == 2) extra = Row(LaneId() / 2) + weight.plane[1];
    scales = Row(LaneId() % kGroupWaveRows) +
             weight.plane[Type::kScalePlane +
                          (Type::kSuperBytes == 0 || LaneId() < kGroupWaveRows ? 0 : 1)];
  }
  RF_MEMBER void Next() {
    if (++stage < n_stages) return;
    stage = 0;
    first_row += kGroupRows;
    EnterTile();
  }

  RF_MEMBER void Copy(GroupSlot<kType>& slot, bool with_scales) const {
    // Super-blocks are two stages; rows of other types may end within one.
    constexpr bool kWhole = Type::kSuperBytes != 0;
    const uint32_t last = weight.n_units - 1;
    const uint32_t of_lane = stage * kStageUnits + LaneId() % 4;
    const uint32_t unit = kWhole ? of_lane : Least(of_lane, last);
    const auto from = [&](uint32_t at) { return reinterpret_cast<const U32x4*>(rows + at); };
    RF_UNROLL
    for (uint32_t h = 0; h < 2; ++h)
      CopyAsync(&slot.quants[h][LaneId()], from(quants[h] + 16 * unit));
    if constexpr (Type::kExtraChunks == 4) {
      RF_UNROLL
      for (uint32_t h = 0; h < 2; ++h)
        CopyAsync(&slot.extra[h * kWaveSize + LaneId()],
                  from(quants[h] + weight.plane[1] + 16 * unit));
    } else if constexpr (Type::kExtraChunks == 2) {
      CopyAsync(&slot.extra[LaneId()], from(extra + 32 * stage + LaneId() % 2 * 16));
    } else if constexpr (Type::kExtraChunks == 1) {
      // The first lanes' rows are those of their scales.
      const uint32_t plane = scales + (weight.plane[1] - weight.plane[Type::kScalePlane]);
      if (LaneId() < kGroupWaveRows) CopyAsync(&slot.extra[LaneId()], from(plane + 16 * stage));
    }
    if (!with_scales) return;
    const uint32_t pair = (kWhole ? stage : Least(stage, last / kStageUnits)) / 2;
    const uint32_t super = pair * Type::kSuperBytes / 16 * 16;
    CopyAsync(&slot.scales[LaneId()],
              from(scales + (LaneId() < kGroupWaveRows ? 16 * pair : super)));
  }
};

// The scales of this lane's units of a pair of stages: those of the second stage in the high half.
template <uint32_t kType>
struct GroupScales {
  uint32_t both[2] = {};
  uint32_t super[2] = {};

  RF_MEMBER void Load(const GroupSlot<kType>& slot, uint32_t stage) {
    RF_UNROLL
    for (uint32_t h = 0; h < 2; ++h) {
      const uint32_t row = LaneId() / 4 + 8 * h;
      const auto* at = reinterpret_cast<const uint16_t*>(slot.scales + row) + LaneId() % 4;
      both[h] = uint32_t{at[0]} | uint32_t{at[kStageUnits]} << 16;
      if constexpr (FewType<kType>::kSuperBytes != 0) {
        constexpr uint32_t kBytes = FewType<kType>::kSuperBytes;
        const uint32_t offset = stage / 2 * kBytes % 16;
        super[h] =
            reinterpret_cast<const uint32_t*>(slot.scales + kGroupWaveRows + row)[offset / 4] >>
            (offset % 4 * 8);
      }
    }
  }
  RF_MEMBER U32x2 Of(uint32_t h, uint32_t stage, float norm) const {
    return FewScales<kType>(both[h] >> (stage % 2 * 16), super[h], norm);
  }
};

// This lane's two units.
template <uint32_t kType>
struct GroupUnits {
  static constexpr uint32_t kExtraWords = FewType<kType>::kExtraBytes / 4;
  uint32_t quants[2][4];
  uint32_t extra[2][kExtraWords != 0 ? kExtraWords : 1];

  RF_MEMBER void Load(const GroupSlot<kType>& slot) {
    RF_UNROLL
    for (uint32_t h = 0; h < 2; ++h) {
      const TileChunk chunk = LoadChunk(&slot.quants[h][LaneId()]);
      RF_UNROLL
      for (uint32_t i = 0; i < 4; ++i) quants[h][i] = chunk[i];
      const auto* words = reinterpret_cast<const uint32_t*>(slot.extra);
      const uint32_t at = (LaneId() + kWaveSize * h) * kExtraWords;
      if constexpr (kExtraWords == 4) {
        const TileChunk more = LoadChunk(&slot.extra[h * kWaveSize + LaneId()]);
        RF_UNROLL
        for (uint32_t i = 0; i < 4; ++i) extra[h][i] = more[i];
      } else if constexpr (kExtraWords == 2) {
        const U32x2 more = *reinterpret_cast<const U32x2*>(words + at);
        extra[h][0] = more.x;
        extra[h][1] = more.y;
      } else if constexpr (kExtraWords == 1) {
        extra[h][0] = words[at];
      }
    }
  }
  // Of 64 columns: words 2 t and 2 t + 1.
  RF_MEMBER void Fill(WarpgroupA& a, uint32_t t, const U32x2 (&scale)[2]) const {
    RF_UNROLL
    for (uint32_t w = 0; w < 2; ++w) {
      RF_UNROLL
      for (uint32_t i = 0; i < 4; ++i) {
        const uint32_t word = 2 * t + w;
        const U32x2 pairs =
            FewPair<kType>(quants[i % 2][word], extra[i % 2], word, i / 2, scale[i % 2]);
        a.v[2 * w][i] = pairs.x;
        a.v[2 * w + 1][i] = pairs.y;
      }
    }
  }
};

// x on its way, stages counted from the block's first: copied by its first thread.
template <uint32_t kRowsX>
struct GroupX {
  using Shared = GroupShared<kRowsX>;
  static RF_MEMBER uint32_t Slot(uint32_t n) { return n % Shared::kXSlots; }
  static RF_MEMBER uint32_t Parity(uint32_t n) { return n / Shared::kXSlots % 2; }

  // The n-th stage, of a row's `stage`.
  static RF_MEMBER void Copy(const SkinnyArgs& args, Shared& shared, uint32_t n, uint32_t stage) {
    if (ThreadId() == 0) {
      SharedPhase& full = shared.full[Slot(n)];
      const uint32_t bytes = args.n_rows * kTileRowChunks * 16;
      PhaseWait(shared.empty[Slot(n)], Parity(n) ^ 1);
      PhaseArriveExpect(full, kGroupTiles * bytes);
      const U32x4* from = static_cast<const U32x4*>(args.x) +
                          uint64_t{stage} * kGroupTiles * args.x_stride * kTileRowChunks;
      RF_UNROLL
      for (uint32_t t = 0; t < kGroupTiles; ++t)
        BulkCopy(shared.x[Slot(n)][t], from + t * args.x_stride * kTileRowChunks, bytes, full);
    }
    WaveSync();
  }
  static RF_MEMBER void Await(Shared& shared, uint32_t n) {
    PhaseWait(shared.full[Slot(n)], Parity(n));
  }
  // This wave has used it.
  static RF_MEMBER void Release(Shared& shared, uint32_t n) {
    WaveSync();
    if (LaneId() == 0) PhaseArrive(shared.empty[Slot(n)]);
  }
};

template <uint32_t kRowsX>
RF_DEVICE void StoreGroupPart(const SkinnyArgs& args, const WarpgroupSum<kRowsX>& sum,
                              uint32_t column, uint32_t part) {
  const uint32_t row0 = WarpgroupColumn(0);
  const uint32_t n_rows = args.n_rows > row0 ? args.n_rows - row0 : 0;
  float* to = args.partial + (uint64_t{part} * args.n_rows + row0) * args.n_columns + column +
              WarpgroupRow(0);
  RF_UNROLL
  for (uint32_t i = 0; i < kRowsX / 2; ++i) {
    const uint32_t row = i / 4 * 8 + i % 2;  // WarpgroupColumn(i) - row0
    if (row < n_rows) to[uint64_t{row} * args.n_columns + i / 2 % 2 * 8] = sum.v[i];
  }
}

// The block's stages of a weight, [begin, end) counted from that weight's first tile; `done`:
// the block's stages before.
template <uint32_t kType, uint32_t kRowsX>
RF_DEVICE void SumFewGroup(const SkinnyArgs& args, const SkinnyWeight& w, uint32_t begin,
                           uint32_t end, uint32_t n_stages, uint32_t done,
                           GroupShared<kRowsX>& shared) {
  using Slot = GroupSlot<kType>;
  using X = GroupX<kRowsX>;
  constexpr uint32_t kFit = sizeof(shared.ring[0]) / sizeof(Slot);
  constexpr uint32_t kFitX = GroupShared<kRowsX>::kXSlots;
  constexpr uint32_t kSlots = kFit < kFitX ? kFit : kFitX;
  constexpr uint32_t kAhead = kSlots - 1;
  static_assert(kAhead >= 2);
  Slot* ring = reinterpret_cast<Slot*>(shared.ring[WaveId()]);
  const float norm = ScaleToHalf(*w.magnitude);
  uint32_t stage = begin % n_stages;
  GroupCopies<kType> copies = {w.weight, n_stages, stage, begin / n_stages * kGroupRows};
  copies.EnterTile();
  for (uint32_t i = 0; i < kAhead; ++i) {
    if (begin + i < end) {
      copies.Copy(ring[i], i == 0 || copies.stage % 2 == 0);
      copies.Next();
    }
    CopyCommit();
  }
  AwaitPrevious();
  uint32_t x_stage = stage;
  for (uint32_t i = 0; i < kAhead && begin + i < end; ++i) {
    X::Copy(args, shared, done + i, x_stage);
    x_stage = x_stage + 1 < n_stages ? x_stage + 1 : 0;
  }
  WarpgroupSum<kRowsX> sum = {};
  GroupScales<kType> scales;
  uint32_t now = 0;
  for (uint32_t at = begin; at < end; ++at) {
    CopyWaitBut<kAhead - 1>();
    WaveSync();
    const uint32_t n = done + (at - begin);
    if (at == begin || stage % 2 == 0) scales.Load(ring[now], stage);
    GroupUnits<kType> units;
    units.Load(ring[now]);
    if (at + kAhead < end) {
      copies.Copy(ring[now == 0 ? kAhead : now - 1], copies.stage % 2 == 0);
      X::Copy(args, shared, n + kAhead, copies.stage);
      copies.Next();
    }
    CopyCommit();
    const U32x2 scale[2] = {scales.Of(0, stage, norm), scales.Of(1, stage, norm)};
    X::Await(shared, n);
    WarpgroupA a[kGroupTiles];
    RF_UNROLL
    for (uint32_t t = 0; t < kGroupTiles; ++t) {
      units.Fill(a[t], t, scale);
      WarpgroupMultiply(sum, a[t], shared.x[X::Slot(n)][t]);
    }
    // All of them: the compiler waits after each where others may be under way in a branch.
    WarpgroupWait<0>(sum);
    X::Release(shared, n);
    const bool last = ++stage == n_stages;
    if (last || at + 1 == end) {
      const uint32_t tile = w.first_column / kGroupRows + at / n_stages;
      StoreGroupPart(args, sum, tile * kGroupRows + WaveId() / 4 * 64,
                     BlockId() - tile * n_stages / args.stages_per_block);
      sum = {};
      stage = 0;
    }
    now = now + 1 < kSlots ? now + 1 : 0;
  }
  CopyWait();
}

template <uint32_t kRowsX>
RF_DEVICE void GemmFewGroup(const SkinnyArgs& args) {
  using Shared = GroupShared<kRowsX>;
  auto& shared = SharedLarge<Shared>();
  static_assert(sizeof(Shared) == gpu::kFewGroupSharedBytes);
  LetNextStart();
  if (ThreadId() == 0) {
    for (uint32_t i = 0; i < Shared::kXSlots; ++i) {
      PhaseInit(shared.full[i], 1);
      PhaseInit(shared.empty[i], kGroupWaves);
    }
    PhasesReady();
  }
  BlockBarrier();
  const uint32_t n_stages = (args.n_k_tiles + kGroupTiles - 1) / kGroupTiles;
  ForFewStages<kGroupRows>(
      args, n_stages,
      [&]<uint32_t kType>(const SkinnyWeight& w, uint32_t begin, uint32_t end, uint32_t done) {
        SumFewGroup<kType>(args, w, begin, end, n_stages, done, shared);
      });
}

}  // namespace
}  // namespace rocforge::port
#endif
