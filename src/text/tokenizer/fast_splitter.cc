#include <algorithm>
#include <array>
#include <cstring>

#include "text/tokenizer/splitter.h"
#include "text/unicode.h"

namespace rocforge::text {
namespace {

bool IsWord(uint32_t cp) {
  const uint8_t flags = CharFlagTable()[cp];
  if ((flags & (kLetter | kMark)) != 0) return true;
  const Category category = CategoryOf(cp);
  return category == Category::kNd || category == Category::kNl || category == Category::kPc;
}

// Walks a text; p_ is at the beginning of a character or at end_.
class Scanner {
 public:
  Scanner(std::string_view text, uint32_t base, std::vector<uint32_t>* ends)
      : flags_(CharFlagTable()),
        begin_(text.data()),
        end_(text.data() + text.size()),
        base_(base),
        ends_(ends) {}

  const char* begin() const { return begin_; }
  const char* end() const { return end_; }

  // CharFlag bits of the character at p < end(); *next is behind it.
  uint8_t Flags(const char* p, const char** next) const {
    const auto b = static_cast<uint8_t>(*p);
    if (b < 0x80) {
      *next = p + 1;
      return flags_[b];
    }
    *next = p;
    return flags_[DecodeUtf8(next)];
  }
  uint8_t Flags(const char* p) const {
    const char* next;
    return p < end_ ? Flags(p, &next) : 0;
  }

  // Behind the run of characters that have (or, if !wanted, lack) any of the bits in `mask`.
  const char* Skip(const char* p, uint8_t mask, bool wanted) const {
    while (p < end_) {
      const char* next;
      if (((Flags(p, &next) & mask) != 0) != wanted) break;
      p = next;
    }
    return p;
  }

  // The apostrophe at p with s, t, m, d, re, ve or ll behind it: its length, else 0.
  size_t Contraction(const char* p, bool any_case) const {
    if (end_ - p < 2) return 0;
    const auto lower = [any_case](char c) {
      return static_cast<char>(any_case && c >= 'A' && c <= 'Z' ? c + 32 : c);
    };
    const char a = lower(p[1]);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if (end_ - p < 3) return 0;
    const char b = lower(p[2]);
    return (b == 'e' && (a == 'r' || a == 'v')) || (a == 'l' && b == 'l') ? 3 : 0;
  }

  // The end of the piece that the whitespace at p makes: \s*[\r\n]+ (if `newlines`), else
  // \s+(?!\S), else \s+.
  const char* Whitespace(const char* p, bool newlines) const {
    const char* last = p;  // the last character of the run
    const char* after_newline = nullptr;
    const char* q = p;
    while (q < end_) {
      const char* next;
      const uint8_t flags = Flags(q, &next);
      if ((flags & kWhitespace) == 0) break;
      if ((flags & kNewline) != 0) after_newline = next;
      last = q;
      q = next;
    }
    if (newlines && after_newline != nullptr) return after_newline;
    return q == end_ || last == p ? q : last;
  }

  void Emit(const char* piece_end) {
    ends_->push_back(base_ + static_cast<uint32_t>(piece_end - begin_));
  }

 private:
  const uint8_t* flags_;
  const char* begin_;
  const char* end_;
  uint32_t base_;
  std::vector<uint32_t>* ends_;
};

using Function = void (*)(Scanner& s);

class FunctionSplitter : public Splitter {
 public:
  explicit FunctionSplitter(Function function) : function_(function) {}
  Status Split(std::string_view text, uint32_t base, std::vector<uint32_t>* ends) const override {
    Scanner scanner(text, base, ends);
    function_(scanner);
    return {};
  }

 private:
  Function function_;
};

void SplitGpt2(Scanner& s) {
  constexpr uint8_t kRest = kWhitespace | kLetter | kNumber;
  for (const char* p = s.begin(); p < s.end(); s.Emit(p)) {
    if (*p == '\'') {
      if (const size_t length = s.Contraction(p, false); length != 0) {
        p += length;
        continue;
      }
    }
    const char* q = *p == ' ' && p + 1 < s.end() ? p + 1 : p;
    const uint8_t flags = s.Flags(q);
    if ((flags & kWhitespace) != 0) {
      p = s.Whitespace(p, false);
    } else if ((flags & (kLetter | kNumber)) != 0) {
      p = s.Skip(q, flags & (kLetter | kNumber), true);
    } else {
      p = s.Skip(q, kRest, false);
    }
  }
}

// The family of Llama 3: kLetters are the bits of a word's characters, kDigits the longest number.
template <uint8_t kLetters, int kDigits, bool kContractions>
void SplitLlama3(Scanner& s) {
  constexpr uint8_t kRest = kWhitespace | kNumber | kLetters;
  for (const char* p = s.begin(); p < s.end(); s.Emit(p)) {
    if (kContractions && *p == '\'') {
      if (const size_t length = s.Contraction(p, true); length != 0) {
        p += length;
        continue;
      }
    }
    const char* next;
    const uint8_t flags = s.Flags(p, &next);
    if ((flags & kLetters) != 0) {
      p = s.Skip(next, kLetters, true);
      continue;
    }
    if ((flags & kNumber) != 0) {
      p = next;
      for (int i = 1; i < kDigits && (s.Flags(p) & kNumber) != 0; ++i) s.Flags(p, &p);
      continue;
    }
    const uint8_t next_flags = s.Flags(next);
    if ((flags & kNewline) == 0 && (next_flags & kLetters) != 0) {
      p = s.Skip(next, kLetters, true);
      continue;
    }
    const bool symbols =
        (flags & kWhitespace) == 0 || (*p == ' ' && next < s.end() && (next_flags & kRest) == 0);
    p = symbols ? s.Skip(s.Skip(next, kRest, false), kNewline, true) : s.Whitespace(p, true);
  }
}

void SplitLines(Scanner& s) {
  for (const char* p = s.begin(); p < s.end(); s.Emit(p)) {
    if (*p == '\n') {
      while (p < s.end() && *p == '\n') ++p;
    } else {
      const void* newline = std::memchr(p, '\n', static_cast<size_t>(s.end() - p));
      p = newline == nullptr ? s.end() : static_cast<const char*>(newline);
    }
  }
}

void SplitEachNumber(Scanner& s) {
  for (const char* p = s.begin(); p < s.end(); s.Emit(p)) {
    const char* next;
    p = (s.Flags(p, &next) & kNumber) != 0 ? next : s.Skip(next, kNumber, false);
  }
}

// Numbers in groups of three counted from the right.
enum class Grouping {
  kNumbers,  // runs of \p{N}
  kDigits,   // runs of three \d and more, of which the last group keeps what follows
  kBounded,  // runs of \d that no word character follows
};

template <Grouping kGrouping>
void SplitGroups(Scanner& s) {
  const auto is_digit = [](const char* p, const char** next) {
    *next = p;
    const uint32_t cp = DecodeUtf8(next);
    return kGrouping == Grouping::kNumbers ? (CharFlagTable()[cp] & kNumber) != 0
                                           : CategoryOf(cp) == Category::kNd;
  };
  const char* p = s.begin();
  const char* done = p;  // the end of the last piece
  while (p < s.end()) {
    const char* run = p;
    size_t count = 0;
    for (const char* next; p < s.end() && is_digit(p, &next); p = next) ++count;
    if (count == 0) {
      DecodeUtf8(&p);
      continue;
    }
    if (kGrouping == Grouping::kBounded && p < s.end()) {
      const char* behind = p;
      if (IsWord(DecodeUtf8(&behind))) continue;
    }
    if (kGrouping == Grouping::kDigits && count < 3) continue;
    const auto cut = [&](const char* at) {
      if (at > done) s.Emit(at);
      done = at;
    };
    if (kGrouping != Grouping::kDigits || count % 3 == 0) cut(run);
    const char* q = run;
    for (size_t left = count; left > 0;) {
      const size_t group = left % 3 == 0 ? 3 : left % 3;
      for (size_t i = 0; i < group; ++i) DecodeUtf8(&q);
      left -= group;
      if (left > 0 || kGrouping != Grouping::kDigits) cut(q);
    }
  }
  if (done < s.end()) s.Emit(s.end());
}

struct FastPath {
  std::string_view regex;
  Function function;
};

#define ROCFORGE_CONTRACTIONS R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|)"
#define ROCFORGE_TAIL R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"

constexpr FastPath kFastPaths[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))", SplitGpt2},
    {ROCFORGE_CONTRACTIONS R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)" ROCFORGE_TAIL,
     SplitLlama3<kLetter, 3, true>},
    {ROCFORGE_CONTRACTIONS R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)" ROCFORGE_TAIL,
     SplitLlama3<kLetter, 1, true>},
    {ROCFORGE_CONTRACTIONS
     R"([^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|)"
     R"(\s*[\r\n]+|\s+(?!\S)|\s+)",
     SplitLlama3<kLetter | kMark, 1, true>},
    {R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)" ROCFORGE_TAIL, SplitLlama3<kLetter, 1, false>},
    {R"([^\n]+|[\n]+)", SplitLines},
    {R"(\p{N})", SplitEachNumber},
    {R"(\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N})))", SplitGroups<Grouping::kNumbers>},
    {R"(\d{1,3}(?=(?:\d{3})*\b))", SplitGroups<Grouping::kBounded>},
    {R"((?=(\d{3})+(?!\d)))", SplitGroups<Grouping::kDigits>},
};

#undef ROCFORGE_CONTRACTIONS
#undef ROCFORGE_TAIL

}  // namespace

std::unique_ptr<Splitter> MakeFastSplitter(std::string_view regex) {
  for (const FastPath& path : kFastPaths) {
    if (path.regex == regex) return std::make_unique<FunctionSplitter>(path.function);
  }
  return nullptr;
}

std::vector<std::string_view> FastSplitterRegexes() {
  std::vector<std::string_view> regexes;
  for (const FastPath& path : kFastPaths) regexes.push_back(path.regex);
  return regexes;
}

}  // namespace rocforge::text
