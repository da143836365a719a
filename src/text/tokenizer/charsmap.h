// SentencePiece's precompiled normalisation rules.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::text {

// "precompiled_charsmap": a trie of character sequences and what each is replaced by. The trie is a
// double array as in Darts-clone (github.com/s-yata/darts-clone), 32 bits a node: bits 0-7 label,
// bit 8 "a value hangs here", bit 9 scales the offset of bits 10-30 by 256; a value has bit 31 set.
// Immutable; reads never leave the map, whatever it holds.
class CharsMap {
 public:
  CharsMap() = default;  // no rules

  // kDataLoss if the sizes in `bytes` contradict each other.
  static Result<CharsMap> Parse(std::string bytes);

  // The longest rule that `text` begins with: what it covers and its replacement (inside the map).
  struct Rule {
    size_t length = 0;  // 0: no rule
    std::string_view replacement;
  };
  Rule Longest(std::string_view text) const;

 private:
  uint32_t Node(size_t index) const { return index < nodes_.size() ? nodes_[index] : 0; }

  std::vector<uint32_t> nodes_;
  std::string replacements_;  // each ends with a NUL
};

}  // namespace rocforge::text
