// SentencePiece's byte-pair encoding (Kudo and Richardson 2018): of all neighbours whose joined
// text is a token, those with the best score merge first. Token texts are kept with spaces for
// U+2581.
#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "base/log.h"
#include "text/tokenizer/merge.h"
#include "text/tokenizer/model.h"
#include "text/tokenizer/word_tools.h"
#include "text/unicode.h"

namespace rocforge::text {
namespace {

// Descending scores as ascending keys. A score is no NaN, so no key is kNoMerge.
uint32_t KeyOfScore(float score) {
  const auto bits = std::bit_cast<uint32_t>(score);
  const uint32_t ascending = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
  return ~ascending;
}

class SentencePiece : public Model {
 public:
  explicit SentencePiece(const Vocab& vocab);

  Status Encode(std::string_view text, bool at_start, std::vector<int32_t>* ids) const override;
  std::string PieceOfNormal(std::string_view token_text) const override {
    return UnescapeSpaces(token_text);
  }

 private:
  void EncodeWord(std::string_view word, std::vector<Symbol>* scratch,
                  std::vector<int32_t>* ids) const;
  void AppendBytes(std::string_view bytes, std::vector<int32_t>* ids) const;

  const Vocab& vocab_;
  StringTable symbols_;
  std::vector<int32_t> symbol_id_;    // [symbols_.size()]
  std::vector<uint32_t> symbol_key_;  // [symbols_.size()]
  size_t longest_ = 0;                // bytes of the longest symbol
  std::array<int32_t, 256> byte_id_;
  AdjacentBytes adjacent_;
  SelfEncoding self_;
};

SentencePiece::SentencePiece(const Vocab& vocab)
    : vocab_(vocab), byte_id_(ByteTokens(vocab)), self_(static_cast<size_t>(vocab.size)) {
  size_t total = 0;
  for (int32_t id = 0; id < vocab.size; ++id) total += vocab.token_text(id).size();
  symbols_.Reserve(static_cast<size_t>(vocab.size), total);
  for (int32_t id = 0; id < vocab.size; ++id) {
    const std::string_view text = vocab.token_text(id);
    // A real space in a token never meets one in a text: those are U+2581 by then.
    if (text.empty() || text.find(' ') != std::string_view::npos) continue;
    const std::string bytes = UnescapeSpaces(text);
    if (symbols_.Add(bytes) != symbol_id_.size()) continue;
    symbol_id_.push_back(id);
    symbol_key_.push_back(KeyOfScore(vocab.score(id)));
    longest_ = std::max(longest_, bytes.size());
    adjacent_.AddString(bytes);
  }
  size_t missing = 0;
  for (size_t b = 0; b < 256; ++b) {
    if (byte_id_[b] != kNoToken) continue;
    const char byte = static_cast<char>(b);
    byte_id_[b] = vocab.Find({&byte, 1});
    if (byte_id_[b] != kNoToken) continue;
    byte_id_[b] = vocab.special.unk;
    ++missing;
  }
  if (missing > 0) {
    Log(LogLevel::kInfo, "the vocabulary has no token for {} of the 256 bytes: they {}", missing,
        vocab.special.unk == kNoToken ? "are left out" : "become the unknown token");
  }
}

Status SentencePiece::Encode(std::string_view text, bool at_start,
                             std::vector<int32_t>* ids) const {
  std::string changed;
  if (text.find(kEscapedSpace) != std::string_view::npos) {
    changed = UnescapeSpaces(text);
    text = changed;
  }
  if (at_start && vocab_.add_space_prefix) {
    std::string prefixed(1, ' ');
    prefixed += text;
    changed = std::move(prefixed);
    text = changed;
  }
  std::vector<Symbol> scratch;
  while (!text.empty()) {
    const size_t cut = adjacent_.FirstCut(text);
    EncodeWord(text.substr(0, cut), &scratch, ids);
    text.remove_prefix(cut);
  }
  return {};
}

void SentencePiece::EncodeWord(std::string_view word, std::vector<Symbol>* scratch,
                               std::vector<int32_t>* ids) const {
  const uint32_t whole = word.size() <= longest_ ? symbols_.Find(word) : kNoSymbol;
  if (whole != kNoSymbol && self_.Get(whole) == SelfEncoding::kYes) {
    ids->push_back(symbol_id_[whole]);
    return;
  }
  scratch->clear();
  for (size_t i = 0; i < word.size();) {
    const size_t length = std::max<size_t>(WellFormedLength(word.substr(i)), 1);
    scratch->push_back({static_cast<uint32_t>(i), symbols_.Find(word.substr(i, length))});
    i += length;
  }
  MergeSymbols(
      word,
      [this](uint32_t, uint32_t, std::string_view joined) {
        if (joined.size() > longest_) return PairRule{};
        const uint32_t symbol = symbols_.Find(joined);
        if (symbol == kNoSymbol) return PairRule{};
        return PairRule{symbol_key_[symbol], symbol};
      },
      scratch);
  for (size_t i = 0; i < scratch->size(); ++i) {
    const Symbol& symbol = (*scratch)[i];
    if (symbol.symbol != kNoSymbol) {
      ids->push_back(symbol_id_[symbol.symbol]);
      continue;
    }
    const size_t end = i + 1 < scratch->size() ? (*scratch)[i + 1].begin : word.size();
    AppendBytes(word.substr(symbol.begin, end - symbol.begin), ids);
  }
  if (whole != kNoSymbol) {
    const bool itself = scratch->size() == 1 && scratch->front().symbol == whole;
    self_.Set(whole, itself ? SelfEncoding::kYes : SelfEncoding::kNo);
  }
}

void SentencePiece::AppendBytes(std::string_view bytes, std::vector<int32_t>* ids) const {
  for (const char c : bytes == " " ? kEscapedSpace : bytes) {
    const int32_t id = byte_id_[static_cast<uint8_t>(c)];
    if (id != kNoToken) ids->push_back(id);
  }
}

}  // namespace

Result<std::unique_ptr<Model>> MakeSentencePiece(const Vocab& vocab) {
  return std::unique_ptr<Model>(std::make_unique<SentencePiece>(vocab));
}

}  // namespace rocforge::text
