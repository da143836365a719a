// The ops that a model is made of: their parameters, inputs, outputs, shapes and aliasing rules.
// This header is the contract between the graph, every backend's kernels and the profiler. It knows
// no models and no devices.
//
// Conventions
//   * Activations are row-major matrices [rows, cols] of f32 unless a line says otherwise. rows
//   follows the step:
//     T = tokens of the step, O = rows whose logits are wanted, E = experts used per token.
//   * Weights are row-major [n_out, n_in] of any decodable DType; a stack of experts is [n_experts,
//   n_out, n_in].
//     Norm weights, biases, sinks and RoPE factors are f32.
//   * An output may share memory with an input only where the op says "in place".
#pragma once

#include <cstdint>
#include <variant>

namespace rocforge::op {

// out[t, :] = scale * table[token_ids[t], :]
//   in: table [n_vocab, d]   out: [T, d]
struct EmbedRows {
  float scale = 1.0f;
};

enum class NormKind : uint8_t { kRms, kLayer };

// Normalises each group of `group` consecutive columns (0: the whole row), then multiplies by
// weight and adds bias.
//   RMS: x / sqrt(mean(x^2) + eps) (Zhang & Sennrich 2019); layer: (x - mean) / sqrt(var + eps) (Ba
//   et al. 2016). in: x [R, c], weight [g] if has_weight, bias [g] if has_bias   out: [R, c]; in
//   place allowed. g is `group`, or c where group is 0.
struct Norm {
  NormKind kind = NormKind::kRms;
  float eps = 1e-5f;
  int64_t group = 0;
  bool has_weight = true;
  bool has_bias = false;
};

enum class GluKind : uint8_t {
  kNone,
  kSilu,       // silu(gate) * up (Shazeer 2020, SwiGLU)
  kGeluTanh,   // gelu(gate) * up, tanh approximation (Hendrycks & Gimpel 2016)
  kGeluErf,    // gelu(gate) * up, exact
  kSwigluOai,  // gpt-oss: g = min(gate, limit), u = clamp(up, -limit, limit): g * sigmoid(alpha *
               // g) * (u + 1)
};

// out = act(gate) * up, elementwise.
//   in: gate [R, c], up [R, c]   out: [R, c]; in place with either input allowed.
struct Glu {
  GluKind kind = GluKind::kSilu;
  float alpha = 1.702f;  // kSwigluOai only
  float limit = 7.0f;    // kSwigluOai only
};

// y_i = x w_i^T + b_i for up to kMaxWeights matrices that read the same x (queries, keys and
// values; gate and up).
//   in: x [R, k], w_0 [n_0, k], ..., b_i [n_i] for each i with has_bias[i] (in order), residual [R,
//   n_0] if has_residual out: y_i [R, n_i], one per weight; or, with glu.kind != kNone (exactly two
//   weights, gate and up, n_0 == n_1), the
//        single output act(y_0) * y_1.
//   has_residual (exactly one weight, no glu): out = residual + out_scale * y_0; out may be the
//   residual in place. out_scale applies only with has_residual.
struct MatMul {
  static constexpr int kMaxWeights = 3;
  int32_t n_weights = 1;
  bool has_bias[kMaxWeights] = {false, false, false};
  Glu glu{GluKind::kNone};
  bool has_residual = false;
  float out_scale = 1.0f;
};

// Cosines and sines of rotary position embedding (Su et al. 2021) for each token's position.
// Column 2j is cos, column 2j+1 sin of angle theta_j(pos), both times the magnitude scale m:
//   base angle  theta_extrap = pos * freq_base^(-2j/rope_dim) / factor_j      (factor_j = 1 without
//   has_factors) linear      theta_interp = freq_scale * theta_extrap ext_factor == 0: theta =
//   theta_interp, m = attn_factor ext_factor != 0 (YaRN, Peng et al. 2023): with ramp_j = 1 -
//   clamp((j - low) / max(0.001, high - low), 0, 1),
//     low/high = floor/ceil of the dimension rotated beta_fast/beta_slow times within n_ctx_orig
//     positions, clamped to [0, rope_dim - 1]: mix = ramp_j * ext_factor, theta = theta_interp (1 -
//     mix) + theta_extrap mix, m = attn_factor * (1 + 0.1 ln(1 / freq_scale)).
//   in: factors [rope_dim / 2] if has_factors   out: [T, rope_dim]
struct RopeTable {
  int64_t rope_dim = 0;
  float freq_base = 10000.0f;
  float freq_scale = 1.0f;
  float ext_factor = 0.0f;
  float attn_factor = 1.0f;
  float beta_fast = 32.0f;
  float beta_slow = 1.0f;
  int64_t n_ctx_orig = 0;
  bool has_factors = false;
};

enum class RopeKind : uint8_t {
  kNormal,  // rotates columns (2j, 2j+1) of a head
  kNeox,    // rotates columns (j, j + rope_dim/2)
};

// Rotates the first rope_dim columns of each head; the rest passes through.
//   in: x [T, n_heads * head_dim], table [T, rope_dim] (from RopeTable)   out: like x; in place
//   allowed.
struct Rope {
  RopeKind kind = RopeKind::kNormal;
  int64_t head_dim = 0;
  int64_t rope_dim = 0;
};

// Writes the step's keys and values into the pages of `layer` (at Step::kv_slots).
//   in: k [T, n_kv_heads * head_dim_k], v [T, n_kv_heads * head_dim_v]   out: none
struct KvAppend {
  int32_t layer = 0;
  int32_t n_kv_heads = 0;
  int32_t head_dim_k = 0;
  int32_t head_dim_v = 0;
};

// Rope on q and k, then KvAppend, in one op. Made by the pass rope_kv.
//   in: q [T, n_heads * head_dim_k], k, v (as KvAppend), table [T, rope_dim]   out: rotated q; in
//   place allowed.
struct RopeKvAppend {
  Rope rope;
  KvAppend append;
};

// Causal attention of the step's queries over all keys and values of their sequences (those of this
// step included: KvAppend of the layer ran before). A query at position p sees positions j with j
// <= p and, with a window, j > p - window.
//   score = scale * q.k; with softcap > 0: softcap * tanh(score / softcap); softmax over j (and,
//   with sinks, over one extra logit per head that takes probability but has no value); out = sum_j
//   prob_j v_j. Query head h reads KV head h / (n_heads / n_kv_heads). in: q [T, n_heads *
//   head_dim_k], sinks [n_heads] if has_sinks   out: [T, n_heads * head_dim_v]
struct Attention {
  int32_t layer = 0;
  int32_t n_heads = 0;
  int32_t n_kv_heads = 0;
  int32_t head_dim_k = 0;
  int32_t head_dim_v = 0;
  float scale = 1.0f;
  float softcap = 0.0f;
  int32_t window = 0;  // 0: none
  bool has_sinks = false;
};

// out = a + scale_b * b.   in: a [R, c], b [R, c]   out: [R, c]; in place with either allowed.
struct Add {
  float scale_b = 1.0f;
};

// out = scale * x.   in: x [R, c]   out: [R, c]; in place allowed.
struct Scale {
  float scale = 1.0f;
};

// out = cap * tanh(x / cap).   in: x [R, c]   out: [R, c]; in place allowed.
struct SoftCap {
  float cap = 0.0f;
};

// out[o, :] = x[Step::output_rows[o], :].   in: x [T, c]   out: [O, c]
struct GatherRows {};

enum class MoeGating : uint8_t {
  kSoftmax,            // probabilities over all experts, then the best are taken
  kSigmoid,            // each expert on its own
  kSoftmaxOfSelected,  // the best logits are taken, softmax over them (gpt-oss)
};

// Picks the n_used best experts of each token (ties: lowest index) and their weights, best first.
//   normalise: weights are divided by their sum. Then multiplied by scale. selection_bias, if any,
//   is added to the probabilities for the choice only (DeepSeek-V3). in: logits [T, n_experts],
//   selection_bias [n_experts] if has_selection_bias out: ids [T, n_used] i32, weights [T, n_used]
struct MoeRoute {
  int32_t n_experts = 0;
  int32_t n_used = 0;
  MoeGating gating = MoeGating::kSoftmax;
  bool normalise = true;
  float scale = 1.0f;
  bool has_selection_bias = false;
};

// MatMul with a weight matrix chosen per row. Row r of the output belongs to token r / n_used and
// expert ids[r].
//   in: x [T, k] (x_per_expert false: a token's experts share its row) or [T * n_used, k], ids [T,
//   n_used] i32,
//       w_i [n_experts, n_i, k], b_i [n_experts, n_i] for each has_bias[i]
//   out: as MatMul, with T * n_used rows.
struct MoeMatMul {
  static constexpr int kMaxWeights = 2;
  int32_t n_weights = 1;
  int32_t n_used = 1;
  bool x_per_expert = false;
  bool has_bias[kMaxWeights] = {false, false};
  Glu glu{GluKind::kNone};
};

// out[t, :] = sum_e weights[t, e] * y[t * n_used + e, :], in the order of e.
//   in: y [T * n_used, c], weights [T, n_used]   out: [T, c]
struct MoeCombine {
  int32_t n_used = 1;
};

using Params =
    std::variant<EmbedRows, Norm, MatMul, RopeTable, Rope, KvAppend, RopeKvAppend, Attention, Glu,
                 Add, Scale, SoftCap, GatherRows, MoeRoute, MoeMatMul, MoeCombine>;

// Same order as Params.
enum class Kind : uint8_t {
  kEmbedRows,
  kNorm,
  kMatMul,
  kRopeTable,
  kRope,
  kKvAppend,
  kRopeKvAppend,
  kAttention,
  kGlu,
  kAdd,
  kScale,
  kSoftCap,
  kGatherRows,
  kMoeRoute,
  kMoeMatMul,
  kMoeCombine,
};
inline constexpr int kKindCount = static_cast<int>(std::variant_size_v<Params>);
static_assert(static_cast<int>(Kind::kMoeCombine) + 1 == kKindCount);

inline Kind KindOf(const Params& params) { return static_cast<Kind>(params.index()); }

// "matmul", "attention", ...: stable names for plans, profiles and benchmarks.
const char* KindName(Kind kind);
const char* GluName(GluKind kind);

}  // namespace rocforge::op
