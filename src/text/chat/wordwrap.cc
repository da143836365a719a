// Python's textwrap.wrap (filters.h).
#include <algorithm>
#include <string_view>
#include <vector>

#include "text/chat/filters.h"
#include "text/chat/ops.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

bool IsBlank(char32_t c) { return c == ' ' || (c >= 0x09 && c <= 0x0D); }
bool IsWord(char32_t c) { return c == '_' || (UnicodeFlags(c) & kUniAlnum) != 0; }
bool IsLetter(char32_t c) { return IsWord(c) && (UnicodeFlags(c) & kUniDecimal) == 0; }
bool IsWordOrPunctuation(char32_t c) {
  return IsWord(c) || (c < 0x80 && std::string_view("!\"'&.,?").find(static_cast<char>(c)) !=
                                       std::string_view::npos);
}

// Wraps one line. Positions count code points.
class Wrapper {
 public:
  Wrapper(Runtime& rt, std::string_view line, size_t width, bool break_long_words,
          bool break_on_hyphens)
      : text_(ToCodePoints(line)),
        width_(width),
        break_long_words_(break_long_words),
        break_on_hyphens_(break_on_hyphens) {
    rt.Charge(1 + line.size() / 8);
    // Where a run of two or more dashes that a word follows begins or goes on.
    dashes_to_word_.resize(text_.size() + 1, false);
    size_t run = 0;
    for (size_t i = text_.size(); i-- > 0;) {
      const bool dash = text_[i] == '-';
      run = dash && (run > 0 || (i + 1 < text_.size() && IsWord(text_[i + 1]))) ? run + 1 : 0;
      dashes_to_word_[i] = run >= 2;
    }
  }

  // Appends the wrapped lines, each as code points.
  void Run(std::vector<std::vector<char32_t>>* lines) {
    Split();
    std::reverse(chunks_.begin(), chunks_.end());
    const size_t first_line = lines->size();
    while (!chunks_.empty()) {
      std::vector<Chunk> line;
      size_t length = 0;
      if (IsBlankChunk(chunks_.back()) && lines->size() > first_line) chunks_.pop_back();
      while (!chunks_.empty() && length + chunks_.back().size() <= width_) {
        length += chunks_.back().size();
        line.push_back(chunks_.back());
        chunks_.pop_back();
      }
      if (!chunks_.empty() && chunks_.back().size() > width_) TakeLongWord(&line, width_ - length);
      if (!line.empty() && IsBlankChunk(line.back())) line.pop_back();
      if (line.empty()) continue;
      std::vector<char32_t>& out = lines->emplace_back();
      for (const Chunk& chunk : line) {
        out.insert(out.end(), text_.begin() + static_cast<ptrdiff_t>(chunk.begin),
                   text_.begin() + static_cast<ptrdiff_t>(chunk.end));
      }
    }
  }

 private:
  struct Chunk {
    size_t begin, end;
    size_t size() const { return end - begin; }
  };

  bool IsBlankChunk(const Chunk& chunk) const {
    return std::all_of(text_.begin() + static_cast<ptrdiff_t>(chunk.begin),
                       text_.begin() + static_cast<ptrdiff_t>(chunk.end), IsSpace);
  }

  char32_t At(size_t i) const { return i < text_.size() ? text_[i] : 0; }

  // Pieces that stay together: white space, words, parts of hyphenated words, dashes.
  void Split() {
    for (size_t begin = 0; begin < text_.size();) {
      const size_t end = PieceEnd(begin);
      chunks_.push_back({begin, end});
      begin = end;
    }
  }

  size_t PieceEnd(size_t begin) const {
    size_t end = begin;
    if (IsBlank(text_[begin])) {
      while (end < text_.size() && IsBlank(text_[end])) ++end;
      return end;
    }
    if (!break_on_hyphens_) {
      while (end < text_.size() && !IsBlank(text_[end])) ++end;
      return end;
    }
    if (begin > 0 && IsWordOrPunctuation(text_[begin - 1]) && dashes_to_word_[begin]) {
      while (At(end) == '-') ++end;
      return end;
    }
    for (end = begin + 1; end < text_.size() && !IsBlank(text_[end]); ++end) {
      if (text_[end] == '-' && IsHyphenBreak(end)) return end + 1;
      if (IsWordOrPunctuation(text_[end - 1]) && dashes_to_word_[end]) return end;
    }
    return end;
  }

  // Whether the word may be cut behind the hyphen at `i`.
  bool IsHyphenBreak(size_t i) const {
    const bool two_letters = i >= 2 && IsLetter(text_[i - 1]) && IsLetter(text_[i - 2]);
    const bool letter_dash = i >= 3 && IsWordOrPunctuation(text_[i - 1]) && text_[i - 2] == '-' &&
                             IsLetter(text_[i - 3]);
    if (!two_letters && !letter_dash) return false;
    if (!IsLetter(At(i + 1))) return false;
    return IsLetter(At(i + 2)) || (At(i + 2) == '-' && IsLetter(At(i + 3)));
  }

  // Fills the rest of a line with the start of a word that fits on no line.
  void TakeLongWord(std::vector<Chunk>* line, size_t space_left) {
    Chunk& word = chunks_.back();
    if (!break_long_words_) {
      if (line->empty()) {
        line->push_back(word);
        chunks_.pop_back();
      }
      return;
    }
    size_t end = word.begin + space_left;
    if (break_on_hyphens_) {
      size_t hyphen = end;
      while (hyphen > word.begin && text_[hyphen - 1] != '-') --hyphen;
      // `hyphen` is behind the last dash that fits; something else must stand before it.
      const auto first = text_.begin() + static_cast<ptrdiff_t>(word.begin);
      if (hyphen > word.begin + 1 &&
          std::any_of(first, first + static_cast<ptrdiff_t>(hyphen - 1 - word.begin),
                      [](char32_t c) { return c != '-'; })) {
        end = hyphen;
      }
    }
    line->push_back({word.begin, end});
    word.begin = end;
  }

  std::vector<char32_t> text_;
  size_t width_;
  bool break_long_words_;
  bool break_on_hyphens_;
  std::vector<bool> dashes_to_word_;
  std::vector<Chunk> chunks_;
};

}  // namespace

Value WordWrap(Runtime& rt, std::string_view s, int64_t width, bool break_long_words,
               std::string_view separator, bool break_on_hyphens) {
  if (width <= 0) rt.Fail("invalid width {} (must be > 0)", width);
  TextBuilder out(rt);
  bool first_line = true;
  for (std::string_view line : SplitLines(s)) {
    std::vector<std::vector<char32_t>> wrapped;
    rt.arena().Require(line.size(), sizeof(char32_t));
    Wrapper(rt, line, static_cast<size_t>(width), break_long_words, break_on_hyphens).Run(&wrapped);
    if (wrapped.empty()) wrapped.emplace_back();
    for (const std::vector<char32_t>& part : wrapped) {
      if (!first_line) out.Append(separator);
      first_line = false;
      rt.Charge(1);
      for (char32_t c : part) out.AppendCodePoint(c);
    }
  }
  return out.Finish();
}

}  // namespace rocforge::text::chat
