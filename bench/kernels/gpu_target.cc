#include "bench/kernels/gpu_target.h"

#include <algorithm>
#include <random>
#include <utility>

#include "bench/kernels/data.h"
#include "kernels/gpu/layout/weights.h"

namespace rocforge::bench {

using gpu::Buffer;

namespace {

// The streams of a graph's chains: the capturing one, and others that branch off it.
class Chains {
 public:
  static Result<Chains> Create(const std::shared_ptr<const gpu::Device>& device,
                               const gpu::Stream& stream, size_t count) {
    Chains chains(stream);
    ROCFORGE_ASSIGN_OR_RETURN(chains.fork_, gpu::Event::Create(device));
    for (size_t i = 1; i < count; ++i) {
      Branch branch;
      ROCFORGE_ASSIGN_OR_RETURN(branch.stream, gpu::Stream::Create(device));
      ROCFORGE_ASSIGN_OR_RETURN(branch.join, gpu::Event::Create(device));
      chains.branches_.push_back(std::move(branch));
    }
    return chains;
  }

  const gpu::Stream& operator[](size_t i) const {
    const size_t chain = i % (branches_.size() + 1);
    return chain == 0 ? *stream_ : branches_[chain - 1].stream;
  }
  Status Fork() const {
    if (branches_.empty()) return {};
    ROCFORGE_RETURN_IF_ERROR(stream_->Record(fork_));
    for (const Branch& b : branches_) ROCFORGE_RETURN_IF_ERROR(b.stream.Wait(fork_));
    return {};
  }
  Status Join() const {
    for (const Branch& b : branches_) {
      ROCFORGE_RETURN_IF_ERROR(b.stream.Record(b.join));
      ROCFORGE_RETURN_IF_ERROR(stream_->Wait(b.join));
    }
    return {};
  }

 private:
  struct Branch {
    gpu::Stream stream;
    gpu::Event join;
  };
  explicit Chains(const gpu::Stream& stream) : stream_(&stream) {}

  const gpu::Stream* stream_;
  gpu::Event fork_;
  std::vector<Branch> branches_;
};

}  // namespace

Result<TimedGraph> TimedGraph::Capture(const std::shared_ptr<const gpu::Device>& device,
                                       const gpu::Stream& stream, size_t count,
                                       const Enqueue& enqueue, size_t chains) {
  ROCFORGE_ASSIGN_OR_RETURN(const Chains streams, Chains::Create(device, stream, chains));
  ROCFORGE_RETURN_IF_ERROR(enqueue(stream, 0));
  ROCFORGE_RETURN_IF_ERROR(stream.Synchronize());
  ROCFORGE_RETURN_IF_ERROR(stream.BeginCapture());
  Status captured = streams.Fork();
  for (size_t i = 0; i < count && captured.ok(); ++i) captured = enqueue(streams[i], i);
  if (captured.ok()) captured = streams.Join();
  TimedGraph timed;
  ROCFORGE_ASSIGN_OR_RETURN(timed.graph_, stream.EndCapture());
  ROCFORGE_RETURN_IF_ERROR(captured);
  ROCFORGE_ASSIGN_OR_RETURN(timed.begin_, gpu::Event::Create(device));
  ROCFORGE_ASSIGN_OR_RETURN(timed.end_, gpu::Event::Create(device));
  timed.count_ = count;
  return timed;
}

Result<double> TimedGraph::Replay(const gpu::Stream& stream) const {
  ROCFORGE_RETURN_IF_ERROR(stream.Record(begin_));
  ROCFORGE_RETURN_IF_ERROR(stream.Launch(graph_));
  ROCFORGE_RETURN_IF_ERROR(stream.Record(end_));
  ROCFORGE_RETURN_IF_ERROR(end_.Synchronize());
  return end_.SecondsSince(begin_);
}

Result<GpuTarget> GpuTarget::Create(std::shared_ptr<const gpu::Device> device,
                                    std::shared_ptr<const gpu::Modules> modules,
                                    int64_t rotation_bytes) {
  GpuTarget target;
  target.device_ = std::move(device);
  target.modules_ = std::move(modules);
  ROCFORGE_RETURN_IF_ERROR(target.device_->MakeCurrent());
  ROCFORGE_ASSIGN_OR_RETURN(target.stream_, gpu::Stream::Create(target.device_));
  target.rotation_bytes_ =
      rotation_bytes > 0 ? rotation_bytes : RotationBytes(target.device_->info().l2_bytes);
  if (target.simulated()) target.rotation_bytes_ = 1;  // its times mean nothing
  return target;
}

bool GpuTarget::simulated() const { return device_->driver().vendor() == gpu::Vendor::kSim; }

size_t GpuTarget::CopiesOf(int64_t bytes) const {
  return static_cast<size_t>(bench::CopiesOf(bytes, rotation_bytes_));
}

Result<Buffer> GpuTarget::Repeat(const void* data, int64_t bytes, int64_t total) const {
  ROCFORGE_ASSIGN_OR_RETURN(Buffer buffer, Buffer::Allocate(device_, total));
  int64_t done = std::min(bytes, total);
  ROCFORGE_RETURN_IF_ERROR(stream_.CopyToDevice(
      buffer.ptr(), {static_cast<const std::byte*>(data), static_cast<size_t>(done)}));
  while (done < total) {
    const int64_t more = std::min(done, total - done);
    ROCFORGE_RETURN_IF_ERROR(
        stream_.CopyOnDevice(buffer.ptr() + static_cast<gpu::DevicePtr>(done), buffer.ptr(), more));
    done += more;
  }
  ROCFORGE_RETURN_IF_ERROR(stream_.Synchronize());
  return buffer;
}

Result<Buffer> GpuTarget::Floats(int64_t n) const {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(std::min<int64_t>(n, 1 << 16)));
  for (float& v : values) v = normal(random);
  return Repeat(values.data(), static_cast<int64_t>(values.size() * sizeof(float)),
                n * static_cast<int64_t>(sizeof(float)));
}

Result<Buffer> GpuTarget::Zeroes(int64_t bytes) const {
  ROCFORGE_ASSIGN_OR_RETURN(Buffer buffer, Buffer::Allocate(device_, std::max<int64_t>(bytes, 16)));
  ROCFORGE_RETURN_IF_ERROR(stream_.Fill(buffer.ptr(), 0, buffer.bytes()));
  ROCFORGE_RETURN_IF_ERROR(stream_.Synchronize());
  return buffer;
}

Result<Buffer> GpuTarget::Weights(const op::TensorDesc& desc) const {
  op::TensorDesc some = desc;
  some.outer = 1;
  some.rows = std::min<int64_t>(desc.outer * desc.rows, 8);
  const std::vector<std::byte> rows = RandomRows(some);
  std::vector<std::byte> packed(static_cast<size_t>(gpu::PackedBytes(some)));
  ROCFORGE_RETURN_IF_ERROR(gpu::PackRows(some, rows.data(), packed.data(), 0, some.rows));
  return Repeat(packed.data(), static_cast<int64_t>(packed.size()), gpu::PackedBytes(desc));
}

Result<Buffer> GpuTarget::Integers(std::span<const int32_t> values) const {
  const auto bytes = static_cast<int64_t>(values.size_bytes());
  return Repeat(values.data(), bytes, bytes);
}

gpu::BindContext GpuTarget::Context(const Buffer& scratch) const {
  gpu::BindContext context;
  context.device = device_;
  context.modules = modules_.get();
  context.scratch = scratch.ptr();
  context.scratch_bytes = scratch.bytes();
  return context;
}

}  // namespace rocforge::bench
