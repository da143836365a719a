// Changes of single logits that depend on the tokens so far alone: bias, penalties, DRY. Whoever
// holds the logits can make them.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

namespace rocforge {

// Positive logits are divided by `divisor`, the others multiplied; then `minus` is subtracted.
// Uploaded to devices as it is.
struct LogitEdit {
  int32_t token = 0;
  float divisor = 1;  // above 0
  double minus = 0;   // infinity bans the token
};

// Of one row of logits: lists that are made one after the other, each of which names a token at
// most once.
using EditLists = std::array<std::span<const LogitEdit>, 3>;

// Only an infinite edit bans: a finite one, however large, leaves the last resort possible. Logits
// that are not finite stay.
inline float Edited(float logit, const LogitEdit& edit) {
  constexpr double kMost = std::numeric_limits<float>::max();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (!std::isfinite(logit)) return logit;
  if (edit.minus == kInfinity) return -std::numeric_limits<float>::infinity();
  const float scaled = logit > 0 ? logit / edit.divisor : logit * edit.divisor;
  return static_cast<float>(std::clamp(scaled - edit.minus, -kMost, kMost));
}

}  // namespace rocforge
