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

// By definition: sorted, cut and sorted back. `slack` moves the edge of top-p.
Kept Reference(std::span<const float> logits, const TokenDraw& draw, double slack) {
  struct Item {
    int32_t token;
    double logit;
  };
  std::vector<Item> items;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] != -kInfinity) items.push_back({static_cast<int32_t>(i), logits[i]});
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.logit > b.logit; });
  const auto weights = [&] {
    std::vector<double> w;
    for (const Item& item : items) w.push_back(std::exp(item.logit - items[0].logit));
    return w;
  };
  for (uint32_t packed = draw.steps; packed != 0; packed >>= 4) {
    size_t n = items.size();
    if ((packed & 15) == kStepTopK) {
      n = std::min<size_t>(n, draw.top_k);
    } else if ((packed & 15) == kStepMinP) {
      n = 0;
      while (n < items.size() && items[n].logit - items[0].logit >= draw.min_p_log) ++n;
    } else if ((packed & 15) == kStepTopP) {
      const std::vector<double> w = weights();
      const double mass = std::accumulate(w.begin(), w.end(), 0.0) * draw.top_p * slack;
      double sum = 0;
      for (n = 0; n < w.size() && (n == 0 || sum < mass); ++n) sum += w[n];
    } else {
      for (Item& item : items) item.logit /= draw.temperature;
    }
    items.resize(n);
  }
  Kept kept;
  const std::vector<double> w = weights();
  const double sum = std::accumulate(w.begin(), w.end(), 0.0);
  std::vector<size_t> order(items.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return items[a].token < items[b].token; });
  for (const size_t i : order) {
    kept.tokens.push_back(items[i].token);
    kept.probabilities.push_back(w[i] / sum);
  }
  return kept;
}

// Whether the token lies where `unit` does, but for rounding.
bool Lies(const Kept& kept, double unit, int32_t token) {
  double before = 0;
  for (size_t i = 0; i < kept.tokens.size(); ++i) {
    if (kept.tokens[i] == token)
      return before - 1e-5 <= unit && unit <= before + kept.probabilities[i] + 1e-5;
    before += kept.probabilities[i];
  }
  return false;
}

class ChooseTokensTest : public testing::DeviceFixture {
 protected:
  // One launch, and a second one that must find its counters as the first one did.
  std::vector<int32_t> Draw(const std::vector<float>& logits, const std::vector<TokenDraw>& draws) {
    const auto rows = static_cast<int32_t>(draws.size());
    const auto n_vocab = static_cast<int64_t>(logits.size()) / rows;
    const Buffer device_logits = Upload(logits);
    const Buffer device_draws = Upload(draws);
    const Buffer tokens = Upload(std::vector<int32_t>(draws.size(), -9));
    const Buffer scratch = Scratch(rows, n_vocab);
    const auto bound =
        BindChooseTokens(device_logits.ptr(), n_vocab, scratch.ptr(), rows,
                         {.draws = device_draws.ptr(), .tokens = tokens.ptr()}, context_);
    EXPECT_OK(bound);
    EXPECT_OK((*bound)->Enqueue(stream_, {rows, rows, rows, 1}));
    const auto first = Download<int32_t>(tokens);
    if (n_vocab < 1000 && rows < 20) {
      EXPECT_OK((*bound)->Enqueue(stream_, {rows, rows, rows, 1}));
      EXPECT_EQ(Download<int32_t>(tokens), first);
    }
    return first;
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
    return draw;
  }

  void ExpectDraws(const std::vector<float>& logits, const std::vector<TokenDraw>& draws) {
    const std::vector<int32_t> got = Draw(logits, draws);
    const size_t n_vocab = logits.size() / draws.size();
    for (size_t r = 0; r < draws.size(); ++r) {
      const std::span<const float> row = std::span(logits).subspan(r * n_vocab, n_vocab);
      const auto fits = [&](double slack) {
        return Lies(Reference(row, draws[r], slack), draws[r].unit, got[r]);
      };
      EXPECT_TRUE(fits(1.0) || fits(1.0 - 1e-5) || fits(1.0 + 1e-5))
          << "vocabulary " << n_vocab << ", row " << r << ": token " << got[r] << ", steps "
          << draws[r].steps << ", unit " << draws[r].unit << ", top_k " << draws[r].top_k
          << ", top_p " << draws[r].top_p << ", min_p_log " << draws[r].min_p_log
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
  const auto got = Draw(logits, draws);
  EXPECT_EQ(got[1], 1);   // the first possible one
  EXPECT_EQ(got[3], 48);  // the last one
}

TEST_P(ChooseTokensTest, NoTokenWhereThereIsNone) {
  std::vector<float> logits(3 * 600, 1.0f);
  logits[599] = std::nanf("");
  logits[600] = kInfinity;
  std::fill_n(logits.begin() + 1200, 600, -kInfinity);
  const TokenDraw draw = RandomDraw(Steps({kStepTopP}));
  EXPECT_EQ(Draw(logits, {draw, draw, draw}), (std::vector<int32_t>{-1, -1, -1}));
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
  const Kept kept = Reference(row, draw, 1.0);
  std::vector<double> count(kVocab);
  for (size_t launch = 0; launch < kLaunches; ++launch) {
    std::vector<TokenDraw> draws(kRows, draw);
    for (TokenDraw& d : draws) d.unit = static_cast<double>(random() >> 11) * 0x1.0p-53;
    for (const int32_t token : Draw(logits, draws)) count[static_cast<size_t>(token)] += 1;
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
  for (const uint32_t steps : {Steps({kStepTopP, kStepTemperature}), Steps({kStepTemperature})}) {
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

INSTANTIATE_TEST_SUITE_P(Devices, ChooseTokensTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::gpu
