// The powers of two that keep f16 operands of a matrix product in range (gemm_args.h).
#pragma once

#include "kernels/gpu/port/tile.h"

namespace rocforge::port {
namespace {

// Bits of |v|, or 0 where v is not finite: one broken value must not scale the others away.
RF_DEVICE uint32_t FiniteMagnitude(float v) {
  const uint32_t bits = BitCast<uint32_t>(v) & 0x7FFFFFFFu;
  return bits < 0x7F800000u ? bits : 0;
}

// Exponent field of the factor that brings a magnitude to [2^13, 2^14), kept where both the factor
// and its reciprocal are normal.
RF_DEVICE uint32_t ScaleExponent(uint32_t magnitude) {
  if (magnitude == 0) return 127;
  const uint32_t field = 127 + 127 + 13 - (magnitude >> 23);
  return field < 253 ? field : 253;
}
RF_DEVICE float ScaleToHalf(uint32_t magnitude) {
  return BitCast<float>(ScaleExponent(magnitude) << 23);
}
RF_DEVICE float ScaleFromHalf(uint32_t magnitude) {
  return BitCast<float>((254 - ScaleExponent(magnitude)) << 23);
}

// Eight floats as a chunk of a tile.
RF_DEVICE U32x4 HalfChunk(const float* v) {
  return {HalfPair(v[0], v[1]), HalfPair(v[2], v[3]), HalfPair(v[4], v[5]), HalfPair(v[6], v[7])};
}

}  // namespace
}  // namespace rocforge::port
