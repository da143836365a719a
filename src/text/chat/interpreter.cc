// Statements; evaluator.cc has the expressions.
#include "text/chat/interpreter.h"

#include "text/chat/interpreter_objects.h"
#include "text/chat/ops.h"

namespace rocforge::text::chat {

bool Interpreter::LoopSource::Next(Runtime& rt, Value* item) {
  if (stmt_.test == nullptr) return cursor_.Next(rt, item);
  if (!entered_) {
    entered_ = true;
    interpreter_.Enter(stmt_.test_scope, frame_);
  }
  while (cursor_.Next(rt, item)) {
    rt.Charge(1);
    interpreter_.Assign(*stmt_.test_target, *item, frame_);
    if (Truth(interpreter_.Eval(*stmt_.test, frame_))) return true;
  }
  return false;
}

std::string Interpreter::Run() {
  std::string output;
  out_ = &output;
  Frame* frame = NewFrame(ast_.function, nullptr);
  Enter(ast_.scope, frame);
  ExecBody(ast_.body, frame);
  return output;
}

Interpreter::Frame* Interpreter::NewFrame(const Function& function, Frame* outer) {
  return rt_.arena().New<Frame>(outer, rt_.arena().NewArray<Value>(function.n_slots));
}

Value& Interpreter::Slot(Frame* frame, SlotRef ref) {
  for (uint32_t hops = ref.hops; hops > 0; --hops) frame = frame->outer;
  return frame->slots[ref.index];
}

Value Interpreter::Resolve(std::string_view name) {
  const Value* found = variables_.Find(name);
  return found != nullptr ? *found : FindGlobal(name);
}

void Interpreter::Enter(const Scope& scope, Frame* frame) {
  for (const SlotLoad& load : scope.loads) {
    Value& slot = frame->slots[load.slot];
    switch (load.what) {
      case SlotLoad::What::kResolve:
        slot = Resolve(load.name);
        break;
      case SlotLoad::What::kAlias:
        slot = Slot(frame, load.outer);
        break;
      case SlotLoad::What::kUnset:
        slot = Value();
        break;
    }
  }
}

void Interpreter::Write(std::string_view text) {
  rt_.arena().Charge(text.size());
  out_->append(text);
  if (out_->size() > rt_.options().max_output_bytes) {
    throw TemplateError{
        StatusCode::kResourceExhausted,
        Format("the output is longer than {}", FormatBytes(rt_.options().max_output_bytes))};
  }
}

void Interpreter::WriteValue(const Value& v) {
  if (v.is_string()) return Write(v.string());
  Write(Str(rt_, v));
}

Value Interpreter::Capture(Body body, Frame* frame, Flow* flow) {
  std::string text;
  std::string* const outer = std::exchange(out_, &text);
  *flow = ExecBody(body, frame);
  out_ = outer;
  return rt_.NewString(text);
}

Interpreter::Flow Interpreter::ExecBody(Body body, Frame* frame) {
  for (const Stmt* stmt : body) {
    if (const Flow flow = Exec(*stmt, frame); flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::Exec(const Stmt& stmt, Frame* frame) {
  const Runtime::DepthGuard guard(rt_);
  rt_.Charge(1);
  rt_.set_line(stmt.line);
  switch (stmt.kind) {
    case StmtKind::kData:
      Write(static_cast<const DataStmt&>(stmt).text);
      break;
    case StmtKind::kPrint:
      WriteValue(Eval(*static_cast<const PrintStmt&>(stmt).value, frame));
      break;
    case StmtKind::kIf:
      return ExecIf(static_cast<const IfStmt&>(stmt), frame);
    case StmtKind::kFor:
      return ExecFor(static_cast<const ForStmt&>(stmt), frame);
    case StmtKind::kSet: {
      const auto& node = static_cast<const SetStmt&>(stmt);
      Assign(*node.target, Eval(*node.value, frame), frame);
      break;
    }
    case StmtKind::kSetBlock:
      return ExecSetBlock(static_cast<const SetBlockStmt&>(stmt), frame);
    case StmtKind::kMacro: {
      const auto& node = static_cast<const MacroStmt&>(stmt);
      Slot(frame, node.slot) = NewMacro(*node.macro, frame);
      break;
    }
    case StmtKind::kCallBlock:
      ExecCallBlock(static_cast<const CallBlockStmt&>(stmt), frame);
      break;
    case StmtKind::kFilterBlock:
      return ExecFilterBlock(static_cast<const FilterBlockStmt&>(stmt), frame);
    case StmtKind::kWith:
      return ExecWith(static_cast<const WithStmt&>(stmt), frame);
    case StmtKind::kScope: {
      const auto& node = static_cast<const ScopeStmt&>(stmt);
      Enter(node.scope, frame);
      return ExecBody(node.body, frame);
    }
    case StmtKind::kBreak:
      return Flow::kBreak;
    case StmtKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::ExecIf(const IfStmt& stmt, Frame* frame) {
  for (const IfBranch& branch : stmt.branches) {
    if (Truth(Eval(*branch.test, frame))) return ExecBody(branch.body, frame);
  }
  return ExecBody(stmt.otherwise, frame);
}

Interpreter::Flow Interpreter::ExecFor(const ForStmt& stmt, Frame* frame) {
  const Value iterable = Eval(*stmt.iterable, frame);
  if (!stmt.recursive) return RunLoop(stmt, frame, iterable, 0);
  WriteValue(RunRecursiveLoop(stmt, frame, iterable, 0));
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::RunLoop(const ForStmt& stmt, Frame* frame, const Value& iterable,
                                       int depth0) {
  Cursor cursor;
  StartCursor(rt_, iterable, &cursor);
  auto* source = rt_.arena().New<LoopSource>(*this, stmt, frame, cursor);
  Frame* const outer = stmt.recursive ? frame->outer : frame;
  auto* loop = rt_.arena().New<ForLoop>(LoopObject(source, depth0), &stmt, outer);
  const Value loop_value = Value::Object(Kind::kLoop, static_cast<LoopObject*>(loop));
  bool completed_one = false;
  for (Value item; loop->Advance(rt_, &item);) {
    rt_.Charge(1);
    Assign(*stmt.target, item, frame);
    frame->slots[stmt.loop_slot] = loop_value;
    Enter(stmt.body_scope, frame);
    const Flow flow = ExecBody(stmt.body, frame);
    if (flow == Flow::kBreak) break;
    // As in Jinja, a round that is cut short does not count for the else branch.
    completed_one = completed_one || flow == Flow::kNormal;
    rt_.set_line(stmt.line);
  }
  if (completed_one || stmt.otherwise.empty()) return Flow::kNormal;
  Enter(stmt.otherwise_scope, frame);
  return ExecBody(stmt.otherwise, frame);
}

Value Interpreter::RunRecursiveLoop(const ForStmt& stmt, Frame* outer, const Value& iterable,
                                    int depth0) {
  const Runtime::DepthGuard guard(rt_);
  Frame* frame = NewFrame(*stmt.function, outer);
  std::string text;
  std::string* const outer_output = std::exchange(out_, &text);
  RunLoop(stmt, frame, iterable, depth0);
  out_ = outer_output;
  return rt_.NewString(text);
}

Interpreter::Flow Interpreter::ExecSetBlock(const SetBlockStmt& stmt, Frame* frame) {
  Enter(stmt.scope, frame);
  Flow flow;
  Value text = Capture(stmt.body, frame, &flow);
  if (flow != Flow::kNormal) return flow;
  if (stmt.filter != nullptr) {
    const Value outer = std::exchange(captured_, text);
    text = Eval(*stmt.filter, frame);
    captured_ = outer;
  }
  Assign(*stmt.target, text, frame);
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::ExecFilterBlock(const FilterBlockStmt& stmt, Frame* frame) {
  Enter(stmt.scope, frame);
  Flow flow;
  const Value text = Capture(stmt.body, frame, &flow);
  if (flow != Flow::kNormal) return flow;
  const Value outer = std::exchange(captured_, text);
  WriteValue(Eval(*stmt.filter, frame));
  captured_ = outer;
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::ExecWith(const WithStmt& stmt, Frame* frame) {
  ListBuilder values(rt_);
  for (const Expr* value : stmt.values) values.Append(Eval(*value, frame));
  Enter(stmt.scope, frame);
  for (size_t i = 0; i < stmt.targets.size(); ++i) {
    Assign(*stmt.targets[i], values.items()[i], frame);
  }
  return ExecBody(stmt.body, frame);
}

void Interpreter::ExecCallBlock(const CallBlockStmt& stmt, Frame* frame) {
  const Value caller = NewMacro(*stmt.caller, frame);
  WriteValue(EvalCall(*stmt.call, frame, &caller));
}

void Interpreter::Assign(const Expr& target, const Value& v, Frame* frame) {
  if (target.kind == ExprKind::kName) {
    Slot(frame, static_cast<const NameExpr&>(target).slot) = v;
    return;
  }
  if (target.kind == ExprKind::kNamespaceAttr) {
    const auto& attr = static_cast<const NamespaceAttrExpr&>(target);
    const Value& object = Slot(frame, attr.slot);
    if (!object.is(Kind::kNamespace)) {
      rt_.Fail("cannot assign attribute on non-namespace object");
    }
    object.mutable_as<Dict>().Set(rt_, Value::String(attr.attr), v);
    return;
  }
  const ExprList targets = static_cast<const ListExpr&>(target).items;
  Cursor cursor;
  if (!cursor.TryStart(v)) rt_.Fail("cannot unpack non-iterable {} object", TypeName(v));
  for (size_t i = 0; i < targets.size(); ++i) {
    Value item;
    if (!cursor.Next(rt_, &item)) {
      rt_.Fail("not enough values to unpack (expected {}, got {})", targets.size(), i);
    }
    Assign(*targets[i], item, frame);
  }
  if (Value extra; cursor.Next(rt_, &extra)) {
    rt_.Fail("too many values to unpack (expected {})", targets.size());
  }
}

}  // namespace rocforge::text::chat
