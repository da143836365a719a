// The tokens of a vocabulary and what the file says about them, whatever the kind.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/reader.h"
#include "rocforge/status.h"
#include "text/tokenizer/pre_tokenizer.h"
#include "text/tokenizer/string_table.h"
#include "text/tokenizer/tokenizer.h"

namespace rocforge::text {

enum class VocabKind : uint8_t { kBpe, kSentencePiece, kWordPiece, kUnigram, kRwkv };

// Bits of a token. A token of the file's type has one of the first six; the rest comes on top.
enum TokenFlag : uint16_t {
  kTokenNormal = 1,
  kTokenUnknown = 2,
  kTokenControl = 4,
  kTokenUserDefined = 8,
  kTokenUnused = 16,
  kTokenByte = 32,
  kTokenStripLeft = 64,    // swallows whitespace before it in a text
  kTokenStripRight = 128,  // and behind it
  kTokenEog = 256,
};

struct Vocab {
  VocabKind kind = VocabKind::kBpe;
  std::string model;                       // tokenizer.ggml.model
  std::string pre;                         // tokenizer.ggml.pre, "" if absent
  const PreTokenizerSpec* spec = nullptr;  // BPE only

  int32_t size = 0;
  // Texts as in the file. A text that occurs twice has the number of its first token, so numbers
  // are no ids: use token_text and Find.
  StringTable strings;
  std::vector<uint32_t> text_number;  // [size], into `strings`
  std::vector<int32_t> first_id;      // [strings.size()]
  std::vector<uint16_t> flags;        // [size], TokenFlag
  std::vector<float> scores;          // [size], or empty
  SpecialTokens special;
  std::vector<int32_t> eog;         // ascending
  std::vector<int32_t> suppressed;  // in the file's order

  bool add_bos = false;
  bool add_eos = false;
  bool add_sep = false;
  bool add_space_prefix = false;
  bool remove_extra_whitespaces = false;
  bool escape_whitespaces = true;  // U+2581 stands for a space
  bool lowercase = true;           // WordPiece and the whitespace kind
  bool strip_accents = true;       // WordPiece

  std::string_view token_text(int32_t id) const {
    return strings[text_number[static_cast<size_t>(id)]];
  }
  int32_t Find(std::string_view text) const {  // kNoToken if absent
    const uint32_t number = strings.Find(text);
    return number == kNoSymbol ? kNoToken : first_id[number];
  }
  bool Has(int32_t id, uint16_t any_of) const {
    return (flags[static_cast<size_t>(id)] & any_of) != 0;
  }
  float score(int32_t id) const { return scores.empty() ? 0 : scores[static_cast<size_t>(id)]; }
};

// Reads everything but the merges and the character map. Errors as Tokenizer::FromGguf.
Result<Vocab> LoadVocab(const gguf::File& file);

// Fills in what files leave to the reader: end-of-turn and fill-in-the-middle tokens known by their
// text, the end-of-generation set, and which tokens swallow whitespace. `name` and `architecture`
// are general.name and general.architecture.
void ClassifySpecialTokens(std::string_view name, std::string_view architecture, Vocab* vocab);

// Ids of the 256 byte tokens "<0x00>" to "<0xFF>"; kNoToken for each that is missing.
std::array<int32_t, 256> ByteTokens(const Vocab& vocab);

// The byte that "<0xAB>" means.
std::optional<uint8_t> ParseByteToken(std::string_view text);

// Each U+2581 replaced by a space.
std::string UnescapeSpaces(std::string_view text);

inline constexpr std::string_view kEscapedSpace = "\xE2\x96\x81";  // U+2581

}  // namespace rocforge::text
