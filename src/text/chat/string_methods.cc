// The methods of str (methods.h); string_case.cc has those about case and kinds of characters.
#include <algorithm>
#include <optional>

#include "text/chat/methods.h"
#include "text/chat/ops.h"
#include "text/chat/string_methods.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

bool IsAbsent(const Value& v) { return v.is_missing() || v.is_none(); }

// strip, lstrip, rstrip
Value StripWith(Runtime& rt, const char* name, Self self, const Args& args, bool left, bool right) {
  const auto [chars] = Bind(rt, name, {"chars"}, 0, args);
  rt.ChargeBytes(self.string().size());
  if (IsAbsent(chars)) return Part(self, StripSpace(self.string(), left, right));
  return Part(self, StripChars(self.string(), TextArg(rt, name, chars), left, right));
}
Value Strip(Runtime& rt, Self self, const Args& args) {
  return StripWith(rt, "strip", self, args, true, true);
}
Value LStrip(Runtime& rt, Self self, const Args& args) {
  return StripWith(rt, "lstrip", self, args, true, false);
}
Value RStrip(Runtime& rt, Self self, const Args& args) {
  return StripWith(rt, "rstrip", self, args, false, true);
}

// Splits at runs of white space, from the front; at most `limit` times (< 0: no limit).
void SplitAtSpace(ListBuilder& out, Self self, int64_t limit) {
  std::string_view rest = StripSpace(self.string(), true, false);
  for (; !rest.empty(); --limit) {
    if (limit == 0) {
      out.Append(Part(self, rest));
      return;
    }
    size_t end = 0;
    for (size_t next = 0; next < rest.size(); end = next) {
      if (IsSpace(DecodeAt(rest, &next))) break;
    }
    out.Append(Part(self, rest.substr(0, end)));
    rest = StripSpace(rest.substr(end), true, false);
  }
}

void SplitAtSpaceFromBack(ListBuilder& out, Self self, int64_t limit) {
  std::string_view rest = StripSpace(self.string(), false, true);
  for (; !rest.empty(); --limit) {
    if (limit == 0) {
      out.Append(Part(self, rest));
      break;
    }
    size_t begin = rest.size();
    for (size_t next = begin; next > 0; begin = next) {
      if (IsSpace(DecodeBefore(rest, &next))) break;
    }
    out.Append(Part(self, rest.substr(begin)));
    rest = StripSpace(rest.substr(0, begin), false, true);
  }
  std::reverse(out.items().begin(), out.items().end());
}

void SplitAt(Runtime& rt, ListBuilder& out, Self self, std::string_view separator, int64_t limit,
             bool back) {
  std::string_view rest = self.string();
  for (; limit != 0; --limit) {
    if (back && separator.size() > 32) rt.ChargeBytes(rest.size());
    const size_t at = back ? RFindText(rest, separator) : FindText(rest, separator);
    if (at == std::string_view::npos) break;
    if (back) {
      out.Append(Part(self, rest.substr(at + separator.size())));
      rest = rest.substr(0, at);
    } else {
      out.Append(Part(self, rest.substr(0, at)));
      rest = rest.substr(at + separator.size());
    }
  }
  out.Append(Part(self, rest));
  if (back) std::reverse(out.items().begin(), out.items().end());
}

Value SplitWith(Runtime& rt, const char* name, Self self, const Args& args, bool back) {
  const auto [separator, maxsplit] = Bind(rt, name, {"sep", "maxsplit"}, 0, args);
  const int64_t limit = maxsplit.is_missing() ? -1 : ToIndex(rt, maxsplit);
  rt.ChargeBytes(self.string().size());
  ListBuilder out(rt);
  if (IsAbsent(separator)) {
    back ? SplitAtSpaceFromBack(out, self, limit) : SplitAtSpace(out, self, limit);
  } else {
    const std::string_view s = TextArg(rt, name, separator);
    if (s.empty()) rt.Fail("empty separator");
    SplitAt(rt, out, self, s, limit, back);
  }
  return out.FinishList();
}
Value Split(Runtime& rt, Self self, const Args& args) {
  return SplitWith(rt, "split", self, args, false);
}
Value RSplit(Runtime& rt, Self self, const Args& args) {
  return SplitWith(rt, "rsplit", self, args, true);
}

Value SplitLinesMethod(Runtime& rt, Self self, const Args& args) {
  const auto [keep] = Bind(rt, "splitlines", {"keepends"}, 0, args);
  rt.ChargeBytes(self.string().size());
  ListBuilder out(rt);
  for (std::string_view line : SplitLines(self.string(), Truth(keep))) out.Append(Part(self, line));
  return out.FinishList();
}

// self[start:end] and the code point index where it begins; nullopt if start is behind the end.
struct Window {
  std::string_view text;
  int64_t offset;
};
std::optional<Window> ClipTo(Runtime& rt, Self self, const Value& start, const Value& end) {
  rt.ChargeBytes(self.string().size());
  if (IsAbsent(start) && IsAbsent(end)) return Window{self.string(), 0};
  const int64_t length = Length(rt, self);
  const auto resolve = [&](const Value& v, int64_t absent) {
    int64_t i = IsAbsent(v) ? absent : ToIndex(rt, v);
    if (i < 0) i = std::max<int64_t>(i + length, 0);
    return i;
  };
  const int64_t first = resolve(start, 0);
  const int64_t last = std::min(resolve(end, length), length);
  if (first > last) return std::nullopt;
  const size_t begin = ByteOffset(self.string(), static_cast<size_t>(first));
  const size_t bytes = ByteOffset(self.string().substr(begin), static_cast<size_t>(last - first));
  return Window{self.string().substr(begin, bytes), first};
}

Value StartsOrEnds(Runtime& rt, const char* name, Self self, const Args& args, bool starts) {
  const auto [affix, start, end] = Bind(rt, name, {"prefix", "start", "end"}, 1, args);
  const std::optional<Window> window = ClipTo(rt, self, start, end);
  const auto matches = [&](const Value& v) {
    if (!v.is_string()) {
      if (v.is_undefined()) rt.FailUndefined(v);
      rt.Fail("{} first arg must be str or a tuple of str, not {}", name, TypeName(v));
    }
    return window.has_value() &&
           (starts ? window->text.starts_with(v.string()) : window->text.ends_with(v.string()));
  };
  if (!affix.is(Kind::kTuple)) return Value::Bool(matches(affix));
  for (const Value& v : affix.list().items) {
    rt.Charge(1);
    if (matches(v)) return Value::Bool(true);
  }
  return Value::Bool(false);
}
Value StartsWith(Runtime& rt, Self self, const Args& args) {
  return StartsOrEnds(rt, "startswith", self, args, true);
}
Value EndsWith(Runtime& rt, Self self, const Args& args) {
  return StartsOrEnds(rt, "endswith", self, args, false);
}

int64_t FindIndex(Runtime& rt, const char* name, Self self, const Args& args, bool back) {
  const auto [sub, start, end] = Bind(rt, name, {"sub", "start", "end"}, 1, args);
  const std::string_view needle = TextArg(rt, name, sub);
  const std::optional<Window> window = ClipTo(rt, self, start, end);
  if (!window) return -1;
  const size_t at = back ? RFindText(window->text, needle) : FindText(window->text, needle);
  if (at == std::string_view::npos) return -1;
  return window->offset + static_cast<int64_t>(CodePointCount(window->text.substr(0, at)));
}
Value Find(Runtime& rt, Self self, const Args& args) {
  return Value::FromInt(FindIndex(rt, "find", self, args, false));
}
Value RFind(Runtime& rt, Self self, const Args& args) {
  return Value::FromInt(FindIndex(rt, "rfind", self, args, true));
}
Value Index(Runtime& rt, Self self, const Args& args) {
  const int64_t at = FindIndex(rt, "index", self, args, false);
  if (at < 0) rt.Fail("substring not found");
  return Value::FromInt(at);
}
Value RIndex(Runtime& rt, Self self, const Args& args) {
  const int64_t at = FindIndex(rt, "rindex", self, args, true);
  if (at < 0) rt.Fail("substring not found");
  return Value::FromInt(at);
}

Value Count(Runtime& rt, Self self, const Args& args) {
  const auto [sub, start, end] = Bind(rt, "count", {"sub", "start", "end"}, 1, args);
  const std::string_view needle = TextArg(rt, "count", sub);
  const std::optional<Window> window = ClipTo(rt, self, start, end);
  if (!window) return Value::FromInt(0);
  if (needle.empty()) return Value::FromInt(static_cast<Int>(CodePointCount(window->text)) + 1);
  Int count = 0;
  for (size_t at = FindText(window->text, needle); at != std::string_view::npos;
       at = FindText(window->text, needle, at + needle.size())) {
    ++count;
  }
  return Value::FromInt(count);
}

// Python's replace; an empty `from` stands before every character and at the end.
Value Replace(Runtime& rt, Self self, const Args& args) {
  const auto [old_text, new_text, count] = Bind(rt, "replace", {"old", "new", "count"}, 2, args);
  const bool markup = self.is_markup();
  const std::string_view s = self.string();
  const std::string_view from = TextArg(rt, "replace", markup ? Escape(rt, old_text) : old_text);
  const std::string_view to = TextArg(rt, "replace", markup ? Escape(rt, new_text) : new_text);
  int64_t limit = count.is_missing() ? -1 : ToIndex(rt, count);
  rt.ChargeBytes(s.size());
  TextBuilder out(rt);
  size_t pos = 0;
  if (from.empty()) {
    for (; limit != 0; --limit) {
      out.Append(to);
      rt.Charge(1);
      if (pos == s.size()) break;
      const size_t begin = pos;
      DecodeAt(s, &pos);
      out.Append(s.substr(begin, pos - begin));
    }
  } else {
    for (; limit != 0; --limit) {
      const size_t at = FindText(s, from, pos);
      if (at == std::string_view::npos) break;
      out.Append(s.substr(pos, at - pos));
      out.Append(to);
      pos = at + from.size();
    }
    if (pos == 0) return self;
  }
  out.Append(s.substr(pos));
  return out.Finish(markup);
}

Value Join(Runtime& rt, Self self, const Args& args) {
  const auto [iterable] = Bind(rt, "join", {"iterable"}, 1, args);
  TextBuilder out(rt);
  size_t n = 0;
  ForEach(rt, iterable, [&](const Value& item) {
    if (!item.is_string()) {
      rt.Fail("sequence item {}: expected str instance, {} found", n, TypeName(item));
    }
    if (n++ > 0) out.Append(self.string());
    out.Append(self.is_markup() ? Escape(rt, item).string() : item.string());
  });
  return out.Finish(self.is_markup());
}

Value FormatMethod(Runtime& rt, Self self, const Args& args) { return BraceFormat(rt, self, args); }

Value FormatMap(Runtime& rt, Self self, const Args& args) {
  const auto [mapping] = Bind(rt, "format_map", {"mapping"}, 1, args);
  if (!mapping.is(Kind::kDict)) rt.Fail("format_map() argument must be a dict");
  std::vector<NamedValue> named;
  for (const Dict::Entry& entry : mapping.dict().entries()) {
    if (entry.key.is_string()) named.push_back({entry.key.string(), entry.value});
  }
  return BraceFormat(rt, self, Args{{}, named});
}

Value RemovePrefix(Runtime& rt, Self self, const Args& args) {
  const auto [prefix] = Bind(rt, "removeprefix", {"prefix"}, 1, args);
  std::string_view s = self.string();
  const std::string_view p = TextArg(rt, "removeprefix", prefix);
  if (s.starts_with(p)) s.remove_prefix(p.size());
  return Part(self, s);
}
Value RemoveSuffix(Runtime& rt, Self self, const Args& args) {
  const auto [suffix] = Bind(rt, "removesuffix", {"suffix"}, 1, args);
  std::string_view s = self.string();
  const std::string_view p = TextArg(rt, "removesuffix", suffix);
  if (s.ends_with(p)) s.remove_suffix(p.size());
  return Part(self, s);
}

// ljust, rjust, center: `align` one of < > ^.
Value Justify(Runtime& rt, const char* name, Self self, const Args& args, char align) {
  const auto [width_arg, fill_arg] = Bind(rt, name, {"width", "fillchar"}, 1, args);
  const int64_t width = ToIndex(rt, width_arg);
  const std::string_view fill =
      fill_arg.is_missing() ? std::string_view(" ") : TextArg(rt, name, fill_arg);
  if (CodePointCount(fill) != 1) {
    rt.Fail("The fill character must be exactly one character long");
  }
  const int64_t length = Length(rt, self);
  if (width <= length) return self;
  const int64_t padding = width - length;
  // Python gives an odd column to the left when the width is odd too.
  const int64_t left = align == '<'   ? 0
                       : align == '>' ? padding
                                      : padding / 2 + (padding & width & 1);
  TextBuilder out(rt);
  out.AppendRepeated(fill, static_cast<size_t>(left));
  out.Append(self.string());
  out.AppendRepeated(fill, static_cast<size_t>(padding - left));
  return out.Finish(self.is_markup());
}
Value LJust(Runtime& rt, Self self, const Args& args) {
  return Justify(rt, "ljust", self, args, '<');
}
Value RJust(Runtime& rt, Self self, const Args& args) {
  return Justify(rt, "rjust", self, args, '>');
}
Value Center(Runtime& rt, Self self, const Args& args) {
  return Justify(rt, "center", self, args, '^');
}

Value ZFill(Runtime& rt, Self self, const Args& args) {
  const auto [width_arg] = Bind(rt, "zfill", {"width"}, 1, args);
  const int64_t padding = ToIndex(rt, width_arg) - Length(rt, self);
  if (padding <= 0) return self;
  std::string_view s = self.string();
  TextBuilder out(rt);
  if (s.starts_with('+') || s.starts_with('-')) {
    out.Append(s[0]);
    s.remove_prefix(1);
  }
  out.AppendRepeated("0", static_cast<size_t>(padding));
  out.Append(s);
  return out.Finish(self.is_markup());
}

Value PartitionWith(Runtime& rt, const char* name, Self self, const Args& args, bool back) {
  const auto [separator] = Bind(rt, name, {"sep"}, 1, args);
  const std::string_view needle = TextArg(rt, name, separator);
  if (needle.empty()) rt.Fail("empty separator");
  const std::string_view s = self.string();
  rt.ChargeBytes(s.size());
  const size_t at = back ? RFindText(s, needle) : FindText(s, needle);
  const bool found = at != std::string_view::npos;
  const Value parts[] = {Part(self, found  ? s.substr(0, at)
                                    : back ? std::string_view()
                                           : s),
                         Part(self, found ? s.substr(at, needle.size()) : std::string_view()),
                         Part(self, found  ? s.substr(at + needle.size())
                                    : back ? s
                                           : std::string_view())};
  return rt.NewTuple(parts);
}
Value Partition(Runtime& rt, Self self, const Args& args) {
  return PartitionWith(rt, "partition", self, args, false);
}
Value RPartition(Runtime& rt, Self self, const Args& args) {
  return PartitionWith(rt, "rpartition", self, args, true);
}

Value ExpandTabs(Runtime& rt, Self self, const Args& args) {
  const auto [tabsize_arg] = Bind(rt, "expandtabs", {"tabsize"}, 0, args);
  const int64_t tabsize = tabsize_arg.is_missing() ? 8 : ToIndex(rt, tabsize_arg);
  const std::string_view s = self.string();
  TextBuilder out(rt);
  int64_t column = 0;
  for (size_t pos = 0; pos < s.size();) {
    const size_t begin = pos;
    const char32_t c = DecodeAt(s, &pos);
    if (c == '\t') {
      const int64_t spaces = tabsize > 0 ? tabsize - column % tabsize : 0;
      out.AppendRepeated(" ", static_cast<size_t>(spaces));
      column += spaces;
      continue;
    }
    column = c == '\n' || c == '\r' ? 0 : column + 1;
    out.Append(s.substr(begin, pos - begin));
  }
  return out.Finish(self.is_markup());
}

constexpr MethodInfo kMethods[] = {
    {"center", Center},
    {"count", Count},
    {"endswith", EndsWith},
    {"expandtabs", ExpandTabs},
    {"find", Find},
    {"format", FormatMethod},
    {"format_map", FormatMap},
    {"index", Index},
    {"join", Join},
    {"ljust", LJust},
    {"lstrip", LStrip},
    {"partition", Partition},
    {"removeprefix", RemovePrefix},
    {"removesuffix", RemoveSuffix},
    {"replace", Replace},
    {"rfind", RFind},
    {"rindex", RIndex},
    {"rjust", RJust},
    {"rpartition", RPartition},
    {"rsplit", RSplit},
    {"rstrip", RStrip},
    {"split", Split},
    {"splitlines", SplitLinesMethod},
    {"startswith", StartsWith},
    {"strip", Strip},
    {"zfill", ZFill},
};

}  // namespace

const MethodInfo* FindStringMethod(std::string_view name) {
  for (const MethodInfo& method : kMethods) {
    if (name == method.name) return &method;
  }
  for (const MethodInfo& method : StringCaseMethods()) {
    if (name == method.name) return &method;
  }
  return nullptr;
}

}  // namespace rocforge::text::chat
