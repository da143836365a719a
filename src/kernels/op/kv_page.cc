#include "kernels/op/kv_page.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "quant/half.h"

namespace rocforge::op {
namespace {

// Where one position's quants and scales are.
struct Q8Row {
  int64_t quants;
  int64_t scales;
  Q8Row(int64_t page_size, int64_t offset, int64_t dim)
      : quants(offset * dim),
        scales(KvScalesOffset(page_size, dim) + 2 * offset * ((dim + kKvBlock - 1) / kKvBlock)) {}
};

void EncodeQ8(const float* x, int64_t dim, int8_t* quants, std::byte* scales) {
  for (int64_t begin = 0; begin < dim; begin += kKvBlock) {
    const int64_t end = std::min(begin + kKvBlock, dim);
    // As an integer, so that a NaN is larger than everything.
    uint32_t most = 0;
    for (int64_t i = begin; i < end; ++i)
      most = std::max(most, std::bit_cast<uint32_t>(x[i]) & 0x7FFFFFFFu);
    const uint16_t half = quant::FloatToHalf(std::bit_cast<float>(most) * (1.0f / 127.0f));
    const float scale = quant::HalfToFloat(half);
    const bool usable = scale > 0.0f && std::isfinite(scale);
    const float inverse = usable ? 1.0f / scale : 0.0f;
    for (int64_t i = begin; i < end; ++i) {
      const float q = x[i] * inverse;
      // Comparisons that a NaN fails.
      const float low = q > -127.0f ? q : -127.0f;
      quants[i] = static_cast<int8_t>(std::nearbyint(low < 127.0f ? low : 127.0f));
    }
    std::memcpy(scales + begin / kKvBlock * 2, &half, 2);
  }
}

}  // namespace

void EncodeKvRow(DType type, const float* x, int64_t dim, int64_t page_size, int64_t offset,
                 std::byte* plane) {
  if (type == DType::kQ8_0) {
    const Q8Row row(page_size, offset, dim);
    EncodeQ8(x, dim, reinterpret_cast<int8_t*>(plane + row.quants), plane + row.scales);
    return;
  }
  std::byte* const to = plane + offset * KvRowBytes(type, dim);
  if (type == DType::kF32) {
    std::copy_n(x, dim, reinterpret_cast<float*>(to));
  } else {
    std::transform(x, x + dim, reinterpret_cast<uint16_t*>(to), quant::FloatToHalf);
  }
}

float KvElement(DType type, const std::byte* plane, int64_t page_size, int64_t dim, int64_t offset,
                int64_t column) {
  uint16_t half = 0;
  if (type == DType::kQ8_0) {
    const Q8Row row(page_size, offset, dim);
    std::memcpy(&half, plane + row.scales + column / kKvBlock * 2, 2);
    return static_cast<float>(static_cast<int8_t>(plane[row.quants + column])) *
           quant::HalfToFloat(half);
  }
  const std::byte* const from = plane + offset * KvRowBytes(type, dim);
  if (type == DType::kF32) return reinterpret_cast<const float*>(from)[column];
  return quant::HalfToFloat(reinterpret_cast<const uint16_t*>(from)[column]);
}

}  // namespace rocforge::op
