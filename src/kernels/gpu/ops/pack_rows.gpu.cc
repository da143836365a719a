// Rows of x as f16 tiles for the matrix product (gemm_args.h), and the order of rows that a product
// with experts wants.
//   Traffic of pack_rows: 4 bytes read (twice beyond 8,192 columns, the second time from the
//   cache) and 2 written per element.
#include "kernels/gpu/ops/gemm_args.h"
#include "kernels/gpu/ops/gemm_scale.h"
#include "kernels/gpu/port/tile.h"
#include "kernels/gpu/wave/reduce.h"

namespace rocforge::port {
namespace {

constexpr uint32_t kChunkColumns = 8;

struct PackShared {
  float wave[32];
};
struct GroupShared {
  uint32_t first_row[gpu::kMaxGemmExperts];
};

constexpr uint32_t kLoadColumns = 4;

RF_DEVICE void LoadColumns(const gpu::PackRowsArgs& args, const float* x, uint32_t column,
                           float* v) {
  if (args.cols % kLoadColumns == 0 && column < args.cols) {  // rows are aligned to 16
    const TileChunk chunk = LoadChunk(reinterpret_cast<const U32x4*>(x + column));
    RF_UNROLL
    for (uint32_t i = 0; i < kLoadColumns; ++i) v[i] = BitCast<float>(uint32_t{chunk[i]});
    return;
  }
  RF_UNROLL
  for (uint32_t i = 0; i < kLoadColumns; ++i) v[i] = column + i < args.cols ? x[column + i] : 0.0f;
}

// What becomes two chunks of a row.
struct PackGroup {
  float v[2 * kChunkColumns];

  RF_MEMBER void Load(const gpu::PackRowsArgs& args, const float* x, uint32_t column) {
    uint32_t apart = kLoadColumns;
    if (args.order == gpu::kPackByUnit) {
      const uint32_t step = column % gpu::kPackUnitColumns / (2 * kChunkColumns);
      column = column / gpu::kPackUnitColumns * gpu::kPackUnitColumns + step % 2 * 16 +
               step / 2 * kLoadColumns;
      apart = gpu::kUnit;
    }
    RF_UNROLL
    for (uint32_t i = 0; i < 2 * kChunkColumns / kLoadColumns; ++i)
      LoadColumns(args, x, column + i * apart, v + i * kLoadColumns);
  }
  RF_MEMBER float Largest(float so_far) const {
    RF_UNROLL
    for (uint32_t i = 0; i < 2 * kChunkColumns; ++i) {
      const float magnitude = BitCast<float>(FiniteMagnitude(v[i]));
      so_far = so_far > magnitude ? so_far : magnitude;
    }
    return so_far;
  }
  RF_MEMBER void Store(const gpu::PackRowsArgs& args, uint32_t row, uint32_t column,
                       float scale) const {
    const uint32_t chunk = column / kChunkColumns;
    U32x4* tile = static_cast<U32x4*>(args.tiles) +
                  (chunk / kTileRowChunks * args.stride + row) * kTileRowChunks;
    RF_UNROLL
    for (uint32_t h = 0; h < 2; ++h) {
      float scaled[kChunkColumns];
      RF_UNROLL
      for (uint32_t i = 0; i < kChunkColumns; ++i)
        scaled[i] =
            scale * (args.order != gpu::kPackInOrder ? v[2 * i + h] : v[kChunkColumns * h + i]);
      tile[((chunk + h) % kTileRowChunks) ^ (row % kTileRowChunks)] = HalfChunk(scaled);
    }
  }
};

constexpr uint32_t kGroupColumns = gpu::kPackColumns;
static_assert(kGroupColumns == 2 * kChunkColumns);
constexpr uint32_t kGroupsHeld = 1;  // of a thread, from the first to the second time it wants them

}  // namespace

// A block per row.
RF_KERNEL(pack_rows, gpu::PackRowsArgs, 512) {
  PackShared& shared = SharedBlock<PackShared>();
  LetNextStart();
  AwaitPrevious();
  const uint32_t row = BlockId();
  uint32_t source = row;
  if (args.row_of != nullptr) {
    const int32_t of = args.row_of[row];
    if (of < 0) return;  // the whole block
    source = static_cast<uint32_t>(of);
  }
  const float* x = args.x + uint64_t{source / args.rows_per_x} * args.cols;
  const uint32_t whole = args.order == gpu::kPackByUnit ? gpu::kPackUnitColumns : gpu::kGemmDepth;
  const uint32_t cols = (args.cols + whole - 1) / whole * whole;
  const uint32_t first = kGroupColumns * ThreadId();
  const uint32_t step = kGroupColumns * BlockDim();
  PackGroup held[kGroupsHeld] = {};
  RF_UNROLL
  for (uint32_t i = 0; i < kGroupsHeld; ++i)
    if (first + i * step < cols) held[i].Load(args, x, first + i * step);
  float largest = 0.0f;
  RF_UNROLL
  for (uint32_t i = 0; i < kGroupsHeld; ++i) largest = held[i].Largest(largest);
  PackGroup more;
  for (uint32_t c = first + kGroupsHeld * step; c < cols; c += step) {
    more.Load(args, x, c);
    largest = more.Largest(largest);
  }
  largest = WaveMax(largest);
  if (LaneId() == 0) shared.wave[WaveId()] = largest;
  BlockBarrier();
  for (uint32_t i = 0; i < BlockDim() / kWaveSize; ++i)
    largest = largest > shared.wave[i] ? largest : shared.wave[i];
  const uint32_t magnitude = BitCast<uint32_t>(largest);
  if (ThreadId() == 0) args.scale[row] = ScaleFromHalf(magnitude);
  const float scale = ScaleToHalf(magnitude);
  RF_UNROLL
  for (uint32_t i = 0; i < kGroupsHeld; ++i)
    if (first + i * step < cols) held[i].Store(args, row, first + i * step, scale);
  for (uint32_t c = first + kGroupsHeld * step; c < cols; c += step) {
    more.Load(args, x, c);
    more.Store(args, row, c, scale);
  }
}

// Rows of one expert come in any order: each is a sum of its own.
RF_KERNEL(group_rows, gpu::GroupRowsArgs, 1024) {
  GroupShared& shared = SharedBlock<GroupShared>();
  for (uint32_t e = ThreadId(); e < args.n_experts; e += BlockDim())
    StoreRelease(args.counts + e, 0);
  for (uint32_t i = ThreadId(); i < args.max_tiles * gpu::kGemmRows; i += BlockDim())
    args.row_of[i] = -1;
  BlockBarrier();
  for (uint32_t i = ThreadId(); i < args.n_rows; i += BlockDim())
    AtomicAdd(args.counts + args.ids[i], 1u);
  BlockBarrier();
  if (ThreadId() == 0) {
    uint32_t tile = 0;
    for (uint32_t e = 0; e < args.n_experts; ++e) {
      shared.first_row[e] = tile * gpu::kGemmRows;
      args.first_tile[e] = tile;
      tile += (LoadAcquire(args.counts + e) + gpu::kGemmRows - 1) / gpu::kGemmRows;
      StoreRelease(args.counts + e, 0);
    }
    args.first_tile[args.n_experts] = tile;
  }
  BlockBarrier();
  for (uint32_t i = ThreadId(); i < args.n_rows; i += BlockDim()) {
    const int32_t expert = args.ids[i];
    args.row_of[shared.first_row[expert] + AtomicAdd(args.counts + expert, 1u)] =
        static_cast<int32_t>(i);
  }
}

}  // namespace rocforge::port
