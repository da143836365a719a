// Matrix-vector products of F16 and BF16 weights with one vector, as matvec_float.gpu.cc's without
// experts, where copies arrive in shared memory by themselves (port/warpgroup.h).
//   x lies in shared memory as floats. A wave takes a row, with GLU the same row of gate and up;
//   its stages go round a ring in shared memory, and one lane asks for the next stage as soon as
//   one is read. A block asks for its first stages before x is there: while the launch before it
//   ends, this one's weights arrive. Traffic: the weights once; x once for each block, out of the
//   second-level cache. Arithmetic on an H200: a stage of 2 KiB is 102 clocks of memory, 408 issue
//   slots and 80 clocks of shared memory (16 in, 16 out, 32 for x, twice 8 for phases); it is 180
//   instructions, and up to 96 KiB a multiprocessor are under way. Measured: 77 (4096x4096) to 92 %
//   of plain reads, 58 to 88 with weights in registers and x in the first-level cache.
#include "kernels/gpu/ops/activation.h"
#include "kernels/gpu/ops/matvec_args.h"
#include "kernels/gpu/ops/matvec_rows.h"
#include "kernels/gpu/port/warpgroup.h"
#include "kernels/gpu/wave/reduce.h"

#if RF_PORT_WARPGROUP

namespace rocforge::port {
namespace {

constexpr uint32_t kStageChunks = gpu::kRingStageBytes / 16;
constexpr uint32_t kSteps = kStageChunks / kWaveSize;

struct RingShared {
  // x, then the rings of the waves.
  U32x4 chunks[(gpu::kRingSharedBytes - gpu::kRingPhaseBytes) / 16];
  SharedPhase phase[gpu::kMostRingWaves * gpu::kMostRingStages];  // 8 bytes each; more in sim
};
static_assert(gpu::kMostRingWaves * gpu::kMostRingStages * 8 <= gpu::kRingPhaseBytes);

// x by the whole block into two planes of n_chunks: elements 8 i .. 8 i + 3, and 8 i + 4 .. 8 i +
// 7, so that lanes' words lie in all banks. Ends with a barrier.
RF_DEVICE void CopyX(const MatvecArgs& args, uint32_t n_chunks, U32x4* x) {
  const float* from = args.x + static_cast<uint64_t>(BlockIdY() / args.rows_per_x) * args.cols;
  for (uint32_t i = ThreadId(); i < 2 * n_chunks; i += BlockDim()) {
    U32x4 v = {0, 0, 0, 0};
    if (args.cols % 4 == 0) {  // rows are aligned to 16
      if (4 * i < args.cols) v = LoadGlobal(reinterpret_cast<const U32x4*>(from) + i);
    } else {
      const auto at = [&](uint32_t k) {
        return 4 * i + k < args.cols ? BitCast<uint32_t>(from[4 * i + k]) : 0;
      };
      v = {at(0), at(1), at(2), at(3)};
    }
    x[i % 2 * n_chunks + i / 2] = v;
  }
  SharedBarrier();
}

template <uint32_t kType>
RF_DEVICE float DotChunk(const U32x4& w, const U32x4& x_low, const U32x4& x_high, float sum) {
  const uint32_t words[4] = {w.x, w.y, w.z, w.w};
  const uint32_t x[8] = {x_low.x,  x_low.y,  x_low.z,  x_low.w,
                         x_high.x, x_high.y, x_high.z, x_high.w};
#pragma unroll
  for (uint32_t k = 0; k < 4; ++k) {
    const uint32_t v = words[k];
    const float first =
        kType == gpu::kWeightF16 ? HalfToFloat(static_cast<uint16_t>(v)) : BitCast<float>(v << 16);
    const float second = kType == gpu::kWeightF16 ? HalfToFloat(static_cast<uint16_t>(v >> 16))
                                                  : BitCast<float>(v & 0xFFFF0000u);
    sum = Fma(first, BitCast<float>(x[2 * k]), sum);
    sum = Fma(second, BitCast<float>(x[2 * k + 1]), sum);
  }
  return sum;
}

// The stages of a wave's tasks one after the other, asked for by its first lane. A task is a row,
// or with GLU the same row of gate and up: a stage of the one, then the same columns of the other.
template <bool kGlu>
struct RingSource {
  const MatvecArgs& args;
  SharedPhase* phase;
  U32x4* ring;
  uint32_t n_tasks;
  uint32_t n_chunks;
  uint32_t stride;
  uint32_t task;
  uint32_t chunk = 0;
  bool up = false;

  RF_MEMBER void Ask(uint32_t stage) {
    if (task >= n_tasks) return;
    if (LaneId() == 0) {
      const uint8_t* row = nullptr;
      if constexpr (kGlu) {
        const uint8_t* data =
            up ? InRegister(args.weight[1].data) : InRegister(args.weight[0].data);
        row = data + static_cast<uint64_t>(task) * args.weight[0].row_bytes;
      } else {
        row = TaskAt(args, task, 0, 0).row;
      }
      const uint32_t left = n_chunks - chunk;
      const uint32_t bytes = 16 * (left < kStageChunks ? left : kStageChunks);
      PhaseArriveExpect(phase[stage], bytes);
      BulkCopy(ring + stage * kStageChunks, row + 16 * chunk, bytes, phase[stage]);
    }
    if constexpr (kGlu) {
      up = !up;
      if (up) return;
    }
    chunk += kStageChunks;
    if (chunk < n_chunks) return;
    chunk = 0;
    task += stride;
  }
};

template <uint32_t kType, bool kGlu>
RF_DEVICE void MatvecRing(const MatvecArgs& args, uint32_t n_stages) {
  constexpr uint32_t kRows = kGlu ? 2 : 1;
  LetNextStart();
  auto& shared = SharedLarge<RingShared>();
  const uint32_t n_chunks = 4 * args.weight[0].n_units;
  const uint32_t n_tasks = kGlu ? args.weight[0].n_rows : TotalRows(args);
  const uint32_t stride = GridDim() * (BlockDim() / kWaveSize);
  const uint32_t first_task = WaveId() * GridDim() + BlockId();
  SharedPhase* const phase = shared.phase + WaveId() * n_stages;
  U32x4* const x = shared.chunks;
  U32x4* const ring = x + 2 * n_chunks + WaveId() * n_stages * kStageChunks;
  if (LaneId() == 0) {
    for (uint32_t s = 0; s < n_stages; ++s) PhaseInit(phase[s], 1);
    PhasesReady();
  }
  RingSource<kGlu> source{args, phase, ring, n_tasks, n_chunks, stride, first_task};
  for (uint32_t s = 0; s < n_stages; ++s) source.Ask(s);
  AwaitPrevious();
  CopyX(args, n_chunks, x);

  uint32_t stage = 0;
  uint32_t parity = 0;
  for (uint32_t task = first_task; task < n_tasks; task += stride) {
    const MatvecTask t = TaskAt(args, task, 0, 0);
    // Early, so that they arrive while the row is summed.
    const float bias = BiasOf(args, t);
    float more_than_sum = 0.0f;  // GLU: up's bias; else the residual
    if constexpr (kGlu) {
      if (args.bias[1] != nullptr) more_than_sum = args.bias[1][t.bias_row];
    } else if (args.residual != nullptr) {
      more_than_sum = args.residual[BlockIdY() * t.n + t.o];
    }
    float sum[kRows] = {};
    for (uint32_t begin = 0; begin < n_chunks; begin += kStageChunks) {
#pragma unroll
      for (uint32_t j = 0; j < kRows; ++j) {
        PhaseWait(phase[stage], parity);
        U32x4 raw[kSteps];
#pragma unroll
        for (uint32_t k = 0; k < kSteps; ++k)
          raw[k] = ring[stage * kStageChunks + k * kWaveSize + LaneId()];
        WaveSync();
        source.Ask(stage);
#pragma unroll
        for (uint32_t k = 0; k < kSteps; ++k) {
          const uint32_t chunk = begin + k * kWaveSize + LaneId();
          if (chunk < n_chunks)
            sum[j] = DotChunk<kType>(raw[k], x[chunk], x[n_chunks + chunk], sum[j]);
        }
        if (++stage == n_stages) {
          stage = 0;
          parity ^= 1;
        }
      }
    }
#pragma unroll
    for (uint32_t j = 0; j < kRows; ++j) sum[j] = WaveSum(sum[j]);
    if (LaneId() == 0) {
      float y = sum[0] + bias;
      if constexpr (kGlu) {
        y = GatedActivation(args.glu, y, sum[1] + more_than_sum, args.alpha, args.limit);
      } else if (args.residual != nullptr) {
        y = more_than_sum + args.out_scale * y;
      }
      StoreGlobal(OutputOf(args, t, BlockIdY()), y);
    }
  }
}

}  // namespace

#define RF_MATVEC_RING(name, TYPE)                                            \
  RF_KERNEL_RESIDENT(matvec_##name##_ring, gpu::MatvecRingArgs, 512, 2) {     \
    MatvecRing<gpu::kWeight##TYPE, false>(args.matvec, args.stages);          \
  }                                                                           \
  RF_KERNEL_RESIDENT(matvec_##name##_glu_ring, gpu::MatvecRingArgs, 512, 2) { \
    MatvecRing<gpu::kWeight##TYPE, true>(args.matvec, args.stages);           \
  }
RF_MATVEC_RING(f16, F16)
RF_MATVEC_RING(bf16, BF16)

}  // namespace rocforge::port

#endif  // RF_PORT_WARPGROUP
