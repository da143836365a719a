// Numbers from text, and the clock (ops.h).
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
  // Python's datetime has no zone here and knows microseconds, which C does not.
  std::string c_format;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      c_format.push_back(format[i]);
      continue;
    }
    const char directive = format[++i];
    if (directive == 'f') {
      c_format += Format("{:06}", microsecond);
    } else if (directive != 'z' && directive != 'Z') {
      c_format += {'%', directive};
    }
  }
  TextBuilder out(rt);
  // Part by part, so that the result of one call is short: strftime cannot tell an empty result
  // from one that is too long.
  for (size_t pos = 0; pos < c_format.size();) {
    const size_t next = std::min(c_format.find('%', pos), c_format.size());
    out.Append(std::string_view(c_format).substr(pos, next - pos));
    if (next == c_format.size()) break;
    const std::string directive = c_format.substr(next, 2);
    char buffer[256];
    out.Append(
        std::string_view(buffer, std::strftime(buffer, sizeof(buffer), directive.c_str(), &tm)));
    pos = next + 2;
  }
  return out.Finish();
}

}  // namespace rocforge::text::chat
