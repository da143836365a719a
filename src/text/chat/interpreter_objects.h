// The interpreter's own parts of macros, loops and calls.
#pragma once

#include <vector>

#include "text/chat/interpreter.h"

namespace rocforge::text::chat {

// A macro with the frame that it was defined in.
struct Interpreter::Macro : MacroObject {
  const MacroDef* def;
  Frame* frame;
};

// A loop, and what loop(...) needs to run it again.
struct Interpreter::ForLoop : LoopObject {
  ForLoop(const LoopObject& loop, const ForStmt* for_stmt, Frame* outer_frame)
      : LoopObject(loop), stmt(for_stmt), outer(outer_frame) {}
  const ForStmt* stmt;
  Frame* outer;  // around the loop's function, if it has one
};

// The items of a loop that pass its filter.
class Interpreter::LoopSource final : public LoopObject::Source {
 public:
  LoopSource(Interpreter& interpreter, const ForStmt& stmt, Frame* frame, const Cursor& cursor)
      : interpreter_(interpreter), stmt_(stmt), frame_(frame), cursor_(cursor) {}

  bool Next(Runtime& rt, Value* item) override;
  int64_t Size() const override { return size_; }

 private:
  Interpreter& interpreter_;
  const ForStmt& stmt_;
  Frame* frame_;
  Cursor cursor_;
  int64_t size_ = stmt_.test == nullptr ? cursor_.SizeHint() : -1;
  bool entered_ = false;
};

struct Interpreter::EvaluatedArgs {
  std::vector<Value> positional;
  std::vector<NamedValue> named;
  Args view() const { return {positional, named}; }
};

}  // namespace rocforge::text::chat
