#include "text/tokenizer/partition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "base/format.h"
#include "tests/text/random_text.h"

namespace rocforge::text {
namespace {

Vocab MakeVocab(const std::vector<std::pair<std::string, uint16_t>>& tokens) {
  Vocab vocab;
  for (const auto& [text, flags] : tokens) {
    const uint32_t number = vocab.strings.Add(text);
    if (number == vocab.first_id.size()) vocab.first_id.push_back(vocab.size);
    vocab.text_number.push_back(number);
    vocab.flags.push_back(flags);
    ++vocab.size;
  }
  return vocab;
}

// "text|#3|text": fragments, tokens as #id.
std::string Shown(std::string_view text, const std::vector<Fragment>& fragments) {
  std::string out;
  for (const Fragment& fragment : fragments) {
    if (!out.empty()) out += "|";
    out += fragment.token == kNoToken
               ? std::string(text.substr(fragment.begin, fragment.end - fragment.begin))
               : Format("#{}", fragment.token);
  }
  return out;
}

std::string Split(const Vocab& vocab, std::string_view text, bool parse_special = true) {
  const Partitioner partitioner(vocab);
  std::vector<Fragment> fragments;
  partitioner.Split(text, parse_special, &fragments);
  return Shown(text, fragments);
}

TEST(Partitioner, FindsWhatApplies) {
  const Vocab vocab = MakeVocab({{"<s>", kTokenControl},
                                 {"<unk>", kTokenUnknown},
                                 {"<think>", kTokenUserDefined},
                                 {"word", kTokenNormal},
                                 {"<0x41>", kTokenByte},
                                 {"", kTokenControl}});
  EXPECT_EQ(Split(vocab, ""), "");
  EXPECT_EQ(Split(vocab, "word<0x41>"), "word<0x41>");
  EXPECT_EQ(Split(vocab, "<s>a<unk><think>b"), "#0|a|#1|#2|b");
  EXPECT_EQ(Split(vocab, "<s>a<unk><think>b", false), "<s>a<unk>|#2|b");
  EXPECT_EQ(Split(vocab, "<s"), "<s");
  EXPECT_EQ(Split(vocab, "<s><s>"), "#0|#0");
}

TEST(Partitioner, LongerTokensGoFirstWhereverTheyStand) {
  const Vocab vocab = MakeVocab({{"ab", kTokenUserDefined},
                                 {"bcd", kTokenUserDefined},
                                 {"a", kTokenUserDefined},
                                 {"abab", kTokenUserDefined}});
  EXPECT_EQ(Split(vocab, "abcd"), "#2|#1");
  EXPECT_EQ(Split(vocab, "ababab"), "#3|#0");
  EXPECT_EQ(Split(vocab, "xababcd"), "x|#3|cd");
}

TEST(Partitioner, TheFirstOfEqualTextsCounts) {
  const Vocab vocab = MakeVocab({{"<a>", kTokenUserDefined}, {"<a>", kTokenControl}});
  EXPECT_EQ(Split(vocab, "<a>", false), "#0");
}

TEST(Partitioner, StrippingTokensSwallowWhitespace) {
  const Vocab vocab = MakeVocab({{"<L>", kTokenControl | kTokenStripLeft},
                                 {"<R>", kTokenControl | kTokenStripRight},
                                 {"\n", kTokenUserDefined}});
  EXPECT_EQ(Split(vocab, "a \t<L> b"), "a|#0| b");
  EXPECT_EQ(Split(vocab, "a <R> \n\r b"), "a |#1|b");
  EXPECT_EQ(Split(vocab, " <L>"), "#0");
  EXPECT_EQ(Split(vocab, "<R> "), "#1");
  EXPECT_EQ(Split(vocab, "<R> <L>"), "#1|#0");
  EXPECT_EQ(Split(vocab, "\n<L>"), "#0");  // gone before the shorter token is looked for
  EXPECT_EQ(Split(vocab, "a\n"), "a|#2");
}

// The rule, spelled out: token by token, longest first, each leftmost in what is left.
std::string SplitByDefinition(const Vocab& vocab, const std::string& text, bool parse_special) {
  std::vector<int32_t> order;
  for (int32_t id = 0; id < vocab.size; ++id) {
    const bool user = vocab.Has(id, kTokenUserDefined);
    if (user || (parse_special && vocab.Has(id, kTokenControl))) order.push_back(id);
  }
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return vocab.token_text(a).size() > vocab.token_text(b).size();
  });
  // Each position: the token that covers it and where that begins, or nothing.
  std::vector<std::pair<int32_t, size_t>> cover(text.size(), {kNoToken, 0});
  for (const int32_t id : order) {
    const std::string_view token = vocab.token_text(id);
    for (size_t at = 0; at + token.size() <= text.size(); ++at) {
      if (text.compare(at, token.size(), token) != 0) continue;
      const auto first = cover.begin() + static_cast<std::ptrdiff_t>(at);
      const auto last = first + static_cast<std::ptrdiff_t>(token.size());
      if (std::any_of(first, last, [](const auto& c) { return c.first != kNoToken; })) continue;
      std::fill(first, last, std::pair(id, at));
    }
  }
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool new_piece = i == 0 || cover[i] != cover[i - 1];
    if (new_piece && i > 0) out += "|";
    if (cover[i].first == kNoToken) {
      out += text[i];
    } else if (new_piece) {
      out += Format("#{}", cover[i].first);
    }
  }
  return out;
}

TEST(Partitioner, EqualsTheDefinition) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(Format("seed {}", seed));
  std::mt19937 random(seed);
  const auto letters = [&random](uint32_t most) {
    std::string text;
    for (uint32_t n = 1 + Below(&random, most); n > 0; --n) text += "abc"[Below(&random, 3)];
    return text;
  };
  for (int round = 0; round < 500; ++round) {
    std::vector<std::pair<std::string, uint16_t>> tokens;
    for (uint32_t n = Below(&random, 6); n > 0; --n) {
      std::string text = letters(4);
      const auto same = [&](const auto& token) { return token.first == text; };
      if (std::any_of(tokens.begin(), tokens.end(), same)) continue;
      tokens.emplace_back(std::move(text),
                          Below(&random, 2) == 0 ? kTokenControl : kTokenUserDefined);
    }
    const Vocab vocab = MakeVocab(tokens);
    for (int i = 0; i < 20; ++i) {
      const std::string text = letters(40);
      for (const bool parse_special : {false, true}) {
        ASSERT_EQ(Split(vocab, text, parse_special), SplitByDefinition(vocab, text, parse_special))
            << text;
      }
    }
  }
}

}  // namespace
}  // namespace rocforge::text
