// The methods of lists, tuples, dicts, ranges, numbers and cyclers (methods.h).
#include "text/chat/methods.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>

#include "text/chat/ops.h"

namespace rocforge::text::chat {

namespace {

using Self = const Value&;

Value Get(Runtime& rt, Self self, const Args& args) {
  const auto [key, fallback] = Bind(rt, "get", {"key", "default"}, 1, args);
  if (!IsHashable(rt, key)) rt.Fail("unhashable type: '{}'", TypeName(key));
  const Value* found = self.dict().Find(rt, key);
  if (found != nullptr) return *found;
  return fallback.is_missing() ? Value::None() : fallback;
}

Value View(Runtime& rt, const char* name, Self self, const Args& args, DictView::What what) {
  BindNone(rt, name, args);
  return Value::Object(Kind::kDictView, rt.arena().New<DictView>(&self.dict(), what));
}
Value Keys(Runtime& rt, Self self, const Args& args) {
  return View(rt, "keys", self, args, DictView::What::kKeys);
}
Value Values(Runtime& rt, Self self, const Args& args) {
  return View(rt, "values", self, args, DictView::What::kValues);
}
Value ItemsMethod(Runtime& rt, Self self, const Args& args) {
  return View(rt, "items", self, args, DictView::What::kItems);
}

// Nothing can change a list or dict, so that a copy is the same object.
Value Copy(Runtime& rt, Self self, const Args& args) {
  BindNone(rt, "copy", args);
  return self;
}

Value Index(Runtime& rt, Self self, const Args& args) {
  const auto [wanted] = Bind(rt, "index", {"value"}, 1, args);
  Int at = 0, found = -1;
  ForEach(rt, self, [&](const Value& item) {
    if (found < 0 && Equal(rt, item, wanted)) found = at;
    ++at;
  });
  if (found < 0) rt.Fail("value is not in {}", TypeName(self));
  return Value::FromInt(found);
}

Value Count(Runtime& rt, Self self, const Args& args) {
  const auto [wanted] = Bind(rt, "count", {"value"}, 1, args);
  Int count = 0;
  ForEach(rt, self, [&](const Value& item) { count += Equal(rt, item, wanted) ? 1 : 0; });
  return Value::FromInt(count);
}

Value BitLength(Runtime& rt, Self self, const Args& args) {
  BindNone(rt, "bit_length", args);
  Int bits = 0;
  for (Int i = self.integer(); i != 0; i /= 2) ++bits;
  return Value::FromInt(bits);
}

Value IsInteger(Runtime& rt, Self self, const Args& args) {
  BindNone(rt, "is_integer", args);
  return Value::Bool(std::isfinite(self.floating()) &&
                     self.floating() == std::floor(self.floating()));
}

Value NextOfCycler(Runtime& rt, Self self, const Args& args) {
  BindNone(rt, "next", args);
  CyclerObject& cycler = self.mutable_as<CyclerObject>();
  const Value current = cycler.items[cycler.position];
  cycler.position = (cycler.position + 1) % cycler.items.size();
  return current;
}
Value ResetCycler(Runtime& rt, Self self, const Args& args) {
  BindNone(rt, "reset", args);
  self.mutable_as<CyclerObject>().position = 0;
  return Value::None();
}

constexpr MethodInfo kDictMethods[] = {
    {"copy", Copy}, {"get", Get}, {"items", ItemsMethod}, {"keys", Keys}, {"values", Values}};
constexpr MethodInfo kListMethods[] = {{"copy", Copy}, {"count", Count}, {"index", Index}};
constexpr MethodInfo kSequenceMethods[] = {{"count", Count}, {"index", Index}};
constexpr MethodInfo kIntMethods[] = {{"bit_length", BitLength}};
constexpr MethodInfo kFloatMethods[] = {{"is_integer", IsInteger}};
constexpr MethodInfo kCyclerMethods[] = {{"next", NextOfCycler}, {"reset", ResetCycler}};

std::span<const MethodInfo> MethodsOf(Kind kind) {
  switch (kind) {
    case Kind::kDict:
      return kDictMethods;
    case Kind::kList:
      return kListMethods;
    case Kind::kTuple:
    case Kind::kRange:
      return kSequenceMethods;
    case Kind::kBool:
    case Kind::kInt:
      return kIntMethods;
    case Kind::kFloat:
      return kFloatMethods;
    case Kind::kCycler:
      return kCyclerMethods;
    default:
      return {};
  }
}

}  // namespace

const MethodInfo* FindMethod(Kind kind, std::string_view name) {
  if (kind == Kind::kString) return FindStringMethod(name);
  for (const MethodInfo& method : MethodsOf(kind)) {
    if (name == method.name) return &method;
  }
  return nullptr;
}

bool IsMutator(Kind kind, std::string_view name) {
  constexpr std::string_view kDict[] = {"clear", "pop", "popitem", "setdefault", "update"};
  constexpr std::string_view kList[] = {"append", "clear",  "extend",  "insert",
                                        "pop",    "remove", "reverse", "sort"};
  const auto has = [&](const auto& names) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  };
  return kind == Kind::kDict ? has(kDict) : kind == Kind::kList && has(kList);
}

}  // namespace rocforge::text::chat
