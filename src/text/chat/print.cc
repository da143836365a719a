// str() and repr() (ops.h).
#include <charconv>
#include <cmath>

#include "text/chat/loop.h"
#include "text/chat/ops.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

void AppendStringRepr(TextBuilder& out, std::string_view s) {
  const bool double_quotes =
      s.find('\'') != std::string_view::npos && s.find('"') == std::string_view::npos;
  const char quote = double_quotes ? '"' : '\'';
  out.Append(quote);
  for (size_t pos = 0; pos < s.size();) {
    const size_t begin = pos;
    const char32_t c = DecodeAt(s, &pos);
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out.Append('\\');
      out.Append(static_cast<char>(c));
    } else if (c == '\n') {
      out.Append("\\n");
    } else if (c == '\r') {
      out.Append("\\r");
    } else if (c == '\t') {
      out.Append("\\t");
    } else if (c >= 0x20 && c < 0x7F) {
      out.Append(static_cast<char>(c));
    } else if (UnicodeFlags(c) & kUniPrintable) {
      out.Append(s.substr(begin, pos - begin));
    } else if (c < 0x100) {
      out.Append(Format("\\x{:02x}", static_cast<uint32_t>(c)));
    } else if (c < 0x10000) {
      out.Append(Format("\\u{:04x}", static_cast<uint32_t>(c)));
    } else {
      out.Append(Format("\\U{:08x}", static_cast<uint32_t>(c)));
    }
  }
  out.Append(quote);
}

void AppendItems(TextBuilder& out, Runtime& rt, const Value& v) {
  const Runtime::DepthGuard guard(rt);
  Cursor cursor;
  cursor.TryStart(v);
  bool first = true;
  for (Value item; cursor.Next(rt, &item); first = false) {
    rt.Charge(1);
    if (!first) out.Append(", ");
    AppendRepr(out, rt, item);
  }
}

void AppendDict(TextBuilder& out, Runtime& rt, const Dict& dict) {
  const Runtime::DepthGuard guard(rt);
  out.Append('{');
  bool first = true;
  for (const Dict::Entry& entry : dict.entries()) {
    rt.Charge(1);
    if (!first) out.Append(", ");
    first = false;
    AppendRepr(out, rt, entry.key);
    out.Append(": ");
    AppendRepr(out, rt, entry.value);
  }
  out.Append('}');
}

void AppendRange(TextBuilder& out, const Range& range) {
  // A slice of a range may end where no element is; Python prints that end too.
  out.Append(Format("range({}, {}", range.start, range.stop));
  if (range.step != 1) out.Append(Format(", {}", range.step));
  out.Append(')');
}

void AppendObjectRepr(TextBuilder& out, Runtime& rt, const Value& v) {
  switch (v.kind()) {
    case Kind::kRange:
      AppendRange(out, v.as<Range>());
      break;
    case Kind::kNamespace:
      out.Append("<Namespace ");
      AppendDict(out, rt, v.dict());
      out.Append('>');
      break;
    case Kind::kMacro:
      out.Append("<Macro ");
      AppendStringRepr(out, v.as<MacroObject>().name);
      out.Append('>');
      break;
    case Kind::kLoop: {
      LoopObject& loop = v.mutable_as<LoopObject>();
      out.Append(Format("<LoopContext {}/{}>", loop.index0() + 1, loop.LengthOf(rt)));
      break;
    }
    case Kind::kFunction:
      out.Append(Format("<function {}>", v.as<FunctionObject>().name));
      break;
    case Kind::kMethod:
      out.Append(Format("<built-in method {} of {} object>", v.as<MethodObject>().method->name,
                        TypeName(v.as<MethodObject>().self)));
      break;
    default:
      // Python adds an address here, which would tell nobody anything.
      out.Append(Format("<{} object>", TypeName(v)));
      break;
  }
}

}  // namespace

std::string FloatRepr(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), d, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<size_t>(end.ptr - buffer));
  const size_t e = text.find('e');
  std::string digits;  // without sign and point
  for (char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits.push_back(c);
  }
  int exponent = 0;
  const size_t exponent_at = text[e + 1] == '+' ? e + 2 : e + 1;
  std::from_chars(text.data() + exponent_at, text.data() + text.size(), exponent);
  std::string out = std::signbit(d) ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (digits.size() > 1) out += "." + digits.substr(1);
    out += Format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  } else if (exponent < 0) {
    out += "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  } else {
    const auto whole = static_cast<size_t>(exponent) + 1;
    if (digits.size() <= whole) {
      out += digits + std::string(whole - digits.size(), '0') + ".0";
    } else {
      out += digits.substr(0, whole) + "." + digits.substr(whole);
    }
  }
  return out;
}

std::string IntToString(Int i) {
  // The magnitude as unsigned: the smallest integer has no positive counterpart.
  __extension__ using Unsigned = unsigned __int128;
  Unsigned magnitude = i < 0 ? -static_cast<Unsigned>(i) : static_cast<Unsigned>(i);
  char buffer[48];
  char* at = buffer + sizeof(buffer);
  do {
    *--at = static_cast<char>('0' + static_cast<int>(magnitude % 10));
    magnitude /= 10;
  } while (magnitude != 0);
  if (i < 0) *--at = '-';
  return {at, buffer + sizeof(buffer)};
}

void AppendRepr(TextBuilder& out, Runtime& rt, const Value& v) {
  switch (v.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      out.Append("Undefined");
      break;
    case Kind::kNone:
      out.Append("None");
      break;
    case Kind::kBool:
      out.Append(v.boolean() ? "True" : "False");
      break;
    case Kind::kInt:
      out.Append(IntToString(v.integer()));
      break;
    case Kind::kFloat:
      out.Append(FloatRepr(v.floating()));
      break;
    case Kind::kString:
      rt.ChargeBytes(v.string().size());
      if (v.is_markup()) out.Append("Markup(");
      AppendStringRepr(out, v.string());
      if (v.is_markup()) out.Append(')');
      break;
    case Kind::kList:
      out.Append('[');
      AppendItems(out, rt, v);
      out.Append(']');
      break;
    case Kind::kTuple:
      out.Append('(');
      AppendItems(out, rt, v);
      out.Append(v.list().items.size() == 1 ? ",)" : ")");
      break;
    case Kind::kDict:
      AppendDict(out, rt, v.dict());
      break;
    case Kind::kDictView:
      out.Append(TypeName(v));
      out.Append("([");
      AppendItems(out, rt, v);
      out.Append("])");
      break;
    default:
      AppendObjectRepr(out, rt, v);
  }
}

void AppendStr(TextBuilder& out, Runtime& rt, const Value& v) {
  if (v.is_string()) {
    out.Append(v.string());
  } else if (!v.is_undefined()) {
    AppendRepr(out, rt, v);
  }
}

std::string_view Str(Runtime& rt, const Value& v) {
  if (v.is_string()) return v.string();
  if (v.is_undefined()) return {};
  TextBuilder out(rt);
  AppendRepr(out, rt, v);
  return out.Finish().string();
}

void AppendEscaped(TextBuilder& out, std::string_view s) {
  for (char c : s) {
    switch (c) {
      case '&':
        out.Append("&amp;");
        break;
      case '<':
        out.Append("&lt;");
        break;
      case '>':
        out.Append("&gt;");
        break;
      case '\'':
        out.Append("&#39;");
        break;
      case '"':
        out.Append("&#34;");
        break;
      default:
        out.Append(c);
    }
  }
}

Value Escape(Runtime& rt, const Value& v) {
  if (v.is_markup()) return v;
  TextBuilder out(rt);
  AppendEscaped(out, Str(rt, v));
  return out.Finish(/*markup=*/true);
}

}  // namespace rocforge::text::chat
