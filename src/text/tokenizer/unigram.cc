// The unigram language model (Kudo 2018, "Subword Regularization"): of all ways to cut a text into
// tokens, the one with the best sum of scores, by Viterbi's algorithm; as in T5.
#include <algorithm>
#include <limits>
#include <utility>

#include "text/tokenizer/byte_trie.h"
#include "text/tokenizer/charsmap.h"
#include "text/tokenizer/model.h"
#include "text/unicode.h"

namespace rocforge::text {
namespace {

constexpr float kUnknownPenalty = 10;  // as in SentencePiece

class Unigram : public Model {
 public:
  Unigram(const Vocab& vocab, CharsMap charsmap);

  Status Encode(std::string_view text, bool at_start, std::vector<int32_t>* ids) const override;
  std::string PieceOfNormal(std::string_view token_text) const override {
    return UnescapeSpaces(token_text);
  }

 private:
  struct Step {
    double score = -std::numeric_limits<double>::infinity();
    size_t begin = 0;  // where the token that ends here begins
    int32_t token = kNoToken;
  };

  std::string Normalize(std::string_view text) const;
  // What the beginning of `text` becomes, and how many bytes of it that covers.
  std::pair<std::string_view, size_t> NormalizeNext(std::string_view text) const;

  const Vocab& vocab_;
  CharsMap charsmap_;
  ByteTrie tokens_;
  ByteTrie user_tokens_;
  float unknown_score_ = -kUnknownPenalty;
};

Unigram::Unigram(const Vocab& vocab, CharsMap charsmap)
    : vocab_(vocab), charsmap_(std::move(charsmap)) {
  float lowest = std::numeric_limits<float>::max();
  for (int32_t id = 0; id < vocab.size; ++id) {
    const std::string_view text = vocab.token_text(id);
    if (vocab.Has(id, kTokenNormal)) lowest = std::min(lowest, vocab.score(id));
    if (vocab.Has(id, kTokenNormal | kTokenUserDefined | kTokenUnused)) tokens_.Insert(text, id);
    if (vocab.Has(id, kTokenUserDefined)) user_tokens_.Insert(text, id);
  }
  if (lowest != std::numeric_limits<float>::max()) unknown_score_ = lowest - kUnknownPenalty;
}

std::pair<std::string_view, size_t> Unigram::NormalizeNext(std::string_view text) const {
  if (const size_t length = user_tokens_.Longest(text).length; length > 0) {
    return {text.substr(0, length), length};
  }
  if (const CharsMap::Rule rule = charsmap_.Longest(text); rule.length > 0) {
    return {rule.replacement, rule.length};
  }
  if (const size_t length = WellFormedLength(text); length > 0) {
    return {text.substr(0, length), length};
  }
  return {"\xEF\xBF\xBD", 1};  // U+FFFD for a byte that is no UTF-8
}

// Spaces become U+2581: one in front of the first word if the file wants that, and, where it
// removes extra whitespace, one in front of each word and no other.
std::string Unigram::Normalize(std::string_view text) const {
  std::string out;
  out.reserve(text.size() + text.size() / 2);
  bool prefixed = false;
  bool in_word = false;
  while (!text.empty()) {
    const auto [piece, length] = NormalizeNext(text);
    for (const char c : piece) {
      if (c == ' ') {
        in_word = false;
        if (!vocab_.remove_extra_whitespaces) out += kEscapedSpace;
        continue;
      }
      if (!in_word) {
        in_word = true;
        if (vocab_.remove_extra_whitespaces || (vocab_.add_space_prefix && !prefixed)) {
          out += kEscapedSpace;
          prefixed = true;
        }
      }
      out.push_back(c);
    }
    text.remove_prefix(length);
  }
  return out;
}

Status Unigram::Encode(std::string_view text, bool /*at_start*/, std::vector<int32_t>* ids) const {
  const std::string normal = Normalize(text);
  const std::string_view view = normal;
  if (view.empty()) return {};
  std::vector<Step> steps(view.size() + 1);
  steps[0].score = 0;
  for (size_t begin = 0; begin < view.size();) {
    const double score = steps[begin].score;
    const size_t character = std::min(Utf8Length(view[begin]), view.size() - begin);
    const auto offer = [&](size_t end, int32_t token, double token_score) {
      if (score + token_score > steps[end].score) steps[end] = {score + token_score, begin, token};
    };
    bool covered = false;  // some token is exactly this character
    uint32_t node = ByteTrie::kRoot;
    for (size_t end = begin; end < view.size();) {
      node = tokens_.Child(node, static_cast<uint8_t>(view[end++]));
      if (node == ByteTrie::kNoNode) break;
      const int32_t token = tokens_.Value(node);
      if (token == ByteTrie::kNoValue) continue;
      covered = covered || end - begin == character;
      // User-defined tokens cost nothing, so that they are preferred (normal scores are negative).
      offer(end, token, vocab_.Has(token, kTokenUserDefined) ? 0.0 : vocab_.score(token));
    }
    if (!covered) offer(begin + character, vocab_.special.unk, unknown_score_);
    begin += character;
  }
  const size_t first = ids->size();
  bool after_unknown = false;
  for (size_t end = view.size(); end > 0; end = steps[end].begin) {
    const bool unknown = steps[end].token == vocab_.special.unk;
    // A run of unknown characters is one unknown token.
    if (!(unknown && after_unknown) && steps[end].token != kNoToken) {
      ids->push_back(steps[end].token);
    }
    after_unknown = unknown;
  }
  std::reverse(ids->begin() + static_cast<std::ptrdiff_t>(first), ids->end());
  return {};
}

}  // namespace

Result<std::unique_ptr<Model>> MakeUnigram(const Vocab& vocab, std::string charsmap) {
  ROCFORGE_ASSIGN_OR_RETURN(CharsMap map, CharsMap::Parse(std::move(charsmap)));
  return std::unique_ptr<Model>(std::make_unique<Unigram>(vocab, std::move(map)));
}

}  // namespace rocforge::text
