#include "apps/quantize_convert.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <limits>
#include <random>

#include "apps/quantize_plan.h"
#include "base/format.h"
#include "quant/quant.h"
#include "tests/testing.h"

namespace rocforge::apps {
namespace {

using gguf::File;
using gguf::Value;
using quant::FileType;

// A small mixture-of-experts model: rows of 256, a fallback, norms, an integer table.
class QuantizeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::mt19937 rng(11);
    std::normal_distribution<float> normal(0.0f, 0.05f);
    specs_ = {{"token_embd.weight", DType::kF32, {70, 256}},
              {"output.weight", DType::kF16, {70, 256}},
              {"output_norm.weight", DType::kF32, {256}},
              {"blk.0.attn_v.weight", DType::kF32, {64, 256}},
              {"blk.0.attn_norm.weight", DType::kF32, {256}},
              {"blk.0.ffn_gate_inp.weight", DType::kF32, {3, 256}},
              {"blk.0.ffn_down_exps.weight", DType::kF32, {3, 33, 512}},
              {"blk.0.odd.weight", DType::kBF16, {9, 96}},
              {"blk.0.table.weight", DType::kI32, {4, 256}}};
    std::vector<gguf::KeyValue> metadata = {{"general.architecture", Value::String("toy")},
                                            {"general.file_type", Value::Uint32(0)},
                                            {"toy.block_count", Value::Uint32(1)},
                                            {"toy.attention.head_count", Value::Uint32(4)},
                                            {"toy.expert_count", Value::Uint32(3)}};
    auto writer = gguf::Writer::Create(input_, metadata, specs_);
    ASSERT_OK(writer);
    for (const gguf::TensorSpec& spec : specs_) {
      std::vector<float> values(static_cast<size_t>(spec.shape.elements()));
      for (float& v : values) v = normal(rng);
      if (poison_ == spec.name) values[2 * 256 + 7] = std::numeric_limits<float>::quiet_NaN();
      const DType stored = spec.dtype == DType::kI32 ? DType::kF32 : spec.dtype;
      std::vector<std::byte> bytes(
          static_cast<size_t>(RowBytes(stored, spec.shape.elements()).value()));
      if (poison_ == spec.name) {
        std::memcpy(bytes.data(), values.data(), bytes.size());
      } else {
        ASSERT_OK(quant::EncodeRow(stored, values, {}, bytes.data()));
      }
      ASSERT_OK(writer->Append(bytes));
    }
    ASSERT_OK(writer->Finish());
  }

  Result<QuantizePlan> Plan(const File& file, FileType type,
                            const ImportanceMatrix* importance = nullptr) {
    QuantizeOptions options;
    options.mix.type = type;
    return PlanQuantize(file, options, importance);
  }

  // The whole command; cancelled at the n-th question whether it is, counting from 0.
  Status Run(const std::string& output, FileType type, int threads, int cancel_at = -1,
             const ImportanceMatrix* importance = nullptr) {
    ROCFORGE_ASSIGN_OR_RETURN(const File file, File::Open(input_));
    ROCFORGE_ASSIGN_OR_RETURN(const QuantizePlan plan, Plan(file, type, importance));
    ROCFORGE_ASSIGN_OR_RETURN(gguf::Writer writer,
                              gguf::Writer::Create(output, plan.metadata, plan.Specs(),
                                                   {.resumable = true, .identity = plan.identity}));
    resumed_ = writer.tensors_done();
    ThreadPool pool(threads);
    std::atomic<int> asked{0};
    uint64_t last = 0;
    const ConvertHooks hooks{[&](const ConvertProgress& progress) {
                               EXPECT_GE(progress.source_bytes, last);
                               EXPECT_LE(progress.source_bytes, plan.source_bytes);
                               last = progress.source_bytes;
                             },
                             [&] { return cancel_at >= 0 && asked++ >= cancel_at; }};
    const Status status = Convert(plan, hooks, &pool, &writer);
    EXPECT_TRUE(!status.ok() || last == plan.source_bytes);
    return status;
  }

  testing::TempDir dir_;
  const std::string input_ = dir_.File("in.gguf");
  std::string poison_;
  std::vector<gguf::TensorSpec> specs_;
  size_t resumed_ = 0;
};

TEST_F(QuantizeTest, EveryTensorIsWhatTheEncoderMakes) {
  const std::string output = dir_.File("out.gguf");
  ASSERT_OK(Run(output, FileType::kQ4_K_M, 2));
  const auto in = File::Open(input_);
  const auto out = File::Open(output);
  ASSERT_OK(in);
  ASSERT_OK(out);
  EXPECT_EQ(out->GetInt("general.file_type").value(), 15);
  EXPECT_EQ(out->GetInt("general.quantization_version").value(), 2);
  EXPECT_EQ(out->GetString("general.architecture").value(), "toy");
  const std::vector<DType> expected = {DType::kQ4_K, DType::kQ6_K, DType::kF32,
                                       DType::kQ6_K, DType::kF32,  DType::kF32,
                                       DType::kQ6_K, DType::kQ5_0, DType::kI32};
  ASSERT_EQ(out->tensors().size(), in->tensors().size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const gguf::TensorInfo& source = in->tensors()[i];
    const gguf::TensorInfo& made = out->tensors()[i];
    SCOPED_TRACE(made.name);
    EXPECT_EQ(made.name, source.name);
    EXPECT_EQ(made.shape, source.shape);
    ASSERT_EQ(made.dtype, expected[i]) << Name(made.dtype);
    std::vector<std::byte> bytes(source.data.begin(), source.data.end());
    if (made.dtype != source.dtype) {
      std::vector<float> weights(static_cast<size_t>(source.shape.elements()));
      ASSERT_OK(quant::DecodeRow(source.dtype, source.data.data(), weights));
      bytes.resize(made.data.size());
      ASSERT_OK(quant::EncodeRow(made.dtype, weights, {}, bytes.data()));
    }
    ASSERT_EQ(bytes.size(), made.data.size());
    EXPECT_EQ(std::memcmp(bytes.data(), made.data.data(), bytes.size()), 0);
  }
}

TEST_F(QuantizeTest, ThreadsDoNotChangeTheFile) {
  ASSERT_OK(Run(dir_.File("one"), FileType::kQ3_K_M, 1));
  ASSERT_OK(Run(dir_.File("three"), FileType::kQ3_K_M, 3));
  EXPECT_EQ(testing::ReadFileOrFail(dir_.File("one")), testing::ReadFileOrFail(dir_.File("three")));
}

TEST_F(QuantizeTest, InterruptedAnywhereItEndsAsTheSameFile) {
  ASSERT_OK(Run(dir_.File("whole"), FileType::kQ4_K_M, 2));
  const std::string whole = testing::ReadFileOrFail(dir_.File("whole"));
  const std::string output = dir_.File("resumed");
  size_t most_resumed = 0;
  for (int cancel_at = 0; cancel_at < 400; cancel_at += 23) {
    const Status status = Run(output, FileType::kQ4_K_M, 2, cancel_at);
    most_resumed = std::max(most_resumed, resumed_);
    if (status.ok()) break;
    ASSERT_EQ(status.code(), StatusCode::kCancelled) << status.message();
    EXPECT_FALSE(std::filesystem::exists(output));
  }
  EXPECT_GT(most_resumed, 3u);
  ASSERT_OK(Run(output, FileType::kQ4_K_M, 2));
  EXPECT_EQ(testing::ReadFileOrFail(output), whole);
  EXPECT_FALSE(std::filesystem::exists(output + ".partial"));
}

TEST_F(QuantizeTest, AnotherTypeOrInputDoesNotContinue) {
  const std::string output = dir_.File("out");
  ASSERT_EQ(Run(output, FileType::kQ4_K_M, 1, 200).code(), StatusCode::kCancelled);
  ASSERT_EQ(Run(output, FileType::kQ4_K_M, 1, 0).code(), StatusCode::kCancelled);
  EXPECT_GT(resumed_, 0u);
  ASSERT_EQ(Run(output, FileType::kQ5_K_M, 1, 200).code(), StatusCode::kCancelled);
  EXPECT_EQ(resumed_, 0u);
  ASSERT_EQ(Run(output, FileType::kQ5_K_M, 1, 0).code(), StatusCode::kCancelled);
  EXPECT_GT(resumed_, 0u);
  std::filesystem::last_write_time(
      input_, std::filesystem::file_time_type::clock::now() + std::chrono::seconds(5));
  ASSERT_EQ(Run(output, FileType::kQ5_K_M, 1, 0).code(), StatusCode::kCancelled);
  EXPECT_EQ(resumed_, 0u);
}

TEST_F(QuantizeTest, BadWeightsNameTheirTensorAndRow) {
  poison_ = "blk.0.attn_v.weight";
  std::filesystem::remove(input_);
  SetUp();
  const Status status = Run(dir_.File("out"), FileType::kQ4_0, 2);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "tensor 'blk.0.attn_v.weight', row 2: weight 7 is nan; only finite numbers can be "
            "encoded");
  EXPECT_FALSE(std::filesystem::exists(dir_.File("out")));
}

TEST_F(QuantizeTest, EveryExpertHasItsOwnImportance) {
  ImportanceMatrix matrix;
  std::vector<float>& columns = matrix.columns["blk.0.ffn_down_exps.weight"];
  std::mt19937 rng(3);
  for (int i = 0; i < 3 * 512; ++i) columns.push_back(0.01f + static_cast<float>(rng() % 100));
  const auto in = File::Open(input_);
  ASSERT_OK(in);
  const auto plan = Plan(*in, FileType::kQ4_K_S, &matrix);
  ASSERT_OK(plan);
  ASSERT_EQ(plan->warnings.size(), 2u);
  EXPECT_NE(plan->warnings[1].find("not in the importance matrix"), std::string::npos);
  ASSERT_OK(Run(dir_.File("out"), FileType::kQ4_K_S, 2, -1, &matrix));
  const auto out = File::Open(dir_.File("out"));
  ASSERT_OK(out);
  const gguf::TensorInfo& source = *in->FindTensor("blk.0.ffn_down_exps.weight");
  const gguf::TensorInfo& made = *out->FindTensor("blk.0.ffn_down_exps.weight");
  EXPECT_EQ(made.dtype, DType::kQ4_K);
  std::vector<float> row(512);
  const auto row_bytes = static_cast<size_t>(RowBytes(made.dtype, 512).value());
  std::vector<std::byte> bytes(row_bytes);
  for (size_t r = 0; r < 3 * 33; ++r) {
    std::memcpy(row.data(), source.data.data() + r * 2048, 2048);
    ASSERT_OK(quant::EncodeRow(made.dtype, row, std::span(columns).subspan(r / 33 * 512, 512),
                               bytes.data()));
    ASSERT_EQ(std::memcmp(bytes.data(), made.data.data() + r * row_bytes, row_bytes), 0) << r;
  }
  EXPECT_EQ(out->GetInt("quantize.imatrix.entries_count").value(), 1);
}

TEST_F(QuantizeTest, PlansThatCannotWork) {
  ASSERT_OK(Run(dir_.File("q4.gguf"), FileType::kQ4_0, 1));
  const auto quantised = File::Open(dir_.File("q4.gguf"));
  const auto in = File::Open(input_);
  ASSERT_OK(quantised);
  ASSERT_OK(in);
  // Quantised weights, unless allowed or left alone.
  EXPECT_EQ(Plan(*quantised, FileType::kQ8_0).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_OK(Plan(*quantised, FileType::kQ4_0));
  // Floats again: nothing is rounded twice.
  EXPECT_OK(Plan(*quantised, FileType::kF32));
  EXPECT_OK(Plan(*quantised, FileType::kF16));
  QuantizeOptions options;
  options.mix.type = FileType::kQ8_0;
  options.allow_requantize = true;
  EXPECT_OK(PlanQuantize(*quantised, options, nullptr));
  // Importance: needed, or of another model.
  EXPECT_EQ(Plan(*in, FileType::kQ2_K_S).status().code(), StatusCode::kFailedPrecondition);
  options.mix.type = FileType::kQ2_K_S;
  options.dry_run = true;
  EXPECT_OK(PlanQuantize(*in, options, nullptr));
  ImportanceMatrix other;
  other.columns["blk.0.attn_v.weight"] = {1, 2, 3};
  EXPECT_EQ(Plan(*in, FileType::kQ4_0, &other).status().code(), StatusCode::kFailedPrecondition);
  other.columns.clear();
  other.columns["token_embd.weight"] = {1, 2, 3};
  EXPECT_OK(Plan(*in, FileType::kQ4_0, &other));
  // Types without an encoder.
  options.mix.output = DType::kIQ1_S;
  EXPECT_EQ(PlanQuantize(*in, options, nullptr).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace rocforge::apps
