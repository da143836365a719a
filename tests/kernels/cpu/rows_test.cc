// Embedding, gathering, routing and combining.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/format.h"
#include "tests/kernels/cpu/harness.h"

namespace rocforge::cpu {
namespace {

TEST(EmbedRows, EveryTypeDecodesAsTheReferenceDoes) {
  Random random;
  for (DType type : DecodableTypes()) {
    const int64_t block = Info(type).block_elements;
    const int64_t d = block == 1 ? random.Int(1, 70) : block * random.Int(1, 3);
    const std::vector<int32_t> ids = {3, 0, 6, 3, 5};
    OpCase c;
    c.params = op::EmbedRows{random.Int(0, 1) == 0 ? 1.0f : 1.7f};
    c.step.token_ids = ids.data();
    c.step.n_tokens = 5;
    c.in.push_back(RandomWeights(random, type, 1, 7, d));
    c.out.push_back({DType::kF32, 1, 5, d});
    const Tensor expected = RunCase(c, Isa::kReference, 1)[0];
    for (Isa isa : FastIsas()) {
      // As in matmul_test.cc: terms of the size of the block's largest weight are rounded.
      ExpectNear(
          RunCase(c, isa, 2)[0], expected, [](int64_t) { return 6 * kU * 8 * 1.7; },
          Format("{} {}", IsaName(isa), Name(type)));
    }
  }
}

TEST(GatherRows, CopiesTheWantedRows) {
  Random random;
  for (int64_t n : {0, 1, 3, 200}) {
    std::vector<int32_t> rows(static_cast<size_t>(n));
    for (int32_t& row : rows) row = static_cast<int32_t>(random.Int(0, 299));
    OpCase c;
    c.params = op::GatherRows{};
    c.step.output_rows = rows.data();
    c.in.push_back(RandomF32(random, 300, 131));
    c.out.push_back({DType::kF32, 1, n, 131});
    for (Isa isa : AvailableIsas()) {
      const Tensor y = RunCase(c, isa, 2)[0];
      for (int64_t o = 0; o < n; ++o) {
        EXPECT_EQ(std::memcmp(y.buffer.f32() + o * 131,
                              c.in[0].buffer.f32() + rows[static_cast<size_t>(o)] * 131,
                              131 * sizeof(float)),
                  0)
            << IsaName(isa);
      }
    }
  }
}

TEST(MoeCombine, AgreesWithTheReference) {
  Random random;
  for (int32_t n_used : {1, 2, 8}) {
    for (int64_t tokens : {1, 3, 65}) {
      OpCase c;
      c.params = op::MoeCombine{n_used};
      c.in.push_back(RandomF32(random, tokens * n_used, 301));
      c.in.push_back(RandomF32(random, tokens, n_used));
      c.out.push_back({DType::kF32, 1, tokens, 301});
      const Tensor expected = RunCase(c, Isa::kReference, 1)[0];
      for (Isa isa : FastIsas()) {
        // n_used products of normal values below 6: a rounding each, of sums below 36 n_used.
        ExpectNear(
            RunCase(c, isa, 2)[0], expected, [&](int64_t) { return kU * n_used * 36 * n_used; },
            IsaName(isa));
      }
    }
  }
}

// Routing decides which experts run, so every instruction set must choose alike.
TEST(MoeRoute, EveryInstructionSetChoosesAlike) {
  Random random;
  for (op::MoeGating gating :
       {op::MoeGating::kSoftmax, op::MoeGating::kSigmoid, op::MoeGating::kSoftmaxOfSelected}) {
    for (int64_t tokens : {1, 7, 600}) {
      for (bool bias : {false, true}) {
        OpCase c;
        c.params = op::MoeRoute{.n_experts = 31,
                                .n_used = 5,
                                .gating = gating,
                                .normalise = bias,
                                .scale = 1.5f,
                                .has_selection_bias = bias};
        c.in.push_back(RandomF32(random, tokens, 31));
        if (bias) c.in.push_back(RandomF32(random, 1, 31));
        c.out.push_back({DType::kI32, 1, tokens, 5});
        c.out.push_back({DType::kF32, 1, tokens, 5});
        const std::vector<Tensor> expected = RunCase(c, Isa::kReference, 1);
        for (Isa isa : FastIsas()) {
          const std::vector<Tensor> actual = RunCase(c, isa, 3);
          ExpectSameBits(actual[0], expected[0], IsaName(isa));
          ExpectSameBits(actual[1], expected[1], IsaName(isa));
        }
      }
    }
  }
}

}  // namespace
}  // namespace rocforge::cpu
