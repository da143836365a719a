#include "text/detokenizer.h"

#include <algorithm>
#include <cstring>

#include "text/unicode.h"

namespace rocforge::text {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool InRange(char c, uint8_t low, uint8_t high) {
  const auto b = static_cast<uint8_t>(c);
  return b >= low && b <= high;
}

// The bytes at the beginning of `bytes` that some well-formed character begins with (Unicode 15.1,
// table 3-7): 0 if the first byte begins none.
size_t MaximalPart(std::string_view bytes) {
  const auto lead = static_cast<uint8_t>(bytes[0]);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t length = std::min(Utf8Length(bytes[0]), bytes.size());
  for (size_t i = 1; i < length; ++i) {
    const uint8_t low = i == 1 && lead == 0xE0 ? 0xA0 : i == 1 && lead == 0xF0 ? 0x90 : 0x80;
    const uint8_t high = i == 1 && lead == 0xED ? 0x9F : i == 1 && lead == 0xF4 ? 0x8F : 0xBF;
    if (!InRange(bytes[i], low, high)) return i;
  }
  return length;
}

}  // namespace

Detokenizer::Detokenizer(const Tokenizer& tokenizer, DetokenizerOptions options)
    : tokenizer_(&tokenizer), options_(options) {
  strip_next_ = options_.strip_leading_space && tokenizer_->adds_space_prefix();
}

std::string_view Detokenizer::Feed(int32_t id) {
  std::string_view piece = tokenizer_->Piece(id, options_.special);
  if (tokenizer_->StartsStretch(id)) {
    strip_next_ = options_.strip_leading_space && tokenizer_->adds_space_prefix();
  } else if (!piece.empty()) {
    if (strip_next_ && piece.front() == ' ') piece.remove_prefix(1);
    strip_next_ = false;
  }
  in_.assign(pending_, pending_size_);
  in_ += piece;
  pending_size_ = 0;
  out_.clear();
  for (std::string_view rest = in_; !rest.empty();) {
    const size_t part = MaximalPart(rest);
    if (part > 0 && part == Utf8Length(rest[0])) {
      out_ += rest.substr(0, part);
    } else if (part == rest.size()) {
      std::memcpy(pending_, rest.data(), part);
      pending_size_ = part;
    } else {
      out_ += kReplacement;
    }
    rest.remove_prefix(std::max<size_t>(part, 1));
  }
  return out_;
}

std::string_view Detokenizer::Flush() {
  out_.clear();
  if (pending_size_ > 0) out_ = kReplacement;
  pending_size_ = 0;
  strip_next_ = options_.strip_leading_space && tokenizer_->adds_space_prefix();
  return out_;
}

}  // namespace rocforge::text
