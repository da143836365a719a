// Matrix products by a warpgroup (four waves of 32) straight from shared memory, fed by bulk
// copies: what wgmma, cp.async.bulk and mbarrier of sm_90a give. RF_PORT_WARPGROUP is 1 where the
// target has them (sm_90a, and sim with waves of 32), else 0 and nothing below exists.
//
//   void GiveRegisters<N>(), void TakeRegisters<N>()   by a whole warpgroup, once: from here on its
//     threads have N registers (a multiple of 8), fewer or more than the kernel began with. Only in
//     kernels with RF_KERNEL_RESIDENT whose warpgroups take separate branches for good.
//
// Phases. A SharedPhase counts arrivals and bytes; when all that it expects have come, its phase
// (0, 1, 0, ...) ends and the next begins.
//   void PhaseInit(SharedPhase&, uint32_t arrivals)   by one thread, then PhasesReady() by the same
//     thread, then BlockBarrier.
//   void PhaseArrive(SharedPhase&)                    one arrival; what the thread read from shared
//     memory before it was read before the phase ends.
//   void PhaseArriveExpect(SharedPhase&, uint32_t bytes)   one arrival that also adds bytes to wait
//     for in the current phase.
//   void PhaseWait(SharedPhase&, uint32_t parity)     until the phase of that parity has ended (a
//     new SharedPhase waits in phase 0, so parity 1 passes at once).
//   void BulkCopy(void* to_shared, const void* from, uint32_t bytes, SharedPhase&)   by one thread;
//     addresses and bytes are multiples of 16. The bytes count for the phase when they have
//     arrived.
//     What other lanes of the wave read before a WaveSync, a BulkCopy after it may overwrite.
//
//   WarpgroupSum<N>              float v[N / 2]: D[64, N] of one warpgroup, N 128 or 256, with A
//     in registers 32 or 64.
//   void WarpgroupMultiply(WarpgroupSum<N>&, const U32x4* a, const U32x4* b)   D += A[64, 64] B[N,
//     64]^T; a and b are rows of 64 f16 swizzled as tile.h says, aligned to 1024 bytes, written by
//     BulkCopy. By all 128 threads of a warpgroup, which starts at a multiple of 128. Only starts.
//   WarpgroupA                   uint32_t v[4][4]: what a thread has of A[64, 64]. v[s][i]: a
//     HalfPair, columns 16 s + 8 (i / 2) + 2 (lane % 4) and the next one of row 16 (wave % 4) +
//     lane / 4 + 8 (i % 2).
//   void WarpgroupMultiply(WarpgroupSum<N>&, const WarpgroupA&, const U32x4* b)
//     the same with A in registers, which must not change before a WarpgroupWait says that it is
//     done.
//   void WarpgroupWait<P>(WarpgroupSum<N>&)           until at most the P last multiplications of
//     this warpgroup are not done (0: v may be read).
//   uint32_t WarpgroupRow(i), WarpgroupColumn(i)      where v[i] of this thread lies. i and i + 1
//     (i even) are neighbouring columns of one row.
#pragma once

#include "kernels/gpu/port/tile.h"

namespace rocforge::port {
namespace {

template <uint32_t kColumns>
struct WarpgroupSum {
  float v[kColumns / 2];
};
struct WarpgroupA {
  uint32_t v[4][4];
};

}  // namespace
}  // namespace rocforge::port

#if defined(__NVPTX__) && defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define RF_PORT_WARPGROUP 1
#include "kernels/gpu/port/nvidia_warpgroup.h"
#elif !defined(__NVPTX__) && !defined(__AMDGCN__) && RF_SIM_WAVE == 32
#define RF_PORT_WARPGROUP 1
#include "kernels/gpu/port/sim_warpgroup.h"
#else
#define RF_PORT_WARPGROUP 0
#endif

#if RF_PORT_WARPGROUP
namespace rocforge::port {

inline constexpr uint32_t kWarpgroupThreads = 128;

// Wave w of a warpgroup has rows 16 w .. 16 w + 15; columns go by groups of eight.
RF_DEVICE uint32_t WarpgroupRow(uint32_t i) {
  return WaveId() % 4 * 16 + LaneId() / 4 + 8 * (i / 2 % 2);
}
RF_DEVICE uint32_t WarpgroupColumn(uint32_t i) { return i / 4 * 8 + 2 * (LaneId() % 4) + i % 2; }

}  // namespace rocforge::port
#endif
