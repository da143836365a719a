#include "text/chat/expression_parser.h"

#include <algorithm>

#include "base/format.h"

namespace rocforge::text::chat {

bool ExpressionParser::SkipIf(TokenType type) {
  if (!Is(type)) return false;
  Next();
  return true;
}

bool ExpressionParser::SkipIfName(std::string_view name) {
  if (!IsName(name)) return false;
  Next();
  return true;
}

const Token& ExpressionParser::Expect(TokenType type) {
  if (!Is(type)) {
    if (Is(TokenType::kEnd)) {
      Fail(Format("unexpected end of template, expected '{}'.", Describe(type)));
    }
    Fail(Format("expected token '{}', got '{}'", Describe(type),
                EscapeForTerminal(Describe(Current()), 60)));
  }
  return Next();
}

void ExpressionParser::Fail(std::string_view message) const {
  ThrowSyntaxError(Current().line, message);
}

size_t ExpressionParser::DepthOf(ExprList items) {
  size_t depth = 0;
  for (const Expr* item : items) depth = std::max<size_t>(depth, item->depth);
  return depth;
}

size_t ExpressionParser::DepthOf(const CallArgs& args) {
  size_t depth = DepthOf(args.positional);
  for (const NamedExpr& named : args.named) depth = std::max<size_t>(depth, named.value->depth);
  for (const Expr* extra : {args.extra_positional, args.extra_named}) {
    if (extra != nullptr) depth = std::max<size_t>(depth, extra->depth);
  }
  return depth;
}

Expr* ExpressionParser::ParseExpression(bool with_conditional) {
  const NestingGuard guard(*this);
  return with_conditional ? ParseConditional() : ParseOr();
}

Expr* ExpressionParser::ParseConditional() {
  int line = Current().line;
  Expr* value = ParseOr();
  while (SkipIfName("if")) {
    Expr* test = ParseOr();
    Expr* otherwise = nullptr;
    if (SkipIfName("else")) {
      const NestingGuard guard(*this);
      otherwise = ParseConditional();
    }
    value = Make<ConditionalExpr>(ExprKind::kConditional, line, {value, test, otherwise}, test,
                                  value, otherwise);
    line = Current().line;
  }
  return value;
}

Expr* ExpressionParser::ParseOr() {
  const int line = Current().line;
  Expr* left = ParseAnd();
  while (SkipIfName("or")) {
    Expr* right = ParseAnd();
    left = Make<BinaryExpr>(ExprKind::kOr, line, {left, right}, BinaryOp::kAdd, left, right);
  }
  return left;
}

Expr* ExpressionParser::ParseAnd() {
  const int line = Current().line;
  Expr* left = ParseNot();
  while (SkipIfName("and")) {
    Expr* right = ParseNot();
    left = Make<BinaryExpr>(ExprKind::kAnd, line, {left, right}, BinaryOp::kAdd, left, right);
  }
  return left;
}

Expr* ExpressionParser::ParseNot() {
  if (!IsName("not")) return ParseCompare();
  const NestingGuard guard(*this);
  const int line = Next().line;
  Expr* operand = ParseNot();
  return Make<UnaryExpr>(ExprKind::kNot, line, {operand}, operand);
}

// The comparison operator at the current token, which it skips.
bool ExpressionParser::ParseCompareOp(CompareOp* op) {
  switch (Current().type) {
    case TokenType::kEq:
      *op = CompareOp::kEq;
      break;
    case TokenType::kNe:
      *op = CompareOp::kNe;
      break;
    case TokenType::kLt:
      *op = CompareOp::kLt;
      break;
    case TokenType::kLtEq:
      *op = CompareOp::kLe;
      break;
    case TokenType::kGt:
      *op = CompareOp::kGt;
      break;
    case TokenType::kGtEq:
      *op = CompareOp::kGe;
      break;
    default:
      if (IsName("in")) {
        *op = CompareOp::kIn;
      } else if (IsName("not") && Look().type == TokenType::kName && Look().text == "in") {
        Next();
        *op = CompareOp::kNotIn;
      } else {
        return false;
      }
  }
  Next();
  return true;
}

Expr* ExpressionParser::ParseCompare() {
  const int line = Current().line;
  Expr* first = ParseSum();
  std::vector<Comparison> rest;
  size_t depth = first->depth;
  for (CompareOp op; ParseCompareOp(&op);) {
    rest.push_back({op, ParseSum()});
    depth = std::max<size_t>(depth, rest.back().operand->depth);
  }
  if (rest.empty()) return first;
  return MakeFromDepth<CompareExpr>(ExprKind::kCompare, line, depth, first, Keep(rest));
}

Expr* ExpressionParser::ParseSum() {
  const int line = Current().line;
  Expr* left = ParseConcat();
  while (Is(TokenType::kAdd) || Is(TokenType::kSub)) {
    const BinaryOp op = Next().type == TokenType::kAdd ? BinaryOp::kAdd : BinaryOp::kSub;
    Expr* right = ParseConcat();
    left = Make<BinaryExpr>(ExprKind::kBinary, line, {left, right}, op, left, right);
  }
  return left;
}

Expr* ExpressionParser::ParseConcat() {
  const int line = Current().line;
  std::vector<Expr*> items = {ParseProduct()};
  while (SkipIf(TokenType::kTilde)) items.push_back(ParseProduct());
  if (items.size() == 1) return items[0];
  return MakeFromDepth<ListExpr>(ExprKind::kConcat, line, DepthOf(items), KeepPointers(items));
}

Expr* ExpressionParser::ParseProduct() {
  const int line = Current().line;
  Expr* left = ParsePower();
  for (;;) {
    BinaryOp op;
    switch (Current().type) {
      case TokenType::kMul:
        op = BinaryOp::kMul;
        break;
      case TokenType::kDiv:
        op = BinaryOp::kDiv;
        break;
      case TokenType::kFloorDiv:
        op = BinaryOp::kFloorDiv;
        break;
      case TokenType::kMod:
        op = BinaryOp::kMod;
        break;
      default:
        return left;
    }
    Next();
    Expr* right = ParsePower();
    left = Make<BinaryExpr>(ExprKind::kBinary, line, {left, right}, op, left, right);
  }
}

Expr* ExpressionParser::ParsePower() {
  const int line = Current().line;
  Expr* left = ParseUnary(true);
  while (SkipIf(TokenType::kPow)) {
    Expr* right = ParseUnary(true);
    left = Make<BinaryExpr>(ExprKind::kBinary, line, {left, right}, BinaryOp::kPow, left, right);
  }
  return left;
}

Expr* ExpressionParser::ParseUnary(bool with_filter) {
  const int line = Current().line;
  Expr* expr;
  if (Is(TokenType::kSub) || Is(TokenType::kAdd)) {
    const NestingGuard guard(*this);
    const ExprKind kind = Next().type == TokenType::kSub ? ExprKind::kNegate : ExprKind::kPlus;
    Expr* operand = ParseUnary(false);
    expr = Make<UnaryExpr>(kind, line, {operand}, operand);
  } else {
    expr = ParsePrimary();
  }
  expr = ParsePostfix(expr);
  return with_filter ? ParseFiltersAndTests(expr) : expr;
}

}  // namespace rocforge::text::chat
