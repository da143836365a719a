// Vocabularies for the tokenizer tests: the reference files, and small ones made in memory.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/format.h"
#include "gguf/reader.h"
#include "gguf/writer.h"
#include "tests/testing.h"
#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/tokenizer.h"
#include "text/unicode.h"

namespace rocforge::text {

// A file of the reference data's vocab folder, unpacked into a temporary folder if it is
// compressed.
class VocabularyFile {
 public:
  VocabularyFile(const std::string& folder, const std::string& name) {
    path_ = folder + "/" + name + ".gguf";
    if (std::filesystem::exists(path_)) return;
    const std::string packed = path_ + ".xz";
    path_ = temp_.File(name + ".gguf");
    if (std::system("command -v xz >/dev/null 2>&1") != 0) {
      skip_reason_ = "xz is not installed: " + packed + " cannot be unpacked";
    } else if (std::system(("xz -dkc '" + packed + "' > '" + path_ + "'").c_str()) != 0) {
      ADD_FAILURE() << "cannot unpack " << packed;
    }
  }
  const std::string& path() const { return path_; }
  const std::string& skip_reason() const { return skip_reason_; }  // "" if the file is there

 private:
  testing::TempDir temp_;
  std::string path_;
  std::string skip_reason_;
};

// nullptr, and a failure, if it cannot be loaded.
inline std::unique_ptr<Tokenizer> LoadTokenizer(const std::string& path) {
  const auto file = gguf::File::Open(path);
  EXPECT_TRUE(file.ok()) << file.status().message();
  if (!file.ok()) return nullptr;
  auto tokenizer = Tokenizer::FromGguf(*file);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  return tokenizer.ok() ? std::move(*tokenizer) : nullptr;
}

// What a test puts into a GGUF file in memory. Empty members are left out of the file.
struct SmallVocabulary {
  std::string model = "gpt2";
  std::string pre;
  std::vector<std::string> tokens;
  std::vector<double> scores;
  std::vector<int64_t> types;
  std::vector<std::string> merges;
  std::vector<gguf::KeyValue> more;  // keys behind "tokenizer.ggml.", or with a dot whole keys
};

inline Result<std::unique_ptr<Tokenizer>> MakeTokenizer(const SmallVocabulary& vocabulary) {
  const std::string prefix = "tokenizer.ggml.";
  using gguf::Value;
  std::vector<gguf::KeyValue> metadata;
  metadata.push_back({prefix + "model", Value::String(vocabulary.model)});
  if (!vocabulary.pre.empty()) metadata.push_back({prefix + "pre", Value::String(vocabulary.pre)});
  metadata.push_back({prefix + "tokens", Value::Strings(vocabulary.tokens)});
  if (!vocabulary.scores.empty()) {
    metadata.push_back({prefix + "scores", Value::Float32s(vocabulary.scores)});
  }
  if (!vocabulary.types.empty()) {
    metadata.push_back({prefix + "token_type", Value::Int32s(vocabulary.types)});
  }
  if (!vocabulary.merges.empty()) {
    metadata.push_back({prefix + "merges", Value::Strings(vocabulary.merges)});
  }
  for (const gguf::KeyValue& entry : vocabulary.more) {
    const bool whole = entry.key.find('.') != std::string::npos;
    metadata.push_back({whole ? entry.key : prefix + entry.key, entry.value});
  }
  ROCFORGE_ASSIGN_OR_RETURN(const std::string bytes, gguf::EncodeHeader(metadata, {}));
  ROCFORGE_ASSIGN_OR_RETURN(
      const gguf::File file,
      gguf::File::Parse(std::as_bytes(std::span(bytes.data(), bytes.size())), "test"));
  return Tokenizer::FromGguf(file);
}

// The same, failing the test if it does not work.
inline std::unique_ptr<Tokenizer> MakeTokenizerOrFail(const SmallVocabulary& vocabulary) {
  auto tokenizer = MakeTokenizer(vocabulary);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  return tokenizer.ok() ? std::move(*tokenizer) : nullptr;
}

// Bytes in GPT-2's alphabet.
inline std::string InAlphabet(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    AppendUtf8(ByteAlphabet::Get().CodePoint(static_cast<uint8_t>(c)), &out);
  }
  return out;
}

// One token for each byte, in order: the beginning of most byte-level vocabularies.
inline std::vector<std::string> ByteTexts() {
  std::vector<std::string> texts;
  for (int b = 0; b < 256; ++b) texts.push_back(InAlphabet(std::string(1, static_cast<char>(b))));
  return texts;
}

// "<0x00>" to "<0xFF>".
inline std::vector<std::string> HexTexts() {
  std::vector<std::string> texts;
  for (int b = 0; b < 256; ++b) texts.push_back(Format("<0x{:02X}>", b));
  return texts;
}

// The ids of `text`, failing the test if there are none.
inline std::vector<int32_t> Ids(const Tokenizer& tokenizer, std::string_view text,
                                const EncodeOptions& options = {}) {
  const auto ids = tokenizer.Encode(text, options);
  EXPECT_TRUE(ids.ok()) << ids.status().message();
  return ids.ok() ? *ids : std::vector<int32_t>{};
}

}  // namespace rocforge::text
