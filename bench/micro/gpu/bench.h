// The frame of the GPU kernel benchmarks. A file <op>.cc beside this one defines a function that
// times its cases, and registers it:
//
//   void MyOp(Bench& bench) {
//     if (!bench.Wants("my_op 4096")) return;
//     ... bind copies[i] of the op, together larger than the L2 ...
//     bench.Run("my_op 4096", copies.size(),
//               [&](const Stream& s, size_t i) { return copies[i]->Enqueue(s, shape); },
//               {.bytes = bytes_of_one, .ops = ops_of_one});
//   }
//   const bool registered = Register(MyOp);
//
// What is measured: `count` launches, each on its own copy of the data, captured in one graph and
// dependent on each other as in a model's step; warmed up, then the median of kReplays replays by
// driver events.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "device/gpu/device.h"
#include "kernels/gpu/launch/bound_op.h"
#include "kernels/gpu/launch/modules.h"
#include "kernels/op/call.h"
#include "rocforge/status.h"

namespace rocforge::gpu::bench {

// What one launch must move and compute; 0 is not shown.
struct Work {
  double bytes = 0;
  double ops = 0;
};

class Bench {
 public:
  // device_name: "nvidia", "amd", "sim32", "sim64"; "" the first card that there is. filter: cases
  // whose name contains it. rotation_bytes: what the copies of a case should add up to.
  // overlap: launches may start before the one before them has ended, where kernels allow it.
  static Result<Bench> Create(const std::string& device_name, const std::string& filter,
                              int64_t rotation_bytes, bool overlap);

  bool Wants(const std::string& name) const;
  // Prints the ceiling and the head of the table.
  Status MeasureCeiling();
  // Times and prints one line. An error is printed in the line's place; the others go on.
  using Enqueue = std::function<Status(const Stream&, size_t i)>;
  void Run(const std::string& name, size_t count, const Enqueue& enqueue, const Work& work);
  // The same for a case whose unit is a whole pass over `count` launches: work and time are those
  // of the pass, and passes per second are shown.
  void RunPass(const std::string& name, size_t count, const Enqueue& enqueue, const Work& work);
  void Fail(const std::string& name, const Status& status) const;

  const std::shared_ptr<Device>& device() const { return device_; }
  const Modules& modules() const { return *modules_; }
  const Stream& stream() const { return stream_; }
  int64_t rotation_bytes() const { return rotation_bytes_; }
  // Copies of `bytes` that make a rotation, at least 2.
  size_t CopiesOf(int64_t bytes) const;

  // Device memory of floats about 1 in size; of zeroes; of packed weights with valid scales.
  Result<Buffer> Floats(int64_t n) const;
  Result<Buffer> Zeroes(int64_t bytes) const;
  Result<Buffer> Weights(const op::TensorDesc& desc) const;
  // A context with `scratch`, which the caller keeps.
  BindContext Context(const Buffer& scratch) const;

 private:
  Result<double> SecondsOfGraph(size_t count, const Enqueue& enqueue) const;
  Result<Buffer> Repeat(const void* data, int64_t bytes, int64_t total) const;

  std::shared_ptr<Device> device_;
  std::shared_ptr<Modules> modules_;
  Stream stream_;
  std::string filter_;
  int64_t rotation_bytes_ = 0;
  double ceiling_ = 0;  // bytes a second
};

using Function = void (*)(Bench&);
bool Register(Function function);  // at static initialisation; always true
const std::vector<Function>& Registered();

inline void* Pointer(const Buffer& buffer) {
  return reinterpret_cast<void*>(static_cast<uintptr_t>(buffer.ptr()));
}

}  // namespace rocforge::gpu::bench
