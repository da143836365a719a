// Times of named pieces of work, collected over the process: on a GPU by driver events, on the CPU
// by a steady clock. Off by default; ROCFORGE_TIME_KERNEL then costs a load and a branch.
//
//   Status F(const Stream& stream) {
//     ROCFORGE_TIME_KERNEL("attention");     // this scope, on the CPU
//     ...
//   }
//   prof::KernelTimer timer = prof::KernelTimer::ForKernel("attention", clock);   // a GPU's
//   timer.Start(); launch(); timer.Stop(); Result<double> s = timer.Elapsed();
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::prof {

// What a KernelTimer reads: one mark at the begin, one at the end. device/gpu/event_clock.h has the
// one of a stream; without one a timer uses the host's steady clock.
class KernelClock {
 public:
  virtual ~KernelClock() = default;
  virtual Status MarkBegin() = 0;
  virtual Status MarkEnd() = 0;
  // Seconds between the two marks; waits until the work between them is done.
  virtual Result<double> Seconds() = 0;
};

// One stretch of work after the other under one name. Not thread-safe; movable.
class KernelTimer {
 public:
  // `clock` null: the host's steady clock.
  static KernelTimer ForKernel(std::string_view name, std::unique_ptr<KernelClock> clock = nullptr);
  KernelTimer(KernelTimer&&) noexcept = default;
  KernelTimer& operator=(KernelTimer&&) noexcept = default;

  const std::string& name() const { return name_; }
  // kFailedPrecondition if it runs already.
  Status Start();
  // kFailedPrecondition before Start.
  Status Stop();
  // Seconds from the last Start to its Stop. kFailedPrecondition before Stop; on a GPU waits for
  // the work and reports the driver's errors.
  Result<double> Elapsed() const;

 private:
  enum class State : uint8_t { kFresh, kRunning, kStopped };
  KernelTimer(std::string name, std::unique_ptr<KernelClock> clock)
      : name_(std::move(name)), clock_(std::move(clock)) {}

  std::string name_;
  std::unique_ptr<KernelClock> clock_;
  State state_ = State::kFresh;
};

// What was collected under a name while timing was on.
struct KernelTime {
  std::string name;
  int64_t calls = 0;
  double seconds = 0;  // inner scopes count for their own name and for those around them
};

// Whether ROCFORGE_TIME_KERNEL and ScopedTimer collect. Thread-safe.
void EnableKernelTimes(bool on);
inline std::atomic<bool> kernel_times_enabled{false};
inline bool KernelTimesEnabled() { return kernel_times_enabled.load(std::memory_order_relaxed); }

// What was collected since the last ClearKernelTimes, by descending time. Thread-safe.
std::vector<KernelTime> CollectedKernelTimes();
void ClearKernelTimes();

// Adds one call under a name. Thread-safe.
void AddKernelTime(std::string_view name, double seconds);

// Times its scope by the host's steady clock. `name` outlives it. Scopes nest and may be in any
// thread.
class ScopedTimer {
 public:
  explicit ScopedTimer(const char* name) {
    if (KernelTimesEnabled()) Begin(name);
  }
  ~ScopedTimer() {
    if (name_ != nullptr) End();
  }
  ScopedTimer(const ScopedTimer&) = delete;
  ScopedTimer& operator=(const ScopedTimer&) = delete;

 private:
  void Begin(const char* name);
  void End();
  const char* name_ = nullptr;
  int64_t begin_ns_ = 0;
};

}  // namespace rocforge::prof

#define ROCFORGE_TIME_KERNEL_JOIN2(a, b) a##b
#define ROCFORGE_TIME_KERNEL_JOIN(a, b) ROCFORGE_TIME_KERNEL_JOIN2(a, b)
// Times the rest of the scope under `name`, where timing is on.
#define ROCFORGE_TIME_KERNEL(name) \
  const ::rocforge::prof::ScopedTimer ROCFORGE_TIME_KERNEL_JOIN(kernel_timer_, __LINE__)(name)
