#include "quant/mix.h"

#include <gtest/gtest.h>

#include <map>

#include "base/format.h"
#include "tests/testing.h"

namespace rocforge::quant {
namespace {

// A dense model with GQA, as most are.
MixModel Dense(int64_t n_layer) { return {"llama", n_layer, 32, 8, 0}; }

std::vector<MixTensor> DenseTensors(int64_t n_layer, int64_t width = 1024) {
  std::vector<MixTensor> tensors = {{"token_embd.weight", DType::kF16, {4096, width}},
                                    {"output.weight", DType::kF16, {4096, width}},
                                    {"output_norm.weight", DType::kF32, {width}}};
  for (int64_t i = 0; i < n_layer; ++i) {
    const std::string blk = Format("blk.{}.", i);
    tensors.push_back({blk + "attn_norm.weight", DType::kF32, {width}});
    for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up"}) {
      tensors.push_back({blk + name + ".weight", DType::kF16, {width, width}});
    }
    tensors.push_back({blk + "ffn_down.weight", DType::kF16, {width, 4 * width}});
  }
  return tensors;
}

std::map<std::string, DType> Choose(const MixModel& model, const MixOptions& options,
                                    const std::vector<MixTensor>& tensors) {
  const auto choices = ChooseTypes(model, options, tensors);
  EXPECT_OK(choices);
  std::map<std::string, DType> types;
  for (size_t i = 0; i < tensors.size(); ++i) types[tensors[i].name] = (*choices)[i].dtype;
  return types;
}

TEST(Mix, NamesParse) {
  for (const FileTypeInfo& info : AllFileTypes()) {
    EXPECT_EQ(ParseFileType(info.name).value(), info.type) << info.name;
    EXPECT_EQ(&Info(info.type), &info);
  }
  EXPECT_EQ(ParseFileType("q4_k_m").value(), FileType::kQ4_K_M);
  EXPECT_EQ(ParseFileType("Q4_K").value(), FileType::kQ4_K_M);
  EXPECT_EQ(ParseFileType("Q3_K").value(), FileType::kQ3_K_M);
  EXPECT_EQ(ParseFileType("Q2_K").value(), FileType::kQ2_K);
  EXPECT_EQ(ParseFileType("Q6_K").value(), FileType::kQ6_K);
  for (const char* bad : {"", "Q4", "Q4_K_L", "IQ2_XXS", "Q4_K_M_M"}) {
    EXPECT_EQ(ParseFileType(bad).status().code(), StatusCode::kInvalidArgument) << bad;
  }
}

// Q4_K_M of a 16-layer model: 6 bits for the output, and for values and FFN down of both ends and
// every third layer between.
TEST(Mix, Q4KMRaisesWhatMatters) {
  const auto types = Choose(Dense(16), {.type = FileType::kQ4_K_M}, DenseTensors(16));
  EXPECT_EQ(types.at("output.weight"), DType::kQ6_K);
  EXPECT_EQ(types.at("token_embd.weight"), DType::kQ4_K);
  EXPECT_EQ(types.at("output_norm.weight"), DType::kF32);
  EXPECT_EQ(types.at("blk.3.attn_norm.weight"), DType::kF32);
  std::string down;
  std::string values;
  for (int i = 0; i < 16; ++i) {
    down += types.at(Format("blk.{}.ffn_down.weight", i)) == DType::kQ6_K ? '6' : '4';
    values += types.at(Format("blk.{}.attn_v.weight", i)) == DType::kQ6_K ? '6' : '4';
    EXPECT_EQ(types.at(Format("blk.{}.attn_q.weight", i)), DType::kQ4_K);
  }
  EXPECT_EQ(down, "6644644644644666");
  EXPECT_EQ(values, down);
}

TEST(Mix, OrderOfTensorsDoesNotMatter) {
  std::vector<MixTensor> tensors = DenseTensors(12);
  for (const FileTypeInfo& info : AllFileTypes()) {
    const auto types = Choose(Dense(12), {.type = info.type}, tensors);
    std::vector<MixTensor> reversed(tensors.rbegin(), tensors.rend());
    EXPECT_EQ(Choose(Dense(12), {.type = info.type}, reversed), types) << info.name;
  }
}

TEST(Mix, PureAndOverrides) {
  const auto pure = Choose(Dense(8), {.type = FileType::kQ4_K_M, .pure = true}, DenseTensors(8));
  for (const auto& [name, type] : pure) {
    EXPECT_EQ(type, name.find("norm") != std::string::npos ? DType::kF32 : DType::kQ4_K) << name;
  }
  MixOptions options{.type = FileType::kQ4_K_M};
  options.token_embedding = DType::kQ8_0;
  options.output = DType::kF16;
  const auto types = Choose(Dense(8), options, DenseTensors(8));
  EXPECT_EQ(types.at("token_embd.weight"), DType::kQ8_0);
  EXPECT_EQ(types.at("output.weight"), DType::kF16);
}

TEST(Mix, TiedEmbeddingsAreTheOutput) {
  std::vector<MixTensor> tensors = DenseTensors(4);
  std::erase_if(tensors, [](const MixTensor& t) { return t.name == "output.weight"; });
  EXPECT_EQ(Choose(Dense(4), {.type = FileType::kQ4_K_M}, tensors).at("token_embd.weight"),
            DType::kQ6_K);
}

TEST(Mix, RowsThatDoNotFitFallBack) {
  struct Case {
    FileType type;
    int64_t width;
    DType expected;
  };
  for (const Case& c :
       {Case{FileType::kQ2_K, 288, DType::kQ4_0}, Case{FileType::kQ3_K_S, 288, DType::kQ4_0},
        Case{FileType::kQ4_K_S, 288, DType::kQ5_0}, Case{FileType::kQ5_K_S, 288, DType::kQ5_1},
        Case{FileType::kQ6_K, 288, DType::kQ8_0}, Case{FileType::kIQ4_XS, 288, DType::kIQ4_NL},
        Case{FileType::kQ4_K_S, 100, DType::kF16}, Case{FileType::kQ8_0, 100, DType::kF16},
        Case{FileType::kQ8_0, 288, DType::kQ8_0}}) {
    const std::vector<MixTensor> tensors = {{"blk.0.attn_q.weight", DType::kF32, {64, c.width}},
                                            {"output.weight", DType::kF32, {64, c.width}}};
    const auto choices =
        ChooseTypes({"llama", 1, 4, 4, 0}, {.type = c.type, .pure = true}, tensors);
    ASSERT_OK(choices);
    EXPECT_EQ((*choices)[0].dtype, c.expected) << Info(c.type).name << " " << c.width;
    EXPECT_EQ((*choices)[0].wanted, Info(c.type).base);
  }
}

TEST(Mix, SmallTensorsKeepTheirType) {
  const MixModel model = Dense(4);
  const auto quantisable = [&](const char* name, Shape shape) {
    return IsQuantisable(model, {name, DType::kF32, shape});
  };
  EXPECT_TRUE(quantisable("blk.0.ffn_up_exps.weight", {8, 256, 256}));
  EXPECT_FALSE(quantisable("blk.0.ffn_gate_inp.weight", {8, 256}));
  EXPECT_FALSE(quantisable("blk.0.attn_norm.weight", {2, 256}));
  EXPECT_FALSE(quantisable("blk.0.attn_q.bias", {256, 256}));
  EXPECT_FALSE(quantisable("blk.0.attn_q.weight", {256}));
  EXPECT_FALSE(quantisable("blk.0.attn_q.weight", {1, 256}));
  EXPECT_FALSE(quantisable("blk.0.ssm_conv1d.weight", {256, 256}));
  EXPECT_FALSE(quantisable("position_embd.weight", {256, 256}));
  EXPECT_FALSE(quantisable("", {256, 256}));
}

TEST(Mix, Mxfp4MoeTakesTheExperts) {
  const std::vector<MixTensor> tensors = {{"blk.0.ffn_up_exps.weight", DType::kF32, {4, 64, 256}},
                                          {"blk.0.attn_q.weight", DType::kF32, {256, 256}},
                                          {"output.weight", DType::kF32, {512, 256}}};
  const auto types = Choose({"gpt-oss", 2, 8, 2, 4}, {.type = FileType::kMXFP4_MOE}, tensors);
  EXPECT_EQ(types.at("blk.0.ffn_up_exps.weight"), DType::kMXFP4);
  EXPECT_EQ(types.at("blk.0.attn_q.weight"), DType::kQ8_0);
  EXPECT_EQ(types.at("output.weight"), DType::kQ8_0);
}

TEST(Mix, ExpertLayersComeFromNames) {
  const MixModel model{"qwen3moe", 16, 8, 8, 4};
  for (const char* bad : {"ffn_down_exps.weight", "blk.16.ffn_down_exps.weight",
                          "blk.99999999999999999999.ffn_down_exps.weight"}) {
    const std::vector<MixTensor> tensors = {{bad, DType::kF32, {4, 256, 256}}};
    EXPECT_EQ(ChooseTypes(model, {}, tensors).status().code(), StatusCode::kDataLoss) << bad;
  }
  const std::vector<MixTensor> tensors = {
      {"blk.15.ffn_down_exps.weight", DType::kF32, {4, 9, 256}}};
  EXPECT_EQ(Choose(model, {}, tensors).begin()->second, DType::kQ6_K);
}

TEST(Mix, ImportanceIsNeededWhereLlamaCppSaysSo) {
  const std::vector<MixTensor> tensors = DenseTensors(8);
  const auto choices = ChooseTypes({"llama", 8, 8, 8, 0}, {.type = FileType::kQ2_K_S}, tensors);
  ASSERT_OK(choices);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const bool edge = tensors[i].name == "token_embd.weight" || tensors[i].name == "output.weight";
    EXPECT_EQ((*choices)[i].needs_importance, (*choices)[i].dtype == DType::kQ2_K && !edge);
  }
}

}  // namespace
}  // namespace rocforge::quant
