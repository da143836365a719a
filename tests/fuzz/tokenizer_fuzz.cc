// Any bytes as a text for six small vocabularies (byte-level, Gemma's and whitespace BPE,
// SentencePiece, WordPiece, unigram), and as a list of ids for the decoder: no crash, every id
// inside the vocabulary, and what a vocabulary can hold without loss comes back byte for byte.
#include <array>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/log.h"
#include "gguf/reader.h"
#include "gguf/writer.h"
#include "text/detokenizer.h"
#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/tokenizer.h"
#include "text/unicode.h"

namespace {

using rocforge::gguf::KeyValue;
using rocforge::gguf::Value;
using rocforge::text::Tokenizer;

// A broken promise, as a crash that libFuzzer reports.
void Require(bool condition) {
  if (!condition) std::abort();
}

struct Vocabulary {
  std::string model;
  std::string pre;
  std::vector<std::string> tokens;
  std::vector<int64_t> types;
  std::vector<std::string> merges;
  std::vector<KeyValue> more;

  void Add(const std::string& text, int64_t type) {
    tokens.push_back(text);
    types.push_back(type);
  }
};

std::unique_ptr<Tokenizer> Load(const Vocabulary& vocabulary) {
  const std::string prefix = "tokenizer.ggml.";
  std::vector<double> scores;
  for (size_t i = 0; i < vocabulary.tokens.size(); ++i)
    scores.push_back(-static_cast<double>(i % 7));
  std::vector<KeyValue> metadata = {{prefix + "model", Value::String(vocabulary.model)},
                                    {prefix + "pre", Value::String(vocabulary.pre)},
                                    {prefix + "tokens", Value::Strings(vocabulary.tokens)},
                                    {prefix + "token_type", Value::Int32s(vocabulary.types)},
                                    {prefix + "scores", Value::Float32s(scores)},
                                    {prefix + "merges", Value::Strings(vocabulary.merges)}};
  metadata.insert(metadata.end(), vocabulary.more.begin(), vocabulary.more.end());
  const auto header = rocforge::gguf::EncodeHeader(metadata, {});
  Require(header.ok());
  const auto file =
      rocforge::gguf::File::Parse(std::as_bytes(std::span(header->data(), header->size())), "fuzz");
  Require(file.ok());
  auto tokenizer = Tokenizer::FromGguf(*file);
  Require(tokenizer.ok());
  return std::move(*tokenizer);
}

Vocabulary ByteLevel(const std::string& pre) {
  Vocabulary vocabulary{.model = "gpt2", .pre = pre};
  for (int b = 0; b < 256; ++b) {
    std::string text;
    rocforge::text::AppendUtf8(
        rocforge::text::ByteAlphabet::Get().CodePoint(static_cast<uint8_t>(b)), &text);
    vocabulary.Add(text, 1);
  }
  for (const char* text : {"ab", "Ġa", "aa", "aaaa", "Ġab"}) vocabulary.Add(text, 1);
  for (const char* text : {"<|x|>", "<|x|>y"}) vocabulary.Add(text, 3);
  vocabulary.Add("\n\n", 4);
  vocabulary.merges = {"a a", "Ġ a", "a b", "Ġa b", "aa aa"};
  return vocabulary;
}

Vocabulary WithHexBytes(const std::string& model, const std::string& pre) {
  Vocabulary vocabulary{.model = model, .pre = pre};
  vocabulary.Add("<unk>", 2);
  vocabulary.Add("<s>", 3);
  vocabulary.Add("</s>", 3);
  for (int b = 0; b < 256; ++b) vocabulary.Add(rocforge::Format("<0x{:02X}>", b), 6);
  for (const char* text : {"▁", "a", "b", "▁a", "ab", "▁▁", "é", "\n", "\n\n", "a▁"}) {
    vocabulary.Add(text, 1);
  }
  vocabulary.Add("<x>", 4);
  vocabulary.merges = {"▁ ▁", "▁ a", "a b", "a ▁"};
  return vocabulary;
}

Vocabulary Bert() {
  Vocabulary vocabulary{.model = "bert"};
  for (const char* text : {"[PAD]", "[UNK]", "[CLS]", "[SEP]"}) vocabulary.Add(text, 3);
  for (const char* text : {"▁a", "a", "b", "▁b", "▁.", "ab"}) vocabulary.Add(text, 1);
  vocabulary.more = {{"tokenizer.ggml.bos_token_id", Value::Uint32(2)},
                     {"tokenizer.ggml.seperator_token_id", Value::Uint32(3)},
                     {"tokenizer.ggml.unknown_token_id", Value::Uint32(1)}};
  return vocabulary;
}

struct Subject {
  std::unique_ptr<Tokenizer> tokenizer;
  bool utf8_returns = false;  // well-formed text without U+2581 comes back
  bool all_returns = false;   // so do any bytes without U+2581
};

std::vector<Subject> Subjects() {
  rocforge::SetLogLevel(rocforge::LogLevel::kOff);
  std::vector<Subject> subjects;
  for (const char* pre : {"default", "llama-bpe", "gpt-2", "qwen35", "gpt-4o", "kimi-k2", "afmoe",
                          "tiny_aya", "superbpe", "deepseek-v3", "deepseek-llm", "jais-2"}) {
    subjects.push_back({Load(ByteLevel(pre)), true, false});
  }
  subjects.push_back({Load(WithHexBytes("gemma4", "")), true, false});
  subjects.push_back({Load(WithHexBytes("whitespace", "")), false, false});
  subjects.push_back({Load(WithHexBytes("llama", "")), true, true});
  subjects.push_back({Load(WithHexBytes("t5", "")), false, false});
  subjects.push_back({Load(Bert()), false, false});
  return subjects;
}

void CheckText(const Subject& subject, std::string_view text) {
  const Tokenizer& tokenizer = *subject.tokenizer;
  const bool has_mark = text.find("\xE2\x96\x81") != std::string_view::npos;
  for (const bool parse_special : {false, true}) {
    const auto ids = tokenizer.Encode(text, {.add_special = false, .parse_special = parse_special});
    Require(ids.ok());
    for (const int32_t id : *ids) Require(id >= 0 && id < tokenizer.size());
    const bool returns = !has_mark && (subject.all_returns ||
                                       (subject.utf8_returns && rocforge::text::IsUtf8(text)));
    if (returns) Require(tokenizer.Decode(*ids, true) == text);
  }
}

void CheckIds(const Tokenizer& tokenizer, std::span<const uint8_t> data) {
  rocforge::text::Detokenizer detokenizer(tokenizer);
  std::string streamed;
  for (size_t i = 0; i + 1 < data.size(); i += 2) {
    const int32_t id = static_cast<int32_t>(data[i] | data[i + 1] << 8) - 1;
    streamed += detokenizer.Feed(id);
    Require(detokenizer.pending().size() <= 3);
  }
  streamed += detokenizer.Flush();
  Require(rocforge::text::IsUtf8(streamed));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<Subject> subjects = Subjects();
  if (size == 0) return 0;
  const Subject& subject = subjects[data[0] % subjects.size()];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  CheckText(subject, text);
  CheckIds(*subject.tokenizer, std::span(data, size).subspan(1));
  return 0;
}
