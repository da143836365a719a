// Expressions and calls (interpreter.h).
#include <algorithm>

#include "text/chat/interpreter.h"
#include "text/chat/interpreter_objects.h"
#include "text/chat/methods.h"
#include "text/chat/ops.h"

namespace rocforge::text::chat {

Value Interpreter::Eval(const Expr& expr, Frame* frame) {
  const Runtime::DepthGuard guard(rt_);
  rt_.Charge(1);
  rt_.set_line(expr.line);
  switch (expr.kind) {
    case ExprKind::kConst:
      return static_cast<const ConstExpr&>(expr).value;
    case ExprKind::kName:
      return EvalName(static_cast<const NameExpr&>(expr), frame);
    case ExprKind::kNamespaceAttr:
      break;  // only ever a target
    case ExprKind::kList:
    case ExprKind::kTuple:
    case ExprKind::kConcat:
      return EvalItems(static_cast<const ListExpr&>(expr), frame);
    case ExprKind::kDict:
      return EvalDict(static_cast<const DictExpr&>(expr), frame);
    case ExprKind::kNot:
      return Value::Bool(!Truth(Eval(*static_cast<const UnaryExpr&>(expr).operand, frame)));
    case ExprKind::kNegate:
      return Negate(rt_, Eval(*static_cast<const UnaryExpr&>(expr).operand, frame));
    case ExprKind::kPlus:
      return Plus(rt_, Eval(*static_cast<const UnaryExpr&>(expr).operand, frame));
    case ExprKind::kBinary: {
      const auto& node = static_cast<const BinaryExpr&>(expr);
      const Value left = Eval(*node.left, frame);
      const Value right = Eval(*node.right, frame);
      return Arithmetic(rt_, node.op, left, right);
    }
    case ExprKind::kAnd: {
      const Value left = Eval(*static_cast<const BinaryExpr&>(expr).left, frame);
      return Truth(left) ? Eval(*static_cast<const BinaryExpr&>(expr).right, frame) : left;
    }
    case ExprKind::kOr: {
      const Value left = Eval(*static_cast<const BinaryExpr&>(expr).left, frame);
      return Truth(left) ? left : Eval(*static_cast<const BinaryExpr&>(expr).right, frame);
    }
    case ExprKind::kCompare:
      return EvalCompare(static_cast<const CompareExpr&>(expr), frame);
    case ExprKind::kConditional:
      return EvalConditional(static_cast<const ConditionalExpr&>(expr), frame);
    case ExprKind::kGetAttr: {
      const auto& node = static_cast<const GetAttrExpr&>(expr);
      return GetAttr(rt_, Eval(*node.object, frame), node.name);
    }
    case ExprKind::kGetItem: {
      const auto& node = static_cast<const GetItemExpr&>(expr);
      const Value object = Eval(*node.object, frame);
      return GetItem(rt_, object, Eval(*node.key, frame));
    }
    case ExprKind::kSlice:
      return EvalSlice(static_cast<const SliceExpr&>(expr), frame);
    case ExprKind::kCall:
      return EvalCall(static_cast<const CallExpr&>(expr), frame, nullptr);
    case ExprKind::kFilter:
      return EvalFilter(static_cast<const FilterExpr&>(expr), frame);
    case ExprKind::kTest:
      return EvalTest(static_cast<const TestExpr&>(expr), frame);
  }
  return Value::None();
}

Value Interpreter::EvalName(const NameExpr& expr, Frame* frame) {
  const Value& v = Slot(frame, expr.slot);
  return v.is_missing() ? rt_.NewUndefined(UndefinedInfo::What::kName, expr.name) : v;
}

Value Interpreter::EvalItems(const ListExpr& expr, Frame* frame) {
  if (expr.kind == ExprKind::kConcat) {
    Value first = Eval(*expr.items[0], frame);
    if (!first.is_string()) first = Value::String(Str(rt_, first));
    std::vector<std::string_view> rest;
    rest.reserve(expr.items.size() - 1);
    for (const Expr* item : expr.items.subspan(1)) {
      rest.push_back(Str(rt_, Eval(*item, frame)));
    }
    return rt_.Append(first, rest, /*markup=*/false);
  }
  ListBuilder items(rt_);
  for (const Expr* item : expr.items) items.Append(Eval(*item, frame));
  return expr.kind == ExprKind::kList ? items.FinishList() : items.FinishTuple();
}

Value Interpreter::EvalDict(const DictExpr& expr, Frame* frame) {
  Dict* dict = rt_.NewDict();
  for (size_t i = 0; i < expr.keys.size(); ++i) {
    const Value key = Eval(*expr.keys[i], frame);
    dict->Set(rt_, key, Eval(*expr.values[i], frame));
  }
  return Value::FromDict(dict);
}

Value Interpreter::EvalCompare(const CompareExpr& expr, Frame* frame) {
  Value left = Eval(*expr.first, frame);
  bool result = true;
  for (const Comparison& comparison : expr.rest) {
    const Value right = Eval(*comparison.operand, frame);
    switch (comparison.op) {
      case CompareOp::kEq:
        result = Equal(rt_, left, right);
        break;
      case CompareOp::kNe:
        result = !Equal(rt_, left, right);
        break;
      case CompareOp::kLt:
        result = Ordered(rt_, "<", left, right);
        break;
      case CompareOp::kLe:
        result = Ordered(rt_, "<=", left, right);
        break;
      case CompareOp::kGt:
        result = Ordered(rt_, ">", left, right);
        break;
      case CompareOp::kGe:
        result = Ordered(rt_, ">=", left, right);
        break;
      case CompareOp::kIn:
        result = Contains(rt_, right, left);
        break;
      case CompareOp::kNotIn:
        result = !Contains(rt_, right, left);
        break;
    }
    if (!result) break;
    left = right;
  }
  return Value::Bool(result);
}

Value Interpreter::EvalConditional(const ConditionalExpr& expr, Frame* frame) {
  if (Truth(Eval(*expr.test, frame))) return Eval(*expr.then, frame);
  if (expr.otherwise != nullptr) return Eval(*expr.otherwise, frame);
  return rt_.Hint("the inline if-expression evaluated to false and no else section was defined.");
}

Value Interpreter::EvalSlice(const SliceExpr& expr, Frame* frame) {
  const auto bound = [&](const Expr* e) { return e == nullptr ? Value() : Eval(*e, frame); };
  const Value object = Eval(*expr.object, frame);
  const Value start = bound(expr.start), stop = bound(expr.stop), step = bound(expr.step);
  return GetSlice(rt_, object, start, stop, step);
}

void Interpreter::EvalArgs(const CallArgs& args, Frame* frame, EvaluatedArgs* out) {
  out->positional.reserve(out->positional.size() + args.positional.size());
  for (const Expr* arg : args.positional) out->positional.push_back(Eval(*arg, frame));
  if (args.extra_positional != nullptr) {
    const Value extra = Eval(*args.extra_positional, frame);
    ForEach(rt_, extra, [&](const Value& v) {
      rt_.arena().Require(out->positional.size() + 1, sizeof(Value));
      out->positional.push_back(v);
    });
  }
  for (const NamedExpr& named : args.named) {
    out->named.push_back({named.name, Eval(*named.value, frame)});
  }
  if (args.extra_named == nullptr) return;
  const Value extra = Eval(*args.extra_named, frame);
  if (!extra.is(Kind::kDict)) {
    if (extra.is_undefined()) rt_.FailUndefined(extra);
    rt_.Fail("argument after ** must be a mapping, not {}", TypeName(extra));
  }
  for (const Dict::Entry& entry : extra.dict().entries()) {
    rt_.Charge(1);
    if (!entry.key.is_string()) rt_.Fail("keywords must be strings");
    out->named.push_back({entry.key.string(), entry.value});
  }
}

Value Interpreter::EvalFilter(const FilterExpr& expr, Frame* frame) {
  if (expr.filter == nullptr) rt_.Fail("No filter named '{}' found.", expr.name);
  EvaluatedArgs args;
  args.positional.push_back(expr.value == nullptr ? captured_ : Eval(*expr.value, frame));
  EvalArgs(expr.args, frame, &args);
  rt_.set_line(expr.line);
  return expr.filter->call(rt_, args.view());
}

Value Interpreter::EvalTest(const TestExpr& expr, Frame* frame) {
  if (expr.test == nullptr) rt_.Fail("No test named '{}' found.", expr.name);
  EvaluatedArgs args;
  args.positional.push_back(Eval(*expr.value, frame));
  EvalArgs(expr.args, frame, &args);
  return Value::Bool(expr.test->call(rt_, args.view()));
}

Value Interpreter::EvalCall(const CallExpr& expr, Frame* frame, const Value* caller) {
  EvaluatedArgs args;
  Value callee;
  const MethodInfo* method = nullptr;
  if (expr.callee->kind == ExprKind::kGetAttr) {
    // A method that is called at once needs no bound object.
    const auto& attr = static_cast<const GetAttrExpr&>(*expr.callee);
    callee = Eval(*attr.object, frame);
    method = FindMethod(callee.kind(), attr.name);
    if (method == nullptr) callee = GetAttr(rt_, callee, attr.name);
  } else {
    callee = Eval(*expr.callee, frame);
  }
  EvalArgs(expr.args, frame, &args);
  if (caller != nullptr) args.named.push_back({"caller", *caller});
  rt_.set_line(expr.line);
  const Value result =
      method != nullptr ? method->call(rt_, callee, args.view()) : Call(callee, args.view());
  rt_.set_line(expr.line);
  return result;
}

Value Interpreter::Call(const Value& callee, const Args& args) {
  switch (callee.kind()) {
    case Kind::kFunction:
      return callee.as<FunctionObject>().call(rt_, args);
    case Kind::kMethod:
      return callee.as<MethodObject>().method->call(rt_, callee.as<MethodObject>().self, args);
    case Kind::kMacro:
      return CallMacro(static_cast<const Macro&>(callee.as<MacroObject>()), args);
    case Kind::kLoop:
      return CallLoop(callee, args);
    case Kind::kJoiner: {
      BindNone(rt_, "joiner", args);
      JoinerObject& joiner = callee.mutable_as<JoinerObject>();
      return std::exchange(joiner.used, true) ? joiner.separator : Value::String("");
    }
    case Kind::kUndefined:
      rt_.FailUndefined(callee);
    default:
      rt_.Fail("'{}' object is not callable", TypeName(callee));
  }
}

Value Interpreter::CallLoop(const Value& loop, const Args& args) {
  const auto [iterable] = Bind(rt_, "loop", {"iterable"}, 1, args);
  const ForLoop& again = static_cast<const ForLoop&>(loop.as<LoopObject>());
  if (!again.stmt->recursive) {
    rt_.Fail("The loop must have the 'recursive' marker to be called recursively.");
  }
  return RunRecursiveLoop(*again.stmt, again.outer, iterable, again.depth0() + 1);
}

Value Interpreter::NewMacro(const MacroDef& def, Frame* frame) {
  MacroObject object{def.name, def.param_names};
  object.catch_kwargs = def.kwargs_slot != MacroDef::kUnused;
  object.catch_varargs = def.varargs_slot != MacroDef::kUnused;
  object.caller = def.caller_slot != MacroDef::kUnused;
  const MacroObject* macro = rt_.arena().New<Macro>(object, &def, frame);
  return Value::Object(Kind::kMacro, macro);
}

// Binds as jinja2.runtime.Macro does: what positional arguments leave over is taken by name; the
// rest goes to varargs and kwargs where the body mentions them.
Value Interpreter::CallMacro(const Macro& macro, const Args& args) {
  const Runtime::DepthGuard guard(rt_);
  const MacroDef& def = *macro.def;
  const size_t n_params = def.params.size();
  const size_t n_positional = std::min(args.positional.size(), n_params);
  Frame* frame = NewFrame(*def.function, macro.frame);
  for (size_t i = 0; i < n_positional; ++i) {
    frame->slots[def.param_slots[i]] = args.positional[i];
  }
  Dict* kwargs = macro.catch_kwargs ? rt_.NewDict() : nullptr;
  Value caller;
  for (const NamedValue& named : args.named) {
    size_t i = n_positional;
    while (i < n_params && def.params[i]->name != named.name) ++i;
    if (i < n_params) {
      frame->slots[def.param_slots[i]] = named.value;
    } else if (named.name == "caller" && macro.caller && !def.explicit_caller) {
      caller = named.value;
    } else if (kwargs != nullptr) {
      kwargs->Set(rt_, Value::String(named.name), named.value);
    } else if (named.name == "caller") {
      rt_.Fail("macro '{}' was called with a call block but does not use its caller", def.name);
    } else {
      rt_.Fail("macro '{}' takes no keyword argument '{}'", def.name, named.name);
    }
  }
  if (macro.catch_varargs) {
    frame->slots[def.varargs_slot] = rt_.NewTuple(args.positional.subspan(n_positional));
  } else if (args.positional.size() > n_params) {
    rt_.Fail("macro '{}' takes not more than {} argument(s)", def.name, n_params);
  }
  if (kwargs != nullptr) frame->slots[def.kwargs_slot] = Value::FromDict(kwargs);
  if (macro.caller && !def.explicit_caller) {
    const bool none = caller.is_missing() || caller.is_none();
    frame->slots[def.caller_slot] = none ? rt_.Hint("No caller defined") : caller;
  }
  Enter(def.scope, frame);
  const size_t first_default = n_params - def.defaults.size();
  for (size_t i = 0; i < n_params; ++i) {
    Value& slot = frame->slots[def.param_slots[i]];
    if (!slot.is_missing()) continue;
    if (i >= first_default) {
      slot = Eval(*def.defaults[i - first_default], frame);
    } else {
      slot = rt_.Hint(
          rt_.arena().CopyString(Format("parameter '{}' was not provided", def.params[i]->name)));
    }
  }
  Flow flow;
  return Capture(def.body, frame, &flow);
}

}  // namespace rocforge::text::chat
