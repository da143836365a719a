// Literals, names, subscripts, calls, filters, tests and targets (expression_parser.h).
#include <algorithm>
#include <iterator>

#include "base/format.h"
#include "text/chat/expression_parser.h"

namespace rocforge::text::chat {

Expr* ExpressionParser::ParsePrimary() {
  const Token& token = Current();
  const int line = token.line;
  switch (token.type) {
    case TokenType::kName: {
      const std::string_view name = Next().text;
      Value constant;
      if (name == "true" || name == "True") constant = Value::Bool(true);
      if (name == "false" || name == "False") constant = Value::Bool(false);
      if (name == "none" || name == "None") constant = Value::None();
      if (constant.is_missing()) return Make<NameExpr>(ExprKind::kName, line, {}, name);
      return Make<ConstExpr>(ExprKind::kConst, line, {}, constant);
    }
    case TokenType::kString: {
      std::string_view text = Next().text;
      if (Is(TokenType::kString)) {  // adjacent strings are one
        std::string joined(text);
        while (Is(TokenType::kString)) joined += Next().text;
        text = arena_->CopyString(joined);
      }
      return Make<ConstExpr>(ExprKind::kConst, line, {}, Value::String(text));
    }
    case TokenType::kInteger:
    case TokenType::kFloat:
      return Make<ConstExpr>(ExprKind::kConst, line, {}, Next().number);
    case TokenType::kLeftParen: {
      Next();
      Expr* expr = ParseTuple(true, TupleEnd::kNone, true);
      Expect(TokenType::kRightParen);
      return expr;
    }
    case TokenType::kLeftBracket:
      return ParseList();
    case TokenType::kLeftBrace:
      return ParseDict();
    default:
      Fail(Format("unexpected '{}'", EscapeForTerminal(Describe(token), 60)));
  }
}

bool ExpressionParser::AtTupleEnd(TupleEnd end) const {
  switch (Current().type) {
    case TokenType::kVariableEnd:
    case TokenType::kBlockEnd:
    case TokenType::kRightParen:
      return true;
    default:
      return (end == TupleEnd::kIn && IsName("in")) ||
             (end == TupleEnd::kRecursive && IsName("recursive"));
  }
}

Expr* ExpressionParser::ParseTuple(bool with_conditional, TupleEnd end, bool parenthesised) {
  const int line = Current().line;
  std::vector<Expr*> items;
  bool is_tuple = false;
  for (;;) {
    if (!items.empty()) Expect(TokenType::kComma);
    if (AtTupleEnd(end)) break;
    items.push_back(ParseExpression(with_conditional));
    if (!Is(TokenType::kComma)) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!items.empty()) return items[0];
    if (!parenthesised) {
      Fail(Format("Expected an expression, got '{}'", EscapeForTerminal(Describe(Current()), 60)));
    }
  }
  return MakeFromDepth<ListExpr>(ExprKind::kTuple, line, DepthOf(items), KeepPointers(items));
}

Expr* ExpressionParser::ParseList() {
  const int line = Expect(TokenType::kLeftBracket).line;
  std::vector<Expr*> items;
  while (!Is(TokenType::kRightBracket)) {
    if (!items.empty()) Expect(TokenType::kComma);
    if (Is(TokenType::kRightBracket)) break;
    items.push_back(ParseExpression());
  }
  Expect(TokenType::kRightBracket);
  return MakeFromDepth<ListExpr>(ExprKind::kList, line, DepthOf(items), KeepPointers(items));
}

Expr* ExpressionParser::ParseDict() {
  const int line = Expect(TokenType::kLeftBrace).line;
  std::vector<Expr*> keys, values;
  while (!Is(TokenType::kRightBrace)) {
    if (!keys.empty()) Expect(TokenType::kComma);
    if (Is(TokenType::kRightBrace)) break;
    keys.push_back(ParseExpression());
    Expect(TokenType::kColon);
    values.push_back(ParseExpression());
  }
  Expect(TokenType::kRightBrace);
  return MakeFromDepth<DictExpr>(ExprKind::kDict, line, std::max(DepthOf(keys), DepthOf(values)),
                                 KeepPointers(keys), KeepPointers(values));
}

Expr* ExpressionParser::ParsePostfix(Expr* expr) {
  for (;;) {
    if (Is(TokenType::kDot) || Is(TokenType::kLeftBracket)) {
      expr = ParseSubscript(expr);
    } else if (Is(TokenType::kLeftParen)) {
      const int line = Current().line;
      const CallArgs args = ParseCallArgs();
      expr = MakeFromDepth<CallExpr>(ExprKind::kCall, line,
                                     std::max<size_t>(expr->depth, DepthOf(args)), expr, args);
    } else {
      return expr;
    }
  }
}

Expr* ExpressionParser::ParseFiltersAndTests(Expr* expr) {
  for (;;) {
    if (Is(TokenType::kPipe)) {
      expr = ParseFilters(expr, false);
    } else if (IsName("is")) {
      expr = ParseTest(expr);
    } else if (Is(TokenType::kLeftParen)) {
      const int line = Current().line;
      const CallArgs args = ParseCallArgs();
      expr = MakeFromDepth<CallExpr>(ExprKind::kCall, line,
                                     std::max<size_t>(expr->depth, DepthOf(args)), expr, args);
    } else {
      return expr;
    }
  }
}

// A name with dots: filters of extensions are called so; none of ours is, but the error should name
// it whole.
std::string ExpressionParser::ParseDottedName() {
  std::string name(Expect(TokenType::kName).text);
  while (SkipIf(TokenType::kDot)) name.append(".").append(Expect(TokenType::kName).text);
  return name;
}

Expr* ExpressionParser::ParseFilters(Expr* value, bool inline_start) {
  while (inline_start || Is(TokenType::kPipe)) {
    if (!inline_start) Next();
    inline_start = false;
    const int line = Current().line;
    const std::string_view name = arena_->CopyString(ParseDottedName());
    CallArgs args;
    if (Is(TokenType::kLeftParen)) args = ParseCallArgs();
    const size_t depth = std::max<size_t>(value == nullptr ? 0 : value->depth, DepthOf(args));
    value = MakeFromDepth<FilterExpr>(ExprKind::kFilter, line, depth, value, name, args,
                                      FindFilter(name));
  }
  return value;
}

Expr* ExpressionParser::ParseTest(Expr* expr) {
  const int line = Next().line;
  const bool negated = SkipIfName("not");
  const std::string_view name = arena_->CopyString(ParseDottedName());
  CallArgs args;
  switch (Current().type) {
    case TokenType::kLeftParen:
      args = ParseCallArgs();
      break;
    case TokenType::kName:
      if (IsName("else") || IsName("or") || IsName("and")) break;
      if (IsName("is")) Fail("You cannot chain multiple tests with is");
      [[fallthrough]];
    case TokenType::kString:
    case TokenType::kInteger:
    case TokenType::kFloat:
    case TokenType::kLeftBracket:
    case TokenType::kLeftBrace: {
      const NestingGuard guard(*this);
      const std::vector<Expr*> argument = {ParsePostfix(ParsePrimary())};
      args.positional = KeepPointers(argument);
      break;
    }
    default:
      break;
  }
  Expr* test =
      MakeFromDepth<TestExpr>(ExprKind::kTest, line, std::max<size_t>(expr->depth, DepthOf(args)),
                              expr, name, args, FindTest(name));
  return negated ? Make<UnaryExpr>(ExprKind::kNot, line, {test}, test) : test;
}

Expr* ExpressionParser::ParseSubscript(Expr* object) {
  const Token& token = Next();
  const int line = token.line;
  if (token.type == TokenType::kDot) {
    const Token& attribute = Next();
    if (attribute.type == TokenType::kName) {
      return Make<GetAttrExpr>(ExprKind::kGetAttr, line, {object}, object, attribute.text);
    }
    if (attribute.type != TokenType::kInteger) {
      ThrowSyntaxError(attribute.line, "expected name or number");
    }
    Expr* key = Make<ConstExpr>(ExprKind::kConst, line, {}, attribute.number);
    return Make<GetItemExpr>(ExprKind::kGetItem, line, {object}, object, key);
  }
  Expr* first = Is(TokenType::kColon) ? nullptr : ParseExpression();
  if (Is(TokenType::kColon)) {
    Expr* slice = ParseSlice(object, line);
    static_cast<SliceExpr*>(slice)->start = first;
    if (first != nullptr) {
      slice->depth = std::max(slice->depth, static_cast<uint16_t>(first->depth + 1));
    }
    Expect(TokenType::kRightBracket);
    return slice;
  }
  std::vector<Expr*> keys = {first};
  const bool is_tuple = Is(TokenType::kComma);
  while (SkipIf(TokenType::kComma)) {
    if (Is(TokenType::kRightBracket)) break;
    keys.push_back(ParseExpression());
  }
  Expect(TokenType::kRightBracket);
  Expr* key = !is_tuple ? first
                        : MakeFromDepth<ListExpr>(ExprKind::kTuple, line, DepthOf(keys),
                                                  KeepPointers(keys));
  return Make<GetItemExpr>(ExprKind::kGetItem, line, {object, key}, object, key);
}

// From the first colon on; the caller knows the start.
Expr* ExpressionParser::ParseSlice(Expr* object, int line) {
  const auto bound = [&]() -> Expr* {
    const bool absent = Is(TokenType::kColon) || Is(TokenType::kRightBracket);
    return absent ? nullptr : ParseExpression();
  };
  Expect(TokenType::kColon);
  Expr* stop = bound();
  Expr* step = SkipIf(TokenType::kColon) ? bound() : nullptr;
  Expr* start = nullptr;
  return Make<SliceExpr>(ExprKind::kSlice, line, {object, stop, step}, object, start, stop, step);
}

CallArgs ExpressionParser::ParseCallArgs() {
  const int line = Expect(TokenType::kLeftParen).line;
  const auto ensure = [&](bool condition) {
    if (!condition) ThrowSyntaxError(line, "invalid syntax for function call expression");
  };
  std::vector<Expr*> positional;
  std::vector<NamedExpr> named;
  CallArgs args;
  bool first = true;
  while (!Is(TokenType::kRightParen)) {
    if (!first) {
      Expect(TokenType::kComma);
      if (Is(TokenType::kRightParen)) break;
    }
    first = false;
    if (SkipIf(TokenType::kMul)) {
      ensure(args.extra_positional == nullptr && args.extra_named == nullptr);
      args.extra_positional = ParseExpression();
    } else if (SkipIf(TokenType::kPow)) {
      ensure(args.extra_named == nullptr);
      args.extra_named = ParseExpression();
    } else if (Is(TokenType::kName) && Look().type == TokenType::kAssign) {
      ensure(args.extra_named == nullptr);
      const std::string_view name = Next().text;
      Next();
      named.push_back({name, ParseExpression()});
    } else {
      ensure(args.extra_positional == nullptr && args.extra_named == nullptr && named.empty());
      positional.push_back(ParseExpression());
    }
  }
  Expect(TokenType::kRightParen);
  args.positional = KeepPointers(positional);
  args.named = Keep(named);
  return args;
}

NameExpr* ExpressionParser::ParseNameTarget() {
  const Token& token = Expect(TokenType::kName);
  constexpr std::string_view kReserved[] = {"true", "false", "none", "True", "False", "None"};
  if (std::find(std::begin(kReserved), std::end(kReserved), token.text) != std::end(kReserved)) {
    ThrowSyntaxError(token.line, "can't assign to 'const'");
  }
  if (token.text == "loop" && loops_ > 0) {
    ThrowSyntaxError(token.line, "Can't assign to special loop variable in for-loop target");
  }
  return Make<NameExpr>(ExprKind::kName, token.line, {}, token.text);
}

Expr* ExpressionParser::ParseTargetItem(bool with_namespace) {
  if (SkipIf(TokenType::kLeftParen)) {
    const NestingGuard guard(*this);
    Expr* target = ParseTarget(with_namespace, TupleEnd::kNone);
    Expect(TokenType::kRightParen);
    return target;
  }
  if (!Is(TokenType::kName)) {
    Fail(Format("can't assign to '{}'", EscapeForTerminal(Describe(Current()), 60)));
  }
  if (with_namespace && Look().type == TokenType::kDot) {
    const Token& name = Next();
    Next();
    const std::string_view attribute = Expect(TokenType::kName).text;
    return Make<NamespaceAttrExpr>(ExprKind::kNamespaceAttr, name.line, {}, name.text, attribute);
  }
  return ParseNameTarget();
}

Expr* ExpressionParser::ParseTarget(bool with_namespace, TupleEnd end) {
  const int line = Current().line;
  std::vector<Expr*> items;
  bool is_tuple = false;
  while (!AtTupleEnd(end)) {
    items.push_back(ParseTargetItem(with_namespace));
    if (!SkipIf(TokenType::kComma)) break;
    is_tuple = true;
  }
  if (items.empty()) {
    Fail(Format("Expected an expression, got '{}'", EscapeForTerminal(Describe(Current()), 60)));
  }
  if (!is_tuple) return items[0];
  return MakeFromDepth<ListExpr>(ExprKind::kTuple, line, DepthOf(items), KeepPointers(items));
}

}  // namespace rocforge::text::chat
