// y_i = x w_i^T for 9 to 64 rows of x, from packed weights (gemm_args.h: SkinnyArgs), for the types
// that gemm_few does not know, and the end of both. A block takes 128 rows of w and a part of k.
// While a stage (128 columns: two units of w for each thread) is decoded to f16 in shared memory
// and multiplied, the bits of the next are on their way.
//   Traffic: the packed weights once; x (2 bytes an element) once per 128 rows of w out of the
//   cache; partial sums, 4 bytes, written and read once per part.
#include "kernels/gpu/ops/gemm_epilogue.h"
#include "kernels/gpu/ops/skinny_weight.h"
#include "kernels/gpu/ops/unpack_unit.h"
#include "kernels/gpu/port/tile.h"

namespace rocforge::port {
namespace {

constexpr uint32_t kSkinnyThreads = 256;
constexpr uint32_t kStageTiles = 2;  // k tiles of a stage
constexpr uint32_t kStageUnits = 2 * kStageTiles;
constexpr uint32_t kThreadUnits = gpu::kGemmColumns * kStageUnits / kSkinnyThreads;
constexpr uint32_t kWaveColumns = gpu::kGemmColumns / (kSkinnyThreads / kWaveSize);
constexpr uint32_t kSkinnyFragmentsN = kWaveColumns / 16;

template <uint32_t kFragmentsM>
struct SkinnyShared {
  U32x4 w[kStageTiles][gpu::kGemmColumns * kTileRowChunks];
  U32x4 x[kStageTiles][16 * kFragmentsM * kTileRowChunks];
};

// Unit i of this thread in a stage: four lanes read a row's 128 columns.
struct UnitPlace {
  uint32_t row;
  uint32_t unit;
};
RF_DEVICE UnitPlace PlaceOf(uint32_t i) {
  const uint32_t at = i * kSkinnyThreads + ThreadId();
  return {at / kStageUnits, at % kStageUnits};
}

// Decodes a unit into its four chunks of a tile's row, eight weights at a time: few registers.
struct StoreBits {
  const Weight& weight;
  const uint8_t* source;
  uint32_t unit;
  const RawUnit& raw;
  float scale;
  U32x4* tile;
  uint32_t row;
  uint32_t chunk;

  template <uint32_t kType>
  RF_MEMBER void operator()() const {
    if constexpr (IsFloatType(kType)) {
      float v[gpu::kUnit];
      ScaleBits{weight, source, unit, raw, scale, v}.template operator()<kType>();
      RF_UNROLL
      for (uint32_t c = 0; c < 4; ++c) tile[SwizzledChunk(row, chunk + c)] = HalfChunk(v + 8 * c);
    } else {
      const Unit u = Decode<kType>(raw);
      RF_UNROLL
      for (uint32_t c = 0; c < 4; ++c) {
        float v[8];
        RF_UNROLL
        for (uint32_t i = 0; i < 8; ++i) v[i] = ScaledWeight<kType>(u, 8 * c + i, scale);
        tile[SwizzledChunk(row, chunk + c)] = HalfChunk(v);
      }
    }
  }
};

struct SkinnyBlock {
  SkinnyWeight w;
  uint32_t first_row;  // of w
  float scale;

  RF_MEMBER bool Has(UnitPlace place, uint32_t stage_unit) const {
    return first_row + place.row < w.weight.n_rows && stage_unit + place.unit < w.weight.n_units;
  }
  RF_MEMBER const uint8_t* Row(UnitPlace place) const {
    return w.weight.data + uint64_t{first_row + place.row} * w.weight.row_bytes;
  }
  RF_MEMBER void Load(RawUnit (&raw)[kThreadUnits], uint32_t stage_unit) const {
    RF_UNROLL
    for (uint32_t i = 0; i < kThreadUnits; ++i) {
      const UnitPlace place = PlaceOf(i);
      raw[i] = RawUnit{};
      if (Has(place, stage_unit))
        DispatchType(w.weight.type,
                     LoadBits{w.weight, Row(place), stage_unit + place.unit, raw[i]});
    }
  }
  template <typename Shared>
  RF_MEMBER void Store(const RawUnit (&raw)[kThreadUnits], uint32_t stage_unit,
                       Shared& shared) const {
    RF_UNROLL
    for (uint32_t i = 0; i < kThreadUnits; ++i) {
      const UnitPlace place = PlaceOf(i);
      U32x4* tile = shared.w[place.unit / 2];
      const uint32_t chunk = place.unit % 2 * 4;
      if (Has(place, stage_unit)) {
        DispatchType(w.weight.type, StoreBits{w.weight, Row(place), stage_unit + place.unit, raw[i],
                                              scale, tile, place.row, chunk});
        continue;
      }
      RF_UNROLL
      for (uint32_t c = 0; c < 4; ++c)
        StoreChunk(tile + SwizzledChunk(place.row, chunk + c), TileChunk{});
    }
  }
};

// x of the grid: block tiles of virtual columns; y: parts of k.
template <uint32_t kFragmentsM>
RF_DEVICE void SkinnyGemm(const SkinnyArgs& args) {
  auto& shared = SharedBlock<SkinnyShared<kFragmentsM>>();
  LetNextStart();
  constexpr uint32_t kRows = 16 * kFragmentsM;
  const uint32_t column = BlockId() * gpu::kGemmColumns;
  SkinnyBlock block;
  block.w = WeightOfColumn(args, column);
  block.first_row = column - block.w.first_column;
  block.scale = ScaleToHalf(*block.w.magnitude);
  const uint32_t begin = BlockIdY() * args.k_tiles_per_part;
  const uint32_t part_end = begin + args.k_tiles_per_part;
  const uint32_t end = part_end < args.n_k_tiles ? part_end : args.n_k_tiles;
  TileSum sums[kFragmentsM][kSkinnyFragmentsN] = {};
  RawUnit raw[kThreadUnits];
  block.Load(raw, 2 * begin);
  AwaitPrevious();
  for (uint32_t k = begin; k < end; k += kStageTiles) {
    block.Store(raw, 2 * k, shared);
    RF_UNROLL
    for (uint32_t t = 0; t < kStageTiles; ++t) {
      if (k + t >= end) continue;
      const U32x4* x = static_cast<const U32x4*>(args.x) + (k + t) * args.x_stride * kTileRowChunks;
      for (uint32_t i = ThreadId(); i < kRows * kTileRowChunks; i += kSkinnyThreads)
        StoreChunk(shared.x[t] + i, LoadChunk(x + i));
    }
    BlockBarrier();
    if (k + kStageTiles < end) block.Load(raw, 2 * (k + kStageTiles));
    for (uint32_t t = 0; t < kStageTiles; ++t) {
      if (k + t >= end) continue;
      RF_UNROLL
      for (uint32_t chunk = 0; chunk < kTileRowChunks; chunk += 2) {
        TileB b[kSkinnyFragmentsN];
        RF_UNROLL
        for (uint32_t n = 0; n < kSkinnyFragmentsN; ++n)
          LoadTile(b[n], shared.w[t], WaveId() * kWaveColumns + 16 * n, chunk);
        RF_UNROLL
        for (uint32_t m = 0; m < kFragmentsM; ++m) {
          TileA a;
          LoadTile(a, shared.x[t], 16 * m, chunk);
          RF_UNROLL
          for (uint32_t n = 0; n < kSkinnyFragmentsN; ++n) MultiplyTile(sums[m][n], a, b[n]);
        }
      }
    }
    BlockBarrier();
  }
  float* partial = args.partial + uint64_t{BlockIdY()} * args.n_rows * args.n_columns;
  RF_UNROLL
  for (uint32_t m = 0; m < kFragmentsM; ++m) {
    RF_UNROLL
    for (uint32_t i = 0; i < kTileValues; ++i) {
      const uint32_t row = 16 * m + TileRow(i);
      if (row >= args.n_rows) continue;
      const uint64_t at =
          uint64_t{row} * args.n_columns + column + WaveId() * kWaveColumns + TileColumn(i);
      RF_UNROLL
      for (uint32_t n = 0; n < kSkinnyFragmentsN; ++n) partial[at + 16 * n] = sums[m][n].v[i];
    }
  }
}

constexpr uint32_t kFinishColumns = gpu::kFinishColumns;
struct ColumnSums {
  float v[kFinishColumns];
};

}  // namespace

RF_KERNEL_RESIDENT(gemm_skinny_32, gpu::SkinnyArgs, 256, 2) { SkinnyGemm<2>(args); }
RF_KERNEL_RESIDENT(gemm_skinny_64, gpu::SkinnyArgs, 256, 2) { SkinnyGemm<4>(args); }

namespace {

// The sum of the parts of kFinishColumns columns of a row.
RF_DEVICE ColumnSums SumParts(const gpu::SkinnyFinishArgs& args, uint32_t row, uint32_t column) {
  uint32_t n_parts = args.n_parts;
  if (n_parts == 0) {
    const uint32_t first = column / args.tile_columns * args.n_stages;
    n_parts =
        (first + args.n_stages - 1) / args.stages_per_block - first / args.stages_per_block + 1;
  }
  const uint64_t stride = uint64_t{args.gemm.n_rows} * args.n_columns;
  const float* from = args.partial + uint64_t{row} * args.n_columns + column;
  ColumnSums sum = {};
  _Pragma("clang loop unroll_count(4)") for (uint32_t p = 0; p < n_parts; ++p) {
    const TileChunk part = LoadChunk(reinterpret_cast<const U32x4*>(from + p * stride));
    RF_UNROLL
    for (uint32_t i = 0; i < kFinishColumns; ++i) sum.v[i] += BitCast<float>(uint32_t{part[i]});
  }
  return sum;
}

}  // namespace

// x of the grid: virtual columns (of weight 0 with glu), kFinishColumns a thread; y: rows.
RF_KERNEL(gemm_skinny_finish, gpu::SkinnyFinishArgs, 256) {
  LetNextStart();
  AwaitPrevious();
  const GemmArgs& gemm = args.gemm;
  const uint32_t row = BlockIdY();
  GemmTile tile{};
  tile.column = (BlockId() * BlockDim() + ThreadId()) * kFinishColumns;
  const GemmWeight weight = gemm.glu != 0 ? WeightAt(gemm, 0) : WeightOf(gemm, tile);
  const uint32_t column = tile.column - weight.first_column;
  if (column >= weight.n_out) return;
  const RowOut out = RowFrom(gemm, tile, weight, row, row, column);
  const ColumnSums sums = SumParts(args, row, tile.column);
  if (gemm.glu == 0) {
    RF_UNROLL
    for (uint32_t i = 0; i < kFinishColumns; ++i)
      if (column + i < weight.n_out) weight.out[out.at + i] = out.Finish(sums.v[i], i);
    return;
  }
  const GemmWeight up_weight = WeightAt(gemm, 1);
  const RowOut up = RowFrom(gemm, tile, up_weight, row, row, column);
  const ColumnSums up_sums = SumParts(args, row, up_weight.first_column + column);
  RF_UNROLL
  for (uint32_t i = 0; i < kFinishColumns; ++i) {
    if (column + i < weight.n_out)
      weight.out[out.at + i] =
          Gated(gemm.gate, out.Linear(sums.v[i], i), up.Linear(up_sums.v[i], i));
  }
}

}  // namespace rocforge::port
