// What turns a stretch of text without special tokens into ids: one implementation per VocabKind.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/reader.h"
#include "rocforge/status.h"
#include "text/tokenizer/vocab.h"

namespace rocforge::text {

// Immutable to its callers and thread-safe. Refers to the Vocab it was made from.
class Model {
 public:
  virtual ~Model() = default;

  // Appends the ids of `text` (any bytes, less than 4 GiB, not empty). `at_start`: nothing or a
  // special token comes before it.
  virtual Status Encode(std::string_view text, bool at_start, std::vector<int32_t>* ids) const = 0;

  // The bytes that a normal token stands for; others are Tokenizer's business.
  virtual std::string PieceOfNormal(std::string_view token_text) const = 0;
};

// `merges`: "left right" lines, best first. kDataLoss for a line without a space.
Result<std::unique_ptr<Model>> MakeBpe(const Vocab& vocab, std::span<const std::string> merges);
Result<std::unique_ptr<Model>> MakeSentencePiece(const Vocab& vocab);
Result<std::unique_ptr<Model>> MakeWordPiece(const Vocab& vocab);
// `charsmap`: SentencePiece's precompiled normalisation, or empty. kDataLoss if it is malformed.
Result<std::unique_ptr<Model>> MakeUnigram(const Vocab& vocab, std::string charsmap);
Result<std::unique_ptr<Model>> MakeRwkv(const Vocab& vocab);

}  // namespace rocforge::text
