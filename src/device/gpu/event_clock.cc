#include "device/gpu/event_clock.h"

#include <utility>

namespace rocforge::gpu {
namespace {

class EventClock final : public prof::KernelClock {
 public:
  EventClock(Event begin, Event end, const Stream* stream)
      : begin_(std::move(begin)), end_(std::move(end)), stream_(stream) {}

  Status MarkBegin() override { return stream_->Record(begin_); }
  Status MarkEnd() override { return stream_->Record(end_); }
  Result<double> Seconds() override {
    ROCFORGE_RETURN_IF_ERROR(end_.Synchronize());
    return end_.SecondsSince(begin_);
  }

 private:
  Event begin_;
  Event end_;
  const Stream* stream_;
};

}  // namespace

Result<std::unique_ptr<prof::KernelClock>> MakeEventClock(
    const std::shared_ptr<const Device>& device, const Stream* stream) {
  ROCFORGE_ASSIGN_OR_RETURN(Event begin, Event::Create(device));
  ROCFORGE_ASSIGN_OR_RETURN(Event end, Event::Create(device));
  return std::unique_ptr<prof::KernelClock>(
      std::make_unique<EventClock>(std::move(begin), std::move(end), stream));
}

}  // namespace rocforge::gpu
