// Strings as Python sees them: UTF-8 in memory, code points in meaning. (text/unicode.h is what the
// tokenizers need; it has another Unicode version than the Python whose str this follows.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rocforge::text::chat {

enum UnicodeFlag : uint32_t {
  kUniAlpha = 1u << 0,
  kUniDecimal = 1u << 1,
  kUniDigit = 1u << 2,
  kUniNumeric = 1u << 3,
  kUniSpace = 1u << 4,
  kUniLower = 1u << 5,
  kUniUpper = 1u << 6,
  kUniTitle = 1u << 7,
  kUniPrintable = 1u << 8,
  kUniIdStart = 1u << 9,
  kUniIdContinue = 1u << 10,
  kUniCaseIgnorable = 1u << 11,
  kUniCased = 1u << 12,  // and not case-ignorable
};
inline constexpr uint32_t kUniAlnum = kUniAlpha | kUniDecimal | kUniDigit | kUniNumeric;

// UnicodeFlag bits of a code point; 0 beyond U+10FFFF.
uint32_t UnicodeFlags(char32_t c);
inline bool IsSpace(char32_t c) { return (UnicodeFlags(c) & kUniSpace) != 0; }

// The code point at byte *pos, which must be < s.size(); advances *pos behind it. A byte that
// starts no valid sequence is taken alone, as U+FFFD, so that any bytes can be walked and
// re-assembled.
char32_t DecodeAt(std::string_view s, size_t* pos);
// The same backwards: the code point that ends before byte *pos > 0; moves *pos to its start.
char32_t DecodeBefore(std::string_view s, size_t* pos);
void AppendUtf8(std::string* out, char32_t c);

// Byte position of the first offence against UTF-8, or npos.
size_t FindInvalidUtf8(std::string_view s);
bool IsAscii(std::string_view s);
size_t CodePointCount(std::string_view s);
// Byte position of code point `index`; s.size() when there are fewer.
size_t ByteOffset(std::string_view s, size_t index);
std::vector<char32_t> ToCodePoints(std::string_view s);

// Position of the first `needle` at or after `from`, npos if there is none; linear in the worst
// case, which std::string_view::find is not.
size_t FindText(std::string_view s, std::string_view needle, size_t from = 0);
// Position of the last one. Linear too.
size_t RFindText(std::string_view s, std::string_view needle);

std::string_view StripSpace(std::string_view s, bool left, bool right);
// Strips characters that occur in `chars`.
std::string_view StripChars(std::string_view s, std::string_view chars, bool left, bool right);

// Full case mapping (one character may become several).
void AppendUpper(std::string* out, char32_t c);
void AppendLower(std::string* out, char32_t c);
void AppendTitle(std::string* out, char32_t c);
void AppendFolded(std::string* out, char32_t c);
std::string ToUpper(std::string_view s);
// The lower case of the code point at s[begin, end), with the final-sigma rule.
void AppendLowerAt(std::string* out, std::string_view s, size_t begin, size_t end);
std::string ToLower(std::string_view s);  // with the final-sigma rule

// Lines without their ends (\n, \r\n, \r, \v, \f, \x1c..\x1e, U+0085, U+2028, U+2029), as
// str.splitlines; with keep_ends the ends stay.
std::vector<std::string_view> SplitLines(std::string_view s, bool keep_ends = false);

}  // namespace rocforge::text::chat
