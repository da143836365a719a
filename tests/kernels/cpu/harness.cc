#include "tests/kernels/cpu/harness.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "kernels/op/check.h"
#include "quant/half.h"
#include "quant/quant.h"
#include "tests/testing.h"

namespace rocforge::cpu {
namespace {

constexpr size_t kGuardBytes = 256;
constexpr std::byte kGuard{0xa5};
constexpr float kMaxWeight = 8.0f;

uint32_t FreshSeed() {
  const char* fixed = std::getenv("ROCFORGE_TEST_SEED");
  return fixed != nullptr ? static_cast<uint32_t>(std::strtoul(fixed, nullptr, 10))
                          : std::random_device{}();
}

void FillBlock(Random& random, DType type, std::byte* block) {
  const DTypeInfo& info = Info(type);
  float value[256];
  if (!info.quantised) {
    const float x = random.Normal();
    const uint16_t half = type == DType::kF16 ? quant::FloatToHalf(x) : quant::FloatToBf16(x);
    if (type == DType::kF32) {
      std::memcpy(block, &x, sizeof(x));
    } else {
      std::memcpy(block, &half, sizeof(half));
    }
    return;
  }
  for (int attempt = 0; attempt < 1000; ++attempt) {
    for (int i = 0; i < info.block_bytes; ++i) block[i] = static_cast<std::byte>(random.engine()());
    quant::Decoder(type)(block, value, info.block_elements);
    if (std::all_of(value, value + info.block_elements,
                    [](float v) { return std::abs(v) <= kMaxWeight; })) {
      return;
    }
  }
  FAIL() << "no sane random block of " << info.name;
}

}  // namespace

Random::Random() : seed_(FreshSeed()), engine_(seed_) { std::printf("seed %u\n", seed_); }

GuardedBuffer::GuardedBuffer(int64_t bytes)
    : bytes_(bytes), storage_(static_cast<size_t>(bytes) + 2 * kGuardBytes + 64, kGuard) {
  const auto address = reinterpret_cast<uintptr_t>(storage_.data()) + kGuardBytes;
  offset_ = kGuardBytes + (64 - address % 64) % 64;
  std::fill_n(data(), bytes, std::byte{0xff});
}

bool GuardedBuffer::GuardsIntact() const {
  const auto is_guard = [](std::byte b) { return b == kGuard; };
  const auto begin = storage_.begin();
  const auto data_begin = begin + static_cast<int64_t>(offset_);
  return std::all_of(begin, data_begin, is_guard) &&
         std::all_of(data_begin + bytes_, storage_.end(), is_guard);
}

Tensor RandomF32(Random& random, int64_t rows, int64_t cols, float scale) {
  Tensor t({DType::kF32, 1, rows, cols});
  for (int64_t i = 0; i < t.elements(); ++i) t.buffer.f32()[i] = scale * random.Normal();
  return t;
}

Tensor RandomWeights(Random& random, DType type, int64_t outer, int64_t rows, int64_t cols) {
  Tensor t({type, outer, rows, cols});
  const int64_t block_bytes = Info(type).block_bytes;
  for (int64_t b = 0; b < t.desc.bytes(); b += block_bytes) {
    FillBlock(random, type, t.buffer.data() + b);
  }
  return t;
}

std::vector<float> Decoded(const Tensor& weights) {
  std::vector<float> values(static_cast<size_t>(weights.elements()));
  quant::Decoder(weights.desc.dtype)(weights.buffer.data(), values.data(), weights.elements());
  return values;
}

std::vector<DType> DecodableTypes() {
  std::vector<DType> types;
  for (const DTypeInfo& info : AllDTypes()) {
    if (quant::CanDecode(info.type)) types.push_back(info.type);
  }
  return types;
}

std::vector<Tensor> RunCase(const OpCase& op_case, Isa isa, int n_threads) {
  std::vector<Tensor> in = op_case.in;  // copies: may be overwritten in place
  std::vector<Tensor> out(op_case.out.begin(), op_case.out.end());
  std::vector<op::Operand> in_operands;
  std::vector<op::Operand> out_operands;
  for (Tensor& t : in) in_operands.push_back(t.operand());
  for (Tensor& t : out) out_operands.push_back(t.operand());
  if (op_case.in_place >= 0) {
    out_operands[0].data = in_operands[static_cast<size_t>(op_case.in_place)].data;
  }
  const op::Call call{&op_case.params, in_operands, out_operands, &op_case.step, op_case.kv};
  const Status checked = op::CheckCall(call);
  EXPECT_OK(checked);
  if (!checked.ok()) return out;
  const Result<Kernel> kernel = FindKernel(call, isa);
  EXPECT_OK(kernel);
  if (!kernel.ok()) return out;

  ThreadPool pool(n_threads);
  GuardedBuffer scratch(ScratchBytes(call, isa, n_threads));
  (*kernel)(call, {&pool, scratch.data()});

  EXPECT_TRUE(scratch.GuardsIntact()) << "scratch overrun, " << IsaName(isa);
  for (size_t i = 0; i < in.size(); ++i) {
    EXPECT_TRUE(in[i].buffer.GuardsIntact()) << "overrun of input " << i << ", " << IsaName(isa);
    if (static_cast<int>(i) == op_case.in_place) continue;
    EXPECT_EQ(std::memcmp(in[i].buffer.data(), op_case.in[i].buffer.data(),
                          static_cast<size_t>(in[i].desc.bytes())),
              0)
        << "input " << i << " changed, " << IsaName(isa);
  }
  for (const Tensor& t : out) {
    EXPECT_TRUE(t.buffer.GuardsIntact()) << "output overrun, " << IsaName(isa);
  }
  if (op_case.in_place >= 0) {
    std::memcpy(out[0].buffer.data(), out_operands[0].data,
                static_cast<size_t>(out[0].desc.bytes()));
  }
  return out;
}

std::vector<Isa> FastIsas() {
  std::vector<Isa> isas;
  for (Isa isa : AvailableIsas()) {
    if (isa != Isa::kReference) isas.push_back(isa);
  }
  return isas;
}

void ExpectSameBits(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.desc.bytes(), b.desc.bytes()) << what;
  EXPECT_EQ(std::memcmp(a.buffer.data(), b.buffer.data(), static_cast<size_t>(a.desc.bytes())), 0)
      << what;
}

}  // namespace rocforge::cpu
