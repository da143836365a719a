#include "text/chat/parser.h"

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "base/format.h"
#include "text/chat/expression_parser.h"

namespace rocforge::text::chat {

namespace {

using EndTags = std::initializer_list<std::string_view>;

class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  TemplateAst* Parse() {
    auto* ast = arena()->New<TemplateAst>();
    ast->body = ParseBody({});
    return ast;
  }

 private:
  template <typename T, typename... Fields>
  T* MakeStmt(StmtKind kind, int line, Fields&&... fields) {
    return arena()->New<T>(Stmt{kind, line}, std::forward<Fields>(fields)...);
  }

  // Statements up to a block tag that starts with one of `ends`, whose name is then the current
  // token; with no ends, to the end of the template.
  Body ParseBody(EndTags ends) {
    const NestingGuard guard(*this);
    std::vector<Stmt*> body;
    for (;;) {
      const Token& token = Current();
      switch (token.type) {
        case TokenType::kData:
          body.push_back(MakeStmt<DataStmt>(StmtKind::kData, token.line, Next().text));
          break;
        case TokenType::kVariableBegin: {
          const int line = Next().line;
          Expr* value = ParseTuple(true, TupleEnd::kNone, false);
          body.push_back(MakeStmt<PrintStmt>(StmtKind::kPrint, line, value));
          Expect(TokenType::kVariableEnd);
          break;
        }
        case TokenType::kBlockBegin:
          Next();
          if (Is(TokenType::kName) &&
              std::find(ends.begin(), ends.end(), Current().text) != ends.end()) {
            return KeepPointers(body);
          }
          ParseStatement(ends, &body);
          Expect(TokenType::kBlockEnd);
          break;
        case TokenType::kEnd:
          if (ends.size() == 0) return KeepPointers(body);
          Fail(
              Format("Unexpected end of template. Jinja was looking for the following tags: {}. "
                     "The innermost block that needs to be closed is '{}' (line {}).",
                     Alternatives(ends), open_tags_.back().text, open_tags_.back().line));
        default:
          Fail(Format("unexpected '{}'", EscapeForTerminal(Describe(token), 60)));
      }
    }
  }

  static std::string Alternatives(EndTags ends) {
    std::string out;
    for (std::string_view end : ends) {
      if (!out.empty()) out += " or ";
      out += Format("'{}'", end);
    }
    return out;
  }

  // The body of a statement whose tag is about to end.
  Body ParseTagBody(EndTags ends) {
    SkipIf(TokenType::kColon);
    Expect(TokenType::kBlockEnd);
    return ParseBody(ends);
  }

  void ParseStatement(EndTags ends, std::vector<Stmt*>* body) {
    if (!Is(TokenType::kName)) Fail("tag name expected");
    open_tags_.push_back(Current());
    ParseTag(ends, body);
    open_tags_.pop_back();
  }

  void ParseTag(EndTags ends, std::vector<Stmt*>* body) {
    const std::string_view tag = Current().text;
    if (tag == "if") return body->push_back(ParseIf());
    if (tag == "for") return body->push_back(ParseFor());
    if (tag == "set") return body->push_back(ParseSet());
    if (tag == "macro") return body->push_back(ParseMacro());
    if (tag == "call") return body->push_back(ParseCallBlock());
    if (tag == "filter") return body->push_back(ParseFilterBlock());
    if (tag == "with") return body->push_back(ParseWith());
    if (tag == "print") return ParsePrint(body);
    if (tag == "break" || tag == "continue") return body->push_back(ParseLoopControl());
    if (tag == "generation") return body->push_back(ParseGeneration());
    for (std::string_view unsupported :
         {"include", "import", "from", "extends", "block", "autoescape"}) {
      if (tag == unsupported) {
        throw TemplateError{StatusCode::kUnsupported,
                            Format("line {}: the tag '{}' is not supported in chat templates",
                                   Current().line, tag)};
      }
    }
    std::string message = Format("Encountered unknown tag '{}'.", EscapeForTerminal(tag, 60));
    if (ends.size() > 0) {
      message += Format(" Jinja was looking for the following tags: {}.", Alternatives(ends));
    }
    Fail(message);
  }

  Stmt* ParseIf() {
    const int line = Current().line;
    std::vector<IfBranch> branches;
    Body otherwise;
    for (;;) {
      Next();  // if, elif
      Expr* test = ParseTuple(false, TupleEnd::kNone, false);
      branches.push_back({test, ParseTagBody({"elif", "else", "endif"})});
      if (IsName("elif")) continue;
      if (Next().text == "else") {
        otherwise = ParseTagBody({"endif"});
        Next();
      }
      return MakeStmt<IfStmt>(StmtKind::kIf, line, Keep(branches), otherwise);
    }
  }

  Stmt* ParseFor() {
    const int line = Next().line;
    set_loops(loops() + 1);
    Expr* target = ParseTarget(false, TupleEnd::kIn);
    if (!SkipIfName("in")) {
      Fail(Format("expected token 'in', got '{}'", EscapeForTerminal(Describe(Current()), 60)));
    }
    Expr* iterable = ParseTuple(false, TupleEnd::kRecursive, false);
    Expr* test = SkipIfName("if") ? ParseExpression() : nullptr;
    const bool recursive = SkipIfName("recursive");
    ++breakable_;
    const Body body = ParseTagBody({"endfor", "else"});
    --breakable_;
    Body otherwise;
    if (Next().text == "else") {
      otherwise = ParseTagBody({"endfor"});
      Next();
    }
    set_loops(loops() - 1);
    return MakeStmt<ForStmt>(StmtKind::kFor, line, target, iterable, test, body, otherwise,
                             recursive);
  }

  Stmt* ParseLoopControl() {
    const Token& token = Next();
    if (breakable_ == 0) {
      ThrowSyntaxError(token.line, Format("'{}' outside of a loop", token.text));
    }
    return MakeStmt<Stmt>(token.text == "break" ? StmtKind::kBreak : StmtKind::kContinue,
                          token.line);
  }

  Stmt* ParseSet() {
    const int line = Next().line;
    Expr* target = ParseTarget(true, TupleEnd::kNone);
    if (SkipIf(TokenType::kAssign)) {
      Expr* value = ParseTuple(true, TupleEnd::kNone, false);
      return MakeStmt<SetStmt>(StmtKind::kSet, line, target, value);
    }
    Expr* filter = Is(TokenType::kPipe) ? ParseFilters(nullptr, false) : nullptr;
    const Body body = ParseTagBody({"endset"});
    Next();
    return MakeStmt<SetBlockStmt>(StmtKind::kSetBlock, line, target, filter, body);
  }

  void ParseSignature(std::vector<NameExpr*>* params, std::vector<Expr*>* defaults) {
    Expect(TokenType::kLeftParen);
    while (!Is(TokenType::kRightParen)) {
      if (!params->empty()) Expect(TokenType::kComma);
      params->push_back(ParseNameTarget());
      if (SkipIf(TokenType::kAssign)) {
        defaults->push_back(ParseExpression());
      } else if (!defaults->empty()) {
        Fail("non-default argument follows default argument");
      }
    }
    Expect(TokenType::kRightParen);
  }

  // A break cannot leave a macro, nor the body of a call block.
  MacroDef* FinishMacro(std::string_view name, const std::vector<NameExpr*>& params,
                        const std::vector<Expr*>& defaults, EndTags end) {
    const int outer_breakable = std::exchange(breakable_, 0);
    const Body body = ParseTagBody(end);
    Next();
    breakable_ = outer_breakable;
    std::vector<Value> names;
    bool explicit_caller = false;
    for (const NameExpr* param : params) {
      names.push_back(Value::String(param->name));
      explicit_caller = explicit_caller || param->name == "caller";
    }
    auto* macro = arena()->New<MacroDef>(name, KeepPointers(params), KeepPointers(defaults), body,
                                         Keep(names));
    macro->explicit_caller = explicit_caller;
    return macro;
  }

  Stmt* ParseMacro() {
    const int line = Next().line;
    const std::string_view name = ParseNameTarget()->name;
    std::vector<NameExpr*> params;
    std::vector<Expr*> defaults;
    ParseSignature(&params, &defaults);
    return MakeStmt<MacroStmt>(StmtKind::kMacro, line,
                               FinishMacro(name, params, defaults, {"endmacro"}));
  }

  Stmt* ParseCallBlock() {
    const int line = Next().line;
    std::vector<NameExpr*> params;
    std::vector<Expr*> defaults;
    if (Is(TokenType::kLeftParen)) ParseSignature(&params, &defaults);
    Expr* call = ParseExpression();
    if (call->kind != ExprKind::kCall) ThrowSyntaxError(line, "expected call");
    MacroDef* caller = FinishMacro({}, params, defaults, {"endcall"});
    return MakeStmt<CallBlockStmt>(StmtKind::kCallBlock, line, static_cast<CallExpr*>(call),
                                   caller);
  }

  Stmt* ParseFilterBlock() {
    const int line = Next().line;
    Expr* filter = ParseFilters(nullptr, true);
    const Body body = ParseTagBody({"endfilter"});
    Next();
    return MakeStmt<FilterBlockStmt>(StmtKind::kFilterBlock, line, filter, body);
  }

  Stmt* ParseWith() {
    const int line = Next().line;
    std::vector<Expr*> targets, values;
    while (!Is(TokenType::kBlockEnd)) {
      if (!targets.empty()) Expect(TokenType::kComma);
      targets.push_back(ParseTarget(false, TupleEnd::kNone));
      Expect(TokenType::kAssign);
      values.push_back(ParseExpression());
    }
    const Body body = ParseTagBody({"endwith"});
    Next();
    return MakeStmt<WithStmt>(StmtKind::kWith, line, KeepPointers(targets), KeepPointers(values),
                              body);
  }

  void ParsePrint(std::vector<Stmt*>* body) {
    const int line = Next().line;
    bool first = true;
    while (!Is(TokenType::kBlockEnd)) {
      if (!first) Expect(TokenType::kComma);
      first = false;
      body->push_back(MakeStmt<PrintStmt>(StmtKind::kPrint, line, ParseExpression()));
    }
  }

  // Transformers marks with this what an assistant has said; here it is only a scope.
  Stmt* ParseGeneration() {
    const int line = Next().line;
    const int outer_breakable = std::exchange(breakable_, 0);
    const Body body = ParseTagBody({"endgeneration"});
    Next();
    breakable_ = outer_breakable;
    return MakeStmt<ScopeStmt>(StmtKind::kScope, line, body);
  }

  std::vector<Token> open_tags_;
  int breakable_ = 0;  // loops that a break at this place could leave
};

}  // namespace

TemplateAst* ParseTemplate(std::string_view source, Arena* arena) {
  TemplateAst* ast = Parser(Tokenize(source, arena), arena).Parse();
  ResolveVariables(ast, arena);
  return ast;
}

}  // namespace rocforge::text::chat
