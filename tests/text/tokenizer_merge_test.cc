#include "text/tokenizer/merge.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/format.h"
#include "tests/text/random_text.h"

namespace rocforge::text {
namespace {

using Rules = std::map<std::pair<uint32_t, uint32_t>, PairRule>;

struct Lookup {
  const Rules& rules;
  PairRule operator()(uint32_t left, uint32_t right, std::string_view) const {
    const auto at = rules.find({left, right});
    return at == rules.end() ? PairRule{} : at->second;
  }
};

// The definition: look at all pairs, merge the best, start again.
std::vector<Symbol> MergeByDefinition(const Rules& rules, std::vector<Symbol> symbols) {
  const Lookup lookup{rules};
  while (true) {
    PairRule best;
    size_t where = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const PairRule rule = lookup(symbols[i].symbol, symbols[i + 1].symbol, {});
      if (rule.key < best.key) {
        best = rule;
        where = i;
      }
    }
    if (best.key == kNoMerge) return symbols;
    symbols[where].symbol = best.symbol;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
}

bool Equal(const std::vector<Symbol>& a, const std::vector<Symbol>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Symbol& x, const Symbol& y) {
    return x.begin == y.begin && x.symbol == y.symbol;
  });
}

// Random rules over few symbols, with many equal keys, so that ties and chains are common.
TEST(Merge, ShortAndLongEqualTheDefinition) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(Format("seed {}", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 3000; ++round) {
    const uint32_t kinds = 1 + Below(&random, 6);
    Rules rules;
    for (uint32_t n = Below(&random, 30); n > 0; --n) {
      rules[{Below(&random, kinds), Below(&random, kinds)}] = {Below(&random, 8),
                                                               Below(&random, kinds)};
    }
    const uint32_t length = 1 + Below(&random, kShortWordSymbols);
    std::string word;
    std::vector<Symbol> symbols;
    for (uint32_t i = 0; i < length; ++i) {
      symbols.push_back({static_cast<uint32_t>(word.size()), Below(&random, kinds)});
      word.append(1 + Below(&random, 3), 'x');
    }
    const auto expected = MergeByDefinition(rules, symbols);
    auto by_short = symbols, by_long = symbols;
    MergeShort(word, Lookup{rules}, &by_short);
    MergeLong(word, Lookup{rules}, &by_long);
    ASSERT_TRUE(Equal(by_short, expected)) << "round " << round;
    ASSERT_TRUE(Equal(by_long, expected)) << "round " << round;
  }
}

TEST(Merge, LongWordsEqualTheDefinition) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(Format("seed {}", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 60; ++round) {
    Rules rules;
    for (int n = 0; n < 40; ++n) {
      rules[{Below(&random, 12), Below(&random, 12)}] = {Below(&random, 30), Below(&random, 12)};
    }
    std::vector<Symbol> symbols;
    const uint32_t length = 33 + Below(&random, 300);
    for (uint32_t i = 0; i < length; ++i) symbols.push_back({i, Below(&random, 12)});
    const std::string word(length, 'x');
    const auto expected = MergeByDefinition(rules, symbols);
    MergeSymbols(word, Lookup{rules}, &symbols);
    ASSERT_TRUE(Equal(symbols, expected)) << "round " << round;
  }
}

// The rules are told the bytes of both symbols.
TEST(Merge, JoinedIsTheTextOfBoth) {
  const std::string word = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
  for (const size_t length : {size_t{5}, word.size()}) {
    const std::string_view text = std::string_view(word).substr(0, length);
    std::vector<std::string> seen;
    std::vector<Symbol> symbols;
    for (uint32_t i = 0; i < length; ++i) symbols.push_back({i, i});
    MergeSymbols(
        text,
        [&](uint32_t, uint32_t, std::string_view joined) {
          seen.emplace_back(joined);
          return joined == "cd" || joined == "bcd" ? PairRule{7, 100} : PairRule{};
        },
        &symbols);
    EXPECT_EQ(symbols.size(), length == 5 ? length - 2 : length - 4);
    EXPECT_NE(std::find(seen.begin(), seen.end(), "abcd"), seen.end());
    EXPECT_NE(std::find(seen.begin(), seen.end(), "bcde"), seen.end());
  }
}

}  // namespace
}  // namespace rocforge::text
