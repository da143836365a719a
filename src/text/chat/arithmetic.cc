// The arithmetic operators (ops.h).
#include <cmath>

#include "text/chat/ops.h"

namespace rocforge::text::chat {

namespace {

std::string_view Symbol(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd:
      return "+";
    case BinaryOp::kSub:
      return "-";
    case BinaryOp::kMul:
      return "*";
    case BinaryOp::kDiv:
      return "/";
    case BinaryOp::kFloorDiv:
      return "//";
    case BinaryOp::kMod:
      return "%";
    case BinaryOp::kPow:
      return "** or pow()";
  }
  return "?";
}

[[noreturn]] void FailTypes(Runtime& rt, BinaryOp op, const Value& a, const Value& b) {
  if (a.is_undefined()) rt.FailUndefined(a);
  if (b.is_undefined()) rt.FailUndefined(b);
  if (op == BinaryOp::kAdd && (a.is_string() || a.is_list_or_tuple())) {
    rt.Fail("can only concatenate {} (not \"{}\") to {}", a.is_markup() ? "str" : TypeName(a),
            TypeName(b), a.is_markup() ? "str" : TypeName(a));
  }
  rt.Fail("unsupported operand type(s) for {}: '{}' and '{}'", Symbol(op), TypeName(a),
          TypeName(b));
}

double AsDouble(const Value& v) {
  return v.is(Kind::kFloat) ? v.floating() : static_cast<double>(v.integer());
}

Int FloorDivide(Int a, Int b) {
  const Int quotient = a / b;
  return quotient * b != a && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

Value PowerOfInts(Runtime& rt, Int base, Int exponent) {
  if (exponent < 0) {
    if (base == 0) rt.Fail("0.0 cannot be raised to a negative power");
    return Value::Float(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  Int result = 1;
  bool overflow = false;
  while (exponent > 0 && !overflow) {
    if (exponent & 1) overflow = __builtin_mul_overflow(result, base, &result);
    exponent >>= 1;
    // The last squaring is not used; when it overflows nothing is lost.
    if (exponent > 0) overflow = overflow || __builtin_mul_overflow(base, base, &base);
  }
  if (overflow) rt.Fail("integer result is too large (integers have 128 bits here)");
  return Value::FromInt(result);
}

Value ArithmeticOfInts(Runtime& rt, BinaryOp op, Int a, Int b) {
  constexpr Int kMin = -(static_cast<Int>(1) << 126) * 2;
  Int result = 0;
  bool overflow = false;
  switch (op) {
    case BinaryOp::kAdd:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case BinaryOp::kSub:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case BinaryOp::kMul:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case BinaryOp::kDiv:
      if (b == 0) rt.Fail("division by zero");
      return Value::Float(static_cast<double>(a) / static_cast<double>(b));
    case BinaryOp::kFloorDiv:
    case BinaryOp::kMod:
      if (b == 0) rt.Fail("integer division or modulo by zero");
      overflow = a == kMin && b == -1;
      if (!overflow) {
        const Int quotient = FloorDivide(a, b);
        result = op == BinaryOp::kMod ? a - quotient * b : quotient;
      }
      break;
    case BinaryOp::kPow:
      return PowerOfInts(rt, a, b);
  }
  if (overflow) rt.Fail("integer result is too large (integers have 128 bits here)");
  return Value::FromInt(result);
}

// Python's float modulo: the result has the divisor's sign.
double FloatModulo(double a, double b) {
  double mod = std::fmod(a, b);
  if (mod != 0) {
    if ((b < 0) != (mod < 0)) mod += b;
  } else {
    mod = std::copysign(0.0, b);
  }
  return mod;
}

double FloatFloorDivide(double a, double b) {
  const double quotient = (a - FloatModulo(a, b)) / b;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floor = std::floor(quotient);
  return quotient - floor > 0.5 ? floor + 1.0 : floor;
}

Value ArithmeticOfFloats(Runtime& rt, BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return Value::Float(a + b);
    case BinaryOp::kSub:
      return Value::Float(a - b);
    case BinaryOp::kMul:
      return Value::Float(a * b);
    case BinaryOp::kDiv:
      if (b == 0) rt.Fail("float division by zero");
      return Value::Float(a / b);
    case BinaryOp::kFloorDiv:
      if (b == 0) rt.Fail("float floor division by zero");
      return Value::Float(FloatFloorDivide(a, b));
    case BinaryOp::kMod:
      if (b == 0) rt.Fail("float modulo");
      return Value::Float(FloatModulo(a, b));
    case BinaryOp::kPow: {
      if (a == 0 && b < 0) rt.Fail("0.0 cannot be raised to a negative power");
      if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) {
        rt.Fail("a negative number cannot be raised to a fractional power");
      }
      const double result = std::pow(a, b);
      if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) {
        rt.Fail("numerical result out of range");
      }
      return Value::Float(result);
    }
  }
  return Value::Float(0);
}

Value Repeat(Runtime& rt, const Value& sequence, Int times) {
  const size_t count = times <= 0          ? 0
                       : times > INT64_MAX ? static_cast<size_t>(INT64_MAX)
                                           : static_cast<size_t>(times);
  if (sequence.is_string()) {
    TextBuilder text(rt);
    text.AppendRepeated(sequence.string(), count);
    return text.Finish(sequence.is_markup());
  }
  const std::span<const Value> items = sequence.list().items;
  if (!items.empty()) rt.arena().Require(count, items.size() * sizeof(Value));
  ListBuilder out(rt);
  if (!items.empty()) {
    for (size_t i = 0; i < count; ++i) {
      for (const Value& item : items) out.Append(item);
    }
  }
  return sequence.is(Kind::kList) ? out.FinishList() : out.FinishTuple();
}

// Adding to text that is marked safe escapes the other side (markupsafe.Markup.__add__).
Value Concatenate(Runtime& rt, const Value& a, const Value& b) {
  const bool markup = a.is_markup() || b.is_markup();
  const Value left = markup ? Escape(rt, a) : a;
  const Value right = markup ? Escape(rt, b) : b;
  const std::string_view parts[] = {right.string()};
  return rt.Append(left, parts, markup);
}

bool IsSequence(const Value& v) { return v.is_string() || v.is_list_or_tuple(); }

}  // namespace

Value Arithmetic(Runtime& rt, BinaryOp op, const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) {
    return ArithmeticOfInts(rt, op, a.integer(), b.integer());
  }
  if (a.is_number() && b.is_number()) {
    return ArithmeticOfFloats(rt, op, AsDouble(a), AsDouble(b));
  }
  if (op == BinaryOp::kAdd) {
    if (a.is_string() && b.is_string()) return Concatenate(rt, a, b);
    if (a.is_list_or_tuple() && a.kind() == b.kind()) {
      ListBuilder out(rt);
      for (const Value& item : a.list().items) out.Append(item);
      for (const Value& item : b.list().items) out.Append(item);
      return a.is(Kind::kList) ? out.FinishList() : out.FinishTuple();
    }
  }
  if (op == BinaryOp::kMul) {
    if (IsSequence(a) && b.is_integral()) return Repeat(rt, a, b.integer());
    if (IsSequence(b) && a.is_integral()) return Repeat(rt, b, a.integer());
  }
  if (op == BinaryOp::kMod && a.is_string()) return PercentFormat(rt, a, b);
  FailTypes(rt, op, a, b);
}

Value Negate(Runtime& rt, const Value& v) {
  if (v.is_integral()) return ArithmeticOfInts(rt, BinaryOp::kSub, 0, v.integer());
  if (v.is(Kind::kFloat)) return Value::Float(-v.floating());
  if (v.is_undefined()) rt.FailUndefined(v);
  rt.Fail("bad operand type for unary -: '{}'", TypeName(v));
}

Value Plus(Runtime& rt, const Value& v) {
  if (v.is_integral()) return Value::FromInt(v.integer());
  if (v.is(Kind::kFloat)) return v;
  if (v.is_undefined()) rt.FailUndefined(v);
  rt.Fail("bad operand type for unary +: '{}'", TypeName(v));
}

}  // namespace rocforge::text::chat
