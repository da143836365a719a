// Every reference vector: seven vocabularies, the stock texts of llama.cpp and 257 more.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "base/format.h"
#include "tests/testing.h"
#include "tests/text/vocabularies.h"
#include "text/detokenizer.h"
#include "text/tokenizer/tokenizer.h"

namespace rocforge::text {
namespace {

std::vector<std::string> SplitTexts(const std::string& bytes) {
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::vector<std::string> texts;
  size_t begin = 0;
  for (size_t at; (at = bytes.find(separator, begin)) != std::string::npos;) {
    texts.push_back(bytes.substr(begin, at - begin));
    begin = at + separator.size();
  }
  if (begin < bytes.size()) texts.push_back(bytes.substr(begin));
  return texts;
}

std::vector<std::vector<int32_t>> SplitIds(const std::string& text) {
  std::vector<std::vector<int32_t>> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream numbers(line);
    auto& ids = lines.emplace_back();
    for (int32_t id; numbers >> id;) ids.push_back(id);
  }
  return lines;
}

void ExpectVectors(const Tokenizer& tokenizer, const std::string& base, const std::string& inputs,
                   const std::string& outputs, const EncodeOptions& options) {
  const auto texts = SplitTexts(testing::ReadFileOrFail(base + inputs));
  const auto expected = SplitIds(testing::ReadFileOrFail(base + outputs));
  ASSERT_EQ(texts.size(), expected.size());
  ASSERT_GT(texts.size(), 40u);
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto ids = tokenizer.Encode(texts[i], options);
    ASSERT_OK(ids);
    EXPECT_EQ(*ids, expected[i]) << outputs << " text " << i << ": "
                                 << EscapeForTerminal(texts[i], 200);
  }
}

class TokenizerVectors : public ::testing::TestWithParam<const char*> {};

TEST_P(TokenizerVectors, IdsMatchExactly) {
  ROCFORGE_REQUIRE_TESTDATA(folder, "vocab");
  VocabularyFile file(folder, GetParam());
  if (!file.skip_reason().empty()) GTEST_SKIP() << file.skip_reason();
  const auto tokenizer = LoadTokenizer(file.path());
  ASSERT_NE(tokenizer, nullptr);
  const std::string base = folder + "/" + GetParam();
  const EncodeOptions plain = {.add_special = false, .parse_special = false};
  ExpectVectors(*tokenizer, base, ".inp", ".out", plain);
  ExpectVectors(*tokenizer, base, ".more.inp", ".more.out", plain);
  ExpectVectors(*tokenizer, base, ".more.inp", ".more.special.out", EncodeOptions{});
}

// What was encoded comes back, byte for byte, at once and token by token.
TEST_P(TokenizerVectors, DecodeIsTheInverse) {
  ROCFORGE_REQUIRE_TESTDATA(folder, "vocab");
  VocabularyFile file(folder, GetParam());
  if (!file.skip_reason().empty()) GTEST_SKIP() << file.skip_reason();
  const auto tokenizer = LoadTokenizer(file.path());
  ASSERT_NE(tokenizer, nullptr);
  // Two vocabularies lose something by design: U+2581 is a space to SentencePiece, and Phi-3's
  // tokens swallow whitespace.
  const bool loses_underline = tokenizer->model() == "llama" || tokenizer->model() == "gemma4";
  size_t compared = 0;
  for (const char* inputs : {".inp", ".more.inp"}) {
    const auto texts = SplitTexts(testing::ReadFileOrFail(folder + "/" + GetParam() + inputs));
    for (const std::string& text : texts) {
      if (loses_underline && text.find("\xE2\x96\x81") != std::string::npos) continue;
      for (const bool parse_special : {false, true}) {
        if (parse_special && std::string(GetParam()) == "phi-3") continue;
        const auto ids =
            tokenizer->Encode(text, {.add_special = false, .parse_special = parse_special});
        ASSERT_OK(ids);
        EXPECT_EQ(tokenizer->Decode(*ids, true), text);
        Detokenizer detokenizer(*tokenizer, {.special = true});
        std::string streamed;
        for (const int32_t id : *ids) streamed += detokenizer.Feed(id);
        streamed += detokenizer.Flush();
        EXPECT_EQ(streamed, text);
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 250u);
}

INSTANTIATE_TEST_SUITE_P(All, TokenizerVectors,
                         ::testing::Values("llama-bpe", "llama-spm", "qwen2", "gpt-2", "phi-3",
                                           "starcoder", "gemma-4"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace rocforge::text
