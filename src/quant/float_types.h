// Rows of plain floating-point elements, "blocks" of one: F32, F16, BF16. Little-endian.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

// `n`: elements. Encoding rounds to nearest even; `importance` cannot change a rounding and is
// ignored. Values are within the type's range (EncodeRow sees to it).
void DecodeF32(const std::byte* blocks, float* out, int64_t n);
void DecodeF16(const std::byte* blocks, float* out, int64_t n);
void DecodeBF16(const std::byte* blocks, float* out, int64_t n);
void EncodeF32(const float* in, const float* importance, int64_t n, std::byte* blocks);
void EncodeF16(const float* in, const float* importance, int64_t n, std::byte* blocks);
void EncodeBF16(const float* in, const float* importance, int64_t n, std::byte* blocks);

}  // namespace rocforge::quant
