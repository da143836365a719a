#include "quant/mix.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>

#include "base/check.h"
#include "base/format.h"

namespace rocforge::quant {
namespace {

constexpr std::array kFileTypes = {
    FileTypeInfo{FileType::kF32, "F32", DType::kF32, "32-bit floats"},
    FileTypeInfo{FileType::kF16, "F16", DType::kF16, "16-bit floats"},
    FileTypeInfo{FileType::kBF16, "BF16", DType::kBF16, "16-bit floats with the range of F32"},
    FileTypeInfo{FileType::kQ8_0, "Q8_0", DType::kQ8_0, "8 bits, practically lossless"},
    FileTypeInfo{FileType::kQ6_K, "Q6_K", DType::kQ6_K, "6 bits"},
    FileTypeInfo{FileType::kQ5_1, "Q5_1", DType::kQ5_1, "5 bits with minima, legacy"},
    FileTypeInfo{FileType::kQ5_0, "Q5_0", DType::kQ5_0, "5 bits, legacy"},
    FileTypeInfo{FileType::kQ5_K_M, "Q5_K_M", DType::kQ5_K, "5 bits, 6 where it matters"},
    FileTypeInfo{FileType::kQ5_K_S, "Q5_K_S", DType::kQ5_K, "5 bits"},
    FileTypeInfo{FileType::kQ4_1, "Q4_1", DType::kQ4_1, "4 bits with minima, legacy"},
    FileTypeInfo{FileType::kQ4_0, "Q4_0", DType::kQ4_0, "4 bits, legacy"},
    FileTypeInfo{FileType::kQ4_K_M, "Q4_K_M", DType::kQ4_K,
                 "4 bits, 6 where it matters: the usual"},
    FileTypeInfo{FileType::kQ4_K_S, "Q4_K_S", DType::kQ4_K, "4 bits, 5 where it matters"},
    FileTypeInfo{FileType::kIQ4_NL, "IQ4_NL", DType::kIQ4_NL, "4 bits, uneven levels"},
    FileTypeInfo{FileType::kIQ4_XS, "IQ4_XS", DType::kIQ4_XS, "4 bits, uneven levels, smaller"},
    FileTypeInfo{FileType::kMXFP4_MOE, "MXFP4_MOE", DType::kMXFP4, "experts MXFP4, the rest Q8_0"},
    FileTypeInfo{FileType::kQ3_K_L, "Q3_K_L", DType::kQ3_K, "3 bits, 5 where it matters"},
    FileTypeInfo{FileType::kQ3_K_M, "Q3_K_M", DType::kQ3_K, "3 bits, 4 or 5 where it matters"},
    FileTypeInfo{FileType::kQ3_K_S, "Q3_K_S", DType::kQ3_K, "3 bits"},
    FileTypeInfo{FileType::kQ2_K, "Q2_K", DType::kQ2_K, "2 bits, 3 or 4 where it matters"},
    FileTypeInfo{FileType::kQ2_K_S, "Q2_K_S", DType::kQ2_K, "2 bits, needs an importance matrix"},
};

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// ---- roles ----

enum class Role {
  kTokenEmbedding,
  kOutput,
  kAttentionQ,
  kAttentionK,
  kAttentionV,
  kAttentionQkv,
  kAttentionKvB,
  kAttentionOutput,
  kFfnUp,
  kFfnGate,
  kFfnDown,
  kOther,
};

Role RoleOf(std::string_view name) {
  if (name == "output.weight") return Role::kOutput;
  if (name == "token_embd.weight" || name == "per_layer_token_embd.weight") {
    return Role::kTokenEmbedding;
  }
  struct Part {
    std::string_view text;
    Role role;
  };
  static constexpr Part kParts[] = {
      {"attn_qkv.weight", Role::kAttentionQkv},
      {"attn_kv_b.weight", Role::kAttentionKvB},
      {"attn_v.weight", Role::kAttentionV},
      {"attn_k.weight", Role::kAttentionK},
      {"attn_q.weight", Role::kAttentionQ},
      {"attn_output.weight", Role::kAttentionOutput},
      {"ffn_up", Role::kFfnUp},
      {"ffn_gate", Role::kFfnGate},
      {"ffn_down", Role::kFfnDown},
  };
  for (const Part& part : kParts) {
    if (Contains(name, part.text)) return part.role;
  }
  return Role::kOther;
}

// Tensors whose errors hurt like those of attention values.
bool LikeAttentionV(Role role) {
  return role == Role::kAttentionV || role == Role::kAttentionQkv || role == Role::kAttentionKvB;
}

// N of "blk.N...", or -1.
int64_t LayerOf(std::string_view name) {
  if (name.substr(0, 4) != "blk.") return -1;
  int64_t layer = -1;
  for (size_t i = 4; i < name.size() && std::isdigit(static_cast<unsigned char>(name[i])); ++i) {
    layer = std::min<int64_t>((layer < 0 ? 0 : layer) * 10 + (name[i] - '0'), INT32_MAX);
  }
  return layer;
}

// ---- rules ----

// Applies the rules to tensors by layer, then by name: "the first four value matrices" and the like
// count in that order.
class Chooser {
 public:
  Chooser(const MixModel& model, const MixOptions& options, std::span<const MixTensor> tensors)
      : model_(model), options_(options) {
    for (const MixTensor& tensor : tensors) {
      const Role role = RoleOf(tensor.name);
      if (LikeAttentionV(role)) ++n_attention_v_;
      if (role == Role::kOutput) tied_ = false;
    }
  }

  // To be called in order.
  Result<MixChoice> Choose(const MixTensor& tensor);

 private:
  bool Is(std::initializer_list<FileType> types) const {
    return std::find(types.begin(), types.end(), options_.type) != types.end();
  }
  bool falcon() const { return model_.architecture == "falcon"; }
  int64_t n_gqa() const { return model_.n_head_kv > 0 ? model_.n_head / model_.n_head_kv : 0; }
  // Layers at both ends, and every third between.
  static bool MoreBits(int64_t i, int64_t n) {
    return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
  }
  // Large models share one value matrix among 8 heads, so that it is small and worth more bits.
  bool SharedValues() const;
  Result<DType> ByRules(const MixTensor& tensor, DType base);
  DType ForOutput(const MixTensor& tensor, DType base) const;
  DType ForMxfp4Moe(const MixTensor& tensor, Role role) const;
  DType ForAttentionV(DType base);
  DType ForFfnDown(DType base, int64_t layer) const;
  DType ForAttentionOutput(DType base) const;
  Result<int64_t> DownLayer(const MixTensor& tensor);

  const MixModel& model_;
  const MixOptions& options_;
  bool tied_ = true;  // the token embedding is also the output matrix
  int64_t n_attention_v_ = 0;
  int64_t i_attention_v_ = 0;
  int64_t i_ffn_down_ = 0;
};

bool Chooser::SharedValues() const {
  const std::string& arch = model_.architecture;
  if (arch == "llama") return model_.n_layer == 80 && model_.n_head != model_.n_head_kv;
  if (arch == "jais2") return model_.n_layer == 68;
  return model_.n_layer == 80 && (arch == "qwen2" || arch == "deci" || arch == "olmo");
}

DType Chooser::ForOutput(const MixTensor& tensor, DType base) const {
  if (options_.output) return *options_.output;
  const bool fits = tensor.shape.row_elements() % Info(base).block_elements == 0;
  if (Is({FileType::kMXFP4_MOE}) || falcon() || !fits || base == DType::kQ8_0) return DType::kQ8_0;
  return DType::kQ6_K;
}

DType Chooser::ForMxfp4Moe(const MixTensor& tensor, Role role) const {
  const bool three_dimensional = tensor.shape.rank() >= 3 && tensor.shape.dim(-3) > 1;
  // That architecture has attention matrices of three dimensions, too.
  const bool expert = model_.architecture != "bailingmoe3" || role == Role::kFfnUp ||
                      role == Role::kFfnGate || role == Role::kFfnDown;
  return three_dimensional && expert ? DType::kMXFP4 : DType::kQ8_0;
}

DType Chooser::ForAttentionV(DType base) {
  const int64_t i = i_attention_v_++;
  DType type = base;
  const bool shared = n_gqa() >= 4;
  if (Is({FileType::kQ2_K})) {
    type = shared ? DType::kQ4_K : DType::kQ3_K;
  } else if (Is({FileType::kQ2_K_S}) && shared) {
    type = DType::kQ4_K;
  } else if (Is({FileType::kQ3_K_M})) {
    type = i < 2 ? DType::kQ5_K : DType::kQ4_K;
  } else if (Is({FileType::kQ3_K_L})) {
    type = DType::kQ5_K;
  } else if (Is({FileType::kIQ4_NL, FileType::kIQ4_XS}) && shared) {
    type = DType::kQ5_K;
  } else if (Is({FileType::kQ4_K_M, FileType::kQ5_K_M}) && MoreBits(i, n_attention_v_)) {
    type = DType::kQ6_K;
  } else if (Is({FileType::kQ4_K_S}) && i < 4) {
    type = DType::kQ5_K;
  }
  if (SharedValues() && (type == DType::kQ3_K || type == DType::kQ4_K)) type = DType::kQ5_K;
  // With 8 experts, the attention is a small part of the model.
  return model_.n_expert == 8 ? DType::kQ8_0 : type;
}

// The layer of an FFN matrix: counted, but in mixtures of experts, where a layer has several, read
// from the name.
Result<int64_t> Chooser::DownLayer(const MixTensor& tensor) {
  const int64_t counted = i_ffn_down_++;
  if (model_.n_expert <= 1) return counted;
  const int64_t layer = LayerOf(tensor.name);
  if (layer >= 0 && layer < model_.n_layer) return layer;
  return DataLoss(Format("tensor '{}' names no layer in [0, {})",
                         EscapeForTerminal(tensor.name, 80), model_.n_layer));
}

DType Chooser::ForFfnDown(DType base, int64_t layer) const {
  const int64_t n = model_.n_layer;
  const bool first_eighth = layer < n / 8;
  const bool more_bits = MoreBits(layer, n);
  switch (options_.type) {
    case FileType::kQ2_K:
      return DType::kQ3_K;
    case FileType::kQ2_K_S:
      return first_eighth ? DType::kQ4_K : base;
    case FileType::kQ3_K_M:
      if (layer < n / 16) return DType::kQ5_K;
      return !falcon() || more_bits ? DType::kQ4_K : DType::kQ3_K;
    case FileType::kQ3_K_L:
      return falcon() ? DType::kQ4_K : DType::kQ5_K;
    case FileType::kQ4_K_M:
      if (!falcon()) return more_bits ? DType::kQ6_K : base;
      if (layer < n / 16) return DType::kQ6_K;
      return more_bits ? DType::kQ5_K : DType::kQ4_K;
    case FileType::kQ5_K_M:
      return more_bits ? DType::kQ6_K : base;
    case FileType::kIQ4_NL:
    case FileType::kIQ4_XS:
      return first_eighth && !options_.has_importance ? DType::kQ5_K : base;
    case FileType::kQ4_K_S:
      return first_eighth && !falcon() ? DType::kQ5_K : base;
    // Only with importance, so that without it the file is the one type that its name says.
    case FileType::kQ4_0:
      return first_eighth && options_.has_importance ? DType::kQ4_1 : base;
    case FileType::kQ5_0:
      return first_eighth && options_.has_importance ? DType::kQ5_1 : base;
    default:
      return base;
  }
}

DType Chooser::ForAttentionOutput(DType base) const {
  if (falcon()) return Is({FileType::kQ3_K_L}) ? DType::kQ4_K : base;
  if (model_.n_expert == 8) {
    const bool small = Is({FileType::kQ2_K, FileType::kQ3_K_S, FileType::kQ3_K_M, FileType::kQ4_K_S,
                           FileType::kQ4_K_M, FileType::kIQ4_NL, FileType::kIQ4_XS});
    return small ? DType::kQ5_K : base;
  }
  if (Is({FileType::kQ2_K})) return DType::kQ3_K;
  if (Is({FileType::kQ3_K_M})) return DType::kQ4_K;
  if (Is({FileType::kQ3_K_L})) return DType::kQ5_K;
  return base;
}

Result<DType> Chooser::ByRules(const MixTensor& tensor, DType base) {
  const Role role = RoleOf(tensor.name);
  if (model_.architecture == "glm5-next" &&
      (Contains(tensor.name, "attn_q_a") || Contains(tensor.name, "attn_q_b") ||
       Contains(tensor.name, "nextn.eh_proj"))) {
    return DType::kQ8_0;
  }
  if (role == Role::kOutput || (tied_ && role == Role::kTokenEmbedding)) {
    return ForOutput(tensor, base);
  }
  if (Is({FileType::kMXFP4_MOE})) return ForMxfp4Moe(tensor, role);
  if (LikeAttentionV(role)) return ForAttentionV(base);
  if (role == Role::kAttentionK && model_.n_expert == 8) return DType::kQ8_0;
  if (role == Role::kFfnDown) {
    ROCFORGE_ASSIGN_OR_RETURN(const int64_t layer, DownLayer(tensor));
    return ForFfnDown(base, layer);
  }
  if (role == Role::kAttentionOutput) return ForAttentionOutput(base);
  return base;
}

// A type for rows that are no multiple of the block of `wanted`.
DType FittingType(DType wanted, int64_t row_elements) {
  const auto fits = [row_elements](DType type) {
    return row_elements % Info(type).block_elements == 0;
  };
  if (fits(wanted)) return wanted;
  DType other = wanted;
  switch (wanted) {
    case DType::kIQ4_XS:
      other = DType::kIQ4_NL;
      break;
    case DType::kQ2_K:
    case DType::kQ3_K:
      other = DType::kQ4_0;
      break;
    case DType::kQ4_K:
      other = DType::kQ5_0;
      break;
    case DType::kQ5_K:
      other = DType::kQ5_1;
      break;
    case DType::kQ6_K:
      other = DType::kQ8_0;
      break;
    default:
      break;
  }
  return fits(other) ? other : DType::kF16;
}

Result<MixChoice> Chooser::Choose(const MixTensor& tensor) {
  const Role role = RoleOf(tensor.name);
  DType wanted = Info(options_.type).base;
  if (options_.token_embedding && role == Role::kTokenEmbedding) {
    wanted = *options_.token_embedding;
  } else if (options_.output && role == Role::kOutput) {
    wanted = *options_.output;
  } else if (rocforge::Info(wanted).quantised && !options_.pure) {
    ROCFORGE_ASSIGN_OR_RETURN(wanted, ByRules(tensor, wanted));
  }
  MixChoice choice;
  choice.wanted = wanted;
  choice.dtype = FittingType(wanted, tensor.shape.row_elements());
  choice.needs_importance = choice.dtype == DType::kQ2_K && Is({FileType::kQ2_K_S}) &&
                            role != Role::kTokenEmbedding && role != Role::kOutput;
  return choice;
}

int EffectiveRank(const Shape& shape) {
  int leading_ones = 0;
  while (leading_ones < shape.rank() && shape.dim(leading_ones) == 1) ++leading_ones;
  return shape.rank() - leading_ones;
}

// Parts of the names of small or sensitive matrices.
constexpr std::string_view kKept[] = {
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
    "time_mix_first.weight",
    "time_mix_w0.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a0.weight",
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
    "attn_rel_b.weight",
    ".position_embd",
    "sam.pos_embd",
    "sam.neck.",
    "sam.net_",
    ".rel_pos",
    ".patch_embd",
    ".patch_merger",
    "a.rvq.codebook",
    "mm.a.code_embd",
};
constexpr std::string_view kKeptInGlm5Next[] = {
    "hc_",
    "indexer.attn_q_b",
    "indexer.attn_k",
    "indexer.proj",
    "indexer_compressor_gate",
    "indexer_compressor_ape",
    "ssm_f_a.weight",
    "ssm_f_b.weight",
    "ssm_g_a.weight",
    "ssm_g_b.weight",
    "ssm_beta.weight",
    "attn_kv_a_mqa.weight",
    "attn_k_b.weight",
    "attn_v_b.weight",
};

}  // namespace

std::span<const FileTypeInfo> AllFileTypes() { return kFileTypes; }

const FileTypeInfo& Info(FileType type) {
  const auto* info = std::find_if(kFileTypes.begin(), kFileTypes.end(),
                                  [type](const FileTypeInfo& i) { return i.type == type; });
  ROCFORGE_CHECK(info != kFileTypes.end());
  return *info;
}

Result<FileType> ParseFileType(std::string_view name) {
  std::string upper(name);
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string names;
  for (const FileTypeInfo& info : kFileTypes) {
    if (upper == info.name || upper + "_M" == info.name) return info.type;
    names += names.empty() ? info.name : Format(", {}", info.name);
  }
  return InvalidArgument(
      Format("'{}' is no type to quantize to; there are {}", EscapeForTerminal(name, 40), names));
}

bool IsQuantisable(const MixModel& model, const MixTensor& tensor) {
  const std::string_view name = tensor.name;
  if (EffectiveRank(tensor.shape) < 2) return false;
  if (!name.ends_with("weight")) return false;
  if (name == "position_embd.weight" || name == "token_types.weight") return false;
  const auto within = [name](std::string_view part) { return Contains(name, part); };
  if (std::any_of(std::begin(kKept), std::end(kKept), within)) return false;
  return model.architecture != "glm5-next" ||
         std::none_of(std::begin(kKeptInGlm5Next), std::end(kKeptInGlm5Next), within);
}

Result<std::vector<MixChoice>> ChooseTypes(const MixModel& model, const MixOptions& options,
                                           std::span<const MixTensor> tensors) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [tensors](size_t a, size_t b) {
    const int64_t layer_a = LayerOf(tensors[a].name);
    const int64_t layer_b = LayerOf(tensors[b].name);
    return layer_a != layer_b ? layer_a < layer_b : tensors[a].name < tensors[b].name;
  });
  Chooser chooser(model, options, tensors);
  std::vector<MixChoice> choices(tensors.size());
  for (const size_t i : order) {
    choices[i] = {tensors[i].dtype, tensors[i].dtype, false};
    if (!IsQuantisable(model, tensors[i])) continue;
    ROCFORGE_ASSIGN_OR_RETURN(choices[i], chooser.Choose(tensors[i]));
  }
  return choices;
}

}  // namespace rocforge::quant
