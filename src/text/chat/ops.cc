#include "text/chat/ops.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

// An integral double within Int's range, exactly.
bool DoubleToInt(double d, Int* out) {
  if (!(std::abs(d) < 0x1p126) || d != std::trunc(d)) return false;
  *out = static_cast<Int>(d);
  return true;
}

bool EqualNumbers(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return a.integer() == b.integer();
  if (a.is(Kind::kFloat) && b.is(Kind::kFloat)) return a.floating() == b.floating();
  const Value& integral = a.is_integral() ? a : b;
  const Value& floating = a.is_integral() ? b : a;
  Int i;
  return DoubleToInt(floating.floating(), &i) && i == integral.integer();
}

// -1, 0, 1; 2 when one is NaN.
int CompareNumbers(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) {
    return a.integer() < b.integer() ? -1 : a.integer() > b.integer();
  }
  const auto sign = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2; };
  if (a.is(Kind::kFloat) && b.is(Kind::kFloat)) return sign(a.floating(), b.floating());
  // One of each: exact where the float is integral, else the float's floor decides.
  const bool a_is_float = a.is(Kind::kFloat);
  const double d = a_is_float ? a.floating() : b.floating();
  const Int i = a_is_float ? b.integer() : a.integer();
  int float_against_int;
  Int whole;
  if (std::isnan(d)) return 2;
  if (DoubleToInt(std::floor(d), &whole)) {
    float_against_int = whole < i ? -1 : whole > i ? 1 : d > std::floor(d) ? 1 : 0;
  } else {
    float_against_int = d > 0 ? 1 : -1;
  }
  return a_is_float ? float_against_int : -float_against_int;
}

bool EqualLists(Runtime& rt, std::span<const Value> a, std::span<const Value> b) {
  if (a.size() != b.size()) return false;
  const Runtime::DepthGuard guard(rt);
  for (size_t i = 0; i < a.size(); ++i) {
    rt.Charge(1);
    if (!Equal(rt, a[i], b[i])) return false;
  }
  return true;
}

bool EqualDicts(Runtime& rt, const Dict& a, const Dict& b) {
  if (a.size() != b.size()) return false;
  const Runtime::DepthGuard guard(rt);
  for (const Dict::Entry& entry : a.entries()) {
    rt.Charge(1);
    const Value* other = b.Find(rt, entry.key);
    if (other == nullptr || !Equal(rt, entry.value, *other)) return false;
  }
  return true;
}

// The sign of a - b for values that Python orders; fails for others. NaN gives 2.
int Compare(Runtime& rt, std::string_view op, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return CompareNumbers(a, b);
  if (a.is_string() && b.is_string()) {
    // UTF-8 orders as its code points do.
    rt.ChargeBytes(std::min(a.string().size(), b.string().size()));
    const int c = a.string().compare(b.string());
    return c < 0 ? -1 : c > 0;
  }
  if (a.kind() == b.kind() && a.is_list_or_tuple()) {
    const Runtime::DepthGuard guard(rt);
    const std::span<const Value> x = a.list().items, y = b.list().items;
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      rt.Charge(1);
      if (!Equal(rt, x[i], y[i])) return Compare(rt, op, x[i], y[i]);
    }
    return x.size() < y.size() ? -1 : x.size() > y.size();
  }
  if (a.is_undefined()) rt.FailUndefined(a);
  if (b.is_undefined()) rt.FailUndefined(b);
  rt.Fail("'{}' not supported between instances of '{}' and '{}'", op, TypeName(a), TypeName(b));
}

}  // namespace

std::string_view TypeName(const Value& v) {
  switch (v.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return v.is_markup() ? "Markup" : "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kDictView:
      switch (v.as<DictView>().what) {
        case DictView::What::kKeys:
          return "dict_keys";
        case DictView::What::kValues:
          return "dict_values";
        case DictView::What::kItems:
          return "dict_items";
      }
      return "dict_items";
    case Kind::kRange:
      return "range";
    case Kind::kIterator:
      return v.as<IteratorObject>().type_name;
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kFunction:
      return "function";
    case Kind::kMethod:
      return "builtin_function_or_method";
    case Kind::kMacro:
      return "Macro";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kCycler:
      return "Cycler";
    case Kind::kJoiner:
      return "Joiner";
  }
  return "object";
}

bool Truth(const Value& v) {
  switch (v.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return v.integer() != 0;
    case Kind::kFloat:
      return v.floating() != 0;
    case Kind::kString:
      return !v.string().empty();
    case Kind::kList:
    case Kind::kTuple:
      return !v.list().items.empty();
    case Kind::kDict:
      return v.dict().size() != 0;
    case Kind::kDictView:
      return v.as<DictView>().dict->size() != 0;
    case Kind::kRange:
      return v.as<Range>().length != 0;
    default:
      return true;
  }
}

bool Equal(Runtime& rt, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return EqualNumbers(a, b);
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      if (a.string().size() != b.string().size()) return false;
      rt.ChargeBytes(a.string().size());
      return a.string() == b.string();
    case Kind::kList:
    case Kind::kTuple:
      return a.object() == b.object() || EqualLists(rt, a.list().items, b.list().items);
    case Kind::kDict:
      return a.object() == b.object() || EqualDicts(rt, a.dict(), b.dict());
    case Kind::kRange: {
      const Range &x = a.as<Range>(), &y = b.as<Range>();
      if (x.length != y.length) return false;
      return x.length == 0 || (x.start == y.start && (x.length == 1 || x.step == y.step));
    }
    case Kind::kMethod:
      return a.as<MethodObject>().method == b.as<MethodObject>().method &&
             Same(a.as<MethodObject>().self, b.as<MethodObject>().self);
    default:
      return a.object() == b.object();
  }
}

bool Same(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kMissing:
    case Kind::kNone:
      return true;
    case Kind::kBool:
    case Kind::kInt:
      return a.integer() == b.integer();
    case Kind::kFloat:
      return a.floating() == b.floating();
    case Kind::kString:
      return a.string() == b.string();
    default:
      return a.object() == b.object();
  }
}

bool IsHashable(Runtime& rt, const Value& v) {
  switch (v.kind()) {
    case Kind::kList:
    case Kind::kDict:
    case Kind::kDictView:
      return false;
    case Kind::kTuple: {
      const Runtime::DepthGuard guard(rt);
      for (const Value& item : v.list().items) {
        rt.Charge(1);
        if (!IsHashable(rt, item)) return false;
      }
      return true;
    }
    default:
      return true;
  }
}

uint64_t Hash(Runtime& rt, const Value& v) {
  const auto mix = [](uint64_t h, uint64_t x) {
    return (h ^ (x + 0x9E3779B97F4A7C15u + (h << 6) + (h >> 2))) * 0xFF51AFD7ED558CCDu;
  };
  switch (v.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return mix(1, static_cast<uint64_t>(v.kind()));
    case Kind::kFloat: {
      Int i;
      if (DoubleToInt(v.floating(), &i)) return Hash(rt, Value::FromInt(i));
      return mix(2, std::hash<double>()(v.floating()));
    }
    case Kind::kBool:
    case Kind::kInt:
      return mix(mix(3, static_cast<uint64_t>(v.integer())),
                 static_cast<uint64_t>(v.integer() >> 64));
    case Kind::kString:
      rt.ChargeBytes(v.string().size());
      return std::hash<std::string_view>()(v.string());
    case Kind::kTuple: {
      const Runtime::DepthGuard guard(rt);
      uint64_t h = 4;
      for (const Value& item : v.list().items) {
        rt.Charge(1);
        h = mix(h, Hash(rt, item));
      }
      return h;
    }
    case Kind::kRange:
      return mix(5, static_cast<uint64_t>(v.as<Range>().length));
    case Kind::kList:
    case Kind::kDict:
    case Kind::kDictView:
      rt.Fail("unhashable type: '{}'", TypeName(v));
    case Kind::kMethod:
      return mix(6, reinterpret_cast<uintptr_t>(v.as<MethodObject>().method));
    default:
      return mix(7, reinterpret_cast<uintptr_t>(v.object()));
  }
}

bool Ordered(Runtime& rt, std::string_view op, const Value& a, const Value& b) {
  const int c = Compare(rt, op, a, b);
  if (c == 2) return false;
  if (op == "<") return c < 0;
  if (op == "<=") return c <= 0;
  if (op == ">") return c > 0;
  return c >= 0;
}

bool Contains(Runtime& rt, const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::kString:
      if (!item.is_string()) {
        if (item.is_undefined()) rt.FailUndefined(item);
        rt.Fail("'in <string>' requires string as left operand, not {}", TypeName(item));
      }
      rt.ChargeBytes(container.string().size());
      return FindText(container.string(), item.string()) != std::string_view::npos;
    case Kind::kDict:
      if (!IsHashable(rt, item)) rt.Fail("unhashable type: '{}'", TypeName(item));
      return container.dict().Find(rt, item) != nullptr;
    case Kind::kUndefined:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDictView:
    case Kind::kRange:
    case Kind::kIterator: {
      Cursor cursor;
      cursor.TryStart(container);
      for (Value candidate; cursor.Next(rt, &candidate);) {
        rt.Charge(1);
        if (Equal(rt, candidate, item)) return true;
      }
      return false;
    }
    default:
      rt.Fail("argument of type '{}' is not iterable", TypeName(container));
  }
}

std::optional<int64_t> LengthOf(const Value& v) {
  switch (v.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return static_cast<int64_t>(CodePointCount(v.string()));
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<int64_t>(v.list().items.size());
    case Kind::kDict:
      return static_cast<int64_t>(v.dict().size());
    case Kind::kDictView:
      return static_cast<int64_t>(v.as<DictView>().dict->size());
    case Kind::kRange:
      return v.as<Range>().length;
    default:
      return std::nullopt;
  }
}

int64_t Length(Runtime& rt, const Value& v) {
  if (v.is_string()) rt.ChargeBytes(v.string().size());
  const std::optional<int64_t> length = LengthOf(v);
  if (!length) rt.Fail("object of type '{}' has no len()", TypeName(v));
  return *length;
}

void StartCursor(Runtime& rt, const Value& iterable, Cursor* cursor) {
  if (!cursor->TryStart(iterable)) rt.Fail("'{}' object is not iterable", TypeName(iterable));
}

std::span<const Value> Items(Runtime& rt, const Value& iterable) {
  if (iterable.is_list_or_tuple()) return iterable.list().items;
  ListBuilder items(rt);
  ForEach(rt, iterable, [&](const Value& item) { items.Append(item); });
  return rt.arena().CopyArray(std::span<const Value>(items.items()));
}

int64_t ToIndex(Runtime& rt, const Value& v) {
  if (v.is_undefined()) rt.FailUndefined(v);
  if (!v.is_integral()) {
    rt.Fail("'{}' object cannot be interpreted as an integer", TypeName(v));
  }
  if (v.integer() > INT64_MAX || v.integer() < INT64_MIN) rt.Fail("integer is too large");
  return static_cast<int64_t>(v.integer());
}

}  // namespace rocforge::text::chat
