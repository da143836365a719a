// Arguments of edit_logits, choose_range, choose_bins and choose_tokens.
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
enum ChooseStep : uint32_t {
  kStepEnd,
  kStepTopK,
  kStepTopP,
  kStepMinP,
  kStepTemperature,
  kStepTopNSigma,  // no other cut before it
  kStepTypical,
  kStepXtc,       // no other cut after it
  kStepMirostat,  // the last step and the only cut
};

// How a token of one row is drawn. Also the layout of the step's upload. Steps that weigh (top-p,
// typical, XTC, mirostat) have no temperature between them.
struct TokenDraw {
  double unit;           // [0, 1): where in the remaining mass, by ascending token, the token lies
  float temperature;     // above 0
  float top_p;           // [0, 1)
  float min_p_log;       // natural logarithm of min_p
  uint32_t top_k;        // at least 1
  uint32_t steps;        // ChooseStep, 4 bits each, the first one lowest; each kind at most once
  float top_n_sigma;     // above 0
  float typical_p;       // [0, 1)
  float xtc_threshold;   // (0, 0.5]
  float mirostat_least;  // what is less probable is cut: 2^-mu
  uint32_t reserved;     // 0
};

struct DrawnToken {
  int32_t token;
  float surprise;  // in bits: -log2 of the token's probability among what was left
};

// A change of one logit: x / divisor where x > 0, else x * divisor; then minus `minus`. Rounded
// twice, and no further from 0 than the largest float; minus infinity makes it -infinity. Logits
// that are not finite stay.
struct LogitEdit {
  int32_t token;
  float divisor;  // above 0
  double minus;
};
inline constexpr uint32_t kEditPhases = 3;  // lists of a row, one after the other
inline constexpr uint32_t kEditThreads = 256;

struct EditArgs {
  float* logits;           // [n_rows, n_vocab]
  const LogitEdit* edits;  // a list names a token at most once
  const uint32_t* begin;   // [n_rows * kEditPhases + 1]: where in `edits` each list begins
  uint32_t n_vocab;
};

// Of one part of a row.
struct ChoosePart {
  float largest, least;  // logits; -infinity is not counted. largest: +infinity where one is NaN
  float above;           // weight of what is surely kept, as drawn
  uint32_t reserved;
};

// Of one part of a row, for the cuts that need it.
struct ChooseSums {
  float sum, squares;  // top-n-sigma: of the logits, and of what they lie off their mean
  float count;         // top-n-sigma: of the logits
  float moment;        // typical: of all tokens, weight times bits below the largest logit
  float moment_above;  // typical: the same of what is surely kept
};

struct ChooseBin {
  uint32_t count;
  float weight;  // at the temperature of the steps that weigh
};

// Where the cuts of a row lie: bins from head_end up to `first` are kept, bins after `last` are
// dropped.
struct ChoosePlan {
  uint32_t head_end;  // 0 where nothing drops the best tokens
  uint32_t first, last;
  uint32_t n_listed;   // tokens before head_end, and from first to last
  float count_before;  // tokens and weight of the bins from head_end up to first
  float weight_before;
  float count, weight;  // of all bins
  float limit;          // top-n-sigma: the least logit that stays
};

struct ChooseArgs {
  const float* logits;     // [n_rows, n_vocab]
  const TokenDraw* draws;  // [n_rows]; null: the kTopTokens best tokens instead of one
  ChoosePart* parts;       // [n_rows, n_parts]
  ChooseSums* sums;        // [n_rows, n_parts]
  ChooseBin* bins;         // [n_rows, n_parts, kChooseBins]
  ChoosePlan* plans;       // [n_rows]
  TopToken* list;          // [n_rows, kChooseList]
  uint32_t* counters;      // [n_rows, 2], 0 before and after
  DrawnToken* drawn;       // [n_rows]; with draws
  TopToken* top;           // [n_rows, kTopTokens]; without
  uint32_t n_vocab;
};

}  // namespace rocforge::gpu
