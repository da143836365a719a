// Code points, their properties and UTF-8, as tokenizers need them. One Unicode version (15.1)
// wherever Rocforge is built, because token ids depend on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rocforge::text {

inline constexpr uint32_t kCodePointLimit = 0x110000;
inline constexpr uint32_t kReplacementCharacter = 0xFFFD;

// General_Category (Unicode 15.1, section 4.5).
// clang-format off
enum class Category : uint8_t {
  kLu, kLl, kLt, kLm, kLo,            // letters
  kMn, kMc, kMe,                      // marks
  kNd, kNl, kNo,                      // numbers
  kPc, kPd, kPs, kPe, kPi, kPf, kPo,  // punctuation
  kSm, kSc, kSk, kSo,                 // symbols
  kZs, kZl, kZp,                      // separators
  kCc, kCf, kCs, kCo, kCn,            // control, format, surrogate, private use, unassigned
};

// What regexes ask for, as bits.
enum CharFlag : uint8_t {
  kLetter = 1,        // \p{L}
  kMark = 2,          // \p{M}
  kNumber = 4,        // \p{N}
  kPunctuation = 8,   // \p{P}
  kSymbol = 16,       // \p{S}
  kWhitespace = 32,   // \s: the property White_Space
  kNewline = 64,      // CR or LF
  kRecent = 128,      // assigned, or given its category, after Unicode 14.0
};
// clang-format on

// CharFlag bits of every code point; kCodePointLimit entries. Built on the first call; thread-safe.
const uint8_t* CharFlagTable();

// `cp` is below kCodePointLimit.
Category CategoryOf(uint32_t cp);
uint32_t ToLower(uint32_t cp);  // simple mapping

// Appends the full canonical decomposition of `cp` (UAX #15, without the reordering of marks).
void AppendDecomposition(uint32_t cp, std::vector<uint32_t>* out);

void AppendUtf8(uint32_t cp, std::string* out);

// Bytes of the sequence that `lead` begins, by its high bits alone; 1 for a continuation byte.
inline size_t Utf8Length(char lead) {
  const auto b = static_cast<uint8_t>(lead);
  return b < 0xC0 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
}

// Length of the well-formed sequence at the beginning of `bytes`, or 0 (Unicode 15.1, table 3-7: no
// overlong forms, no surrogates).
size_t WellFormedLength(std::string_view bytes);

bool IsUtf8(std::string_view bytes);

// The code point at `*p`, which must be well-formed UTF-8; moves `*p` behind it.
inline uint32_t DecodeUtf8(const char** p) {
  const auto* b = reinterpret_cast<const uint8_t*>(*p);
  if (b[0] < 0x80) {
    *p += 1;
    return b[0];
  }
  if (b[0] < 0xE0) {
    *p += 2;
    return (b[0] & 0x1Fu) << 6 | (b[1] & 0x3Fu);
  }
  if (b[0] < 0xF0) {
    *p += 3;
    return (b[0] & 0x0Fu) << 12 | (b[1] & 0x3Fu) << 6 | (b[2] & 0x3Fu);
  }
  *p += 4;
  return (b[0] & 0x07u) << 18 | (b[1] & 0x3Fu) << 12 | (b[2] & 0x3Fu) << 6 | (b[3] & 0x3Fu);
}

// The text with U+FFFD for each byte that is in no well-formed sequence.
std::string RepairUtf8(std::string_view bytes);

}  // namespace rocforge::text
