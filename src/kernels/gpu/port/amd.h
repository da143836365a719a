// The port to AMD GPUs (RDNA2, RDNA3, RDNA4, CDNA3) by clang builtins. See port.h.
#pragma once

#define RF_DEVICE static __attribute__((device)) inline __attribute__((always_inline))
#define RF_MEMBER __attribute__((device)) inline __attribute__((always_inline))
#define RF_KERNEL(name, Args, max_threads)                          \
  extern "C" __attribute__((global))                                \
  __attribute__((amdgpu_flat_work_group_size(1, max_threads))) void \
  name(const Args args)

#define RF_TABLE(type, name, n) static const __attribute__((device)) type name[n]

#include "kernels/gpu/port/common.h"

namespace rocforge::port {

inline constexpr uint32_t kWaveSize = __AMDGCN_WAVEFRONT_SIZE__;

RF_DEVICE uint32_t ThreadId() { return __builtin_amdgcn_workitem_id_x(); }
RF_DEVICE uint32_t BlockId() { return __builtin_amdgcn_workgroup_id_x(); }
RF_DEVICE uint32_t BlockIdY() { return __builtin_amdgcn_workgroup_id_y(); }
RF_DEVICE uint32_t BlockDim() { return __builtin_amdgcn_workgroup_size_x(); }
RF_DEVICE uint32_t GridDim() {
  return __builtin_amdgcn_grid_size_x() / __builtin_amdgcn_workgroup_size_x();
}
RF_DEVICE uint32_t GridDimY() {
  return __builtin_amdgcn_grid_size_y() / __builtin_amdgcn_workgroup_size_y();
}
RF_DEVICE uint32_t LaneId() {
  return __builtin_amdgcn_mbcnt_hi(~0u, __builtin_amdgcn_mbcnt_lo(~0u, 0u));
}
RF_DEVICE uint32_t WaveId() { return ThreadId() / kWaveSize; }

template <typename T>
RF_DEVICE T Shuffle(T value, uint32_t lane) {
  static_assert(sizeof(T) == 4);
  return BitCast<T>(__builtin_amdgcn_ds_bpermute(static_cast<int>(lane << 2), BitCast<int>(value)));
}

// Within a row of 16 lanes the exchange is a DPP or swizzle of the vector unit, without a trip
// through LDS addressing.
template <typename T>
RF_DEVICE T ShuffleXor(T value, uint32_t mask) {
  return Shuffle(value, LaneId() ^ mask);
}

RF_DEVICE uint64_t Ballot(bool predicate) {
  if constexpr (kWaveSize == 32) {
    return __builtin_amdgcn_ballot_w32(predicate);
  } else {
    return __builtin_amdgcn_ballot_w64(predicate);
  }
}

RF_DEVICE void BlockBarrier() {
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
  __builtin_amdgcn_s_barrier();
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}

template <typename T>
RF_DEVICE T& SharedBlock() {
  static __attribute__((shared)) T block;
  return block;
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

// Both vendors' compilers call global memory address space 1.
template <typename T>
RF_DEVICE T LoadGlobal(const T* p) {
  if constexpr (sizeof(T) == 16) {
    typedef uint32_t Vector __attribute__((ext_vector_type(4)));
    const Vector v = *(const __attribute__((address_space(1))) Vector*)p;
    return {v.x, v.y, v.z, v.w};
  } else if constexpr (sizeof(T) == 8) {
    typedef uint32_t Vector __attribute__((ext_vector_type(2)));
    const Vector v = *(const __attribute__((address_space(1))) Vector*)p;
    return {v.x, v.y};
  } else {
    return *(const __attribute__((address_space(1))) T*)p;
  }
}
template <typename T>
RF_DEVICE void StoreGlobal(T* p, T v) {
  static_assert(sizeof(T) <= 4);
  *(__attribute__((address_space(1))) T*)p = v;
}

RF_DEVICE U32x4 LoadStream(const U32x4* p) {
  typedef uint32_t Vector __attribute__((ext_vector_type(4)));
  const Vector v = __builtin_nontemporal_load((const __attribute__((address_space(1))) Vector*)p);
  return {v.x, v.y, v.z, v.w};
}
// No target here has a vector prefetch; RDNA4's scalar one fills the scalar cache.
RF_DEVICE void Prefetch(const void*) {}

RF_DEVICE uint32_t AtomicAdd(uint32_t* p, uint32_t v) {
  return __scoped_atomic_fetch_add(p, v, __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE);
}
RF_DEVICE float AtomicAdd(float* p, float v) {
  return __scoped_atomic_fetch_add(p, v, __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE);
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

RF_DEVICE void DeviceFence() { __builtin_amdgcn_fence(__ATOMIC_ACQ_REL, "agent"); }

// Arrivals are counted up; the barrier of round r is open when r * n_blocks have arrived.
RF_DEVICE void GridBarrier(uint32_t* counter, uint32_t n_blocks) {
  BlockBarrier();
  if (ThreadId() == 0) {
    const uint32_t arrived =
        __scoped_atomic_fetch_add(counter, 1u, __ATOMIC_ACQ_REL, __MEMORY_SCOPE_DEVICE);
    const uint32_t target = arrived / n_blocks * n_blocks + n_blocks;
    while (static_cast<int32_t>(LoadAcquire(counter) - target) < 0) __builtin_amdgcn_s_sleep(1);
  }
  BlockBarrier();
}

// The 100 MHz counter that all compute units share.
RF_DEVICE uint64_t Clock() { return __builtin_readsteadycounter(); }

}  // namespace rocforge::port
