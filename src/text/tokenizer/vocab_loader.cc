#include <algorithm>
#include <cmath>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "text/tokenizer/vocab.h"

namespace rocforge::text {
namespace {

constexpr int32_t kMaxTokens = 1 << 26;

struct KindName {
  std::string_view model;
  VocabKind kind;
};
constexpr KindName kKinds[] = {
    {"gpt2", VocabKind::kBpe},       {"gemma4", VocabKind::kBpe},
    {"whitespace", VocabKind::kBpe}, {"llama", VocabKind::kSentencePiece},
    {"bert", VocabKind::kWordPiece}, {"t5", VocabKind::kUnigram},
    {"rwkv", VocabKind::kRwkv},
};

std::string Shown(std::string_view text) { return EscapeForTerminal(text, 60); }

std::string SupportedKinds() {
  std::string list;
  for (const KindName& kind : kKinds) {
    list += Format("{}{}", list.empty() ? "" : ", ", kind.model);
  }
  return list;
}

// `value` if the key is there, else what *out already holds.
Status ReadBool(const gguf::File& file, std::string_view key, bool* out) {
  if (file.Find(key) == nullptr) return {};
  ROCFORGE_ASSIGN_OR_RETURN(*out, file.GetBool(key));
  return {};
}

Status ReadString(const gguf::File& file, std::string_view key, std::string* out) {
  if (file.Find(key) == nullptr) return {};
  ROCFORGE_ASSIGN_OR_RETURN(*out, file.GetString(key));
  return {};
}

Status SetKind(Vocab* vocab) {
  for (const KindName& kind : kKinds) {
    if (kind.model != vocab->model) continue;
    vocab->kind = kind.kind;
    return {};
  }
  if (vocab->model == "no_vocab" || vocab->model == "none") {
    return NotFound(
        Format("the file has no vocabulary (tokenizer.ggml.model is '{}')", vocab->model));
  }
  return Unsupported(
      Format("vocabulary kind '{}' (tokenizer.ggml.model) is not supported; these are: {}",
             Shown(vocab->model), SupportedKinds()));
}

Status SetPreTokenizer(Vocab* vocab) {
  std::string name = vocab->pre;
  if (vocab->model == "gemma4") name = "gemma4";
  if (vocab->model == "whitespace" && name.empty()) name = "whitespace";
  if (name.empty()) {
    Log(LogLevel::kWarn,
        "the file names no pre-tokenizer (tokenizer.ggml.pre): using 'default', which may not be "
        "how "
        "the model was trained; a newer conversion of the model has the name");
    name = "default";
  }
  vocab->spec = FindPreTokenizerSpec(name);
  if (vocab->spec != nullptr) return {};
  std::string known;
  for (const PreTokenizerSpec& spec : PreTokenizerSpecs()) {
    for (const std::string_view other : spec.names) {
      known += Format("{}{}", known.empty() ? "" : ", ", other);
    }
  }
  return Unsupported(
      Format("pre-tokenizer '{}' (tokenizer.ggml.pre) is not supported; these are: {}", Shown(name),
             known));
}

// What each kind does unless the file says otherwise.
void SetDefaults(Vocab* vocab) {
  SpecialTokens& special = vocab->special;
  switch (vocab->kind) {
    case VocabKind::kBpe:
      vocab->add_bos = vocab->spec->add_bos;
      vocab->escape_whitespaces = vocab->spec->raw_utf8 && !vocab->spec->keep_spaces;
      if (vocab->model == "whitespace") vocab->lowercase = false;
      break;
    case VocabKind::kSentencePiece:
      vocab->add_bos = true;
      vocab->add_space_prefix = true;
      special.bos = 1;
      special.eos = 2;
      special.unk = 0;
      break;
    case VocabKind::kWordPiece:
      vocab->add_bos = true;
      vocab->add_sep = true;
      special.bos = 101;
      special.unk = 100;
      special.sep = 102;
      special.pad = 0;
      special.mask = 103;
      break;
    case VocabKind::kUnigram:
      vocab->add_eos = true;
      special.eos = 1;
      special.unk = 2;
      special.pad = 0;
      break;
    case VocabKind::kRwkv:
      break;
  }
}

Status ReadTokens(const gguf::File& file, Vocab* vocab) {
  constexpr std::string_view kKey = "tokenizer.ggml.tokens";
  if (file.Find(kKey) == nullptr) {
    return NotFound("the file has no vocabulary (tokenizer.ggml.tokens is missing)");
  }
  ROCFORGE_ASSIGN_OR_RETURN(const auto tokens, file.GetStringArray(kKey));
  if (tokens.empty() || tokens.size() > kMaxTokens) {
    return DataLoss(Format("tokenizer.ggml.tokens has {} entries; 1 to {} make a vocabulary",
                           tokens.size(), kMaxTokens));
  }
  vocab->size = static_cast<int32_t>(tokens.size());
  size_t bytes = 0;
  for (const std::string& token : tokens) bytes += token.size();
  if (bytes >= UINT32_MAX) return DataLoss("tokenizer.ggml.tokens holds more than 4 GiB of text");
  vocab->strings.Reserve(tokens.size(), bytes);
  vocab->text_number.resize(tokens.size());
  vocab->first_id.reserve(tokens.size());
  const std::vector<std::string_view> texts(tokens.begin(), tokens.end());
  vocab->strings.AddAll(texts, vocab->text_number.data());
  int32_t repeated = 0;
  int32_t example = kNoToken;
  for (int32_t id = 0; id < vocab->size; ++id) {
    const uint32_t number = vocab->text_number[static_cast<size_t>(id)];
    if (number == vocab->first_id.size()) {
      vocab->first_id.push_back(id);
    } else if (!tokens[static_cast<size_t>(id)].empty()) {
      ++repeated;
      example = id;
    }
  }
  if (repeated > 0) {
    Log(LogLevel::kWarn,
        "{} tokens repeat the text of an earlier one and are never produced (token {} is '{}', as "
        "is {})",
        repeated, example, Shown(vocab->token_text(example)),
        vocab->Find(vocab->token_text(example)));
  }
  return {};
}

Status ReadScores(const gguf::File& file, Vocab* vocab) {
  constexpr std::string_view kKey = "tokenizer.ggml.scores";
  if (file.Find(kKey) == nullptr) {
    if (vocab->kind != VocabKind::kSentencePiece && vocab->kind != VocabKind::kUnigram) return {};
    return DataLoss(
        Format("a vocabulary of kind '{}' needs {}, which is missing", vocab->model, kKey));
  }
  ROCFORGE_ASSIGN_OR_RETURN(const auto scores, file.GetFloatArray(kKey));
  const auto size = static_cast<size_t>(vocab->size);
  if (scores.size() < size) {
    return DataLoss(Format("{} has {} entries for {} tokens", kKey, scores.size(), vocab->size));
  }
  vocab->scores.reserve(size);
  for (size_t id = 0; id < size; ++id) {
    if (std::isnan(scores[id]))
      return DataLoss(Format("the score of token {} is not a number", id));
    vocab->scores.push_back(static_cast<float>(scores[id]) + 0.0f);  // -0 becomes 0
  }
  return {};
}

Status ReadTypes(const gguf::File& file, Vocab* vocab) {
  constexpr std::string_view kKey = "tokenizer.ggml.token_type";
  vocab->flags.assign(static_cast<size_t>(vocab->size), kTokenNormal);
  if (file.Find(kKey) == nullptr) return {};
  ROCFORGE_ASSIGN_OR_RETURN(const auto types, file.GetIntArray(kKey));
  if (types.size() < vocab->flags.size()) {
    return DataLoss(Format("{} has {} entries for {} tokens", kKey, types.size(), vocab->size));
  }
  for (size_t id = 0; id < vocab->flags.size(); ++id) {
    switch (types[id]) {
      case 1:
        vocab->flags[id] = kTokenNormal;
        break;
      case 2:
        vocab->flags[id] = kTokenUnknown;
        break;
      case 3:
        vocab->flags[id] = kTokenControl;
        break;
      case 4:
        vocab->flags[id] = kTokenUserDefined;
        break;
      case 6:
        vocab->flags[id] = kTokenByte;
        break;
      default:
        vocab->flags[id] = kTokenUnused;
        break;  // 0 is "undefined"
    }
  }
  return {};
}

struct SpecialKey {
  std::string_view key;  // behind "tokenizer.ggml."
  int32_t SpecialTokens::* id;
};
constexpr SpecialKey kSpecialKeys[] = {
    {"prefix_token_id", &SpecialTokens::fim_pre},  // old names first: the new ones win
    {"suffix_token_id", &SpecialTokens::fim_suf},
    {"middle_token_id", &SpecialTokens::fim_mid},
    {"bos_token_id", &SpecialTokens::bos},
    {"eos_token_id", &SpecialTokens::eos},
    {"eot_token_id", &SpecialTokens::eot},
    {"eom_token_id", &SpecialTokens::eom},
    {"unknown_token_id", &SpecialTokens::unk},
    {"seperator_token_id", &SpecialTokens::sep},  // sic
    {"padding_token_id", &SpecialTokens::pad},
    {"mask_token_id", &SpecialTokens::mask},
    {"fim_pre_token_id", &SpecialTokens::fim_pre},
    {"fim_suf_token_id", &SpecialTokens::fim_suf},
    {"fim_mid_token_id", &SpecialTokens::fim_mid},
    {"fim_pad_token_id", &SpecialTokens::fim_pad},
    {"fim_rep_token_id", &SpecialTokens::fim_rep},
    {"fim_sep_token_id", &SpecialTokens::fim_sep},
};

Status ReadSpecialIds(const gguf::File& file, Vocab* vocab) {
  for (const SpecialKey& entry : kSpecialKeys) {
    int32_t& id = vocab->special.*entry.id;
    if (id >= vocab->size) id = kNoToken;  // a default of the kind, in a small vocabulary
    const std::string key = Format("tokenizer.ggml.{}", entry.key);
    if (file.Find(key) == nullptr) continue;
    ROCFORGE_ASSIGN_OR_RETURN(const int64_t value, file.GetInt(key));
    if (value >= 0 && value < vocab->size) {
      id = static_cast<int32_t>(value);
      continue;
    }
    // Some converters write -1, signed or not, for "none".
    if (value != -1 && value != UINT32_MAX) {
      Log(LogLevel::kWarn, "{} is {}, but the vocabulary has {} tokens: taken as none", key, value,
          vocab->size);
    }
    id = kNoToken;
  }
  constexpr std::string_view kSuppress = "tokenizer.ggml.suppress_tokens";
  if (file.Find(kSuppress) == nullptr) return {};
  ROCFORGE_ASSIGN_OR_RETURN(const auto suppressed, file.GetIntArray(kSuppress));
  for (const int64_t id : suppressed) {
    if (id >= 0 && id < vocab->size) vocab->suppressed.push_back(static_cast<int32_t>(id));
  }
  return {};
}

Status ReadFlags(const gguf::File& file, Vocab* vocab) {
  ROCFORGE_RETURN_IF_ERROR(ReadBool(file, "tokenizer.ggml.add_bos_token", &vocab->add_bos));
  ROCFORGE_RETURN_IF_ERROR(ReadBool(file, "tokenizer.ggml.add_eos_token", &vocab->add_eos));
  ROCFORGE_RETURN_IF_ERROR(ReadBool(file, "tokenizer.ggml.add_sep_token", &vocab->add_sep));
  ROCFORGE_RETURN_IF_ERROR(
      ReadBool(file, "tokenizer.ggml.add_space_prefix", &vocab->add_space_prefix));
  ROCFORGE_RETURN_IF_ERROR(
      ReadBool(file, "tokenizer.ggml.remove_extra_whitespaces", &vocab->remove_extra_whitespaces));
  ROCFORGE_RETURN_IF_ERROR(
      ReadBool(file, "tokenizer.ggml.normalizer.lowercase", &vocab->lowercase));
  vocab->strip_accents = vocab->lowercase;
  ROCFORGE_RETURN_IF_ERROR(
      ReadBool(file, "tokenizer.ggml.normalizer.strip_accents", &vocab->strip_accents));
  if (vocab->spec != nullptr && vocab->spec->force_add_bos) vocab->add_bos = true;
  // WordPiece frames every text; the others only when told to.
  if (vocab->kind == VocabKind::kWordPiece) vocab->add_bos = vocab->add_sep = true;
  const auto require = [](bool* wanted, int32_t id, std::string_view name) {
    if (!*wanted || id != kNoToken) return;
    Log(LogLevel::kWarn,
        "the file asks for {} around each text, but the vocabulary has no such token: none is "
        "added",
        name);
    *wanted = false;
  };
  require(&vocab->add_bos, vocab->special.bos, "BOS");
  require(&vocab->add_eos, vocab->special.eos, "EOS");
  if (vocab->kind == VocabKind::kWordPiece) require(&vocab->add_sep, vocab->special.sep, "SEP");
  return {};
}

}  // namespace

Result<Vocab> LoadVocab(const gguf::File& file) {
  Vocab vocab;
  if (file.Find("tokenizer.ggml.model") == nullptr) {
    return NotFound("the file has no vocabulary (tokenizer.ggml.model is missing)");
  }
  ROCFORGE_RETURN_IF_ERROR(ReadString(file, "tokenizer.ggml.model", &vocab.model));
  ROCFORGE_RETURN_IF_ERROR(ReadString(file, "tokenizer.ggml.pre", &vocab.pre));
  ROCFORGE_RETURN_IF_ERROR(SetKind(&vocab));
  if (vocab.kind == VocabKind::kBpe) ROCFORGE_RETURN_IF_ERROR(SetPreTokenizer(&vocab));
  SetDefaults(&vocab);
  ROCFORGE_RETURN_IF_ERROR(ReadTokens(file, &vocab));
  ROCFORGE_RETURN_IF_ERROR(ReadScores(file, &vocab));
  ROCFORGE_RETURN_IF_ERROR(ReadTypes(file, &vocab));
  ROCFORGE_RETURN_IF_ERROR(ReadSpecialIds(file, &vocab));
  ROCFORGE_RETURN_IF_ERROR(ReadFlags(file, &vocab));
  std::string name, architecture;
  ROCFORGE_RETURN_IF_ERROR(ReadString(file, "general.name", &name));
  ROCFORGE_RETURN_IF_ERROR(ReadString(file, "general.architecture", &architecture));
  ClassifySpecialTokens(name, architecture, &vocab);
  return vocab;
}

std::array<int32_t, 256> ByteTokens(const Vocab& vocab) {
  std::array<int32_t, 256> ids{};
  for (size_t b = 0; b < ids.size(); ++b) ids[b] = vocab.Find(Format("<0x{:02X}>", b));
  return ids;
}

std::optional<uint8_t> ParseByteToken(std::string_view text) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  const int high = digit(text[3]), low = digit(text[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<uint8_t>(high * 16 + low);
}

std::string UnescapeSpaces(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at; (at = text.find(kEscapedSpace)) != std::string_view::npos;
       text.remove_prefix(at + kEscapedSpace.size())) {
    out.append(text.substr(0, at));
    out.push_back(' ');
  }
  return out.append(text);
}

}  // namespace rocforge::text
