// Tokens drawn on the device, and the 64 best ones, against sorting in double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <vector>

#include "kernels/gpu/launch/choose_tokens.h"
#include "kernels/gpu/launch/modules.h"
#include "tests/kernels/gpu/device_fixture.h"
#include "tests/testing.h"

namespace rocforge::gpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

uint32_t Steps(std::initializer_list<ChooseStep> steps) {
  uint32_t packed = 0;
  uint32_t shift = 0;
  for (const ChooseStep step : steps) {
    packed |= step << shift;
    shift += 4;
  }
  return packed;
}

// A row's tokens that are left, with their probabilities, by ascending token.
struct Kept {
  std::vector<int32_t> tokens;
  std::vector<double> probabilities;
};

struct Item {
  int32_t token;
  double logit;
};

// How far rounding may move a cut: masses by a share, places among logits by a distance.
struct Slack {
  double mass = 0;
  double logit = 0;
};

// A row's tokens by descending logit, cut step by step as the definitions read.
class Reference {
 public:
  Reference(std::span<const float> logits, const TokenDraw& draw, const Slack& slack)
      : draw_(draw), slack_(slack) {
    for (size_t i = 0; i < logits.size(); ++i) {
      if (logits[i] != -kInfinity) items_.push_back({static_cast<int32_t>(i), logits[i]});
    }
    SortByLogit();
    for (uint32_t packed = draw.steps; packed != 0; packed >>= 4) Cut(packed & 15);
  }

  Kept Result() {
    Kept kept;
    const double mass = Mass();
    const double best = items_[0].logit;
    std::sort(items_.begin(), items_.end(),
              [](const Item& a, const Item& b) { return a.token < b.token; });
    for (const Item& item : items_) {
      kept.tokens.push_back(item.token);
      kept.probabilities.push_back(std::exp(item.logit - best) / mass);
    }
    return kept;
  }

 private:
  double Weight(const Item& item) const { return std::exp(item.logit - items_[0].logit); }
  double Mass() const {
    double mass = 0;
    for (const Item& item : items_) mass += Weight(item);
    return mass;
  }
  void SortByLogit() {
    std::stable_sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
      return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
    });
  }
  void KeepAbove(double limit) {
    size_t n = 1;
    while (n < items_.size() && items_[n].logit >= limit + slack_.logit) ++n;
    items_.resize(n);
  }
  void KeepMass(double mass) {
    std::vector<double> weights;
    for (const Item& item : items_) weights.push_back(Weight(item));
    KeepMass(weights, mass);
  }
  void KeepMass(const std::vector<double>& weights, double mass) {
    double sum = 0;
    size_t n = 0;
    for (; n < items_.size() && (n == 0 || sum < mass * (1 + slack_.mass)); ++n) sum += weights[n];
    items_.resize(n);
  }
  void Typical() {
    const double best = items_[0].logit;
    const double mass = Mass();
    double mean = slack_.logit;
    for (const Item& item : items_) mean += Weight(item) * (best - item.logit) / mass;
    const auto distance = [&](const Item& item) { return std::abs(best - item.logit - mean); };
    std::stable_sort(items_.begin(), items_.end(), [&](const Item& a, const Item& b) {
      return distance(a) != distance(b) ? distance(a) < distance(b) : a.token < b.token;
    });
    std::vector<double> weights;
    for (const Item& item : items_) weights.push_back(std::exp(item.logit - best));
    KeepMass(weights, draw_.typical_p * mass);
    SortByLogit();
  }
  void Xtc() {
    const double limit = draw_.xtc_threshold * Mass() * (1 + slack_.mass);
    size_t above = 0;
    while (above < items_.size() && Weight(items_[above]) >= limit) ++above;
    if (above > 1) items_.erase(items_.begin(), items_.begin() + static_cast<long>(above - 1));
  }
  double SigmaLimit() const {
    const auto n = static_cast<double>(items_.size());
    double mean = 0;
    for (const Item& item : items_) mean += item.logit / n;
    double variance = 0;
    for (const Item& item : items_) variance += (item.logit - mean) * (item.logit - mean) / n;
    return items_[0].logit - draw_.top_n_sigma * std::sqrt(variance);
  }
  void Cut(uint32_t step) {
    if (step == kStepTopK) items_.resize(std::min<size_t>(items_.size(), draw_.top_k));
    if (step == kStepTopP) KeepMass(Mass() * draw_.top_p);
    if (step == kStepMinP) KeepAbove(items_[0].logit + draw_.min_p_log);
    if (step == kStepTopNSigma) KeepAbove(SigmaLimit());
    if (step == kStepTypical) Typical();
    if (step == kStepXtc) Xtc();
    if (step == kStepMirostat) KeepAbove(items_[0].logit + std::log(draw_.mirostat_least * Mass()));
    if (step != kStepTemperature) return;
    for (Item& item : items_) item.logit /= draw_.temperature;
  }

  TokenDraw draw_;
  Slack slack_;
  std::vector<Item> items_;
};

// Whether the token lies where `unit` does, but for rounding, and its surprise is right.
bool Lies(const Kept& kept, double unit, const DrawnToken& drawn) {
  double before = 0;
  for (size_t i = 0; i < kept.tokens.size(); ++i) {
    if (kept.tokens[i] == drawn.token) {
      return before - 1e-5 <= unit && unit <= before + kept.probabilities[i] + 1e-5 &&
             std::abs(drawn.surprise + std::log2(kept.probabilities[i])) < 1e-3;
    }
    before += kept.probabilities[i];
  }
  return false;
}

class ChooseTokensTest : public testing::DeviceFixture {
 protected:
  // One launch, and a second one that must find its counters as the first one did.
  std::vector<DrawnToken> Draw(const std::vector<float>& logits,
                               const std::vector<TokenDraw>& draws) {
    const auto rows = static_cast<int32_t>(draws.size());
    const auto n_vocab = static_cast<int64_t>(logits.size()) / rows;
    const Buffer device_logits = Upload(logits);
    const Buffer device_draws = Upload(draws);
    const Buffer drawn = Upload(std::vector<DrawnToken>(draws.size(), {-9, 0}));
    const Buffer scratch = Scratch(rows, n_vocab);
    const auto bound =
        BindChooseTokens(device_logits.ptr(), n_vocab, scratch.ptr(), rows,
                         {.draws = device_draws.ptr(), .drawn = drawn.ptr()}, context_);
    EXPECT_OK(bound);
    EXPECT_OK((*bound)->Enqueue(stream_, {rows, rows, rows, 1}));
    const auto first = Download<DrawnToken>(drawn);
    if (n_vocab < 1000 && rows < 20) {
      EXPECT_OK((*bound)->Enqueue(stream_, {rows, rows, rows, 1}));
      EXPECT_EQ(Tokens(Download<DrawnToken>(drawn)), Tokens(first));
    }
    return first;
  }
  static std::vector<int32_t> Tokens(const std::vector<DrawnToken>& drawn) {
    std::vector<int32_t> tokens;
    for (const DrawnToken& d : drawn) tokens.push_back(d.token);
    return tokens;
  }
  Buffer Scratch(int64_t rows, int64_t n_vocab) {
    return Upload(std::vector<uint32_t>(
        static_cast<size_t>(ChooseScratchBytes(rows, n_vocab)) / sizeof(uint32_t), 0));
  }

  TokenDraw RandomDraw(uint32_t steps) {
    const auto unit = [&] { return std::uniform_real_distribution<double>()(random_); };
    TokenDraw draw{};
    draw.unit = unit();
    draw.temperature = static_cast<float>(0.3 + 1.5 * unit());
    draw.top_p = static_cast<float>(unit());
    draw.min_p_log = std::log(static_cast<float>(0.001 + 0.3 * unit()));
    draw.top_k = static_cast<uint32_t>(1 + 200 * unit());
    draw.steps = steps;
    draw.top_n_sigma = static_cast<float>(0.3 + 3 * unit());
    draw.typical_p = static_cast<float>(unit());
    draw.xtc_threshold = static_cast<float>(0.5 * std::pow(0.01, unit()));
    draw.mirostat_least = static_cast<float>(std::exp2(-8 * unit()));
    return draw;
  }

  void ExpectDraws(const std::vector<float>& logits, const std::vector<TokenDraw>& draws) {
    const std::vector<DrawnToken> got = Draw(logits, draws);
    const size_t n_vocab = logits.size() / draws.size();
    for (size_t r = 0; r < draws.size(); ++r) {
      const std::span<const float> row = std::span(logits).subspan(r * n_vocab, n_vocab);
      bool fits = false;
      for (const double mass : {0.0, -1e-5, 1e-5}) {
        for (const double logit : {0.0, -2e-5, 2e-5}) {
          if (fits) break;
          fits = Lies(Reference(row, draws[r], {mass, logit}).Result(), draws[r].unit, got[r]);
        }
      }
      EXPECT_TRUE(fits) << "vocabulary " << n_vocab << ", row " << r << ": token " << got[r].token
                        << ", surprise " << got[r].surprise << ", steps " << std::hex
                        << draws[r].steps << std::dec << ", unit " << draws[r].unit << ", top_k "
                        << draws[r].top_k << ", top_p " << draws[r].top_p << ", min_p_log "
                        << draws[r].min_p_log << ", top_n_sigma " << draws[r].top_n_sigma
                        << ", typical_p " << draws[r].typical_p << ", xtc_threshold "
                        << draws[r].xtc_threshold << ", mirostat_least " << draws[r].mirostat_least
                        << ", temperature " << draws[r].temperature;
    }
  }

  const uint32_t seed_ = std::random_device{}();
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, ::testing::Message() << "seed " << seed_};
  std::mt19937 random_{seed_};
};

const std::vector<uint32_t>& AllChains() {
  static const std::vector<uint32_t> chains = {
      0,
      Steps({kStepTemperature}),
      Steps({kStepTopP, kStepTemperature}),
      Steps({kStepTopK, kStepTopP, kStepMinP, kStepTemperature}),
      Steps({kStepTemperature, kStepMinP, kStepTopP, kStepTopK}),
      Steps({kStepMinP, kStepTemperature, kStepTopP}),
      Steps({kStepTopP, kStepTopK}),
      Steps({kStepTopK}),
      Steps({kStepMinP}),
      Steps({kStepTopNSigma}),
      Steps({kStepTemperature, kStepTopNSigma, kStepXtc}),
      Steps({kStepTopNSigma, kStepTopK, kStepTypical, kStepTopP, kStepMinP, kStepXtc,
             kStepTemperature}),
      Steps({kStepTypical}),
      Steps({kStepTypical, kStepTopK, kStepTemperature}),
      Steps({kStepTemperature, kStepTypical, kStepMinP, kStepXtc}),
      Steps({kStepTopP, kStepTypical, kStepXtc}),
      Steps({kStepMinP, kStepXtc, kStepTemperature}),
      Steps({kStepXtc}),
      Steps({kStepMirostat}),
      Steps({kStepTemperature, kStepMirostat}),
  };
  return chains;
}

TEST_P(ChooseTokensTest, DrawsAfterCutsInAnyOrder) {
  for (const size_t n_vocab : {size_t{1}, size_t{40}, size_t{700}, size_t{2500}}) {
    std::vector<float> logits;
    std::vector<TokenDraw> draws;
    for (const uint32_t steps : AllChains()) {
      draws.push_back(RandomDraw(steps));
      std::normal_distribution<float> normal(0.0f, 1.0f + 2.0f * static_cast<float>(random_() % 3));
      for (size_t i = 0; i < n_vocab; ++i) logits.push_back(normal(random_));
    }
    ExpectDraws(logits, draws);
  }
}

TEST_P(ChooseTokensTest, EqualAndImpossibleLogits) {
  constexpr size_t kVocab = 6000;  // more equal ones than the list between the cuts holds
  std::vector<float> logits(4 * kVocab, -kInfinity);
  std::vector<TokenDraw> draws;
  for (const uint32_t steps : {Steps({kStepTopP}), Steps({kStepTopK, kStepTemperature})}) {
    draws.push_back(RandomDraw(steps));
    draws.push_back(RandomDraw(steps));
  }
  for (size_t i = 0; i < kVocab; ++i) {
    logits[i] = 3.25f;
    logits[kVocab + i] = static_cast<float>(i % 3);
    if (i % 100 == 7) logits[2 * kVocab + i] = -1.0f;
    logits[3 * kVocab + i] = i % 2 == 0 ? 0.0f : -0.5f;
  }
  ExpectDraws(logits, draws);
  for (const ChooseStep step : {kStepTypical, kStepXtc, kStepTopNSigma, kStepMirostat}) {
    for (TokenDraw& draw : draws) {
      draw = RandomDraw(Steps({step}));
      draw.xtc_threshold *= 0.001f;  // many of these are above
    }
    ExpectDraws(logits, draws);
  }
}

// The best tokens go, all but the least probable of them and among equal ones the last.
TEST_P(ChooseTokensTest, XtcKeepsTheLastOfTheTopChoices) {
  constexpr size_t kVocab = 700;
  std::vector<float> logits(2 * kVocab, -20.0f);
  logits[5] = logits[600] = 3.0f;
  logits[17] = logits[333] = logits[334] = 2.0f;
  logits[kVocab + 5] = 9.0f;  // alone above: stays
  TokenDraw draw = RandomDraw(Steps({kStepXtc}));
  draw.xtc_threshold = 0.05f;
  draw.unit = 0.5;
  EXPECT_EQ(Tokens(Draw(logits, {draw, draw})), (std::vector<int32_t>{334, 5}));
}

// Where even the best token surprises more than mu, it is taken; the lowest of equal ones.
TEST_P(ChooseTokensTest, MirostatTakesTheBestTokenWhereAllSurprise) {
  constexpr size_t kVocab = 600;
  std::vector<float> logits(kVocab, 1.0f);
  logits[99] = logits[500] = 1.25f;
  TokenDraw draw = RandomDraw(Steps({kStepMirostat}));
  draw.mirostat_least = 0.5f;
  const std::vector<DrawnToken> got = Draw(logits, {draw});
  EXPECT_EQ(got[0].token, 99);
  EXPECT_EQ(got[0].surprise, 0.0f);
}

TEST_P(ChooseTokensTest, EdgesOfTheUnitIntervalAndOfTopP) {
  constexpr size_t kVocab = 50;
  std::vector<float> logits;
  std::vector<TokenDraw> draws;
  for (const double unit : {0.0, 1.0 - 0x1.0p-53}) {
    for (const float top_p : {0.0f, 0.9999999f}) {
      draws.push_back(RandomDraw(Steps({kStepTopP})));
      draws.back().unit = unit;
      draws.back().top_p = top_p;
      for (size_t i = 0; i < kVocab; ++i) logits.push_back(static_cast<float>(random_() % 8));
      logits[logits.size() - kVocab] = logits.back() = -kInfinity;
    }
  }
  ExpectDraws(logits, draws);
  const auto got = Tokens(Draw(logits, draws));
  EXPECT_EQ(got[1], 1);   // the first possible one
  EXPECT_EQ(got[3], 48);  // the last one
}

TEST_P(ChooseTokensTest, NoTokenWhereThereIsNone) {
  std::vector<float> logits(3 * 600, 1.0f);
  logits[599] = std::nanf("");
  logits[600] = kInfinity;
  std::fill_n(logits.begin() + 1200, 600, -kInfinity);
  const TokenDraw draw = RandomDraw(Steps({kStepTopP}));
  EXPECT_EQ(Tokens(Draw(logits, {draw, draw, draw})), (std::vector<int32_t>{-1, -1, -1}));
}

// Fixed seeds. Chi-square with 9 degrees of freedom passes the limit by chance once in a million.
TEST_P(ChooseTokensTest, FrequenciesAreTheProbabilities) {
  constexpr size_t kVocab = 20;
  constexpr size_t kRows = 48;
  constexpr size_t kLaunches = 4;
  std::mt19937_64 random(11);
  std::normal_distribution<float> normal;
  std::vector<float> row(kVocab);
  for (float& x : row) x = normal(random);
  std::vector<float> logits;
  for (size_t r = 0; r < kRows; ++r) logits.insert(logits.end(), row.begin(), row.end());
  TokenDraw draw{};
  draw.steps = Steps({kStepTopK, kStepTopP, kStepTemperature});
  draw.top_k = 10;
  draw.top_p = 0.9f;
  draw.temperature = 1.3f;
  const Kept kept = Reference(row, draw, {}).Result();
  std::vector<double> count(kVocab);
  for (size_t launch = 0; launch < kLaunches; ++launch) {
    std::vector<TokenDraw> draws(kRows, draw);
    for (TokenDraw& d : draws) d.unit = static_cast<double>(random() >> 11) * 0x1.0p-53;
    for (const int32_t token : Tokens(Draw(logits, draws))) count[static_cast<size_t>(token)] += 1;
  }
  double chi = 0;
  double seen = 0;
  for (size_t i = 0; i < kept.tokens.size(); ++i) {
    const double expected = kept.probabilities[i] * kRows * kLaunches;
    const double got = count[static_cast<size_t>(kept.tokens[i])];
    chi += (got - expected) * (got - expected) / expected;
    seen += got;
  }
  EXPECT_EQ(seen, kRows * kLaunches);
  EXPECT_LT(chi, 45.0) << kept.tokens.size() << " tokens";
}

TEST_P(ChooseTokensTest, LargeVocabulary) {
  constexpr size_t kVocab = 128256;
  std::vector<float> logits;
  std::vector<TokenDraw> draws;
  for (const uint32_t steps :
       {Steps({kStepTopP, kStepTemperature}), Steps({kStepTemperature}),
        Steps({kStepMinP, kStepXtc, kStepTemperature}), Steps({kStepTypical, kStepMinP}),
        Steps({kStepTopNSigma}), Steps({kStepTemperature, kStepMirostat})}) {
    draws.push_back(RandomDraw(steps));
    std::normal_distribution<float> normal(0.0f, 2.0f);
    for (size_t i = 0; i < kVocab; ++i) logits.push_back(normal(random_));
  }
  ExpectDraws(logits, draws);
}

TEST_P(ChooseTokensTest, TopTokensOfEveryRow) {
  for (const size_t n_vocab : {size_t{40}, size_t{700}, size_t{9001}}) {
    constexpr size_t kRows = 5;
    std::normal_distribution<float> normal;
    std::vector<float> logits(kRows * n_vocab);
    for (float& x : logits) x = normal(random_);
    const auto row = [&](size_t r) {
      return logits.begin() + static_cast<std::ptrdiff_t>(r * n_vocab);
    };
    std::fill_n(row(1) + 3, n_vocab / 2, 5.0f);  // many equal: the lower tokens
    row(2)[7] = std::nanf("");
    std::fill_n(row(3), n_vocab - 10, -kInfinity);  // ten tokens are possible
    std::fill_n(row(4), n_vocab, -0.5f);
    const Buffer device_logits = Upload(logits);
    const Buffer scratch = Scratch(kRows, static_cast<int64_t>(n_vocab));
    const Buffer top = Upload(std::vector<TopToken>(kRows * kTopTokens, {0, -9}));
    const auto bound = BindChooseTokens(device_logits.ptr(), static_cast<int64_t>(n_vocab),
                                        scratch.ptr(), kRows, {.top = top.ptr()}, context_);
    ASSERT_OK(bound);
    ASSERT_OK((*bound)->Enqueue(stream_, {5, 5, 5, 1}));
    const auto got = Download<TopToken>(top);
    for (size_t r = 0; r < kRows; ++r) {
      std::vector<int32_t> expected(n_vocab);
      std::iota(expected.begin(), expected.end(), 0);
      std::erase_if(expected, [&](int32_t t) { return row(r)[t] == -kInfinity; });
      std::stable_sort(expected.begin(), expected.end(),
                       [&](int32_t a, int32_t b) { return row(r)[a] > row(r)[b]; });
      expected.resize(std::min<size_t>(expected.size(), kTopTokens));
      std::sort(expected.begin(), expected.end());
      if (r == 2) expected = {kBrokenLogits};
      for (size_t i = 0; i < kTopTokens; ++i) {
        const TopToken& t = got[r * kTopTokens + i];
        ASSERT_EQ(t.token, i < expected.size() ? expected[i] : kNoTopToken)
            << n_vocab << ", row " << r << ", entry " << i;
        if (t.token < 0) continue;
        ASSERT_EQ(t.logit, row(r)[t.token]);
      }
    }
  }
}

// Three lists of a row, each after the one before, by their definition and bit for bit.
TEST_P(ChooseTokensTest, EditsLogitsInTheOrderOfTheLists) {
  constexpr uint32_t kVocab = 1001;
  constexpr size_t kRows = 3;
  constexpr float kMost = std::numeric_limits<float>::max();
  std::normal_distribution<float> normal(0.0f, 5.0f);
  std::vector<float> logits(kRows * kVocab);
  for (float& x : logits) x = normal(random_);
  logits[3] = logits[kVocab + 4] = -kInfinity;
  logits[5] = logits[2 * kVocab + 1] = kMost;
  logits[6] = std::nanf("");
  logits[7] = kInfinity;
  std::vector<LogitEdit> edits;
  std::vector<uint32_t> begin = {0};
  for (size_t list = 0; list < kRows * kEditPhases; ++list) {
    const auto n = static_cast<int32_t>(list == 4 ? 0 : 1 + random_() % 700);
    for (int32_t i = 0; i < n; ++i) {  // the same tokens in all lists, each once
      const float x = normal(random_);
      edits.push_back({i, 1.0f + std::abs(x), x});
      if (i % 50 == 49) edits.back().minus = static_cast<double>(kInfinity);
      if (i % 50 == 8) edits.back().minus = 1e300;
    }
    begin.push_back(static_cast<uint32_t>(edits.size()));
  }
  const Buffer device_logits = Upload(logits);
  const Buffer device_edits = Upload(edits);
  const Buffer device_begin = Upload(begin);
  const auto bound =
      BindEditLogits(device_logits.ptr(), kVocab, device_edits.ptr(), device_begin.ptr(), context_);
  ASSERT_OK(bound);
  ASSERT_OK((*bound)->Enqueue(stream_, {3, 3, 3, 1}));
  for (size_t row = 0; row < kRows; ++row) {
    for (uint32_t i = begin[row * kEditPhases]; i < begin[(row + 1) * kEditPhases]; ++i) {
      const LogitEdit& edit = edits[i];
      float& x = logits[row * kVocab + static_cast<size_t>(edit.token)];
      if (!std::isfinite(x)) continue;
      const float scaled = x > 0 ? x / edit.divisor : x * edit.divisor;
      x = edit.minus > 1e308
              ? -kInfinity
              : static_cast<float>(std::clamp<double>(scaled - edit.minus, -kMost, kMost));
    }
  }
  const auto got = Download<float>(device_logits);
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_TRUE(got[i] == logits[i] || (std::isnan(got[i]) && std::isnan(logits[i])))
        << i << ": " << got[i] << " instead of " << logits[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, ChooseTokensTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::gpu
