// What the two byte-pair encoders share to be fast without changing a result.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

namespace rocforge::text {

// Which bytes stand side by side somewhere in a set of strings. Merging can never cross a place
// where two bytes meet that do so in no string of the vocabulary, so a text may be cut there: in
// most vocabularies that includes every end of a word.
class AdjacentBytes {
 public:
  void AddString(std::string_view s) {
    for (size_t i = 1; i < s.size(); ++i) {
      const size_t bit = Index(s[i - 1], s[i]);
      bits_[bit >> 6] |= uint64_t{1} << (bit & 63);
    }
  }
  bool Has(char left, char right) const {
    const size_t bit = Index(left, right);
    return (bits_[bit >> 6] >> (bit & 63) & 1) != 0;
  }

  // The end of the longest beginning of `text` that holds no such place, at least one character.
  size_t FirstCut(std::string_view text) const {
    size_t i = 1;
    while (i < text.size() &&
           (Has(text[i - 1], text[i]) || (static_cast<uint8_t>(text[i]) & 0xC0) == 0x80)) {
      ++i;
    }
    return i;
  }

 private:
  static size_t Index(char left, char right) {
    return size_t{static_cast<uint8_t>(left)} << 8 | static_cast<uint8_t>(right);
  }
  std::array<uint64_t, 1024> bits_{};
};

// Whether a token's own text is encoded as that token alone, learned when the word is first met.
// Then the word needs no merging any more. Threads may race: all write the same answer.
class SelfEncoding {
 public:
  enum State : uint8_t { kUnknown, kYes, kNo };

  explicit SelfEncoding(size_t size) : states_(std::make_unique<std::atomic<uint8_t>[]>(size)) {}
  State Get(size_t id) const {
    return static_cast<State>(states_[id].load(std::memory_order_relaxed));
  }
  void Set(size_t id, State state) const { states_[id].store(state, std::memory_order_relaxed); }

 private:
  std::unique_ptr<std::atomic<uint8_t>[]> states_;  // zeroed: kUnknown
};

}  // namespace rocforge::text
