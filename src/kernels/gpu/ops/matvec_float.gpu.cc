// Matrix-vector products of F32, F16 and BF16 weights, for one to eight vectors a block, with GLU
// and experts (op.h: MatMul, MoeMatMul). x stays in float.
//   A wave takes two rows (with GLU the same row of gate and up), a lane eight weights of each at a
//   time, kInFlight times before the first use. Traffic: the weights once; x from the first-level
//   cache, 32 bytes for every 2 x 16 bytes of F16 weights. A wave's step of 1 KiB of F16 is 51
//   clocks of an H200's memory, 24 of the load unit and about 60 issue slots of 205.
#include "kernels/gpu/ops/activation.h"
#include "kernels/gpu/ops/matvec_args.h"
#include "kernels/gpu/ops/matvec_rows.h"
#include "kernels/gpu/wave/reduce.h"

namespace rocforge::port {
namespace {

constexpr uint32_t kChunk = 8;  // weights
constexpr uint32_t kRows = 2;

template <uint32_t kType>
struct RawChunk {
  U32x4 v[kType == gpu::kWeightF32 ? 2 : 1];
};

template <uint32_t kType>
RF_DEVICE RawChunk<kType> LoadChunk(const uint8_t* row, uint32_t chunk) {
  constexpr uint32_t kParts = kType == gpu::kWeightF32 ? 2 : 1;
  RawChunk<kType> raw;
#pragma unroll
  for (uint32_t i = 0; i < kParts; ++i) raw.v[i] = Load128(row + 16 * (kParts * chunk + i));
  return raw;
}

template <uint32_t kType>
RF_DEVICE void DecodeChunk(const RawChunk<kType>& raw, float (&w)[kChunk]) {
#pragma unroll
  for (uint32_t i = 0; i < (kType == gpu::kWeightF32 ? 2 : 1); ++i) {
    const uint32_t words[4] = {raw.v[i].x, raw.v[i].y, raw.v[i].z, raw.v[i].w};
#pragma unroll
    for (uint32_t k = 0; k < 4; ++k) {
      if constexpr (kType == gpu::kWeightF32) {
        w[4 * i + k] = BitCast<float>(words[k]);
      } else {
        w[2 * k] = kType == gpu::kWeightF16 ? LowHalf(words[k]) : BitCast<float>(words[k] << 16);
        w[2 * k + 1] =
            kType == gpu::kWeightF16 ? HighHalf(words[k]) : BitCast<float>(words[k] & 0xFFFF0000u);
      }
    }
  }
}

// Elements [at, at + 8) of a row of x; beyond its end the last one, which meets a weight of 0.
// wide: rows are 16-byte aligned and a multiple of 8 long.
RF_DEVICE void LoadX(const float* x, uint32_t at, uint32_t cols, bool wide, float (&v)[kChunk]) {
  if (wide) {
    // As vectors: clang would else merge these loads with those below, one by one.
    const U32x4 a = LoadGlobal(reinterpret_cast<const U32x4*>(x + at));
    const U32x4 b = LoadGlobal(reinterpret_cast<const U32x4*>(x + at) + 1);
    const uint32_t words[kChunk] = {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w};
#pragma unroll
    for (uint32_t i = 0; i < kChunk; ++i) v[i] = BitCast<float>(words[i]);
    return;
  }
#pragma unroll
  for (uint32_t i = 0; i < kChunk; ++i) v[i] = x[at + i < cols ? at + i : cols - 1];
}

// The sums of both rows with columns [0, n_columns) of x, in every lane.
template <uint32_t kType, uint32_t kColumns>
RF_DEVICE void SumRows(const MatvecArgs& args, const MatvecTask (&t)[kRows], const float* x,
                       uint32_t n_columns, float (&sum)[kColumns][kRows]) {
  constexpr uint32_t kInFlight = kColumns > 1 ? 1 : kType == gpu::kWeightF32 ? 2 : 4;
  const uint32_t n_chunks = (args.cols + kChunk - 1) / kChunk;
  const bool wide = args.cols % kChunk == 0;
  for (uint32_t begin = LaneId(); begin < n_chunks; begin += kInFlight * kWaveSize) {
    RawChunk<kType> raw[kInFlight][kRows];
#pragma unroll
    for (uint32_t k = 0; k < kInFlight; ++k) {
      const uint32_t chunk = begin + k * kWaveSize;
#pragma unroll
      for (uint32_t j = 0; j < kRows; ++j)
        raw[k][j] = LoadChunk<kType>(t[j].row, chunk < n_chunks ? chunk : n_chunks - 1);
    }
    if (begin < kWaveSize) AwaitPrevious();
#pragma unroll
    for (uint32_t k = 0; k < kInFlight; ++k) {
      const uint32_t chunk = begin + k * kWaveSize;
      if (chunk >= n_chunks) continue;
      float w[kRows][kChunk];
#pragma unroll
      for (uint32_t j = 0; j < kRows; ++j) DecodeChunk<kType>(raw[k][j], w[j]);
#pragma unroll
      for (uint32_t c = 0; c < kColumns; ++c) {
        if (c < n_columns) {
          float v[kChunk];
          LoadX(x + static_cast<uint64_t>(c) * args.cols, chunk * kChunk, args.cols, wide, v);
#pragma unroll
          for (uint32_t i = 0; i < kChunk; ++i) {
#pragma unroll
            for (uint32_t j = 0; j < kRows; ++j) sum[c][j] = Fma(w[j][i], v[i], sum[c][j]);
          }
        }
      }
    }
  }
#pragma unroll
  for (uint32_t c = 0; c < kColumns; ++c) {
    if (c < n_columns) {
#pragma unroll
      for (uint32_t j = 0; j < kRows; ++j) sum[c][j] = WaveSum(sum[c][j]);
    }
  }
}

// y of the grid: groups of kColumns rows of the output. Experts take the kernels of one column.
template <uint32_t kType, uint32_t kColumns>
RF_DEVICE void MatvecFloat(const MatvecArgs& args) {
  LetNextStart();
  const bool experts = args.ids != nullptr;
  if (experts) AwaitPrevious();
  const uint32_t r = BlockIdY() * kColumns;
  const uint32_t n_columns = args.n_rows - r < kColumns ? args.n_rows - r : kColumns;
  const uint64_t expert = experts ? static_cast<uint64_t>(args.ids[r]) : 0;
  const uint64_t expert_offset = expert * args.weight[0].expert_bytes;
  const bool glu = args.glu != 0;
  const uint32_t wave = BlockId() * (BlockDim() / kWaveSize) + WaveId();
  const uint32_t total = TotalRows(args);
  const uint32_t first = glu ? wave : wave * kRows;
  if (first >= (glu ? args.weight[0].n_rows : total)) return;
  MatvecTask t[kRows];
  t[0] = TaskAt(args, first, expert, expert_offset);
  const uint32_t second = glu ? args.weight[0].n_rows + first : first + 1;
  t[1] = TaskAt(args, second < total ? second : first, expert, expert_offset);
  float sum[kColumns][kRows] = {};
  SumRows<kType, kColumns>(args, t, args.x + static_cast<uint64_t>(r / args.rows_per_x) * args.cols,
                           n_columns, sum);
  AwaitPrevious();  // for lanes without weights
  if (LaneId() != 0) return;
#pragma unroll
  for (uint32_t c = 0; c < kColumns; ++c) {
    if (c < n_columns) {
      const float first_sum = sum[c][0] + BiasOf(args, t[0]);
      const float second_sum = sum[c][1] + BiasOf(args, t[1]);
      const float y = glu ? GatedActivation(args.glu, first_sum, second_sum, args.alpha, args.limit)
                          : first_sum;
      StoreOutput(args, t[0], r + c, y);
      if (!glu && second < total) StoreOutput(args, t[1], r + c, second_sum);
    }
  }
}

}  // namespace

RF_KERNEL(matvec_f32, gpu::MatvecArgs, 256) { MatvecFloat<gpu::kWeightF32, 1>(args); }
RF_KERNEL(matvec_f16, gpu::MatvecArgs, 256) { MatvecFloat<gpu::kWeightF16, 1>(args); }
RF_KERNEL(matvec_bf16, gpu::MatvecArgs, 256) { MatvecFloat<gpu::kWeightBF16, 1>(args); }
RF_KERNEL(matvec_f32_many, gpu::MatvecArgs, 256) {
  MatvecFloat<gpu::kWeightF32, gpu::kMaxMatvecColumns>(args);
}
RF_KERNEL(matvec_f16_many, gpu::MatvecArgs, 256) {
  MatvecFloat<gpu::kWeightF16, gpu::kMaxMatvecColumns>(args);
}
RF_KERNEL(matvec_bf16_many, gpu::MatvecArgs, 256) {
  MatvecFloat<gpu::kWeightBF16, gpu::kMaxMatvecColumns>(args);
}

}  // namespace rocforge::port
