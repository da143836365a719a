#include "apps/sampling_options.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <cmath>

#include "apps/run_stats.h"
#include "apps/table.h"
#include "tests/testing.h"

namespace rocforge::apps {
namespace {

// Parses as the command line does.
Result<sample::SamplerParams> Parse(const std::string& line) {
  CLI::App app;
  SamplingFlags flags;
  AddSamplingFlags(app, &flags);
  try {
    app.parse(line, false);
  } catch (const CLI::ParseError& error) {
    return InvalidArgument(error.what());
  }
  return ToSamplerParams(flags);
}

TEST(SamplingOptionsTest, EveryFlagReachesItsParameter) {
  const Result<sample::SamplerParams> p = Parse(
      "--temperature 0.5 --top-k 7 --top-p 0.8 --min-p 0.1 --typical 0.9 --top-n-sigma 2 "
      "--xtc-probability 0.3 --xtc-threshold 0.2 --repeat-penalty 1.1 --repeat-last-n 32 "
      "--presence-penalty 0.4 --frequency-penalty 0.6 --dry-multiplier 0.8 --dry-base 2 "
      "--dry-allowed-length 3 --dry-last-n 100 --mirostat 2 --mirostat-tau 4 --mirostat-eta 0.2 "
      "--seed 42 --logit-bias 5=+1.5 --logit-bias 6=-inf --samplers top_k,temperature "
      "--dry-breaker x");
  ASSERT_OK(p);
  EXPECT_EQ(p->temperature, 0.5f);
  EXPECT_EQ(p->top_k, 7);
  EXPECT_EQ(p->top_p, 0.8f);
  EXPECT_EQ(p->min_p, 0.1f);
  EXPECT_EQ(p->typical_p, 0.9f);
  EXPECT_EQ(p->top_n_sigma, 2.0f);
  EXPECT_EQ(p->xtc_probability, 0.3f);
  EXPECT_EQ(p->xtc_threshold, 0.2f);
  EXPECT_EQ(p->repetition_penalty, 1.1f);
  EXPECT_EQ(p->penalty_last_n, 32);
  EXPECT_EQ(p->presence_penalty, 0.4f);
  EXPECT_EQ(p->frequency_penalty, 0.6f);
  EXPECT_EQ(p->dry_multiplier, 0.8f);
  EXPECT_EQ(p->dry_base, 2.0f);
  EXPECT_EQ(p->dry_allowed_length, 3);
  EXPECT_EQ(p->dry_last_n, 100);
  EXPECT_EQ(p->mirostat, 2);
  EXPECT_EQ(p->mirostat_tau, 4.0f);
  EXPECT_EQ(p->mirostat_eta, 0.2f);
  EXPECT_EQ(p->seed, 42u);
  EXPECT_EQ(p->dry_sequence_breakers, std::vector<std::string>{"x"});
  ASSERT_EQ(p->logit_bias.size(), 2u);
  EXPECT_EQ(p->logit_bias[0], std::make_pair(5, 1.5f));
  EXPECT_TRUE(std::isinf(p->logit_bias[1].second));
  EXPECT_EQ(p->order.size(), 2u);
}

TEST(SamplingOptionsTest, SeedsAreRandomUnlessGiven) {
  EXPECT_NE(Parse("")->seed, Parse("")->seed);
  EXPECT_NE(Parse("--seed -1")->seed, Parse("--seed -1")->seed);
  EXPECT_EQ(Parse("--seed 18446744073709551615")->seed, UINT64_MAX);
}

TEST(SamplingOptionsTest, BadValues) {
  for (const char* line :
       {"--seed x", "--seed 1.5", "--seed -2", "--seed 18446744073709551616", "--top-k x",
        "--logit-bias 5", "--logit-bias =1", "--logit-bias 5=x", "--logit-bias 5=nan",
        "--samplers top_k,top_k", "--temperature inf", "--min-p -0.1"}) {
    EXPECT_EQ(Parse(line).status().code(), StatusCode::kInvalidArgument) << line;
  }
}

TEST(SamplingOptionsTest, SetByName) {
  sample::SamplerParams params;
  ASSERT_OK(SetSamplingParam("temperature", "0.25", &params));
  EXPECT_EQ(params.temperature, 0.25f);
  ASSERT_OK(SetSamplingParam("top_k", "3", &params));
  EXPECT_EQ(params.top_k, 3);
  ASSERT_OK(SetSamplingParam("seed", "9", &params));
  EXPECT_EQ(params.seed, 9u);
  for (const auto& [name, value] :
       {std::pair{"temperature", "warm"}, {"temperature", "-1"}, {"top-p", "2"}, {"color", "1"}}) {
    EXPECT_EQ(SetSamplingParam(name, value, &params).code(), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(params.temperature, 0.25f);
  // Every parameter that is listed can be set to the value that is shown.
  for (const auto& [name, value] : ListSamplingParams(params)) {
    EXPECT_OK(SetSamplingParam(name, value, &params));
  }
}

TEST(RunStatsTest, LinesFitTheTerminal) {
  const std::vector<std::string> parts = {"one two", "three", "four"};
  EXPECT_EQ(JoinParts(parts, 0), "one two | three | four\n");
  EXPECT_EQ(JoinParts(parts, 15), "one two | three\nfour\n");
  EXPECT_EQ(JoinParts(parts, 14), "one two\nthree | four\n");
  EXPECT_EQ(JoinParts(parts, 3), "one two\nthree\nfour\n");
  EXPECT_EQ(JoinParts({}, 80), "\n");
}

TEST(RunStatsTest, SaysWhatWasMeasuredAndNothingElse) {
  RunReport report;
  report.outcome.reason = session::FinishReason::kLength;
  report.outcome.stats.prompt_tokens = 1;
  const auto text = [&] { return JoinParts(StatsParts(report), 0); };
  EXPECT_EQ(text(), "prompt 1 token | generated 0 tokens | token limit\n");
  session::GenerateStats& s = report.outcome.stats;
  s = {.prompt_tokens = 100,
       .reused_tokens = 60,
       .generated_tokens = 11,
       .decode_steps = 10,
       .prompt_seconds = 0.5,
       .first_token_seconds = 0.6,
       .decode_seconds = 2,
       .decode_bytes = 4e9};
  report.bandwidth = BandwidthUse{.bytes_per_s = 2e9, .bytes_per_token = 4e8};
  EXPECT_EQ(text(),
            "prompt 100 tokens (60 cached), 80.0 tok/s | generated 11 tokens, 5.00 tok/s | "
            "first token 600 ms | 2.00 GB/s | token limit\n");
  report.bandwidth->fraction = 1.12;
  report.bandwidth->weights_fit_cache = true;
  report.outcome.reason = session::FinishReason::kStop;
  report.outcome.stop_string = "\n";
  EXPECT_NE(text().find("112 % of memory bandwidth (weights fit the cache) | stopped at \"\\n\""),
            std::string::npos)
      << text();
}

TEST(TableTest, AlignsByDisplayColumns) {
  Table table({Align::kLeft, Align::kRight});
  table.AddRow({"\xE4\xB8\xAD", "1"});
  table.AddTitle("a title that is wider");
  table.AddRow({"abc", "234"});
  EXPECT_EQ(table.ToString(), "\xE4\xB8\xAD     1\na title that is wider\nabc  234\n");
  EXPECT_EQ(table.width(), 8);
}

}  // namespace
}  // namespace rocforge::apps
