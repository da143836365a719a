// Filters on single values, and those that apply other filters and tests (filters.h).
#include <cmath>

#include "text/chat/filters.h"
#include "text/chat/number_format.h"
#include "text/chat/ops.h"

namespace rocforge::text::chat {

namespace {

Value Default(Runtime& rt, const Args& args) {
  const auto [value, fallback, boolean] =
      Bind(rt, "default", {"value", "default_value", "boolean"}, 1, args);
  if (!value.is_undefined() && !(Truth(boolean) && !Truth(value))) return value;
  return fallback.is_missing() ? Value::String("") : fallback;
}

Value Abs(Runtime& rt, const Args& args) {
  const auto [v] = Bind(rt, "abs", {"x"}, 1, args);
  if (v.is_integral()) return v.integer() < 0 ? Negate(rt, v) : Value::FromInt(v.integer());
  if (v.is(Kind::kFloat)) return Value::Float(std::abs(v.floating()));
  if (v.is_undefined()) rt.FailUndefined(v);
  rt.Fail("bad operand type for abs(): '{}'", TypeName(v));
}

// int(d); fails where Python raises OverflowError, nullopt where it raises ValueError.
std::optional<Int> Truncated(Runtime& rt, double d) {
  if (std::isnan(d)) return std::nullopt;
  if (std::isinf(d)) rt.Fail("cannot convert float infinity to integer");
  if (std::abs(d) >= 0x1p126) rt.Fail("integer is too large (integers have 128 bits here)");
  return static_cast<Int>(d);
}

Value IntFilter(Runtime& rt, const Args& args) {
  const auto [value, fallback, base_arg] = Bind(rt, "int", {"value", "default", "base"}, 1, args);
  const Value otherwise = fallback.is_missing() ? Value::FromInt(0) : fallback;
  const int64_t base = base_arg.is_missing() ? 10 : ToIndex(rt, base_arg);
  std::optional<Int> result;
  if (value.is_integral()) {
    result = value.integer();
  } else if (value.is(Kind::kFloat)) {
    result = Truncated(rt, value.floating());
  } else if (value.is_string()) {
    rt.ChargeBytes(value.string().size());
    if (base == 0 || (base >= 2 && base <= 36)) {
      result = ParseInt(rt, value.string(), static_cast<int>(base));
    }
    if (!result) {
      // "42.23"|int is 42.
      const std::optional<double> parsed = ParseFloat(value.string());
      if (parsed && std::isfinite(*parsed)) result = Truncated(rt, *parsed);
    }
  } else if (value.is_undefined()) {
    rt.FailUndefined(value);
  }
  return result ? Value::FromInt(*result) : otherwise;
}

Value FloatFilter(Runtime& rt, const Args& args) {
  const auto [value, fallback] = Bind(rt, "float", {"value", "default"}, 1, args);
  if (value.is(Kind::kFloat)) return value;
  if (value.is_integral()) return Value::Float(static_cast<double>(value.integer()));
  if (value.is_undefined()) rt.FailUndefined(value);
  if (value.is_string()) {
    rt.ChargeBytes(value.string().size());
    if (const std::optional<double> parsed = ParseFloat(value.string())) {
      return Value::Float(*parsed);
    }
  }
  return fallback.is_missing() ? Value::Float(0) : fallback;
}

Int PowerOfTen(Runtime& rt, int64_t exponent) {
  return Arithmetic(rt, BinaryOp::kPow, Value::FromInt(10), Value::FromInt(exponent)).integer();
}

// round(i, -digits): half to even.
Int RoundInt(Runtime& rt, Int i, int64_t digits) {
  if (digits >= 38) return 0;
  const Int unit = PowerOfTen(rt, digits);
  Int remainder = i % unit;
  if (remainder < 0) remainder += unit;
  const Int down = i - remainder;
  const bool up = remainder * 2 > unit || (remainder * 2 == unit && (down / unit) % 2 != 0);
  return up ? down + unit : down;
}

// round(d, digits): the nearest decimal, from the exact value of d, half to even.
double RoundFloat(double d, int64_t digits) {
  if (!std::isfinite(d) || digits > 323) return d;
  if (digits >= 0) {
    const double magnitude = *ParseFloat(FormatMagnitude(d, 'f', digits));
    return std::copysign(magnitude, d);
  }
  if (digits < -308) return std::copysign(0.0, d);
  const double unit = std::pow(10.0, static_cast<double>(-digits));
  return std::nearbyint(d / unit) * unit;
}

Value Round(Runtime& rt, const Args& args) {
  const auto [value, precision_arg, method_arg] =
      Bind(rt, "round", {"value", "precision", "method"}, 1, args);
  const std::string_view method =
      method_arg.is_missing() ? std::string_view("common") : Str(rt, method_arg);
  if (method != "common" && method != "ceil" && method != "floor") {
    rt.Fail("method must be common, ceil or floor");
  }
  const int64_t precision = precision_arg.is_missing() ? 0 : ToIndex(rt, precision_arg);
  if (value.is_undefined()) rt.FailUndefined(value);
  if (!value.is_number()) rt.Fail("type {} doesn't define __round__ method", TypeName(value));
  if (method == "common") {
    if (value.is(Kind::kFloat)) return Value::Float(RoundFloat(value.floating(), precision));
    return Value::FromInt(precision >= 0 ? value.integer()
                                         : RoundInt(rt, value.integer(), -precision));
  }
  const Value scale = Arithmetic(rt, BinaryOp::kPow, Value::FromInt(10), Value::FromInt(precision));
  const Value scaled = Arithmetic(rt, BinaryOp::kMul, value, scale);
  Value whole = scaled;
  if (scaled.is(Kind::kFloat)) {
    const double d = scaled.floating();
    if (std::isnan(d)) rt.Fail("cannot convert float NaN to integer");
    whole = Value::FromInt(*Truncated(rt, method == "ceil" ? std::ceil(d) : std::floor(d)));
  }
  return Arithmetic(rt, BinaryOp::kDiv, whole, scale);
}

Value ToJsonFilter(Runtime& rt, const Args& args) {
  const auto [value, ensure_ascii, indent, separators, sort_keys] =
      Bind(rt, "tojson", {"x", "ensure_ascii", "indent", "separators", "sort_keys"}, 1, args);
  JsonStyle style;
  style.ensure_ascii = Truth(ensure_ascii);
  style.sort_keys = Truth(sort_keys);
  if (indent.is_string()) {
    style.indent = indent.string();
  } else if (!indent.is_missing() && !indent.is_none()) {
    const int64_t n = ToIndex(rt, indent);
    if (n > kMaxFormatWidth) rt.Fail("indent is too wide");
    style.indent = std::string(static_cast<size_t>(std::max<int64_t>(n, 0)), ' ');
  }
  if (style.indent) style.item_separator = ",";
  if (!separators.is_missing() && !separators.is_none()) {
    const std::span<const Value> items = Items(rt, separators);
    if (items.size() != 2) rt.Fail("separators must be a pair of strings");
    style.item_separator = Str(rt, items[0]);
    style.key_separator = Str(rt, items[1]);
  }
  return ToJson(rt, value, style);
}

Value Attr(Runtime& rt, const Args& args) {
  const auto [object, name] = Bind(rt, "attr", {"obj", "name"}, 2, args);
  if (object.is_undefined()) rt.FailUndefined(object);
  const std::string_view key = Str(rt, name);
  // Attributes alone, never items: a dict has only its methods.
  if (object.is(Kind::kDict) && FindAttribute(rt, object, key).is_missing() &&
      object.dict().Find(key) != nullptr) {
    return rt.NewUndefined(UndefinedInfo::What::kAttribute, key, TypeName(object));
  }
  return GetAttr(rt, object, key);
}

// The arguments behind the first `n`, with `value` in front of them.
class Forwarded {
 public:
  Forwarded(const Args& args, size_t n) : named_(args.named) {
    positional_.push_back(Value());
    positional_.insert(positional_.end(), args.positional.begin() + static_cast<ptrdiff_t>(n),
                       args.positional.end());
  }
  Args With(const Value& value) {
    positional_[0] = value;
    return {positional_, named_};
  }

 private:
  std::vector<Value> positional_;
  std::span<const NamedValue> named_;
};

Value Map(Runtime& rt, const Args& args) {
  if (args.positional.empty()) rt.Fail("map() is missing the required argument 'value'");
  const Value& value = args.positional[0];
  ListBuilder out(rt);
  if (!Truth(value)) return out.FinishGenerator();
  if (args.positional.size() == 1) {
    Value attribute, fallback;
    for (const NamedValue& named : args.named) {
      if (named.name == "attribute") {
        attribute = named.value;
      } else if (named.name == "default") {
        fallback = named.value;
      } else {
        rt.Fail("Unexpected keyword argument '{}'", named.name);
      }
    }
    if (attribute.is_missing()) rt.Fail("map requires a filter argument");
    const AttributeGetter getter(rt, attribute, fallback);
    ForEach(rt, value, [&](const Value& item) { out.Append(getter(rt, item)); });
    return out.FinishGenerator();
  }
  const std::string_view name = Str(rt, args.positional[1]);
  const FilterInfo* filter = FindFilter(name);
  if (filter == nullptr) rt.Fail("No filter named '{}'.", name);
  const Runtime::DepthGuard guard(rt);  // filters can apply filters
  Forwarded forwarded(args, 2);
  ForEach(rt, value,
          [&](const Value& item) { out.Append(filter->call(rt, forwarded.With(item))); });
  return out.FinishGenerator();
}

// select, reject, selectattr, rejectattr
Value SelectWith(Runtime& rt, const char* filter, const Args& args, bool keep, bool by_attribute) {
  if (args.positional.empty()) rt.Fail("{}() is missing the required argument 'value'", filter);
  const Value& value = args.positional[0];
  ListBuilder out(rt);
  if (!Truth(value)) return out.FinishGenerator();
  size_t next = 1;
  Value attribute;
  if (by_attribute) {
    if (args.positional.size() <= next) rt.Fail("Missing parameter for attribute name");
    attribute = args.positional[next++];
  }
  const AttributeGetter getter(rt, attribute);
  const TestInfo* test = nullptr;
  if (args.positional.size() > next) {
    const std::string_view name = Str(rt, args.positional[next++]);
    test = FindTest(name);
    if (test == nullptr) rt.Fail("No test named '{}'.", name);
  }
  Forwarded forwarded(args, next);
  ForEach(rt, value, [&](const Value& item) {
    const Value subject = getter(rt, item);
    const bool passes = test == nullptr ? Truth(subject) : test->call(rt, forwarded.With(subject));
    if (passes == keep) out.Append(item);
  });
  return out.FinishGenerator();
}
Value Select(Runtime& rt, const Args& args) { return SelectWith(rt, "select", args, true, false); }
Value Reject(Runtime& rt, const Args& args) { return SelectWith(rt, "reject", args, false, false); }
Value SelectAttr(Runtime& rt, const Args& args) {
  return SelectWith(rt, "selectattr", args, true, true);
}
Value RejectAttr(Runtime& rt, const Args& args) {
  return SelectWith(rt, "rejectattr", args, false, true);
}

constexpr FilterInfo kValueFilters[] = {
    {"abs", Abs},
    {"attr", Attr},
    {"d", Default},
    {"default", Default},
    {"float", FloatFilter},
    {"int", IntFilter},
    {"map", Map},
    {"reject", Reject},
    {"rejectattr", RejectAttr},
    {"round", Round},
    {"select", Select},
    {"selectattr", SelectAttr},
    {"tojson", ToJsonFilter},
};

}  // namespace

const FilterInfo* FindValueFilter(std::string_view name) {
  for (const FilterInfo& filter : kValueFilters) {
    if (name == filter.name) return &filter;
  }
  return nullptr;
}

const FilterInfo* FindFilter(std::string_view name) {
  if (const FilterInfo* filter = FindValueFilter(name)) return filter;
  if (const FilterInfo* filter = FindSequenceFilter(name)) return filter;
  return FindTextFilter(name);
}

}  // namespace rocforge::text::chat
