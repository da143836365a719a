#include "kernels/gpu/port/sim/runtime.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/format.h"
#include "kernels/gpu/port/sim/fiber.h"

namespace rocforge::port::sim {
namespace {

std::map<std::pair<std::string, uint32_t>, KernelInfo>& Registry() {
  static std::map<std::pair<std::string, uint32_t>, KernelInfo> registry;
  return registry;
}

enum class Wait : uint8_t {
  kReady,
  kShuffle,
  kBallot,
  kPhase,
  kBlockBarrier,
  kGridBarrier,
  kFinished
};

const char* WaitName(Wait wait) {
  static constexpr const char* kNames[] = {"running",      "Shuffle",     "Ballot", "PhaseWait",
                                           "BlockBarrier", "GridBarrier", "the end"};
  return kNames[static_cast<int>(wait)];
}

struct Block;

// One GPU thread: where it stands and what it offers to the collective that it waits in.
struct Lane {
  Fiber fiber;
  Position position;
  Block* block = nullptr;
  Wait wait = Wait::kReady;
  Site site{"", 0};
  uint32_t value = 0;
  uint32_t source = 0;
  uint64_t result = 0;
  const PhaseState* phase = nullptr;
  uint32_t parity = 0;
};

struct HeldCopy {
  void* to;
  const void* from;
  uint32_t bytes;
  PhaseState* state;
};

constexpr std::align_val_t kSharedAlignment{1024};
struct AlignedDelete {
  void operator()(std::byte* p) const { ::operator delete[](p, kSharedAlignment); }
};

struct Block {
  std::vector<std::unique_ptr<Lane>> lanes;
  // Exactly shared_bytes: the address sanitizer sees an overrun.
  std::unique_ptr<std::byte[], AlignedDelete> shared;
  size_t shared_bytes = 0;
  std::vector<HeldCopy> held;
  uint32_t n_copies = 0;
};

struct LaunchState {
  const KernelInfo* kernel = nullptr;
  LaunchShape shape;
  std::vector<std::byte> args;
  Status error;
};

thread_local Lane* current_lane = nullptr;
thread_local LaunchState* current_launch = nullptr;

std::string Where(const Lane& lane) {
  const char* slash = std::strrchr(lane.site.file, '/');
  const std::string at =
      lane.wait == Wait::kFinished
          ? std::string("at its end")
          : Format("in {} at {}:{}", WaitName(lane.wait),
                   slash != nullptr ? slash + 1 : lane.site.file, lane.site.line);
  return Format("thread {} is {}", lane.position.thread, at);
}

Status Diverged(const LaunchState& launch, const Lane& a, const Lane& b, const char* what) {
  return Internal(Format("kernel {}, block ({}, {}): {}: {}, {}", launch.kernel->name,
                         a.position.block_x, a.position.block_y, what, Where(a), Where(b)));
}

void LaneMain(void* context) {
  auto* lane = static_cast<Lane*>(context);
  current_launch->kernel->entry(current_launch->args.data());
  lane->wait = Wait::kFinished;
}

// The calling fiber waits in a collective until the scheduler completes it.
Lane& WaitIn(Wait wait, Site site) {
  Lane& lane = *current_lane;
  lane.wait = wait;
  lane.site = site;
  lane.fiber.Yield();
  return lane;
}

void RunLane(Lane& lane) {
  current_lane = &lane;
  lane.fiber.Resume();
  current_lane = nullptr;
}

bool SameSite(const Lane& a, const Lane& b) {
  return a.wait == b.wait && a.site.line == b.site.line &&
         std::strcmp(a.site.file, b.site.file) == 0;
}

bool IsWaveCollective(Wait wait) { return wait == Wait::kShuffle || wait == Wait::kBallot; }

// All lanes of the wave stand in the same shuffle or ballot: gives each its result.
Status CompleteWave(const LaunchState& launch, std::span<std::unique_ptr<Lane>> wave) {
  uint64_t ballot = 0;
  for (size_t i = 0; i < wave.size(); ++i)
    ballot |= static_cast<uint64_t>(wave[i]->value != 0) << i;
  for (std::unique_ptr<Lane>& lane : wave) {
    if (lane->wait == Wait::kBallot) {
      lane->result = ballot;
      continue;
    }
    if (lane->source >= wave.size()) {
      return Internal(Format("kernel {}: {} reads lane {} of a wave of {}", launch.kernel->name,
                             Where(*lane), lane->source, wave.size()));
    }
    lane->result = wave[lane->source]->value;
  }
  for (std::unique_ptr<Lane>& lane : wave) lane->wait = Wait::kReady;
  return {};
}

bool PhaseEnded(const PhaseState& state, uint32_t parity) { return state.phase % 2 != parity; }

void EndPhaseIfComplete(PhaseState& state) {
  if (state.arrived < state.expected || state.bytes > 0) return;
  state.arrived = 0;
  ++state.phase;
}

void CompleteCopy(const HeldCopy& copy) {
  std::memcpy(copy.to, copy.from, copy.bytes);
  copy.state->bytes -= copy.bytes;
  EndPhaseIfComplete(*copy.state);
}

// Somebody waits for the phase: no copy to it may be held any longer.
void CompleteHeldCopies(Block& block, const PhaseState* state) {
  for (size_t i = 0; i < block.held.size();) {
    if (block.held[i].state != state) {
      ++i;
      continue;
    }
    const HeldCopy copy = block.held[i];
    block.held.erase(block.held.begin() + static_cast<std::ptrdiff_t>(i));
    CompleteCopy(copy);
  }
}

// Runs the lanes of a wave until all of them wait in a barrier or for a phase or have ended.
// `progress` is set if any ran.
Status RunWave(const LaunchState& launch, std::span<std::unique_ptr<Lane>> wave, bool* progress) {
  while (true) {
    for (std::unique_ptr<Lane>& lane : wave) {
      if (lane->wait == Wait::kPhase) {
        CompleteHeldCopies(*lane->block, lane->phase);
        if (PhaseEnded(*lane->phase, lane->parity)) lane->wait = Wait::kReady;
      }
      if (lane->wait != Wait::kReady) continue;
      RunLane(*lane);
      *progress = true;
    }
    const auto any = [&](auto condition) {
      return std::any_of(wave.begin(), wave.end(),
                         [&](const auto& lane) { return condition(lane->wait); });
    };
    // A lane that waits for a phase may join the collective of its wave later.
    if (!any(IsWaveCollective) || any([](Wait wait) { return wait == Wait::kPhase; })) return {};
    for (const std::unique_ptr<Lane>& lane : wave) {
      if (!SameSite(*lane, *wave[0]))
        return Diverged(launch, *wave[0], *lane, "lanes of a wave diverge");
    }
    ROCFORGE_RETURN_IF_ERROR(CompleteWave(launch, wave));
  }
}

// Runs a block until every lane has ended or waits in a grid barrier; the latter gives true in
// `in_grid_barrier`.
Status RunBlock(const LaunchState& launch, Block& block, bool* in_grid_barrier) {
  const size_t wave_size = launch.kernel->wave_size;
  while (true) {
    for (bool progress = true; progress;) {
      progress = false;
      for (size_t begin = 0; begin < block.lanes.size(); begin += wave_size) {
        ROCFORGE_RETURN_IF_ERROR(
            RunWave(launch, std::span(block.lanes).subspan(begin, wave_size), &progress));
      }
    }
    const Lane& first = *block.lanes[0];
    for (const std::unique_ptr<Lane>& lane : block.lanes) {
      if (lane->wait == Wait::kPhase) return Diverged(launch, first, *lane, "a phase never ends");
      // Lanes may end at different lines, so the site does not count there.
      const bool same =
          lane->wait == Wait::kFinished ? first.wait == Wait::kFinished : SameSite(*lane, first);
      if (!same) return Diverged(launch, first, *lane, "threads of a block diverge");
    }
    *in_grid_barrier = first.wait == Wait::kGridBarrier;
    if (first.wait != Wait::kBlockBarrier) return {};
    for (std::unique_ptr<Lane>& lane : block.lanes) lane->wait = Wait::kReady;
  }
}

void StartBlock(LaunchState& launch, Block& block, uint32_t x, uint32_t y) {
  block.shared.reset();
  block.shared_bytes = 0;
  block.held.clear();
  for (uint32_t thread = 0; thread < launch.shape.block; ++thread) {
    Lane& lane = *block.lanes[thread];
    lane.position = {thread, x, y, launch.shape.block, launch.shape.grid_x, launch.shape.grid_y};
    lane.wait = Wait::kReady;
    lane.fiber.Start(LaneMain, &lane);
  }
}

std::unique_ptr<Block> MakeBlock(uint32_t n_threads) {
  auto block = std::make_unique<Block>();
  for (uint32_t i = 0; i < n_threads; ++i) {
    block->lanes.push_back(std::make_unique<Lane>());
    block->lanes.back()->block = block.get();
  }
  return block;
}

// Blocks one after the other, on the same fibers.
Status RunIndependent(LaunchState& launch) {
  const std::unique_ptr<Block> block = MakeBlock(launch.shape.block);
  for (uint32_t y = 0; y < launch.shape.grid_y; ++y) {
    for (uint32_t x = 0; x < launch.shape.grid_x; ++x) {
      StartBlock(launch, *block, x, y);
      bool in_grid_barrier = false;
      ROCFORGE_RETURN_IF_ERROR(RunBlock(launch, *block, &in_grid_barrier));
      if (in_grid_barrier) {
        return Internal(Format("kernel {}: GridBarrier in a launch that is not cooperative",
                               launch.kernel->name));
      }
    }
  }
  return {};
}

// All blocks alive, each run to the next grid barrier in turn.
Status RunCooperative(LaunchState& launch) {
  std::vector<std::unique_ptr<Block>> blocks;
  for (uint32_t y = 0; y < launch.shape.grid_y; ++y) {
    for (uint32_t x = 0; x < launch.shape.grid_x; ++x) {
      blocks.push_back(MakeBlock(launch.shape.block));
      StartBlock(launch, *blocks.back(), x, y);
    }
  }
  while (true) {
    size_t waiting = 0;
    for (std::unique_ptr<Block>& block : blocks) {
      bool in_grid_barrier = false;
      ROCFORGE_RETURN_IF_ERROR(RunBlock(launch, *block, &in_grid_barrier));
      waiting += in_grid_barrier;
    }
    if (waiting == 0) return {};
    if (waiting != blocks.size()) {
      return Internal(
          Format("kernel {}: {} of {} blocks wait in GridBarrier, the others have ended",
                 launch.kernel->name, waiting, blocks.size()));
    }
    for (std::unique_ptr<Block>& block : blocks) {
      for (std::unique_ptr<Lane>& lane : block->lanes) lane->wait = Wait::kReady;
    }
  }
}

}  // namespace

bool Register(const KernelInfo& info) {
  const bool is_new =
      Registry().emplace(std::pair(std::string(info.name), info.wave_size), info).second;
  ROCFORGE_CHECK(is_new);
  return true;
}

const KernelInfo* Find(const char* name, uint32_t wave_size) {
  const auto found = Registry().find({name, wave_size});
  return found == Registry().end() ? nullptr : &found->second;
}

Status Launch(const KernelInfo& kernel, const LaunchShape& shape, std::span<const std::byte> args) {
  if (args.size() != kernel.args_bytes) {
    return InvalidArgument(Format("kernel {} takes {} bytes of arguments, not {}", kernel.name,
                                  kernel.args_bytes, args.size()));
  }
  if (shape.grid_x == 0 || shape.grid_y == 0 || shape.block == 0 ||
      shape.block % kernel.wave_size != 0 || shape.block > kernel.max_threads) {
    return InvalidArgument(
        Format("kernel {} cannot be launched with {} x {} blocks of {} threads (waves of {}, at "
               "most {} threads)",
               kernel.name, shape.grid_x, shape.grid_y, shape.block, kernel.wave_size,
               kernel.max_threads));
  }
  LaunchState launch;
  launch.kernel = &kernel;
  launch.shape = shape;
  launch.args.assign(args.begin(), args.end());
  LaunchState* const outer = std::exchange(current_launch, &launch);
  const Status status = shape.cooperative ? RunCooperative(launch) : RunIndependent(launch);
  current_launch = outer;
  return status;
}

const Position& Current() { return current_lane->position; }

uint32_t Shuffle(uint32_t value, uint32_t source_lane, Site site) {
  current_lane->value = value;
  current_lane->source = source_lane;
  return static_cast<uint32_t>(WaitIn(Wait::kShuffle, site).result);
}

uint64_t Ballot(bool predicate, Site site) {
  current_lane->value = predicate;
  return WaitIn(Wait::kBallot, site).result;
}

void BlockBarrier(Site site) { WaitIn(Wait::kBlockBarrier, site); }

void GridBarrier(uint32_t* counter, uint32_t n_blocks, Site site) {
  const LaunchShape& shape = current_launch->shape;
  ROCFORGE_CHECK(n_blocks == shape.grid_x * shape.grid_y);
  if (current_lane->position.thread == 0) *counter += 1;
  WaitIn(Wait::kGridBarrier, site);
}

void* SharedBlock(size_t bytes) {
  Block& block = *current_lane->block;
  if (block.shared == nullptr) {
    block.shared.reset(static_cast<std::byte*>(::operator new[](bytes, kSharedAlignment)));
    block.shared_bytes = bytes;
    std::memset(block.shared.get(), 0xFF, bytes);
  }
  ROCFORGE_CHECK(block.shared_bytes == bytes);  // a kernel uses one T
  return block.shared.get();
}

void ArriveAtPhase(PhaseState& state, uint32_t bytes) {
  ROCFORGE_CHECK(state.arrived < state.expected);  // one arrival too many
  ++state.arrived;
  state.bytes += bytes;
  EndPhaseIfComplete(state);
}

void WaitForPhase(PhaseState& state, uint32_t parity, Site site) {
  CompleteHeldCopies(*current_lane->block, &state);
  if (PhaseEnded(state, parity)) return;
  current_lane->phase = &state;
  current_lane->parity = parity;
  WaitIn(Wait::kPhase, site);
}

void CopyForPhase(void* to, const void* from, uint32_t bytes, PhaseState& state) {
  ROCFORGE_CHECK(
      (reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from) | bytes) % 16 == 0);
  Block& block = *current_lane->block;
  const HeldCopy copy{to, from, bytes, &state};
  if (block.n_copies++ % 2 == 0) {
    CompleteCopy(copy);
  } else {
    block.held.push_back(copy);
  }
}

// A read-modify-write that all fences share orders them as fences would; the thread sanitizer does
// not know fences.
void DeviceFence() {
  static std::atomic<uint32_t> order{0};
  order.fetch_add(0, std::memory_order_acq_rel);
}

uint64_t Clock() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

float HalfToFloat(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1Fu;
  const uint32_t fraction = bits & 0x3FFu;
  if (exponent == 0) {  // zero and subnormals: fraction * 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t wide =
      exponent == 31 ? 0x7F800000u | fraction << 13 : (exponent + 112) << 23 | fraction << 13;
  return __builtin_bit_cast(float, sign | wide);
}

uint16_t FloatToHalf(float value) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  const uint32_t sign = bits >> 16 & 0x8000u;
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return static_cast<uint16_t>(sign | 0x7E00u);  // NaN
  if (magnitude >= 0x477FF000u)
    return static_cast<uint16_t>(sign | 0x7C00u);  // rounds to 65536 or more
  if (magnitude < 0x38800000u) {                   // below 2^-14: subnormal or zero
    // Adding 0.5 * 2^-13 leaves the result's bits at the bottom of the fraction, rounded to nearest
    // even.
    const float shifted = __builtin_bit_cast(float, magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (__builtin_bit_cast(uint32_t, shifted) - 0x3F000000u));
  }
  const uint32_t rounded = magnitude + 0xFFFu + (magnitude >> 13 & 1u);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

float AtomicAdd(float* p, float v) {
  uint32_t* bits = reinterpret_cast<uint32_t*>(p);
  uint32_t old = __atomic_load_n(bits, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(
      bits, &old, __builtin_bit_cast(uint32_t, __builtin_bit_cast(float, old) + v), false,
      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return __builtin_bit_cast(float, old);
}

}  // namespace rocforge::port::sim
