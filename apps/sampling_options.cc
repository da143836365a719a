#include "apps/sampling_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>
#include <variant>

#include "base/format.h"
#include "sample/random.h"

namespace rocforge::apps {
namespace {

using sample::SamplerParams;
using Member = std::variant<float SamplerParams::*, int32_t SamplerParams::*>;

struct NumberOption {
  const char* flags;  // as CLI11 takes them; the first long one is the name
  const char* name;
  Member member;
  const char* help;
};

const std::vector<NumberOption>& NumberOptions() {
  using P = SamplerParams;
  static const std::vector<NumberOption> options = {
      {"--temperature,--temp", "temperature", &P::temperature, "0: always the best token"},
      {"--top-k", "top-k", &P::top_k, "the K best tokens; 0: off"},
      {"--top-p", "top-p", &P::top_p, "the best tokens that make up P; 1: off"},
      {"--min-p", "min-p", &P::min_p, "tokens at least P times as likely as the best; 0: off"},
      {"--typical", "typical", &P::typical_p, "locally typical tokens; 1: off"},
      {"--top-n-sigma", "top-n-sigma", &P::top_n_sigma,
       "logits within N standard deviations of the best; 0: off"},
      {"--xtc-probability", "xtc-probability", &P::xtc_probability,
       "chance to exclude the top choices; 0: off"},
      {"--xtc-threshold", "xtc-threshold", &P::xtc_threshold, "what is a top choice"},
      {"--repeat-penalty", "repeat-penalty", &P::repetition_penalty,
       "divides the logits of tokens seen; 1: off"},
      {"--repeat-last-n", "repeat-last-n", &P::penalty_last_n,
       "tokens that the penalties look back on; -1: all"},
      {"--presence-penalty", "presence-penalty", &P::presence_penalty,
       "subtracted from tokens seen; 0: off"},
      {"--frequency-penalty", "frequency-penalty", &P::frequency_penalty,
       "subtracted for each time seen; 0: off"},
      {"--dry-multiplier", "dry-multiplier", &P::dry_multiplier,
       "penalty of repeated sequences (DRY); 0: off"},
      {"--dry-base", "dry-base", &P::dry_base, "growth of the DRY penalty per token"},
      {"--dry-allowed-length", "dry-allowed-length", &P::dry_allowed_length,
       "longest repetition without penalty"},
      {"--dry-last-n", "dry-last-n", &P::dry_last_n, "tokens that DRY looks back on; -1: all"},
      {"--mirostat", "mirostat", &P::mirostat, "2: Mirostat 2 instead of top-k and so on; 0: off"},
      {"--mirostat-tau", "mirostat-tau", &P::mirostat_tau, "surprise aimed at, in bits"},
      {"--mirostat-eta", "mirostat-eta", &P::mirostat_eta, "learning rate"},
  };
  return options;
}

Status ParseFloat(std::string_view text, float* value) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (error == std::errc() && end == text.data() + text.size() && !std::isnan(*value)) return {};
  return InvalidArgument(Format("'{}' is not a number", EscapeForTerminal(text, 40)));
}

template <typename T>
Status ParseInteger(std::string_view text, T* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (error == std::errc() && end == text.data() + text.size()) return {};
  return InvalidArgument(Format("'{}' is not a whole number", EscapeForTerminal(text, 40)));
}

// A whole number, or -1 for a random one.
Status ParseSeed(std::string_view text, uint64_t* seed) {
  if (text != "-1") return ParseInteger(text, seed);
  *seed = sample::RandomSeed();
  return {};
}

// "ID=+1.5", "ID=-inf" (or with ':' for '=').
Result<std::pair<int32_t, float>> ParseLogitBias(std::string_view text) {
  const size_t split = text.find_first_of("=:");
  std::pair<int32_t, float> bias;
  if (split == std::string_view::npos || !ParseInteger(text.substr(0, split), &bias.first).ok() ||
      !ParseFloat(text.substr(split + 1), &bias.second).ok()) {
    return InvalidArgument(
        Format("--logit-bias '{}': expected ID=NUMBER, such as 42=+1.5 or "
               "42=-inf",
               EscapeForTerminal(text, 40)));
  }
  return bias;
}

}  // namespace

void AddSamplingFlags(Command command, SamplingFlags* flags) {
  const std::string group = "Sampling";
  for (const NumberOption& option : NumberOptions()) {
    std::visit(
        [&](auto member) {
          command.AddOption(option.flags, flags->params.*member, option.help)
              .TypeName("N")
              .ShowDefault()
              .Group(group);
        },
        option.member);
  }
  command
      .AddOption("--dry-breaker", flags->dry_breakers,
                 "text at which a repetition ends (repeatable; replaces the defaults)")
      .TypeName("TEXT")
      .Repeatable()
      .Group(group);
  command
      .AddOptionFunction(
          "--samplers",
          [flags](const std::string& order) {
            flags->order = order;
            flags->order_given = true;
          },
          "which samplers run, in which order: penalties, dry, top_n_sigma, top_k, typical, "
          "top_p, min_p, xtc, temperature (the default)")
      .TypeName("ORDER")
      .Group(group);
  command
      .AddOption("--logit-bias", flags->logit_bias,
                 "add to a token's logit, such as 42=+1.5 or 42=-inf (repeatable)")
      .TypeName("ID=N")
      .Repeatable()
      .Group(group);
  command
      .AddOption("-s,--seed", flags->seed, "the same seed gives the same text (default -1: random)")
      .TypeName("N")
      .Group(group);
}

Result<SamplerParams> ToSamplerParams(const SamplingFlags& flags) {
  SamplerParams params = flags.params;
  ROCFORGE_RETURN_IF_ERROR(ParseSeed(flags.seed, &params.seed).WithContext("--seed"));
  if (!flags.dry_breakers.empty()) params.dry_sequence_breakers = flags.dry_breakers;
  if (flags.order_given) {
    Result<std::vector<sample::SamplerKind>> order = sample::ParseOrder(flags.order);
    if (!order.ok()) return order.status().WithContext("--samplers");
    params.order = std::move(order).value();
  }
  for (const std::string& text : flags.logit_bias) {
    ROCFORGE_ASSIGN_OR_RETURN(const auto bias, ParseLogitBias(text));
    params.logit_bias.push_back(bias);
  }
  ROCFORGE_RETURN_IF_ERROR(sample::Validate(params, std::numeric_limits<int32_t>::max()));
  return params;
}

Status SetSamplingParam(std::string_view name, const std::string& value, SamplerParams* params) {
  std::string wanted(name);
  std::replace(wanted.begin(), wanted.end(), '_', '-');
  SamplerParams changed = *params;
  if (wanted == "seed") {
    ROCFORGE_RETURN_IF_ERROR(ParseSeed(value, &changed.seed));
    *params = std::move(changed);
    return {};
  }
  for (const NumberOption& option : NumberOptions()) {
    if (wanted != option.name) continue;
    const Status parsed = std::visit(
        [&](auto member) {
          if constexpr (std::is_same_v<decltype(member), float SamplerParams::*>) {
            return ParseFloat(value, &(changed.*member));
          } else {
            return ParseInteger(value, &(changed.*member));
          }
        },
        option.member);
    ROCFORGE_RETURN_IF_ERROR(parsed);
    ROCFORGE_RETURN_IF_ERROR(sample::Validate(changed, std::numeric_limits<int32_t>::max()));
    *params = std::move(changed);
    return {};
  }
  return InvalidArgument(Format("there is no parameter '{}'", EscapeForTerminal(name, 40)));
}

std::vector<std::pair<std::string, std::string>> ListSamplingParams(const SamplerParams& params) {
  std::vector<std::pair<std::string, std::string>> list;
  for (const NumberOption& option : NumberOptions()) {
    list.emplace_back(
        option.name,
        std::visit([&](auto member) { return Format("{}", params.*member); }, option.member));
  }
  list.emplace_back("seed", Format("{}", params.seed));
  return list;
}

}  // namespace rocforge::apps
