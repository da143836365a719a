#include "graph/plan.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "base/format.h"
#include "base/round_up.h"

namespace rocforge::graph {
namespace {

constexpr int64_t kAlignment = 64;  // a cache line; also the widest vector load

// Free ranges of an arena that grows at its end as needed; best fit, neighbours merged.
class Arena {
 public:
  int64_t Take(int64_t bytes) {
    auto best = free_.end();
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->second >= bytes && (best == free_.end() || it->second < best->second)) best = it;
    }
    if (best == free_.end()) return Grow(bytes);
    const auto [offset, size] = *best;
    free_.erase(best);
    if (size > bytes) free_.emplace(offset + bytes, size - bytes);
    return offset;
  }

  void Give(int64_t offset, int64_t bytes) {
    auto [it, inserted] = free_.emplace(offset, bytes);
    if (const auto next = std::next(it);
        next != free_.end() && it->first + it->second == next->first) {
      it->second += next->second;
      free_.erase(next);
    }
    if (it == free_.begin()) return;
    const auto before = std::prev(it);
    if (before->first + before->second == it->first) {
      before->second += it->second;
      free_.erase(it);
    }
  }

  int64_t size() const { return size_; }

 private:
  // A free range at the end is used as the start of the new one.
  int64_t Grow(int64_t bytes) {
    int64_t offset = size_;
    if (!free_.empty()) {
      const auto last = std::prev(free_.end());
      if (last->first + last->second == size_) {
        offset = last->first;
        free_.erase(last);
      }
    }
    size_ = offset + bytes;
    return offset;
  }

  std::map<int64_t, int64_t> free_;  // offset -> bytes
  int64_t size_ = 0;
};

// The input whose memory the op's single output may take over, or kNoValue (op.h: "in place").
ValueId InPlaceInput(const Node& node) {
  if (node.out.size() != 1) return kNoValue;
  switch (node.kind()) {
    case op::Kind::kNorm:
    case op::Kind::kRope:
    case op::Kind::kRopeKvAppend:
    case op::Kind::kGlu:
    case op::Kind::kAdd:
    case op::Kind::kScale:
    case op::Kind::kSoftCap:
      return node.in[0];
    case op::Kind::kMatMul:
      return std::get<op::MatMul>(node.params).has_residual ? node.in.back() : kNoValue;
    default:
      return kNoValue;
  }
}

class Placer {
 public:
  Placer(const Graph& graph, const PlanLimits& limits)
      : graph_(graph),
        limits_(limits),
        remaining_(graph.UseCounts()),
        offsets_(graph.values.size(), -1) {}

  void Place(const Node& node) {
    for (ValueId id : node.in) --remaining_[Index(id)];
    const ValueId reused = Reusable(node);
    for (ValueId id : node.out)
      offsets_[Index(id)] = reused != kNoValue ? offsets_[Index(reused)] : arena_.Take(Bytes(id));
    std::vector<ValueId> dead;
    for (ValueId id : node.in) {
      if (id != reused && Dead(id)) dead.push_back(id);
    }
    for (ValueId id : node.out) {
      if (remaining_[Index(id)] == 0) dead.push_back(id);
    }
    std::sort(dead.begin(), dead.end());
    dead.erase(std::unique(dead.begin(), dead.end()), dead.end());
    for (ValueId id : dead) arena_.Give(offsets_[Index(id)], Bytes(id));
  }

  int64_t arena_bytes() const { return arena_.size(); }
  std::vector<int64_t> TakeOffsets() { return std::move(offsets_); }

 private:
  static size_t Index(ValueId id) { return static_cast<size_t>(id); }
  bool Dead(ValueId id) const {
    return !graph_.values[Index(id)].is_weight() && remaining_[Index(id)] == 0;
  }
  int64_t Bytes(ValueId id) const {
    const int64_t bytes = graph_.value(id).At(limits_.max_tokens, limits_.max_outputs).bytes();
    return std::max(kAlignment, RoundUp(bytes, kAlignment));
  }
  ValueId Reusable(const Node& node) const {
    const ValueId id = InPlaceInput(node);
    if (id == kNoValue || !Dead(id) || Bytes(id) != Bytes(node.out[0])) return kNoValue;
    // Read twice by this op (x + x): the second read would see the output.
    return std::count(node.in.begin(), node.in.end(), id) == 1 ? id : kNoValue;
  }

  const Graph& graph_;
  const PlanLimits limits_;
  std::vector<int32_t> remaining_;
  std::vector<int64_t> offsets_;
  Arena arena_;
};

}  // namespace

Result<Plan> BuildPlan(Graph graph, const PassOptions& options, const PlanLimits& limits) {
  constexpr int64_t kMost = int64_t{1} << 24;
  if (limits.max_tokens < 1 || limits.max_outputs < 1 || limits.max_tokens > kMost ||
      limits.max_outputs > kMost) {
    return InvalidArgument(Format("a step of {} tokens and {} outputs is out of range",
                                  limits.max_tokens, limits.max_outputs));
  }
  ROCFORGE_RETURN_IF_ERROR(graph.Verify());
  Plan plan;
  plan.graph = std::move(graph);
  plan.limits = limits;
  ROCFORGE_ASSIGN_OR_RETURN(plan.passes, RunPasses(plan.graph, options));
  Placer placer(plan.graph, limits);
  for (const Node& node : plan.graph.nodes) placer.Place(node);
  plan.arena_bytes = placer.arena_bytes();
  plan.offsets = placer.TakeOffsets();
  return plan;
}

}  // namespace rocforge::graph
