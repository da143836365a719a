// Runs kernels of the sim port on the host. Each thread of a block is a fiber; a scheduler resumes
// them one after the other and completes a collective when every lane has reached it. Errors
// (divergent lanes, a missing barrier, a lane that left) end the launch with a Status that names
// kernel, block, thread and line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "rocforge/status.h"

namespace rocforge::port::sim {

// What RF_KERNEL registers.
struct KernelInfo {
  const char* name;
  void (*entry)(const void* args);
  size_t args_bytes;
  uint32_t wave_size;
  uint32_t max_threads;
};

// Called at static initialisation; always true.
bool Register(const KernelInfo& info);
// nullptr if there is no kernel of that name and wave size.
const KernelInfo* Find(const char* name, uint32_t wave_size);

struct LaunchShape {
  uint32_t grid_x = 1;
  uint32_t grid_y = 1;
  uint32_t block = 1;  // threads; a multiple of the wave size, at most the kernel's max_threads
  bool cooperative = false;  // all blocks alive at once, as GridBarrier needs
};

// Runs the launch to its end in the calling thread. `args` is copied. kInvalidArgument for a bad
// shape, kInternal for a kernel that breaks the port's rules. Several threads may launch at once.
Status Launch(const KernelInfo& kernel, const LaunchShape& shape, std::span<const std::byte> args);

// --- Called by kernels through sim.h ---

struct Site {
  const char* file;
  int line;
};

struct Position {
  uint32_t thread = 0;
  uint32_t block_x = 0;
  uint32_t block_y = 0;
  uint32_t block_dim = 0;
  uint32_t grid_x = 0;
  uint32_t grid_y = 0;
};
const Position& Current();

uint32_t Shuffle(uint32_t value, uint32_t source_lane, Site site);
uint64_t Ballot(bool predicate, Site site);
void BlockBarrier(Site site);
void GridBarrier(uint32_t* counter, uint32_t n_blocks, Site site);
// The block's shared object, exactly `bytes` long, filled with 0xFF (NaN as floats) before the
// block starts.
void* SharedBlock(size_t bytes);
uint64_t Clock();  // nanoseconds
void DeviceFence();

// A SharedPhase of warpgroup.h. Lives in the block's shared object.
struct PhaseState {
  uint32_t expected;  // arrivals per phase
  uint32_t arrived;
  int64_t bytes;   // expected and not yet copied
  uint32_t phase;  // phases that have ended
};
void ArriveAtPhase(PhaseState& state, uint32_t bytes);
void WaitForPhase(PhaseState& state, uint32_t parity, Site site);
// Every other copy is held back until somebody waits for its phase, so that both reading too early
// and overwriting too early show in the results.
void CopyForPhase(void* to, const void* from, uint32_t bytes, PhaseState& state);

float HalfToFloat(uint16_t bits);
uint16_t FloatToHalf(float value);
float AtomicAdd(float* p, float v);

}  // namespace rocforge::port::sim
