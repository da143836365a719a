#include "model/decoder.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/format.h"
#include "model/rope.h"

namespace rocforge::model {
namespace {

using graph::kNoValue;
using graph::ValueId;

// A matrix of the file, or the rows of one, by the name that comes before ".weight".
struct MatrixRef {
  std::string tensor;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t row_begin = 0;
  int64_t total_rows = 0;  // 0: rows
};

class Decoder {
 public:
  Decoder(const ArchSpec& spec, const HParams& hp, int64_t n_ctx, TensorTable& tensors,
          graph::Graph& graph)
      : spec_(spec), hp_(hp), n_ctx_(n_ctx), tensors_(tensors), graph_(graph) {}

  Status Build() {
    ROCFORGE_RETURN_IF_ERROR(Embed());
    for (int32_t i = 0; i < hp_.n_layers; ++i) {
      layer_ = i;
      ROCFORGE_RETURN_IF_ERROR(AttentionBlock());
      ROCFORGE_RETURN_IF_ERROR(FfnBlock());
    }
    layer_ = -1;
    return Output();
  }

 private:
  const LayerParams& layer() const { return hp_.layers[static_cast<size_t>(layer_)]; }
  std::string Block(const char* name) const { return Format("blk.{}.{}", layer_, name); }
  ValueId Append1(op::Params params, std::vector<ValueId> in, std::string name) {
    return graph_.Append1(std::move(params), std::move(in), std::move(name), layer_);
  }

  Status Embed() {
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId table,
                              tensors_.Matrix("token_embd.weight", hp_.n_vocab, hp_.d_model));
    x_ = Append1(op::EmbedRows{hp_.embedding_scale}, {table}, "token_embd");
    return Status::Ok();
  }

  // Normalises `x` with "<tensor>.weight"; group 0 is the whole row.
  Result<ValueId> Norm(ValueId x, const std::string& tensor, int64_t group) {
    op::Norm norm;
    norm.kind = spec_.norm;
    norm.eps = hp_.norm_eps;
    norm.group = group;
    norm.has_bias = spec_.norm == op::NormKind::kLayer;
    const int64_t n = group > 0 ? group : graph_.values[static_cast<size_t>(x)].cols;
    std::vector<ValueId> in = {x};
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId weight, tensors_.Vector(tensor + ".weight", n));
    in.push_back(weight);
    if (norm.has_bias) {
      ROCFORGE_ASSIGN_OR_RETURN(const ValueId bias, tensors_.Vector(tensor + ".bias", n));
      in.push_back(bias);
    }
    return Append1(norm, std::move(in), tensor);
  }
  // The same where the architecture has that norm; `name` is null where it has not.
  Result<ValueId> BlockNorm(ValueId x, const char* name) {
    if (name == nullptr) return x;
    return Norm(x, Block(name), 0);
  }

  bool WantsBias(Presence presence, const std::string& tensor) const {
    return presence == Presence::kRequired ||
           (presence == Presence::kOptional && tensors_.Has(tensor + ".bias"));
  }

  // x W^T + b, as one node `name`. An NVFP4 file may have one more factor for the whole matrix.
  Result<ValueId> Linear(ValueId x, const MatrixRef& ref, Presence bias, std::string name) {
    op::MatMul matmul;
    std::vector<ValueId> in = {x};
    const int64_t total = ref.total_rows > 0 ? ref.total_rows : ref.rows;
    ROCFORGE_ASSIGN_OR_RETURN(
        const ValueId weight,
        tensors_.MatrixRows(ref.tensor + ".weight", total, ref.row_begin, ref.rows, ref.cols));
    in.push_back(weight);
    const bool scaled = tensors_.Has(ref.tensor + ".scale");
    if (WantsBias(bias, ref.tensor)) {
      if (scaled) {
        return Unsupported(
            Format("tensors '{}.scale' and '.bias' together are not supported", ref.tensor));
      }
      ROCFORGE_ASSIGN_OR_RETURN(const ValueId b, tensors_.Vector(ref.tensor + ".bias", ref.rows));
      matmul.has_bias[0] = true;
      in.push_back(b);
    }
    if (!scaled) return Append1(matmul, std::move(in), std::move(name));
    ROCFORGE_ASSIGN_OR_RETURN(const float scale, tensors_.Scalar(ref.tensor + ".scale"));
    const ValueId y = Append1(matmul, std::move(in), name);
    return Append1(op::Scale{scale}, {y}, name + "_scale");
  }

  // q, k and v of the layer, before their norms and RoPE.
  Status Project(ValueId h, ValueId* q, ValueId* k, ValueId* v) {
    const LayerParams& l = layer();
    const int64_t widths[] = {int64_t{l.n_heads} * hp_.head_dim_k,
                              int64_t{l.n_kv_heads} * hp_.head_dim_k,
                              int64_t{l.n_kv_heads} * hp_.head_dim_v};
    const char* names[] = {"attn_q", "attn_k", "attn_v"};
    ValueId* outs[] = {q, k, v};
    const bool fused = tensors_.Has(Block("attn_qkv.weight"));
    int64_t row = 0;
    for (int i = 0; i < 3; ++i) {
      MatrixRef ref{Block(names[i]), widths[i], hp_.d_model};
      if (fused) {
        ref = {Block("attn_qkv"), widths[i], hp_.d_model, row, widths[0] + widths[1] + widths[2]};
      }
      // Biases have no rows to slice: a fused tensor with a bias is refused as an unknown tensor.
      const Presence bias = fused ? Presence::kNever : spec_.qkv_bias;
      ROCFORGE_ASSIGN_OR_RETURN(*outs[i], Linear(h, ref, bias, Block(names[i])));
      row += widths[i];
    }
    return Status::Ok();
  }

  // Norms of q and k, then RoPE.
  Status NormAndRotate(ValueId* q, ValueId* k) {
    if (spec_.qk_norm != QkNorm::kNone) {
      const int64_t group = spec_.qk_norm == QkNorm::kPerHead ? hp_.head_dim_k : 0;
      ROCFORGE_ASSIGN_OR_RETURN(*q, Norm(*q, Block("attn_q_norm"), group));
      ROCFORGE_ASSIGN_OR_RETURN(*k, Norm(*k, Block("attn_k_norm"), group));
    }
    if (!layer().rope) return Status::Ok();
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId table, RopeTable());
    const op::Rope rope{spec_.rope, hp_.head_dim_k, hp_.rope_dim};
    *q = Append1(rope, {*q, table}, Block("attn_q_rope"));
    *k = Append1(rope, {*k, table}, Block("attn_k_rope"));
    return Status::Ok();
  }

  // The layer's table, made where it is first needed.
  Result<ValueId> RopeTable() {
    op::RopeTable params = RopeTableFor(hp_, spec_.local_rope, layer().local);
    ROCFORGE_ASSIGN_OR_RETURN(const std::optional<ValueId> factors, RopeFactors());
    params.has_factors = factors.has_value();
    for (const auto& [made, value] : rope_tables_) {
      if (SameTable(made, params)) return value;
    }
    std::vector<ValueId> in;
    if (factors) in.push_back(*factors);
    const std::string name =
        rope_tables_.empty() ? "rope_table" : Format("rope_table_{}", rope_tables_.size());
    const ValueId table = graph_.Append1(params, std::move(in), name, -1);
    rope_tables_.emplace_back(params, table);
    return table;
  }

  Result<std::optional<ValueId>> RopeFactors() {
    if (!spec_.rope_factors) return std::optional<ValueId>();
    std::string name = "rope_freqs.weight";
    if (!tensors_.Has(name)) {
      const char* kLong = "rope_factors_long.weight";
      const char* kShort = "rope_factors_short.weight";
      const bool is_long = n_ctx_ > hp_.rope_scaling.n_ctx_orig;
      name = is_long ? kLong : kShort;
      tensors_.MarkKnown(is_long ? kShort : kLong);
      const bool required = hp_.rope_scaling.type == RopeScalingType::kLongRope;
      if (!required && !tensors_.Has(name)) return std::optional<ValueId>();
    }
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId value, tensors_.Vector(name, hp_.rope_dim / 2));
    return std::optional<ValueId>(value);
  }

  // Attention of the layer over the rotated queries; keys and values go to the cache.
  Result<ValueId> Attend(ValueId q, ValueId k, ValueId v) {
    const LayerParams& l = layer();
    const int32_t window = l.local ? hp_.window : 0;
    graph_.kv_layers.push_back({l.n_kv_heads, hp_.head_dim_k, hp_.head_dim_v, window});
    graph_.Append(op::KvAppend{layer_, l.n_kv_heads, hp_.head_dim_k, hp_.head_dim_v}, {k, v},
                  Block("kv_append"), layer_);
    op::Attention attention;
    attention.layer = layer_;
    attention.n_heads = l.n_heads;
    attention.n_kv_heads = l.n_kv_heads;
    attention.head_dim_k = hp_.head_dim_k;
    attention.head_dim_v = hp_.head_dim_v;
    attention.scale = hp_.attention_scale;
    attention.softcap = hp_.attn_softcap;
    attention.window = window;
    attention.has_sinks = spec_.attn_sinks;
    std::vector<ValueId> in = {q};
    if (spec_.attn_sinks) {
      ROCFORGE_ASSIGN_OR_RETURN(const ValueId sinks,
                                tensors_.Vector(Block("attn_sinks.weight"), l.n_heads));
      in.push_back(sinks);
    }
    return Append1(attention, std::move(in), Block("attention"));
  }

  Status AttentionBlock() {
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId h, BlockNorm(x_, spec_.attn_pre_norm));
    ValueId q = kNoValue;
    ValueId k = kNoValue;
    ValueId v = kNoValue;
    ROCFORGE_RETURN_IF_ERROR(Project(h, &q, &k, &v));
    ROCFORGE_RETURN_IF_ERROR(NormAndRotate(&q, &k));
    ROCFORGE_ASSIGN_OR_RETURN(ValueId a, Attend(q, k, v));
    if (layer_ + 1 == hp_.n_layers) {
      // Nothing after the last attention mixes tokens: from here on only rows whose logits are
      // wanted are computed.
      a = Append1(op::GatherRows{}, {a}, "gather_attention");
      x_ = Append1(op::GatherRows{}, {x_}, "gather_residual");
    }
    const MatrixRef output{Block("attn_output"), hp_.d_model,
                           int64_t{layer().n_heads} * hp_.head_dim_v};
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId o,
                              Linear(a, output, spec_.attn_output_bias, Block("attn_output")));
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId y, BlockNorm(o, spec_.attn_post_norm));
    x_ = Append1(op::Add{hp_.residual_scale}, {x_, y}, Block("attn_residual"));
    return Status::Ok();
  }

  Status FfnBlock() {
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId h, BlockNorm(x_, spec_.ffn_pre_norm));
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId f, hp_.n_experts > 0 ? Experts(h) : DenseFfn(h));
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId y, BlockNorm(f, spec_.ffn_post_norm));
    x_ = Append1(op::Add{hp_.residual_scale}, {x_, y}, Block("ffn_residual"));
    return Status::Ok();
  }

  Result<ValueId> DenseFfn(ValueId h) {
    const int64_t n_ff = layer().n_ff;
    MatrixRef gate{Block("ffn_gate"), n_ff, hp_.d_model};
    MatrixRef up{Block("ffn_up"), n_ff, hp_.d_model};
    if (spec_.gate_in_up) {
      gate = {Block("ffn_up"), n_ff, hp_.d_model, 0, 2 * n_ff};
      up = {Block("ffn_up"), n_ff, hp_.d_model, n_ff, 2 * n_ff};
    }
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId g, Linear(h, gate, spec_.ffn_bias, Block("ffn_gate")));
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId u, Linear(h, up, spec_.ffn_bias, Block("ffn_up")));
    const ValueId act = Append1(spec_.glu, {g, u}, Block("ffn_glu"));
    return Linear(act, {Block("ffn_down"), hp_.d_model, n_ff}, spec_.ffn_bias, Block("ffn_down"));
  }

  // x W_e^T + b_e for the experts e of each row.
  Result<ValueId> ExpertLinear(ValueId x, ValueId ids, const char* name, int64_t rows, int64_t cols,
                               bool x_per_expert) {
    const std::string tensor = Block(name);
    if (tensors_.Has(tensor + ".scale")) {
      return Unsupported(
          Format("tensor '{}.scale' (one factor per expert) is not supported", tensor));
    }
    op::MoeMatMul matmul;
    matmul.n_used = hp_.n_experts_used;
    matmul.x_per_expert = x_per_expert;
    std::vector<ValueId> in = {x, ids};
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId weight,
                              tensors_.Stack(tensor + ".weight", hp_.n_experts, rows, cols));
    in.push_back(weight);
    if (WantsBias(spec_.expert_bias, tensor)) {
      ROCFORGE_ASSIGN_OR_RETURN(const ValueId bias,
                                tensors_.Vectors(tensor + ".bias", hp_.n_experts, rows));
      matmul.has_bias[0] = true;
      in.push_back(bias);
    }
    return Append1(matmul, std::move(in), tensor);
  }

  Result<ValueId> Experts(ValueId h) {
    const int64_t n_ff = layer().n_ff_expert;
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId logits,
                              Linear(h, {Block("ffn_gate_inp"), hp_.n_experts, hp_.d_model},
                                     spec_.expert_bias, Block("ffn_gate_inp")));
    op::MoeRoute route;
    route.n_experts = hp_.n_experts;
    route.n_used = hp_.n_experts_used;
    route.gating = spec_.gating;
    route.normalise = spec_.normalise_expert_weights;
    route.scale = hp_.expert_weights_scale;
    const std::vector<ValueId> routed = graph_.Append(route, {logits}, Block("ffn_route"), layer_);
    const ValueId ids = routed[0];
    const ValueId weights = routed[1];
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId g,
                              ExpertLinear(h, ids, "ffn_gate_exps", n_ff, hp_.d_model, false));
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId u,
                              ExpertLinear(h, ids, "ffn_up_exps", n_ff, hp_.d_model, false));
    const ValueId act = Append1(spec_.glu, {g, u}, Block("ffn_glu"));
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId y,
                              ExpertLinear(act, ids, "ffn_down_exps", hp_.d_model, n_ff, true));
    return Append1(op::MoeCombine{hp_.n_experts_used}, {y, weights}, Block("ffn_combine"));
  }

  Status Output() {
    ROCFORGE_ASSIGN_OR_RETURN(const ValueId h, Norm(x_, "output_norm", 0));
    const bool tied = spec_.output == Presence::kOptional && !tensors_.Has("output.weight");
    const MatrixRef matrix{tied ? "token_embd" : "output", hp_.n_vocab, hp_.d_model};
    ROCFORGE_ASSIGN_OR_RETURN(
        ValueId logits, Linear(h, matrix, tied ? Presence::kNever : spec_.output_bias, "output"));
    if (hp_.logit_scale != 1.0f) {
      logits = Append1(op::Scale{1.0f / hp_.logit_scale}, {logits}, "output_scale");
    }
    if (hp_.final_softcap > 0.0f) {
      logits = Append1(op::SoftCap{hp_.final_softcap}, {logits}, "output_softcap");
    }
    graph_.logits = logits;
    return Status::Ok();
  }

  const ArchSpec& spec_;
  const HParams& hp_;
  int64_t n_ctx_;
  TensorTable& tensors_;
  graph::Graph& graph_;
  int32_t layer_ = -1;
  ValueId x_ = kNoValue;  // the residual stream
  std::vector<std::pair<op::RopeTable, ValueId>> rope_tables_;
};

}  // namespace

Status BuildDecoder(const ArchSpec& spec, const HParams& hp, int64_t n_ctx, TensorTable& tensors,
                    graph::Graph& graph) {
  return Decoder(spec, hp, n_ctx, tensors, graph).Build();
}

}  // namespace rocforge::model
