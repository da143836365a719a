// The tests of `is` (filters.h).
#include "text/chat/filters.h"
#include "text/chat/loop.h"
#include "text/chat/methods.h"
#include "text/chat/ops.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

Value One(Runtime& rt, const char* name, const Args& args) {
  return Bind(rt, name, {"value"}, 1, args)[0];
}

bool Defined(Runtime& rt, const Args& args) { return !One(rt, "defined", args).is_undefined(); }
bool Undefined(Runtime& rt, const Args& args) { return One(rt, "undefined", args).is_undefined(); }
bool IsNone(Runtime& rt, const Args& args) { return One(rt, "none", args).is_none(); }
bool IsBoolean(Runtime& rt, const Args& args) { return One(rt, "boolean", args).is(Kind::kBool); }
bool IsTrue(Runtime& rt, const Args& args) {
  const Value v = One(rt, "true", args);
  return v.is(Kind::kBool) && v.boolean();
}
bool IsFalse(Runtime& rt, const Args& args) {
  const Value v = One(rt, "false", args);
  return v.is(Kind::kBool) && !v.boolean();
}
bool IsInteger(Runtime& rt, const Args& args) { return One(rt, "integer", args).is(Kind::kInt); }
bool IsFloat(Runtime& rt, const Args& args) { return One(rt, "float", args).is(Kind::kFloat); }
bool IsNumber(Runtime& rt, const Args& args) { return One(rt, "number", args).is_number(); }
bool IsString(Runtime& rt, const Args& args) { return One(rt, "string", args).is_string(); }
bool IsMapping(Runtime& rt, const Args& args) { return One(rt, "mapping", args).is(Kind::kDict); }
bool IsEscaped(Runtime& rt, const Args& args) { return One(rt, "escaped", args).is_markup(); }

// Has a length and items; an undefined value has both.
bool IsSequence(Runtime& rt, const Args& args) {
  switch (One(rt, "sequence", args).kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
      return true;
    default:
      return false;
  }
}

bool IsIterable(Runtime& rt, const Args& args) {
  const Value v = One(rt, "iterable", args);
  Cursor cursor;
  return v.is(Kind::kLoop) || cursor.TryStart(v);
}

bool IsCallable(Runtime& rt, const Args& args) {
  switch (One(rt, "callable", args).kind()) {
    case Kind::kUndefined:  // can be called, to fail
    case Kind::kFunction:
    case Kind::kMethod:
    case Kind::kMacro:
    case Kind::kLoop:
    case Kind::kJoiner:
      return true;
    default:
      return false;
  }
}

bool IsLowerOrUpper(Runtime& rt, const char* name, const char* method, const Args& args) {
  const Value text = Value::String(Str(rt, One(rt, name, args)));
  return Truth(FindStringMethod(method)->call(rt, text, Args{}));
}
bool IsLower(Runtime& rt, const Args& args) { return IsLowerOrUpper(rt, "lower", "islower", args); }
bool IsUpper(Runtime& rt, const Args& args) { return IsLowerOrUpper(rt, "upper", "isupper", args); }

bool RemainderIs(Runtime& rt, const Value& v, const Value& divisor, int remainder) {
  return Equal(rt, Arithmetic(rt, BinaryOp::kMod, v, divisor), Value::FromInt(remainder));
}
bool IsOdd(Runtime& rt, const Args& args) {
  return RemainderIs(rt, One(rt, "odd", args), Value::FromInt(2), 1);
}
bool IsEven(Runtime& rt, const Args& args) {
  return RemainderIs(rt, One(rt, "even", args), Value::FromInt(2), 0);
}
bool IsDivisibleBy(Runtime& rt, const Args& args) {
  const auto [value, num] = Bind(rt, "divisibleby", {"value", "num"}, 2, args);
  return RemainderIs(rt, value, num, 0);
}

bool SameAs(Runtime& rt, const Args& args) {
  const auto [value, other] = Bind(rt, "sameas", {"value", "other"}, 2, args);
  return Same(value, other);
}
bool In(Runtime& rt, const Args& args) {
  const auto [value, sequence] = Bind(rt, "in", {"value", "seq"}, 2, args);
  return Contains(rt, sequence, value);
}
bool IsFilter(Runtime& rt, const Args& args) {
  return FindFilter(Str(rt, One(rt, "filter", args))) != nullptr;
}
bool IsTest(Runtime& rt, const Args& args) {
  return FindTest(Str(rt, One(rt, "test", args))) != nullptr;
}

bool Eq(Runtime& rt, const Args& args) {
  const auto [a, b] = Bind(rt, "eq", {"a", "b"}, 2, args);
  return Equal(rt, a, b);
}
bool Ne(Runtime& rt, const Args& args) { return !Eq(rt, args); }
bool Order(Runtime& rt, const char* name, std::string_view op, const Args& args) {
  const auto [a, b] = Bind(rt, name, {"a", "b"}, 2, args);
  return Ordered(rt, op, a, b);
}
bool Lt(Runtime& rt, const Args& args) { return Order(rt, "lt", "<", args); }
bool Le(Runtime& rt, const Args& args) { return Order(rt, "le", "<=", args); }
bool Gt(Runtime& rt, const Args& args) { return Order(rt, "gt", ">", args); }
bool Ge(Runtime& rt, const Args& args) { return Order(rt, "ge", ">=", args); }

constexpr TestInfo kTests[] = {
    {"!=", Ne},
    {"<", Lt},
    {"<=", Le},
    {"==", Eq},
    {">", Gt},
    {">=", Ge},
    {"boolean", IsBoolean},
    {"callable", IsCallable},
    {"defined", Defined},
    {"divisibleby", IsDivisibleBy},
    {"eq", Eq},
    {"equalto", Eq},
    {"escaped", IsEscaped},
    {"even", IsEven},
    {"false", IsFalse},
    {"filter", IsFilter},
    {"float", IsFloat},
    {"ge", Ge},
    {"greaterthan", Gt},
    {"gt", Gt},
    {"in", In},
    {"integer", IsInteger},
    {"iterable", IsIterable},
    {"le", Le},
    {"lessthan", Lt},
    {"lower", IsLower},
    {"lt", Lt},
    {"mapping", IsMapping},
    {"ne", Ne},
    {"none", IsNone},
    {"number", IsNumber},
    {"odd", IsOdd},
    {"sameas", SameAs},
    {"sequence", IsSequence},
    {"string", IsString},
    {"test", IsTest},
    {"true", IsTrue},
    {"undefined", Undefined},
    {"upper", IsUpper},
};

}  // namespace

const TestInfo* FindTest(std::string_view name) {
  for (const TestInfo& test : kTests) {
    if (name == test.name) return &test;
  }
  return nullptr;
}

}  // namespace rocforge::text::chat
