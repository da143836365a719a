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
// What is measured: `count` launches, each on its own copy of the data, captured in one graph
// (bench/kernels/gpu_target.h); warmed up, then the median of kReplays replays.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/kernels/gpu_target.h"
#include "rocforge/status.h"

namespace rocforge::gpu::bench {

// What one launch must move and compute; 0 is not shown.
struct Work {
  double bytes = 0;
  double ops = 0;
};

using rocforge::bench::Enqueue;

class Bench {
 public:
  // device_name: "nvidia", "amd", "sim32", "sim64"; "" the first card that there is. filter: cases
  // whose name contains it. rotation_bytes: what the copies of a case should add up to.
  // overlap: launches may start before the one before them has ended, where kernels allow it.
  // chains: how many sequences of launches, each dependent on the one before it, run side by side.
  static Result<Bench> Create(const std::string& device_name, const std::string& filter,
                              int64_t rotation_bytes, bool overlap, size_t chains);

  const rocforge::bench::GpuTarget& target() const { return target_; }
  bool Wants(const std::string& name) const;
  // Prints the ceiling and the head of the table.
  Status MeasureCeiling();
  // Times and prints one line. An error is printed in the line's place; the others go on.
  void Run(const std::string& name, size_t count, const Enqueue& enqueue, const Work& work);
  // The same for a case whose unit is a whole pass over `count` launches: work and time are those
  // of the pass, and passes per second are shown.
  void RunPass(const std::string& name, size_t count, const Enqueue& enqueue, const Work& work);
  void Fail(const std::string& name, const Status& status) const;

 private:
  Result<double> SecondsOfGraph(size_t count, const Enqueue& enqueue) const;

  rocforge::bench::GpuTarget target_;
  std::string filter_;
  size_t chains_ = 1;
  double ceiling_ = 0;  // bytes a second
};

using Function = void (*)(Bench&);
bool Register(Function function);  // at static initialisation; always true
const std::vector<Function>& Registered();

}  // namespace rocforge::gpu::bench
