#include "prof/kernel_timer.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "base/format.h"

namespace rocforge::prof {
namespace {

class SteadyClock final : public KernelClock {
 public:
  Status MarkBegin() override {
    begin_ns_ = NowNs();
    return {};
  }
  Status MarkEnd() override {
    end_ns_ = NowNs();
    return {};
  }
  Result<double> Seconds() override { return static_cast<double>(end_ns_ - begin_ns_) * 1e-9; }

 private:
  int64_t begin_ns_ = 0;
  int64_t end_ns_ = 0;
};

struct Collected {
  std::mutex mutex;
  std::map<std::string, KernelTime, std::less<>> times;
};
Collected& All() {
  static Collected collected;
  return collected;
}

}  // namespace

KernelTimer KernelTimer::ForKernel(std::string_view name, std::unique_ptr<KernelClock> clock) {
  if (clock == nullptr) clock = std::make_unique<SteadyClock>();
  return KernelTimer(std::string(name), std::move(clock));
}

Status KernelTimer::Start() {
  if (state_ == State::kRunning)
    return FailedPrecondition(Format("timer '{}' was started and not stopped", name_));
  ROCFORGE_RETURN_IF_ERROR(clock_->MarkBegin());
  state_ = State::kRunning;
  return {};
}

Status KernelTimer::Stop() {
  if (state_ != State::kRunning)
    return FailedPrecondition(Format("timer '{}' was stopped before it was started", name_));
  ROCFORGE_RETURN_IF_ERROR(clock_->MarkEnd());
  state_ = State::kStopped;
  return {};
}

Result<double> KernelTimer::Elapsed() const {
  if (state_ != State::kStopped)
    return FailedPrecondition(Format("timer '{}' was read before it was stopped", name_));
  return clock_->Seconds();
}

void EnableKernelTimes(bool on) { kernel_times_enabled.store(on, std::memory_order_relaxed); }

void AddKernelTime(std::string_view name, double seconds) {
  Collected& all = All();
  const std::lock_guard lock(all.mutex);
  auto found = all.times.find(name);
  if (found == all.times.end()) {
    found = all.times.emplace(std::string(name), KernelTime{std::string(name)}).first;
  }
  found->second.calls += 1;
  found->second.seconds += seconds;
}

std::vector<KernelTime> CollectedKernelTimes() {
  Collected& all = All();
  std::vector<KernelTime> times;
  {
    const std::lock_guard lock(all.mutex);
    for (const auto& [name, time] : all.times) times.push_back(time);
  }
  std::sort(times.begin(), times.end(), [](const KernelTime& a, const KernelTime& b) {
    return a.seconds != b.seconds ? a.seconds > b.seconds : a.name < b.name;
  });
  return times;
}

void ClearKernelTimes() {
  Collected& all = All();
  const std::lock_guard lock(all.mutex);
  all.times.clear();
}

void ScopedTimer::Begin(const char* name) {
  name_ = name;
  begin_ns_ = NowNs();
}

void ScopedTimer::End() { AddKernelTime(name_, static_cast<double>(NowNs() - begin_ns_) * 1e-9); }

}  // namespace rocforge::prof
