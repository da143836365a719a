// Attributes, items and slices (ops.h).
#include <algorithm>
#include <iterator>

#include "text/chat/loop.h"
#include "text/chat/methods.h"
#include "text/chat/ops.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

// What every Python object, or every Python function, has; the sandbox hides all of it.
bool IsInternalName(std::string_view name) {
  constexpr std::string_view kNames[] = {
      "__add__",        "__call__",         "__class__",        "__class_getitem__",
      "__closure__",    "__code__",         "__contains__",     "__defaults__",
      "__delattr__",    "__dict__",         "__dir__",          "__doc__",
      "__eq__",         "__format__",       "__func__",         "__ge__",
      "__getitem__",    "__getstate__",     "__globals__",      "__gt__",
      "__hash__",       "__init__",         "__iter__",         "__le__",
      "__len__",        "__lt__",           "__module__",       "__mul__",
      "__name__",       "__ne__",           "__new__",          "__qualname__",
      "__reduce__",     "__reduce_ex__",    "__repr__",         "__rmul__",
      "__self__",       "__setattr__",      "__sizeof__",       "__str__",
      "__subclasses__", "__subclasshook__", "__getattribute__", "__init_subclass__"};
  return name.starts_with("__") &&
         std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

Value BindMethod(Runtime& rt, const Value& self, const MethodInfo* method) {
  return Value::Object(Kind::kMethod, rt.arena().New<MethodObject>(self, method));
}

Value MacroAttribute(const Value& v, std::string_view name) {
  const MacroObject& macro = v.as<MacroObject>();
  if (name == "name") return Value::String(macro.name);
  if (name == "catch_kwargs") return Value::Bool(macro.catch_kwargs);
  if (name == "catch_varargs") return Value::Bool(macro.catch_varargs);
  if (name == "caller") return Value::Bool(macro.caller);
  return Value();
}

// The attribute if the sandbox shows it, an undefined value that says so if it hides it, kMissing
// if there is none.
Value SafeAttribute(Runtime& rt, const Value& v, std::string_view name) {
  if (IsInternalName(name) || IsMutator(v.kind(), name)) {
    return rt.NewUndefined(UndefinedInfo::What::kUnsafe, name, TypeName(v));
  }
  const Value attribute = FindAttribute(rt, v, name);
  if (!attribute.is_missing() && name.starts_with('_')) {
    return rt.NewUndefined(UndefinedInfo::What::kUnsafe, name, TypeName(v));
  }
  return attribute;
}

// The item, or kMissing for what Python answers with KeyError, IndexError or TypeError.
Value FindItem(Runtime& rt, const Value& v, const Value& key) {
  if (v.is(Kind::kDict)) {
    if (!key.is_string() && !IsHashable(rt, key)) return Value();
    const Value* found = v.dict().Find(rt, key);
    return found == nullptr ? Value() : *found;
  }
  if (!key.is_integral()) return Value();
  if (!v.is_string() && !v.is_list_or_tuple() && !v.is(Kind::kRange)) return Value();
  const int64_t length = Length(rt, v);
  if (key.integer() >= length || key.integer() < -length) return Value();
  int64_t index = static_cast<int64_t>(key.integer());
  if (index < 0) index += length;
  if (v.is_list_or_tuple()) return v.list().items[static_cast<size_t>(index)];
  if (v.is(Kind::kRange)) return Value::FromInt(v.as<Range>().at(index));
  const std::string_view s = v.string();
  const size_t begin = static_cast<size_t>(length) == s.size()
                           ? static_cast<size_t>(index)
                           : ByteOffset(s, static_cast<size_t>(index));
  size_t end = begin;
  DecodeAt(s, &end);
  return Value::String(s.substr(begin, end - begin), v.is_markup());
}

struct SliceBounds {
  int64_t start, stop, step;
  int64_t length;  // number of selected elements
};

// Clamps as PySlice_AdjustIndices does.
SliceBounds ResolveSlice(Runtime& rt, int64_t size, const Value& start, const Value& stop,
                         const Value& step) {
  const auto bound = [&](const Value& v, int64_t absent) {
    if (v.is_missing() || v.is_none()) return absent;
    if (v.is_undefined()) rt.FailUndefined(v);
    if (!v.is_integral()) rt.Fail("slice indices must be integers or None");
    return static_cast<int64_t>(std::clamp<Int>(v.integer(), -INT64_MAX, INT64_MAX));
  };
  SliceBounds out{};
  out.step = bound(step, 1);
  if (out.step == 0) rt.Fail("slice step cannot be zero");
  const bool forward = out.step > 0;
  const int64_t lowest = forward ? 0 : -1;
  const int64_t highest = forward ? size : size - 1;
  const auto clamp = [&](int64_t i) {
    if (i < 0) i += size;
    return std::clamp(i, lowest, highest);
  };
  const bool has_start = !start.is_missing() && !start.is_none();
  const bool has_stop = !stop.is_missing() && !stop.is_none();
  out.start = has_start ? clamp(bound(start, 0)) : (forward ? 0 : highest);
  out.stop = has_stop ? clamp(bound(stop, 0)) : (forward ? highest : -1);
  if (forward && out.start < out.stop) {
    out.length = (out.stop - out.start - 1) / out.step + 1;
  } else if (!forward && out.stop < out.start) {
    out.length = (out.start - out.stop - 1) / -out.step + 1;
  }
  return out;
}

Value SliceString(Runtime& rt, const Value& v, const SliceBounds& bounds, bool ascii) {
  const std::string_view s = v.string();
  if (bounds.length == 0) return Value::String("", v.is_markup());
  rt.ChargeBytes(s.size());
  if (bounds.step == 1) {
    const auto start = static_cast<size_t>(bounds.start), n = static_cast<size_t>(bounds.length);
    const size_t begin = ascii ? start : ByteOffset(s, start);
    const size_t bytes = ascii ? n : ByteOffset(s.substr(begin), n);
    return Value::String(s.substr(begin, bytes), v.is_markup());
  }
  const std::vector<char32_t> code_points = ToCodePoints(s);
  TextBuilder text(rt);
  for (int64_t i = 0; i < bounds.length; ++i) {
    text.AppendCodePoint(code_points[static_cast<size_t>(bounds.start + i * bounds.step)]);
  }
  return text.Finish(v.is_markup());
}

}  // namespace

Value FindAttribute(Runtime& rt, const Value& v, std::string_view name) {
  switch (v.kind()) {
    case Kind::kNamespace: {
      const Value* found = v.dict().Find(name);
      return found == nullptr ? Value() : *found;
    }
    case Kind::kLoop:
      return v.mutable_as<LoopObject>().Attribute(rt, v, name);
    case Kind::kMacro:
      if (name == "arguments") return rt.NewTuple(v.as<MacroObject>().arguments);
      return MacroAttribute(v, name);
    case Kind::kTuple:
      if (v.list().is_group && (name == "grouper" || name == "list")) {
        return v.list().items[name == "list"];
      }
      break;
    case Kind::kCycler:
      if (name == "current") {
        const CyclerObject& cycler = v.as<CyclerObject>();
        return cycler.items[cycler.position];
      }
      break;
    default:
      break;
  }
  const MethodInfo* method = FindMethod(v.kind(), name);
  return method == nullptr ? Value() : BindMethod(rt, v, method);
}

Value GetAttr(Runtime& rt, const Value& v, std::string_view name) {
  if (v.is_undefined()) rt.FailUndefined(v);
  const Value attribute = SafeAttribute(rt, v, name);
  if (!attribute.is_missing()) return attribute;
  if (v.is(Kind::kDict)) {
    if (const Value* item = v.dict().Find(name); item != nullptr) return *item;
  }
  return rt.NewUndefined(UndefinedInfo::What::kAttribute, name, TypeName(v));
}

Value GetItem(Runtime& rt, const Value& v, const Value& key) {
  if (v.is_undefined()) rt.FailUndefined(v);
  const Value item = FindItem(rt, v, key);
  if (!item.is_missing()) return item;
  if (key.is_string()) {
    const Value attribute = SafeAttribute(rt, v, key.string());
    if (!attribute.is_missing()) return attribute;
    return rt.NewUndefined(UndefinedInfo::What::kAttribute, key.string(), TypeName(v));
  }
  return rt.NewUndefined(UndefinedInfo::What::kElement, {}, TypeName(v), key);
}

Value GetSlice(Runtime& rt, const Value& v, const Value& start, const Value& stop,
               const Value& step) {
  switch (v.kind()) {
    case Kind::kUndefined:
      rt.FailUndefined(v);
    case Kind::kString: {
      const int64_t size = Length(rt, v);
      const SliceBounds bounds = ResolveSlice(rt, size, start, stop, step);
      return SliceString(rt, v, bounds, static_cast<size_t>(size) == v.string().size());
    }
    case Kind::kList:
    case Kind::kTuple: {
      const std::span<const Value> items = v.list().items;
      const SliceBounds bounds =
          ResolveSlice(rt, static_cast<int64_t>(items.size()), start, stop, step);
      ListBuilder out(rt);
      for (int64_t i = 0; i < bounds.length; ++i) {
        out.Append(items[static_cast<size_t>(bounds.start + i * bounds.step)]);
      }
      return v.is(Kind::kList) ? out.FinishList() : out.FinishTuple();
    }
    case Kind::kRange: {
      const Range& range = v.as<Range>();
      const SliceBounds bounds = ResolveSlice(rt, range.length, start, stop, step);
      Int wide_step;
      if (__builtin_mul_overflow(static_cast<Int>(range.step), static_cast<Int>(bounds.step),
                                 &wide_step) ||
          wide_step > INT64_MAX || wide_step < INT64_MIN) {
        rt.Fail("range step is too large");
      }
      return Value::Object(Kind::kRange,
                           rt.arena().New<Range>(range.at(bounds.start), range.at(bounds.stop),
                                                 static_cast<int64_t>(wide_step), bounds.length));
    }
    case Kind::kDict:
      rt.Fail("unhashable type: 'slice'");
    default:
      rt.Fail("'{}' object is not subscriptable", TypeName(v));
  }
}

}  // namespace rocforge::text::chat
