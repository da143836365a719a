// Runs MatMul and MoeMatMul with weights of any type on a device and by the reference CPU kernel.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "device/gpu/device.h"
#include "kernels/gpu/launch/modules.h"
#include "kernels/gpu/tune/tuning.h"
#include "kernels/op/op.h"
#include "tensor/dtype.h"

namespace rocforge::testing {

struct MatvecCase {
  std::vector<DType> types;    // of the weights
  std::vector<int64_t> n_out;  // rows of each
  int64_t cols = 0;
  int64_t n_x = 1;         // rows of x: tokens, or with experts and x_per_expert tokens * n_used
  std::vector<bool> bias;  // per weight; empty: none
  op::Glu glu{op::GluKind::kNone};
  bool residual = false;
  bool residual_in_place = false;
  float out_scale = 1.0f;
  bool norm = false;  // x is the input of an RMS norm that the product takes over; n_x is 1
  // MoeMatMul where n_experts > 0.
  int64_t n_experts = 0;
  int32_t n_used = 1;
  bool x_per_expert = false;
  gpu::OpConfig config;  // as tuned for these rows
};

class MatvecHarness {
 public:
  // ok() is false where the machine has no such device.
  explicit MatvecHarness(const std::string& device_name);
  bool ok() const { return device_ != nullptr; }

  // Random operands; expects every output within the bound that rounding x to steps of its unit's
  // largest |x| / 127 allows (weights of F32, F16 and BF16: within float rounding), no NaN, and
  // nothing written beyond the outputs or the scratch.
  void Expect(const MatvecCase& c);

 private:
  struct Data;
  gpu::Buffer Upload(const void* data, size_t bytes);
  void RunDevice(const MatvecCase& c, const op::Params& params, Data& data);

  uint32_t seed_ = std::random_device{}();
  std::mt19937 random_{seed_};
  std::shared_ptr<gpu::Device> device_;
  gpu::Modules modules_;
  gpu::Stream stream_;
};

}  // namespace rocforge::testing
