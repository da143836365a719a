// The methods of str about case and kinds of characters (string_methods.h).
#include "text/chat/string_methods.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

constexpr uint32_t kCasedFlags = kUniLower | kUniUpper | kUniTitle;

Value Upper(Runtime& rt, Self self, const Args& args) {
  BindNone(rt, "upper", args);
  return NewFrom(rt, self, ToUpper(self.string()));
}

Value Lower(Runtime& rt, Self self, const Args& args) {
  BindNone(rt, "lower", args);
  return NewFrom(rt, self, ToLower(self.string()));
}

// Writes every character of self by append(out, begin, end, code point).
template <typename F>
Value MapCharacters(Runtime& rt, Self self, F&& append) {
  const std::string_view s = self.string();
  std::string out;
  out.reserve(s.size());
  for (size_t pos = 0; pos < s.size();) {
    const size_t begin = pos;
    const char32_t c = DecodeAt(s, &pos);
    append(&out, begin, pos, c);
  }
  return NewFrom(rt, self, out);
}

Value CaseFold(Runtime& rt, Self self, const Args& args) {
  BindNone(rt, "casefold", args);
  return MapCharacters(rt, self,
                       [](std::string* out, size_t, size_t, char32_t c) { AppendFolded(out, c); });
}

Value SwapCase(Runtime& rt, Self self, const Args& args) {
  BindNone(rt, "swapcase", args);
  return MapCharacters(rt, self, [&](std::string* out, size_t begin, size_t end, char32_t c) {
    const uint32_t flags = UnicodeFlags(c);
    if (flags & kUniUpper) {
      AppendLowerAt(out, self.string(), begin, end);
    } else if (flags & kUniLower) {
      AppendUpper(out, c);
    } else {
      AppendUtf8(out, c);
    }
  });
}

Value Capitalize(Runtime& rt, Self self, const Args& args) {
  BindNone(rt, "capitalize", args);
  return MapCharacters(rt, self, [&](std::string* out, size_t begin, size_t end, char32_t c) {
    if (begin == 0) {
      AppendTitle(out, c);
    } else {
      AppendLowerAt(out, self.string(), begin, end);
    }
  });
}

Value Title(Runtime& rt, Self self, const Args& args) {
  BindNone(rt, "title", args);
  bool inside_word = false;
  return MapCharacters(rt, self, [&](std::string* out, size_t begin, size_t end, char32_t c) {
    if (inside_word) {
      AppendLowerAt(out, self.string(), begin, end);
    } else {
      AppendTitle(out, c);
    }
    inside_word = (UnicodeFlags(c) & kCasedFlags) != 0;
  });
}

// True if there is a character and all have one of `flags`.
Value AllHave(Runtime& rt, const char* name, Self self, const Args& args, uint32_t flags) {
  BindNone(rt, name, args);
  const std::string_view s = self.string();
  rt.ChargeBytes(s.size());
  for (size_t pos = 0; pos < s.size();) {
    if ((UnicodeFlags(DecodeAt(s, &pos)) & flags) == 0) return Value::Bool(false);
  }
  return Value::Bool(!s.empty());
}
Value IsAlpha(Runtime& rt, Self self, const Args& args) {
  return AllHave(rt, "isalpha", self, args, kUniAlpha);
}
Value IsAlnum(Runtime& rt, Self self, const Args& args) {
  return AllHave(rt, "isalnum", self, args, kUniAlnum);
}
Value IsDecimal(Runtime& rt, Self self, const Args& args) {
  return AllHave(rt, "isdecimal", self, args, kUniDecimal);
}
Value IsDigit(Runtime& rt, Self self, const Args& args) {
  return AllHave(rt, "isdigit", self, args, kUniDigit);
}
Value IsNumeric(Runtime& rt, Self self, const Args& args) {
  return AllHave(rt, "isnumeric", self, args, kUniNumeric);
}
Value IsSpaceMethod(Runtime& rt, Self self, const Args& args) {
  return AllHave(rt, "isspace", self, args, kUniSpace);
}
Value IsPrintable(Runtime& rt, Self self, const Args& args) {
  if (self.string().empty()) return Value::Bool(true);
  return AllHave(rt, "isprintable", self, args, kUniPrintable);
}
Value IsAsciiMethod(Runtime& rt, Self self, const Args& args) {
  BindNone(rt, "isascii", args);
  return Value::Bool(IsAscii(self.string()));
}
Value IsIdentifier(Runtime& rt, Self self, const Args& args) {
  size_t pos = 0;
  if (self.string().empty() || !(UnicodeFlags(DecodeAt(self.string(), &pos)) & kUniIdStart)) {
    return Value::Bool(false);
  }
  return AllHave(rt, "isidentifier", self, args, kUniIdContinue);
}

// A cased character, and none of the other case.
Value IsCase(Runtime& rt, const char* name, Self self, const Args& args, uint32_t wanted) {
  BindNone(rt, name, args);
  const std::string_view s = self.string();
  rt.ChargeBytes(s.size());
  bool any = false;
  for (size_t pos = 0; pos < s.size();) {
    const uint32_t flags = UnicodeFlags(DecodeAt(s, &pos));
    if (flags & kCasedFlags & ~wanted) return Value::Bool(false);
    any = any || (flags & wanted) != 0;
  }
  return Value::Bool(any);
}
Value IsUpper(Runtime& rt, Self self, const Args& args) {
  return IsCase(rt, "isupper", self, args, kUniUpper);
}
Value IsLower(Runtime& rt, Self self, const Args& args) {
  return IsCase(rt, "islower", self, args, kUniLower);
}
Value IsTitle(Runtime& rt, Self self, const Args& args) {
  BindNone(rt, "istitle", args);
  const std::string_view s = self.string();
  bool any = false, inside_word = false;
  for (size_t pos = 0; pos < s.size();) {
    const uint32_t flags = UnicodeFlags(DecodeAt(s, &pos));
    const bool upper = (flags & (kUniUpper | kUniTitle)) != 0;
    const bool lower = (flags & kUniLower) != 0;
    if ((upper && inside_word) || (lower && !inside_word)) return Value::Bool(false);
    inside_word = upper || lower;
    any = any || inside_word;
  }
  return Value::Bool(any);
}

constexpr MethodInfo kCaseMethods[] = {
    {"capitalize", Capitalize},
    {"casefold", CaseFold},
    {"isalnum", IsAlnum},
    {"isalpha", IsAlpha},
    {"isascii", IsAsciiMethod},
    {"isdecimal", IsDecimal},
    {"isdigit", IsDigit},
    {"isidentifier", IsIdentifier},
    {"islower", IsLower},
    {"isnumeric", IsNumeric},
    {"isprintable", IsPrintable},
    {"isspace", IsSpaceMethod},
    {"istitle", IsTitle},
    {"isupper", IsUpper},
    {"lower", Lower},
    {"swapcase", SwapCase},
    {"title", Title},
    {"upper", Upper},
};

}  // namespace

std::span<const MethodInfo> StringCaseMethods() { return kCaseMethods; }

}  // namespace rocforge::text::chat
