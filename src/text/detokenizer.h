// Token ids to text, one at a time, never showing half a character.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/tokenizer/tokenizer.h"

namespace rocforge::text {

struct DetokenizerOptions {
  bool special = false;  // show control tokens
  // The stream is the start of a text or the answer of a chat turn: drop the one space that a
  // SentencePiece vocabulary puts there. Set to false when the stream continues a text.
  bool strip_leading_space = true;
};

// One stream of generated tokens. Not thread-safe; the Tokenizer must outlive it. Feed allocates
// nothing once the buffer has grown to the longest piece.
class Detokenizer {
 public:
  explicit Detokenizer(const Tokenizer& tokenizer, DetokenizerOptions options = {});

  // The bytes that are complete UTF-8 after this token. The beginning of a character is held back
  // until the rest comes; bytes that can never become a character give U+FFFD, one for each maximal
  // ill-formed part (Unicode 15.1, section 3.9, best practice). Valid until the next call.
  std::string_view Feed(int32_t id);

  // Ends the stream: a held-back beginning of a character gives one U+FFFD. The Detokenizer is then
  // as new.
  std::string_view Flush();

  // Bytes held back, at most 3.
  std::string_view pending() const { return {pending_, pending_size_}; }

 private:
  const Tokenizer* tokenizer_;
  DetokenizerOptions options_;
  bool strip_next_;
  char pending_[4] = {};
  size_t pending_size_ = 0;
  std::string in_;   // what was held back and the new piece
  std::string out_;  // what Feed and Flush return
};

}  // namespace rocforge::text
