// Python's operations on values. All fail by throwing TemplateError through Runtime::Fail, with
// Python's wording where Python has one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/chat/runtime.h"
#include "text/chat/value.h"

namespace rocforge::text::chat {

// type(v).__name__: "str", "dict", "NoneType", ...
std::string_view TypeName(const Value& v);

bool Truth(const Value& v);
bool Equal(Runtime& rt, const Value& a, const Value& b);
// Equal values hash equally. Fails for lists, dicts and other unhashable values.
uint64_t Hash(Runtime& rt, const Value& v);
bool IsHashable(Runtime& rt, const Value& v);
// `a op b` for op one of "<", "<=", ">", ">="; fails where Python has no order.
bool Ordered(Runtime& rt, std::string_view op, const Value& a, const Value& b);
inline bool Less(Runtime& rt, const Value& a, const Value& b) { return Ordered(rt, "<", a, b); }
bool Contains(Runtime& rt, const Value& container, const Value& item);
// Python's `is`: the same object; for values without identity here, the same type and value.
bool Same(const Value& a, const Value& b);

// len(v), or nullopt for what has no length.
std::optional<int64_t> LengthOf(const Value& v);
// len(v); fails for what has no length.
int64_t Length(Runtime& rt, const Value& v);

// Calls visit(item) for every item of an iterable; fails for what is not iterable.
void StartCursor(Runtime& rt, const Value& iterable, Cursor* cursor);
template <typename F>
void ForEach(Runtime& rt, const Value& iterable, F&& visit) {
  Cursor cursor;
  StartCursor(rt, iterable, &cursor);
  for (Value item; cursor.Next(rt, &item);) {
    rt.Charge(1);
    visit(item);
  }
}
// list(v) as a span; no copy for lists and tuples.
std::span<const Value> Items(Runtime& rt, const Value& iterable);

// The sandbox's environment.getattr (`v.name`), which prefers attributes, and environment.getitem
// (`v[key]`), which prefers items. Both give undefined when there is neither.
Value GetAttr(Runtime& rt, const Value& v, std::string_view name);
Value GetItem(Runtime& rt, const Value& v, const Value& key);
// The attribute alone; kMissing if the type has none of that name.
Value FindAttribute(Runtime& rt, const Value& v, std::string_view name);
// v[start:stop:step]; kMissing or None bounds are absent.
Value GetSlice(Runtime& rt, const Value& v, const Value& start, const Value& stop,
               const Value& step);

enum class BinaryOp : uint8_t { kAdd, kSub, kMul, kDiv, kFloorDiv, kMod, kPow };
Value Arithmetic(Runtime& rt, BinaryOp op, const Value& a, const Value& b);
Value Negate(Runtime& rt, const Value& v);
Value Plus(Runtime& rt, const Value& v);

// An argument that must be an integer (bools count), in the range of int64.
int64_t ToIndex(Runtime& rt, const Value& v);

// str(v). Strings are not copied.
std::string_view Str(Runtime& rt, const Value& v);
void AppendStr(TextBuilder& out, Runtime& rt, const Value& v);
// repr(v), as Python writes values inside containers.
void AppendRepr(TextBuilder& out, Runtime& rt, const Value& v);
std::string FloatRepr(double d);
std::string IntToString(Int i);
// pprint.pformat(v), 80 columns.
Value PrettyFormat(Runtime& rt, const Value& v);

// markupsafe.escape: the value itself when it is marked safe.
Value Escape(Runtime& rt, const Value& v);
void AppendEscaped(TextBuilder& out, std::string_view s);

// json.dumps as transformers calls it.
struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // of one level
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
Value ToJson(Runtime& rt, const Value& v, const JsonStyle& style);

// "format % args" and format.format(*args, **named).
Value PercentFormat(Runtime& rt, const Value& format, const Value& args);
Value BraceFormat(Runtime& rt, const Value& format, const Args& args);

// datetime.strftime for `now`.
Value FormatTime(Runtime& rt, std::string_view format);

// What int(text, base) and float(text) read; nullopt where Python raises ValueError. `base` is 0
// (by prefix) or 2..36. Fails for integers that need more than 128 bits.
std::optional<Int> ParseInt(Runtime& rt, std::string_view text, int base);
std::optional<double> ParseFloat(std::string_view text);

}  // namespace rocforge::text::chat
