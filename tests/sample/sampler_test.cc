#include "sample/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

#include "tests/sample/reference.h"
#include "tests/testing.h"

namespace rocforge::sample {
namespace {

using testing::RandomLogits;
using testing::Reference;
using testing::RefToken;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Only the samplers named, with neutral parameters elsewhere.
SamplerParams Neutral(const std::string& order) {
  SamplerParams p;
  p.temperature = 1.0f;
  p.top_k = 0;
  p.top_p = 1.0f;
  p.min_p = 0.0f;
  p.order = ParseOrder(order).value();
  return p;
}

Sampler Make(const SamplerParams& params, size_t n_vocab, std::span<const int32_t> breakers = {}) {
  Result<Sampler> made = Sampler::Create(params, static_cast<int64_t>(n_vocab), 4096, breakers);
  EXPECT_OK(made);
  return std::move(made).value();
}

// The candidates after a Sample against the reference's tokens. A token may be missing or extra
// only if its key was within rounding of a cut; then the probabilities are not compared.
void ExpectSame(const CandidateView& got, const Reference& reference) {
  const std::vector<RefToken> want = reference.Tokens();
  std::set<int32_t> ids(got.ids.begin(), got.ids.end());
  bool equal = true;
  for (const RefToken& t : want) {
    if (ids.erase(t.id) > 0) continue;
    equal = false;
    EXPECT_LT(t.margin, 1e-5) << "token " << t.id << " is missing";
  }
  for (const int32_t extra : ids) {
    equal = false;
    const auto& nearly = reference.NearlyKept();
    EXPECT_NE(std::find(nearly.begin(), nearly.end(), extra), nearly.end())
        << "token " << extra << " should have been cut";
  }
  if (!equal) return;
  ASSERT_TRUE(std::is_sorted(got.ids.begin(), got.ids.end()));
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(got.ids[i], want[i].id);
    ASSERT_NEAR(got.probs[i], want[i].prob, 2e-6 + 2e-6 * want[i].prob) << "token " << want[i].id;
  }
}

class EachSize : public ::testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    const uint64_t seed = std::random_device()();
    RecordProperty("seed", std::to_string(seed));
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    gen_.seed(seed);
  }
  // Several random distributions, from flat to peaked, some with banned tokens.
  template <typename Check>
  void ForLogits(Check check) {
    for (const float sigma : {0.1f, 1.0f, 3.0f, 8.0f}) {
      std::vector<float> logits = RandomLogits(&gen_, GetParam(), sigma);
      check(logits);
      for (size_t i = 1; i < logits.size(); i += 3) logits[i] = -kInf;
      check(logits);
    }
  }
  std::mt19937_64 gen_;
};
INSTANTIATE_TEST_SUITE_P(Sizes, EachSize, ::testing::Values(1, 2, 3, 17, 64, 257, 5000));

TEST_P(EachSize, PlainSoftmax) {
  ForLogits([&](const std::vector<float>& logits) {
    Sampler sampler = Make(Neutral(""), logits.size());
    ASSERT_OK(sampler.Sample(logits));
    // Banned tokens stay in the view of an untruncated distribution with probability 0.
    const CandidateView view = sampler.candidates();
    ASSERT_EQ(view.ids.size(), logits.size());
    std::vector<double> want(logits.size(), 0.0);
    for (const RefToken& t : Reference(logits).Tokens()) want[static_cast<size_t>(t.id)] = t.prob;
    for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(view.probs[i], want[i], 2e-6);
  });
}

TEST_P(EachSize, TopK) {
  ForLogits([&](const std::vector<float>& logits) {
    for (const int k : {1, 2, 40, 511, 512, 513, 3000, 1 << 30}) {
      SCOPED_TRACE(k);
      SamplerParams p = Neutral("top_k");
      p.top_k = k;
      Sampler sampler = Make(p, logits.size());
      ASSERT_OK(sampler.Sample(logits));
      Reference ref(logits);
      ref.TopK(k);
      if (static_cast<size_t>(k) < logits.size()) {
        ExpectSame(sampler.candidates(), ref);
      } else {
        EXPECT_EQ(sampler.candidates().ids.size(), logits.size());
      }
    }
  });
}

TEST_P(EachSize, TopP) {
  ForLogits([&](const std::vector<float>& logits) {
    for (const float mass : {0.0f, 0.1f, 0.5f, 0.95f, 0.999999f}) {
      SCOPED_TRACE(mass);
      SamplerParams p = Neutral("top_p");
      p.top_p = mass;
      Sampler sampler = Make(p, logits.size());
      ASSERT_OK(sampler.Sample(logits));
      Reference ref(logits);
      ref.TopP(mass);
      ExpectSame(sampler.candidates(), ref);
    }
  });
}

TEST_P(EachSize, Typical) {
  ForLogits([&](const std::vector<float>& logits) {
    for (const float mass : {0.0f, 0.2f, 0.9f}) {
      SCOPED_TRACE(mass);
      SamplerParams p = Neutral("typical");
      p.typical_p = mass;
      Sampler sampler = Make(p, logits.size());
      ASSERT_OK(sampler.Sample(logits));
      Reference ref(logits);
      ref.Typical(mass);
      ExpectSame(sampler.candidates(), ref);
    }
  });
}

TEST_P(EachSize, MinP) {
  ForLogits([&](const std::vector<float>& logits) {
    for (const float share : {1e-6f, 0.05f, 0.5f, 1.0f}) {
      SCOPED_TRACE(share);
      SamplerParams p = Neutral("min_p");
      p.min_p = share;
      Sampler sampler = Make(p, logits.size());
      ASSERT_OK(sampler.Sample(logits));
      Reference ref(logits);
      ref.MinP(share);
      ExpectSame(sampler.candidates(), ref);
    }
  });
}

TEST_P(EachSize, TopNSigma) {
  ForLogits([&](const std::vector<float>& logits) {
    for (const float n : {0.01f, 1.0f, 2.5f}) {
      SCOPED_TRACE(n);
      SamplerParams p = Neutral("top_n_sigma");
      p.top_n_sigma = n;
      Sampler sampler = Make(p, logits.size());
      ASSERT_OK(sampler.Sample(logits));
      Reference ref(logits);
      ref.TopNSigma(n);
      ExpectSame(sampler.candidates(), ref);
    }
  });
}

TEST_P(EachSize, Xtc) {
  ForLogits([&](const std::vector<float>& logits) {
    for (const float threshold : {0.001f, 0.1f, 0.5f}) {
      SCOPED_TRACE(threshold);
      SamplerParams p = Neutral("min_p,xtc");
      p.min_p = 1e-30f;  // only so that banned tokens leave the view
      p.xtc_probability = 1.0f;
      p.xtc_threshold = threshold;
      Sampler sampler = Make(p, logits.size());
      ASSERT_OK(sampler.Sample(logits));
      Reference ref(logits);
      ref.Xtc(threshold);
      ExpectSame(sampler.candidates(), ref);
    }
  });
}

TEST_P(EachSize, WholeChainInRandomOrders) {
  ForLogits([&](const std::vector<float>& logits) {
    SamplerParams p;
    p.temperature = 0.6f;
    p.top_k = 50;
    p.top_p = 0.9f;
    p.min_p = 0.02f;
    p.typical_p = 0.95f;
    p.top_n_sigma = 3.0f;
    p.repetition_penalty = 1.3f;
    p.presence_penalty = 0.4f;
    p.frequency_penalty = 0.2f;
    p.penalty_last_n = 20;
    std::shuffle(p.order.begin(), p.order.end(), gen_);
    p.order.resize(gen_() % (p.order.size() + 1));
    Sampler sampler = Make(p, logits.size());
    std::vector<int32_t> history;
    for (int i = 0; i < 50; ++i) {
      history.push_back(static_cast<int32_t>(gen_() % std::min<size_t>(logits.size(), 30)));
      sampler.Accept(history.back());
    }
    ASSERT_OK(sampler.Sample(logits));
    Reference ref(logits);
    for (const SamplerKind kind : p.order) {
      const std::span<const int32_t> window(history.data() + 30, 20);
      if (kind == SamplerKind::kPenalties) ref.Penalties(window, 1.3f, 0.4f, 0.2f);
      if (kind == SamplerKind::kTopNSigma) ref.TopNSigma(3.0f);
      if (kind == SamplerKind::kTopK) ref.TopK(50);
      if (kind == SamplerKind::kTypical) ref.Typical(0.95f);
      if (kind == SamplerKind::kTopP) ref.TopP(0.9f);
      if (kind == SamplerKind::kMinP) ref.MinP(0.02f);
      if (kind == SamplerKind::kTemperature) ref.Temperature(0.6f);
    }
    const CandidateView view = sampler.candidates();
    if (view.ids.size() < logits.size()) ExpectSame(view, ref);
  });
}

TEST(Sampler, DryAgreesWithItsDefinition) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 gen(seed);
  const std::vector<int32_t> breakers = {4, 9};
  for (int trial = 0; trial < 300; ++trial) {
    SamplerParams p = Neutral("dry,min_p");
    p.min_p = 1e-30f;
    p.dry_multiplier = 0.8f;
    p.dry_allowed_length = 1 + static_cast<int32_t>(gen() % 4);
    p.dry_last_n = trial % 3 == 0 ? -1 : static_cast<int32_t>(gen() % 60);
    const size_t n_vocab = 12;
    const uint64_t alphabet = 2 + gen() % 10;  // few symbols: many and long repetitions
    Sampler sampler = Make(p, n_vocab, breakers);
    std::vector<int32_t> history;
    for (uint64_t i = gen() % 120; i > 0; --i) {
      history.push_back(static_cast<int32_t>(gen() % alphabet));
      sampler.Accept(history.back());
    }
    const std::vector<float> logits = RandomLogits(&gen, n_vocab, 1.0f);
    ASSERT_OK(sampler.Sample(logits));
    Reference ref(logits);
    size_t window = p.dry_last_n < 0 ? history.size() : static_cast<size_t>(p.dry_last_n);
    window = std::min(window, history.size());
    ref.Dry(std::span(history).last(window), p, breakers);
    // Long matches push a token so far down that it underflows to no candidate at all.
    const CandidateView view = sampler.candidates();
    for (const RefToken& t : ref.Tokens()) {
      const auto at = std::find(view.ids.begin(), view.ids.end(), t.id);
      const double got =
          at == view.ids.end() ? 0 : view.probs[static_cast<size_t>(at - view.ids.begin())];
      ASSERT_NEAR(got, t.prob, 3e-6) << "trial " << trial << " token " << t.id;
    }
  }
}

TEST(Sampler, DryPenaltyOfAHugeMatchDoesNotBanTheLastResort) {
  SamplerParams p = Neutral("dry");
  p.dry_multiplier = 1e30f;
  p.dry_base = 4.0f;
  Sampler sampler = Make(p, 2);
  for (int i = 0; i < 2000; ++i) sampler.Accept(0);
  EXPECT_EQ(sampler.Sample(std::vector<float>{5.0f, -5.0f}).value(), 1);
  EXPECT_EQ(sampler.Sample(std::vector<float>{5.0f, -kInf}).value(), 0);
}

TEST(Sampler, PenaltyWindowForgetsAndNeverForgets) {
  const std::vector<float> logits = {1.0f, 0.9f};
  SamplerParams p = Neutral("penalties");
  p.temperature = 0;
  p.presence_penalty = 0.5f;
  for (const int32_t last_n : {0, 2, -1}) {
    p.penalty_last_n = last_n;
    Sampler sampler = Make(p, 2);
    EXPECT_EQ(sampler.Sample(logits).value(), 0) << "empty history";
    sampler.Accept(0);
    EXPECT_EQ(sampler.Sample(logits).value(), last_n == 0 ? 0 : 1);
    sampler.Accept(1);
    sampler.Accept(1);
    EXPECT_EQ(sampler.Sample(logits).value(), 0);  // both seen, or only 1 in the window
    EXPECT_EQ(sampler.Sample(std::vector<float>{1.0f, 1.2f}).value(), last_n == 2 ? 0 : 1);
  }
}

TEST(Sampler, GreedyTakesTheLowestIdAmongEquals) {
  SamplerParams p;
  p.temperature = 0;
  p.xtc_probability = 1;
  Sampler sampler = Make(p, 5);
  EXPECT_EQ(sampler.Sample(std::vector<float>{1, 3, 2, 3, 3}).value(), 1);
  ASSERT_EQ(sampler.candidates().ids.size(), 1u);
  EXPECT_EQ(sampler.candidates().probs[0], 1.0f);
}

TEST(Sampler, TiesAtTheCutKeepTheLowestIds) {
  SamplerParams p = Neutral("top_k");
  p.top_k = 3;
  Sampler sampler = Make(p, 1000);
  std::vector<float> equal(1000, 0.5f);
  ASSERT_OK(sampler.Sample(equal));
  const CandidateView view = sampler.candidates();
  EXPECT_EQ(std::vector<int32_t>(view.ids.begin(), view.ids.end()),
            (std::vector<int32_t>{0, 1, 2}));
  for (const float prob : view.probs) EXPECT_FLOAT_EQ(prob, 1.0f / 3);

  p = Neutral("top_p");
  p.top_p = 0.25f;
  Sampler nucleus = Make(p, 1000);
  ASSERT_OK(nucleus.Sample(equal));
  EXPECT_EQ(nucleus.candidates().ids.size(), 250u);
  EXPECT_EQ(nucleus.candidates().ids.back(), 249);
}

TEST(Sampler, OneFiniteLogitWins) {
  for (const char* order : {"", "top_k,typical,top_p,min_p,xtc,temperature", "top_n_sigma",
                            "temperature,xtc,min_p,top_p,typical,top_k"}) {
    SamplerParams p;
    p.order = ParseOrder(order).value();
    p.typical_p = 0.5f;
    p.top_n_sigma = 1.0f;
    p.xtc_probability = 1.0f;
    std::vector<float> logits(300, -kInf);
    logits[123] = -40.0f;
    Sampler sampler = Make(p, logits.size());
    EXPECT_EQ(sampler.Sample(logits).value(), 123) << order;
  }
}

TEST(Sampler, BiasBansAndForces) {
  SamplerParams p;
  p.temperature = 0;
  p.logit_bias = {{2, -kInf}, {0, 5.0f}, {0, 1.0f}};
  Sampler sampler = Make(p, 3);
  EXPECT_EQ(sampler.Sample(std::vector<float>{-5.5f, 0, 9}).value(), 0);
  p.logit_bias = {{0, -kInf}, {1, -kInf}, {2, -kInf}};
  for (const float temperature : {0.0f, 0.8f}) {
    p.temperature = temperature;
    Sampler banned = Make(p, 3);
    const Result<int32_t> none = banned.Sample(std::vector<float>{0, 0, 0});
    ASSERT_FALSE(none.ok());
    EXPECT_EQ(none.status().code(), StatusCode::kFailedPrecondition);
  }
}

TEST(Sampler, BrokenLogitsAreAnError) {
  for (const float broken : {kNan, kInf, -kNan}) {
    for (const float temperature : {0.0f, 0.8f}) {
      SamplerParams p;
      p.temperature = temperature;
      Sampler sampler = Make(p, 100);
      std::vector<float> logits(100, 1.0f);
      logits[77] = broken;
      const Result<int32_t> drawn = sampler.Sample(logits);
      ASSERT_FALSE(drawn.ok());
      EXPECT_EQ(drawn.status().code(), StatusCode::kDataLoss);
      EXPECT_NE(drawn.status().message().find("token 77"), std::string::npos);
      logits[77] = 1.0f;
      EXPECT_OK(sampler.Sample(logits));  // the sampler stays usable
    }
  }
}

TEST(Sampler, HugeAndTinyValuesStayDefined) {
  SamplerParams p;
  p.temperature = 1e-5f;
  Sampler sampler = Make(p, 4);
  EXPECT_EQ(sampler.Sample(std::vector<float>{1e35f, 3e38f, -3e38f, 0}).value(), 1);
  p.temperature = 1e30f;
  Sampler hot = Make(p, 4);
  EXPECT_OK(hot.Sample(std::vector<float>{1e35f, 3e38f, -3e38f, 0}));
}

TEST(Sampler, XtcNeedsTwoTopChoicesAndActsAtItsProbability) {
  // softmax: 0.5, 0.3, 0.15, 0.05
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.15f),
                                     std::log(0.05f)};
  SamplerParams p = Neutral("xtc");
  p.xtc_threshold = 0.2f;
  p.xtc_probability = 0.25f;
  p.seed = 5;
  Sampler sampler = Make(p, 4);
  int excluded = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    ASSERT_OK(sampler.Sample(logits));
    excluded += sampler.candidates().ids[0] == 1 ? 1 : 0;
  }
  EXPECT_NEAR(excluded / static_cast<double>(kDraws), 0.25, 0.0153);  // 5 sigma
  p.xtc_probability = 1.0f;
  p.xtc_threshold = 0.4f;  // only one token reaches it
  Sampler single = Make(p, 4);
  ASSERT_OK(single.Sample(logits));
  EXPECT_EQ(single.candidates().ids.size(), 4u);
}

// Pearson's statistic of n draws against the probabilities that the sampler itself reported (which
// other tests compare with the reference). With a fixed seed this is deterministic.
double ChiSquare(const SamplerParams& params, const std::vector<float>& logits, int n,
                 size_t* freedom) {
  Sampler sampler = Make(params, logits.size());
  std::vector<double> seen(logits.size(), 0.0);
  for (int i = 0; i < n; ++i) {
    const Result<int32_t> token = sampler.Sample(logits);
    EXPECT_OK(token);
    seen[static_cast<size_t>(token.value())] += 1;
  }
  const CandidateView view = sampler.candidates();
  double statistic = 0;
  *freedom = view.ids.size() - 1;
  double covered = 0;
  for (size_t i = 0; i < view.ids.size(); ++i) {
    const double expected = static_cast<double>(view.probs[i]) * n;
    const double got = seen[static_cast<size_t>(view.ids[i])];
    statistic += (got - expected) * (got - expected) / expected;
    covered += got;
  }
  EXPECT_EQ(covered, n) << "a token outside the candidates was drawn";
  return statistic;
}

TEST(Sampler, DrawsFollowTheProbabilities) {
  std::mt19937_64 gen(20240901);
  for (const uint64_t seed : {1u, 2u, 3u}) {
    for (const char* order : {"temperature", "top_k,temperature", "top_p,min_p,temperature"}) {
      SamplerParams p = Neutral(order);
      p.seed = seed;
      p.temperature = 0.9f;
      p.top_k = 12;
      p.top_p = 0.9f;
      p.min_p = 0.01f;
      size_t freedom = 0;
      const std::vector<float> logits = RandomLogits(&gen, 60, 1.0f);
      const double statistic = ChiSquare(p, logits, 30000, &freedom);
      const double k = static_cast<double>(freedom);
      EXPECT_LT(statistic, k + 4 * std::sqrt(2 * k)) << order << " seed " << seed;
      EXPECT_GT(statistic, k - 4 * std::sqrt(2 * k)) << order << ": too regular to be random";
    }
  }
}

TEST(Sampler, SeedDecidesAndResetRepeats) {
  std::mt19937_64 gen(7);
  const std::vector<float> logits = RandomLogits(&gen, 1000, 1.0f);
  SamplerParams p = Neutral("temperature");
  p.seed = 42;
  const auto draw = [&](Sampler* sampler) {
    std::vector<int32_t> tokens;
    for (int i = 0; i < 50; ++i) tokens.push_back(sampler->Sample(logits).value());
    return tokens;
  };
  Sampler first = Make(p, logits.size());
  Sampler second = Make(p, logits.size());
  const std::vector<int32_t> tokens = draw(&first);
  EXPECT_EQ(tokens, draw(&second));
  EXPECT_NE(tokens, draw(&first)) << "the generator must go on";
  first.Reset();
  EXPECT_EQ(tokens, draw(&first));
  Sampler copy = first;
  EXPECT_EQ(draw(&copy), draw(&first));
  p.seed = 43;
  Sampler other = Make(p, logits.size());
  EXPECT_NE(tokens, draw(&other));
}

TEST(Sampler, MirostatReachesItsTarget) {
  // A distribution like a language model's: ln p ~ -1.1 ln rank (Zipf), entropy far above tau.
  std::vector<float> logits(20000);
  for (size_t i = 0; i < logits.size(); ++i) {
    logits[i] = -1.1f * std::log(static_cast<float>(i + 1));
  }
  SamplerParams p;
  p.temperature = 1.0f;
  p.mirostat = 2;
  p.mirostat_tau = 3.0f;
  p.seed = 11;
  Sampler sampler = Make(p, logits.size());
  double surprise = 0;
  constexpr int kDraws = 4000;
  for (int i = 0; i < kDraws; ++i) {
    const int32_t token = sampler.Sample(logits).value();
    const CandidateView view = sampler.candidates();
    const auto at = std::lower_bound(view.ids.begin(), view.ids.end(), token);
    surprise -= std::log2(view.probs[static_cast<size_t>(at - view.ids.begin())]);
  }
  EXPECT_NEAR(surprise / kDraws, 3.0, 0.05);
}

TEST(Sampler, MirostatStepMatchesTheAlgorithm) {
  std::mt19937_64 gen(3);
  SamplerParams p;
  p.temperature = 1.0f;
  p.mirostat = 2;
  p.mirostat_tau = 1.5f;
  p.mirostat_eta = 0.3f;
  Sampler sampler = Make(p, 200);
  double mu = 2 * p.mirostat_tau;
  for (int step = 0; step < 200; ++step) {
    const std::vector<float> logits = RandomLogits(&gen, 200, 2.0f);
    const int32_t token = sampler.Sample(logits).value();
    std::vector<int32_t> kept;
    double sum = 0;
    double drawn = 0;
    RefToken best;
    for (const RefToken& t : Reference(logits).Tokens()) {
      if (t.prob > best.prob) best = t;
      if (-std::log2(t.prob) > mu) continue;
      kept.push_back(t.id);
      sum += t.prob;
      if (t.id == token) drawn = t.prob;
    }
    if (kept.empty()) {
      kept = {best.id};
      sum = drawn = best.prob;
    }
    const CandidateView view = sampler.candidates();
    ASSERT_EQ(std::vector<int32_t>(view.ids.begin(), view.ids.end()), kept) << "step " << step;
    mu -= p.mirostat_eta * (-std::log2(drawn / sum) - p.mirostat_tau);
  }
}

}  // namespace
}  // namespace rocforge::sample
