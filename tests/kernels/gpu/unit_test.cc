// ops/unit.h against quant/, for every type: the embedding kernel writes what LoadFloats reads.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "kernels/gpu/launch/bound_op.h"
#include "kernels/gpu/layout/weights.h"
#include "quant/quant.h"
#include "tests/kernels/gpu/device_fixture.h"
#include "tests/kernels/gpu/weight_data.h"
#include "tests/testing.h"

namespace rocforge::gpu {
namespace {

class UnitTest : public testing::DeviceFixture {
 protected:
  Buffer Upload(const void* data, size_t bytes) {
    auto buffer = Buffer::Allocate(device_, static_cast<int64_t>(bytes));
    EXPECT_OK(buffer);
    EXPECT_OK(stream_.CopyToDevice(buffer->ptr(), {static_cast<const std::byte*>(data), bytes}));
    EXPECT_OK(stream_.Synchronize());
    return std::move(*buffer);
  }

  // Rows `ids` of the table by EmbedRows with the given scale.
  std::vector<float> Embed(const op::TensorDesc& desc, const std::vector<std::byte>& table,
                           const std::vector<int32_t>& ids, float scale) {
    std::vector<std::byte> packed(static_cast<size_t>(PackedBytes(desc)));
    EXPECT_OK(PackRows(desc, table.data(), packed.data(), 0, desc.rows));
    const Buffer weights = Upload(packed.data(), packed.size());
    const Buffer tokens = Upload(ids.data(), ids.size() * sizeof(int32_t));
    const auto n_tokens = static_cast<int32_t>(ids.size());
    std::vector<float> out(ids.size() * static_cast<size_t>(desc.cols) + 64, -1.5f);
    const Buffer result = Upload(out.data(), out.size() * sizeof(float));
    const auto pointer = [](const Buffer& b) {
      return reinterpret_cast<void*>(static_cast<uintptr_t>(b.ptr()));
    };
    const op::Params params = op::EmbedRows{scale};
    const std::vector<op::Operand> in = {{desc, pointer(weights)}};
    const std::vector<op::Operand> outs = {
        {{DType::kF32, 1, n_tokens, desc.cols}, pointer(result)}};
    BindContext context;
    context.device = device_;
    context.modules = &modules_;
    context.step.token_ids = tokens.ptr();
    const auto bound =
        Bind({&params, in, outs, nullptr, nullptr}, {RowCount::Unit::kToken, 1}, context);
    EXPECT_OK(bound);
    if (!bound.ok()) return out;
    EXPECT_OK((*bound)->Enqueue(stream_, {n_tokens, 1, 1, 0}));
    EXPECT_OK(stream_.CopyToHost(std::as_writable_bytes(std::span(out)), result.ptr()));
    EXPECT_OK(stream_.Synchronize());
    for (size_t i = out.size() - 64; i < out.size(); ++i) EXPECT_EQ(out[i], -1.5f);
    return out;
  }
};

TEST_P(UnitTest, EveryTypeReadsAsTheSpecificationDecodes) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (const DType type : testing::WeightTypes()) {
    SCOPED_TRACE(Name(type));
    const op::TensorDesc desc{type, 1, 6, testing::TestColumns(type, 530)};
    const auto table = testing::RandomWeights(type, desc.rows * desc.cols, random);
    const std::vector<int32_t> ids = {3, 0, 5, 3};
    const std::vector<float> got = Embed(desc, table, ids, 1.0f);
    std::vector<float> expected(static_cast<size_t>(desc.cols));
    for (size_t t = 0; t < ids.size(); ++t) {
      quant::Decoder(type)(table.data() + ids[t] * desc.row_bytes(), expected.data(), desc.cols);
      for (size_t i = 0; i < expected.size(); ++i)
        ASSERT_EQ(got[t * expected.size() + i], expected[i]) << "token " << t << " column " << i;
    }
  }
}

// Every entry of every code book: blocks that count through the bits of the indices.
TEST_P(UnitTest, CodeBooksAreThoseOfTheSpecification) {
  for (const DType type : {DType::kIQ1_S, DType::kIQ1_M, DType::kIQ2_XXS, DType::kIQ2_XS,
                           DType::kIQ2_S, DType::kIQ3_XXS, DType::kIQ3_S}) {
    SCOPED_TRACE(Name(type));
    // 120 blocks of random bits hold 3840 groups of 8 or 7680 of 4, and then all that is missing
    // is drawn from other seeds: over 20 rounds an entry of 2048 is missed with e^-37.
    for (uint32_t round = 0; round < 20; ++round) {
      std::mt19937 random(round);
      const op::TensorDesc desc{type, 1, 1, 120 * 256};
      const auto table = testing::RandomWeights(type, desc.cols, random);
      const std::vector<float> got = Embed(desc, table, {0}, 1.0f);
      std::vector<float> expected(static_cast<size_t>(desc.cols));
      quant::Decoder(type)(table.data(), expected.data(), desc.cols);
      for (size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(got[i], expected[i]) << i;
    }
  }
}

TEST_P(UnitTest, TheScaleMultiplies) {
  const op::TensorDesc desc{DType::kF16, 1, 2, 41};
  std::mt19937 random(3);
  const auto table = testing::RandomWeights(DType::kF16, 2 * 41, random);
  const std::vector<float> plain = Embed(desc, table, {1}, 1.0f);
  const std::vector<float> scaled = Embed(desc, table, {1}, 11.3f);
  for (size_t i = 0; i < 41; ++i) EXPECT_EQ(scaled[i], 11.3f * plain[i]);
}

INSTANTIATE_TEST_SUITE_P(Devices, UnitTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::gpu
