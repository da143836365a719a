#include "text/tokenizer/charsmap.h"

#include <cstring>
#include <utility>

#include "base/format.h"

namespace rocforge::text {
namespace {

uint32_t Base(uint32_t node) { return node >> 10 << ((node & 1u << 9) >> 6); }
uint32_t Label(uint32_t node) { return node & (1u << 31 | 0xFF); }
bool HasValue(uint32_t node) { return (node >> 8 & 1) != 0; }
uint32_t ValueOf(uint32_t node) { return node & ~(1u << 31); }

}  // namespace

Result<CharsMap> CharsMap::Parse(std::string bytes) {
  CharsMap map;
  if (bytes.empty()) return map;
  constexpr std::string_view kKey = "tokenizer.ggml.precompiled_charsmap";
  uint32_t trie_bytes = 0;
  if (bytes.size() < sizeof trie_bytes) return DataLoss(Format("{} is cut short", kKey));
  std::memcpy(&trie_bytes, bytes.data(), sizeof trie_bytes);
  const size_t left = bytes.size() - sizeof trie_bytes;
  if (trie_bytes > left || trie_bytes % 4 != 0) {
    return DataLoss(Format("{} claims a trie of {} bytes in {}", kKey, trie_bytes, left));
  }
  if (trie_bytes < left && bytes.back() != '\0') {
    return DataLoss(Format("the last replacement of {} has no end", kKey));
  }
  map.nodes_.resize(trie_bytes / 4);
  std::memcpy(map.nodes_.data(), bytes.data() + sizeof trie_bytes, trie_bytes);
  map.replacements_ = bytes.substr(sizeof trie_bytes + trie_bytes);
  return map;
}

CharsMap::Rule CharsMap::Longest(std::string_view text) const {
  Rule best;
  if (nodes_.empty()) return best;
  size_t index = Base(Node(0));
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    if (c == 0) break;
    index ^= c;
    const uint32_t node = Node(index);
    if (Label(node) != c) break;
    index ^= Base(node);
    if (!HasValue(node)) continue;
    const uint32_t value = ValueOf(Node(index));
    if (value >= replacements_.size()) break;
    best = {i + 1, std::string_view(replacements_.c_str() + value)};
  }
  return best;
}

}  // namespace rocforge::text
