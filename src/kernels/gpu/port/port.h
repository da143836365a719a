// The device side of one kernel source for AMD and NVIDIA GPUs and for the host (sim). This header
// is the written specification; amd.h, nvidia.h and sim.h each provide all of it, with no vendor
// header and no C++ standard library. Vendor #if stands only here and in those three.
//
// Kernels
//   RF_KERNEL(name, Args, max_threads) { ... args ... }
//     defines the kernel `name`, launched with one plain struct by value (pointers and 32/64-bit
//     numbers) and blocks of at most max_threads threads, a multiple of kWaveSize. The driver table
//     passes the struct as the single argument.
//   RF_DEVICE precedes every other free function, which gets internal linkage: sim holds both wave
//   sizes in one program. RF_MEMBER precedes member functions; types whose layout or code depends
//   on kWaveSize live in unnamed namespaces.
//
// Geometry: blocks are one-dimensional, grids have x and y.
//   ThreadId() in [0, BlockDim()), BlockId() in [0, GridDim()), BlockIdY() in [0, GridDimY()).
//   A wave is kWaveSize (32 or 64, a compile-time constant of the target) consecutive threads:
//   LaneId(), WaveId().
//
// Collectives. All lanes of the wave (all threads of the block for BlockBarrier, of the grid for
// GridBarrier) must reach the same call; a kernel must not branch around one on a value that
// differs between lanes. sim fails the launch where it does.
//
//   T Shuffle(T v, lane)
//     v of `lane` in [0, kWaveSize). T: 4 bytes.
//
//   T ShuffleAmong<n>(T v, lane)
//     v of `lane` in [0, n) of the n lanes that this one is among: those from a multiple of n on.
//     n: a power of two, at most 32.
//
//   T ShuffleXor(T v, mask)
//     v of lane ^ mask, mask in [1, kWaveSize).
//
//   uint32_t Uniform(uint32_t v)
//     v, which is the same in all lanes: the compiler learns that, and takes branches on it and
//     what follows from it as the wave's, not as each lane's.
//
//   uint64_t Ballot(bool p)
//     bit i: p of lane i.
//
//   void WaveSync()
//     by all lanes of a wave: what they wrote to shared memory before it is seen by all of them
//     after it, and what they read there has been read.
//
//   void BlockBarrier()
//     everything written before it to shared or global memory by the block is seen after it.
//
//   void SharedBarrier()
//     the same for shared memory alone, where the block exchanges nothing through global memory:
//     loads from there stay under way, which AMD's BlockBarrier waits for.
//
//   void GridBarrier(uint32_t* counter, uint32_t n_blocks)
//     the same for the grid. The launch is cooperative (all blocks resident); *counter is 0 before
//     the first one of a launch and belongs to the barrier until the launch ends.
//
// Shared memory
//
//   T& SharedBlock<T>()
//     the block's single shared object; T is plain, at most 64 KiB (48 KiB where a kernel must run
//     everywhere), uninitialised (sim: poisoned). A kernel uses one T.
//
//   T& SharedLarge<T>()
//     instead of it; up to 224 KiB on NVIDIA and in sim, 64 KiB on AMD, aligned to 1024 bytes. The
//     launch passes sizeof(T) as shared_bytes, for AMD 0.
//
// Arithmetic
//
//   int32_t Dot4(int32_t a, int32_t b, int32_t c)
//     c + sum over the four signed bytes of a_i * b_i, wrapping.
//
//   float Fma(a, b, c)
//     one rounding.
//
//   float FastExp2(x), FastLog2(x), FastRcp(x), FastRsqrt(x)
//     relative error at most 2^-21 for normal arguments and results; FastExp2 gives 0 for x <= -126
//     at the latest at -150, infinity above 128.
//
//   float HalfToFloat(uint16_t)
//     exact.
//
//   uint16_t FloatToHalf(float)
//     nearest even, overflow to infinity.
//
//   float Bf16ToFloat(uint16_t)
//     exact.
//
//   uint16_t FloatToBf16(float)
//     nearest even, NaN stays NaN.
//
//   T InRegister(T v)
//     v, 4 or 8 bytes: hides from the compiler where it came from, so that a choice among several
//     kernel arguments does not become a load from a chosen address.
//
//   uint32_t LookUp8(low, high, codes)
//     byte i: byte (bits 4i..4i+2 of codes) of the eight in low and high; i < 4, the fourth bit of
//     each code is 0, the upper 16 bits of codes do not count.
//
//   void LookUp16(const uint32_t (&table)[4], nibbles, uint32_t* low, uint32_t* high)
//     byte i of low: byte (bits 8i..8i+3 of nibbles) of the table's 16; of high: (bits 8i+4..8i+7).
//
// Memory. Pointers are to global memory unless they come from SharedBlock.
//
//   RF_TABLE(type, name, n) = {...};
//     a constant array in device memory, of one translation unit.
//
//   U32x2, U32x4
//     8 bytes, aligned to 8; 16 bytes, aligned to 16: the unit of wide loads and stores (plain
//     assignment does them).
//
//   T LoadGlobal(const T*), void StoreGlobal(T*, T)
//     plain accesses to global memory, for pointers that were chosen among several, where the
//     compiler no longer sees that they are global. T: numbers of up to 4 bytes; to load also U32x2
//     and U32x4.
//
//   U32x4 LoadStream(const U32x4*)
//     16 bytes that will not be read again: keep them out of the caches' way.
//
//   void Prefetch(const void*)
//     hint: the 128 bytes around it will be read soon. May do nothing.
//
//   void PrefetchRange(const void*, uint32_t bytes)
//     hint by one thread: this range will be read soon; start and size are multiples of 16. May do
//     nothing.
//
//   uint32_t AtomicAdd(uint32_t*, uint32_t), float AtomicAdd(float*, float)
//     relaxed, device scope; the old value.
//
//   void SharedAdd(uint32_t*, uint32_t)
//     relaxed, within the block; the pointer is to shared memory.
//
//   uint32_t LoadAcquire(const uint32_t*), void StoreRelease(uint32_t*, uint32_t)
//     device scope.
//
//   void CopyAsync(U32x4* shared, const U32x4* from)
//     16 bytes into shared memory, in the background where the device can (NVIDIA); there for this
//     thread after its CopyWait(), for the block after the barrier that follows. For data whose
//     neighbours are wanted too: the last cache before memory may fetch the 128 bytes around it.
//     RF_PORT_FEW_ROWS: 1 where ops/gemm_few.gpu.cc is compiled.
//
//   void CopyCommit(), void CopyWaitBut<n>()
//     the copies since the last CopyCommit are a group; all groups but the last n are there, for
//     this thread.
//
//   bool IsLastBlock(uint32_t* counter, uint32_t n_blocks, uint32_t& shared)
//     by all threads of each of n_blocks blocks, once a launch: true in the block that comes last,
//     whose threads then see what all of them wrote before. *counter is 0 before and after; shared
//     is shared memory that nobody else uses until the block's next barrier.
//
// Overlap of launches (NVIDIA from sm_90 on; elsewhere these do nothing)
//
//   constexpr bool kLaunchesOverlap
//     whether they can here (true in sim, so that what depends on it is tested).
//
//   void LetNextStart()
//     the next launch of the stream, if it is launched with LaunchShape::overlap, may start its
//     blocks as soon as every block of this one has called this or ended. Best at the start of a
//     kernel.
//
//   void AwaitPrevious()
//     the launches before this one have ended, and what they wrote is seen. A kernel that is
//     launched with LaunchShape::overlap calls it in every thread, before it writes and before it
//     reads what may have been written by another launch of the same step.
//
// Time
//
//   uint64_t Clock()
//     a counter of this device that never goes back, the same for all of its blocks; the driver
//     side knows its rate.
#pragma once

#if defined(__AMDGCN__)
#include "kernels/gpu/port/amd.h"
#elif defined(__NVPTX__)
#include "kernels/gpu/port/nvidia.h"
#else
#include "kernels/gpu/port/sim.h"
#endif

// RF_KERNEL where n_blocks blocks are to fit a multiprocessor: NVIDIA's compiler then takes fewer
// registers.
#if defined(__NVPTX__)
#define RF_KERNEL_RESIDENT(name, Args, max_threads, n_blocks)                                   \
  extern "C" __attribute__((global)) __attribute__((launch_bounds(max_threads, n_blocks))) void \
  name(const Args args)
#else
#define RF_KERNEL_RESIDENT(name, Args, max_threads, n_blocks) RF_KERNEL(name, Args, max_threads)
#endif
