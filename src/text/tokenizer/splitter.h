// Cuts a text into the pieces that BPE never merges across.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::text {

// Immutable; Split may be called from several threads at once.
class Splitter {
 public:
  virtual ~Splitter() = default;

  // Appends the end of each piece of `text` (well-formed UTF-8), as an offset plus `base`:
  // ascending, cutting no character, the last one base + text.size(). Nothing for an empty text.
  virtual Status Split(std::string_view text, uint32_t base, std::vector<uint32_t>* ends) const = 0;
};

// A regular expression: each match is a piece, and so is what lies between two matches. PCRE2
// syntax with Unicode properties. kInvalidArgument, naming the offence, if it does not compile or
// if it can match nothing at all.
Result<std::unique_ptr<Splitter>> MakeRegexSplitter(std::string_view regex);

// A hand-written equivalent of a published regex, much faster or, where the regex would take
// quadratic time, the only bearable way. nullptr if there is none for exactly this `regex`.
std::unique_ptr<Splitter> MakeFastSplitter(std::string_view regex);

// The regexes that MakeFastSplitter knows.
std::vector<std::string_view> FastSplitterRegexes();

// The text with every code point that is newer than Unicode 14.0 replaced by an older one of the
// same category and length in bytes, so that every build of PCRE2 splits it alike. False, leaving
// *out alone, if there is none.
bool ReplaceRecentCodePoints(std::string_view text, std::string* out);

}  // namespace rocforge::text
