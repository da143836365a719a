// Notes the device's clock when everything before it in the stream is done.
//   One wave, 24 bytes. Runs between ops, also inside a captured graph: replays append to the ring,
//   which is why the place is counted on the device. Where launches overlap, it lets the op after
//   it begin its prefetches at once, as the op before it would have done.
#include "kernels/gpu/ops/op_stamp_args.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {

RF_KERNEL(op_stamp, gpu::OpStampArgs, 64) {
  LetNextStart();
  AwaitPrevious();
  if (ThreadId() != 0) return;
  const uint64_t n = *args.count;
  gpu::OpStamp& stamp = args.ring[n % args.capacity];
  stamp.clock = Clock();
  stamp.id = args.id;
  *args.count = n + 1;
}

}  // namespace rocforge::port
