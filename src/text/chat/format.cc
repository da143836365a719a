// The % operator on strings and str.format (ops.h).
#include <algorithm>
#include <cmath>
#include <optional>

#include "text/chat/number_format.h"
#include "text/chat/ops.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

// "format % values"
class PercentFormatter {
 public:
  PercentFormatter(Runtime& rt, const Value& format, const Value& args)
      : rt_(rt), s_(format.string()), markup_(format.is_markup()), args_(args), out_(rt) {
    if (args.is(Kind::kTuple)) items_ = args.list().items;
  }

  Value Run() {
    size_t plain = 0;
    while (pos_ < s_.size()) {
      if (s_[pos_] != '%') {
        ++pos_;
        continue;
      }
      out_.Append(s_.substr(plain, pos_ - plain));
      ++pos_;
      Conversion();
      plain = pos_;
    }
    out_.Append(s_.substr(plain));
    // What has items by key or index need not be used up.
    const bool mapping = args_.is(Kind::kDict) || args_.is(Kind::kList) || args_.is(Kind::kRange) ||
                         args_.is_undefined();
    const size_t count = args_.is(Kind::kTuple) ? items_.size() : 1;
    if (next_ < count && !mapping) {
      rt_.Fail("not all arguments converted during string formatting");
    }
    return out_.Finish(markup_);
  }

 private:
  char Peek() {
    if (pos_ >= s_.size()) rt_.Fail("incomplete format");
    return s_[pos_];
  }

  Value NextArg() {
    if (args_.is(Kind::kTuple)) {
      if (next_ >= items_.size()) rt_.Fail("not enough arguments for format string");
      return items_[next_++];
    }
    if (next_++ > 0) rt_.Fail("not enough arguments for format string");
    return args_;
  }

  std::optional<Value> MappingKey() {
    if (Peek() != '(') return std::nullopt;
    if (!args_.is(Kind::kDict)) rt_.Fail("format requires a mapping");
    const size_t begin = ++pos_;
    for (int open = 1; open > 0; ++pos_) {
      const char c = Peek();
      open += c == '(' ? 1 : c == ')' ? -1 : 0;
    }
    const std::string_view key = s_.substr(begin, pos_ - 1 - begin);
    const Value* found = args_.dict().Find(key);
    if (found == nullptr) rt_.Fail("format key '{}' is missing", key);
    return *found;
  }

  int64_t Number() {
    if (Peek() == '*') {
      ++pos_;
      const int64_t n = ToIndex(rt_, NextArg());
      if (n > kMaxFormatWidth || n < -kMaxFormatWidth) rt_.Fail("width too big");
      return n;
    }
    int64_t n = 0;
    for (; Peek() >= '0' && Peek() <= '9'; ++pos_) {
      n = n * 10 + (s_[pos_] - '0');
      if (n > kMaxFormatWidth) rt_.Fail("width too big");
    }
    return n;
  }

  void Conversion() {
    const std::optional<Value> keyed = MappingKey();
    FormatSpec spec;
    bool zero = false;
    for (bool more = true; more;) {
      switch (Peek()) {
        case '-':
          spec.align = '<';
          break;
        case '+':
          spec.sign = '+';
          break;
        case ' ':
          if (spec.sign != '+') spec.sign = ' ';
          break;
        case '#':
          spec.alternate = true;
          break;
        case '0':
          zero = true;
          break;
        default:
          more = false;
      }
      if (more) ++pos_;
    }
    spec.width = Number();
    if (spec.width < 0) {
      spec.align = '<';
      spec.width = -spec.width;
    }
    if (Peek() == '.') {
      ++pos_;
      spec.precision = std::max<int64_t>(Number(), 0);
    }
    while (Peek() == 'l' || Peek() == 'h' || Peek() == 'L') ++pos_;
    const char type = s_[pos_++];
    if (type == '%') return out_.Append('%');
    Convert(type, keyed ? *keyed : NextArg(), spec, zero);
  }

  void Convert(char type, const Value& v, const FormatSpec& spec, bool zero) {
    switch (type) {
      case 's':
      case 'r':
      case 'a':
        return ConvertText(type, v, spec);
      case 'c':
        return ConvertChar(v, spec);
      case 'd':
      case 'i':
      case 'u':
      case 'o':
      case 'x':
      case 'X':
        return ConvertInt(type, v, spec, zero);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        return ConvertFloat(type, v, spec, zero);
      default:
        rt_.Fail("unsupported format character '{}' ({:#x}) at index {}", type,
                 static_cast<int>(static_cast<uint8_t>(type)), pos_ - 1);
    }
  }

  void ConvertText(char type, const Value& v, const FormatSpec& spec) {
    TextBuilder text(rt_);
    if (type != 's') {
      AppendRepr(text, rt_, v);
    } else if (markup_) {
      text.Append(Escape(rt_, v).string());
    } else {
      AppendStr(text, rt_, v);
    }
    std::string_view s = text.text();
    if (spec.precision >= 0) s = s.substr(0, ByteOffset(s, static_cast<size_t>(spec.precision)));
    AppendPadded(out_, s, spec, '>');
  }

  void ConvertChar(const Value& v, const FormatSpec& spec) {
    std::string utf8;
    if (v.is_string() && CodePointCount(v.string()) == 1) {
      utf8 = v.string();
    } else if (v.is_integral() && v.integer() >= 0 && v.integer() <= 0x10FFFF) {
      AppendUtf8(&utf8, static_cast<char32_t>(v.integer()));
    } else {
      rt_.Fail("%c requires int or char");
    }
    AppendPadded(out_, utf8, spec, '>');
  }

  void ConvertInt(char type, const Value& v, const FormatSpec& spec, bool zero) {
    const bool decimal = type == 'd' || type == 'i' || type == 'u';
    Int i = 0;
    if (v.is_integral()) {
      i = v.integer();
    } else if (v.is(Kind::kFloat) && decimal && std::abs(v.floating()) < 0x1p126) {
      i = static_cast<Int>(v.floating());
    } else {
      if (v.is_undefined()) rt_.FailUndefined(v);
      rt_.Fail("%{} format: {} is required, not {}", type, decimal ? "a real number" : "an integer",
               TypeName(v));
    }
    std::string digits = FormatMagnitude(i, decimal ? 10 : type == 'o' ? 8 : 16);
    if (type == 'X') digits = ToUpper(digits);
    if (spec.precision > static_cast<int64_t>(digits.size())) {
      digits.insert(0, static_cast<size_t>(spec.precision) - digits.size(), '0');
    }
    std::string prefix;
    if (spec.alternate && !decimal) prefix = std::string("0") + type;
    AppendSigned(i < 0, prefix, digits, spec, zero);
  }

  void ConvertFloat(char type, const Value& v, const FormatSpec& spec, bool zero) {
    if (v.is_undefined()) rt_.FailUndefined(v);
    if (!v.is_number()) rt_.Fail("must be real number, not {}", TypeName(v));
    const double d = v.is(Kind::kFloat) ? v.floating() : static_cast<double>(v.integer());
    const std::string digits = FormatMagnitude(d, type, spec.precision < 0 ? 6 : spec.precision);
    AppendSigned(std::signbit(d) && !std::isnan(d), "", digits, spec, zero);
  }

  void AppendSigned(bool negative, std::string_view prefix, std::string digits,
                    const FormatSpec& spec, bool zero) {
    std::string head = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
    head += prefix;
    const auto width = static_cast<size_t>(spec.width);
    if (zero && spec.align != '<' && head.size() + digits.size() < width) {
      digits.insert(0, width - head.size() - digits.size(), '0');
    }
    AppendPadded(out_, head + digits, spec, '>');
  }

  Runtime& rt_;
  std::string_view s_;
  bool markup_;
  const Value& args_;
  std::span<const Value> items_;
  size_t pos_ = 0;
  size_t next_ = 0;
  TextBuilder out_;
};

// "format".format(*args, **named)
class BraceFormatter {
 public:
  BraceFormatter(Runtime& rt, const Args& args) : rt_(rt), args_(args) {}

  // Appends `s` with its replacement fields filled in; `levels`: how deep fields may still nest.
  void Run(TextBuilder& out, std::string_view s, int levels) {
    if (levels < 0) rt_.Fail("Max string recursion exceeded");
    size_t pos = 0;
    while (pos < s.size()) {
      const size_t brace = s.find_first_of("{}", pos);
      out.Append(s.substr(pos, brace - pos));
      if (brace == std::string_view::npos) return;
      pos = brace + 1;
      if (pos < s.size() && s[pos] == s[brace]) {
        out.Append(s[pos++]);
      } else if (s[brace] == '}') {
        rt_.Fail("Single '}}' encountered in format string");
      } else {
        pos = Field(out, s, pos, levels);
      }
    }
  }

 private:
  // A field whose content starts at `pos`; returns the position behind its closing brace.
  size_t Field(TextBuilder& out, std::string_view s, size_t pos, int levels) {
    size_t end = pos;
    for (int open = 1;; ++end) {
      if (end >= s.size()) {
        rt_.FailWith(end == pos ? "Single '{' encountered in format string"
                                : "expected '}' before end of string");
      }
      open += s[end] == '{' ? 1 : s[end] == '}' ? -1 : 0;
      if (open == 0) break;
    }
    const std::string_view field = s.substr(pos, end - pos);
    size_t name_end = 0;
    for (bool bracket = false; name_end < field.size(); ++name_end) {
      const char c = field[name_end];
      if (c == '[') bracket = true;
      if (c == ']') bracket = false;
      if (!bracket && (c == '!' || c == ':')) break;
    }
    Value v = Lookup(field.substr(0, name_end));
    std::string_view rest = field.substr(name_end);
    if (rest.starts_with('!')) {
      if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':')) {
        rt_.Fail("expected ':' after conversion specifier");
      }
      v = ConvertField(v, rest[1]);
      rest = rest.substr(2);
    }
    TextBuilder spec(rt_);
    if (rest.starts_with(':')) Run(spec, rest.substr(1), levels - 1);
    AppendFormatted(out, rt_, v, spec.text());
    return end + 1;
  }

  Value ConvertField(const Value& v, char conversion) {
    if (conversion == 's') return Value::String(Str(rt_, v));
    if (conversion != 'r' && conversion != 'a') {
      rt_.Fail("Unknown conversion specifier {}", conversion);
    }
    TextBuilder text(rt_);
    AppendRepr(text, rt_, v);
    return text.Finish();
  }

  Value Lookup(std::string_view name) {
    const size_t first_end = std::min(name.find_first_of(".["), name.size());
    Value v = First(name.substr(0, first_end));
    for (size_t pos = first_end; pos < name.size();) {
      if (name[pos] == '.') {
        const size_t end = std::min(name.find_first_of(".[", pos + 1), name.size());
        if (end == pos + 1) rt_.Fail("Empty attribute in format string");
        v = GetAttr(rt_, v, name.substr(pos + 1, end - pos - 1));
        pos = end;
      } else if (name[pos] == '[') {
        const size_t end = name.find(']', pos);
        if (end == std::string_view::npos) rt_.Fail("Missing ']' in format string");
        if (end == pos + 1) rt_.Fail("Empty attribute in format string");
        v = GetItem(rt_, v, Key(name.substr(pos + 1, end - pos - 1)));
        pos = end + 1;
      } else {
        rt_.Fail("Only '.' or '[' may follow ']' in format field specifier");
      }
    }
    return v;
  }

  Value Key(std::string_view text) {
    const bool digits = text.find_first_not_of("0123456789") == std::string_view::npos;
    if (digits && text.size() < 18) return Value::FromInt(*ParseInt(rt_, text, 10));
    return Value::String(text);
  }

  Value First(std::string_view name) {
    const bool automatic = name.empty();
    const bool digits =
        !automatic && name.find_first_not_of("0123456789") == std::string_view::npos;
    if (!automatic && !digits) {
      for (const NamedValue& named : args_.named) {
        if (named.name == name) return named.value;
      }
      rt_.Fail("format field '{}' has no argument of that name", name);
    }
    if (numbering_ != Numbering::kNone && (numbering_ == Numbering::kAutomatic) != automatic) {
      rt_.Fail("cannot mix manual field specification and automatic field numbering");
    }
    numbering_ = automatic ? Numbering::kAutomatic : Numbering::kManual;
    const std::optional<Int> index = automatic ? Int{next_++} : ParseInt(rt_, name, 10);
    if (!index || *index >= static_cast<Int>(args_.positional.size())) {
      rt_.Fail("Replacement index {} out of range for positional args tuple",
               automatic ? Format("{}", next_ - 1) : std::string(name));
    }
    return args_.positional[static_cast<size_t>(*index)];
  }

  enum class Numbering { kNone, kAutomatic, kManual };
  Runtime& rt_;
  const Args& args_;
  Numbering numbering_ = Numbering::kNone;
  int64_t next_ = 0;
};

}  // namespace

Value PercentFormat(Runtime& rt, const Value& format, const Value& args) {
  return PercentFormatter(rt, format, args).Run();
}

Value BraceFormat(Runtime& rt, const Value& format, const Args& args) {
  if (!format.is_markup()) {
    TextBuilder out(rt);
    BraceFormatter(rt, args).Run(out, format.string(), 2);
    return out.Finish();
  }
  // Arguments of text that is marked safe are escaped first (markupsafe.EscapeFormatter).
  ListBuilder positional(rt);
  for (const Value& v : args.positional) positional.Append(v.is_string() ? Escape(rt, v) : v);
  std::vector<NamedValue> named(args.named.begin(), args.named.end());
  for (NamedValue& n : named) {
    if (n.value.is_string()) n.value = Escape(rt, n.value);
  }
  const Args escaped{positional.items(), named};
  TextBuilder out(rt);
  BraceFormatter(rt, escaped).Run(out, format.string(), 2);
  return out.Finish(/*markup=*/true);
}

}  // namespace rocforge::text::chat
