// Packed weights as f16 tiles for the matrix product (gemm_args.h), and the magnitude by which they
// are scaled.
//   Traffic of unpack: the packed bytes once, 2 bytes written per weight. A wave takes kWaveSize
//   consecutive units of a row, so reads are consecutive; written through shared memory, so that
//   eight lanes write one row of a tile, 128 bytes.
#include "kernels/gpu/ops/gemm_args.h"
#include "kernels/gpu/ops/gemm_scale.h"
#include "kernels/gpu/ops/unpack_unit.h"
#include "kernels/gpu/port/tile.h"
#include "kernels/gpu/wave/reduce.h"

namespace rocforge::port {
namespace {

constexpr uint32_t kUnpackThreads = 256;
constexpr uint32_t kUnitChunks = 4;  // a unit's 64 bytes

struct UnpackShared {
  U32x4 chunks[kUnpackThreads][kUnitChunks];
};

// Chunk c of unit u of a wave; neither the units of one chunk nor the chunks of two units meet in a
// bank.
RF_DEVICE uint32_t SharedChunk(uint32_t unit, uint32_t chunk) {
  return chunk ^ (unit / 2 % kUnitChunks);
}

// The virtual column of a row (gemm_args.h), less that of the tiles' first row.
RF_DEVICE uint64_t TileRowOf(const gpu::UnpackArgs& args, uint32_t row) {
  const uint32_t column = args.glu_part > 1
                              ? row
                              : row / gpu::kGluColumns * (2 * gpu::kGluColumns) +
                                    args.glu_part * gpu::kGluColumns + row % gpu::kGluColumns;
  return static_cast<uint64_t>(static_cast<int64_t>(column) + args.column_offset);
}

struct MagnitudeShared {
  float wave[32];
};

// The largest value of the block, in thread 0.
RF_DEVICE float BlockLargest(float v, MagnitudeShared& shared) {
  v = WaveMax(v);
  if (LaneId() == 0) shared.wave[WaveId()] = v;
  BlockBarrier();
  for (uint32_t i = 0; i < BlockDim() / kWaveSize; ++i) v = v > shared.wave[i] ? v : shared.wave[i];
  return v;
}

}  // namespace

// x of the grid: rows times waves of a row, kUnpackThreads / kWaveSize to a block; y: experts.
RF_KERNEL(unpack, gpu::UnpackArgs, 256) {
  UnpackShared& shared = SharedBlock<UnpackShared>();
  const uint32_t n_units = (args.weight.n_units + 1) & ~1u;  // whole tiles
  const uint32_t waves_per_row = (n_units + kWaveSize - 1) / kWaveSize;
  const uint32_t wave = BlockId() * (kUnpackThreads / kWaveSize) + WaveId();
  const uint32_t in_row = wave % waves_per_row;
  const bool has_row = wave / waves_per_row < args.n_rows;
  const uint32_t row = args.row_begin + wave / waves_per_row;
  const uint32_t expert = args.expert_begin + BlockIdY();
  const uint32_t unit = in_row * kWaveSize + LaneId();
  float v[gpu::kUnit] = {};
  if (has_row && unit < args.weight.n_units) {
    const uint8_t* data = args.weight.data + expert * args.weight.expert_bytes +
                          uint64_t{row} * args.weight.row_bytes;
    DispatchType(args.weight.type,
                 LoadScaled{args.weight, data, unit, ScaleToHalf(*args.magnitude), v});
  }
  U32x4(&mine)[kUnitChunks] = shared.chunks[ThreadId()];
  RF_UNROLL
  for (uint32_t c = 0; c < kUnitChunks; ++c) mine[SharedChunk(LaneId(), c)] = HalfChunk(v + 8 * c);
  BlockBarrier();
  if (!has_row) return;
  const uint64_t tile_row = TileRowOf(args, row) + BlockIdY() * args.expert_rows;
  U32x4* tiles = static_cast<U32x4*>(args.tiles);
  RF_UNROLL
  for (uint32_t i = 0; i < kUnitChunks; ++i) {
    const uint32_t from = i * (kWaveSize / kUnitChunks) + LaneId() / kUnitChunks;
    const uint32_t at = in_row * kWaveSize + from;
    if (at >= n_units) continue;
    const uint32_t chunk = LaneId() % kUnitChunks;
    const uint32_t tile_chunk = at % 2 * kUnitChunks + chunk;
    const uint64_t to = ((at / 2) * args.stride + tile_row) * kTileRowChunks +
                        (tile_chunk ^ (tile_row % kTileRowChunks));
    StoreChunk(tiles + to,
               LoadChunk(&shared.chunks[WaveId() * kWaveSize + from][SharedChunk(from, chunk)]));
  }
}

// Block b writes the magnitude of its share of the units to magnitude[1 + b].
RF_KERNEL(weight_magnitude, gpu::MagnitudeArgs, 256) {
  MagnitudeShared& shared = SharedBlock<MagnitudeShared>();
  uint32_t largest = 0;
  const uint64_t n = args.n_rows * args.weight.n_units;
  for (uint64_t i = uint64_t{BlockId()} * BlockDim() + ThreadId(); i < n;
       i += uint64_t{GridDim()} * BlockDim()) {
    const uint64_t row = i / args.weight.n_units;
    const uint8_t* data = args.weight.data + row / args.weight.n_rows * args.weight.expert_bytes +
                          row % args.weight.n_rows * args.weight.row_bytes;
    float v[gpu::kUnit] = {};
    DispatchType(
        args.weight.type,
        LoadScaled{args.weight, data, static_cast<uint32_t>(i % args.weight.n_units), 1.0f, v});
    RF_UNROLL
    for (uint32_t k = 0; k < gpu::kUnit; ++k) {
      const uint32_t magnitude = FiniteMagnitude(v[k]);
      largest = largest > magnitude ? largest : magnitude;
    }
  }
  const float block = BlockLargest(BitCast<float>(largest), shared);
  if (ThreadId() == 0) args.magnitude[1 + BlockId()] = BitCast<uint32_t>(block);
}

// magnitude[0] of the n_rows that follow it. One block.
RF_KERNEL(weight_magnitude_join, gpu::MagnitudeArgs, 256) {
  MagnitudeShared& shared = SharedBlock<MagnitudeShared>();
  float largest = 0.0f;
  for (uint64_t i = ThreadId(); i < args.n_rows; i += BlockDim()) {
    const float v = BitCast<float>(args.magnitude[1 + i]);
    largest = largest > v ? largest : v;
  }
  largest = BlockLargest(largest, shared);
  if (ThreadId() == 0) args.magnitude[0] = BitCast<uint32_t>(largest);
}

}  // namespace rocforge::port
