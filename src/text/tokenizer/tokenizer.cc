#include "text/tokenizer/tokenizer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/format.h"
#include "text/tokenizer/model.h"
#include "text/tokenizer/partition.h"
#include "text/tokenizer/vocab.h"

namespace rocforge::text {
namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 30;  // offsets and ids are 32-bit numbers

Result<std::unique_ptr<Model>> MakeModel(const gguf::File& file, const Vocab& vocab) {
  switch (vocab.kind) {
    case VocabKind::kBpe: {
      constexpr std::string_view kMerges = "tokenizer.ggml.merges";
      if (file.Find(kMerges) == nullptr) {
        return DataLoss(
            Format("a vocabulary of kind '{}' needs {}, which is missing", vocab.model, kMerges));
      }
      ROCFORGE_ASSIGN_OR_RETURN(const auto merges, file.GetStringArray(kMerges));
      return MakeBpe(vocab, merges);
    }
    case VocabKind::kSentencePiece:
      return MakeSentencePiece(vocab);
    case VocabKind::kWordPiece:
      return MakeWordPiece(vocab);
    case VocabKind::kUnigram: {
      constexpr std::string_view kCharsmap = "tokenizer.ggml.precompiled_charsmap";
      std::string charsmap;
      if (file.Find(kCharsmap) != nullptr) {
        ROCFORGE_ASSIGN_OR_RETURN(const auto bytes, file.GetIntArray(kCharsmap));
        charsmap.reserve(bytes.size());
        for (const int64_t byte : bytes) charsmap.push_back(static_cast<char>(byte));
      }
      return MakeUnigram(vocab, std::move(charsmap));
    }
    case VocabKind::kRwkv:
      return MakeRwkv(vocab);
  }
  return Internal("a vocabulary kind without an encoder");
}

}  // namespace

struct Tokenizer::Impl {
  Vocab vocab;
  std::unique_ptr<Model> model;            // refers to vocab
  std::optional<Partitioner> partitioner;  // refers to vocab
  std::string pieces;                      // of all tokens, control tokens too, one after the other
  std::vector<uint32_t> piece_begin;       // [size + 1]
  uint16_t stretch_flags = kTokenControl | kTokenUserDefined;

  void AddPiece(int32_t id);
  Status Encode(std::string_view text, const EncodeOptions& options,
                std::vector<int32_t>* ids) const;
};

void Tokenizer::Impl::AddPiece(int32_t id) {
  const std::string_view text = vocab.token_text(id);
  if (vocab.Has(id, kTokenUnknown | kTokenControl | kTokenUserDefined)) {
    pieces += vocab.kind == VocabKind::kRwkv ? model->PieceOfNormal(text) : text;
  } else if (vocab.Has(id, kTokenByte)) {
    if (const auto byte = ParseByteToken(text)) {
      pieces.push_back(static_cast<char>(*byte));
    } else {
      pieces += text;
    }
  } else if (vocab.Has(id, kTokenNormal)) {
    pieces += model->PieceOfNormal(text);
  }
  piece_begin.push_back(static_cast<uint32_t>(pieces.size()));
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

Result<std::unique_ptr<Tokenizer>> Tokenizer::FromGguf(const gguf::File& file) {
  const std::string where = file.paths().empty() ? "vocabulary" : file.paths().front();
  auto impl = std::make_unique<Impl>();
  auto vocab = LoadVocab(file);
  if (!vocab.ok()) return vocab.status().WithContext(where);
  impl->vocab = std::move(*vocab);
  auto model = MakeModel(file, impl->vocab);
  if (!model.ok()) return model.status().WithContext(where);
  impl->model = std::move(*model);
  impl->partitioner.emplace(impl->vocab);
  const auto size = static_cast<size_t>(impl->vocab.size);
  impl->piece_begin.reserve(size + 1);
  impl->piece_begin.push_back(0);
  for (int32_t id = 0; id < impl->vocab.size; ++id) impl->AddPiece(id);
  // Where every byte has a token, the unknown token only comes from its written name.
  const auto bytes = ByteTokens(impl->vocab);
  if (std::find(bytes.begin(), bytes.end(), kNoToken) == bytes.end()) {
    impl->stretch_flags |= kTokenUnknown;
  }
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(impl)));
}

Status Tokenizer::Impl::Encode(std::string_view text, const EncodeOptions& options,
                               std::vector<int32_t>* ids) const {
  std::vector<Fragment> fragments;
  partitioner->Split(text, options.parse_special, &fragments);
  bool at_start = true;
  for (const Fragment& fragment : fragments) {
    if (fragment.token != kNoToken) {
      ids->push_back(fragment.token);
      at_start = true;
      continue;
    }
    ROCFORGE_RETURN_IF_ERROR(
        model->Encode(text.substr(fragment.begin, fragment.end - fragment.begin), at_start, ids));
    at_start = false;
  }
  return {};
}

Result<std::vector<int32_t>> Tokenizer::Encode(std::string_view text,
                                               const EncodeOptions& options) const {
  if (text.size() >= kMaxTextBytes) {
    return InvalidArgument(Format("a text of {} is too long to encode at once; the limit is {}",
                                  FormatBytes(text.size()), FormatBytes(kMaxTextBytes)));
  }
  const Vocab& vocab = impl_->vocab;
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 4 + 8);
  if (options.add_special && vocab.add_bos) ids.push_back(vocab.special.bos);
  ROCFORGE_RETURN_IF_ERROR(impl_->Encode(text, options, &ids));
  if (options.add_special) {
    if (vocab.kind == VocabKind::kWordPiece) {
      if (vocab.add_sep) ids.push_back(vocab.special.sep);
    } else if (vocab.add_eos) {
      ids.push_back(vocab.special.eos);
    }
  }
  return ids;
}

std::string_view Tokenizer::Piece(int32_t id, bool special) const {
  if (id < 0 || id >= size()) return {};
  if (!special && impl_->vocab.Has(id, kTokenUnknown | kTokenControl)) return {};
  const auto i = static_cast<size_t>(id);
  const uint32_t begin = impl_->piece_begin[i];
  return std::string_view(impl_->pieces).substr(begin, impl_->piece_begin[i + 1] - begin);
}

std::string Tokenizer::Decode(std::span<const int32_t> ids, bool special) const {
  std::string out;
  bool strip = adds_space_prefix();
  for (const int32_t id : ids) {
    if (id < 0 || id >= size()) continue;
    std::string_view piece = Piece(id, special);
    if (StartsStretch(id)) {
      strip = adds_space_prefix();
    } else {
      if (strip && piece.starts_with(' ')) piece.remove_prefix(1);
      strip = false;
    }
    out += piece;
  }
  return out;
}

bool Tokenizer::StartsStretch(int32_t id) const {
  return id >= 0 && id < size() && impl_->vocab.Has(id, impl_->stretch_flags);
}

bool Tokenizer::adds_space_prefix() const {
  return impl_->vocab.add_space_prefix && impl_->vocab.kind == VocabKind::kSentencePiece;
}

int32_t Tokenizer::size() const { return impl_->vocab.size; }

TokenType Tokenizer::type(int32_t id) const {
  if (id < 0 || id >= size()) return TokenType::kUnused;
  const Vocab& vocab = impl_->vocab;
  if (vocab.Has(id, kTokenUnused)) return TokenType::kUnused;
  if (vocab.Has(id, kTokenControl)) return TokenType::kControl;
  if (vocab.Has(id, kTokenUnknown)) return TokenType::kUnknown;
  if (vocab.Has(id, kTokenUserDefined)) return TokenType::kUserDefined;
  if (vocab.Has(id, kTokenByte)) return TokenType::kByte;
  return TokenType::kNormal;
}

std::string_view Tokenizer::text(int32_t id) const {
  return id < 0 || id >= size() ? std::string_view() : impl_->vocab.token_text(id);
}

float Tokenizer::score(int32_t id) const {
  return id < 0 || id >= size() ? 0 : impl_->vocab.score(id);
}

std::optional<int32_t> Tokenizer::Find(std::string_view token_text) const {
  const int32_t id = impl_->vocab.Find(token_text);
  if (id == kNoToken) return std::nullopt;
  return id;
}

const SpecialTokens& Tokenizer::special_tokens() const { return impl_->vocab.special; }

bool Tokenizer::IsEog(int32_t id) const {
  return id >= 0 && id < size() && impl_->vocab.Has(id, kTokenEog);
}

std::span<const int32_t> Tokenizer::eog_tokens() const { return impl_->vocab.eog; }
std::span<const int32_t> Tokenizer::suppressed_tokens() const { return impl_->vocab.suppressed; }
bool Tokenizer::add_bos() const { return impl_->vocab.add_bos; }
bool Tokenizer::add_eos() const { return impl_->vocab.add_eos; }
const std::string& Tokenizer::model() const { return impl_->vocab.model; }
const std::string& Tokenizer::pre() const { return impl_->vocab.pre; }

}  // namespace rocforge::text
