// A packed weight matrix as kernels see it. Plain numbers and pointers, shared by device and host;
// layout/weights.h makes it and documents the bytes.
#pragma once

#include <stdint.h>

namespace rocforge::gpu {

// Weights in a unit: the 32 consecutive weights of a row that a lane reads at once.
inline constexpr uint32_t kUnit = 32;

// The numbers of DType (launch/weight_types.cc checks that they agree).
enum WeightType : uint32_t {
  kWeightF32 = 0,
  kWeightF16 = 1,
  kWeightQ4_0 = 2,
  kWeightQ4_1 = 3,
  kWeightQ5_0 = 6,
  kWeightQ5_1 = 7,
  kWeightQ8_0 = 8,
  kWeightQ2_K = 10,
  kWeightQ3_K = 11,
  kWeightQ4_K = 12,
  kWeightQ5_K = 13,
  kWeightQ6_K = 14,
  kWeightIQ2_XXS = 16,
  kWeightIQ2_XS = 17,
  kWeightIQ3_XXS = 18,
  kWeightIQ1_S = 19,
  kWeightIQ4_NL = 20,
  kWeightIQ3_S = 21,
  kWeightIQ2_S = 22,
  kWeightIQ4_XS = 23,
  kWeightIQ1_M = 29,
  kWeightBF16 = 30,
  kWeightTQ1_0 = 34,
  kWeightTQ2_0 = 35,
  kWeightMXFP4 = 39,
  kWeightNVFP4 = 40,
  kWeightQ1_0 = 41,
  kWeightQ2_0 = 42,
};

struct Weight {
  const uint8_t* data;  // row 0 of expert 0; aligned to 32
  uint64_t expert_bytes;
  uint32_t row_bytes;  // a multiple of 32
  uint32_t n_rows;     // of one expert
  uint32_t n_units;    // of a row: columns / 32, rounded up for F32, F16 and BF16
  uint32_t plane[4];   // byte offsets within a row; plane[0] is 0
  uint32_t type;       // a WeightType
};

}  // namespace rocforge::gpu
