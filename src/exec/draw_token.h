// How a token of a row of logits is drawn where the logits are: on the device after the step.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>

namespace rocforge::exec {

enum class DrawStep : uint8_t { kEnd, kTopK, kTopP, kMinP, kTemperature };

// At most four, each kind at most once.
uint32_t PackDrawSteps(std::span<const DrawStep> steps);

// Cuts and temperature as sample/sampler.h defines them, in any order. The token is the one in
// which `unit` of the remaining mass lies, by ascending token: the one that sample::Sampler draws
// with that number, but for rounding. Uploaded as it is.
struct TokenDraw {
  double unit = 0;  // [0, 1)
  float temperature = 1;
  float top_p = 1;      // [0, 1)
  float min_p_log = 0;  // natural logarithm of min_p
  uint32_t top_k = 1;   // at least 1
  uint32_t steps = 0;   // PackDrawSteps: what is not in there does not act
  uint32_t reserved = 0;
};

// By a sort, in double precision: what CPUs do, and what tests compare with. kNoBestToken as
// BestToken (exec/executor.h). Takes memory.
int32_t DrawToken(std::span<const float> logits, const TokenDraw& draw);

}  // namespace rocforge::exec
