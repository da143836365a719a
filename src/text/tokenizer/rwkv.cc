// RWKV World's vocabulary: at each place the longest token that fits. Token texts are byte strings
// written with C-style escapes.
#include "base/format.h"
#include "text/tokenizer/byte_trie.h"
#include "text/tokenizer/model.h"

namespace rocforge::text {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// \t \n \r and \xHH; any other escaped character, or a broken \x, stands for itself.
std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out.push_back(text[i]);
      continue;
    }
    const char c = text[++i];
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
    if (c == 'x' && high >= 0 && low >= 0) {
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out.push_back(c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c);
    }
  }
  return out;
}

class Rwkv : public Model {
 public:
  explicit Rwkv(const Vocab& vocab) : unk_(vocab.special.unk) {
    for (int32_t id = 0; id < vocab.size; ++id) tokens_.Insert(Unescape(vocab.token_text(id)), id);
  }

  Status Encode(std::string_view text, bool /*at_start*/,
                std::vector<int32_t>* ids) const override {
    while (!text.empty()) {
      const ByteTrie::Match match = tokens_.Longest(text);
      const int32_t id = match.length == 0 ? unk_ : match.value;
      if (id != kNoToken) ids->push_back(id);
      text.remove_prefix(match.length == 0 ? 1 : match.length);
    }
    return {};
  }

  std::string PieceOfNormal(std::string_view token_text) const override {
    return Unescape(token_text);
  }

 private:
  ByteTrie tokens_;
  int32_t unk_;
};

}  // namespace

Result<std::unique_ptr<Model>> MakeRwkv(const Vocab& vocab) {
  return std::unique_ptr<Model>(std::make_unique<Rwkv>(vocab));
}

}  // namespace rocforge::text
