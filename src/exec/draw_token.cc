#include "exec/draw_token.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/format.h"
#include "exec/executor.h"

namespace rocforge::exec {
namespace {

struct Item {
  int32_t token;
  double logit;
};

// How many of the items, by descending logit, a cut keeps.
size_t KeptBy(DrawStep step, const TokenDraw& draw, const std::vector<Item>& items) {
  const double best = items[0].logit;
  if (step == DrawStep::kTopK) return std::min<size_t>(items.size(), draw.top_k);
  size_t n = 0;
  if (step == DrawStep::kMinP) {
    while (n < items.size() && items[n].logit - best >= draw.min_p_log) ++n;
    return n;
  }
  double mass = 0;
  for (const Item& item : items) mass += std::exp(item.logit - best);
  mass *= draw.top_p;
  double sum = 0;
  for (; n < items.size() && (n == 0 || sum < mass); ++n) sum += std::exp(items[n].logit - best);
  return n;
}

}  // namespace

uint32_t PackDrawSteps(std::span<const DrawStep> steps) {
  uint32_t packed = 0;
  for (size_t i = 0; i < steps.size(); ++i) packed |= static_cast<uint32_t>(steps[i]) << (4 * i);
  return packed;
}

Status CheckDraws(const op::Step& step, Wanted wanted, std::span<const TokenDraw> draws) {
  const size_t n = wanted == Wanted::kDrawnTokens ? static_cast<size_t>(step.n_outputs) : 0;
  if (draws.size() == n) return {};
  return InvalidArgument(Format("{} tokens are to be drawn by {} draws", n, draws.size()));
}

StepCounters& StepCounters::operator+=(const StepCounters& other) {
  launches += other.launches;
  graph_launches += other.graph_launches;
  graph_kernels += other.graph_kernels;
  captures += other.captures;
  synchronisations += other.synchronisations;
  allocations += other.allocations;
  bytes_to_device += other.bytes_to_device;
  bytes_to_host += other.bytes_to_host;
  return *this;
}

int32_t DrawToken(std::span<const float> logits, const TokenDraw& draw) {
  std::vector<Item> items;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] <= std::numeric_limits<float>::max())) return kNoBestToken;
    if (logits[i] == -std::numeric_limits<float>::infinity()) continue;
    items.push_back({static_cast<int32_t>(i), logits[i]});
  }
  if (items.empty()) return kNoBestToken;
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.logit > b.logit; });
  for (uint32_t packed = draw.steps; packed != 0; packed >>= 4) {
    const auto step = static_cast<DrawStep>(packed & 15);
    if (step == DrawStep::kTemperature) {
      for (Item& item : items) item.logit /= draw.temperature;
    } else {
      items.resize(KeptBy(step, draw, items));
    }
  }
  const double best = items[0].logit;
  std::sort(items.begin(), items.end(),
            [](const Item& a, const Item& b) { return a.token < b.token; });
  double total = 0;
  for (const Item& item : items) total += std::exp(item.logit - best);
  double before = 0;
  int32_t token = kNoBestToken;
  for (const Item& item : items) {
    const double weight = std::exp(item.logit - best);
    if (!(weight > 0)) continue;
    token = item.token;  // rounding may carry the target past the last one
    before += weight;
    if (before > draw.unit * total) break;
  }
  return token;
}

}  // namespace rocforge::exec
