// Arguments of best_token_parts and best_token.
#pragma once

#include <stdint.h>

namespace rocforge::gpu {

// Parts that a row of logits is cut into, so that more than one multiprocessor reads it.
inline constexpr uint32_t kBestTokenParts = 32;

struct BestTokenPart {
  float logit;
  int32_t token;  // -1: a NaN, an infinity or nothing but -infinity
};

struct BestTokenArgs {
  const float* logits;   // [n_rows, n_vocab]
  BestTokenPart* parts;  // [n_rows, kBestTokenParts]
  int32_t* tokens;       // [n_rows]
  uint32_t n_vocab;
};

}  // namespace rocforge::gpu
