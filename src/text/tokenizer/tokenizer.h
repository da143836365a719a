// Text to token ids and back, for every vocabulary that a GGUF file can carry: byte-level BPE,
// SentencePiece BPE, WordPiece, unigram and RWKV. docs/TOKENIZERS.md says what each does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/reader.h"
#include "rocforge/status.h"

namespace rocforge::text {

inline constexpr int32_t kNoToken = -1;

struct EncodeOptions {
  bool add_special = true;    // add BOS, EOS or SEP as the file asks
  bool parse_special = true;  // control tokens written out in the text become their ids
};

// As numbered in tokenizer.ggml.token_type.
enum class TokenType : uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

// Tokens with a meaning of their own; kNoToken where the vocabulary has none.
struct SpecialTokens {
  int32_t bos = kNoToken;
  int32_t eos = kNoToken;
  int32_t eot = kNoToken;  // end of turn
  int32_t eom = kNoToken;  // end of message: the model waits for a tool's answer
  int32_t unk = kNoToken;
  int32_t sep = kNoToken;
  int32_t pad = kNoToken;
  int32_t mask = kNoToken;
  int32_t fim_pre = kNoToken;  // fill in the middle
  int32_t fim_suf = kNoToken;
  int32_t fim_mid = kNoToken;
  int32_t fim_pad = kNoToken;
  int32_t fim_rep = kNoToken;
  int32_t fim_sep = kNoToken;
};

// A loaded vocabulary. Immutable, so every method may be called from any number of threads at once.
// It owns all it needs: the gguf::File may be closed after FromGguf.
class Tokenizer {
 public:
  // Reads the tokenizer.ggml.* metadata. kUnsupported (naming the offender and what is supported)
  // for an unknown vocabulary kind or pre-tokenizer, kNotFound for a file without a vocabulary,
  // kDataLoss for one that contradicts itself.
  static Result<std::unique_ptr<Tokenizer>> FromGguf(const gguf::File& file);

  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // Any bytes are accepted: what is not UTF-8 becomes U+FFFD, one for each bad byte, except where
  // the vocabulary has tokens for raw bytes and no splitting rule (SentencePiece, RWKV).
  // User-defined tokens are recognised even without parse_special. kResourceExhausted if a
  // splitting rule exceeds its limits on this text; no other failure is possible.
  Result<std::vector<int32_t>> Encode(std::string_view text, const EncodeOptions& options) const;

  // The bytes that token `id` adds to a text: often not whole characters (see Detokenizer), "" for
  // an id outside the vocabulary. Control and unknown tokens give their text if `special`, else "".
  // Valid as long as the Tokenizer.
  std::string_view Piece(int32_t id, bool special) const;

  // The text of all ids: the inverse of Encode without add_special, so a space that Encode put in
  // front (SentencePiece) is taken away. Control tokens are shown if `special`. May hold invalid
  // UTF-8 if the ids do.
  std::string Decode(std::span<const int32_t> ids, bool special = false) const;

  // Whether Encode puts a space in front of a text and of what follows a special token; then the
  // first piece of such a stretch begins with a space that is not part of the text.
  bool adds_space_prefix() const;
  // Whether such a stretch begins behind token `id`.
  bool StartsStretch(int32_t id) const;

  int32_t size() const;                                            // ids are [0, size())
  TokenType type(int32_t id) const;                                // kUnused outside
  std::string_view text(int32_t id) const;                         // as in the file; "" outside
  float score(int32_t id) const;                                   // 0 if the file has none
  std::optional<int32_t> Find(std::string_view token_text) const;  // text as in the file

  const SpecialTokens& special_tokens() const;
  int32_t bos() const { return special_tokens().bos; }
  int32_t eos() const { return special_tokens().eos; }
  int32_t eot() const { return special_tokens().eot; }
  int32_t unk() const { return special_tokens().unk; }
  int32_t pad() const { return special_tokens().pad; }

  // True for each token after which generation stops: EOS, EOT, EOM and the well-known end markers.
  bool IsEog(int32_t id) const;
  std::span<const int32_t> eog_tokens() const;  // ascending
  // Tokens that the file says must never be sampled (tokenizer.ggml.suppress_tokens).
  std::span<const int32_t> suppressed_tokens() const;

  bool add_bos() const;
  bool add_eos() const;
  const std::string& model() const;  // tokenizer.ggml.model: "gpt2", "llama", "bert", ...
  const std::string& pre() const;    // tokenizer.ggml.pre, "" if absent

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rocforge::text
