// Loading, special tokens, decoding: what all kinds share, and what files may get wrong.
#include "text/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/format.h"
#include "tests/testing.h"
#include "tests/text/vocabularies.h"

namespace rocforge::text {
namespace {

using IdList = std::vector<int32_t>;
using gguf::Value;
constexpr EncodeOptions kPlainText = {.add_special = false, .parse_special = false};

// 256 bytes, then <bos> <eos> <unk> <tool>, then "ab".
SmallVocabulary Small() {
  SmallVocabulary vocabulary;
  vocabulary.pre = "gpt-2";
  vocabulary.tokens = ByteTexts();
  for (const char* text : {"<bos>", "<eos>", "<unk>", "<tool>", "ab"}) {
    vocabulary.tokens.emplace_back(text);
  }
  vocabulary.types.assign(256, 1);
  vocabulary.types.insert(vocabulary.types.end(), {3, 3, 2, 4, 1});
  vocabulary.merges = {"a b"};
  vocabulary.more = {{"bos_token_id", Value::Uint32(256)},
                     {"eos_token_id", Value::Uint32(257)},
                     {"unknown_token_id", Value::Uint32(258)}};
  return vocabulary;
}

SmallVocabulary SmallSentencePiece() {
  SmallVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.tokens = {"<unk>", "<s>", "</s>"};
  for (const std::string& text : HexTexts()) vocabulary.tokens.push_back(text);
  for (const char* text : {"▁", "a", "▁a", "[INST]"}) vocabulary.tokens.emplace_back(text);
  vocabulary.types = {2, 3, 3};
  vocabulary.types.resize(259, 6);
  vocabulary.types.insert(vocabulary.types.end(), {1, 1, 1, 4});
  vocabulary.scores.assign(263, 0);
  return vocabulary;
}

TEST(Tokenizer, SpecialTokensAreAddedAsTheFileAsks) {
  SmallVocabulary vocabulary = Small();
  EXPECT_EQ(Ids(*MakeTokenizerOrFail(vocabulary), "ab"), IdList({260}));
  vocabulary.more.push_back({"add_bos_token", Value::Bool(true)});
  vocabulary.more.push_back({"add_eos_token", Value::Bool(true)});
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  EXPECT_TRUE(tokenizer->add_bos());
  EXPECT_TRUE(tokenizer->add_eos());
  EXPECT_EQ(Ids(*tokenizer, "ab"), IdList({256, 260, 257}));
  EXPECT_EQ(Ids(*tokenizer, ""), IdList({256, 257}));
  EXPECT_EQ(Ids(*tokenizer, "ab", {.add_special = false}), IdList({260}));
}

TEST(Tokenizer, SpecialTokensInTheText) {
  const auto tokenizer = MakeTokenizerOrFail(Small());
  EXPECT_EQ(Ids(*tokenizer, "<bos>ab<tool>"), IdList({256, 260, 259}));
  const IdList plain = Ids(*tokenizer, "<bos><tool>", kPlainText);
  EXPECT_EQ(plain, IdList({'<', 'b', 'o', 's', '>', 259}));
  EXPECT_EQ(tokenizer->Decode(plain, true), "<bos><tool>");
}

TEST(Tokenizer, PiecesAndTypes) {
  const auto tokenizer = MakeTokenizerOrFail(Small());
  EXPECT_EQ(tokenizer->size(), 261);
  EXPECT_EQ(tokenizer->Piece(' ', false), " ");
  EXPECT_EQ(tokenizer->Piece(0, false), std::string_view("\0", 1));
  EXPECT_EQ(tokenizer->Piece(0xFF, false), "\xFF");
  EXPECT_EQ(tokenizer->Piece(256, false), "");
  EXPECT_EQ(tokenizer->Piece(256, true), "<bos>");
  EXPECT_EQ(tokenizer->Piece(258, false), "");
  EXPECT_EQ(tokenizer->Piece(259, false), "<tool>");
  EXPECT_EQ(tokenizer->text(' '), "Ġ");
  EXPECT_EQ(tokenizer->type('a'), TokenType::kNormal);
  EXPECT_EQ(tokenizer->type(256), TokenType::kControl);
  EXPECT_EQ(tokenizer->type(258), TokenType::kUnknown);
  EXPECT_EQ(tokenizer->type(259), TokenType::kUserDefined);
  EXPECT_EQ(tokenizer->Find("ab"), 260);
  EXPECT_EQ(tokenizer->Find("nope"), std::nullopt);
  for (const int32_t outside : {-1, 261, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(tokenizer->Piece(outside, true), "");
    EXPECT_EQ(tokenizer->text(outside), "");
    EXPECT_EQ(tokenizer->type(outside), TokenType::kUnused);
    EXPECT_EQ(tokenizer->score(outside), 0);
    EXPECT_FALSE(tokenizer->IsEog(outside));
  }
  EXPECT_EQ(tokenizer->Decode(IdList({-1, 'a', 300, 260})), "aab");
}

TEST(Tokenizer, SentencePieceSpaces) {
  const auto tokenizer = MakeTokenizerOrFail(SmallSentencePiece());
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_TRUE(tokenizer->adds_space_prefix());
  EXPECT_EQ(Ids(*tokenizer, "a a"), IdList({1, 261, 261}));
  EXPECT_EQ(Ids(*tokenizer, " a"), IdList({1, 259, 261}));
  EXPECT_EQ(Ids(*tokenizer, "a[INST]a</s>"), IdList({1, 261, 262, 261, 2}));
  EXPECT_EQ(Ids(*tokenizer, ""), IdList({1}));
  EXPECT_EQ(tokenizer->Decode(IdList({1, 261, 261})), "a a");
  EXPECT_EQ(tokenizer->Decode(IdList({261, 262, 261, 2, 261}), true), "a[INST]a</s>a");
  EXPECT_EQ(tokenizer->Decode(IdList({259, 261})), " a");
  SmallVocabulary without = SmallSentencePiece();
  without.more = {{"add_space_prefix", Value::Bool(false)}};
  const auto plain = MakeTokenizerOrFail(without);
  EXPECT_EQ(Ids(*plain, "a a"), IdList({1, 260, 261}));
  EXPECT_EQ(plain->Decode(IdList({261})), " a");
}

TEST(Tokenizer, EndOfGeneration) {
  SmallVocabulary vocabulary = Small();
  for (const char* text : {"<|im_end|>", "<|endoftext|>", "<|eom_id|>", "<|fim_pad|>"}) {
    vocabulary.tokens.emplace_back(text);
    vocabulary.types.push_back(1);  // wrongly: their names tell
  }
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  EXPECT_EQ(tokenizer->eot(), 261);
  EXPECT_EQ(tokenizer->special_tokens().eom, 263);
  EXPECT_EQ(tokenizer->special_tokens().fim_pad, 264);
  EXPECT_EQ(tokenizer->type(261), TokenType::kControl);
  const auto eog = tokenizer->eog_tokens();
  EXPECT_EQ(IdList(eog.begin(), eog.end()), IdList({257, 261, 262, 263, 264}));
  EXPECT_TRUE(tokenizer->IsEog(257));
  EXPECT_FALSE(tokenizer->IsEog(256));
  EXPECT_EQ(Ids(*tokenizer, "<|im_end|>"), IdList({261}));
}

TEST(Tokenizer, EndOfGenerationOfGptOss) {
  SmallVocabulary vocabulary = Small();
  for (const char* text : {"<|end|>", "<|return|>", "<|call|>", "<|channel|>"}) {
    vocabulary.tokens.emplace_back(text);
    vocabulary.types.push_back(3);
  }
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  EXPECT_FALSE(tokenizer->IsEog(261));  // ends a message, not the turn
  EXPECT_TRUE(tokenizer->IsEog(262));
  EXPECT_TRUE(tokenizer->IsEog(263));
  EXPECT_EQ(tokenizer->type(261), TokenType::kUserDefined);
  EXPECT_EQ(tokenizer->Piece(264, false), "<|channel|>");
}

TEST(Tokenizer, GemmaHasAnOrdinarySlashS) {
  SmallVocabulary vocabulary = Small();
  for (const char* text : {"</s>", "<|tool_response>"}) {
    vocabulary.tokens.emplace_back(text);
    vocabulary.types.push_back(1);
  }
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  EXPECT_FALSE(tokenizer->IsEog(261));
  EXPECT_EQ(tokenizer->type(261), TokenType::kNormal);
  EXPECT_TRUE(tokenizer->IsEog(262));
}

TEST(Tokenizer, Phi3TokensSwallowWhitespace) {
  SmallVocabulary vocabulary = SmallSentencePiece();
  vocabulary.tokens.emplace_back("<|end|>");
  vocabulary.types.push_back(3);
  vocabulary.scores.push_back(0);
  vocabulary.more = {{"general.name", Value::String("Phi-3 mini")},
                     {"add_space_prefix", Value::Bool(false)}};
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  EXPECT_EQ(Ids(*tokenizer, "<|end|>  \na<s> a"), IdList({1, 263, 260, 1, 261}));
}

TEST(Tokenizer, SuppressedTokens) {
  SmallVocabulary vocabulary = Small();
  vocabulary.more.push_back({"suppress_tokens", Value::Int32s({258, -1, 9999, 7})});
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  const auto suppressed = tokenizer->suppressed_tokens();
  EXPECT_EQ(IdList(suppressed.begin(), suppressed.end()), IdList({258, 7}));
}

void ExpectError(const SmallVocabulary& vocabulary, StatusCode code, const std::string& part) {
  const auto status = MakeTokenizer(vocabulary).status();
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  EXPECT_EQ(status.message().find('\n'), std::string::npos) << status.message();
}

TEST(Tokenizer, UnknownKindsAndPreTokenizersAreNamed) {
  SmallVocabulary vocabulary = Small();
  vocabulary.pre = "no\x1bsuch";
  ExpectError(vocabulary, StatusCode::kUnsupported, "'no\\x1bsuch'");
  ExpectError(vocabulary, StatusCode::kUnsupported, "llama-bpe");
  vocabulary.model = "plamo2";
  ExpectError(vocabulary, StatusCode::kUnsupported, "'plamo2'");
  ExpectError(vocabulary, StatusCode::kUnsupported, "gpt2, gemma4");
  vocabulary.model = "no_vocab";
  ExpectError(vocabulary, StatusCode::kNotFound, "no vocabulary");
}

TEST(Tokenizer, FilesWithoutAPreTokenizerGetTheDefault) {
  SmallVocabulary vocabulary = Small();
  vocabulary.pre.clear();
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  EXPECT_EQ(tokenizer->pre(), "");
  EXPECT_EQ(Ids(*tokenizer, "ab"), IdList({260}));
}

TEST(Tokenizer, ContradictionsAreErrors) {
  SmallVocabulary vocabulary = Small();
  vocabulary.types.resize(10);
  ExpectError(vocabulary, StatusCode::kDataLoss, "token_type has 10 entries for 261 tokens");
  vocabulary = Small();
  vocabulary.scores.assign(3, 0);
  ExpectError(vocabulary, StatusCode::kDataLoss, "scores has 3 entries for 261 tokens");
  vocabulary = SmallSentencePiece();
  vocabulary.scores.clear();
  ExpectError(vocabulary, StatusCode::kDataLoss, "needs tokenizer.ggml.scores");
  vocabulary = SmallSentencePiece();
  vocabulary.scores[7] = std::numeric_limits<double>::quiet_NaN();
  ExpectError(vocabulary, StatusCode::kDataLoss, "score of token 7");
  vocabulary = Small();
  vocabulary.merges.clear();
  ExpectError(vocabulary, StatusCode::kDataLoss, "needs tokenizer.ggml.merges");
  vocabulary = Small();
  vocabulary.tokens.clear();
  ExpectError(vocabulary, StatusCode::kDataLoss, "tokenizer.ggml.tokens has 0 entries");
  vocabulary = Small();
  vocabulary.more.push_back({"add_bos_token", Value::String("yes")});
  ExpectError(vocabulary, StatusCode::kDataLoss, "add_bos_token");
  vocabulary = Small();
  vocabulary.more[0].value = Value::String("one");
  ExpectError(vocabulary, StatusCode::kDataLoss, "bos_token_id");
}

TEST(Tokenizer, IdsOutsideTheVocabularyMeanNone) {
  SmallVocabulary vocabulary = Small();
  vocabulary.more = {{"bos_token_id", Value::Uint32(261)},
                     {"eos_token_id", Value::Uint32(UINT32_MAX)},
                     {"padding_token_id", Value::Int32(-5)},
                     {"add_bos_token", Value::Bool(true)},
                     {"add_eos_token", Value::Bool(true)}};
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  EXPECT_EQ(tokenizer->bos(), kNoToken);
  EXPECT_EQ(tokenizer->eos(), kNoToken);
  EXPECT_EQ(tokenizer->pad(), kNoToken);
  EXPECT_FALSE(tokenizer->add_bos());
  EXPECT_EQ(Ids(*tokenizer, "ab"), IdList({260}));
}

TEST(Tokenizer, RepeatedAndEmptyTokens) {
  SmallVocabulary vocabulary = Small();
  vocabulary.tokens.insert(vocabulary.tokens.end(), {"ab", "", "", "<bos>"});
  vocabulary.types.insert(vocabulary.types.end(), {1, 1, 3, 3});
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  EXPECT_EQ(Ids(*tokenizer, "<bos>ab"), IdList({256, 260}));
  EXPECT_EQ(tokenizer->Piece(261, false), "ab");
  EXPECT_EQ(tokenizer->Piece(262, true), "");
  EXPECT_EQ(tokenizer->Find("ab"), 260);
}

TEST(Tokenizer, BadUtf8) {
  const auto tokenizer = MakeTokenizerOrFail(Small());
  const IdList replacement = {0xEF, 0xBF, 0xBD};
  IdList expected;
  for (int i = 0; i < 3; ++i)
    expected.insert(expected.end(), replacement.begin(), replacement.end());
  EXPECT_EQ(Ids(*tokenizer, "\xFF\xE2\x96"), expected);
}

// Also what SelfEncoding learns while others read it.
TEST(Tokenizer, ManyThreadsAgree) {
  const auto tokenizer = MakeTokenizerOrFail(Small());
  const auto sentence_piece = MakeTokenizerOrFail(SmallSentencePiece());
  const std::string text = "ab aab  b'll <tool> abababab a";
  const IdList expected = Ids(*MakeTokenizerOrFail(Small()), text);
  const IdList expected_sp = Ids(*MakeTokenizerOrFail(SmallSentencePiece()), text);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 300; ++i) {
        wrong[t] += *tokenizer->Encode(text, {}) != expected;
        wrong[t] += *sentence_piece->Encode(text, {}) != expected_sp;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace rocforge::text
