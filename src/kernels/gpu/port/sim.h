// The port to the host: every thread is a fiber, waves are RF_SIM_WAVE wide, collectives fail
// loudly when lanes diverge. See port.h; runtime.h runs the kernels.
#pragma once

#ifndef RF_SIM_WAVE
#define RF_SIM_WAVE 32
#endif

#define RF_DEVICE static inline
#define RF_MEMBER inline
// The body becomes a function of the argument struct; the registration makes it known by name and
// wave size.
#define RF_KERNEL(name, Args, max_threads)                                                     \
  static void name##_Body(const Args args);                                                    \
  static void name##_Entry(const void* args) { name##_Body(*static_cast<const Args*>(args)); } \
  [[maybe_unused]] static const bool name##_registered = ::rocforge::port::sim::Register(      \
      {#name, name##_Entry, sizeof(Args), RF_SIM_WAVE, max_threads});                          \
  static void name##_Body(const Args args)

#define RF_TABLE(type, name, n) [[maybe_unused]] static const type name[n]

#include <stdint.h>

#include <cmath>

#include "kernels/gpu/port/common.h"
#include "kernels/gpu/port/sim/runtime.h"

namespace rocforge::port {

inline constexpr uint32_t kWaveSize = RF_SIM_WAVE;

RF_DEVICE uint32_t ThreadId() { return sim::Current().thread; }
RF_DEVICE uint32_t BlockId() { return sim::Current().block_x; }
RF_DEVICE uint32_t BlockIdY() { return sim::Current().block_y; }
RF_DEVICE uint32_t BlockDim() { return sim::Current().block_dim; }
RF_DEVICE uint32_t GridDim() { return sim::Current().grid_x; }
RF_DEVICE uint32_t GridDimY() { return sim::Current().grid_y; }
RF_DEVICE uint32_t LaneId() { return ThreadId() % kWaveSize; }
RF_DEVICE uint32_t WaveId() { return ThreadId() / kWaveSize; }

template <typename T>
RF_DEVICE T Shuffle(T value, uint32_t lane, const char* file = __builtin_FILE(),
                    int line = __builtin_LINE()) {
  static_assert(sizeof(T) == 4);
  return BitCast<T>(sim::Shuffle(BitCast<uint32_t>(value), lane, {file, line}));
}
template <uint32_t kLanes, typename T>
RF_DEVICE T ShuffleAmong(T value, uint32_t lane, const char* file = __builtin_FILE(),
                         int line = __builtin_LINE()) {
  return Shuffle(value, LaneId() / kLanes * kLanes + lane, file, line);
}
template <typename T>
RF_DEVICE T ShuffleXor(T value, uint32_t mask, const char* file = __builtin_FILE(),
                       int line = __builtin_LINE()) {
  static_assert(sizeof(T) == 4);
  return BitCast<T>(sim::Shuffle(BitCast<uint32_t>(value), LaneId() ^ mask, {file, line}));
}
RF_DEVICE uint32_t Uniform(uint32_t v, const char* file = __builtin_FILE(),
                           int line = __builtin_LINE()) {
  return Shuffle(v, 0, file, line);
}
RF_DEVICE uint64_t Ballot(bool predicate, const char* file = __builtin_FILE(),
                          int line = __builtin_LINE()) {
  return sim::Ballot(predicate, {file, line});
}
RF_DEVICE void WaveSync(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  static_cast<void>(sim::Ballot(true, {file, line}));
}
RF_DEVICE void BlockBarrier(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  sim::BlockBarrier({file, line});
}
RF_DEVICE void SharedBarrier(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  sim::BlockBarrier({file, line});
}
RF_DEVICE void GridBarrier(uint32_t* counter, uint32_t n_blocks,
                           const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  sim::GridBarrier(counter, n_blocks, {file, line});
}

template <typename T>
RF_DEVICE T& SharedBlock() {
  return *static_cast<T*>(sim::SharedBlock(sizeof(T)));
}

template <typename T>
RF_DEVICE T& SharedLarge() {
  return SharedBlock<T>();
}

RF_DEVICE int32_t Dot4(int32_t a, int32_t b, int32_t c) {
  uint32_t sum = static_cast<uint32_t>(c);
  for (int i = 0; i < 4; ++i) {
    const auto x = static_cast<int8_t>(static_cast<uint32_t>(a) >> (8 * i));
    const auto y = static_cast<int8_t>(static_cast<uint32_t>(b) >> (8 * i));
    sum += static_cast<uint32_t>(x * y);
  }
  return static_cast<int32_t>(sum);
}

template <typename T>
RF_DEVICE T InRegister(T v) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  return v;
}

RF_DEVICE uint32_t LookUp8(uint32_t low, uint32_t high, uint32_t codes) {
  const uint64_t table = static_cast<uint64_t>(high) << 32 | low;
  uint32_t result = 0;
  for (uint32_t i = 0; i < 4; ++i) {
    result |= static_cast<uint32_t>(table >> (8 * (codes >> (4 * i) & 7)) & 0xFF) << (8 * i);
  }
  return result;
}
RF_DEVICE void LookUp16(const uint32_t (&table)[4], uint32_t nibbles, uint32_t* low,
                        uint32_t* high) {
  const auto entry = [&](uint32_t i) { return table[i / 4] >> (8 * (i % 4)) & 0xFF; };
  *low = 0;
  *high = 0;
  for (uint32_t i = 0; i < 4; ++i) {
    *low |= entry(nibbles >> (8 * i) & 15) << (8 * i);
    *high |= entry(nibbles >> (8 * i + 4) & 15) << (8 * i);
  }
}

RF_DEVICE float Fma(float a, float b, float c) { return std::fma(a, b, c); }
RF_DEVICE float FastExp2(float x) { return std::exp2(x); }
RF_DEVICE float FastLog2(float x) { return std::log2(x); }
RF_DEVICE float FastRcp(float x) { return 1.0f / x; }
RF_DEVICE float FastRsqrt(float x) { return 1.0f / std::sqrt(x); }
RF_DEVICE float HalfToFloat(uint16_t bits) { return sim::HalfToFloat(bits); }
RF_DEVICE uint16_t FloatToHalf(float value) { return sim::FloatToHalf(value); }

template <typename T>
RF_DEVICE T LoadGlobal(const T* p) {
  return *p;
}
template <typename T>
RF_DEVICE void StoreGlobal(T* p, T v) {
  *p = v;
}
RF_DEVICE U32x4 LoadStream(const U32x4* p) { return *p; }
RF_DEVICE void Prefetch(const void*) {}
RF_DEVICE void PrefetchRange(const void*, uint32_t) {}

RF_DEVICE void LetNextStart() {}
RF_DEVICE void AwaitPrevious() {}
inline constexpr bool kLaunchesOverlap = true;

RF_DEVICE uint32_t AtomicAdd(uint32_t* p, uint32_t v) {
  return __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
}
RF_DEVICE void SharedAdd(uint32_t* p, uint32_t v) { *p += v; }  // fibers of one thread
RF_DEVICE float AtomicAdd(float* p, float v) { return sim::AtomicAdd(p, v); }
RF_DEVICE uint32_t LoadAcquire(const uint32_t* p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
RF_DEVICE void StoreRelease(uint32_t* p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
RF_DEVICE void CopyAsync(U32x4* shared, const U32x4* from) { *shared = *from; }
RF_DEVICE void CopyWait() {}
#define RF_PORT_FEW_ROWS 1
RF_DEVICE void CopyCommit() {}
template <int kGroups>
RF_DEVICE void CopyWaitBut() {}
// For last_block.h.
RF_DEVICE void DeviceFence() { sim::DeviceFence(); }

RF_DEVICE uint64_t Clock() { return sim::Clock(); }

}  // namespace rocforge::port

#include "kernels/gpu/port/last_block.h"
