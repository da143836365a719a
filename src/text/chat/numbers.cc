// Numbers from text, and the clock (ops.h).
#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "text/chat/ops.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

int DigitValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  return 99;
}

// The base that a prefix such as 0x names, 0 if there is none.
int PrefixBase(std::string_view s) {
  if (s.size() < 2 || s[0] != '0') return 0;
  switch (s[1]) {
    case 'x':
    case 'X':
      return 16;
    case 'o':
    case 'O':
      return 8;
    case 'b':
    case 'B':
      return 2;
    default:
      return 0;
  }
}

// Copies digits, dropping single underscores between them; false if there is not one digit or an
// underscore stands elsewhere. Advances *pos.
bool CopyDigits(std::string_view s, size_t* pos, std::string* out) {
  const auto is_digit = [&](size_t i) { return i < s.size() && s[i] >= '0' && s[i] <= '9'; };
  if (!is_digit(*pos)) return false;
  while (is_digit(*pos)) {
    out->push_back(s[(*pos)++]);
    if (*pos < s.size() && s[*pos] == '_') {
      if (!is_digit(*pos + 1)) return false;
      ++*pos;
    }
  }
  return true;
}

}  // namespace

std::optional<Int> ParseInt(Runtime& rt, std::string_view text, int base) {
  std::string_view s = StripSpace(text, true, true);
  bool negative = false;
  if (s.starts_with('-') || s.starts_with('+')) {
    negative = s[0] == '-';
    s.remove_prefix(1);
  }
  const int prefix = PrefixBase(s);
  bool underscore_allowed = false;  // one may follow a prefix
  if (prefix != 0 && (base == 0 || base == prefix)) {
    base = prefix;
    s.remove_prefix(2);
    underscore_allowed = true;
  } else if (base == 0) {
    // A leading zero without prefix is only allowed for zero itself.
    if (s.size() > 1 && s[0] == '0' && s.find_first_not_of("0_") != std::string_view::npos) {
      return std::nullopt;
    }
    base = 10;
  }
  if (s.empty()) return std::nullopt;
  Int value = 0;
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '_') {
      if (!underscore_allowed || i + 1 == s.size()) return std::nullopt;
      underscore_allowed = false;
      continue;
    }
    const int digit = DigitValue(s[i]);
    if (digit >= base) return std::nullopt;
    underscore_allowed = true;
    if (__builtin_mul_overflow(value, base, &value) ||
        __builtin_add_overflow(value, digit, &value)) {
      rt.Fail("integer is too large (integers have 128 bits here)");
    }
  }
  return negative ? -value : value;
}

std::optional<double> ParseFloat(std::string_view text) {
  std::string_view s = StripSpace(text, true, true);
  std::string clean;
  if (s.starts_with('-') || s.starts_with('+')) {
    clean.push_back(s[0]);
    s.remove_prefix(1);
  }
  const std::string lower = ToLower(s);
  if (lower == "inf" || lower == "infinity" || lower == "nan") {
    clean += lower;
    return std::strtod(clean.c_str(), nullptr);
  }
  size_t pos = 0;
  const bool whole = CopyDigits(s, &pos, &clean);
  bool fraction = false;
  if (pos < s.size() && s[pos] == '.') {
    clean.push_back(s[pos++]);
    fraction = CopyDigits(s, &pos, &clean);
  }
  if (!whole && !fraction) return std::nullopt;
  if (pos < s.size() && (s[pos] == 'e' || s[pos] == 'E')) {
    clean.push_back(s[pos++]);
    if (pos < s.size() && (s[pos] == '-' || s[pos] == '+')) clean.push_back(s[pos++]);
    if (!CopyDigits(s, &pos, &clean)) return std::nullopt;
  }
  if (pos != s.size()) return std::nullopt;
  return std::strtod(clean.c_str(), nullptr);
}

Value FormatTime(Runtime& rt, std::string_view format) {
  std::tm tm{};
  int64_t microsecond = 0;
  if (const std::optional<DateTime>& now = rt.options().now; now.has_value()) {
    tm.tm_year = now->year - 1900;
    tm.tm_mon = now->month - 1;
    tm.tm_mday = now->day;
    tm.tm_hour = now->hour;
    tm.tm_min = now->minute;
    tm.tm_sec = now->second;
    timegm(&tm);  // fills in the day of the week and of the year
  } else {
    std::timespec clock{};
    std::timespec_get(&clock, TIME_UTC);
    localtime_r(&clock.tv_sec, &tm);
    microsecond = clock.tv_nsec / 1000;
  }
  TextBuilder out(rt);
  for (size_t pos = 0; pos < format.size();) {
    const size_t percent = std::min(format.find('%', pos), format.size());
    out.Append(format.substr(pos, percent - pos));
    if (percent == format.size()) break;
    // %, then flags, a width and a modifier (as glibc has them), then the letter.
    const size_t letter = format.find_first_not_of("-_0^#123456789EO", percent + 1);
    if (letter == std::string_view::npos || letter - percent > 4) {
      out.Append('%');
      pos = percent + 1;
      continue;
    }
    pos = letter + 1;
    // Python's datetime knows microseconds, which C does not, and has no zone here.
    if (format[letter] == 'f') {
      out.Append(Format("{:06}", microsecond));
    } else if (format[letter] != 'z' && format[letter] != 'Z') {
      const std::string directive(format.substr(percent, pos - percent));
      char buffer[1200];  // widths have at most three digits
      out.Append(
          std::string_view(buffer, std::strftime(buffer, sizeof(buffer), directive.c_str(), &tm)));
    }
  }
  return out.Finish();
}

}  // namespace rocforge::text::chat
