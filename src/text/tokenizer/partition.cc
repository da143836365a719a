#include "text/tokenizer/partition.h"

#include <algorithm>

namespace rocforge::text {
namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

Partitioner::Partitioner(const Vocab& vocab) {
  for (int32_t id = 0; id < vocab.size; ++id) {
    if (!vocab.Has(id, kTokenControl | kTokenUserDefined | kTokenUnknown)) continue;
    const std::string_view text = vocab.token_text(id);
    if (text.empty() || vocab.Find(text) != id) continue;
    tokens_.push_back({text, id, vocab.flags[static_cast<size_t>(id)]});
  }
  std::stable_sort(tokens_.begin(), tokens_.end(),
                   [](const Token& a, const Token& b) { return a.text.size() > b.text.size(); });
  for (size_t i = 0; i < tokens_.size(); ++i) {
    trie_.Insert(tokens_[i].text, static_cast<int32_t>(i));
    if (Applies(tokens_[i], false)) user_trie_.Insert(tokens_[i].text, static_cast<int32_t>(i));
  }
}

bool Partitioner::Applies(const Token& token, bool parse_special) const {
  return parse_special || (token.flags & (kTokenControl | kTokenUnknown)) == 0;
}

void Partitioner::Split(std::string_view text, bool parse_special,
                        std::vector<Fragment>* fragments) const {
  fragments->clear();
  if (text.empty()) return;
  fragments->push_back({0, static_cast<uint32_t>(text.size()), kNoToken});
  const ByteTrie& trie = parse_special ? trie_ : user_trie_;
  std::vector<bool> occurs;
  for (size_t i = 0; i < text.size(); ++i) {
    uint32_t node = trie.Child(ByteTrie::kRoot, static_cast<uint8_t>(text[i]));
    for (size_t j = i + 1; node != ByteTrie::kNoNode; ++j) {
      if (const int32_t found = trie.Value(node); found != ByteTrie::kNoValue) {
        occurs.resize(tokens_.size());
        occurs[static_cast<size_t>(found)] = true;
      }
      if (j == text.size()) break;
      node = trie.Child(node, static_cast<uint8_t>(text[j]));
    }
  }
  for (size_t i = 0; i < occurs.size(); ++i) {
    if (occurs[i]) Cut(text, tokens_[i], fragments);
  }
}

void Partitioner::Cut(std::string_view text, const Token& token,
                      std::vector<Fragment>* fragments) const {
  std::vector<Fragment> result;
  result.reserve(fragments->size() + 2);
  for (Fragment rest : *fragments) {
    while (rest.token == kNoToken) {
      const size_t at = text.substr(0, rest.end).find(token.text, rest.begin);
      if (at == std::string_view::npos) break;
      const auto match = static_cast<uint32_t>(at);
      const auto behind = match + static_cast<uint32_t>(token.text.size());
      uint32_t left_end = match;
      if ((token.flags & kTokenStripLeft) != 0) {
        while (left_end > rest.begin && IsSpace(text[left_end - 1])) --left_end;
      }
      if (left_end > rest.begin) result.push_back({rest.begin, left_end, kNoToken});
      result.push_back({match, behind, token.id});
      rest.begin = behind;
      if ((token.flags & kTokenStripRight) != 0) {
        while (rest.begin < rest.end && IsSpace(text[rest.begin])) ++rest.begin;
      }
    }
    if (rest.token != kNoToken || rest.begin < rest.end) result.push_back(rest);
  }
  fragments->swap(result);
}

}  // namespace rocforge::text
