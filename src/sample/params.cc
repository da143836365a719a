#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/format.h"
#include "sample/sampler.h"

namespace rocforge::sample {
namespace {

struct NamedKind {
  SamplerKind kind;
  const char* name;
};

constexpr NamedKind kKinds[] = {
    {SamplerKind::kPenalties, "penalties"},
    {SamplerKind::kDry, "dry"},
    {SamplerKind::kTopNSigma, "top_n_sigma"},
    {SamplerKind::kTopK, "top_k"},
    {SamplerKind::kTypical, "typical"},
    {SamplerKind::kTopP, "top_p"},
    {SamplerKind::kMinP, "min_p"},
    {SamplerKind::kXtc, "xtc"},
    {SamplerKind::kTemperature, "temperature"},
};

std::string AllNames() {
  std::string names;
  for (const NamedKind& entry : kKinds) {
    if (!names.empty()) names += ", ";
    names += entry.name;
  }
  return names;
}

std::string Normalised(std::string_view text) {
  std::string name;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c)) != 0) continue;
    name += c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return name;
}

// A parameter that must lie in [low, high]; NaN never does.
struct Range {
  const char* name;
  double value;
  double low;
  double high;
};

Status CheckRanges(const SamplerParams& p) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  constexpr double kMax = std::numeric_limits<float>::max();
  constexpr double kTiny = std::numeric_limits<float>::min();
  const Range ranges[] = {
      {"temperature", p.temperature, 0, kMax},
      {"top_p", p.top_p, 0, 1},
      {"min_p", p.min_p, 0, 1},
      {"typical_p", p.typical_p, 0, 1},
      {"top_n_sigma", p.top_n_sigma, -kInf, kMax},
      {"xtc_probability", p.xtc_probability, 0, 1},
      {"xtc_threshold", p.xtc_threshold, 0, 1},
      {"penalty_last_n", static_cast<double>(p.penalty_last_n), -1, kInf},
      {"repetition_penalty", p.repetition_penalty, kTiny, kMax},
      {"presence_penalty", p.presence_penalty, -kMax, kMax},
      {"frequency_penalty", p.frequency_penalty, -kMax, kMax},
      {"dry_multiplier", p.dry_multiplier, 0, kMax},
      {"dry_base", p.dry_base, 1, kMax},
      {"dry_allowed_length", static_cast<double>(p.dry_allowed_length), 1, kInf},
      {"dry_last_n", static_cast<double>(p.dry_last_n), -1, kInf},
      {"mirostat_tau", p.mirostat_tau, kTiny, kMax},
      {"mirostat_eta", p.mirostat_eta, kTiny, kMax},
  };
  for (const Range& r : ranges) {
    if (r.value >= r.low && r.value <= r.high) continue;
    const std::string allowed = r.low == kTiny   ? "a finite number above 0"
                                : r.high < kMax  ? Format("in [{}, {}]", r.low, r.high)
                                : r.low == -kMax ? "finite"
                                : r.low == -kInf ? "a number (0 or less turns it off)"
                                                 : Format("a finite number, at least {}", r.low);
    return InvalidArgument(Format("{} is {}; it must be {}", r.name, r.value, allowed));
  }
  return {};
}

}  // namespace

const char* SamplerKindName(SamplerKind kind) {
  for (const NamedKind& entry : kKinds) {
    if (entry.kind == kind) return entry.name;
  }
  return "unknown";
}

std::vector<SamplerKind> DefaultOrder() {
  std::vector<SamplerKind> order;
  for (const NamedKind& entry : kKinds) order.push_back(entry.kind);
  return order;
}

Result<std::vector<SamplerKind>> ParseOrder(std::string_view text) {
  std::vector<SamplerKind> order;
  if (Normalised(text).empty()) return order;
  while (true) {
    const size_t comma = text.find(',');
    const std::string name = Normalised(text.substr(0, comma));
    const auto* const entry = std::find_if(std::begin(kKinds), std::end(kKinds),
                                           [&](const NamedKind& k) { return name == k.name; });
    if (entry == std::end(kKinds)) {
      return InvalidArgument(
          Format("unknown sampler '{}'; known are: {}", EscapeForTerminal(name, 40), AllNames()));
    }
    if (std::find(order.begin(), order.end(), entry->kind) != order.end())
      return InvalidArgument(Format("sampler '{}' is named twice in the order", name));
    order.push_back(entry->kind);
    if (comma == std::string_view::npos) return order;
    text.remove_prefix(comma + 1);
  }
}

Status Validate(const SamplerParams& params, int64_t n_vocab) {
  if (n_vocab < 1 || n_vocab > INT32_MAX)
    return InvalidArgument(Format("a vocabulary of {} tokens cannot be sampled", n_vocab));
  ROCFORGE_RETURN_IF_ERROR(CheckRanges(params));
  if (params.mirostat != 0 && params.mirostat != 2)
    return InvalidArgument(Format("mirostat is {}; it must be 0 (off) or 2", params.mirostat));
  for (const auto& [token, bias] : params.logit_bias) {
    if (token < 0 || token >= n_vocab) {
      return InvalidArgument(
          Format("logit bias for token {}: the vocabulary has tokens 0 to {}", token, n_vocab - 1));
    }
    if (std::isnan(bias) || bias == std::numeric_limits<float>::infinity()) {
      return InvalidArgument(
          Format("logit bias of token {} is {}; it must be finite, or -infinity to ban the token",
                 token, bias));
    }
  }
  for (size_t i = 0; i < params.order.size(); ++i) {
    const auto begin = params.order.begin();
    if (std::find(begin, begin + static_cast<std::ptrdiff_t>(i), params.order[i]) !=
        begin + static_cast<std::ptrdiff_t>(i)) {
      return InvalidArgument(
          Format("sampler '{}' is named twice in the order", SamplerKindName(params.order[i])));
    }
  }
  return {};
}

std::vector<int32_t> TokensContaining(std::span<const std::string> texts, int64_t n_vocab,
                                      const std::function<std::string(int32_t)>& text_of) {
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < n_vocab; ++id) {
    const std::string token = text_of(id);
    const bool contains = std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
      return !text.empty() && token.find(text) != std::string::npos;
    });
    if (contains) ids.push_back(id);
  }
  return ids;
}

}  // namespace rocforge::sample
