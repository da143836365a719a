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

double WeightOf(const Item& item, double best) { return std::exp(item.logit - best); }

double MassOf(const std::vector<Item>& items) {
  double mass = 0;
  for (const Item& item : items) mass += WeightOf(item, items[0].logit);
  return mass;
}

// How many of the first items it takes until they weigh that much; at least one.
size_t CountOfMass(const std::vector<Item>& items, double best, double mass) {
  double sum = 0;
  size_t n = 0;
  for (; n < items.size() && (n == 0 || sum < mass); ++n) sum += WeightOf(items[n], best);
  return n;
}

void SortByLogit(std::vector<Item>& items) {
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  });
}

void KeepTypical(const TokenDraw& draw, std::vector<Item>& items) {
  const double best = items[0].logit;
  const double mass = MassOf(items);
  double mean = 0;  // of how far below the best one: the entropy, but for what all have in common
  for (const Item& item : items) mean += WeightOf(item, best) * (best - item.logit) / mass;
  const auto distance = [&](const Item& item) { return std::abs(best - item.logit - mean); };
  std::sort(items.begin(), items.end(), [&](const Item& a, const Item& b) {
    return distance(a) != distance(b) ? distance(a) < distance(b) : a.token < b.token;
  });
  items.resize(CountOfMass(items, best, draw.typical_p * mass));
  SortByLogit(items);
}

void DropTopChoices(const TokenDraw& draw, std::vector<Item>& items) {
  const double limit = draw.xtc_threshold * MassOf(items);
  size_t above = 0;
  while (above < items.size() && WeightOf(items[above], items[0].logit) >= limit) ++above;
  if (above < 2) return;
  items.erase(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(above - 1));
}

// What top-n-sigma lets be the distance to the best logit.
double SigmaDistance(const TokenDraw& draw, const std::vector<Item>& items) {
  const auto n = static_cast<double>(items.size());
  double mean = 0;
  for (const Item& item : items) mean += item.logit / n;
  double variance = 0;
  for (const Item& item : items) variance += (item.logit - mean) * (item.logit - mean) / n;
  return draw.top_n_sigma * std::sqrt(variance);
}

// Of the items, by descending logit.
void Cut(DrawStep step, const TokenDraw& draw, std::vector<Item>& items) {
  const double best = items[0].logit;
  const auto keep_above = [&](double distance) {  // the best one always
    size_t n = 1;
    while (n < items.size() && best - items[n].logit <= distance) ++n;
    items.resize(n);
  };
  switch (step) {
    case DrawStep::kTopK:
      return items.resize(std::min<size_t>(items.size(), draw.top_k));
    case DrawStep::kTopP:
      return items.resize(CountOfMass(items, best, draw.top_p * MassOf(items)));
    case DrawStep::kMinP:
      return keep_above(-draw.min_p_log);
    case DrawStep::kTopNSigma:
      return keep_above(SigmaDistance(draw, items));
    case DrawStep::kTypical:
      return KeepTypical(draw, items);
    case DrawStep::kXtc:
      return DropTopChoices(draw, items);
    case DrawStep::kMirostat:
      return keep_above(-std::log(draw.mirostat_least * MassOf(items)));
    case DrawStep::kTemperature:
      for (Item& item : items) item.logit /= draw.temperature;
      return;
    case DrawStep::kEnd:
      return;
  }
}

}  // namespace

uint32_t PackDrawSteps(std::span<const DrawStep> steps) {
  uint32_t packed = 0;
  for (size_t i = 0; i < steps.size(); ++i) packed |= static_cast<uint32_t>(steps[i]) << (4 * i);
  return packed;
}

Status CheckChoice(const op::Step& step, const Choice& choice) {
  const auto n_rows = static_cast<size_t>(step.n_outputs);
  const size_t n_draws = choice.wanted == Wanted::kDrawnTokens ? n_rows : 0;
  if (choice.draws.size() != n_draws) {
    return InvalidArgument(
        Format("{} tokens are to be drawn by {} draws", n_draws, choice.draws.size()));
  }
  if (choice.edits.empty()) return {};
  if (choice.edits.size() != n_rows || choice.wanted == Wanted::kLogits) {
    return InvalidArgument(Format("there are edits of {} rows of logits for tokens chosen in {}",
                                  choice.edits.size(), n_rows));
  }
  for (const EditLists& row : choice.edits) {
    const size_t n = row[0].size() + row[1].size() + row[2].size();
    if (n > kMostEdits)
      return InvalidArgument(Format("{} edits of a row of logits, at most {}", n, kMostEdits));
  }
  return {};
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

DrawnToken DrawToken(std::span<const float> logits, const TokenDraw& draw) {
  std::vector<Item> items;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] <= std::numeric_limits<float>::max())) return {};
    if (logits[i] == -std::numeric_limits<float>::infinity()) continue;
    items.push_back({static_cast<int32_t>(i), logits[i]});
  }
  if (items.empty()) return {};
  SortByLogit(items);
  for (uint32_t packed = draw.steps; packed != 0; packed >>= 4)
    Cut(static_cast<DrawStep>(packed & 15), draw, items);
  const double best = items[0].logit;
  const double total = MassOf(items);
  std::sort(items.begin(), items.end(),
            [](const Item& a, const Item& b) { return a.token < b.token; });
  double before = 0;
  DrawnToken drawn;
  for (const Item& item : items) {
    const double weight = WeightOf(item, best);
    if (!(weight > 0)) continue;
    // Rounding may carry the target past the last one.
    drawn = {item.token, static_cast<float>(std::log2(total / weight))};
    before += weight;
    if (before > draw.unit * total) break;
  }
  return drawn;
}

void EditLogits(const EditLists& edits, std::span<float> logits) {
  for (const std::span<const LogitEdit> list : edits) {
    for (const LogitEdit& edit : list) {
      float& logit = logits[static_cast<size_t>(edit.token)];
      logit = Edited(logit, edit);
    }
  }
}

}  // namespace rocforge::exec
