// The splitting rules that tokenizer.ggml.pre names, and the other habits that come with the name.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rocforge/status.h"
#include "text/tokenizer/splitter.h"

namespace rocforge::text {

// One row of the table: everything a name says about a BPE vocabulary.
struct PreTokenizerSpec {
  std::vector<std::string_view> names;    // all mean the same
  std::vector<std::string_view> regexes;  // each splits the pieces that the one before it made
  bool ignore_merges = false;  // a piece that is a token is that token, whatever the merges say
  bool add_bos = false;        // unless the file says otherwise
  bool raw_utf8 = false;     // tokens are UTF-8 with U+2581 for a space, not GPT-2's byte alphabet
  bool keep_spaces = false;  // raw_utf8 without U+2581: spaces stay as they are
  bool newline_tokens = false;  // a run of newlines that is a token is that token
  bool force_add_bos = false;  // whatever the file says: files with a wrong flag are in circulation
};

// The whole table; the first row is "default".
const std::vector<PreTokenizerSpec>& PreTokenizerSpecs();

// nullptr if no row has that name.
const PreTokenizerSpec* FindPreTokenizerSpec(std::string_view name);

// The splitters of one row, ready to use. Immutable and thread-safe.
class PreTokenizer {
 public:
  static Result<PreTokenizer> Make(const PreTokenizerSpec& spec);

  // Replaces *ends by the end of each piece of `text`, which must be well-formed UTF-8 of less than
  // 4 GiB. `scratch` is memory to reuse. kResourceExhausted if a regex gives up.
  Status Split(std::string_view text, std::vector<uint32_t>* ends,
               std::vector<uint32_t>* scratch) const;

 private:
  std::vector<std::unique_ptr<Splitter>> stages_;
  bool uses_pcre2_ = false;
};

}  // namespace rocforge::text
