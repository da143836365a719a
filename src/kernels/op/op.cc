#include "kernels/op/op.h"

namespace rocforge::op {

const char* KindName(Kind kind) {
  static constexpr const char* kNames[] = {
      "embed_rows",     "norm",      "matmul",     "rope_table", "rope",  "kv_append",
      "rope_kv_append", "attention", "glu",        "add",        "scale", "soft_cap",
      "gather_rows",    "moe_route", "moe_matmul", "moe_combine"};
  static_assert(sizeof(kNames) / sizeof(kNames[0]) == kKindCount);
  return kNames[static_cast<int>(kind)];
}

const char* GluName(GluKind kind) {
  switch (kind) {
    case GluKind::kNone:
      return "none";
    case GluKind::kSilu:
      return "silu";
    case GluKind::kGeluTanh:
      return "gelu_tanh";
    case GluKind::kGeluErf:
      return "gelu_erf";
    case GluKind::kSwigluOai:
      return "swiglu_oai";
  }
  return "unknown";
}

}  // namespace rocforge::op
