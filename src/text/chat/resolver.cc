// Gives every variable of a template its place (parser.h).
//
// Jinja decides at compile time which scope a name belongs to, by rules that differ from a plain
// look-up through nested scopes: a name that a scope assigns anywhere belongs to it from its start,
// `if` is no scope, assignments in a loop's body are forgotten after each round, a name that no
// scope assigns is looked up in the input once per entry of a scope. Templates rely on all of it,
// so the same analysis is made here: first every scope's own names are collected in the order in
// which Jinja visits them (Collect...), then names are bound and inner scopes are treated
// (Bind...).
#include <array>
#include <string_view>
#include <vector>

#include "base/format.h"
#include "text/chat/ast_walk.h"
#include "text/chat/lexer.h"
#include "text/chat/parser.h"
#include "text/chat/symbols.h"

namespace rocforge::text::chat {

namespace {

// Which of the special names a macro's body reads before it assigns them.
class UndeclaredFinder {
 public:
  struct Name {
    std::string_view name;
    bool open = true;  // not assigned yet
    bool found = false;
  };

  explicit UndeclaredFinder(Body body) { Visit(body); }
  bool caller() const { return names_[0].found; }
  bool kwargs() const { return names_[1].found; }
  bool varargs() const { return names_[2].found; }

 private:
  void Assign(std::string_view name) {
    for (Name& n : names_) n.open = n.open && n.name != name;
  }
  void VisitTarget(const Expr* target) {
    if (target->kind == ExprKind::kName) Assign(static_cast<const NameExpr*>(target)->name);
    if (target->kind != ExprKind::kTuple) return;
    for (const Expr* item : static_cast<const ListExpr*>(target)->items) VisitTarget(item);
  }
  void VisitExpr(Expr* expr) {
    if (expr == nullptr) return;
    if (expr->kind == ExprKind::kName) {
      const std::string_view name = static_cast<NameExpr*>(expr)->name;
      for (Name& n : names_) n.found = n.found || (n.open && n.name == name);
    }
    ForEachChild(expr, [&](Expr* child) { VisitExpr(child); });
  }
  void VisitMacro(const MacroDef& macro) {
    for (const NameExpr* param : macro.params) Assign(param->name);
    for (Expr* value : macro.defaults) VisitExpr(value);
    Visit(macro.body);
  }
  void Visit(Body body) {
    for (Stmt* stmt : body) VisitStmt(stmt);
  }
  void VisitStmt(Stmt* stmt);

  std::array<Name, 3> names_ = {Name{"caller"}, Name{"kwargs"}, Name{"varargs"}};
};

void UndeclaredFinder::VisitStmt(Stmt* stmt) {
  switch (stmt->kind) {
    case StmtKind::kData:
    case StmtKind::kBreak:
    case StmtKind::kContinue:
      return;
    case StmtKind::kPrint:
      return VisitExpr(static_cast<PrintStmt*>(stmt)->value);
    case StmtKind::kIf: {
      const auto* node = static_cast<IfStmt*>(stmt);
      for (const IfBranch& branch : node->branches) {
        VisitExpr(branch.test);
        Visit(branch.body);
      }
      return Visit(node->otherwise);
    }
    case StmtKind::kFor: {
      const auto* node = static_cast<ForStmt*>(stmt);
      VisitTarget(node->target);
      VisitExpr(node->iterable);
      Visit(node->body);
      Visit(node->otherwise);
      return VisitExpr(node->test);
    }
    case StmtKind::kSet:
      VisitTarget(static_cast<SetStmt*>(stmt)->target);
      return VisitExpr(static_cast<SetStmt*>(stmt)->value);
    case StmtKind::kSetBlock: {
      const auto* node = static_cast<SetBlockStmt*>(stmt);
      VisitTarget(node->target);
      VisitExpr(node->filter);
      return Visit(node->body);
    }
    case StmtKind::kMacro:
      return VisitMacro(*static_cast<MacroStmt*>(stmt)->macro);
    case StmtKind::kCallBlock:
      VisitExpr(static_cast<CallBlockStmt*>(stmt)->call);
      return VisitMacro(*static_cast<CallBlockStmt*>(stmt)->caller);
    case StmtKind::kFilterBlock:
      Visit(static_cast<FilterBlockStmt*>(stmt)->body);
      return VisitExpr(static_cast<FilterBlockStmt*>(stmt)->filter);
    case StmtKind::kWith: {
      const auto* node = static_cast<WithStmt*>(stmt);
      for (const Expr* target : node->targets) VisitTarget(target);
      for (Expr* value : node->values) VisitExpr(value);
      return Visit(node->body);
    }
    case StmtKind::kScope:
      return Visit(static_cast<ScopeStmt*>(stmt)->body);
  }
}

class Resolver {
 public:
  explicit Resolver(Arena* arena) : arena_(arena) {}

  void Run(TemplateAst* ast) {
    FunctionScope function{&ast->function, 0};
    Symbols symbols(nullptr, &function);
    CollectBody(symbols, ast->body);
    ast->scope = symbols.Finish(arena_);
    BindBody(symbols, ast->body, false);
  }

 private:
  // --- What a scope's own statements read and assign; bodies of inner scopes are left out.

  static void CollectBody(Symbols& symbols, Body body) {
    for (Stmt* stmt : body) CollectStmt(symbols, stmt);
  }

  static void CollectExpr(Symbols& symbols, Expr* expr) {
    if (expr == nullptr) return;
    if (expr->kind == ExprKind::kName) symbols.Load(static_cast<NameExpr*>(expr)->name);
    ForEachChild(expr, [&](Expr* child) { CollectExpr(symbols, child); });
  }

  static void CollectTarget(Symbols& symbols, Expr* target, bool as_param) {
    if (target->kind == ExprKind::kTuple) {
      for (Expr* item : static_cast<ListExpr*>(target)->items) {
        CollectTarget(symbols, item, as_param);
      }
    } else if (target->kind == ExprKind::kNamespaceAttr) {
      symbols.Load(static_cast<NamespaceAttrExpr*>(target)->name);
    } else if (as_param) {
      symbols.Declare(static_cast<NameExpr*>(target)->name);
    } else {
      symbols.Store(static_cast<NameExpr*>(target)->name);
    }
  }

  // An elif is an `if` in a branch of its own.
  static void CollectIf(Symbols& symbols, const IfStmt& node) {
    std::vector<Symbols::Changes> branches;
    CollectExpr(symbols, node.branches[0].test);
    symbols.BeginBranch();
    CollectBody(symbols, node.branches[0].body);
    branches.push_back(symbols.EndBranch());
    symbols.BeginBranch();
    for (const IfBranch& branch : node.branches.subspan(1)) {
      CollectExpr(symbols, branch.test);
      symbols.BeginBranch();
      CollectBody(symbols, branch.body);
      const std::vector<Symbols::Changes> one = {symbols.EndBranch()};
      symbols.ApplyBranches(one);
    }
    branches.push_back(symbols.EndBranch());
    symbols.BeginBranch();
    CollectBody(symbols, node.otherwise);
    branches.push_back(symbols.EndBranch());
    symbols.ApplyBranches(branches);
  }

  static void CollectStmt(Symbols& symbols, Stmt* stmt) {
    switch (stmt->kind) {
      case StmtKind::kData:
      case StmtKind::kBreak:
      case StmtKind::kContinue:
      case StmtKind::kScope:
        return;
      case StmtKind::kPrint:
        return CollectExpr(symbols, static_cast<PrintStmt*>(stmt)->value);
      case StmtKind::kIf:
        return CollectIf(symbols, *static_cast<IfStmt*>(stmt));
      case StmtKind::kFor:
        return CollectExpr(symbols, static_cast<ForStmt*>(stmt)->iterable);
      case StmtKind::kSet:
        CollectExpr(symbols, static_cast<SetStmt*>(stmt)->value);
        return CollectTarget(symbols, static_cast<SetStmt*>(stmt)->target, false);
      case StmtKind::kSetBlock:
        return CollectTarget(symbols, static_cast<SetBlockStmt*>(stmt)->target, false);
      case StmtKind::kMacro:
        return symbols.Store(static_cast<MacroStmt*>(stmt)->macro->name);
      case StmtKind::kCallBlock:
        return CollectExpr(symbols, static_cast<CallBlockStmt*>(stmt)->call);
      case StmtKind::kFilterBlock:
        return CollectExpr(symbols, static_cast<FilterBlockStmt*>(stmt)->filter);
      case StmtKind::kWith:
        for (Expr* value : static_cast<WithStmt*>(stmt)->values) CollectExpr(symbols, value);
        return;
    }
  }

  // --- Binding. `soft`: inside an if, where an unknown filter is an error only once it is reached.

  SlotRef Place(const Symbols& symbols, std::string_view name) const {
    const std::optional<SlotRef> ref = symbols.Ref(name, *symbols.function());
    if (!ref) {
      throw TemplateError{StatusCode::kInternal, Format("variable '{}' has no place", name)};
    }
    return *ref;
  }

  void BindExpr(const Symbols& symbols, Expr* expr, bool soft) {
    if (expr == nullptr) return;
    switch (expr->kind) {
      case ExprKind::kName: {
        auto* name = static_cast<NameExpr*>(expr);
        name->slot = Place(symbols, name->name);
        return;
      }
      case ExprKind::kNamespaceAttr: {
        auto* attr = static_cast<NamespaceAttrExpr*>(expr);
        attr->slot = Place(symbols, attr->name);
        return;
      }
      case ExprKind::kFilter: {
        const auto* filter = static_cast<FilterExpr*>(expr);
        if (filter->filter == nullptr && !soft) {
          ThrowSyntaxError(expr->line,
                           Format("No filter named '{}'.", EscapeForTerminal(filter->name, 60)));
        }
        break;
      }
      case ExprKind::kTest: {
        const auto* test = static_cast<TestExpr*>(expr);
        if (test->test == nullptr && !soft) {
          ThrowSyntaxError(expr->line,
                           Format("No test named '{}'.", EscapeForTerminal(test->name, 60)));
        }
        break;
      }
      case ExprKind::kConditional:
        soft = true;
        break;
      default:
        break;
    }
    ForEachChild(expr, [&](Expr* child) { BindExpr(symbols, child, soft); });
  }

  void BindBody(const Symbols& symbols, Body body, bool soft) {
    for (Stmt* stmt : body) BindStmt(symbols, stmt, soft);
  }

  void BindStmt(const Symbols& symbols, Stmt* stmt, bool soft) {
    switch (stmt->kind) {
      case StmtKind::kData:
      case StmtKind::kBreak:
      case StmtKind::kContinue:
        return;
      case StmtKind::kPrint:
        return BindExpr(symbols, static_cast<PrintStmt*>(stmt)->value, soft);
      case StmtKind::kIf: {
        const auto* node = static_cast<IfStmt*>(stmt);
        for (const IfBranch& branch : node->branches) {
          BindExpr(symbols, branch.test, true);
          BindBody(symbols, branch.body, true);
        }
        return BindBody(symbols, node->otherwise, true);
      }
      case StmtKind::kFor:
        return BindFor(symbols, static_cast<ForStmt*>(stmt), soft);
      case StmtKind::kSet:
        BindExpr(symbols, static_cast<SetStmt*>(stmt)->value, soft);
        return BindExpr(symbols, static_cast<SetStmt*>(stmt)->target, soft);
      case StmtKind::kSetBlock: {
        auto* node = static_cast<SetBlockStmt*>(stmt);
        BindExpr(symbols, node->target, soft);
        node->scope = BindInner(symbols, {}, node->body, node->filter);
        return;
      }
      case StmtKind::kMacro: {
        auto* node = static_cast<MacroStmt*>(stmt);
        node->slot = Place(symbols, node->macro->name);
        return BindMacro(symbols, node->macro, stmt->line);
      }
      case StmtKind::kCallBlock:
        BindExpr(symbols, static_cast<CallBlockStmt*>(stmt)->call, soft);
        return BindMacro(symbols, static_cast<CallBlockStmt*>(stmt)->caller, stmt->line);
      case StmtKind::kFilterBlock: {
        auto* node = static_cast<FilterBlockStmt*>(stmt);
        node->scope = BindInner(symbols, {}, node->body, node->filter);
        return;
      }
      case StmtKind::kWith: {
        auto* node = static_cast<WithStmt*>(stmt);
        for (Expr* value : node->values) BindExpr(symbols, value, soft);
        node->scope = BindInner(symbols, node->targets, node->body, nullptr);
        return;
      }
      case StmtKind::kScope: {
        auto* node = static_cast<ScopeStmt*>(stmt);
        node->scope = BindInner(symbols, {}, node->body, nullptr);
        return;
      }
    }
  }

  // A scope inside a function: its parameters, its body, and the filter that is applied to it.
  Scope BindInner(const Symbols& outer, ExprList targets, Body body, Expr* filter,
                  FunctionScope* function = nullptr) {
    Symbols symbols(&outer, function == nullptr ? outer.function() : function);
    for (Expr* target : targets) CollectTarget(symbols, target, true);
    CollectBody(symbols, body);
    CollectExpr(symbols, filter);
    for (Expr* target : targets) BindExpr(symbols, target, false);
    BindBody(symbols, body, false);
    BindExpr(symbols, filter, false);
    return symbols.Finish(arena_);
  }

  Expr* CloneTarget(const Expr* target) {
    if (target->kind == ExprKind::kName) {
      return arena_->New<NameExpr>(*static_cast<const NameExpr*>(target));
    }
    std::vector<Expr*> items;
    for (const Expr* item : static_cast<const ListExpr*>(target)->items) {
      items.push_back(CloneTarget(item));
    }
    return arena_->New<ListExpr>(*target, arena_->CopyArray(std::span<Expr* const>(items)));
  }

  void BindFor(const Symbols& outer, ForStmt* node, bool soft) {
    BindExpr(outer, node->iterable, soft);
    // The body of a recursive loop is a function that calls itself.
    FunctionScope own{};
    FunctionScope* function = outer.function();
    if (node->recursive) {
      node->function = arena_->New<Function>();
      own = {node->function, outer.function()->depth + 1};
      function = &own;
    }
    Symbols symbols(&outer, function);
    node->loop_slot = symbols.Declare("loop");
    CollectTarget(symbols, node->target, true);
    CollectBody(symbols, node->body);
    BindExpr(symbols, node->target, false);
    BindBody(symbols, node->body, false);
    node->body_scope = symbols.Finish(arena_);
    node->otherwise_scope = BindInner(outer, {}, node->otherwise, nullptr, function);
    if (node->test != nullptr) {
      // The filter sees the target, but neither the body's variables nor this loop's `loop`.
      node->test_target = CloneTarget(node->target);
      Expr* const targets[] = {node->test_target};
      node->test_scope = BindInner(outer, targets, {}, node->test, function);
    }
  }

  void BindMacro(const Symbols& outer, MacroDef* macro, int line) {
    macro->function = arena_->New<Function>();
    FunctionScope function{macro->function, outer.function()->depth + 1};
    Symbols symbols(&outer, &function);
    std::vector<uint32_t> slots;
    bool own_kwargs = false, own_varargs = false;
    for (size_t i = 0; i < macro->params.size(); ++i) {
      const std::string_view name = macro->params[i]->name;
      slots.push_back(symbols.Declare(name));
      own_kwargs = own_kwargs || name == "kwargs";
      own_varargs = own_varargs || name == "varargs";
    }
    macro->param_slots = arena_->CopyArray(std::span<const uint32_t>(slots));
    const UndeclaredFinder undeclared(macro->body);
    if (undeclared.caller()) {
      if (macro->explicit_caller && !HasDefault(*macro, "caller")) {
        ThrowSyntaxError(line,
                         "When defining macros or call blocks the special \"caller\" argument "
                         "must be omitted or be given a default.");
      }
      macro->caller_slot = symbols.Declare("caller");
    }
    if (undeclared.kwargs() && !own_kwargs) macro->kwargs_slot = symbols.Declare("kwargs");
    if (undeclared.varargs() && !own_varargs) macro->varargs_slot = symbols.Declare("varargs");
    for (Expr* value : macro->defaults) CollectExpr(symbols, value);
    CollectBody(symbols, macro->body);
    for (Expr* value : macro->defaults) BindExpr(symbols, value, false);
    BindBody(symbols, macro->body, false);
    macro->scope = symbols.Finish(arena_);
  }

  static bool HasDefault(const MacroDef& macro, std::string_view param) {
    const size_t first = macro.params.size() - macro.defaults.size();
    for (size_t i = first; i < macro.params.size(); ++i) {
      if (macro.params[i]->name == param) return true;
    }
    return false;
  }

  Arena* arena_;
};

}  // namespace

void ResolveVariables(TemplateAst* ast, Arena* arena) { Resolver(arena).Run(ast); }

}  // namespace rocforge::text::chat
