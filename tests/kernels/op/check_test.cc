#include "kernels/op/check.h"

#include <string>
#include <vector>

#include "tests/kernels/op/tensor_descs.h"
#include "tests/testing.h"

namespace rocforge::op {
namespace {

struct Case {
  Params params;
  std::vector<TensorDesc> in, out;

  Status Check() const {
    std::vector<Operand> in_operands;
    std::vector<Operand> out_operands;
    for (const TensorDesc& d : in) in_operands.push_back({d});
    for (const TensorDesc& d : out) out_operands.push_back({d});
    return CheckCall({&params, in_operands, out_operands, nullptr, nullptr});
  }
};

// One valid call of every op.
std::vector<Case> ValidCases() {
  const TensorDesc w{DType::kQ4_K, 1, 96, 256};
  const TensorDesc experts{DType::kQ8_0, 8, 48, 64};
  return {
      {EmbedRows{}, {{DType::kQ6_K, 1, 1000, 256}}, {F32(5, 256)}},
      {Norm{.has_bias = true}, {F32(5, 64), F32(1, 64), F32(1, 64)}, {F32(5, 64)}},
      {Norm{.group = 16}, {F32(5, 64), F32(1, 16)}, {F32(5, 64)}},
      {MatMul{}, {F32(5, 256), w}, {F32(5, 96)}},
      {MatMul{.n_weights = 3, .has_bias = {false, true, false}},
       {F32(5, 256), w, {DType::kF16, 1, 32, 256}, w, F32(1, 32)},
       {F32(5, 96), F32(5, 32), F32(5, 96)}},
      {MatMul{.n_weights = 2, .glu = {GluKind::kSilu}}, {F32(5, 256), w, w}, {F32(5, 96)}},
      {MatMul{.has_residual = true}, {F32(5, 256), w, F32(5, 96)}, {F32(5, 96)}},
      {RopeTable{.rope_dim = 64, .has_factors = true}, {F32(1, 32)}, {F32(5, 64)}},
      {Rope{RopeKind::kNeox, 80, 32}, {F32(5, 240), F32(5, 32)}, {F32(5, 240)}},
      {KvAppend{0, 2, 64, 32}, {F32(5, 128), F32(5, 64)}, {}},
      {RopeKvAppend{{RopeKind::kNormal, 64, 64}, {0, 2, 64, 32}},
       {F32(5, 256), F32(5, 128), F32(5, 64), F32(5, 64)},
       {F32(5, 256)}},
      {Attention{
           .n_heads = 4, .n_kv_heads = 2, .head_dim_k = 64, .head_dim_v = 32, .has_sinks = true},
       {F32(5, 256), F32(1, 4)},
       {F32(5, 128)}},
      {Glu{}, {F32(5, 9), F32(5, 9)}, {F32(5, 9)}},
      {Add{}, {F32(5, 9), F32(5, 9)}, {F32(5, 9)}},
      {Scale{}, {F32(5, 9)}, {F32(5, 9)}},
      {SoftCap{30.0f}, {F32(5, 9)}, {F32(5, 9)}},
      {GatherRows{}, {F32(5, 9)}, {F32(2, 9)}},
      {MoeRoute{.n_experts = 8, .n_used = 2, .has_selection_bias = true},
       {F32(5, 8), F32(1, 8)},
       {{DType::kI32, 1, 5, 2}, F32(5, 2)}},
      {MoeMatMul{
           .n_weights = 2, .n_used = 2, .has_bias = {true, true}, .glu = {GluKind::kSwigluOai}},
       {F32(5, 64), {DType::kI32, 1, 5, 2}, experts, experts, F32(8, 48), F32(8, 48)},
       {F32(10, 48)}},
      {MoeMatMul{.n_used = 2, .x_per_expert = true},
       {F32(10, 64), {DType::kI32, 1, 5, 2}, experts},
       {F32(10, 48)}},
      {MoeCombine{2}, {F32(10, 48), F32(5, 2)}, {F32(5, 48)}},
  };
}

TEST(CheckCall, AcceptsEveryOp) {
  std::vector<bool> seen(kKindCount, false);
  for (const Case& c : ValidCases()) {
    seen[static_cast<size_t>(KindOf(c.params))] = true;
    EXPECT_OK(c.Check());
  }
  for (int kind = 0; kind < kKindCount; ++kind) {
    EXPECT_TRUE(seen[static_cast<size_t>(kind)]) << KindName(static_cast<Kind>(kind));
  }
}

// Every single operand that is dropped, doubled, given another type or another shape is refused,
// and the message names the op. Rows that only the step knows may change where they appear once.
TEST(CheckCall, RefusesAnyBrokenOperand) {
  for (const Case& valid : ValidCases()) {
    const std::string name = KindName(KindOf(valid.params));
    const auto refuse = [&](const Case& c, const std::string& what) {
      const Status status = c.Check();
      EXPECT_EQ(status.code(), StatusCode::kInternal) << name << " " << what;
      EXPECT_EQ(status.message().find(name), 0u) << status.message();
    };
    for (bool outputs : {false, true}) {
      const size_t count = outputs ? valid.out.size() : valid.in.size();
      for (size_t i = 0; i <= count; ++i) {
        const auto operands = [&](Case& c) -> std::vector<TensorDesc>& {
          return outputs ? c.out : c.in;
        };
        const std::string which = (outputs ? "output " : "input ") + std::to_string(i);
        Case c = valid;
        operands(c).insert(operands(c).begin() + static_cast<int64_t>(i), {DType::kI64, 1, 3, 3});
        refuse(c, "extra " + which);
        if (i == count) continue;
        c = valid;
        operands(c).erase(operands(c).begin() + static_cast<int64_t>(i));
        refuse(c, "without " + which);
        c = valid;
        operands(c)[i].dtype = DType::kI8;
        refuse(c, "type of " + which);
        c = valid;
        operands(c)[i].rows = -1;
        refuse(c, "negative rows of " + which);
        c = valid;
        operands(c)[i].cols += 7;
        refuse(c, "columns of " + which);
      }
    }
  }
}

TEST(CheckCall, RefusesContradictoryParameters) {
  const TensorDesc w{DType::kQ4_K, 1, 96, 256};
  const std::vector<Case> bad = {
      {MatMul{.n_weights = 4}, {F32(5, 256), w, w, w, w}, {F32(5, 96)}},
      {MatMul{.n_weights = 1, .glu = {GluKind::kSilu}}, {F32(5, 256), w}, {F32(5, 96)}},
      {MatMul{.n_weights = 2, .has_residual = true},
       {F32(5, 256), w, w, F32(5, 96)},
       {F32(5, 96), F32(5, 96)}},
      {MatMul{.n_weights = 2, .glu = {GluKind::kSilu}},
       {F32(5, 256), w, {DType::kQ4_K, 1, 64, 256}},
       {F32(5, 96)}},
      {MatMul{}, {F32(5, 256), {DType::kQ4_K, 2, 96, 256}}, {F32(5, 96)}},
      {MatMul{}, {F32(5, 256), {DType::kQ8_K, 1, 96, 256}}, {F32(5, 96)}},
      {Norm{.group = 10}, {F32(5, 64), F32(1, 10)}, {F32(5, 64)}},
      {Rope{RopeKind::kNeox, 64, 63}, {F32(5, 64), F32(5, 63)}, {F32(5, 64)}},
      {Rope{RopeKind::kNeox, 32, 64}, {F32(5, 64), F32(5, 64)}, {F32(5, 64)}},
      {RopeTable{.rope_dim = 64, .ext_factor = 1.0f}, {}, {F32(5, 64)}},
      {Attention{.n_heads = 3, .n_kv_heads = 2, .head_dim_k = 4, .head_dim_v = 4},
       {F32(5, 12)},
       {F32(5, 12)}},
      {Glu{GluKind::kNone}, {F32(5, 9), F32(5, 9)}, {F32(5, 9)}},
      {SoftCap{}, {F32(5, 9)}, {F32(5, 9)}},
      {MoeRoute{.n_experts = 2, .n_used = 3}, {F32(5, 2)}, {{DType::kI32, 1, 5, 3}, F32(5, 3)}},
  };
  for (const Case& c : bad) {
    EXPECT_EQ(c.Check().code(), StatusCode::kInternal) << KindName(KindOf(c.params));
  }
  EXPECT_EQ(CheckCall({}).code(), StatusCode::kInternal);
}

}  // namespace
}  // namespace rocforge::op
