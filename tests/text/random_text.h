// Random texts that hit the corners of splitting rules.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "text/unicode.h"

namespace rocforge::text {

inline uint32_t Below(std::mt19937* random, uint32_t n) {
  return static_cast<uint32_t>((*random)() % n);
}

// Well-formed UTF-8 of up to `characters`: mostly the few characters that rules tell apart, in
// runs, and code points from the whole of Unicode 15.1 (unassigned ones only if `unassigned`).
inline std::string RandomText(std::mt19937* random, int characters, bool unassigned = false) {
  static constexpr std::string_view kCommon[] = {
      "a",      "b",      "Z",  "s",   "S",  "t",      "re",     "VE",     "ll",     "d",
      "m",      "'",      "'s", "'Re", "0",  "1",      "7",      " ",      "  ",     "\t",
      "\n",     "\r",     ".",  ",",   "-",  "!",      "$",      "+",      "_",      "/",
      "\"",     "(",      "é",  "É",   "ß",  "я",      "Я",      "猫",     "か",     "한",
      "٣",      "½",      "́",   "ि",   "🙂", "\u00a0", "\u0085", "\u2003", "\u3000", "\u200b",
      "\u180e", "\ufeff", "ſ",  "ʼ",   "、", "ǅ"};
  std::string text;
  const auto below = [random](uint32_t n) { return Below(random, n); };
  const int count = static_cast<int>(below(static_cast<uint32_t>(characters) + 1));
  for (int i = 0; i < count; ++i) {
    const uint32_t kind = below(16);
    if (kind < 11) {
      text += kCommon[below(std::size(kCommon))];
    } else if (kind < 13) {  // a run
      const std::string_view unit = kCommon[below(std::size(kCommon))];
      for (uint32_t n = below(6); n > 0; --n) text += unit;
    } else if (kind < 14) {  // ASCII
      text += static_cast<char>(1 + below(127));
    } else {  // anything; the first planes more often
      static constexpr uint32_t kLimits[] = {0x800, 0x3000, 0x10000, 0x32400, kCodePointLimit};
      const uint32_t cp = below(kLimits[below(std::size(kLimits))]);
      const Category category = CategoryOf(cp);
      if (category == Category::kCs || (category == Category::kCn && !unassigned)) continue;
      AppendUtf8(cp, &text);
    }
  }
  return text;
}

}  // namespace rocforge::text
