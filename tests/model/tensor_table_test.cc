#include "model/tensor_table.h"

#include "tests/model/built_model.h"

namespace rocforge::model {
namespace {

using testing::BuiltModel;
using testing::ExpectRefused;
using testing::Recipe;
using testing::SyntheticModel;

TEST(TensorTableTest, EveryTensorIsNeeded) {
  for (const Recipe& recipe :
       {Recipe{}, Recipe{.arch = "qwen3moe", .n_experts = 4, .n_experts_used = 2, .qk_norm = 1}}) {
    const SyntheticModel complete(recipe);
    for (const gguf::TensorSpec& tensor : complete.tensors()) {
      if (tensor.name == "output.weight") continue;  // without it embeddings are tied
      SyntheticModel source = complete;
      source.Drop(tensor.name);
      ExpectRefused(source, StatusCode::kDataLoss,
                    "tensor '" + tensor.name + "' " + tensor.shape.ToString() + " is missing");
    }
  }
}

TEST(TensorTableTest, EveryShapeIsChecked) {
  const SyntheticModel complete({.n_experts = 4, .n_experts_used = 2});
  for (const gguf::TensorSpec& tensor : complete.tensors()) {
    SyntheticModel source = complete;
    Shape wrong;
    for (int i = 0; i < tensor.shape.rank(); ++i) {
      wrong.Append(tensor.shape.dim(i) + (i == 0 ? 1 : 0));
    }
    source.Add(tensor.name, wrong, 0, 1);
    ExpectRefused(source, StatusCode::kDataLoss,
                  "tensor '" + tensor.name + "' is F32 " + wrong.ToString() + ", expected shape " +
                      tensor.shape.ToString());
  }
}

TEST(TensorTableTest, TypesAreChecked) {
  SyntheticModel norm{Recipe{}};
  norm.Retype("blk.0.attn_norm.weight", DType::kF16, {64});
  ExpectRefused(norm, StatusCode::kDataLoss,
                "tensor 'blk.0.attn_norm.weight' is F16 [64], expected F32");
  SyntheticModel matrix{Recipe{}};
  matrix.Retype("blk.0.attn_q.weight", DType::kI32, {64, 64});
  ExpectRefused(matrix, StatusCode::kDataLoss,
                "tensor 'blk.0.attn_q.weight' is I32 [64, 64], which is no element type");
  matrix.Retype("blk.0.attn_q.weight", DType::kQ4_0, {64, 64});
  EXPECT_OK(BuiltModel(matrix).status());
}

TEST(TensorTableTest, LeadingDimensionsOfOneMayBeMissing) {
  SyntheticModel one_row({.n_experts = 1, .n_experts_used = 1});
  one_row.Add("blk.0.ffn_gate_inp.weight", {64}, 0, 1);     // [1, 64]
  one_row.Add("blk.0.ffn_up_exps.weight", {96, 64}, 0, 1);  // [1, 96, 64]
  one_row.Add("blk.1.attn_norm.weight", {1, 1, 64}, 0, 1);  // [64]
  EXPECT_OK(BuiltModel(one_row).status());
}

TEST(TensorTableTest, PartsThatWouldBeIgnoredAreRefused) {
  for (const char* name :
       {"blk.0.attn_q_norm.weight", "blk.1.ffn_up_shexp.weight", "blk.0.attn_sub_norm.weight",
        "blk.1.post_attention_norm.weight", "blk.0.attn_sinks.weight", "blk.0.exp_probs_b.bias",
        "output.bias", "output_norm.bias", "token_embd_norm.weight", "rope_factors_x.weight"}) {
    SyntheticModel source{Recipe{}};
    source.Add(name, {64}, 0, 1);
    ExpectRefused(source, StatusCode::kUnsupported,
                  std::string("tensor '") + name + "' is not part of architecture 'llama'");
  }
  SyntheticModel fused({.fused_qkv = true});
  fused.Add("blk.0.attn_qkv.bias", {128}, 0, 1);
  ExpectRefused(fused, StatusCode::kUnsupported, "'blk.0.attn_qkv.bias' is not part of");
}

TEST(TensorTableTest, OtherTensorsAreReported) {
  SyntheticModel source{Recipe{}};
  for (const char* name : {"v.patch_embd.weight", "blk.2.attn_norm.weight", "blk.x.weight",
                           "blk.0.attn_rot_embd.weight"}) {
    source.Add(name, {64}, 0, 1);
  }
  for (int i = 0; i < 20; ++i) source.Add("mm." + std::to_string(i) + ".weight", {4}, 0, 1);
  ::testing::internal::CaptureStderr();
  const BuiltModel built(source);
  const std::string log = ::testing::internal::GetCapturedStderr();
  ASSERT_OK(built.status());
  EXPECT_NE(log.find("unused tensor v.patch_embd.weight"), std::string::npos) << log;
  EXPECT_NE(log.find("unused tensor blk.2.attn_norm.weight"), std::string::npos) << log;
  EXPECT_NE(log.find("and 15 more unused tensors"), std::string::npos) << log;
  EXPECT_EQ(log.find("attn_rot_embd"), std::string::npos) << log;  // known not to be needed
}

}  // namespace
}  // namespace rocforge::model
