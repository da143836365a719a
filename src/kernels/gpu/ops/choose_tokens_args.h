// Arguments of choose_range, choose_bins and choose_tokens.
#pragma once

#include <stdint.h>

namespace rocforge::gpu {

inline constexpr uint32_t kTopTokens = 64;    // kept of each row, where no token is drawn
inline constexpr int32_t kNoTopToken = -1;    // an entry that is not used
inline constexpr int32_t kBrokenLogits = -2;  // of the first entry: a logit was NaN or +infinity
inline constexpr uint32_t kChooseThreads = 512;
inline constexpr uint32_t kChooseBins = kChooseThreads;  // of a row's logits, the best ones first
inline constexpr uint32_t kChooseList = 4096;  // tokens near the cuts that are written out
inline constexpr uint32_t kMostChooseParts = 128;

struct TopToken {
  float logit;
  int32_t token;
};

// What a draw does, in this order; see kernels/gpu/launch/choose_tokens.h.
enum ChooseStep : uint32_t { kStepEnd, kStepTopK, kStepTopP, kStepMinP, kStepTemperature };
inline constexpr uint32_t kMostChooseSteps = 4;

// How a token of one row is drawn. Also the layout of the step's upload.
struct TokenDraw {
  double unit;        // [0, 1): where in the remaining mass, by ascending token, the token lies
  float temperature;  // above 0
  float top_p;        // [0, 1)
  float min_p_log;    // natural logarithm of min_p
  uint32_t top_k;     // at least 1
  uint32_t steps;     // ChooseStep, 4 bits each, the first one lowest; each kind at most once
  uint32_t reserved;  // 0
};

// Of one part of a row.
struct ChoosePart {
  float largest, least;  // logits; -infinity is not counted. largest: +infinity where one is NaN
  float above;           // weight of what is surely kept, as drawn
  uint32_t reserved;
};

struct ChooseBin {
  uint32_t count;
  float weight;  // at the temperature of top-p
};

// Where the cuts of a row lie: bins before `first` are kept, bins after `last` are dropped.
struct ChoosePlan {
  uint32_t first, last;
  uint32_t n_listed;   // tokens from first to last
  float count_before;  // tokens and weight of the bins before first
  float weight_before;
  float count, weight;  // of all bins
};

struct ChooseArgs {
  const float* logits;     // [n_rows, n_vocab]
  const TokenDraw* draws;  // [n_rows]; null: the kTopTokens best tokens instead of one
  ChoosePart* parts;       // [n_rows, n_parts]
  ChooseBin* bins;         // [n_rows, n_parts, kChooseBins]
  ChoosePlan* plans;       // [n_rows]
  TopToken* list;          // [n_rows, kChooseList]
  uint32_t* counters;      // [n_rows, 2], 0 before and after
  int32_t* tokens;         // [n_rows]; with draws
  TopToken* top;           // [n_rows, kTopTokens]; without
  uint32_t n_vocab;
};

}  // namespace rocforge::gpu
