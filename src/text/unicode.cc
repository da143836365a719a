#include "text/unicode.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "text/unicode_data.h"

namespace rocforge::text {
namespace {

constexpr uint32_t kCodePointMask = 0x1FFFFF;

uint8_t FlagsOf(Category category) {
  if (category <= Category::kLo) return kLetter;
  if (category <= Category::kMe) return kMark;
  if (category <= Category::kNo) return kNumber;
  if (category <= Category::kPo) return kPunctuation;
  if (category <= Category::kSo) return kSymbol;
  return 0;
}

std::unique_ptr<uint8_t[]> BuildFlagTable() {
  auto table = std::make_unique_for_overwrite<uint8_t[]>(kCodePointLimit);
  for (size_t i = 0; i < kCategoryRunsCount; ++i) {
    const uint32_t run = kCategoryRuns[i];
    const uint32_t begin = run & kCodePointMask;
    const uint32_t end =
        i + 1 < kCategoryRunsCount ? kCategoryRuns[i + 1] & kCodePointMask : kCodePointLimit;
    uint8_t flags = FlagsOf(static_cast<Category>(run >> 24 & 0x1F));
    if (run >> 31 != 0) flags |= kRecent;
    std::memset(table.get() + begin, flags, end - begin);
  }
  for (const auto& [first, last] : {std::pair{0x09u, 0x0Du},
                                    {0x20u, 0x20u},
                                    {0x85u, 0x85u},
                                    {0xA0u, 0xA0u},
                                    {0x1680u, 0x1680u},
                                    {0x2000u, 0x200Au},
                                    {0x2028u, 0x2029u},
                                    {0x202Fu, 0x202Fu},
                                    {0x205Fu, 0x205Fu},
                                    {0x3000u, 0x3000u}}) {
    for (uint32_t cp = first; cp <= last; ++cp) table[cp] |= kWhitespace;
  }
  table['\r'] |= kNewline;
  table['\n'] |= kNewline;
  return table;
}

bool IsContinuation(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

}  // namespace

const uint8_t* CharFlagTable() {
  static const std::unique_ptr<uint8_t[]> table = BuildFlagTable();
  return table.get();
}

Category CategoryOf(uint32_t cp) {
  const uint32_t* end = kCategoryRuns + kCategoryRunsCount;
  const uint32_t* after = std::upper_bound(
      kCategoryRuns, end, cp, [](uint32_t c, uint32_t run) { return c < (run & kCodePointMask); });
  return static_cast<Category>(after[-1] >> 24 & 0x1F);
}

uint32_t ToLower(uint32_t cp) {
  const CodePointPair* end = kLowercase + kLowercaseCount;
  const CodePointPair* at = std::lower_bound(
      kLowercase, end, cp, [](const CodePointPair& pair, uint32_t c) { return pair.from < c; });
  return at != end && at->from == cp ? at->to : cp;
}

void AppendDecomposition(uint32_t cp, std::vector<uint32_t>* out) {
  // Hangul syllables: The Unicode Standard, section 3.12.
  constexpr uint32_t kSBase = 0xAC00, kLBase = 0x1100, kVBase = 0x1161, kTBase = 0x11A7;
  constexpr uint32_t kVCount = 21, kTCount = 28, kSCount = 19 * kVCount * kTCount;
  if (cp >= kSBase && cp < kSBase + kSCount) {
    const uint32_t s = cp - kSBase;
    out->push_back(kLBase + s / (kVCount * kTCount));
    out->push_back(kVBase + s % (kVCount * kTCount) / kTCount);
    if (s % kTCount != 0) out->push_back(kTBase + s % kTCount);
    return;
  }
  const Decomposition* end = kDecompositions + kDecompositionsCount;
  const Decomposition* at =
      std::lower_bound(kDecompositions, end, cp,
                       [](const Decomposition& d, uint32_t c) { return d.code_point < c; });
  if (at == end || at->code_point != cp) {
    out->push_back(cp);
    return;
  }
  out->insert(out->end(), kDecompositionPool + at->begin,
              kDecompositionPool + at->begin + at->size);
}

void AppendUtf8(uint32_t cp, std::string* out) {
  const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (cp < 0x80) {
    put(cp);
  } else if (cp < 0x800) {
    put(0xC0 | cp >> 6);
    put(0x80 | (cp & 0x3F));
  } else if (cp < 0x10000) {
    put(0xE0 | cp >> 12);
    put(0x80 | (cp >> 6 & 0x3F));
    put(0x80 | (cp & 0x3F));
  } else {
    put(0xF0 | cp >> 18);
    put(0x80 | (cp >> 12 & 0x3F));
    put(0x80 | (cp >> 6 & 0x3F));
    put(0x80 | (cp & 0x3F));
  }
}

size_t WellFormedLength(std::string_view bytes) {
  if (bytes.empty()) return 0;
  const auto lead = static_cast<uint8_t>(bytes[0]);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t length = Utf8Length(bytes[0]);
  if (bytes.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!IsContinuation(bytes[i])) return 0;
  }
  const auto second = static_cast<uint8_t>(bytes[1]);
  if (lead == 0xE0 && second < 0xA0) return 0;  // overlong
  if (lead == 0xED && second > 0x9F) return 0;  // surrogate
  if (lead == 0xF0 && second < 0x90) return 0;  // overlong
  if (lead == 0xF4 && second > 0x8F) return 0;  // beyond U+10FFFF
  return length;
}

bool IsUtf8(std::string_view bytes) {
  size_t i = 0;
  while (i < bytes.size()) {
    if (bytes.size() - i >= 8) {
      uint64_t word;
      std::memcpy(&word, bytes.data() + i, 8);
      if ((word & 0x8080808080808080u) == 0) {
        i += 8;
        continue;
      }
    }
    const size_t length = WellFormedLength(bytes.substr(i));
    if (length == 0) return false;
    i += length;
  }
  return true;
}

std::string RepairUtf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + 16);
  while (!bytes.empty()) {
    const size_t length = WellFormedLength(bytes);
    if (length == 0) {
      AppendUtf8(kReplacementCharacter, &out);
      bytes.remove_prefix(1);
    } else {
      out.append(bytes.substr(0, length));
      bytes.remove_prefix(length);
    }
  }
  return out;
}

}  // namespace rocforge::text
