// Runs one op on any instruction set under adverse conditions: outputs and scratch are filled with
// NaN and stand between guard zones, inputs must stay as they are, and scratch has exactly the size
// that ScratchBytes asks for.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/cpu/kernels.h"
#include "kernels/op/call.h"

namespace rocforge::cpu {

// Unit roundoff of float: half a unit in the last place of 1.
inline constexpr double kU = 0x1p-24;

// A fresh seed each run ($ROCFORGE_TEST_SEED repeats one), shown with every failure.
class Random {
 public:
  Random();
  uint32_t seed() const { return seed_; }
  float Normal() { return normal_(engine_); }
  int64_t Int(int64_t low, int64_t high) {  // inclusive
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }
  std::mt19937& engine() { return engine_; }

 private:
  uint32_t seed_;
  std::mt19937 engine_;
  std::normal_distribution<float> normal_{0.0f, 1.0f};
};

// Bytes between guard zones, 64-byte aligned, filled with 0xFF (as floats: NaN).
class GuardedBuffer {
 public:
  explicit GuardedBuffer(int64_t bytes);
  std::byte* data() { return storage_.data() + offset_; }
  const std::byte* data() const { return storage_.data() + offset_; }
  float* f32() { return reinterpret_cast<float*>(data()); }
  const float* f32() const { return reinterpret_cast<const float*>(data()); }
  int64_t bytes() const { return bytes_; }
  bool GuardsIntact() const;

 private:
  int64_t bytes_;
  size_t offset_ = 0;
  std::vector<std::byte> storage_;
};

struct Tensor {
  op::TensorDesc desc;
  GuardedBuffer buffer;

  explicit Tensor(const op::TensorDesc& d) : desc(d), buffer(d.bytes()) {}
  op::Operand operand() { return {desc, buffer.data()}; }
  int64_t elements() const { return desc.outer * desc.rows * desc.cols; }
  float at(int64_t i) const { return buffer.f32()[i]; }
};

Tensor RandomF32(Random& random, int64_t rows, int64_t cols, float scale = 1.0f);
// Blocks of random bytes whose decoded values are finite and at most 8 in magnitude; F32, F16 and
// BF16 are normal. [outer, rows, cols]
Tensor RandomWeights(Random& random, DType type, int64_t outer, int64_t rows, int64_t cols);
std::vector<float> Decoded(const Tensor& weights);
// Types that have a decoder.
std::vector<DType> DecodableTypes();

// One op with its operands. `in_place` is the input that output 0 shares memory with, or -1.
struct OpCase {
  op::Params params;
  std::vector<Tensor> in;
  std::vector<op::TensorDesc> out;
  op::Step step{};
  op::KvLayer* kv = nullptr;
  int in_place = -1;
};

// Checks and runs the case; fails the test on a broken guard or a changed input. Returns the
// outputs.
std::vector<Tensor> RunCase(const OpCase& op_case, Isa isa, int n_threads);

// Instruction sets of this machine but the reference.
std::vector<Isa> FastIsas();

// EXPECTs bytewise equality.
void ExpectSameBits(const Tensor& a, const Tensor& b, const std::string& what);

// EXPECTs |a - b| <= tolerance(i) for all elements, NaN never; tolerance is called with the index.
template <typename F>
void ExpectNear(const Tensor& actual, const Tensor& expected, F&& tolerance,
                const std::string& what) {
  ASSERT_EQ(actual.elements(), expected.elements()) << what;
  for (int64_t i = 0; i < actual.elements(); ++i) {
    const double error = std::abs(double{actual.at(i)} - expected.at(i));
    const double allowed = tolerance(i);
    ASSERT_TRUE(error <= allowed) << what << ": element " << i << " is " << actual.at(i)
                                  << ", expected " << expected.at(i) << ", allowed " << allowed;
  }
}

}  // namespace rocforge::cpu
