// What makes an architecture, as plain data. The decoder (decoder.h) reads it beside the file's
// hyper-parameters; nothing else in the program knows an architecture by name.
//
// Every architecture here is a pre-norm transformer decoder or a small variation of it:
//
//   x = embed(tokens) * embedding_scale
//   for each layer:
//     h = attn_pre_norm(x)
//     q, k, v = h W_q + b_q, h W_k + b_k, h W_v + b_v;  q, k = qk_norm(q), qk_norm(k), then RoPE
//     x = x + residual_scale * attn_post_norm(attention(q, k, v) W_o + b_o)
//     h = ffn_pre_norm(x)
//     x = x + residual_scale * ffn_post_norm(ffn(h))
//   logits = final_softcap(output_norm(x) W_out + b_out) / logit_scale
//
// A norm whose tensor name is null is absent.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/op/op.h"

namespace rocforge::model {

// Whether a tensor or a metadata key belongs to the architecture. A tensor of the model's blocks
// that the description does not expect makes loading fail, so that no part is silently left out.
enum class Presence : uint8_t { kNever, kOptional, kRequired };

// A number in the metadata. kNever: a file that sets it to anything but `neutral` is rejected.
struct Setting {
  Presence presence = Presence::kNever;
  float fallback = 0.0f;  // where the key is absent
};

enum class QkNorm : uint8_t {
  kNone,
  kPerHead,    // each head by itself, one weight vector of head_dim
  kFullWidth,  // all heads together
};

enum class Ffn : uint8_t {
  kDense,
  kExperts,
  kByExpertCount,  // experts where the file has expert_count > 0
};

// Sliding windows: local layers see the last `attention.sliding_window` positions, the others all.
struct WindowSpec {
  Presence key =
      Presence::kNever;  // kNever: the key is read but not applied, all layers are global
  int64_t fallback = 0;  // window where the key is absent; 0: none
  int64_t period = 0;  // without a pattern in the file: the last layer of every `period` is global
};

// RoPE of the local layers, where it differs from the global ones.
struct LocalRopeSpec {
  float freq_base = 0.0f;  // without a key in the file; 0: as in global layers
  bool unscaled = false;   // rope.scaling.* applies to global layers only
};

struct ArchSpec {
  const char* name = nullptr;  // general.architecture, and the prefix of its keys

  // Norms: all of one kind, tensors "blk.N.<name>.weight".
  op::NormKind norm = op::NormKind::kRms;
  const char* attn_pre_norm = "attn_norm";
  const char* attn_post_norm = nullptr;
  const char* ffn_pre_norm = "ffn_norm";
  const char* ffn_post_norm = nullptr;

  // Attention. attn_qkv.weight (rows of q, k and v) is accepted in place of three tensors.
  Presence qkv_bias = Presence::kNever;
  Presence attn_output_bias = Presence::kNever;
  QkNorm qk_norm = QkNorm::kNone;
  bool attn_sinks = false;  // blk.N.attn_sinks.weight, one logit per head
  WindowSpec window;
  Setting attn_softcap;     // attn_logit_softcapping, 0: none
  Setting attention_scale;  // attention.scale, 0: 1 / sqrt(head_dim)
  // The model of this family with so many layers scales scores by 1 / sqrt(d_model / n_heads); its
  // files do not say so.
  int64_t attention_scale_by_width_layers = 0;

  // Position.
  op::RopeKind rope = op::RopeKind::kNeox;
  bool rope_factors = false;  // rope_freqs.weight, or rope_factors_{long,short}.weight by context
  LocalRopeSpec local_rope;
  int64_t no_rope_period = 0;             // > 0: the last layer of every `period` has no RoPE
  bool finetuned_is_rope_switch = false;  // rope.scaling.finetuned = false: no layer has RoPE

  // Feed-forward network.
  Ffn ffn = Ffn::kDense;
  op::Glu glu;
  bool gate_in_up = false;  // ffn_up.weight holds the gate's rows, then up's
  Presence ffn_bias = Presence::kNever;
  op::MoeGating gating = op::MoeGating::kSoftmax;
  bool normalise_expert_weights = true;
  Presence expert_bias = Presence::kNever;  // of the router and of every expert

  // Ends of the model.
  bool embedding_scale_sqrt_width = false;  // embeddings times sqrt(d_model)
  Setting embedding_scale;                  // embedding_scale, 0: none
  Setting residual_scale;                   // residual_scale, 0: none
  Setting logit_scale;                      // logits are divided by logit_scale
  Setting final_softcap;                    // final_logit_softcapping, 0: none
  Presence output = Presence::kOptional;    // output.weight; absent: token_embd.weight is used
  Presence output_bias = Presence::kNever;
};

// All descriptions, sorted by name. They live as long as the program.
std::span<const ArchSpec* const> AllArchitectures();

// nullptr if there is none of that name.
const ArchSpec* FindArchitecture(std::string_view name);

}  // namespace rocforge::model
