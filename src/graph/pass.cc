#include "graph/pass.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/format.h"
#include "graph/passes/passes.h"

namespace rocforge::graph {

std::span<const Pass> AllPasses() {
  static constexpr Pass kPasses[] = {
      {"remove_dead", "drops ops whose results nobody reads (exact)", RemoveDead},
      {"merge_matmul", "one op for products of the same activation: QKV, gate and up (exact)",
       MergeMatMul},
      {"fuse_glu", "the GLU in the epilogue of gate and up (exact)", FuseGlu},
      {"fuse_residual", "the residual addition in the epilogue of a product (exact)", FuseResidual},
      {"fuse_rope_kv", "rotation of queries and keys with the append to the cache (exact)",
       FuseRopeKv},
  };
  return kPasses;
}

std::vector<int32_t> Producers(const Graph& graph) {
  std::vector<int32_t> producers(graph.values.size(), -1);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (ValueId id : graph.nodes[i].out)
      producers[static_cast<size_t>(id)] = static_cast<int32_t>(i);
  }
  return producers;
}

void EraseNodes(Graph& graph, const std::vector<bool>& erase) {
  std::vector<Node> kept;
  kept.reserve(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!erase[i]) kept.push_back(std::move(graph.nodes[i]));
  }
  graph.nodes = std::move(kept);
}

void AddNote(PassReport& report, std::string note) {
  constexpr size_t kMaxNotes = 16;  // a model of a hundred layers repeats itself
  if (report.notes.size() < kMaxNotes &&
      std::find(report.notes.begin(), report.notes.end(), note) == report.notes.end()) {
    report.notes.push_back(std::move(note));
  }
}

namespace {

Status CheckNames(const std::vector<std::string>& names) {
  std::string known = "all";
  for (const Pass& pass : AllPasses()) known += Format(", {}", pass.name);
  for (const std::string& name : names) {
    const auto passes = AllPasses();
    const bool found = name == "all" || std::any_of(passes.begin(), passes.end(),
                                                    [&](const Pass& p) { return name == p.name; });
    if (!found) return InvalidArgument(Format("unknown pass '{}'; known: {}", name, known));
  }
  return {};
}

}  // namespace

Result<std::vector<PassReport>> RunPasses(Graph& graph, const PassOptions& options) {
  ROCFORGE_RETURN_IF_ERROR(CheckNames(options.disabled));
  const auto disabled = [&](std::string_view name) {
    return std::any_of(options.disabled.begin(), options.disabled.end(),
                       [&](const std::string& d) { return d == name || d == "all"; });
  };
  std::vector<PassReport> reports;
  for (const Pass& pass : AllPasses()) {
    PassReport report;
    report.pass = pass.name;
    report.enabled = !disabled(pass.name);
    report.nodes_before = graph.nodes.size();
    if (report.enabled) {
      const auto begin = std::chrono::steady_clock::now();
      report.rewrites = pass.run(graph, report);
      report.time_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                           std::chrono::steady_clock::now() - begin)
                           .count();
      ROCFORGE_RETURN_IF_ERROR(graph.Verify().WithContext(Format("after pass {}", pass.name)));
    }
    report.nodes_after = graph.nodes.size();
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace rocforge::graph
