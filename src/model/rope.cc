#include "model/rope.h"

#include <cmath>

namespace rocforge::model {
namespace {

// The magnitude that YaRN gives to both queries and keys (Peng et al. 2023, section 3.4) for a
// context `factor` times the original one.
double YarnMagnitude(double factor) { return factor <= 1.0 ? 1.0 : 0.1 * std::log(factor) + 1.0; }

}  // namespace

op::RopeTable RopeTableFor(const HParams& hp, const LocalRopeSpec& local_spec, bool local) {
  const RopeScaling& scaling = hp.rope_scaling;
  op::RopeTable table;
  table.rope_dim = hp.rope_dim;
  table.freq_base = local ? hp.rope_base_local : hp.rope_base;
  if (local && local_spec.unscaled) return table;
  table.freq_scale = 1.0f / scaling.factor;
  table.attn_factor = scaling.attn_factor;
  if (scaling.type == RopeScalingType::kYarn) {
    table.ext_factor = 1.0f;
    table.beta_fast = scaling.beta_fast;
    table.beta_slow = scaling.beta_slow;
    table.n_ctx_orig = scaling.n_ctx_orig;
    // The op multiplies by 1 + 0.1 ln(factor) itself; the quotient is 1 for factors above 1.
    const double factor = scaling.factor;
    table.attn_factor *= static_cast<float>(YarnMagnitude(factor) / (1.0 + 0.1 * std::log(factor)));
  }
  return table;
}

bool SameTable(const op::RopeTable& a, const op::RopeTable& b) {
  return a.rope_dim == b.rope_dim && a.freq_base == b.freq_base && a.freq_scale == b.freq_scale &&
         a.ext_factor == b.ext_factor && a.attn_factor == b.attn_factor &&
         a.beta_fast == b.beta_fast && a.beta_slow == b.beta_slow && a.n_ctx_orig == b.n_ctx_orig &&
         a.has_factors == b.has_factors;
}

}  // namespace rocforge::model
