#include "kernels/op/cost.h"

#include <vector>

#include "tests/kernels/op/tensor_descs.h"
#include "tests/testing.h"

namespace rocforge::op {
namespace {

Cost CostOfCase(const Params& params, const std::vector<TensorDesc>& in,
                const std::vector<TensorDesc>& out, const Step* step = nullptr,
                const KvLayer* kv = nullptr) {
  std::vector<Operand> in_operands;
  std::vector<Operand> out_operands;
  for (const TensorDesc& d : in) in_operands.push_back({d});
  for (const TensorDesc& d : out) out_operands.push_back({d});
  return CostOf({&params, in_operands, out_operands, step, kv});
}

TEST(Cost, MatMulReadsEachByteOnce) {
  // 10 rows of 256 with 96 rows of 144 bytes; a multiply-add is two operations.
  const Cost cost = CostOfCase(MatMul{}, {F32(10, 256), {DType::kQ4_K, 1, 96, 256}}, {F32(10, 96)});
  EXPECT_EQ(cost.bytes_read, 10 * 256 * 4 + 96 * 144);
  EXPECT_EQ(cost.bytes_written, 10 * 96 * 4);
  EXPECT_EQ(cost.ops, 2.0 * 10 * 256 * 96);
  const Cost more = CostOfCase(
      MatMul{.n_weights = 1, .has_bias = {true}, .has_residual = true, .out_scale = 0.5f},
      {F32(10, 256), {DType::kQ4_K, 1, 96, 256}, F32(1, 96), F32(10, 96)}, {F32(10, 96)});
  EXPECT_EQ(more.bytes_read - cost.bytes_read, 96 * 4 + 10 * 96 * 4);
  EXPECT_EQ(more.ops - cost.ops, 3 * 10 * 96);  // bias, scale, residual
}

TEST(Cost, EmbeddingReadsTheRowsOfItsTokens) {
  const Cost cost = CostOfCase(EmbedRows{}, {{DType::kQ8_0, 1, 50000, 64}}, {F32(3, 64)});
  EXPECT_EQ(cost.bytes_read, 3 * (68 + 4));
  EXPECT_EQ(cost.bytes_written, 3 * 64 * 4);
  EXPECT_EQ(cost.ops, 0);
}

TEST(Cost, AttentionCountsVisiblePositions) {
  const int32_t seq_begin[] = {0, 3, 4};
  const int32_t kv_len[] = {5, 10};
  Step step;
  step.n_tokens = 4;
  step.n_seqs = 2;
  step.seq_begin = seq_begin;
  step.kv_len = kv_len;
  KvLayer kv;
  kv.dtype = DType::kF16;
  Attention params{.n_heads = 4, .n_kv_heads = 2, .head_dim_k = 8, .head_dim_v = 8};
  const std::vector<TensorDesc> io = {F32(4, 32)};
  // Tokens at positions 2, 3, 4 and 9 see 3 + 4 + 5 + 10 positions; the cache holds 5 + 10.
  Cost cost = CostOfCase(params, io, io, &step, &kv);
  EXPECT_EQ(cost.bytes_read, 4 * 32 * 4 + 15 * 2 * (8 + 8) * 2);
  EXPECT_EQ(cost.bytes_written, 4 * 32 * 4);
  EXPECT_EQ(cost.ops, 22 * 4 * (2 * 8 + 2 * 8 + 4));
  // A window of 2: each sees 2 positions; 4 of the first sequence's and 2 of the second's are read.
  params.window = 2;
  kv.dtype = DType::kF32;
  cost = CostOfCase(params, io, io, &step, &kv);
  EXPECT_EQ(cost.bytes_read, 4 * 32 * 4 + 6 * 2 * (8 + 8) * 4);
  EXPECT_EQ(cost.ops, 8 * 4 * 36);
  kv.dtype = DType::kQ8_0;  // eight bytes and a scale each
  cost = CostOfCase(params, io, io, &step, &kv);
  EXPECT_EQ(cost.bytes_read, 4 * 32 * 4 + 6 * 2 * (10 + 10));
}

TEST(Cost, KvAppendWritesTheCache) {
  Step step;
  step.n_tokens = 3;
  KvLayer kv;
  kv.dtype = DType::kF16;
  const Cost cost = CostOfCase(KvAppend{0, 2, 8, 4}, {F32(3, 16), F32(3, 8)}, {}, &step, &kv);
  EXPECT_EQ(cost.bytes_read, 3 * 24 * 4 + 3 * 4);
  EXPECT_EQ(cost.bytes_written, 3 * 2 * 12 * 2);
}

TEST(Cost, UnusedExpertsAreFree) {
  const std::vector<TensorDesc> one = {
      F32(1, 64), {DType::kI32, 1, 1, 2}, {DType::kQ8_0, 8, 48, 64}};
  const Cost cost = CostOfCase(MoeMatMul{.n_used = 2}, one, {F32(2, 48)});
  EXPECT_EQ(cost.bytes_read, 64 * 4 + 2 * 4 + 2 * 48 * 68);
  EXPECT_EQ(cost.ops, 2.0 * 2 * 48 * 64);
  const std::vector<TensorDesc> many = {
      F32(99, 64), {DType::kI32, 1, 99, 2}, {DType::kQ8_0, 8, 48, 64}};
  EXPECT_EQ(CostOfCase(MoeMatMul{.n_used = 2}, many, {F32(198, 48)}).bytes_read,
            99 * 64 * 4 + 99 * 2 * 4 + 8 * 48 * 68);
}

}  // namespace
}  // namespace rocforge::op
