// Template source to tokens.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/chat/arena.h"
#include "text/chat/value.h"

namespace rocforge::text::chat {

enum class TokenType : uint8_t {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kAdd,
  kSub,
  kMul,
  kDiv,
  kFloorDiv,
  kMod,
  kPow,
  kTilde,
  kLeftBracket,
  kRightBracket,
  kLeftParen,
  kRightParen,
  kLeftBrace,
  kRightBrace,
  kEq,
  kNe,
  kGt,
  kGtEq,
  kLt,
  kLtEq,
  kAssign,
  kDot,
  kColon,
  kPipe,
  kComma,
  kSemicolon,
  kEnd,
};

struct Token {
  TokenType type;
  int line;
  std::string_view text;  // data and names as they are, strings with their escapes resolved
  Value number;           // of integers and floats
};

// "end of statement block", "'x'", ...: what a token is, for messages.
std::string Describe(const Token& token);
std::string_view Describe(TokenType type);

[[noreturn]] void ThrowSyntaxError(int line, std::string_view message);

// Newlines become \n and one newline at the end is dropped, as Jinja does before anything else.
std::string NormalizeNewlines(std::string_view source);

// `source` has normal newlines; tokens point into it and into `arena`. White space is already
// trimmed from the data: by the tags' minus signs, after block tags (trim_blocks) and before block
// tags that start a line (lstrip_blocks). Ends with a kEnd token. Throws TemplateError.
std::vector<Token> Tokenize(std::string_view source, Arena* arena);

}  // namespace rocforge::text::chat
