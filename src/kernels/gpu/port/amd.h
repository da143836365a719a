// The port to AMD GPUs (RDNA2, RDNA3, RDNA4, CDNA3) by clang builtins. See port.h.
#pragma once

#define RF_DEVICE static __attribute__((device)) inline __attribute__((always_inline))
#define RF_MEMBER __attribute__((device)) inline __attribute__((always_inline))
// CDNA3: two waves on a SIMD leave 256 registers each, all of them vector registers. With one,
// clang 19 keeps sums of matrix products in the accumulation registers and moves them to and fro
// (400 moves in attention_prefill_f16_d64).
#if defined(__gfx942__)
#define RF_KERNEL_WAVES __attribute__((amdgpu_waves_per_eu(2)))
#else
#define RF_KERNEL_WAVES
#endif
#define RF_KERNEL(name, Args, max_threads)                                          \
  extern "C" __attribute__((global))                                                \
  __attribute__((amdgpu_flat_work_group_size(1, max_threads))) RF_KERNEL_WAVES void \
  name(const Args args)

#define RF_TABLE(type, name, n) static const __attribute__((device)) type name[n]

#include "kernels/gpu/port/common.h"

namespace rocforge::port {

inline constexpr uint32_t kWaveSize = __AMDGCN_WAVEFRONT_SIZE__;

RF_DEVICE uint32_t ThreadId() { return __builtin_amdgcn_workitem_id_x(); }
RF_DEVICE uint32_t BlockId() { return __builtin_amdgcn_workgroup_id_x(); }
RF_DEVICE uint32_t BlockIdY() { return __builtin_amdgcn_workgroup_id_y(); }
RF_DEVICE uint32_t BlockDim() { return __builtin_amdgcn_workgroup_size_x(); }
// The first implicit kernel arguments are the numbers of blocks (LLVM, "User Guide for AMDGPU
// Backend", code object V5); a division of threads by block size would be 25 instructions.
RF_DEVICE uint32_t BlockCount(uint32_t dimension) {
  typedef const __attribute__((address_space(4))) uint32_t Argument;
  return ((Argument*)__builtin_amdgcn_implicitarg_ptr())[dimension];
}
RF_DEVICE uint32_t GridDim() { return BlockCount(0); }
RF_DEVICE uint32_t GridDimY() { return BlockCount(1); }
RF_DEVICE uint32_t LaneId() {
  return __builtin_amdgcn_mbcnt_hi(~0u, __builtin_amdgcn_mbcnt_lo(~0u, 0u));
}
// In a scalar register: addresses and loop counts that come from it stay scalar too.
RF_DEVICE uint32_t WaveId() {
  return static_cast<uint32_t>(
      __builtin_amdgcn_readfirstlane(static_cast<int>(ThreadId() / kWaveSize)));
}

template <typename T>
RF_DEVICE T Shuffle(T value, uint32_t lane) {
  static_assert(sizeof(T) == 4);
  return BitCast<T>(__builtin_amdgcn_ds_bpermute(static_cast<int>(lane << 2), BitCast<int>(value)));
}
template <uint32_t kLanes, typename T>
RF_DEVICE T ShuffleAmong(T value, uint32_t lane) {
  return Shuffle(value, LaneId() / kLanes * kLanes + lane);
}

// Data-parallel primitives move data between the 16 lanes of a row as part of a vector instruction
// (v_add_f32_dpp), without the way through LDS that Shuffle takes.
template <int kControl>
RF_DEVICE int MoveInRow(int v) {
  return __builtin_amdgcn_update_dpp(v, v, kControl, 0xF, 0xF, true);
}

// Keeps a value where it was made. clang 19 moves v_permlanex16 behind a branch that only some
// lanes take when only they use the result, and then it does not see the other lanes' values; it
// knows better of all other instructions here.
RF_DEVICE int Pinned(int v) {
  asm volatile("" : "+v"(v));
  return v;
}

// Where the mask is a constant, as in an unrolled butterfly, one case is left.
template <typename T>
RF_DEVICE T ShuffleXor(T value, uint32_t mask) {
  static_assert(sizeof(T) == 4);
  const int v = BitCast<int>(value);
#if defined(__GFX9__)
  switch (mask) {
    case 1:
      return BitCast<T>(MoveInRow<0xB1>(v));  // quad_perm:[1,0,3,2]
    case 2:
      return BitCast<T>(MoveInRow<0x4E>(v));  // quad_perm:[2,3,0,1]
    case 3:
      return BitCast<T>(MoveInRow<0x1B>(v));  // quad_perm:[3,2,1,0]
    case 4:
      return BitCast<T>(MoveInRow<0x1B>(MoveInRow<0x141>(v)));  // 7 and 3
    case 7:
      return BitCast<T>(MoveInRow<0x141>(v));  // row_half_mirror
    case 8:
      return BitCast<T>(MoveInRow<0x128>(v));  // row_ror:8
    case 15:
      return BitCast<T>(MoveInRow<0x140>(v));  // row_mirror
    case 16:
      return BitCast<T>(__builtin_amdgcn_ds_swizzle(v, 0x401F));  // xor 16, no address register
  }
#else
  switch (mask) {  // row_xmask:mask
    case 1:
      return BitCast<T>(MoveInRow<0x161>(v));
    case 2:
      return BitCast<T>(MoveInRow<0x162>(v));
    case 3:
      return BitCast<T>(MoveInRow<0x163>(v));
    case 4:
      return BitCast<T>(MoveInRow<0x164>(v));
    case 7:
      return BitCast<T>(MoveInRow<0x167>(v));
    case 8:
      return BitCast<T>(MoveInRow<0x168>(v));
    case 15:
      return BitCast<T>(MoveInRow<0x16F>(v));
    case 16:  // the same lane of the other row
      return BitCast<T>(
          Pinned(__builtin_amdgcn_permlanex16(v, v, 0x76543210u, 0xFEDCBA98u, false, false)));
  }
#endif
  return Shuffle(value, LaneId() ^ mask);
}

RF_DEVICE uint32_t Uniform(uint32_t v) { return __builtin_amdgcn_readfirstlane(v); }
RF_DEVICE uint64_t Ballot(bool predicate) {
  if constexpr (kWaveSize == 32) {
    return __builtin_amdgcn_ballot_w32(predicate);
  } else {
    return __builtin_amdgcn_ballot_w64(predicate);
  }
}

// A wave's accesses to LDS are done in order: only the compiler must keep it.
RF_DEVICE void WaveSync() {
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "wavefront");
  __builtin_amdgcn_wave_barrier();
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "wavefront");
}
RF_DEVICE void BlockBarrier() {
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
  __builtin_amdgcn_s_barrier();
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}

// Waits for LDS alone, so that loads of global memory stay under way. In assembly, because clang 19
// waits for those too before its own barrier on RDNA3 and RDNA4, and because its fence of LDS alone
// waits for nothing on RDNA4.
RF_DEVICE void SharedBarrier() {
#if defined(__GFX12__)
  asm volatile("s_wait_dscnt 0x0\n\ts_barrier_signal -1\n\ts_barrier_wait -1" ::: "memory");
#else
  asm volatile("s_waitcnt lgkmcnt(0)\n\ts_barrier" ::: "memory");
#endif
}

template <typename T>
RF_DEVICE T& SharedBlock() {
  static __attribute__((shared)) T block;
  return block;
}

template <typename T>
RF_DEVICE T& SharedLarge() {
  return SharedBlock<T>();
}

RF_DEVICE int32_t Dot4(int32_t a, int32_t b, int32_t c) {
#if __has_builtin(__builtin_amdgcn_sudot4) && (defined(__GFX11__) || defined(__GFX12__))
  return __builtin_amdgcn_sudot4(true, a, true, b, c, false);
#else
  return __builtin_amdgcn_sdot4(a, b, c, false);
#endif
}

template <typename T>
RF_DEVICE T InRegister(T v) {
  return v;  // arguments are memory here: a chosen address is as good
}

// v_perm chooses bytes by bytes: selectors 0 to 3 are the second operand's, 4 to 7 the first's.
RF_DEVICE uint32_t LookUp8(uint32_t low, uint32_t high, uint32_t codes) {
  uint32_t spread = codes & 0xFFFFu;
  spread = (spread | spread << 8) & 0x00FF00FFu;
  spread = (spread | spread << 4) & 0x0F0F0F0Fu;
  return __builtin_amdgcn_perm(high, low, spread);
}
RF_DEVICE uint32_t LookUpBytes(const uint32_t (&table)[4], uint32_t codes) {
  const uint32_t within = codes & 0x07070707u;
  const uint32_t lower = __builtin_amdgcn_perm(table[1], table[0], within);
  const uint32_t upper = __builtin_amdgcn_perm(table[3], table[2], within);
  // The code's top bit, moved to bit 2, chooses byte i of the upper result, else of the lower.
  return __builtin_amdgcn_perm(upper, lower, ((codes & 0x08080808u) >> 1) | 0x03020100u);
}
RF_DEVICE void LookUp16(const uint32_t (&table)[4], uint32_t nibbles, uint32_t* low,
                        uint32_t* high) {
  *low = LookUpBytes(table, nibbles & 0x0F0F0F0Fu);
  *high = LookUpBytes(table, (nibbles >> 4) & 0x0F0F0F0Fu);
}

RF_DEVICE float Fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
RF_DEVICE float FastExp2(float x) { return __builtin_amdgcn_exp2f(x); }
RF_DEVICE float FastLog2(float x) { return __builtin_amdgcn_logf(x); }
RF_DEVICE float FastRcp(float x) { return __builtin_amdgcn_rcpf(x); }
RF_DEVICE float FastRsqrt(float x) { return __builtin_amdgcn_rsqf(x); }

RF_DEVICE float HalfToFloat(uint16_t bits) { return static_cast<float>(BitCast<_Float16>(bits)); }
RF_DEVICE uint16_t FloatToHalf(float value) {
  return BitCast<uint16_t>(static_cast<_Float16>(value));
}

RF_DEVICE U32x4 LoadStream(const U32x4* p) {
  typedef uint32_t Vector __attribute__((ext_vector_type(4)));
  const Vector v = __builtin_nontemporal_load((const __attribute__((address_space(1))) Vector*)p);
  return {v.x, v.y, v.z, v.w};
}
// No target here has a vector prefetch; RDNA4's scalar one fills the scalar cache.
RF_DEVICE void Prefetch(const void*) {}
RF_DEVICE void PrefetchRange(const void*, uint32_t) {}

RF_DEVICE void LetNextStart() {}
RF_DEVICE void AwaitPrevious() {}
inline constexpr bool kLaunchesOverlap = false;

RF_DEVICE uint32_t AtomicAdd(uint32_t* p, uint32_t v) {
  return __scoped_atomic_fetch_add(p, v, __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE);
}
// RDNA3, RDNA4 and CDNA3 add floats in the L2 of coarse-grained memory, which all of ours is; by
// itself clang takes a loop of compare and swap, because other memory may not do it.
RF_DEVICE float AtomicAdd(float* p, float v) {
#if defined(__GFX10__)
  return __scoped_atomic_fetch_add(p, v, __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE);
#else
  typedef __attribute__((address_space(1))) float Global;
  return __builtin_amdgcn_global_atomic_fadd_f32((Global*)p, v);
#endif
}
RF_DEVICE void SharedAdd(uint32_t* p, uint32_t v) {
  typedef __attribute__((address_space(3))) uint32_t Local;
  __scoped_atomic_fetch_add((Local*)p, v, __ATOMIC_RELAXED, __MEMORY_SCOPE_WRKGRP);
}
RF_DEVICE uint32_t LoadAcquire(const uint32_t* p) {
  return __scoped_atomic_load_n(p, __ATOMIC_ACQUIRE, __MEMORY_SCOPE_DEVICE);
}
RF_DEVICE void StoreRelease(uint32_t* p, uint32_t v) {
  __scoped_atomic_store_n(p, v, __ATOMIC_RELEASE, __MEMORY_SCOPE_DEVICE);
}

// Through registers: the device's own path from memory to LDS moves 4 bytes a lane.
RF_DEVICE void CopyAsync(U32x4* shared, const U32x4* from) { *shared = *from; }
RF_DEVICE void CopyWait() {}
// gemm_few is not for AMD yet: clang 19 reads its stages by flat accesses, and spills them on
// RDNA2.
#define RF_PORT_FEW_ROWS 0
RF_DEVICE void CopyCommit() {}
template <int kGroups>
RF_DEVICE void CopyWaitBut() {}

// For last_block.h, as in sim: not part of the specification.
RF_DEVICE void DeviceFence() { __builtin_amdgcn_fence(__ATOMIC_ACQ_REL, "agent"); }

// Arrivals are counted up; the barrier of round r is open when r * n_blocks have arrived.
RF_DEVICE void GridBarrier(uint32_t* counter, uint32_t n_blocks) {
  BlockBarrier();
  if (ThreadId() == 0) {
    const uint32_t arrived =
        __scoped_atomic_fetch_add(counter, 1u, __ATOMIC_ACQ_REL, __MEMORY_SCOPE_DEVICE);
    const uint32_t target = arrived / n_blocks * n_blocks + n_blocks;
    // Relaxed while it waits: an acquire in each turn would empty caches that others read from.
    while (static_cast<int32_t>(
               __scoped_atomic_load_n(counter, __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE) - target) <
           0) {
      __builtin_amdgcn_s_sleep(1);
    }
    __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "agent");
  }
  BlockBarrier();
}

// The 100 MHz counter that all compute units share.
RF_DEVICE uint64_t Clock() { return __builtin_readsteadycounter(); }

}  // namespace rocforge::port

#include "kernels/gpu/port/last_block.h"
