// The expression half of the parser: a recursive descent over the tokens, precedence as in Jinja.
// expression_parser.cc has the operators, primary_parser.cc what they are applied to.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat/arena.h"
#include "text/chat/ast.h"
#include "text/chat/lexer.h"

namespace rocforge::text::chat {

class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, Arena* arena)
      : tokens_(std::move(tokens)), arena_(arena) {}

 protected:
  // Where a tuple without parentheses ends besides at a closing token.
  enum class TupleEnd { kNone, kIn, kRecursive };

  const Token& Current() const { return tokens_[at_]; }
  const Token& Look() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& Next() { return at_ + 1 < tokens_.size() ? tokens_[at_++] : tokens_[at_]; }
  bool Is(TokenType type) const { return Current().type == type; }
  bool IsName(std::string_view name) const {
    return Is(TokenType::kName) && Current().text == name;
  }
  bool SkipIf(TokenType type);
  bool SkipIfName(std::string_view name);
  const Token& Expect(TokenType type);
  [[noreturn]] void Fail(std::string_view message) const;

  Expr* ParseExpression(bool with_conditional = true);
  // One expression, or several with commas: a tuple.
  Expr* ParseTuple(bool with_conditional, TupleEnd end, bool parenthesised);
  Expr* ParsePrimary();
  CallArgs ParseCallArgs();
  // The filters behind `value`; with `inline_start` the first one's name comes without a pipe.
  Expr* ParseFilters(Expr* value, bool inline_start);
  // Names, tuples of names and, where allowed, ns.attr.
  Expr* ParseTarget(bool with_namespace, TupleEnd end);
  NameExpr* ParseNameTarget();

  template <typename T>
  std::span<const T> Keep(const std::vector<T>& items) {
    return arena_->CopyArray(std::span<const T>(items));
  }
  template <typename T>
  std::span<T* const> KeepPointers(const std::vector<T*>& items) {
    return arena_->CopyArray(std::span<T* const>(items));
  }

  // Guards the parser's own recursion.
  class NestingGuard {
   public:
    explicit NestingGuard(ExpressionParser& parser) : parser_(parser) {
      if (++parser_.nesting_ > kMaxNesting) parser_.Fail("the template is nested too deeply");
    }
    ~NestingGuard() { --parser_.nesting_; }
    NestingGuard(const NestingGuard&) = delete;
    NestingGuard& operator=(const NestingGuard&) = delete;

   private:
    ExpressionParser& parser_;
  };

  Arena* arena() { return arena_; }
  int loops() const { return loops_; }
  void set_loops(int loops) { loops_ = loops; }

 private:
  static constexpr int kMaxNesting = 200;
  static constexpr size_t kMaxDepth = 800;

  // Makes a node; its depth is one more than the deepest of `children` (null ones do not count).
  template <typename T, typename... Fields>
  T* Make(ExprKind kind, int line, std::initializer_list<const Expr*> children, Fields&&... fields);
  template <typename T, typename... Fields>
  T* MakeFromDepth(ExprKind kind, int line, size_t child_depth, Fields&&... fields);
  static size_t DepthOf(ExprList items);
  static size_t DepthOf(const CallArgs& args);

  Expr* ParseConditional();
  Expr* ParseOr();
  Expr* ParseAnd();
  Expr* ParseNot();
  Expr* ParseCompare();
  bool ParseCompareOp(CompareOp* op);
  Expr* ParseSum();
  Expr* ParseConcat();
  Expr* ParseProduct();
  Expr* ParsePower();
  Expr* ParseUnary(bool with_filter);
  Expr* ParsePostfix(Expr* expr);
  Expr* ParseFiltersAndTests(Expr* expr);
  Expr* ParseTest(Expr* expr);
  Expr* ParseSubscript(Expr* object);
  Expr* ParseSlice(Expr* object, int line);
  Expr* ParseList();
  Expr* ParseDict();
  Expr* ParseTargetItem(bool with_namespace);
  bool AtTupleEnd(TupleEnd end) const;
  std::string ParseDottedName();

  std::vector<Token> tokens_;
  size_t at_ = 0;
  Arena* arena_;
  int nesting_ = 0;
  int loops_ = 0;  // for loops around the current place
};

template <typename T, typename... Fields>
T* ExpressionParser::MakeFromDepth(ExprKind kind, int line, size_t child_depth,
                                   Fields&&... fields) {
  if (child_depth >= kMaxDepth) {
    ThrowSyntaxError(line, "the expression is too long or nested too deeply");
  }
  return arena_->New<T>(Expr{kind, static_cast<uint16_t>(child_depth + 1), line},
                        std::forward<Fields>(fields)...);
}

template <typename T, typename... Fields>
T* ExpressionParser::Make(ExprKind kind, int line, std::initializer_list<const Expr*> children,
                          Fields&&... fields) {
  size_t depth = 0;
  for (const Expr* child : children) {
    if (child != nullptr) depth = std::max<size_t>(depth, child->depth);
  }
  return MakeFromDepth<T>(kind, line, depth, std::forward<Fields>(fields)...);
}

}  // namespace rocforge::text::chat
