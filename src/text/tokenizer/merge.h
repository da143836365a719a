// The merging loop of byte-pair encoding: the best pair of neighbours becomes one symbol, until no
// pair is left (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword
// Units"). Shared by the rank-ordered and the score-ordered kind.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "text/tokenizer/string_table.h"

namespace rocforge::text {

inline constexpr uint32_t kNoMerge = UINT32_MAX;

// What two neighbours may become. The lowest key goes first, the leftmost of equal ones.
struct PairRule {
  uint32_t key = kNoMerge;
  uint32_t symbol = kNoSymbol;
};

struct Symbol {
  uint32_t begin;   // in the word; it ends where the next one begins
  uint32_t symbol;  // kNoSymbol: a character that the vocabulary lacks
};

// Merges short words in place. `Rules` is called as rules(left, right, joined) -> PairRule with the
// two symbols and the bytes of both.
constexpr size_t kShortWordSymbols = 32;

template <typename Rules>
void MergeShort(std::string_view word, const Rules& rules, std::vector<Symbol>* symbols) {
  size_t n = symbols->size();
  Symbol* s = symbols->data();
  std::array<PairRule, kShortWordSymbols> pair;  // pair[i]: symbols i and i + 1
  const auto rule = [&](size_t i) -> PairRule {
    const size_t end = i + 2 < n ? s[i + 2].begin : word.size();
    return rules(s[i].symbol, s[i + 1].symbol, word.substr(s[i].begin, end - s[i].begin));
  };
  for (size_t i = 0; i + 1 < n; ++i) pair[i] = rule(i);
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i) {
      if (pair[i].key < pair[best].key) best = i;
    }
    if (pair[best].key == kNoMerge) break;
    s[best].symbol = pair[best].symbol;
    std::copy(s + best + 2, s + n, s + best + 1);
    if (n > best + 2) {
      std::copy(pair.data() + best + 2, pair.data() + n - 1, pair.data() + best + 1);
    }
    --n;
    if (best + 1 < n) pair[best] = rule(best);
    if (best > 0) pair[best - 1] = rule(best - 1);
  }
  symbols->resize(n);
}

// Pairs that wait to be merged: the lowest key first, and the leftmost of equal ones. Most pairs
// are added with keys above the one being served, so they are kept in a bucket for each key and
// sorted when its turn comes, which is several times faster than one heap of millions.
class PairQueue {
 public:
  void Add(uint32_t key, uint32_t left) {
    if (served_any_ && key <= key_) {
      urgent_.push_back(Entry(key, left));
      std::push_heap(urgent_.begin(), urgent_.end(), std::greater<>());
    } else {
      buckets_[key].push_back(left);
    }
  }

  // The next pair as Entry(key, left), or kEmpty.
  static constexpr uint64_t kEmpty = UINT64_MAX;
  uint64_t Pop() {
    if (next_ == bucket_.size() && urgent_.empty() && !NextBucket()) return kEmpty;
    const uint64_t regular = next_ < bucket_.size() ? Entry(key_, bucket_[next_]) : kEmpty;
    if (!urgent_.empty() && urgent_.front() < regular) {
      std::pop_heap(urgent_.begin(), urgent_.end(), std::greater<>());
      const uint64_t entry = urgent_.back();
      urgent_.pop_back();
      return entry;
    }
    ++next_;
    return regular;
  }

  static uint64_t Entry(uint32_t key, uint32_t left) { return uint64_t{key} << 32 | left; }

 private:
  bool NextBucket() {
    if (buckets_.empty()) return false;
    auto first = buckets_.extract(buckets_.begin());
    key_ = first.key();
    bucket_ = std::move(first.mapped());
    if (!std::is_sorted(bucket_.begin(), bucket_.end())) std::sort(bucket_.begin(), bucket_.end());
    next_ = 0;
    served_any_ = true;
    return true;
  }

  std::map<uint32_t, std::vector<uint32_t>> buckets_;  // of keys above key_
  std::vector<uint32_t> bucket_;                       // of key_, ascending
  size_t next_ = 0;                                    // in bucket_
  uint32_t key_ = 0;
  bool served_any_ = false;
  std::vector<uint64_t> urgent_;  // a heap of what came in with key_ or below
};

// The same for any length, in O(n log n) time and some 30 bytes a symbol.
template <typename Rules>
void MergeLong(std::string_view word, const Rules& rules, std::vector<Symbol>* symbols) {
  constexpr uint32_t kNone = UINT32_MAX;
  struct Node {
    uint32_t previous, next;
    PairRule pair;  // with the next node
  };
  const auto n = static_cast<uint32_t>(symbols->size());
  Symbol* s = symbols->data();
  std::vector<Node> nodes(n);
  PairQueue queue;
  const auto update = [&](uint32_t left) {
    Node& node = nodes[left];
    node.pair = {};
    if (node.next == kNone) return;
    const uint32_t after = nodes[node.next].next;
    const size_t end = after == kNone ? word.size() : s[after].begin;
    node.pair =
        rules(s[left].symbol, s[node.next].symbol, word.substr(s[left].begin, end - s[left].begin));
    if (node.pair.key != kNoMerge) queue.Add(node.pair.key, left);
  };
  for (uint32_t i = 0; i < n; ++i) {
    nodes[i].previous = i == 0 ? kNone : i - 1;
    nodes[i].next = i + 1 == n ? kNone : i + 1;
  }
  for (uint32_t i = 0; i < n; ++i) update(i);
  for (uint64_t entry; (entry = queue.Pop()) != PairQueue::kEmpty;) {
    const auto left = static_cast<uint32_t>(entry);
    Node& node = nodes[left];
    // An entry is out of date if the pair that stands there now has another key; a pair with the
    // same key is due now in any case. Nodes that were merged away have no pair.
    if (node.pair.key != entry >> 32) continue;
    const uint32_t right = node.next;
    s[left].symbol = node.pair.symbol;
    node.next = nodes[right].next;
    nodes[right].pair = {};
    if (node.next != kNone) nodes[node.next].previous = left;
    update(left);
    if (node.previous != kNone) update(node.previous);
  }
  uint32_t kept = 0;
  for (uint32_t i = 0; i != kNone; i = nodes[i].next) s[kept++] = s[i];
  symbols->resize(kept);
}

// Merges the symbols of `word`, which must not be empty.
template <typename Rules>
void MergeSymbols(std::string_view word, const Rules& rules, std::vector<Symbol>* symbols) {
  if (symbols->size() <= kShortWordSymbols) {
    MergeShort(word, rules, symbols);
  } else {
    MergeLong(word, rules, symbols);
  }
}

}  // namespace rocforge::text
