// Filters that make text (filters.h).
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "text/chat/filters.h"
#include "text/chat/methods.h"
#include "text/chat/number_format.h"
#include "text/chat/ops.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

// markupsafe.soft_str: str(v), but text that is marked safe stays so.
Value SoftStr(Runtime& rt, const Value& v) { return v.is_string() ? v : Value::String(Str(rt, v)); }

// soft_str(v).method(*args)
Value CallMethod(Runtime& rt, const char* method, const Value& v, std::span<const Value> args) {
  return FindStringMethod(method)->call(rt, SoftStr(rt, v), Args{args, {}});
}

Value Upper(Runtime& rt, const Args& args) {
  return CallMethod(rt, "upper", Bind(rt, "upper", {"s"}, 1, args)[0], {});
}
Value Lower(Runtime& rt, const Args& args) {
  return CallMethod(rt, "lower", Bind(rt, "lower", {"s"}, 1, args)[0], {});
}
Value Capitalize(Runtime& rt, const Args& args) {
  return CallMethod(rt, "capitalize", Bind(rt, "capitalize", {"s"}, 1, args)[0], {});
}

Value Trim(Runtime& rt, const Args& args) {
  const auto [value, chars] = Bind(rt, "trim", {"value", "chars"}, 1, args);
  const Value arg[] = {chars.is_missing() ? Value::None() : chars};
  return CallMethod(rt, "strip", value, arg);
}

Value Center(Runtime& rt, const Args& args) {
  const auto [value, width] = Bind(rt, "center", {"value", "width"}, 1, args);
  const Value arg[] = {width.is_missing() ? Value::FromInt(80) : width};
  return CallMethod(rt, "center", value, arg);
}

Value Replace(Runtime& rt, const Args& args) {
  const auto [s, from, to, count] = Bind(rt, "replace", {"s", "old", "new", "count"}, 3, args);
  const bool all = count.is_missing() || count.is_none();
  const Value arg[] = {Value::String(Str(rt, from)), Value::String(Str(rt, to)),
                       all ? Value::FromInt(-1) : count};
  // Without autoescape the filter works on str(s), which drops the mark of safety.
  return FindStringMethod("replace")->call(rt, Value::String(Str(rt, s)), Args{arg, {}});
}

Value String(Runtime& rt, const Args& args) {
  return SoftStr(rt, Bind(rt, "string", {"value"}, 1, args)[0]);
}

// Words start after white space and the characters -({[<.
Value Title(Runtime& rt, const Args& args) {
  const Value value = SoftStr(rt, Bind(rt, "title", {"s"}, 1, args)[0]);
  const std::string_view s = value.string();
  std::string out;
  bool start = true;
  size_t word = 0;  // where the rest of the word, behind its first letter, begins
  for (size_t pos = 0; pos < s.size();) {
    const size_t begin = pos;
    const char32_t c = DecodeAt(s, &pos);
    const bool separator =
        IsSpace(c) || (c < 0x80 && std::string_view("-({[<").find(static_cast<char>(c)) !=
                                       std::string_view::npos);
    if (separator) {
      out.append(s.substr(begin, pos - begin));
      start = true;
    } else if (start) {
      AppendUpper(&out, c);
      start = false;
      word = pos;
    } else {
      // Each word is lowered by itself.
      AppendLowerAt(&out, s.substr(word), begin - word, pos - word);
    }
  }
  return rt.NewString(out);
}

Value EscapeFilter(Runtime& rt, const Args& args) {
  return Escape(rt, Bind(rt, "escape", {"s"}, 1, args)[0]);
}
Value ForceEscape(Runtime& rt, const Args& args) {
  const auto [value] = Bind(rt, "forceescape", {"value"}, 1, args);
  return Escape(rt, Value::String(Str(rt, value)));
}
Value Safe(Runtime& rt, const Args& args) {
  const auto [value] = Bind(rt, "safe", {"value"}, 1, args);
  return Value::String(Str(rt, value), /*markup=*/true);
}

Value FormatFilter(Runtime& rt, const Args& args) {
  if (args.positional.empty()) rt.Fail("format() is missing the required argument 'value'");
  const std::span<const Value> values = args.positional.subspan(1);
  if (!values.empty() && !args.named.empty()) {
    rt.Fail("can't handle positional and keyword arguments at the same time");
  }
  const Value format = SoftStr(rt, args.positional[0]);
  if (args.named.empty()) return PercentFormat(rt, format, rt.NewTuple(values));
  Dict* dict = rt.NewDict();
  for (const NamedValue& named : args.named) dict->Set(rt, Value::String(named.name), named.value);
  return PercentFormat(rt, format, Value::FromDict(dict));
}

Value Indent(Runtime& rt, const Args& args) {
  const auto [value, width, first, blank] =
      Bind(rt, "indent", {"s", "width", "first", "blank"}, 1, args);
  if (!value.is_string()) {
    if (value.is_undefined()) rt.FailUndefined(value);
    rt.Fail("indent needs a string, not {}", TypeName(value));
  }
  std::string indention = "    ";
  if (width.is_string()) {
    indention = width.string();
  } else if (!width.is_missing()) {
    const int64_t n = ToIndex(rt, width);
    if (n > kMaxFormatWidth) rt.Fail("indent is too wide");
    indention.assign(static_cast<size_t>(std::max<int64_t>(n, 0)), ' ');
  }
  // The filter appends a newline first, so that a trailing one gives a last, empty line.
  const std::string text = std::string(value.string()) + "\n";
  TextBuilder out(rt);
  bool first_line = true;
  if (Truth(first)) out.Append(indention);
  for (std::string_view line : SplitLines(text)) {
    rt.Charge(1);
    if (!first_line) {
      out.Append('\n');
      if (!line.empty() || Truth(blank)) out.Append(indention);
    }
    out.Append(line);
    first_line = false;
  }
  return out.Finish(value.is_markup());
}

Value Truncate(Runtime& rt, const Args& args) {
  const auto [value, length_arg, killwords, end_arg, leeway_arg] =
      Bind(rt, "truncate", {"s", "length", "killwords", "end", "leeway"}, 1, args);
  const int64_t length = length_arg.is_missing() ? 255 : ToIndex(rt, length_arg);
  const std::string_view end = end_arg.is_missing() ? std::string_view("...") : Str(rt, end_arg);
  const bool default_leeway = leeway_arg.is_missing() || leeway_arg.is_none();
  const int64_t leeway = default_leeway ? 5 : ToIndex(rt, leeway_arg);
  const auto end_length = static_cast<int64_t>(CodePointCount(end));
  if (length < end_length) rt.Fail("expected length >= {}, got {}", end_length, length);
  if (leeway < 0) rt.Fail("expected leeway >= 0, got {}", leeway);
  if (Length(rt, value) - leeway <= length) return value;
  if (!value.is_string()) rt.Fail("truncate needs a string, not {}", TypeName(value));
  std::string_view s = value.string();
  s = s.substr(0, ByteOffset(s, static_cast<size_t>(length - end_length)));
  if (!Truth(killwords)) s = s.substr(0, s.rfind(' '));
  TextBuilder out(rt);
  out.Append(s);
  out.Append(end);
  return out.Finish(value.is_markup());
}

Value WordWrapFilter(Runtime& rt, const Args& args) {
  const auto [value, width, break_long, wrap_string, break_hyphens] =
      Bind(rt, "wordwrap", {"s", "width", "break_long_words", "wrapstring", "break_on_hyphens"}, 1,
           args);
  if (!value.is_string()) rt.Fail("wordwrap needs a string, not {}", TypeName(value));
  const bool default_string = wrap_string.is_missing() || wrap_string.is_none();
  return WordWrap(rt, value.string(), width.is_missing() ? 79 : ToIndex(rt, width),
                  break_long.is_missing() || Truth(break_long),
                  default_string ? std::string_view("\n") : Str(rt, wrap_string),
                  break_hyphens.is_missing() || Truth(break_hyphens));
}

Value WordCount(Runtime& rt, const Args& args) {
  const Value value = SoftStr(rt, Bind(rt, "wordcount", {"s"}, 1, args)[0]);
  const std::string_view s = value.string();
  rt.ChargeBytes(s.size());
  Int words = 0;
  bool inside = false;
  for (size_t pos = 0; pos < s.size();) {
    const char32_t c = DecodeAt(s, &pos);
    const bool word_character = c == '_' || (UnicodeFlags(c) & kUniAlnum) != 0;
    words += word_character && !inside ? 1 : 0;
    inside = word_character;
  }
  return Value::FromInt(words);
}

// urllib.parse.quote; in query strings a space is a plus and a slash is escaped.
void AppendQuoted(TextBuilder& out, std::string_view s, bool query) {
  for (char c : s) {
    const bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (alnum || c == '_' || c == '.' || c == '-' || c == '~' || (c == '/' && !query)) {
      out.Append(c);
    } else if (c == ' ' && query) {
      out.Append('+');
    } else {
      out.Append(Format("%{:02X}", static_cast<uint32_t>(static_cast<uint8_t>(c))));
    }
  }
}

Value UrlEncode(Runtime& rt, const Args& args) {
  const auto [value] = Bind(rt, "urlencode", {"value"}, 1, args);
  TextBuilder out(rt);
  Cursor cursor;
  if (value.is_string() || !cursor.TryStart(value)) {
    AppendQuoted(out, Str(rt, value), false);
    return out.Finish();
  }
  const Value pairs =
      value.is(Kind::kDict)
          ? Value::Object(Kind::kDictView,
                          rt.arena().New<DictView>(&value.dict(), DictView::What::kItems))
          : value;
  bool first = true;
  ForEach(rt, pairs, [&](const Value& pair) {
    const std::span<const Value> items = Items(rt, pair);
    if (items.size() != 2) rt.Fail("urlencode needs pairs of key and value");
    if (!first) out.Append('&');
    first = false;
    AppendQuoted(out, Str(rt, items[0]), true);
    out.Append('=');
    AppendQuoted(out, Str(rt, items[1]), true);
  });
  return out.Finish();
}

// The character of a numeric or of one of the common named references "&...;", which starts behind
// the ampersand; 0 if it is none. Sets *length to that of the reference.
char32_t CharacterReference(std::string_view s, size_t* length) {
  constexpr struct {
    std::string_view name;
    char32_t c;
  } kNamed[] = {{"amp;", '&'},   {"lt;", '<'},    {"gt;", '>'},     {"quot;", '"'},
                {"apos;", '\''}, {"nbsp;", 0xA0}, {"raquo;", 0xBB}, {"laquo;", 0xAB}};
  for (const auto& named : kNamed) {
    if (!s.starts_with(named.name)) continue;
    *length = named.name.size();
    return named.c;
  }
  if (!s.starts_with('#')) return 0;
  const bool hex = s.size() > 1 && (s[1] == 'x' || s[1] == 'X');
  const std::string_view digits = hex ? "0123456789abcdefABCDEF" : "0123456789";
  const size_t begin = hex ? 2 : 1;
  const size_t end = std::min(s.find_first_not_of(digits, begin), s.size());
  if (end == begin || end - begin > 7 || end == s.size() || s[end] != ';') return 0;
  *length = end + 1;
  const auto c = static_cast<char32_t>(
      std::strtoul(std::string(s.substr(begin, end - begin)).c_str(), nullptr, hex ? 16 : 10));
  const bool valid = c != 0 && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
  return valid ? c : U'\uFFFD';
}

void AppendUnescaped(TextBuilder& out, std::string_view s) {
  for (size_t pos = 0; pos < s.size();) {
    size_t length = 0;
    const char32_t c = s[pos] == '&' ? CharacterReference(s.substr(pos + 1), &length) : 0;
    if (c == 0) {
      out.Append(s[pos++]);
    } else {
      out.AppendCodePoint(c);
      pos += 1 + length;
    }
  }
}

// Without tags and comments, with white space collapsed and character references resolved, as
// markupsafe's Markup.striptags (which knows more names of references).
Value StripTags(Runtime& rt, const Args& args) {
  const auto [value] = Bind(rt, "striptags", {"value"}, 1, args);
  const std::string_view s = Str(rt, value);
  rt.ChargeBytes(s.size());
  std::string text;
  size_t pos = 0;
  for (size_t start; (start = s.find('<', pos)) != std::string_view::npos;) {
    const bool comment = s.substr(start).starts_with("<!--");
    const size_t end = comment ? s.find("-->", start + 4) : s.find('>', start);
    if (end == std::string_view::npos) break;  // not closed: text
    text.append(s.substr(pos, start - pos));
    pos = end + (comment ? 3 : 1);
  }
  text.append(s.substr(pos));
  TextBuilder collapsed(rt);
  const std::string_view stripped = StripSpace(text, true, true);
  bool in_space = false;
  for (size_t at = 0; at < stripped.size();) {
    const size_t begin = at;
    const bool space = IsSpace(DecodeAt(stripped, &at));
    if (space && !in_space) collapsed.Append(' ');
    if (!space) collapsed.Append(stripped.substr(begin, at - begin));
    in_space = space;
  }
  TextBuilder out(rt);
  AppendUnescaped(out, collapsed.text());
  return out.Finish();
}

Value XmlAttr(Runtime& rt, const Args& args) {
  const auto [value, autospace] = Bind(rt, "xmlattr", {"d", "autospace"}, 1, args);
  if (!value.is(Kind::kDict)) rt.Fail("xmlattr needs a dict, not {}", TypeName(value));
  TextBuilder out(rt);
  for (const Dict::Entry& entry : value.dict().entries()) {
    rt.Charge(1);
    if (entry.value.is_none() || entry.value.is_undefined()) continue;
    const std::string_view key = Str(rt, entry.key);
    if (key.find_first_of(" \t\n\r\f\v/>=") != std::string_view::npos) {
      rt.Fail("Invalid character in attribute name: '{}'", key);
    }
    if (!out.text().empty() || autospace.is_missing() || Truth(autospace)) out.Append(' ');
    out.Append(Escape(rt, entry.key).string());
    out.Append("=\"");
    out.Append(Escape(rt, entry.value).string());
    out.Append('"');
  }
  return out.Finish();
}

Value FileSizeFormat(Runtime& rt, const Args& args) {
  const auto [value, binary] = Bind(rt, "filesizeformat", {"value", "binary"}, 1, args);
  double bytes = 0;
  if (value.is_string()) {
    const std::optional<double> parsed = ParseFloat(value.string());
    if (!parsed) rt.Fail("could not convert string to float: '{}'", value.string());
    bytes = *parsed;
  } else if (value.is_number()) {
    bytes = value.is(Kind::kFloat) ? value.floating() : static_cast<double>(value.integer());
  } else {
    rt.Fail("filesizeformat needs a number, not {}", TypeName(value));
  }
  const double base = Truth(binary) ? 1024 : 1000;
  if (bytes == 1) return Value::String("1 Byte");
  if (bytes < base) return rt.NewString(Format("{:.0f} Bytes", std::trunc(bytes)));
  constexpr std::string_view kPrefixes = "kMGTPEZY";
  double unit = base;
  size_t i = 0;
  for (; i + 1 < kPrefixes.size() && bytes >= unit * base; ++i) unit *= base;
  std::string prefix(1, kPrefixes[i]);
  if (Truth(binary)) prefix = (i == 0 ? "K" : prefix) + "i";
  return rt.NewString(Format("{:.1f} {}B", bytes / unit, prefix));
}

Value PPrint(Runtime& rt, const Args& args) {
  return PrettyFormat(rt, Bind(rt, "pprint", {"value"}, 1, args)[0]);
}

constexpr FilterInfo kTextFilters[] = {
    {"capitalize", Capitalize},
    {"center", Center},
    {"e", EscapeFilter},
    {"escape", EscapeFilter},
    {"filesizeformat", FileSizeFormat},
    {"forceescape", ForceEscape},
    {"format", FormatFilter},
    {"indent", Indent},
    {"lower", Lower},
    {"pprint", PPrint},
    {"replace", Replace},
    {"safe", Safe},
    {"string", String},
    {"striptags", StripTags},
    {"title", Title},
    {"trim", Trim},
    {"truncate", Truncate},
    {"upper", Upper},
    {"urlencode", UrlEncode},
    {"wordcount", WordCount},
    {"wordwrap", WordWrapFilter},
    {"xmlattr", XmlAttr},
};

}  // namespace

const FilterInfo* FindTextFilter(std::string_view name) {
  for (const FilterInfo& filter : kTextFilters) {
    if (name == filter.name) return &filter;
  }
  return nullptr;
}

}  // namespace rocforge::text::chat
