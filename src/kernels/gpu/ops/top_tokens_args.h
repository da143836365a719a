// Arguments of top_tokens_parts and top_tokens.
#pragma once

#include <stdint.h>

namespace rocforge::gpu {

inline constexpr uint32_t kTopTokens = 64;      // kept of each row
inline constexpr uint32_t kTopTokenParts = 32;  // that a row is cut into
inline constexpr int32_t kNoTopToken = -1;      // an entry that is not used
inline constexpr int32_t kBrokenLogits = -2;    // of the first entry: a logit was NaN or +infinity

struct TopToken {
  float logit;
  int32_t token;
};

struct TopTokensArgs {
  const float* logits;  // [n_rows, n_vocab]
  TopToken* parts;      // [n_rows, kTopTokenParts, kTopTokens]
  TopToken* top;        // [n_rows, kTopTokens]
  uint32_t n_vocab;
};

}  // namespace rocforge::gpu
