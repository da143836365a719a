// Random weights of any GGUF type for the tests of the kernels that read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "tensor/dtype.h"

namespace rocforge::testing {

// Types that the GPU kernels read.
std::vector<DType> WeightTypes();

// `elements` weights (a multiple of the block) of random bits whose values are finite and at most
// about `magnitude` in size, in GGUF's blocks.
std::vector<std::byte> RandomWeights(DType type, int64_t elements, std::mt19937& random,
                                     float magnitude = 1.0f);

// Columns for a test: a multiple of the type's block, of 32 and at least `at_least`; for F32, F16
// and BF16 exactly `at_least`.
int64_t TestColumns(DType type, int64_t at_least);

}  // namespace rocforge::testing
