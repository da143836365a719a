#include "apps/terminal/c_escapes.h"

#include <cstdint>
#include <optional>

#include "base/format.h"
#include "text/unicode.h"

namespace rocforge::apps {
namespace {

constexpr std::string_view kLetters = "ntrabefv0\\\"'/";
constexpr std::string_view kMeanings("\n\t\r\a\b\x1b\f\v\0\\\"'/", kLetters.size());

// The number that the first `digits` characters spell in hexadecimal.
std::optional<uint32_t> ParseHex(std::string_view text, size_t digits) {
  if (text.size() < digits) return std::nullopt;
  uint32_t value = 0;
  for (const char c : text.substr(0, digits)) {
    const size_t digit = std::string_view("0123456789abcdef")
                             .find(static_cast<char>(c >= 'A' && c <= 'F' ? c + 32 : c));
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 4 | static_cast<uint32_t>(digit);
  }
  return value;
}

bool IsSurrogate(uint32_t cp, uint32_t first) { return cp >= first && cp < first + 0x400; }

// `rest` begins behind the backslash. Appends what the escape means; the bytes it takes of `rest`,
// 0 if it is none.
size_t ResolveOne(std::string_view rest, std::string* out) {
  if (rest.empty()) return 0;
  if (const size_t at = kLetters.find(rest[0]); at != std::string_view::npos) {
    out->push_back(kMeanings[at]);
    return 1;
  }
  const size_t digits = rest[0] == 'x' ? 2 : rest[0] == 'u' ? 4 : rest[0] == 'U' ? 8 : 0;
  const auto value = digits == 0 ? std::nullopt : ParseHex(rest.substr(1), digits);
  if (!value) return 0;
  uint32_t cp = *value;
  size_t taken = 1 + digits;
  if (digits == 2) {
    out->push_back(static_cast<char>(cp));
    return taken;
  }
  if (digits == 4 && IsSurrogate(cp, 0xD800) && rest.substr(taken).starts_with("\\u")) {
    const auto low = ParseHex(rest.substr(taken + 2), 4);
    if (low && IsSurrogate(*low, 0xDC00)) {
      cp = 0x10000 + ((cp - 0xD800) << 10) + (*low - 0xDC00);
      taken += 6;
    }
  }
  if (cp >= text::kCodePointLimit || IsSurrogate(cp, 0xD800) || IsSurrogate(cp, 0xDC00)) return 0;
  text::AppendUtf8(cp, out);
  return taken;
}

}  // namespace

Result<std::string> ResolveEscapes(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  size_t done = 0;
  for (size_t at; (at = text.find('\\', done)) != std::string_view::npos;) {
    out.append(text.substr(done, at - done));
    const size_t taken = ResolveOne(text.substr(at + 1), &out);
    if (taken == 0) {
      return DataLoss(Format("'{}' at column {} is no escape; write \\\\ for a backslash",
                             EscapeForTerminal(text.substr(at, 6)), at + 1));
    }
    done = at + 1 + taken;
  }
  return out.append(text.substr(done));
}

}  // namespace rocforge::apps
