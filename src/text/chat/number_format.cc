#include "text/chat/number_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "text/chat/ops.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

// Reads decimal digits at *pos; -1 if there are none.
int64_t ReadNumber(Runtime& rt, std::string_view s, size_t* pos) {
  if (*pos >= s.size() || s[*pos] < '0' || s[*pos] > '9') return -1;
  int64_t n = 0;
  for (; *pos < s.size() && s[*pos] >= '0' && s[*pos] <= '9'; ++*pos) {
    n = n * 10 + (s[*pos] - '0');
    if (n > kMaxFormatWidth) rt.Fail("too many digits in the format string");
  }
  return n;
}

bool IsAlign(char c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

FormatSpec ParseSpec(Runtime& rt, std::string_view s, const Value& v) {
  FormatSpec spec;
  size_t pos = 0;
  if (!s.empty()) {
    size_t after_fill = 0;
    DecodeAt(s, &after_fill);
    if (after_fill < s.size() && IsAlign(s[after_fill])) {
      spec.fill = s.substr(0, after_fill);
      spec.align = s[after_fill];
      pos = after_fill + 1;
    } else if (IsAlign(s[0])) {
      spec.align = s[0];
      pos = 1;
    }
  }
  const auto at = [&](char c) { return pos < s.size() && s[pos] == c; };
  if (at('+') || at('-') || at(' ')) spec.sign = s[pos++];
  if (at('#')) {
    spec.alternate = true;
    ++pos;
  }
  if (at('0')) {
    ++pos;
    if (spec.align == 0) {
      spec.fill = "0";
      spec.align = v.is_string() ? '<' : '=';
    }
  }
  spec.width = std::max<int64_t>(ReadNumber(rt, s, &pos), 0);
  if (at(',') || at('_')) spec.grouping = s[pos++];
  if (at('.')) {
    ++pos;
    spec.precision = ReadNumber(rt, s, &pos);
    if (spec.precision < 0) rt.Fail("Format specifier missing precision");
  }
  if (pos < s.size()) spec.type = s[pos++];
  if (pos != s.size()) rt.Fail("Invalid format specifier '{}'", s);
  return spec;
}

// Puts a separator before every `size` digits of `digits`, counted from the right.
std::string Group(std::string_view digits, char separator, size_t size) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % size == 0) out.push_back(separator);
    out.push_back(digits[i]);
  }
  return out;
}

// Sign, prefix and digits of a number, padded; zeros and separators go between prefix and digits.
void AppendNumber(TextBuilder& out, const FormatSpec& spec, bool negative, std::string_view prefix,
                  const std::string& digits, size_t group_size) {
  std::string head = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  head += prefix;
  const size_t integer_digits =
      std::min(digits.find_first_not_of("0123456789abcdefABCDEF"), digits.size());
  std::string whole = digits.substr(0, integer_digits);
  const std::string rest = digits.substr(integer_digits);
  const auto width = static_cast<size_t>(spec.width);
  const auto grouped = [&] {
    return spec.grouping == 0 ? whole : Group(whole, spec.grouping, group_size);
  };
  if (spec.align == '=' && spec.fill == "0") {
    while (head.size() + grouped().size() + rest.size() < width) {
      const size_t missing = width - head.size() - grouped().size() - rest.size();
      // Separators take some of the places, so close in on the width.
      whole.insert(0, spec.grouping == 0 ? missing : std::max<size_t>(missing * 3 / 4, 1), '0');
    }
  }
  const std::string body = grouped() + rest;
  if (spec.align == '=' && head.size() + body.size() < width) {
    out.Append(head);
    out.AppendRepeated(spec.fill, width - head.size() - body.size());
    out.Append(body);
    return;
  }
  AppendPadded(out, head + body, spec, '>');
}

void AppendInt(TextBuilder& out, Runtime& rt, Int i, FormatSpec spec) {
  if (spec.precision >= 0) rt.Fail("Precision not allowed in integer format specifier");
  int base = 10;
  std::string_view prefix;
  switch (spec.type) {
    case 0:
    case 'd':
    case 'n':
      break;
    case 'b':
      base = 2;
      prefix = "0b";
      break;
    case 'o':
      base = 8;
      prefix = "0o";
      break;
    case 'x':
    case 'X':
      base = 16;
      prefix = spec.type == 'x' ? "0x" : "0X";
      break;
    case 'c': {
      if (i < 0 || i > 0x10FFFF) rt.Fail("%c arg not in range(0x110000)");
      std::string utf8;
      AppendUtf8(&utf8, static_cast<char32_t>(i));
      return AppendPadded(out, utf8, spec, '<');
    }
    default:
      rt.Fail("Unknown format code '{}' for object of type 'int'", spec.type);
  }
  std::string digits = FormatMagnitude(i, base);
  if (spec.type == 'X') digits = ToUpper(digits);
  AppendNumber(out, spec, i < 0, spec.alternate ? prefix : "", digits, base == 10 ? 3 : 4);
}

void AppendFloat(TextBuilder& out, Runtime& rt, double d, FormatSpec spec) {
  std::string digits;
  const int64_t precision = spec.precision >= 0 ? spec.precision : 6;
  switch (spec.type) {
    case 0:
      if (spec.precision < 0) {
        digits = FloatRepr(std::abs(d));
      } else {
        // Like g, but a number without exponent keeps one digit behind the point.
        digits = FormatMagnitude(d, 'g', std::max<int64_t>(precision, 1));
        if (std::isfinite(d) && digits.find_first_of(".e") == std::string::npos) digits += ".0";
      }
      break;
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
      digits = FormatMagnitude(d, spec.type, precision);
      break;
    case 'n':
      digits = FormatMagnitude(d, 'g', precision);
      break;
    case '%':
      digits = FormatMagnitude(d * 100, 'f', precision) + "%";
      break;
    default:
      rt.Fail("Unknown format code '{}' for object of type 'float'", spec.type);
  }
  AppendNumber(out, spec, std::signbit(d) && !std::isnan(d), "", digits, 3);
}

void AppendText(TextBuilder& out, Runtime& rt, std::string_view s, const FormatSpec& spec) {
  if (spec.type != 0 && spec.type != 's') {
    rt.Fail("Unknown format code '{}' for object of type 'str'", spec.type);
  }
  if (spec.align == '=') rt.Fail("'=' alignment not allowed in string format specifier");
  if (spec.precision >= 0) s = s.substr(0, ByteOffset(s, static_cast<size_t>(spec.precision)));
  AppendPadded(out, s, spec, '<');
}

}  // namespace

std::string FormatMagnitude(double d, char type, int64_t precision) {
  const bool upper = type == 'E' || type == 'F' || type == 'G';
  d = std::abs(d);
  std::string out;
  if (!std::isfinite(d)) {
    out = std::isnan(d) ? "nan" : "inf";
  } else {
    if ((type == 'g' || type == 'G') && precision == 0) precision = 1;
    const std::chars_format format = type == 'e' || type == 'E'   ? std::chars_format::scientific
                                     : type == 'f' || type == 'F' ? std::chars_format::fixed
                                                                  : std::chars_format::general;
    out.resize(static_cast<size_t>(precision) + 350);
    const auto end =
        std::to_chars(out.data(), out.data() + out.size(), d, format, static_cast<int>(precision));
    out.resize(static_cast<size_t>(end.ptr - out.data()));
  }
  return upper ? ToUpper(out) : out;
}

std::string FormatMagnitude(Int i, int base) {
  __extension__ using Unsigned = unsigned __int128;
  Unsigned magnitude = i < 0 ? -static_cast<Unsigned>(i) : static_cast<Unsigned>(i);
  std::array<char, 130> buffer;
  char* at = buffer.data() + buffer.size();
  do {
    *--at = "0123456789abcdef"[static_cast<size_t>(magnitude % static_cast<Unsigned>(base))];
    magnitude /= static_cast<Unsigned>(base);
  } while (magnitude != 0);
  return {at, buffer.data() + buffer.size()};
}

void AppendPadded(TextBuilder& out, std::string_view body, const FormatSpec& spec,
                  char default_align) {
  const size_t length = CodePointCount(body);
  const auto width = static_cast<size_t>(spec.width);
  const size_t padding = width > length ? width - length : 0;
  const char align = spec.align == 0 ? default_align : spec.align;
  const size_t before = align == '<' ? 0 : align == '^' ? padding / 2 : padding;
  out.AppendRepeated(spec.fill, before);
  out.Append(body);
  out.AppendRepeated(spec.fill, padding - before);
}

void AppendFormatted(TextBuilder& out, Runtime& rt, const Value& v, std::string_view spec_text) {
  if (spec_text.empty()) return AppendStr(out, rt, v);
  if (!v.is_string() && !v.is_number()) {
    rt.Fail("unsupported format string passed to {}.__format__", TypeName(v));
  }
  const FormatSpec spec = ParseSpec(rt, spec_text, v);
  const bool float_type =
      spec.type != 0 && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
  if (v.is_string()) {
    AppendText(out, rt, v.string(), spec);
  } else if (v.is(Kind::kFloat)) {
    AppendFloat(out, rt, v.floating(), spec);
  } else if (float_type) {
    AppendFloat(out, rt, static_cast<double>(v.integer()), spec);
  } else {
    AppendInt(out, rt, v.integer(), spec);
  }
}

}  // namespace rocforge::text::chat
