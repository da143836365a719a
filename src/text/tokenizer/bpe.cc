// Byte-pair encoding with ranked merges: GPT-2's kind, whose symbols are bytes, and Gemma 4's,
// whose symbols are UTF-8 characters. Both work on raw bytes here: token texts are translated once,
// at load, from the byte alphabet, or from U+2581 to the space.
#include <algorithm>
#include <array>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/merge.h"
#include "text/tokenizer/model.h"
#include "text/tokenizer/word_tools.h"
#include "text/unicode.h"

namespace rocforge::text {
namespace {

// (left symbol, right symbol) -> rank and result.
class MergeTable {
 public:
  explicit MergeTable(size_t merges) : slots_(std::bit_ceil(merges * 3 / 2 + 16)) {
    shift_ = 64 - std::countr_zero(slots_.size());
  }

  // The first rule for a pair stays.
  void Add(uint32_t left, uint32_t right, PairRule rule) {
    Slot& slot = slots_[Probe(Key(left, right))];
    if (slot.rule.key == kNoMerge) slot = {Key(left, right), rule};
  }
  void Prefetch(uint32_t left, uint32_t right) const {
    __builtin_prefetch(&slots_[First(Key(left, right))]);
  }
  PairRule Find(uint32_t left, uint32_t right) const {
    return slots_[Probe(Key(left, right))].rule;
  }

 private:
  struct Slot {
    uint64_t key = 0;
    PairRule rule;
  };
  static uint64_t Key(uint32_t left, uint32_t right) { return uint64_t{left} << 32 | right; }
  size_t First(uint64_t key) const {
    return static_cast<size_t>((key ^ key >> 29) * 0x9E3779B97F4A7C15u >> shift_);
  }
  size_t Probe(uint64_t key) const {
    const size_t mask = slots_.size() - 1;
    size_t i = First(key);
    while (slots_[i].rule.key != kNoMerge && slots_[i].key != key) i = (i + 1) & mask;
    return i;
  }
  std::vector<Slot> slots_;
  int shift_;
};

class Bpe : public Model {
 public:
  Bpe(const Vocab& vocab, PreTokenizer pre_tokenizer, size_t merges)
      : vocab_(vocab),
        spec_(*vocab.spec),
        pre_tokenizer_(std::move(pre_tokenizer)),
        merges_(merges),
        self_(static_cast<size_t>(vocab.size)) {}

  void AddTokens();
  Status AddMerges(std::span<const std::string> merges);
  void Finish();

  Status Encode(std::string_view text, bool at_start, std::vector<int32_t>* ids) const override;
  std::string PieceOfNormal(std::string_view token_text) const override;

 private:
  // The bytes that a token text or half a merge stands for; false if no text can ever hold them.
  bool Translate(std::string_view text, std::string* bytes) const;
  uint32_t AddSymbol(std::string_view bytes);
  Status EncodeSegment(std::string_view text, std::vector<int32_t>* ids) const;
  Status EncodeBetweenSpaces(std::string_view text, std::vector<int32_t>* ids) const;
  void EncodePiece(std::string_view piece, std::vector<Symbol>* scratch,
                   std::vector<int32_t>* ids) const;
  void EncodeWord(std::string_view word, std::vector<Symbol>* scratch,
                  std::vector<int32_t>* ids) const;
  void FirstSymbols(std::string_view word, std::vector<Symbol>* symbols) const;
  void AppendBytes(std::string_view bytes, std::vector<int32_t>* ids) const;

  const Vocab& vocab_;
  const PreTokenizerSpec& spec_;
  PreTokenizer pre_tokenizer_;
  StringTable symbols_;                      // tokens, and parts of merges that are no tokens
  std::vector<int32_t> symbol_id_;           // [symbols_.size()], kNoToken where it is no token
  std::array<uint32_t, 256> byte_symbol_{};  // of single bytes; byte alphabet only
  std::array<int32_t, 256> byte_id_{};       // what a byte becomes that no token covers
  MergeTable merges_;
  AdjacentBytes adjacent_;  // raw UTF-8 only
  SelfEncoding self_;
};

bool Bpe::Translate(std::string_view text, std::string* bytes) const {
  if (!spec_.raw_utf8) return ByteAlphabet::Get().Decode(text, bytes);
  if (!vocab_.escape_whitespaces) {
    bytes->assign(text);
    return true;
  }
  if (text.find(' ') != std::string_view::npos) return false;
  *bytes = UnescapeSpaces(text);
  return true;
}

uint32_t Bpe::AddSymbol(std::string_view bytes) {
  const uint32_t symbol = symbols_.Add(bytes);
  if (symbol == symbol_id_.size()) symbol_id_.push_back(kNoToken);
  return symbol;
}

void Bpe::AddTokens() {
  size_t total = 0;
  for (int32_t id = 0; id < vocab_.size; ++id) total += vocab_.token_text(id).size();
  symbols_.Reserve(static_cast<size_t>(vocab_.size) + 256, total + 256);
  symbol_id_.reserve(static_cast<size_t>(vocab_.size) + 256);
  std::string bytes;
  for (int32_t id = 0; id < vocab_.size; ++id) {
    const std::string_view text = vocab_.token_text(id);
    if (text.empty() || !Translate(text, &bytes)) continue;
    int32_t& owner = symbol_id_[AddSymbol(bytes)];
    if (owner == kNoToken) owner = id;
  }
}

Status Bpe::AddMerges(std::span<const std::string> merges) {
  constexpr size_t kBlock = 32;
  struct Rule {
    uint32_t rank;
    std::string left, right, both;
  };
  std::array<Rule, kBlock> rules;
  std::array<std::string_view, 3 * kBlock> texts;
  std::array<uint32_t, 3 * kBlock> numbers;
  for (size_t i = 0; i < merges.size();) {
    size_t count = 0;
    for (; i < merges.size() && count < kBlock; ++i) {
      const std::string_view line = merges[i];
      const size_t space = line.find(' ', 1);  // the left half may itself be a space
      if (space == std::string_view::npos) {
        return DataLoss(
            Format("merge {} of tokenizer.ggml.merges, '{}', is not two parts with a "
                   "space between them",
                   i, EscapeForTerminal(line, 60)));
      }
      Rule& rule = rules[count];
      if (!Translate(line.substr(0, space), &rule.left)) continue;
      if (!Translate(line.substr(space + 1), &rule.right)) continue;
      rule.rank = static_cast<uint32_t>(i);
      rule.both.assign(rule.left).append(rule.right);
      texts[3 * count] = rule.left;
      texts[3 * count + 1] = rule.right;
      texts[3 * count + 2] = rule.both;
      ++count;
    }
    symbols_.AddAll(std::span(texts).first(3 * count), numbers.data());
    symbol_id_.resize(symbols_.size(), kNoToken);
    for (size_t r = 0; r < count; ++r) merges_.Prefetch(numbers[3 * r], numbers[3 * r + 1]);
    for (size_t r = 0; r < count; ++r) {
      merges_.Add(numbers[3 * r], numbers[3 * r + 1], {rules[r].rank, numbers[3 * r + 2]});
    }
  }
  return {};
}

void Bpe::Finish() {
  if (spec_.raw_utf8) {
    byte_id_ = ByteTokens(vocab_);
    for (uint32_t i = 0; i < symbols_.size(); ++i) adjacent_.AddString(symbols_[i]);
  } else {
    for (size_t b = 0; b < 256; ++b) {
      const char byte = static_cast<char>(b);
      byte_symbol_[b] = AddSymbol({&byte, 1});
      byte_id_[b] = symbol_id_[byte_symbol_[b]];
    }
  }
  const auto missing = std::count(byte_id_.begin(), byte_id_.end(), kNoToken);
  if (missing == 0) return;
  // Some files name an end-of-text token as the unknown one, which must not appear inside a text.
  const int32_t unk = vocab_.special.unk;
  const bool usable = unk != kNoToken && vocab_.Has(unk, kTokenUnknown);
  if (usable) std::replace(byte_id_.begin(), byte_id_.end(), kNoToken, unk);
  Log(LogLevel::kInfo, "the vocabulary has no token for {} of the 256 bytes: they {}", missing,
      usable ? "become the unknown token" : "are left out");
}

Status Bpe::Encode(std::string_view text, bool /*at_start*/, std::vector<int32_t>* ids) const {
  std::string repaired;
  if (!IsUtf8(text)) {
    repaired = RepairUtf8(text);
    text = repaired;
  }
  std::string unescaped;
  if (vocab_.escape_whitespaces && text.find(kEscapedSpace) != std::string_view::npos) {
    unescaped = UnescapeSpaces(text);
    text = unescaped;
  }
  return vocab_.model == "whitespace" ? EncodeBetweenSpaces(text, ids) : EncodeSegment(text, ids);
}

// The whitespace kind has no whitespace in its texts.
Status Bpe::EncodeBetweenSpaces(std::string_view text, std::vector<int32_t>* ids) const {
  const uint8_t* flags = CharFlagTable();
  std::string segment;
  const char* end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const uint32_t cp = DecodeUtf8(&p);
    if ((flags[cp] & kWhitespace) == 0) {
      AppendUtf8(vocab_.lowercase ? ToLower(cp) : cp, &segment);
      if (p < end) continue;
    }
    ROCFORGE_RETURN_IF_ERROR(EncodeSegment(segment, ids));
    segment.clear();
  }
  return {};
}

Status Bpe::EncodeSegment(std::string_view text, std::vector<int32_t>* ids) const {
  std::vector<uint32_t> ends, spare;
  ROCFORGE_RETURN_IF_ERROR(pre_tokenizer_.Split(text, &ends, &spare));
  std::vector<Symbol> scratch;
  uint32_t begin = 0;
  for (const uint32_t end : ends) {
    EncodePiece(text.substr(begin, end - begin), &scratch, ids);
    begin = end;
  }
  return {};
}

void Bpe::EncodePiece(std::string_view piece, std::vector<Symbol>* scratch,
                      std::vector<int32_t>* ids) const {
  if (spec_.newline_tokens && piece.find_first_not_of('\n') == std::string_view::npos) {
    const uint32_t symbol = symbols_.Find(piece);
    if (symbol != kNoSymbol && symbol_id_[symbol] != kNoToken) {
      ids->push_back(symbol_id_[symbol]);
      return;
    }
  }
  if (!spec_.raw_utf8) return EncodeWord(piece, scratch, ids);
  while (!piece.empty()) {
    const size_t cut = adjacent_.FirstCut(piece);
    EncodeWord(piece.substr(0, cut), scratch, ids);
    piece.remove_prefix(cut);
  }
}

void Bpe::EncodeWord(std::string_view word, std::vector<Symbol>* scratch,
                     std::vector<int32_t>* ids) const {
  const uint32_t whole = symbols_.Find(word);
  const int32_t id = whole == kNoSymbol ? kNoToken : symbol_id_[whole];
  const auto state = id == kNoToken ? SelfEncoding::kNo : self_.Get(static_cast<size_t>(id));
  if (id != kNoToken && (spec_.ignore_merges || state == SelfEncoding::kYes)) {
    ids->push_back(id);
    return;
  }
  FirstSymbols(word, scratch);
  MergeSymbols(
      word,
      [this](uint32_t left, uint32_t right, std::string_view) {
        if (left == kNoSymbol || right == kNoSymbol) return PairRule{};
        return merges_.Find(left, right);
      },
      scratch);
  for (size_t i = 0; i < scratch->size(); ++i) {
    const Symbol& symbol = (*scratch)[i];
    if (symbol.symbol != kNoSymbol && symbol_id_[symbol.symbol] != kNoToken) {
      ids->push_back(symbol_id_[symbol.symbol]);
      continue;
    }
    const size_t end = i + 1 < scratch->size() ? (*scratch)[i + 1].begin : word.size();
    AppendBytes(word.substr(symbol.begin, end - symbol.begin), ids);
  }
  if (id != kNoToken && state == SelfEncoding::kUnknown) {
    const bool itself = scratch->size() == 1 && scratch->front().symbol == whole;
    self_.Set(static_cast<size_t>(id), itself ? SelfEncoding::kYes : SelfEncoding::kNo);
  }
}

void Bpe::FirstSymbols(std::string_view word, std::vector<Symbol>* symbols) const {
  symbols->clear();
  if (!spec_.raw_utf8) {
    for (uint32_t i = 0; i < word.size(); ++i) {
      symbols->push_back({i, byte_symbol_[static_cast<uint8_t>(word[i])]});
    }
    return;
  }
  for (size_t i = 0; i < word.size();) {
    const size_t length = std::min(Utf8Length(word[i]), word.size() - i);
    symbols->push_back({static_cast<uint32_t>(i), symbols_.Find(word.substr(i, length))});
    i += length;
  }
}

void Bpe::AppendBytes(std::string_view bytes, std::vector<int32_t>* ids) const {
  const auto append = [&](std::string_view some) {
    for (const char c : some) {
      const int32_t id = byte_id_[static_cast<uint8_t>(c)];
      if (id != kNoToken) ids->push_back(id);
    }
  };
  if (!vocab_.escape_whitespaces) return append(bytes);
  for (const char& c : bytes) append(c == ' ' ? kEscapedSpace : std::string_view(&c, 1));
}

std::string Bpe::PieceOfNormal(std::string_view token_text) const {
  if (spec_.raw_utf8) {
    return vocab_.escape_whitespaces ? UnescapeSpaces(token_text) : std::string(token_text);
  }
  // Characters outside the alphabet (in tokens added by hand) stand for themselves.
  std::string piece;
  while (!token_text.empty()) {
    const size_t length = std::max<size_t>(WellFormedLength(token_text), 1);
    const char* p = token_text.data();
    const int byte =
        WellFormedLength(token_text) == 0 ? -1 : ByteAlphabet::Get().Byte(DecodeUtf8(&p));
    if (byte < 0) {
      piece.append(token_text.substr(0, length));
    } else {
      piece.push_back(static_cast<char>(byte));
    }
    token_text.remove_prefix(length);
  }
  return piece;
}

}  // namespace

Result<std::unique_ptr<Model>> MakeBpe(const Vocab& vocab, std::span<const std::string> merges) {
  ROCFORGE_ASSIGN_OR_RETURN(PreTokenizer pre_tokenizer, PreTokenizer::Make(*vocab.spec));
  auto bpe = std::make_unique<Bpe>(vocab, std::move(pre_tokenizer), merges.size());
  bpe->AddTokens();
  ROCFORGE_RETURN_IF_ERROR(bpe->AddMerges(merges));
  bpe->Finish();
  return std::unique_ptr<Model>(std::move(bpe));
}

}  // namespace rocforge::text
