// The parsed template. Nodes live in the template's arena; the parser makes them, the resolver
// fills in where variables are kept, and then they are never changed.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "text/chat/filters.h"
#include "text/chat/ops.h"
#include "text/chat/value.h"

namespace rocforge::text::chat {

// Where a variable is kept: slot `index` of the frame `hops` functions further out (0: this one).
struct SlotRef {
  uint32_t hops = 0;
  uint32_t index = 0;
};

// What happens to a variable when its scope is entered.
struct SlotLoad {
  enum class What : uint8_t {
    kResolve,  // look the name up in the input variables and the globals
    kAlias,    // copy the outer variable of the same name
    kUnset,    // nothing yet
  };
  What what;
  uint32_t slot;
  std::string_view name;
  SlotRef outer{};
};

struct Scope {
  std::span<const SlotLoad> loads;
};

// Code with a frame of its own: the template, a macro, a recursive loop.
struct Function {
  uint32_t n_slots = 0;
};

enum class ExprKind : uint8_t {
  kConst,
  kName,
  kNamespaceAttr,
  kList,
  kTuple,
  kDict,
  kNot,
  kNegate,
  kPlus,
  kBinary,
  kAnd,
  kOr,
  kCompare,
  kConcat,
  kConditional,
  kGetAttr,
  kGetItem,
  kSlice,
  kCall,
  kFilter,
  kTest,
};

struct Expr {
  ExprKind kind;
  uint16_t depth;  // 1 + that of the deepest child; bounded by the parser
  int line;
};
using ExprList = std::span<Expr* const>;

struct ConstExpr : Expr {
  Value value;
};
struct NameExpr : Expr {
  std::string_view name;
  SlotRef slot{};
};
// Target of `set ns.attr = ...`.
struct NamespaceAttrExpr : Expr {
  std::string_view name;
  std::string_view attr;
  SlotRef slot{};
};
struct ListExpr : Expr {  // also kTuple, kConcat
  ExprList items;
};
struct DictExpr : Expr {
  ExprList keys;
  ExprList values;
};
struct UnaryExpr : Expr {  // kNot, kNegate, kPlus
  Expr* operand;
};
struct BinaryExpr : Expr {  // kBinary, kAnd, kOr
  BinaryOp op;
  Expr* left;
  Expr* right;
};
enum class CompareOp : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn };
struct Comparison {
  CompareOp op;
  Expr* operand;
};
struct CompareExpr : Expr {
  Expr* first;
  std::span<const Comparison> rest;
};
struct ConditionalExpr : Expr {
  Expr* test;
  Expr* then;
  Expr* otherwise;  // may be null
};
struct GetAttrExpr : Expr {
  Expr* object;
  std::string_view name;
};
struct GetItemExpr : Expr {
  Expr* object;
  Expr* key;
};
struct SliceExpr : Expr {
  Expr* object;
  Expr* start;  // these may be null
  Expr* stop;
  Expr* step;
};
struct NamedExpr {
  std::string_view name;
  Expr* value;
};
struct CallArgs {
  ExprList positional;
  std::span<const NamedExpr> named;
  Expr* extra_positional = nullptr;  // *args
  Expr* extra_named = nullptr;       // **kwargs
};
struct CallExpr : Expr {
  Expr* callee;
  CallArgs args;
};
struct FilterExpr : Expr {
  Expr* value;  // null: the text that a filter block or a set block has captured
  std::string_view name;
  CallArgs args;
  const FilterInfo* filter = nullptr;  // null: unknown, an error once it is reached
};
struct TestExpr : Expr {
  Expr* value;
  std::string_view name;
  CallArgs args;
  const TestInfo* test = nullptr;  // as above
};

enum class StmtKind : uint8_t {
  kData,
  kPrint,
  kIf,
  kFor,
  kSet,
  kSetBlock,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kWith,
  kScope,
  kBreak,
  kContinue,
};

struct Stmt {
  StmtKind kind;
  int line;
};
using Body = std::span<Stmt* const>;

struct DataStmt : Stmt {
  std::string_view text;
};
struct PrintStmt : Stmt {
  Expr* value;
};
struct IfBranch {
  Expr* test;
  Body body;
};
struct IfStmt : Stmt {
  std::span<const IfBranch> branches;  // if, elif...
  Body otherwise;
};
struct ForStmt : Stmt {
  Expr* target;
  Expr* iterable;
  Expr* test;  // null without a filter
  Body body;
  Body otherwise;
  bool recursive;
  Expr* test_target = nullptr;   // the target once more, as the filter sees it
  Function* function = nullptr;  // of a recursive loop
  uint32_t loop_slot = 0;
  Scope body_scope{};
  Scope test_scope{};
  Scope otherwise_scope{};
};
struct SetStmt : Stmt {
  Expr* target;
  Expr* value;
};
struct SetBlockStmt : Stmt {
  Expr* target;
  Expr* filter;  // null, or a chain of filters that ends in a null value
  Body body;
  Scope scope{};
};
// A macro, or the body of a call block (without a name).
struct MacroDef {
  std::string_view name;
  std::span<NameExpr* const> params;
  ExprList defaults;  // of the last params
  Body body;
  std::span<const Value> param_names;
  Function* function = nullptr;
  Scope scope{};
  std::span<const uint32_t> param_slots{};
  // Slots of the special variables, kUnused where the body does not mention them.
  static constexpr uint32_t kUnused = UINT32_MAX;
  uint32_t caller_slot = kUnused;
  uint32_t kwargs_slot = kUnused;
  uint32_t varargs_slot = kUnused;
  bool explicit_caller = false;  // a parameter is called so
};
struct MacroStmt : Stmt {
  MacroDef* macro;
  SlotRef slot{};
};
struct CallBlockStmt : Stmt {
  CallExpr* call;
  MacroDef* caller;
};
struct FilterBlockStmt : Stmt {
  Expr* filter;
  Body body;
  Scope scope{};
};
struct WithStmt : Stmt {
  ExprList targets;
  ExprList values;
  Body body;
  Scope scope{};
};
// `generation`: a scope, nothing else.
struct ScopeStmt : Stmt {
  Body body;
  Scope scope{};
};

struct TemplateAst {
  Body body;
  Function function;
  Scope scope;
};

}  // namespace rocforge::text::chat
