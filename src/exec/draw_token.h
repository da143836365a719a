// How a token of a row of logits is chosen where the logits are: on the device after the step.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>

#include "tensor/logit_edit.h"

namespace rocforge::exec {

enum class DrawStep : uint8_t {
  kEnd,
  kTopK,
  kTopP,
  kMinP,
  kTemperature,
  kTopNSigma,  // no other cut before it
  kTypical,
  kXtc,       // no other cut after it
  kMirostat,  // the last step and the only cut
};

// At most eight, each kind at most once.
uint32_t PackDrawSteps(std::span<const DrawStep> steps);

// Cuts and temperature as sample/sampler.h defines them, in any order that DrawStep allows; between
// those that weigh (top-p, typical, XTC, mirostat) there is no temperature. The token is the one in
// which `unit` of the remaining mass lies, by ascending token: the one that sample::Sampler draws
// with that number, but for rounding. Uploaded as it is.
struct TokenDraw {
  double unit = 0;  // [0, 1)
  float temperature = 1;
  float top_p = 1;      // [0, 1)
  float min_p_log = 0;  // natural logarithm of min_p
  uint32_t top_k = 1;   // at least 1
  uint32_t steps = 0;   // PackDrawSteps: what is not in there does not act
  float top_n_sigma = 1;
  float typical_p = 1;       // [0, 1)
  float xtc_threshold = 1;   // (0, 0.5]; the step says that it acts this time
  float mirostat_least = 0;  // 2^-mu: what is less probable is cut, but for the best token
  uint32_t reserved = 0;
};

struct DrawnToken {
  int32_t token = -1;  // kNoBestToken (exec/executor.h) where there is none
  float surprise = 0;  // in bits: -log2 of its probability among what was left
};

// By a sort, in double precision: what CPUs do, and what tests compare with. Takes memory.
DrawnToken DrawToken(std::span<const float> logits, const TokenDraw& draw);

// In all lists of a row together.
inline constexpr size_t kMostEdits = 4096;

// As the device makes them.
void EditLogits(const EditLists& edits, std::span<float> logits);

}  // namespace rocforge::exec
