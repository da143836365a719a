// WordPiece (Schuster and Nakajima 2012; the BERT tokenizer, Devlin et al. 2019): words cut from
// the left into the longest known parts. In GGUF a part that begins a word is written with U+2581
// in front, and the "##" of the others is gone.
#include <utility>

#include "text/tokenizer/byte_trie.h"
#include "text/tokenizer/model.h"
#include "text/unicode.h"

namespace rocforge::text {
namespace {

// The blocks that BERT's multilingual models split into single characters.
bool IsChinese(uint32_t cp) {
  return (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3400 && cp <= 0x4DBF) ||
         (cp >= 0x20000 && cp <= 0x2A6DF) || (cp >= 0x2A700 && cp <= 0x2B73F) ||
         (cp >= 0x2B740 && cp <= 0x2B81F) || (cp >= 0x2B920 && cp <= 0x2CEAF) ||
         (cp >= 0xF900 && cp <= 0xFAFF) || (cp >= 0x2F800 && cp <= 0x2FA1F);
}

bool IsPunctuation(uint32_t cp, uint8_t flags) {
  return (flags & kPunctuation) != 0 || (cp < 0x7F && (flags & kSymbol) != 0);
}

class WordPiece : public Model {
 public:
  explicit WordPiece(const Vocab& vocab) : vocab_(vocab) {
    for (int32_t id = 0; id < vocab.size; ++id) parts_.Insert(vocab.token_text(id), id);
  }

  Status Encode(std::string_view text, bool at_start, std::vector<int32_t>* ids) const override;
  std::string PieceOfNormal(std::string_view token_text) const override {
    return UnescapeSpaces(token_text);
  }

 private:
  void EncodeWord(std::string* word, std::vector<int32_t>* ids) const;

  const Vocab& vocab_;
  ByteTrie parts_;
};

Status WordPiece::Encode(std::string_view text, bool /*at_start*/,
                         std::vector<int32_t>* ids) const {
  const uint8_t* flag_table = CharFlagTable();
  const std::string valid = RepairUtf8(text);
  std::string word;
  std::vector<uint32_t> parts;
  const char* end = valid.data() + valid.size();
  for (const char* p = valid.data(); p < end;) {
    parts.clear();
    const uint32_t whole = DecodeUtf8(&p);
    if (vocab_.strip_accents) {
      AppendDecomposition(whole, &parts);
    } else {
      parts.push_back(whole);
    }
    for (const uint32_t cp : parts) {
      const uint8_t flags = flag_table[cp];
      const Category category = CategoryOf(cp);
      if ((flags & kWhitespace) != 0) {
        EncodeWord(&word, ids);
      } else if (cp == kReplacementCharacter ||
                 (category >= Category::kCc && category != Category::kCn) ||
                 (vocab_.strip_accents && category == Category::kMn)) {
        continue;
      } else if (IsPunctuation(cp, flags) || IsChinese(cp)) {
        EncodeWord(&word, ids);
        AppendUtf8(cp, &word);
        EncodeWord(&word, ids);
      } else {
        AppendUtf8(vocab_.lowercase ? ToLower(cp) : cp, &word);
      }
    }
  }
  EncodeWord(&word, ids);
  return {};
}

// Empties *word.
void WordPiece::EncodeWord(std::string* word, std::vector<int32_t>* ids) const {
  if (word->empty()) return;
  const std::string marked = std::string(kEscapedSpace) + *word;
  word->clear();
  const size_t before = ids->size();
  for (std::string_view rest = marked; !rest.empty();) {
    const ByteTrie::Match match = parts_.Longest(rest);
    if (match.length == 0) {  // one unknown part makes the whole word unknown
      ids->resize(before);
      if (vocab_.special.unk != kNoToken) ids->push_back(vocab_.special.unk);
      return;
    }
    ids->push_back(match.value);
    rest.remove_prefix(match.length);
  }
}

}  // namespace

Result<std::unique_ptr<Model>> MakeWordPiece(const Vocab& vocab) {
  return std::unique_ptr<Model>(std::make_unique<WordPiece>(vocab));
}

}  // namespace rocforge::text
