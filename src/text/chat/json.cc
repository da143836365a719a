// json.dumps (ops.h).
#include <algorithm>
#include <cmath>
#include <vector>

#include "text/chat/ops.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

class JsonWriter {
 public:
  JsonWriter(Runtime& rt, const JsonStyle& style) : rt_(rt), style_(style), out_(rt) {}

  void Write(const Value& v, size_t depth) {
    rt_.Charge(1);
    switch (v.kind()) {
      case Kind::kNone:
        out_.Append("null");
        break;
      case Kind::kBool:
        out_.Append(v.boolean() ? "true" : "false");
        break;
      case Kind::kInt:
        out_.Append(IntToString(v.integer()));
        break;
      case Kind::kFloat:
        out_.Append(FloatText(v.floating()));
        break;
      case Kind::kString:
        WriteString(v.string());
        break;
      case Kind::kList:
      case Kind::kTuple:
        WriteList(v.list().items, depth);
        break;
      case Kind::kDict:
        WriteDict(v.dict(), depth);
        break;
      default:
        rt_.Fail("Object of type {} is not JSON serializable", TypeName(v));
    }
  }

  Value Finish() { return out_.Finish(); }

 private:
  static std::string FloatText(double d) {
    if (std::isnan(d)) return "NaN";
    if (std::isinf(d)) return d < 0 ? "-Infinity" : "Infinity";
    return FloatRepr(d);
  }

  void NewLine(size_t depth) {
    if (!style_.indent) return;
    out_.Append('\n');
    out_.AppendRepeated(*style_.indent, depth);
  }

  void WriteList(std::span<const Value> items, size_t depth) {
    const Runtime::DepthGuard guard(rt_);
    out_.Append('[');
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_.Append(style_.item_separator);
      NewLine(depth + 1);
      Write(items[i], depth + 1);
    }
    if (!items.empty()) NewLine(depth);
    out_.Append(']');
  }

  void WriteDict(const Dict& dict, size_t depth) {
    const Runtime::DepthGuard guard(rt_);
    std::vector<const Dict::Entry*> entries;
    entries.reserve(dict.size());
    for (const Dict::Entry& entry : dict.entries()) entries.push_back(&entry);
    if (style_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(),
                       [&](const auto* a, const auto* b) { return Less(rt_, a->key, b->key); });
    }
    out_.Append('{');
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out_.Append(style_.item_separator);
      NewLine(depth + 1);
      WriteKey(entries[i]->key);
      out_.Append(style_.key_separator);
      Write(entries[i]->value, depth + 1);
    }
    if (!entries.empty()) NewLine(depth);
    out_.Append('}');
  }

  void WriteKey(const Value& key) {
    switch (key.kind()) {
      case Kind::kString:
        WriteString(key.string());
        break;
      case Kind::kNone:
        out_.Append("\"null\"");
        break;
      case Kind::kBool:
        out_.Append(key.boolean() ? "\"true\"" : "\"false\"");
        break;
      case Kind::kInt:
        out_.Append("\"" + IntToString(key.integer()) + "\"");
        break;
      case Kind::kFloat:
        out_.Append("\"" + FloatText(key.floating()) + "\"");
        break;
      default:
        rt_.Fail("keys must be str, int, float, bool or None, not {}", TypeName(key));
    }
  }

  void WriteString(std::string_view s) {
    rt_.ChargeBytes(s.size());
    out_.Append('"');
    size_t plain = 0;  // start of the run that needs no escape
    for (size_t pos = 0; pos < s.size();) {
      const size_t begin = pos;
      const auto byte = static_cast<uint8_t>(s[pos]);
      if (byte >= 0x20 && byte != '"' && byte != '\\' && (byte < 0x80 || !style_.ensure_ascii)) {
        ++pos;
        continue;
      }
      out_.Append(s.substr(plain, begin - plain));
      WriteEscape(DecodeAt(s, &pos));
      plain = pos;
    }
    out_.Append(s.substr(plain));
    out_.Append('"');
  }

  void WriteEscape(char32_t c) {
    const auto unit = [&](uint32_t u) { out_.Append(Format("\\u{:04x}", u)); };
    switch (c) {
      case '"':
        return out_.Append("\\\"");
      case '\\':
        return out_.Append("\\\\");
      case '\n':
        return out_.Append("\\n");
      case '\r':
        return out_.Append("\\r");
      case '\t':
        return out_.Append("\\t");
      case '\b':
        return out_.Append("\\b");
      case '\f':
        return out_.Append("\\f");
      default:
        break;
    }
    if (c < 0x10000) return unit(c);
    unit(0xD800 + ((c - 0x10000) >> 10));
    unit(0xDC00 + ((c - 0x10000) & 0x3FF));
  }

  Runtime& rt_;
  const JsonStyle& style_;
  TextBuilder out_;
};

}  // namespace

Value ToJson(Runtime& rt, const Value& v, const JsonStyle& style) {
  JsonWriter writer(rt, style);
  writer.Write(v, 0);
  return writer.Finish();
}

}  // namespace rocforge::text::chat
