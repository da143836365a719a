#include "text/chat/lexer.h"

#include <algorithm>
#include <cstdlib>

#include "base/format.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

struct Operator {
  std::string_view text;
  TokenType type;
};
// Longer ones first.
constexpr Operator kOperators[] = {
    {"//", TokenType::kFloorDiv},   {"**", TokenType::kPow},         {"==", TokenType::kEq},
    {"!=", TokenType::kNe},         {">=", TokenType::kGtEq},        {"<=", TokenType::kLtEq},
    {"+", TokenType::kAdd},         {"-", TokenType::kSub},          {"*", TokenType::kMul},
    {"/", TokenType::kDiv},         {"%", TokenType::kMod},          {"~", TokenType::kTilde},
    {"[", TokenType::kLeftBracket}, {"]", TokenType::kRightBracket}, {"(", TokenType::kLeftParen},
    {")", TokenType::kRightParen},  {"{", TokenType::kLeftBrace},    {"}", TokenType::kRightBrace},
    {">", TokenType::kGt},          {"<", TokenType::kLt},           {"=", TokenType::kAssign},
    {".", TokenType::kDot},         {":", TokenType::kColon},        {"|", TokenType::kPipe},
    {",", TokenType::kComma},       {";", TokenType::kSemicolon},
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// A string literal's escapes, as Python's "unicode-escape" codec resolves them.
class Unescaper {
 public:
  Unescaper(std::string_view s, int line) : s_(s), line_(line) {}

  std::string Run() {
    while (pos_ < s_.size()) {
      const char c = s_[pos_++];
      if (c != '\\') {
        PutByte(c);
      } else if (pos_ == s_.size()) {
        ThrowSyntaxError(line_, "\\ at end of string");
      } else {
        Escape(s_[pos_++]);
      }
    }
    if (high_surrogate_ != 0) FailSurrogate();
    return out_;
  }

 private:
  void PutByte(char byte) {
    if (high_surrogate_ != 0) FailSurrogate();
    out_.push_back(byte);
  }

  void PutCodePoint(char32_t c) {
    if (c >= 0xDC00 && c <= 0xDFFF && high_surrogate_ != 0) {
      c = 0x10000 + ((high_surrogate_ - 0xD800) << 10) + (c - 0xDC00);
      high_surrogate_ = 0;
    } else if (high_surrogate_ != 0 || (c >= 0xDC00 && c <= 0xDFFF)) {
      FailSurrogate();
    } else if (c >= 0xD800 && c <= 0xDBFF) {
      high_surrogate_ = c;
      return;
    }
    if (c > 0x10FFFF) ThrowSyntaxError(line_, "illegal Unicode character in a string");
    AppendUtf8(&out_, c);
  }

  [[noreturn]] void FailSurrogate() {
    ThrowSyntaxError(line_, "a surrogate without its partner in a string");
  }

  void Escape(char c) {
    constexpr std::string_view kFrom = "\\'\"abfnrtv", kTo = "\\'\"\a\b\f\n\r\t\v";
    if (c == '\n') return;
    if (const size_t at = kFrom.find(c); at != std::string_view::npos) {
      return PutCodePoint(static_cast<char32_t>(kTo[at]));
    }
    switch (c) {
      case 'x':
        return PutCodePoint(Hex(2, 'x'));
      case 'u':
        return PutCodePoint(Hex(4, 'u'));
      case 'U':
        return PutCodePoint(Hex(8, 'U'));
      case 'N':
        ThrowSyntaxError(line_, "\\N{...} is not supported in strings; use \\u");
      default:
        break;
    }
    if (c >= '0' && c <= '7') {
      char32_t value = static_cast<char32_t>(c - '0');
      for (int i = 0; i < 2 && pos_ < s_.size() && s_[pos_] >= '0' && s_[pos_] <= '7'; ++i) {
        value = value * 8 + static_cast<char32_t>(s_[pos_++] - '0');
      }
      return PutCodePoint(value);
    }
    // Not an escape: the backslash stays.
    PutByte('\\');
    PutByte(c);
  }

  char32_t Hex(size_t digits, char letter) {
    char32_t value = 0;
    for (size_t i = 0; i < digits; ++i, ++pos_) {
      const int digit = pos_ < s_.size() ? HexValue(s_[pos_]) : -1;
      if (digit < 0) ThrowSyntaxError(line_, Format("truncated \\{} escape in a string", letter));
      value = value << 4 | static_cast<char32_t>(digit);
    }
    return value;
  }

  std::string_view s_;
  int line_;
  size_t pos_ = 0;
  char32_t high_surrogate_ = 0;
  std::string out_;
};

class Lexer {
 public:
  Lexer(std::string_view source, Arena* arena) : s_(source), arena_(arena) {}

  std::vector<Token> Run() {
    while (pos_ < s_.size()) {
      const size_t tag = FindTag(pos_);
      if (tag == std::string_view::npos) {
        AddData(s_.substr(pos_));
        pos_ = s_.size();
        break;
      }
      Tag(tag);
    }
    Add(TokenType::kEnd, s_.size());
    return std::move(tokens_);
  }

 private:
  // Position of the next {{, {% or {#.
  size_t FindTag(size_t from) const {
    for (size_t at = s_.find('{', from); at != std::string_view::npos; at = s_.find('{', at + 1)) {
      if (at + 1 < s_.size() && (s_[at + 1] == '{' || s_[at + 1] == '%' || s_[at + 1] == '#')) {
        return at;
      }
    }
    return std::string_view::npos;
  }

  int LineAt(size_t pos) {
    line_ += static_cast<int>(std::count(s_.begin() + static_cast<ptrdiff_t>(line_pos_),
                                         s_.begin() + static_cast<ptrdiff_t>(pos), '\n'));
    line_pos_ = pos;
    return line_;
  }

  void Add(TokenType type, size_t pos, std::string_view text = {}, const Value& number = Value()) {
    tokens_.push_back({type, LineAt(pos), text, number});
  }

  void AddData(std::string_view text) {
    if (!text.empty()) Add(TokenType::kData, static_cast<size_t>(text.data() - s_.data()), text);
  }

  bool At(size_t pos, std::string_view what) const { return s_.substr(pos).starts_with(what); }
  char CharAt(size_t pos) const { return pos < s_.size() ? s_[pos] : '\0'; }

  size_t SkipSpace(size_t pos) const {
    while (pos < s_.size()) {
      size_t next = pos;
      if (!IsSpace(DecodeAt(s_, &next))) break;
      pos = next;
    }
    return pos;
  }

  // The data before a tag, without what the tag's sign or lstrip_blocks takes away.
  std::string_view TrimBefore(std::string_view text, char sign, bool is_variable) const {
    if (sign == '-') return StripSpace(text, false, true);
    if (sign == '+' || is_variable) return text;
    const size_t line_start = text.rfind('\n') + 1;  // npos + 1 is 0
    const size_t begin = static_cast<size_t>(text.data() - s_.data());
    const bool starts_line = line_start > 0 || begin == 0 || s_[begin - 1] == '\n';
    if (starts_line && StripSpace(text.substr(line_start), true, true).empty()) {
      return text.substr(0, line_start);
    }
    return text;
  }

  // `close` with its sign at `pos`: "-%}" eats all white space behind it, "%}" one newline where
  // `trims`, "+%}" (where allowed) nothing. Returns the position behind, npos if it is not there.
  size_t CloseAt(size_t pos, std::string_view close, bool trims) const {
    if (CharAt(pos) == '-' && At(pos + 1, close)) return SkipSpace(pos + 1 + close.size());
    if (trims && CharAt(pos) == '+' && At(pos + 1, close)) return pos + 1 + close.size();
    if (!At(pos, close)) return std::string_view::npos;
    pos += close.size();
    return trims && CharAt(pos) == '\n' ? pos + 1 : pos;
  }

  void Tag(size_t tag) {
    const char kind = s_[tag + 1];
    size_t inside = tag + 2;
    const char sign = CharAt(inside) == '-' || CharAt(inside) == '+' ? s_[inside] : '\0';
    if (sign != '\0') ++inside;
    AddData(TrimBefore(s_.substr(pos_, tag - pos_), sign, kind == '{'));
    if (kind == '#') return Comment(tag, inside);
    if (kind == '%') {
      if (const size_t body = RawBody(inside); body != std::string_view::npos) {
        return Raw(tag, body);
      }
      Add(TokenType::kBlockBegin, tag);
      return Code(inside, "%}", TokenType::kBlockEnd);
    }
    Add(TokenType::kVariableBegin, tag);
    Code(inside, "}}", TokenType::kVariableEnd);
  }

  void Comment(size_t tag, size_t inside) {
    const size_t end = s_.find("#}", inside);
    if (end == std::string_view::npos) {
      ThrowSyntaxError(LineAt(tag), "Missing end of comment tag");
    }
    const bool has_sign = end > inside && (s_[end - 1] == '-' || s_[end - 1] == '+');
    pos_ = CloseAt(has_sign ? end - 1 : end, "#}", true);
  }

  // Where the body of a raw block begins whose tag's inside is at `pos`; npos if it is another tag.
  size_t RawBody(size_t pos) const {
    pos = SkipSpace(pos);
    if (!At(pos, "raw")) return std::string_view::npos;
    pos = SkipSpace(pos + 3);
    return CloseAt(pos, "%}", false);
  }

  void Raw(size_t tag, size_t body) {
    for (size_t at = s_.find("{%", body); at != std::string_view::npos;
         at = s_.find("{%", at + 1)) {
      size_t inside = at + 2;
      const char sign = CharAt(inside) == '-' || CharAt(inside) == '+' ? s_[inside] : '\0';
      inside = SkipSpace(sign == '\0' ? inside : inside + 1);
      if (!At(inside, "endraw")) continue;
      const size_t end = CloseAt(SkipSpace(inside + 6), "%}", true);
      if (end == std::string_view::npos) continue;
      AddData(TrimBefore(s_.substr(body, at - body), sign, false));
      pos_ = end;
      return;
    }
    ThrowSyntaxError(LineAt(tag), "Missing end of raw directive");
  }

  // The tokens of a tag, to its end.
  void Code(size_t pos, std::string_view close, TokenType close_type) {
    std::vector<char> open;  // closing brackets that are due
    for (;;) {
      if (open.empty()) {
        const size_t end = CloseAt(pos, close, close_type == TokenType::kBlockEnd);
        if (end != std::string_view::npos) {
          Add(close_type, pos);
          pos_ = end;
          return;
        }
      }
      const size_t at = SkipSpace(pos);
      if (at != pos) {
        pos = at;
        continue;
      }
      if (pos >= s_.size()) {
        pos_ = pos;
        return;  // the parser sees the end of the template and says what it expected
      }
      pos = CodeToken(pos, &open);
    }
  }

  size_t CodeToken(size_t pos, std::vector<char>* open) {
    const char c = s_[pos];
    if (IsDigit(c)) return Number(pos);
    if (c == '"' || c == '\'') {
      const size_t end = StringEnd(pos);
      if (end == std::string_view::npos) {
        ThrowSyntaxError(LineAt(pos), "a string has no closing quote");
      }
      const std::string_view raw = s_.substr(pos + 1, end - pos - 1);
      const bool plain = raw.find('\\') == std::string_view::npos;
      Add(TokenType::kString, pos,
          plain ? raw : arena_->CopyString(Unescaper(raw, LineAt(pos)).Run()));
      return end + 1;
    }
    if (const size_t end = NameEnd(pos); end > pos) {
      Add(TokenType::kName, pos, s_.substr(pos, end - pos));
      return end;
    }
    for (const Operator& op : kOperators) {
      if (!At(pos, op.text)) continue;
      Balance(pos, op.text[0], open);
      Add(op.type, pos, op.text);
      return pos + op.text.size();
    }
    size_t end = pos;
    DecodeAt(s_, &end);
    ThrowSyntaxError(LineAt(pos),
                     Format("unexpected char '{}'", EscapeForTerminal(s_.substr(pos, end - pos))));
  }

  void Balance(size_t pos, char c, std::vector<char>* open) {
    switch (c) {
      case '(':
        return open->push_back(')');
      case '[':
        return open->push_back(']');
      case '{':
        return open->push_back('}');
      case ')':
      case ']':
      case '}':
        if (open->empty()) ThrowSyntaxError(LineAt(pos), Format("unexpected '{}'", c));
        if (open->back() != c) {
          ThrowSyntaxError(LineAt(pos), Format("unexpected '{}', expected '{}'", c, open->back()));
        }
        open->pop_back();
        return;
      default:
        return;
    }
  }

  // Position of the closing quote, npos if there is none.
  size_t StringEnd(size_t pos) const {
    const char quote = s_[pos];
    for (size_t i = pos + 1; i < s_.size(); ++i) {
      if (s_[i] == quote) return i;
      if (s_[i] == '\\') ++i;
    }
    return std::string_view::npos;
  }

  size_t NameEnd(size_t pos) {
    const size_t begin = pos;
    while (pos < s_.size()) {
      size_t next = pos;
      const uint32_t flags = UnicodeFlags(DecodeAt(s_, &next));
      if ((flags & kUniIdContinue) == 0) break;
      if (pos == begin && (flags & kUniIdStart) == 0) {
        ThrowSyntaxError(LineAt(pos), "Invalid character in identifier");
      }
      pos = next;
    }
    return pos;
  }

  // Digits with single underscores between them; returns the position behind.
  size_t Digits(size_t pos, int base, std::string* out) const {
    const auto is_digit = [&](size_t i) {
      const int value = i < s_.size() ? HexValue(s_[i]) : -1;
      return value >= 0 && value < base;
    };
    while (is_digit(pos)) {
      out->push_back(s_[pos++]);
      if (CharAt(pos) == '_' && is_digit(pos + 1)) ++pos;
    }
    return pos;
  }

  size_t Number(size_t pos) {
    const size_t begin = pos;
    // "a.1.2" is two subscripts, not a subscript by 1.2.
    const bool may_be_float = pos == 0 || s_[pos - 1] != '.';
    std::string digits;
    size_t end = Digits(pos, 10, &digits);
    bool is_float = false;
    if (may_be_float) {
      std::string part;
      if (CharAt(end) == '.' && IsDigit(CharAt(end + 1))) {
        end = Digits(end + 1, 10, &part);
        digits += "." + part;
        is_float = true;
      }
      size_t exponent = end + 1;
      if (CharAt(exponent) == '+' || CharAt(exponent) == '-') ++exponent;
      if ((CharAt(end) == 'e' || CharAt(end) == 'E') && IsDigit(CharAt(exponent))) {
        part.clear();
        const bool negative = s_[exponent - 1] == '-';
        end = Digits(exponent, 10, &part);
        digits += (negative ? "e-" : "e") + part;
        is_float = true;
      }
    }
    if (is_float) {
      Add(TokenType::kFloat, begin, {}, Value::Float(std::strtod(digits.c_str(), nullptr)));
      return end;
    }
    return Integer(begin);
  }

  size_t Integer(size_t pos) {
    int base = 10;
    size_t digits_at = pos;
    if (s_[pos] == '0') {
      const char letter = CharAt(pos + 1);
      const int prefixed = letter == 'x' || letter == 'X'   ? 16
                           : letter == 'o' || letter == 'O' ? 8
                           : letter == 'b' || letter == 'B' ? 2
                                                            : 0;
      const size_t after = CharAt(pos + 2) == '_' ? pos + 3 : pos + 2;
      const int first = after < s_.size() ? HexValue(s_[after]) : -1;
      if (prefixed != 0 && first >= 0 && first < prefixed) {
        base = prefixed;
        digits_at = after;
      }
    }
    std::string digits;
    size_t end = Digits(digits_at, base, &digits);
    if (base == 10 && digits[0] == '0') {
      // Only zeros may follow a leading zero; what comes then is another token.
      end = pos;
      while (CharAt(end) == '0' || (CharAt(end) == '_' && CharAt(end + 1) == '0')) ++end;
      digits = "0";
    }
    Int value = 0;
    for (char c : digits) {
      if (__builtin_mul_overflow(value, base, &value) ||
          __builtin_add_overflow(value, HexValue(c), &value)) {
        ThrowSyntaxError(LineAt(pos), "integer is too large (integers have 128 bits here)");
      }
    }
    Add(TokenType::kInteger, pos, {}, Value::FromInt(value));
    return end;
  }

  std::string_view s_;
  Arena* arena_;
  size_t pos_ = 0;
  size_t line_pos_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

void ThrowSyntaxError(int line, std::string_view message) {
  throw TemplateError{StatusCode::kInvalidArgument, Format("line {}: {}", line, message)};
}

std::string_view Describe(TokenType type) {
  switch (type) {
    case TokenType::kData:
      return "template data / text";
    case TokenType::kVariableBegin:
      return "begin of print statement";
    case TokenType::kVariableEnd:
      return "end of print statement";
    case TokenType::kBlockBegin:
      return "begin of statement block";
    case TokenType::kBlockEnd:
      return "end of statement block";
    case TokenType::kName:
      return "name";
    case TokenType::kString:
      return "string";
    case TokenType::kInteger:
      return "integer";
    case TokenType::kFloat:
      return "float";
    case TokenType::kEnd:
      return "end of template";
    default:
      break;
  }
  for (const Operator& op : kOperators) {
    if (op.type == type) return op.text;
  }
  return "token";
}

std::string Describe(const Token& token) {
  return std::string(token.type == TokenType::kName ? token.text : Describe(token.type));
}

std::string NormalizeNewlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out.push_back(source[i]);
      continue;
    }
    out.push_back('\n');
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

std::vector<Token> Tokenize(std::string_view source, Arena* arena) {
  return Lexer(source, arena).Run();
}

}  // namespace rocforge::text::chat
