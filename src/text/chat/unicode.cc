#include "text/chat/unicode.h"

#include <algorithm>
#include <cstring>

#include "text/chat/unicode_data.h"
#include "text/unicode.h"

namespace rocforge::text::chat {

namespace {

// Length of the well-formed UTF-8 sequence at s[pos], 0 if there is none.
size_t SequenceLength(std::string_view s, size_t pos) {
  return static_cast<uint8_t>(s[pos]) < 0x80 ? 1 : WellFormedLength(s.substr(pos));
}

enum class Case { kUpper, kLower, kTitle, kFold };

void AppendMapped(std::string* out, char32_t c, Case which) {
  if (c < 0x80) {
    char ascii = static_cast<char>(c);
    if (which == Case::kLower || which == Case::kFold) {
      if (ascii >= 'A' && ascii <= 'Z') ascii = static_cast<char>(ascii + 32);
    } else if (ascii >= 'a' && ascii <= 'z') {
      ascii = static_cast<char>(ascii - 32);
    }
    out->push_back(ascii);
    return;
  }
  const CaseMapping* end = kCaseMappings + kCaseMappingCount;
  const CaseMapping* it = std::lower_bound(
      kCaseMappings, end, c, [](const CaseMapping& m, char32_t cp) { return m.code_point < cp; });
  if (it != end && it->code_point == c) {
    const int32_t delta = which == Case::kUpper   ? it->upper
                          : which == Case::kLower ? it->lower
                          : which == Case::kTitle ? it->title
                                                  : it->fold;
    AppendUtf8(out, static_cast<char32_t>(static_cast<int32_t>(c) + delta));
    return;
  }
  const SpecialCaseMapping* special_end = kSpecialCaseMappings + kSpecialCaseMappingCount;
  const SpecialCaseMapping* special =
      std::lower_bound(kSpecialCaseMappings, special_end, c,
                       [](const SpecialCaseMapping& m, char32_t cp) { return m.code_point < cp; });
  if (special != special_end && special->code_point == c) {
    out->append(which == Case::kUpper   ? special->upper
                : which == Case::kLower ? special->lower
                : which == Case::kTitle ? special->title
                                        : special->fold);
    return;
  }
  AppendUtf8(out, c);
}

// Whether the capital sigma at [begin, end) closes a word: a cased letter before it and none after,
// case-ignorable characters aside (The Unicode Standard, section 3.13, Final_Sigma).
bool IsFinalSigma(std::string_view s, size_t begin, size_t end) {
  bool cased_before = false;
  for (size_t pos = begin; pos > 0;) {
    const uint32_t flags = UnicodeFlags(DecodeBefore(s, &pos));
    if (flags & kUniCaseIgnorable) continue;
    cased_before = (flags & kUniCased) != 0;
    break;
  }
  if (!cased_before) return false;
  for (size_t pos = end; pos < s.size();) {
    const uint32_t flags = UnicodeFlags(DecodeAt(s, &pos));
    if (flags & kUniCaseIgnorable) continue;
    return (flags & kUniCased) == 0;
  }
  return true;
}

bool IsLineEnd(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

}  // namespace

uint32_t UnicodeFlags(char32_t c) {
  if (c > 0x10FFFF) return 0;
  const UnicodeRun* end = kUnicodeRuns + kUnicodeRunCount;
  const UnicodeRun* it = std::upper_bound(
      kUnicodeRuns, end, c, [](char32_t cp, const UnicodeRun& run) { return cp < run.first; });
  return (it - 1)->flags;
}

char32_t DecodeAt(std::string_view s, size_t* pos) {
  const size_t at = *pos;
  const size_t length = SequenceLength(s, at);
  const auto byte = [&](size_t i) {
    return static_cast<char32_t>(static_cast<uint8_t>(s[at + i]));
  };
  *pos = at + std::max<size_t>(length, 1);
  switch (length) {
    case 1:
      return byte(0);
    case 2:
      return (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
    case 3:
      return (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    case 4:
      return (byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 |
             (byte(3) & 0x3F);
    default:
      return kReplacementCharacter;
  }
}

char32_t DecodeBefore(std::string_view s, size_t* pos) {
  const size_t end = *pos;
  for (size_t length = 1; length <= 4 && length <= end; ++length) {
    size_t at = end - length;
    if (SequenceLength(s.substr(0, end), at) == length) {
      *pos = at;
      return DecodeAt(s, &at);
    }
  }
  *pos = end - 1;
  return kReplacementCharacter;
}

void AppendUtf8(std::string* out, char32_t c) { text::AppendUtf8(c, out); }

size_t FindInvalidUtf8(std::string_view s) {
  for (size_t pos = 0; pos < s.size();) {
    const size_t length = SequenceLength(s, pos);
    if (length == 0) return pos;
    pos += length;
  }
  return std::string_view::npos;
}

bool IsAscii(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

size_t CodePointCount(std::string_view s) {
  if (IsAscii(s)) return s.size();
  size_t count = 0;
  for (size_t pos = 0; pos < s.size(); ++count) DecodeAt(s, &pos);
  return count;
}

size_t ByteOffset(std::string_view s, size_t index) {
  size_t pos = 0;
  for (; index > 0 && pos < s.size(); --index) DecodeAt(s, &pos);
  return pos;
}

std::vector<char32_t> ToCodePoints(std::string_view s) {
  std::vector<char32_t> out;
  out.reserve(s.size());
  for (size_t pos = 0; pos < s.size();) out.push_back(DecodeAt(s, &pos));
  return out;
}

size_t FindText(std::string_view s, std::string_view needle, size_t from) {
  if (from > s.size()) return std::string_view::npos;
  if (needle.empty()) return from;
  const void* at = memmem(s.data() + from, s.size() - from, needle.data(), needle.size());
  return at == nullptr ? std::string_view::npos
                       : static_cast<size_t>(static_cast<const char*>(at) - s.data());
}

size_t RFindText(std::string_view s, std::string_view needle) {
  constexpr size_t kShort = 32;
  if (needle.size() <= kShort) return s.rfind(needle);
  const std::string backwards(s.rbegin(), s.rend());
  const std::string wanted(needle.rbegin(), needle.rend());
  const size_t at = FindText(backwards, wanted);
  return at == std::string_view::npos ? at : s.size() - at - needle.size();
}

std::string_view StripSpace(std::string_view s, bool left, bool right) {
  size_t begin = 0, end = s.size();
  while (left && begin < end) {
    size_t next = begin;
    if (!IsSpace(DecodeAt(s, &next))) break;
    begin = next;
  }
  while (right && end > begin) {
    size_t previous = end;
    if (!IsSpace(DecodeBefore(s, &previous))) break;
    end = previous;
  }
  return s.substr(begin, end - begin);
}

std::string_view StripChars(std::string_view s, std::string_view chars, bool left, bool right) {
  std::vector<char32_t> set = ToCodePoints(chars);
  std::sort(set.begin(), set.end());
  const auto in_set = [&](char32_t c) { return std::binary_search(set.begin(), set.end(), c); };
  size_t begin = 0, end = s.size();
  while (left && begin < end) {
    size_t next = begin;
    if (!in_set(DecodeAt(s, &next))) break;
    begin = next;
  }
  while (right && end > begin) {
    size_t previous = end;
    if (!in_set(DecodeBefore(s, &previous))) break;
    end = previous;
  }
  return s.substr(begin, end - begin);
}

void AppendUpper(std::string* out, char32_t c) { AppendMapped(out, c, Case::kUpper); }
void AppendLower(std::string* out, char32_t c) { AppendMapped(out, c, Case::kLower); }
void AppendTitle(std::string* out, char32_t c) { AppendMapped(out, c, Case::kTitle); }
void AppendFolded(std::string* out, char32_t c) { AppendMapped(out, c, Case::kFold); }

std::string ToUpper(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (size_t pos = 0; pos < s.size();) AppendUpper(&out, DecodeAt(s, &pos));
  return out;
}

void AppendLowerAt(std::string* out, std::string_view s, size_t begin, size_t end) {
  constexpr char32_t kCapitalSigma = 0x3A3, kFinalSigma = 0x3C2;
  size_t pos = begin;
  const char32_t c = DecodeAt(s, &pos);
  if (c == kCapitalSigma && IsFinalSigma(s, begin, end)) {
    AppendUtf8(out, kFinalSigma);
  } else {
    AppendLower(out, c);
  }
}

std::string ToLower(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (size_t pos = 0; pos < s.size();) {
    const size_t begin = pos;
    DecodeAt(s, &pos);
    AppendLowerAt(&out, s, begin, pos);
  }
  return out;
}

std::vector<std::string_view> SplitLines(std::string_view s, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t start = 0;
  for (size_t pos = 0; pos < s.size();) {
    const size_t end = pos;
    const char32_t c = DecodeAt(s, &pos);
    if (!IsLineEnd(c)) continue;
    if (c == '\r' && pos < s.size() && s[pos] == '\n') ++pos;
    lines.push_back(s.substr(start, (keep_ends ? pos : end) - start));
    start = pos;
  }
  if (start < s.size()) lines.push_back(s.substr(start));
  return lines;
}

}  // namespace rocforge::text::chat
