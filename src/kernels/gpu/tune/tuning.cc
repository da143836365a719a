#include "kernels/gpu/tune/tuning.h"

#include <algorithm>
#include <bit>

#include "base/format.h"

namespace rocforge::gpu {
namespace {

// " silu", or nothing.
std::string GluText(op::GluKind kind) {
  return kind == op::GluKind::kNone ? std::string() : Format(" {}", op::GluName(kind));
}

// "Q4_K+Q6_K 4096 > 4096+1024": types and columns of the weights from `first` on.
std::string Weights(const op::Call& call, size_t first, int32_t n) {
  std::string types, columns;
  bool one_type = true;
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
    const op::TensorDesc& w = call.in[first + i].desc;
    one_type &= w.dtype == call.in[first].desc.dtype;
    types += (i == 0 ? "" : "+") + std::string(Name(w.dtype));
    columns += (i == 0 ? "" : "+") + Format("{}", w.rows);
  }
  if (one_type) types = Name(call.in[first].desc.dtype);
  return Format("{} {} > {}", types, call.in[0].desc.cols, columns);
}

}  // namespace

const char* GemmUnitName(GemmUnit unit) {
  switch (unit) {
    case GemmUnit::kAuto:
      return "auto";
    case GemmUnit::kMatvec:
      return "matvec";
    case GemmUnit::kSkinny:
      return "skinny";
    case GemmUnit::kFew:
      return "few";
    case GemmUnit::kTile:
      return "tile";
    case GemmUnit::kWarpgroup:
      return "warpgroup";
    case GemmUnit::kWarpgroupWide:
      return "warpgroup_wide";
  }
  return "";
}

std::string ToText(const OpConfig& config) {
  std::string text;
  if (config.unit != GemmUnit::kAuto) text = Format("unit={}", GemmUnitName(config.unit));
  const auto add = [&](const char* name, uint32_t value) {
    if (value != 0) text += Format("{}{}={}", text.empty() ? "" : " ", name, value);
  };
  add("blocks", config.blocks);
  add("threads", config.threads);
  add("parts", config.parts);
  add("rows", config.rows);
  return text;
}

Status CheckConfig(const OpConfig& c) {
  if (c.blocks > 8) return InvalidArgument(Format("{} blocks are more than 8", c.blocks));
  if (c.threads > 1024 || c.threads % 64 != 0)
    return InvalidArgument(Format("{} threads are no multiple of 64 up to 1024", c.threads));
  if (c.parts > 32) return InvalidArgument(Format("{} parts are more than 32", c.parts));
  if (c.rows > 8) return InvalidArgument(Format("{} rows are more than 8", c.rows));
  return {};
}

size_t RowBucket(int64_t rows) {
  if (rows <= 1) return 0;
  return std::min<size_t>(std::bit_width(static_cast<uint64_t>(rows - 1)), kSizeBuckets - 1);
}

size_t LengthBucket(int64_t positions) { return RowBucket((positions + 63) / 64); }

std::string TuneKey(const op::Call& call) {
  if (const auto* p = std::get_if<op::MatMul>(call.params))
    return Format("MatMul {}{}", Weights(call, 1, p->n_weights), GluText(p->glu.kind));
  if (const auto* p = std::get_if<op::MoeMatMul>(call.params)) {
    return Format("MoeMatMul {} x {}{}", call.in[2].desc.outer, Weights(call, 2, p->n_weights),
                  GluText(p->glu.kind));
  }
  if (const auto* p = std::get_if<op::Attention>(call.params)) {
    return Format("Attention {} {}/{} x {}{}", Name(call.kv->dtype), p->n_heads, p->n_kv_heads,
                  p->head_dim_k, p->window != 0 ? Format(" window {}", p->window) : std::string());
  }
  return {};
}

OpConfigs ConfigsOf(const Tuning* tuning, const op::Call& call) {
  return tuning == nullptr || tuning->empty() ? OpConfigs() : tuning->Find(TuneKey(call));
}

}  // namespace rocforge::gpu
