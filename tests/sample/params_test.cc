#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "sample/sampler.h"
#include "tests/testing.h"

namespace rocforge::sample {
namespace {

TEST(ParseOrder, NamesInAnyCaseWithSpacesAndHyphens) {
  const std::string all = "penalties,dry,top_n_sigma,top_k,typical,top_p,min_p,xtc,temperature";
  EXPECT_EQ(ParseOrder(all).value(), DefaultOrder());
  EXPECT_EQ(ParseOrder(" Top-K , temperature").value(),
            (std::vector<SamplerKind>{SamplerKind::kTopK, SamplerKind::kTemperature}));
  EXPECT_TRUE(ParseOrder("").value().empty());
}

TEST(ParseOrder, SaysWhatIsWrong) {
  for (const char* bad : {"top_k,", ",", "top_q", "top_k,top_k", "top_k;top_p"}) {
    const auto order = ParseOrder(bad);
    ASSERT_FALSE(order.ok()) << bad;
    EXPECT_EQ(order.status().code(), StatusCode::kInvalidArgument);
  }
  EXPECT_NE(ParseOrder("top_q").status().message().find("known are: penalties"), std::string::npos);
  EXPECT_NE(ParseOrder("xtc,xtc").status().message().find("twice"), std::string::npos);
}

TEST(Validate, AcceptsTheDefaultsAndTheExtremes) {
  EXPECT_OK(Validate(SamplerParams(), 1));
  SamplerParams p;
  p.temperature = 0;
  p.top_p = 0;
  p.min_p = 1;
  p.top_k = -1;
  p.penalty_last_n = -1;
  p.logit_bias = {{9, -std::numeric_limits<float>::infinity()}};
  EXPECT_OK(Validate(p, 10));
}

TEST(Validate, NamesTheParameterAndTheRange) {
  const float nan = std::nanf("");
  const auto message = [](auto change) {
    SamplerParams p;
    change(&p);
    const Status status = Validate(p, 10);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    return status.message();
  };
  EXPECT_EQ(message([](SamplerParams* p) { p->top_p = 1.5f; }),
            "top_p is 1.5; it must be in [0, 1]");
  EXPECT_EQ(message([&](SamplerParams* p) { p->min_p = nan; }),
            "min_p is nan; it must be in [0, 1]");
  EXPECT_EQ(message([](SamplerParams* p) { p->temperature = -1; }),
            "temperature is -1; it must be a finite number, at least 0");
  EXPECT_EQ(message([](SamplerParams* p) { p->repetition_penalty = 0; }),
            "repetition_penalty is 0; it must be a finite number above 0");
  EXPECT_EQ(message([](SamplerParams* p) { p->dry_allowed_length = 0; }),
            "dry_allowed_length is 0; it must be a finite number, at least 1");
  EXPECT_EQ(message([](SamplerParams* p) { p->mirostat = 1; }),
            "mirostat is 1; it must be 0 (off) or 2");
  EXPECT_EQ(message([](SamplerParams* p) { p->logit_bias = {{10, 1.0f}}; }),
            "logit bias for token 10: the vocabulary has tokens 0 to 9");
  EXPECT_NE(message([&](SamplerParams* p) { p->logit_bias = {{1, nan}}; }), "");
  EXPECT_NE(message([](SamplerParams* p) { p->logit_bias = {{1, INFINITY}}; }), "");
  EXPECT_NE(message([](SamplerParams* p) { p->order = {SamplerKind::kTopK, SamplerKind::kTopK}; }),
            "");
  EXPECT_FALSE(Validate(SamplerParams(), 0).ok());
  const std::vector<int32_t> breakers = {10};
  EXPECT_FALSE(Sampler::Create(SamplerParams(), 10, 100, breakers).ok());
}

TEST(TokensContaining, FindsTheTextsAnywhere) {
  const std::vector<std::string> tokens = {"a", "\n", "b\n\n", ": ", "", "x*y"};
  const std::vector<std::string> texts = {"\n", "*", ""};
  EXPECT_EQ(TokensContaining(texts, 6, [&](int32_t id) { return tokens[static_cast<size_t>(id)]; }),
            (std::vector<int32_t>{1, 2, 5}));
}

}  // namespace
}  // namespace rocforge::sample
