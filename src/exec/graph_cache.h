// Captured graphs by the shape of the steps that they run.
#pragma once

#include <cstdint>
#include <vector>

#include "device/gpu/device.h"
#include "exec/executor.h"
#include "kernels/gpu/launch/bound_op.h"

namespace rocforge::exec {

struct GraphKey {
  gpu::StepShape shape;
  Wanted wanted = Wanted::kLogits;
  bool edited = false;   // edits logits before it chooses
  bool stamped = false;  // has stamps between the ops
  bool operator==(const GraphKey&) const = default;
};

// A bounded number of graphs; the one unused for longest makes room. Capturing costs milliseconds,
// so a shape earns its graph by coming a second time.
class GraphCache {
 public:
  static constexpr size_t kMaxGraphs = 48;
  // Longer steps keep the device busy for longer than their launches take.
  static constexpr int32_t kMaxTokens = 128;

  struct Entry {
    GraphKey key;
    gpu::Graph graph;
    int64_t kernels = 0;                // stamps not counted
    std::vector<int32_t> node_kernels;  // of each node, if stamped
    uint64_t last_use = 0;
    bool captured = false;
  };

  GraphCache() { entries_.reserve(kMaxGraphs); }

  // The entry of a shape: made, without a graph, when it comes for the first time. Valid until the
  // next call. `first` says that it is new.
  Entry& Find(const GraphKey& key, bool* first);

  size_t size() const { return entries_.size(); }

 private:
  std::vector<Entry> entries_;
  uint64_t clock_ = 0;
};

}  // namespace rocforge::exec
