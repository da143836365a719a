// Runs a parsed template.
#pragma once

#include <string>

#include "text/chat/ast.h"
#include "text/chat/loop.h"
#include "text/chat/runtime.h"
#include "text/chat/value.h"

namespace rocforge::text::chat {

// One rendering. Not thread-safe; the tree is only read. All members throw TemplateError.
class Interpreter {
 public:
  // `variables` are the template's variables; everything must outlive the interpreter.
  Interpreter(const TemplateAst& ast, const Dict& variables, Runtime& rt)
      : ast_(ast), variables_(variables), rt_(rt) {}

  std::string Run();

 private:
  // The variables of one run of a function. Frames stay until the rendering ends, so that macros
  // can keep the frame that they were defined in.
  struct Frame {
    Frame* outer;
    std::span<Value> slots;
  };
  enum class Flow : uint8_t { kNormal, kBreak, kContinue };
  struct Macro;
  struct ForLoop;
  class LoopSource;
  struct EvaluatedArgs;

  Frame* NewFrame(const Function& function, Frame* outer);
  static Value& Slot(Frame* frame, SlotRef ref);
  Value Resolve(std::string_view name);
  void Enter(const Scope& scope, Frame* frame);

  void Write(std::string_view text);
  void WriteValue(const Value& v);
  // Runs a body with the output caught; *flow says how it ended.
  Value Capture(Body body, Frame* frame, Flow* flow);

  Flow ExecBody(Body body, Frame* frame);
  Flow Exec(const Stmt& stmt, Frame* frame);
  Flow ExecIf(const IfStmt& stmt, Frame* frame);
  Flow ExecFor(const ForStmt& stmt, Frame* frame);
  Flow ExecSetBlock(const SetBlockStmt& stmt, Frame* frame);
  Flow ExecFilterBlock(const FilterBlockStmt& stmt, Frame* frame);
  Flow ExecWith(const WithStmt& stmt, Frame* frame);
  void ExecCallBlock(const CallBlockStmt& stmt, Frame* frame);
  Flow RunLoop(const ForStmt& stmt, Frame* frame, const Value& iterable, int depth0);
  Value RunRecursiveLoop(const ForStmt& stmt, Frame* outer, const Value& iterable, int depth0);
  void Assign(const Expr& target, const Value& v, Frame* frame);

  Value Eval(const Expr& expr, Frame* frame);
  Value EvalName(const NameExpr& expr, Frame* frame);
  Value EvalItems(const ListExpr& expr, Frame* frame);
  Value EvalDict(const DictExpr& expr, Frame* frame);
  Value EvalCompare(const CompareExpr& expr, Frame* frame);
  Value EvalConditional(const ConditionalExpr& expr, Frame* frame);
  Value EvalSlice(const SliceExpr& expr, Frame* frame);
  Value EvalCall(const CallExpr& expr, Frame* frame, const Value* caller);
  Value EvalFilter(const FilterExpr& expr, Frame* frame);
  Value EvalTest(const TestExpr& expr, Frame* frame);
  void EvalArgs(const CallArgs& args, Frame* frame, EvaluatedArgs* out);

  Value NewMacro(const MacroDef& def, Frame* frame);
  Value Call(const Value& callee, const Args& args);
  Value CallMacro(const Macro& macro, const Args& args);
  Value CallLoop(const Value& loop, const Args& args);

  const TemplateAst& ast_;
  const Dict& variables_;
  Runtime& rt_;
  std::string* out_ = nullptr;
  size_t output_bytes_ = 0;  // of the outermost output
  Value captured_;           // what filter and set blocks filter
};

}  // namespace rocforge::text::chat
