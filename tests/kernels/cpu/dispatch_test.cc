#include <algorithm>
#include <set>
#include <string>

#include "base/cpu_info.h"
#include "kernels/cpu/kernels.h"
#include "tests/kernels/cpu/harness.h"
#include "tests/testing.h"

namespace rocforge::cpu {
namespace {

TEST(Dispatch, NamesRoundTrip) {
  std::set<std::string> names;
  for (Isa isa : {Isa::kReference, Isa::kGeneric, Isa::kAvx2, Isa::kAvx512, Isa::kNeon}) {
    EXPECT_TRUE(names.insert(IsaName(isa)).second);
    const Result<Isa> parsed = ParseIsa(IsaName(isa));
    ASSERT_OK(parsed);
    EXPECT_EQ(*parsed, isa);
  }
  EXPECT_EQ(ParseIsa("sse9").status().code(), StatusCode::kInvalidArgument);
}

TEST(Dispatch, OffersWhatTheMachineHas) {
  const std::span<const Isa> isas = AvailableIsas();
  const auto has = [&](Isa isa) { return std::find(isas.begin(), isas.end(), isa) != isas.end(); };
  EXPECT_EQ(isas.front(), Isa::kReference);
  EXPECT_TRUE(has(Isa::kGeneric));
  EXPECT_EQ(BestIsa(), isas.back());
  EXPECT_NE(BestIsa(), Isa::kReference);
  const CpuFeatures& cpu = DetectCpu();
  EXPECT_EQ(has(Isa::kAvx2), cpu.avx2 && cpu.fma && cpu.f16c);
  EXPECT_TRUE(cpu.avx512f || !has(Isa::kAvx512));
}

TEST(Dispatch, SaysWhatIsMissing) {
  const op::Params params = op::MatMul{};
  op::Operand in[2] = {{{DType::kF32, 1, 1, 256}}, {{DType::kQ8_K, 1, 4, 256}}};
  const op::Operand out[1] = {{{DType::kF32, 1, 1, 4}}};
  const op::Call call{&params, in, out, nullptr, nullptr};
  const Status undecodable = FindKernel(call, Isa::kGeneric).status();
  EXPECT_EQ(undecodable.code(), StatusCode::kUnsupported);
  EXPECT_NE(undecodable.message().find("Q8_K"), std::string::npos);
  in[1].desc.dtype = DType::kQ4_K;
  for (Isa isa : AvailableIsas()) EXPECT_OK(FindKernel(call, isa));
  const Status absent = FindKernel(call, Isa::kNeon).status();
  EXPECT_EQ(absent.code(), StatusCode::kUnsupported);
  EXPECT_NE(absent.message().find("neon"), std::string::npos);
}

// More rows never need less scratch: an executor asks once, for the largest step.
TEST(Dispatch, ScratchGrowsWithRows) {
  for (Isa isa : AvailableIsas()) {
    int64_t before = 0;
    for (int64_t rows = 1; rows < 600; ++rows) {
      const op::Params params = op::MatMul{};
      const op::Operand in[2] = {{{DType::kF32, 1, rows, 256}}, {{DType::kQ4_K, 1, 4, 256}}};
      const op::Operand out[1] = {{{DType::kF32, 1, rows, 4}}};
      const int64_t bytes = ScratchBytes({&params, in, out, nullptr, nullptr}, isa, 3);
      EXPECT_GE(bytes, before);
      before = bytes;
    }
  }
}

}  // namespace
}  // namespace rocforge::cpu
