#include "quant/float_types.h"

#include "quant/block.h"
#include "quant/half.h"

namespace rocforge::quant {

void DecodeF32(const std::byte* blocks, float* out, int64_t n) {
  if (n > 0) std::memcpy(out, blocks, static_cast<size_t>(n) * sizeof(float));
}

void DecodeF16(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = HalfToFloat(LoadBlock<uint16_t>(blocks, i));
}

void DecodeBF16(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = Bf16ToFloat(LoadBlock<uint16_t>(blocks, i));
}

void EncodeF32(const float* in, const float* /*importance*/, int64_t n, std::byte* blocks) {
  if (n > 0) std::memcpy(blocks, in, static_cast<size_t>(n) * sizeof(float));
}

void EncodeF16(const float* in, const float* /*importance*/, int64_t n, std::byte* blocks) {
  for (int64_t i = 0; i < n; ++i) {
    StoreBlock(FloatToHalf(in[i]), blocks, i);
  }
}

void EncodeBF16(const float* in, const float* /*importance*/, int64_t n, std::byte* blocks) {
  for (int64_t i = 0; i < n; ++i) StoreBlock(FloatToBf16(in[i]), blocks, i);
}

}  // namespace rocforge::quant
