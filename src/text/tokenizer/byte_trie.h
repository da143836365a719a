// Prefix search over byte strings.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

namespace rocforge::text {

// A trie whose edges are kept in one hash table: about 20 bytes a node, no pointer chasing.
class ByteTrie {
 public:
  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNoNode = UINT32_MAX;
  static constexpr int32_t kNoValue = -1;

  ByteTrie() { first_.fill(kNoNode); }

  // A second Insert of the same key is ignored; so is an empty key.
  void Insert(std::string_view key, int32_t value) {
    if (key.empty()) return;
    uint32_t node = kRoot;
    for (const char c : key) node = AddChild(node, static_cast<uint8_t>(c));
    if (values_[node] == kNoValue) values_[node] = value;
  }

  // The node behind `byte`, or kNoNode.
  uint32_t Child(uint32_t node, uint8_t byte) const {
    if (node == kRoot) return first_[byte];
    if (edges_.empty()) return kNoNode;
    return edges_[Probe(Key(node, byte))].child;
  }

  // The value of the key that ends at `node`, or kNoValue.
  int32_t Value(uint32_t node) const { return values_[node]; }

  // The longest key that `text` begins with.
  struct Match {
    size_t length = 0;  // 0: none
    int32_t value = kNoValue;
  };
  Match Longest(std::string_view text) const {
    Match best;
    uint32_t node = kRoot;
    for (size_t i = 0; i < text.size(); ++i) {
      node = Child(node, static_cast<uint8_t>(text[i]));
      if (node == kNoNode) break;
      if (values_[node] != kNoValue) best = {i + 1, values_[node]};
    }
    return best;
  }

  // Whether some key begins with `byte`.
  bool StartsKey(uint8_t byte) const { return first_[byte] != kNoNode; }

 private:
  struct Edge {
    uint64_t key = 0;  // 0 is free: the root's edges are in first_
    uint32_t child = kNoNode;
  };

  static uint64_t Key(uint32_t node, uint8_t byte) { return uint64_t{node} << 8 | byte; }

  uint32_t AddChild(uint32_t node, uint8_t byte) {
    const auto fresh = static_cast<uint32_t>(values_.size());
    if (node == kRoot) {
      if (first_[byte] == kNoNode) {
        first_[byte] = fresh;
        values_.push_back(kNoValue);
      }
      return first_[byte];
    }
    if (edge_count_ * 2 >= edges_.size()) Grow();
    Edge& edge = edges_[Probe(Key(node, byte))];
    if (edge.child == kNoNode) {
      edge = {Key(node, byte), fresh};
      ++edge_count_;
      values_.push_back(kNoValue);
    }
    return edge.child;
  }

  size_t Probe(uint64_t key) const {
    const size_t mask = edges_.size() - 1;
    const int shift = 64 - std::countr_zero(edges_.size());
    size_t i = static_cast<size_t>(key * 0x9E3779B97F4A7C15u >> shift);
    while (edges_[i].child != kNoNode && edges_[i].key != key) i = (i + 1) & mask;
    return i;
  }

  void Grow() {
    std::vector<Edge> old(edges_.empty() ? 64 : edges_.size() * 2);
    old.swap(edges_);
    for (const Edge& edge : old) {
      if (edge.child != kNoNode) edges_[Probe(edge.key)] = edge;
    }
  }

  std::array<uint32_t, 256> first_;  // the root's children
  std::vector<int32_t> values_ = {kNoValue};
  std::vector<Edge> edges_;
  size_t edge_count_ = 0;
};

}  // namespace rocforge::text
