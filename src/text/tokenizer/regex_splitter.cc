// PCRE2 is seen nowhere else.
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/format.h"
#include "text/tokenizer/splitter.h"
#include "text/unicode.h"
#include "text/unicode_data.h"

namespace rocforge::text {
namespace {

// White_Space as the inside of a class. PCRE2's own \s also has U+180E, which lost that property in
// Unicode 6.3.
constexpr std::string_view kSpaceClass =
    R"(\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

// More work than any sensible match needs; a match that exceeds it is an error, not a hang.
constexpr uint32_t kMatchLimit = 100'000'000;
constexpr size_t kJitStackMinBytes = size_t{32} << 10;
constexpr size_t kJitStackMaxBytes = size_t{16} << 20;

struct CodeDeleter {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
};
using Code = std::unique_ptr<pcre2_code, CodeDeleter>;

// What a thread needs to match any expression.
struct MatchMemory {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(kJitStackMinBytes, kJitStackMaxBytes, nullptr);

  MatchMemory() {
    if (context == nullptr) return;
    pcre2_set_match_limit(context, kMatchLimit);
    if (stack != nullptr) pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~MatchMemory() {
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
  }
  MatchMemory(const MatchMemory&) = delete;
  MatchMemory& operator=(const MatchMemory&) = delete;
};

std::string ErrorText(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

// \s and \S spelled out.
std::string SpellOutSpaces(std::string_view regex) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < regex.size(); ++i) {
    const char c = regex[i];
    if (c == '\\' && i + 1 < regex.size()) {
      const char escaped = regex[++i];
      if (escaped == 's') {
        out += in_class ? std::string(kSpaceClass) : Format("[{}]", kSpaceClass);
      } else if (escaped == 'S' && !in_class) {
        out += Format("[^{}]", kSpaceClass);
      } else {
        out += {c, escaped};
      }
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    out += c;
  }
  return out;
}

class RegexSplitter : public Splitter {
 public:
  explicit RegexSplitter(Code code) : code_(std::move(code)) {}

  Status Split(std::string_view text, uint32_t base, std::vector<uint32_t>* ends) const override {
    thread_local const MatchMemory memory;
    if (memory.data == nullptr || memory.context == nullptr) {
      return ResourceExhausted("out of memory for a regular expression");
    }
    const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(memory.data);
    size_t done = 0;
    while (done < text.size()) {
      const int rc =
          pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), done,
                      PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, memory.data, memory.context);
      if (rc == PCRE2_ERROR_NOMATCH) break;
      if (rc < 0) {
        return ResourceExhausted(
            Format("the vocabulary's splitting rule gave up on this text: {}", ErrorText(rc)));
      }
      if (offsets[0] > done) ends->push_back(base + static_cast<uint32_t>(offsets[0]));
      ends->push_back(base + static_cast<uint32_t>(offsets[1]));
      done = offsets[1];
    }
    if (done < text.size()) ends->push_back(base + static_cast<uint32_t>(text.size()));
    return {};
  }

 private:
  Code code_;
};

// The last code point before `cp` with the same category that Unicode 14.0 already knew. For every
// such `cp` of Unicode 15.1 it takes as many bytes (a test walks them all).
uint32_t OlderCodePoint(uint32_t cp) {
  constexpr uint32_t kCodePointMask = 0x1FFFFF;
  const uint32_t* run =
      std::upper_bound(kCategoryRuns, kCategoryRuns + kCategoryRunsCount, cp,
                       [](uint32_t c, uint32_t r) { return c < (r & kCodePointMask); });
  const uint32_t category = *--run >> 24 & 0x1F;
  while (run > kCategoryRuns) {
    const uint32_t end = *run & kCodePointMask;
    --run;
    if (*run >> 24 == category) return end - 1;
  }
  return cp;
}

}  // namespace

Result<std::unique_ptr<Splitter>> MakeRegexSplitter(std::string_view regex) {
  const std::string pattern = SpellOutSpaces(regex);
  int error = 0;
  PCRE2_SIZE error_offset = 0;
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                          PCRE2_UTF | PCRE2_UCP | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_CAPTURE,
                          &error, &error_offset, nullptr));
  if (code == nullptr) {
    return InvalidArgument(Format("regular expression '{}' is wrong at byte {}: {}", pattern,
                                  error_offset, ErrorText(error)));
  }
  uint32_t matches_empty = 0;
  pcre2_pattern_info(code.get(), PCRE2_INFO_MATCHEMPTY, &matches_empty);
  if (matches_empty != 0) {
    return InvalidArgument(Format("regular expression '{}' can match nothing at all", pattern));
  }
  // Without machine code (a hardened kernel may forbid it) PCRE2 interprets: slower, the same
  // result.
  static_cast<void>(pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE));
  return std::unique_ptr<Splitter>(std::make_unique<RegexSplitter>(std::move(code)));
}

bool ReplaceRecentCodePoints(std::string_view text, std::string* out) {
  const uint8_t* flags = CharFlagTable();
  const char* end = text.data() + text.size();
  bool found = false;
  for (const char* p = text.data(); p < end;) {
    if (static_cast<uint8_t>(*p) < 0x80) {
      ++p;
      continue;
    }
    const char* begin = p;
    const uint32_t cp = DecodeUtf8(&p);
    if ((flags[cp] & kRecent) == 0) continue;
    if (!found) out->assign(text);
    found = true;
    std::string older;
    AppendUtf8(OlderCodePoint(cp), &older);
    out->replace(static_cast<size_t>(begin - text.data()), older.size(), older);
  }
  return found;
}

}  // namespace rocforge::text
