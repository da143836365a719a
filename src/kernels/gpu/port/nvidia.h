// The port to NVIDIA GPUs by NVVM builtins and PTX. See port.h.
#pragma once

#define RF_DEVICE static __attribute__((device)) inline __attribute__((always_inline))
#define RF_MEMBER __attribute__((device)) inline __attribute__((always_inline))
#define RF_KERNEL(name, Args, max_threads)                                                  \
  extern "C" __attribute__((global)) __attribute__((launch_bounds(max_threads))) void name( \
      const Args args)

// Not const: clang would put it into constant memory, whose loads from 32 addresses take 32 turns.
#define RF_TABLE(type, name, n) static __attribute__((device)) __attribute__((unused)) type name[n]

#include "kernels/gpu/port/common.h"

namespace rocforge::port {

inline constexpr uint32_t kWaveSize = 32;

RF_DEVICE uint32_t ThreadId() { return __nvvm_read_ptx_sreg_tid_x(); }
RF_DEVICE uint32_t BlockId() { return __nvvm_read_ptx_sreg_ctaid_x(); }
RF_DEVICE uint32_t BlockIdY() { return __nvvm_read_ptx_sreg_ctaid_y(); }
RF_DEVICE uint32_t BlockDim() { return __nvvm_read_ptx_sreg_ntid_x(); }
RF_DEVICE uint32_t GridDim() { return __nvvm_read_ptx_sreg_nctaid_x(); }
RF_DEVICE uint32_t GridDimY() { return __nvvm_read_ptx_sreg_nctaid_y(); }
RF_DEVICE uint32_t LaneId() { return ThreadId() % kWaveSize; }  // blocks are one-dimensional
RF_DEVICE uint32_t WaveId() { return ThreadId() / kWaveSize; }

inline constexpr uint32_t kAllLanes = 0xFFFFFFFFu;

template <typename T>
RF_DEVICE T Shuffle(T value, uint32_t lane) {
  static_assert(sizeof(T) == 4);
  return BitCast<T>(
      __nvvm_shfl_sync_idx_i32(kAllLanes, BitCast<int>(value), static_cast<int>(lane), 31));
}
template <uint32_t kLanes, typename T>
RF_DEVICE T ShuffleAmong(T value, uint32_t lane) {
  static_assert(sizeof(T) == 4);
  constexpr int kSegment = (32 - static_cast<int>(kLanes)) << 8;
  return BitCast<T>(__nvvm_shfl_sync_idx_i32(kAllLanes, BitCast<int>(value), static_cast<int>(lane),
                                             kSegment | 31));
}
template <typename T>
RF_DEVICE T ShuffleXor(T value, uint32_t mask) {
  static_assert(sizeof(T) == 4);
  return BitCast<T>(
      __nvvm_shfl_sync_bfly_i32(kAllLanes, BitCast<int>(value), static_cast<int>(mask), 31));
}
RF_DEVICE uint32_t Uniform(uint32_t v) { return Shuffle(v, 0); }
RF_DEVICE uint64_t Ballot(bool predicate) {
  return static_cast<uint32_t>(__nvvm_vote_ballot_sync(kAllLanes, predicate));
}

RF_DEVICE void WaveSync() { __nvvm_bar_warp_sync(kAllLanes); }
RF_DEVICE void BlockBarrier() { __nvvm_bar_sync(0); }
RF_DEVICE void SharedBarrier() { __nvvm_bar_sync(0); }

template <typename T>
RF_DEVICE T& SharedBlock() {
  static __attribute__((shared)) T block;
  return block;
}

extern __attribute__((shared, aligned(1024))) char rocforge_shared_large[];

template <typename T>
RF_DEVICE T& SharedLarge() {
  return *reinterpret_cast<T*>(rocforge_shared_large);
}

RF_DEVICE int32_t Dot4(int32_t a, int32_t b, int32_t c) {
  int32_t d;
  asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}

template <typename T>
RF_DEVICE T InRegister(T v) {
  if constexpr (sizeof(T) == 4) {
    asm("" : "+r"(v));
  } else {
    asm("" : "+l"(v));
  }
  return v;
}

// prmt chooses bytes by nibbles, as the codes are; where a nibble's top bit is set it would copy a
// sign, so that bit chooses between the two halves of a table of 16 instead.
RF_DEVICE uint32_t LookUp8(uint32_t low, uint32_t high, uint32_t codes) {
  return __nvvm_prmt(low, high, codes);
}
RF_DEVICE void LookUp16(const uint32_t (&table)[4], uint32_t nibbles, uint32_t* low,
                        uint32_t* high) {
  const uint32_t within = nibbles & 0x77777777u;
  const uint32_t choose = 0x32103210u | ((nibbles & 0x88888888u) >> 1);
  // Weights in the order of the nibbles: bytes 0 and 2 belong to low, 1 and 3 to high.
  const uint32_t first = __nvvm_prmt(__nvvm_prmt(table[0], table[1], within),
                                     __nvvm_prmt(table[2], table[3], within), choose);
  const uint32_t second = __nvvm_prmt(__nvvm_prmt(table[0], table[1], within >> 16),
                                      __nvvm_prmt(table[2], table[3], within >> 16), choose >> 16);
  *low = __nvvm_prmt(first, second, 0x6420);
  *high = __nvvm_prmt(first, second, 0x7531);
}

RF_DEVICE float Fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
RF_DEVICE float FastExp2(float x) { return __nvvm_ex2_approx_ftz_f(x); }
RF_DEVICE float FastLog2(float x) { return __nvvm_lg2_approx_ftz_f(x); }
RF_DEVICE float FastRcp(float x) { return __nvvm_rcp_approx_ftz_f(x); }
RF_DEVICE float FastRsqrt(float x) { return __nvvm_rsqrt_approx_ftz_f(x); }

RF_DEVICE float HalfToFloat(uint16_t bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
RF_DEVICE uint16_t FloatToHalf(float value) {
  uint16_t bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}

RF_DEVICE U32x4 LoadStream(const U32x4* p) {
  U32x4 v;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(p));
  return v;
}
RF_DEVICE void Prefetch(const void* p) { asm volatile("prefetch.global.L2 [%0];" ::"l"(p)); }

#if __CUDA_ARCH__ >= 900
RF_DEVICE void PrefetchRange(const void* p, uint32_t bytes) {
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(p), "r"(bytes));
}
RF_DEVICE void LetNextStart() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
RF_DEVICE void AwaitPrevious() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
inline constexpr bool kLaunchesOverlap = true;
#else
RF_DEVICE void PrefetchRange(const void*, uint32_t) {}
RF_DEVICE void LetNextStart() {}
RF_DEVICE void AwaitPrevious() {}
inline constexpr bool kLaunchesOverlap = false;
#endif

RF_DEVICE uint32_t AtomicAdd(uint32_t* p, uint32_t v) {
  uint32_t old;
  asm volatile("atom.relaxed.gpu.global.add.u32 %0, [%1], %2;"
               : "=r"(old)
               : "l"(p), "r"(v)
               : "memory");
  return old;
}
RF_DEVICE float AtomicAdd(float* p, float v) {
  float old;
  asm volatile("atom.relaxed.gpu.global.add.f32 %0, [%1], %2;"
               : "=f"(old)
               : "l"(p), "f"(v)
               : "memory");
  return old;
}
RF_DEVICE void SharedAdd(uint32_t* p, uint32_t v) {
  const auto to = static_cast<uint32_t>(
      reinterpret_cast<uintptr_t>((__attribute__((address_space(3))) void*)p));
  asm volatile("red.relaxed.cta.shared.add.u32 [%0], %1;" ::"r"(to), "r"(v) : "memory");
}
RF_DEVICE uint32_t LoadAcquire(const uint32_t* p) {
  uint32_t v;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(v) : "l"(p) : "memory");
  return v;
}
RF_DEVICE void StoreRelease(uint32_t* p, uint32_t v) {
  asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(p), "r"(v) : "memory");
}

RF_DEVICE void CopyAsync(U32x4* shared, const U32x4* from) {
  const auto to = static_cast<uint32_t>(
      reinterpret_cast<uintptr_t>((__attribute__((address_space(3))) void*)shared));
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(to), "l"(from)
               : "memory");
}
RF_DEVICE void CopyWait() { asm volatile("cp.async.wait_all;" ::: "memory"); }
#define RF_PORT_FEW_ROWS 1
RF_DEVICE void CopyCommit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kGroups>
RF_DEVICE void CopyWaitBut() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroups) : "memory");
}

// *counter + 1, releasing and acquiring; the old value. By one thread between two barriers of its
// block it holds for all of the block: barriers pass on what it orders (PTX memory consistency
// model, "causality order").
RF_DEVICE uint32_t CountUp(uint32_t* counter) {
  uint32_t before;
  asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], 1;"
               : "=r"(before)
               : "l"(counter)
               : "memory");
  return before;
}

RF_DEVICE bool IsLastBlock(uint32_t* counter, uint32_t n_blocks, uint32_t& shared) {
  BlockBarrier();
  if (ThreadId() == 0) {
    shared = CountUp(counter) == n_blocks - 1 ? 1 : 0;
    if (shared != 0) *counter = 0;
  }
  BlockBarrier();
  return shared != 0;
}

// Arrivals are counted up; the barrier of round r is open when r * n_blocks have arrived.
RF_DEVICE void GridBarrier(uint32_t* counter, uint32_t n_blocks) {
  BlockBarrier();
  if (ThreadId() == 0) {
    const uint32_t arrived = CountUp(counter);
    const uint32_t target = arrived / n_blocks * n_blocks + n_blocks;
    while (static_cast<int32_t>(LoadAcquire(counter) - target) < 0) {
    }
  }
  BlockBarrier();
}

// Nanoseconds, in steps of some tens of them (PTX: %globaltimer).
RF_DEVICE uint64_t Clock() {
  uint64_t t;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(t));
  return t;
}

}  // namespace rocforge::port
