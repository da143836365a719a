#include "model/hparams.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/format.h"
#include "model/keys.h"
#include "model/neutral_keys.h"

namespace rocforge::model {
namespace {

// Far above every published model; they bound what a hostile file can make us build.
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxWidth = 1 << 20;
constexpr int64_t kMaxHeads = 4096;
constexpr int64_t kMaxHeadDim = 4096;
constexpr int64_t kMaxFfWidth = 1 << 24;
constexpr int64_t kMaxExperts = 4096;
constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();
constexpr double kMaxScale = 1e6;  // of factors and scales

class HParamReader {
 public:
  HParamReader(const gguf::File& file, const ArchSpec& spec)
      : file_(file), spec_(spec), keys_(file, spec.name) {}

  Result<HParams> Read() {
    ROCFORGE_RETURN_IF_ERROR(ReadSizes());
    ROCFORGE_RETURN_IF_ERROR(ReadHeads());
    ROCFORGE_RETURN_IF_ERROR(ReadFfn());
    ROCFORGE_RETURN_IF_ERROR(ReadRope());
    ROCFORGE_RETURN_IF_ERROR(ReadRopeScaling());
    ROCFORGE_RETURN_IF_ERROR(ReadWindow());
    ROCFORGE_RETURN_IF_ERROR(ReadScales());
    return std::move(hp_);
  }

 private:
  Status ReadSizes() {
    if (file_.Find("general.name") != nullptr) {
      ROCFORGE_ASSIGN_OR_RETURN(hp_.name, file_.GetString("general.name"));
    }
    ROCFORGE_ASSIGN_OR_RETURN(hp_.n_layers, keys_.Int("block_count", 1, kMaxLayers));
    ROCFORGE_ASSIGN_OR_RETURN(hp_.d_model, keys_.Int("embedding_length", 1, kMaxWidth));
    ROCFORGE_ASSIGN_OR_RETURN(hp_.n_ctx_train, keys_.Int("context_length", 1, kMaxInt32));
    hp_.layers.resize(static_cast<size_t>(hp_.n_layers));
    const char* eps_key = spec_.norm == op::NormKind::kRms ? "attention.layer_norm_rms_epsilon"
                                                           : "attention.layer_norm_epsilon";
    ROCFORGE_RETURN_IF_ERROR(SetFloat(keys_.Float(eps_key, 0.0, 1.0), &hp_.norm_eps));
    return ReadVocabularySize();
  }

  // The tokenizer's list is the vocabulary; a file without one says its size.
  Status ReadVocabularySize() {
    if (file_.Find("tokenizer.ggml.tokens") != nullptr) {
      ROCFORGE_ASSIGN_OR_RETURN(const std::span<const std::string> tokens,
                                file_.GetStringArray("tokenizer.ggml.tokens"));
      hp_.n_vocab = static_cast<int64_t>(tokens.size());
      if (hp_.n_vocab == 0 || hp_.n_vocab > kMaxInt32) {
        return DataLoss(Format("tokenizer.ggml.tokens has {} entries", hp_.n_vocab));
      }
      return Status::Ok();
    }
    ROCFORGE_ASSIGN_OR_RETURN(hp_.n_vocab, keys_.Int("vocab_size", 1, kMaxInt32));
    return Status::Ok();
  }

  Status ReadHeads() {
    ROCFORGE_ASSIGN_OR_RETURN(
        const std::vector<int64_t> heads,
        keys_.IntPerLayer("attention.head_count", hp_.n_layers, 1, kMaxHeads));
    std::vector<int64_t> kv_heads = heads;
    if (keys_.Has("attention.head_count_kv")) {
      ROCFORGE_ASSIGN_OR_RETURN(
          kv_heads, keys_.IntPerLayer("attention.head_count_kv", hp_.n_layers, 1, kMaxHeads));
    }
    for (size_t i = 0; i < heads.size(); ++i) {
      if (heads[i] % kv_heads[i] != 0) {
        return DataLoss(
            Format("layer {} has {} query heads, which is no multiple of its {} "
                   "key and value heads",
                   i, heads[i], kv_heads[i]));
      }
      hp_.layers[i].n_heads = static_cast<int32_t>(heads[i]);
      hp_.layers[i].n_kv_heads = static_cast<int32_t>(kv_heads[i]);
    }
    const bool has_lengths =
        keys_.Has("attention.key_length") && keys_.Has("attention.value_length");
    if (!has_lengths && hp_.d_model % heads[0] != 0) {
      return DataLoss(Format("'{}' is {}, which is no multiple of its {} heads",
                             keys_.Full("embedding_length"), hp_.d_model, heads[0]));
    }
    const int64_t head_dim = std::max<int64_t>(1, hp_.d_model / heads[0]);
    ROCFORGE_RETURN_IF_ERROR(
        SetInt32(keys_.IntOr("attention.key_length", head_dim, 1, kMaxHeadDim), &hp_.head_dim_k));
    ROCFORGE_RETURN_IF_ERROR(
        SetInt32(keys_.IntOr("attention.value_length", head_dim, 1, kMaxHeadDim), &hp_.head_dim_v));
    ROCFORGE_RETURN_IF_ERROR(CheckSameInLocalLayers("attention.key_length_swa", hp_.head_dim_k));
    return CheckSameInLocalLayers("attention.value_length_swa", hp_.head_dim_v);
  }

  // Sizes that only local layers have.
  Status CheckSameInLocalLayers(const char* key, int64_t global) const {
    ROCFORGE_ASSIGN_OR_RETURN(const int64_t local, keys_.IntOr(key, global, 0, kMaxInt32));
    if (local == global) return Status::Ok();
    return Unsupported(Format("'{}' is {} while global layers have {}: this is not supported",
                              keys_.Full(key), local, global));
  }

  Status ReadFfn() {
    ROCFORGE_RETURN_IF_ERROR(
        SetInt32(keys_.IntOr("expert_count", 0, 0, kMaxExperts), &hp_.n_experts));
    if (hp_.n_experts > 0 && spec_.ffn == Ffn::kDense) {
      return Unsupported(Format("architecture '{}' with experts ('{}' is {}) is not supported",
                                spec_.name, keys_.Full("expert_count"), hp_.n_experts));
    }
    if (hp_.n_experts == 0 && spec_.ffn == Ffn::kExperts) {
      return DataLoss(Format("metadata key '{}' is missing or 0", keys_.Full("expert_count")));
    }
    const bool experts = hp_.n_experts > 0;
    if (!experts || keys_.Has("feed_forward_length")) {
      ROCFORGE_ASSIGN_OR_RETURN(
          const std::vector<int64_t> widths,
          keys_.IntPerLayer("feed_forward_length", hp_.n_layers, experts ? 0 : 1, kMaxFfWidth));
      for (size_t i = 0; i < widths.size(); ++i) hp_.layers[i].n_ff = widths[i];
    }
    return experts ? ReadExperts() : Status::Ok();
  }

  Status ReadExperts() {
    ROCFORGE_RETURN_IF_ERROR(
        SetInt32(keys_.Int("expert_used_count", 1, hp_.n_experts), &hp_.n_experts_used));
    // Mixtral's files give the experts' width as the dense one.
    const char* key = keys_.Has("expert_feed_forward_length") ? "expert_feed_forward_length"
                                                              : "feed_forward_length";
    ROCFORGE_ASSIGN_OR_RETURN(const std::vector<int64_t> widths,
                              keys_.IntPerLayer(key, hp_.n_layers, 1, kMaxFfWidth));
    for (size_t i = 0; i < widths.size(); ++i) hp_.layers[i].n_ff_expert = widths[i];
    ROCFORGE_RETURN_IF_ERROR(SetFloat(keys_.FloatOr("expert_weights_scale", 1.0, 0.0, kMaxScale),
                                      &hp_.expert_weights_scale));
    if (hp_.expert_weights_scale == 0.0f) hp_.expert_weights_scale = 1.0f;  // 0 means unset
    return Status::Ok();
  }

  Status ReadRope() {
    ROCFORGE_RETURN_IF_ERROR(SetInt32(
        keys_.IntOr("rope.dimension_count", hp_.head_dim_k, 2, hp_.head_dim_k), &hp_.rope_dim));
    if (hp_.rope_dim % 2 != 0) {
      return DataLoss(Format("'{}' is {}; RoPE needs an even number",
                             keys_.Full("rope.dimension_count"), hp_.rope_dim));
    }
    ROCFORGE_RETURN_IF_ERROR(CheckSameInLocalLayers("rope.dimension_count_swa", hp_.rope_dim));
    const double smallest = 1e-3;
    const double largest = 1e12;
    ROCFORGE_RETURN_IF_ERROR(
        SetFloat(keys_.FloatOr("rope.freq_base", 10000.0, smallest, largest), &hp_.rope_base));
    const float local =
        spec_.local_rope.freq_base > 0.0f ? spec_.local_rope.freq_base : hp_.rope_base;
    ROCFORGE_RETURN_IF_ERROR(SetFloat(keys_.FloatOr("rope.freq_base_swa", local, smallest, largest),
                                      &hp_.rope_base_local));
    bool on = true;
    if (spec_.finetuned_is_rope_switch && keys_.Has("rope.scaling.finetuned")) {
      ROCFORGE_ASSIGN_OR_RETURN(on, file_.GetBool(keys_.Full("rope.scaling.finetuned")));
    }
    for (size_t i = 0; i < hp_.layers.size(); ++i) {
      const bool skipped = spec_.no_rope_period > 0 &&
                           std::cmp_equal((i + 1) % static_cast<size_t>(spec_.no_rope_period), 0);
      hp_.layers[i].rope = on && !skipped;
    }
    return Status::Ok();
  }

  Status ReadRopeScaling() {
    RopeScaling& scaling = hp_.rope_scaling;
    ROCFORGE_ASSIGN_OR_RETURN(const std::string type,
                              keys_.StringOr("rope.scaling.type", "linear"));
    if (type == "none") {
      scaling.type = RopeScalingType::kNone;
    } else if (type == "linear") {
      scaling.type = RopeScalingType::kLinear;
    } else if (type == "yarn") {
      scaling.type = RopeScalingType::kYarn;
    } else if (type == "longrope") {
      scaling.type = RopeScalingType::kLongRope;
    } else {
      return Unsupported(
          Format("RoPE scaling '{}' is not supported; supported: none, linear, yarn, longrope, and "
                 "rope_freqs.weight",
                 EscapeForTerminal(type, 64)));
    }
    const char* factor_key = keys_.Has("rope.scaling.factor") ? "rope.scaling.factor"
                                                              : "rope.scale_linear";  // older files
    ROCFORGE_RETURN_IF_ERROR(
        SetFloat(keys_.FloatOr(factor_key, 1.0, 0.0, kMaxScale), &scaling.factor));
    if (scaling.factor == 0.0f || scaling.type == RopeScalingType::kNone) scaling.factor = 1.0f;
    ROCFORGE_RETURN_IF_ERROR(SetFloat(
        keys_.FloatOr("rope.scaling.attn_factor", 1.0, 1e-6, kMaxScale), &scaling.attn_factor));
    ROCFORGE_RETURN_IF_ERROR(SetFloat(
        keys_.FloatOr("rope.scaling.yarn_beta_fast", 32.0, 1e-6, kMaxScale), &scaling.beta_fast));
    ROCFORGE_RETURN_IF_ERROR(SetFloat(
        keys_.FloatOr("rope.scaling.yarn_beta_slow", 1.0, 1e-6, kMaxScale), &scaling.beta_slow));
    ROCFORGE_ASSIGN_OR_RETURN(
        scaling.n_ctx_orig,
        keys_.IntOr("rope.scaling.original_context_length", hp_.n_ctx_train, 0, kMaxInt32));
    if (scaling.n_ctx_orig == 0) scaling.n_ctx_orig = hp_.n_ctx_train;
    return Status::Ok();
  }

  Status ReadWindow() {
    const char* key = "attention.sliding_window";
    const WindowSpec& spec = spec_.window;
    if (spec.key == Presence::kRequired && !keys_.Has(key)) {
      return DataLoss(Format("metadata key '{}' is missing", keys_.Full(key)));
    }
    ROCFORGE_ASSIGN_OR_RETURN(const int64_t window, keys_.IntOr(key, spec.fallback, 0, kMaxInt32));
    if (spec.key == Presence::kNever) {
      hp_.window_not_applied = window;
      return Status::Ok();
    }
    if (window == 0) return Status::Ok();
    hp_.window = static_cast<int32_t>(window);
    const char* pattern = "attention.sliding_window_pattern";
    int64_t period = spec.period;
    if (keys_.IsArray(pattern)) {
      ROCFORGE_ASSIGN_OR_RETURN(const std::vector<bool> local, keys_.Flags(pattern, hp_.n_layers));
      for (size_t i = 0; i < local.size(); ++i) hp_.layers[i].local = local[i];
      return Status::Ok();
    }
    ROCFORGE_ASSIGN_OR_RETURN(period, keys_.IntOr(pattern, period, 0, kMaxLayers));
    for (int64_t i = 0; i < hp_.n_layers; ++i) {
      // A period of 0 means that all layers are local.
      hp_.layers[static_cast<size_t>(i)].local = period == 0 || i % period < period - 1;
    }
    return Status::Ok();
  }

  Status ReadScales() {
    ROCFORGE_RETURN_IF_ERROR(
        ReadSetting("embedding_scale", spec_.embedding_scale, 1.0f, &hp_.embedding_scale));
    if (spec_.embedding_scale_sqrt_width) {
      hp_.embedding_scale *= std::sqrt(static_cast<float>(hp_.d_model));
    }
    ROCFORGE_RETURN_IF_ERROR(
        ReadSetting("residual_scale", spec_.residual_scale, 1.0f, &hp_.residual_scale));
    ROCFORGE_RETURN_IF_ERROR(ReadSetting("logit_scale", spec_.logit_scale, 1.0f, &hp_.logit_scale));
    ROCFORGE_RETURN_IF_ERROR(
        ReadSetting("attn_logit_softcapping", spec_.attn_softcap, 0.0f, &hp_.attn_softcap));
    ROCFORGE_RETURN_IF_ERROR(
        ReadSetting("final_logit_softcapping", spec_.final_softcap, 0.0f, &hp_.final_softcap));
    const bool by_width = spec_.attention_scale_by_width_layers == hp_.n_layers;
    const double scale_dim =
        by_width ? static_cast<double>(hp_.d_model / hp_.layers[0].n_heads) : hp_.head_dim_k;
    return ReadSetting("attention.scale", spec_.attention_scale,
                       static_cast<float>(1.0 / std::sqrt(scale_dim)), &hp_.attention_scale);
  }

  // `neutral` is what the decoder does without the setting; 0 in the file means the same.
  Status ReadSetting(const char* key, const Setting& setting, float neutral, float* value) {
    if (setting.presence == Presence::kRequired && !keys_.Has(key)) {
      return DataLoss(Format("metadata key '{}' is missing", keys_.Full(key)));
    }
    ROCFORGE_RETURN_IF_ERROR(SetFloat(keys_.FloatOr(key, setting.fallback, 0.0, kMaxScale), value));
    if (*value == 0.0f) *value = neutral;
    const float difference = std::abs(*value - neutral);
    if (setting.presence == Presence::kNever && difference > 1e-5f * std::abs(neutral)) {
      return Unsupported(Format("architecture '{}' with '{}' = {} is not supported", spec_.name,
                                keys_.Full(key), *value));
    }
    return Status::Ok();
  }

  static Status SetFloat(Result<double> from, float* to) {
    if (from.ok()) *to = static_cast<float>(*from);
    return from.status();
  }
  static Status SetInt32(Result<int64_t> from, int32_t* to) {
    if (from.ok()) *to = static_cast<int32_t>(*from);
    return from.status();
  }

  const gguf::File& file_;
  const ArchSpec& spec_;
  Keys keys_;
  HParams hp_;
};

}  // namespace

Result<HParams> ReadHParams(const gguf::File& file, const ArchSpec& spec) {
  ROCFORGE_RETURN_IF_ERROR(CheckNeutralKeys(file, spec));
  return HParamReader(file, spec).Read();
}

}  // namespace rocforge::model
