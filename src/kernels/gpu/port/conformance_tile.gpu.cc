// Kernels that exercise the promises of tile.h and warpgroup.h.
#include "kernels/gpu/port/conformance_args.h"
#include "kernels/gpu/port/warpgroup.h"

namespace rocforge::port {
namespace {

constexpr uint32_t kTestRows = 32;

struct TileTest {
  U32x4 a[kTestRows * kTileRowChunks];
  U32x4 b[kTestRows * kTileRowChunks];
};

}  // namespace

// in: A [32, 64] and B [32, 64] of f16, row after row. out [32, 32] f32 += A B^T, and behind it
// 32 * 32 words that count how often each sum was written. Four waves, one tile each.
RF_KERNEL(conformance_tile, ConformanceArgs, 256) {
  TileTest& shared = SharedBlock<TileTest>();
  const U32x4* in = reinterpret_cast<const U32x4*>(args.in);
  for (uint32_t i = ThreadId(); i < 2 * kTestRows * kTileRowChunks; i += BlockDim()) {
    const uint32_t row = i / kTileRowChunks % kTestRows;
    U32x4* rows = i / kTileRowChunks < kTestRows ? shared.a : shared.b;
    StoreChunk(rows + SwizzledChunk(row, i % kTileRowChunks), LoadChunk(in + i));
  }
  BlockBarrier();
  const uint32_t row = WaveId() / 2 * 16;
  const uint32_t column = WaveId() % 2 * 16;
  TileSum sum;
  RF_UNROLL
  for (uint32_t i = 0; i < kTileValues; ++i) {
    sum.v[i] = BitCast<float>(args.out[(row + TileRow(i)) * kTestRows + column + TileColumn(i)]);
  }
  RF_UNROLL
  for (uint32_t chunk = 0; chunk < kTileRowChunks; chunk += 2) {
    TileA a;
    TileB b;
    LoadTile(a, shared.a, row, chunk);
    LoadTile(b, shared.b, column, chunk);
    MultiplyTile(sum, a, b);
  }
  RF_UNROLL
  for (uint32_t i = 0; i < kTileValues; ++i) {
    const uint32_t at = (row + TileRow(i)) * kTestRows + column + TileColumn(i);
    args.out[at] = BitCast<uint32_t>(sum.v[i]);
    AtomicAdd(args.out + kTestRows * kTestRows + at, 1u);
  }
}

namespace {

// For FillTiles: 16 rows of 32 columns of B [32, 64], f16 row after row.
struct FilledRows {
  const uint32_t* in;  // two columns a word
  uint32_t row0;
  uint32_t column0;

  RF_MEMBER uint32_t Half(uint32_t row, uint32_t column) const {
    const uint32_t at = (row0 + row) * 64 + column0 + column;
    return in[at / 2] >> (16 * (at % 2)) & 0xFFFF;
  }
  RF_MEMBER U32x2 operator()(uint32_t row, uint32_t word, uint32_t odd) const {
    const uint32_t c = 4 * word + odd;
    return {Half(row, c) | Half(row, c + 2) << 16, Half(row, c + 16) | Half(row, c + 18) << 16};
  }
};

}  // namespace

// As conformance_tile, with B's operands made in registers: columns 0 2 .. 14 1 3 .. 15 of A's 16.
RF_KERNEL(conformance_tile_filled, ConformanceArgs, 256) {
  TileTest& shared = SharedBlock<TileTest>();
  const U32x4* in = reinterpret_cast<const U32x4*>(args.in);
  for (uint32_t i = ThreadId(); i < kTestRows * kTileRowChunks; i += BlockDim()) {
    StoreChunk(shared.a + SwizzledChunk(i / kTileRowChunks, i % kTileRowChunks), LoadChunk(in + i));
  }
  BlockBarrier();
  const uint32_t row = WaveId() / 2 * 16;
  const uint32_t column = WaveId() % 2 * 16;
  TileSum sum;
  RF_UNROLL
  for (uint32_t i = 0; i < kTileValues; ++i) {
    sum.v[i] = BitCast<float>(args.out[(row + TileRow(i)) * kTestRows + column + TileColumn(i)]);
  }
  for (uint32_t chunk = 0; chunk < kTileRowChunks; chunk += 4) {
    TileA a;
    TileB low, high;
    FillTiles(low, high, FilledRows{args.in + kTestRows * 32, column, 8 * chunk});
    LoadTile(a, shared.a, row, chunk);
    MultiplyTile(sum, a, low);
    LoadTile(a, shared.a, row, chunk + 2);
    MultiplyTile(sum, a, high);
  }
  RF_UNROLL
  for (uint32_t i = 0; i < kTileValues; ++i) {
    const uint32_t at = (row + TileRow(i)) * kTestRows + column + TileColumn(i);
    args.out[at] = BitCast<uint32_t>(sum.v[i]);
    AtomicAdd(args.out + kTestRows * kTestRows + at, 1u);
  }
}

#if RF_PORT_WARPGROUP
namespace {

constexpr uint32_t kTestStages = 2;

template <uint32_t kColumns>
struct alignas(1024) WarpgroupTest {
  U32x4 a[kTestStages][64 * kTileRowChunks];
  U32x4 b[kTestStages][kColumns * kTileRowChunks];
  SharedPhase full[kTestStages];
  SharedPhase empty[kTestStages];
};

RF_DEVICE void LoadWarpgroupA(WarpgroupA& a, const U32x4* rows) {
  RF_UNROLL
  for (uint32_t s = 0; s < 4; ++s) {
    RF_UNROLL
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t row = WaveId() % 4 * 16 + LaneId() / 4 + 8 * (i % 2);
      const U32x4* chunk = rows + SwizzledChunk(row, 2 * s + i / 2);
      a.v[s][i] = reinterpret_cast<const uint32_t*>(chunk)[LaneId() % 4];
    }
  }
}

// in: n stages of A [64, 64], then n of B [kColumns, 64], swizzled f16. out [64, kColumns] f32 =
// the sum of their products. A warpgroup multiplies, the wave behind it feeds. kRegisters: A goes
// through registers.
template <uint32_t kColumns, bool kRegisters>
RF_DEVICE void TestWarpgroup(const ConformanceArgs& args) {
  auto& shared = SharedLarge<WarpgroupTest<kColumns>>();
  constexpr uint32_t kBytesA = sizeof(shared.a[0]);
  constexpr uint32_t kBytesB = sizeof(shared.b[0]);
  if (ThreadId() == 0) {
    for (uint32_t i = 0; i < kTestStages; ++i) {
      PhaseInit(shared.full[i], 1);
      PhaseInit(shared.empty[i], 4);
    }
    PhasesReady();
  }
  BlockBarrier();
  if (ThreadId() == kWarpgroupThreads) {
    const U32x4* a = reinterpret_cast<const U32x4*>(args.in);
    const U32x4* b = a + uint64_t{args.n} * (kBytesA / 16);
    for (uint32_t k = 0; k < args.n; ++k) {
      const uint32_t stage = k % kTestStages;
      PhaseWait(shared.empty[stage], k / kTestStages % 2 ^ 1);
      PhaseArriveExpect(shared.full[stage], kBytesA + kBytesB);
      BulkCopy(shared.a[stage], a + uint64_t{k} * (kBytesA / 16), kBytesA, shared.full[stage]);
      BulkCopy(shared.b[stage], b + uint64_t{k} * (kBytesB / 16), kBytesB, shared.full[stage]);
    }
  } else if (ThreadId() < kWarpgroupThreads) {
    WarpgroupSum<kColumns> sum;
    RF_UNROLL
    for (uint32_t i = 0; i < kColumns / 2; ++i) sum.v[i] = 0.0f;
    for (uint32_t k = 0; k < args.n; ++k) {
      const uint32_t stage = k % kTestStages;
      PhaseWait(shared.full[stage], k / kTestStages % 2);
      if constexpr (kRegisters) {
        WarpgroupA a;
        LoadWarpgroupA(a, shared.a[stage]);
        WarpgroupMultiply(sum, a, shared.b[stage]);
      } else {
        WarpgroupMultiply(sum, shared.a[stage], shared.b[stage]);
      }
      WarpgroupWait<kRegisters ? 0 : 1>(sum);  // the registers change with the next stage
      if (k > 0 && LaneId() == 0) PhaseArrive(shared.empty[(k - 1) % kTestStages]);
    }
    WarpgroupWait<0>(sum);
    RF_UNROLL
    for (uint32_t i = 0; i < kColumns / 2; ++i)
      args.out[WarpgroupRow(i) * kColumns + WarpgroupColumn(i)] = BitCast<uint32_t>(sum.v[i]);
  }
}

}  // namespace

RF_KERNEL_RESIDENT(conformance_warpgroup, ConformanceArgs, 160, 1) {
  TestWarpgroup<128, false>(args);
}
RF_KERNEL_RESIDENT(conformance_warpgroup_wide, ConformanceArgs, 160, 1) {
  TestWarpgroup<256, false>(args);
}
RF_KERNEL_RESIDENT(conformance_warpgroup_registers_32, ConformanceArgs, 160, 1) {
  TestWarpgroup<32, true>(args);
}
RF_KERNEL_RESIDENT(conformance_warpgroup_registers_64, ConformanceArgs, 160, 1) {
  TestWarpgroup<64, true>(args);
}
#endif

}  // namespace rocforge::port
