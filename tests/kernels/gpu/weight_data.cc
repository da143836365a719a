#include "tests/kernels/gpu/weight_data.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/gpu/layout/weights.h"
#include "quant/quant.h"

namespace rocforge::testing {

std::vector<DType> WeightTypes() {
  std::vector<DType> types;
  for (const DTypeInfo& info : AllDTypes()) {
    if (gpu::CanPack(info.type)) types.push_back(info.type);
  }
  return types;
}

std::vector<std::byte> RandomWeights(DType type, int64_t elements, std::mt19937& random,
                                     float magnitude) {
  const DTypeInfo& info = Info(type);
  std::vector<std::byte> bytes(
      static_cast<size_t>(elements / info.block_elements * info.block_bytes));
  std::vector<float> values(static_cast<size_t>(info.block_elements));
  for (size_t at = 0; at < bytes.size(); at += static_cast<size_t>(info.block_bytes)) {
    // Any bits are a valid block; draw until its scales are of a useful size.
    float largest = 0;
    do {
      for (int32_t i = 0; i < info.block_bytes; ++i)
        bytes[at + static_cast<size_t>(i)] = static_cast<std::byte>(random());
      quant::Decoder(type)(bytes.data() + at, values.data(), info.block_elements);
      largest = 0;
      for (const float v : values)
        largest = std::isfinite(v) ? std::max(largest, std::abs(v)) : 1e30f;
    } while (!(largest <= magnitude && largest >= 1e-3f * magnitude));
  }
  return bytes;
}

int64_t TestColumns(DType type, int64_t at_least) {
  if (!Info(type).quantised) return at_least;
  const int64_t step = std::lcm(int64_t{Info(type).block_elements}, int64_t{gpu::kUnit});
  return (at_least + step - 1) / step * step;
}

}  // namespace rocforge::testing
