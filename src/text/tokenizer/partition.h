// Finds the tokens that are written out in a text, before anything else looks at it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "text/tokenizer/byte_trie.h"
#include "text/tokenizer/vocab.h"

namespace rocforge::text {

// A stretch of the text: a token, or text that is still to be encoded.
struct Fragment {
  uint32_t begin;
  uint32_t end;
  int32_t token;  // kNoToken: text
};

// Longer tokens are taken first, wherever they stand, then lower ids; of one token the leftmost
// occurrence. User-defined tokens always count, control and unknown ones only if `parse_special`.
// A token that strips swallows the whitespace next to it. Immutable and thread-safe.
class Partitioner {
 public:
  explicit Partitioner(const Vocab& vocab);

  // Replaces *fragments by those of `text`, in order, none empty. O(text) where no special token
  // occurs, and the same once more for each different token that does.
  void Split(std::string_view text, bool parse_special, std::vector<Fragment>* fragments) const;

 private:
  struct Token {
    std::string_view text;  // inside the Vocab
    int32_t id;
    uint16_t flags;
  };

  bool Applies(const Token& token, bool parse_special) const;
  void Cut(std::string_view text, const Token& token, std::vector<Fragment>* fragments) const;

  std::vector<Token> tokens_;  // in order of precedence; the trie's values are their positions
  ByteTrie trie_;
  ByteTrie user_trie_;  // user-defined tokens alone
};

}  // namespace rocforge::text
