// Strings to dense numbers and back, packed for fast lookup.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rocforge::text {

inline constexpr uint32_t kNoSymbol = UINT32_MAX;

// A hash of short strings, good enough that its high bits can index a table.
inline uint64_t HashBytes(std::string_view s) {
  constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15u;
  const char* p = s.data();
  size_t left = s.size();
  uint64_t hash = left * kMultiplier;
  uint64_t word;
  while (left > 8) {
    std::memcpy(&word, p, 8);
    hash = std::rotl(hash ^ word, 29) * kMultiplier;
    p += 8;
    left -= 8;
  }
  word = 0;
  if (left >= 4) {  // two reads that overlap cover 4 to 8 bytes
    uint32_t head, tail;
    std::memcpy(&head, p, 4);
    std::memcpy(&tail, p + left - 4, 4);
    word = uint64_t{head} << 32 | tail;
  } else if (left > 0) {
    word = uint64_t{static_cast<uint8_t>(p[0])} << 16 |
           uint64_t{static_cast<uint8_t>(p[left / 2])} << 8 | static_cast<uint8_t>(p[left - 1]);
  }
  hash = (hash ^ word) * kMultiplier;
  return (hash ^ hash >> 32) * kMultiplier;
}

// Grows only. Numbers are given out in the order of Add. At most 2^32 - 2 strings and 4 GiB in all
// (a vocabulary comes from one metadata array, which the GGUF reader bounds far below that).
class StringTable {
 public:
  // Makes room, so that `strings` Adds of `bytes` in all reallocate nothing.
  void Reserve(size_t strings, size_t bytes) {
    begin_.reserve(strings + 1);
    blob_.reserve(bytes);
    if (strings * 3 / 2 > slots_.size()) Rehash(strings * 3 / 2);
  }

  // The number of `s`, which is added if it is new.
  uint32_t Add(std::string_view s) { return AddHashed(s, HashBytes(s)); }

  // numbers[i] = Add(strings[i]), in this order. A table of a large vocabulary is bigger than the
  // caches near the core: this fetches the memory of a block of strings all at once.
  void AddAll(std::span<const std::string_view> strings, uint32_t* numbers) {
    constexpr size_t kBlock = 64;
    std::array<uint64_t, kBlock> hashes;
    while (!strings.empty()) {
      const auto block = strings.first(std::min(kBlock, strings.size()));
      for (size_t i = 0; i < block.size(); ++i) {
        hashes[i] = HashBytes(block[i]);
        if (!slots_.empty()) __builtin_prefetch(&slots_[hashes[i] >> shift_]);
      }
      for (size_t i = 0; i < block.size() && !slots_.empty(); ++i) {
        __builtin_prefetch(blob_.data() + slots_[hashes[i] >> shift_].begin);
      }
      for (size_t i = 0; i < block.size(); ++i) numbers[i] = AddHashed(block[i], hashes[i]);
      strings = strings.subspan(block.size());
      numbers += block.size();
    }
  }

  // kNoSymbol if `s` was never added.
  uint32_t Find(std::string_view s) const {
    if (slots_.empty()) return kNoSymbol;
    return slots_[Probe(s, HashBytes(s))].number;
  }

  std::string_view operator[](uint32_t number) const {
    return {blob_.data() + begin_[number], begin_[number + 1] - begin_[number]};
  }
  uint32_t size() const { return static_cast<uint32_t>(begin_.size() - 1); }

 private:
  struct Slot {
    uint32_t tag = 0;
    uint32_t number = kNoSymbol;
    uint32_t begin = 0;
    uint32_t length = 0;
  };

  static uint32_t Tag(uint64_t hash) { return static_cast<uint32_t>(hash); }

  uint32_t AddHashed(std::string_view s, uint64_t hash) {
    if (size() + size() / 2 >= slots_.size()) Rehash(size() * 2 + 16);
    Slot& slot = slots_[Probe(s, hash)];
    if (slot.number == kNoSymbol) {
      slot = {Tag(hash), size(), static_cast<uint32_t>(blob_.size()),
              static_cast<uint32_t>(s.size())};
      blob_.append(s);
      begin_.push_back(static_cast<uint32_t>(blob_.size()));
    }
    return slot.number;
  }

  // Index of the slot that holds `s`, or of the free one where it belongs.
  size_t Probe(std::string_view s, uint64_t hash) const {
    const size_t mask = slots_.size() - 1;
    for (size_t i = static_cast<size_t>(hash >> shift_);; i = (i + 1) & mask) {
      const Slot& slot = slots_[i];
      if (slot.number == kNoSymbol) return i;
      if (slot.tag == Tag(hash) && std::string_view(blob_.data() + slot.begin, slot.length) == s) {
        return i;
      }
    }
  }

  void Rehash(size_t wanted) {
    const size_t capacity = std::bit_ceil(wanted < 16 ? size_t{16} : wanted);
    slots_.assign(capacity, Slot{});
    shift_ = 64 - std::countr_zero(capacity);
    for (uint32_t i = 0; i < size(); ++i) {
      const std::string_view s = (*this)[i];
      const uint64_t hash = HashBytes(s);
      slots_[Probe(s, hash)] = {Tag(hash), i, begin_[i], static_cast<uint32_t>(s.size())};
    }
  }

  std::string blob_;
  std::vector<uint32_t> begin_ = {0};  // of each string in the blob, and the end of the last
  std::vector<Slot> slots_;            // a power of two, at most two thirds full
  int shift_ = 64;
};

}  // namespace rocforge::text
