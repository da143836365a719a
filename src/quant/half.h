// The small floating-point types of GGUF, converted exactly: IEEE 754 binary16, bfloat16, E8M0 and
// UE4M3 (OCP Microscaling Formats 1.0, OCP 8-bit Floating Point 1.0). Pure functions of bits, no
// tables, no hardware: the specification that faster conversions are tested against.
#pragma once

#include <bit>
#include <cstdint>

namespace rocforge::quant {

static_assert(std::endian::native == std::endian::little, "GGUF blocks are read as little-endian");

// Exact for every input. A signalling NaN becomes quiet and keeps its payload, as the F16C
// instructions do.
inline float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu;
  const uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24, which a float holds exactly
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  if (exponent == 0x1f) {
    const uint32_t quiet = mantissa != 0 ? 0x00400000u : 0u;
    return std::bit_cast<float>(sign | 0x7f800000u | quiet | mantissa << 13);
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

// Rounds to nearest, ties to even. Beyond the largest half (65504, with rounding 65520) the result
// is infinity. NaN stays NaN (quiet, sign and upper payload kept).
inline uint16_t FloatToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  }
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // >= 65520
  if (magnitude < 0x38800000u) {  // below 2^-14: subnormal half
    // Adding 0.5 puts the half's last place at the float's last place, so that the addition rounds.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

inline float Bf16ToFloat(uint16_t bf16) {
  return std::bit_cast<float>(static_cast<uint32_t>(bf16) << 16);
}

// Rounds to nearest, ties to even; subnormals are kept. NaN stays NaN (quiet).
inline uint16_t FloatToBf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// 2^(e8m0 - 127). 255, NaN in the specification, is infinity here (its exponent bits read as they
// are, as ggml does); encoders never write it.
inline float E8m0ToFloat(uint8_t e8m0) {
  return std::bit_cast<float>(e8m0 == 0 ? 0x00400000u : static_cast<uint32_t>(e8m0) << 23);
}

// Half of E8m0ToFloat: the FP4 values of GGUF's table are doubled to be integers.
inline float E8m0ToFloatHalf(uint8_t e8m0) {
  return std::bit_cast<float>(e8m0 < 2 ? 0x00200000u << e8m0
                                       : static_cast<uint32_t>(e8m0 - 1) << 23);
}

// Unsigned E4M3 (bias 7), sign bit ignored. 0x7f, NaN in the specification, is 0 in GGUF.
inline float Ue4m3ToFloat(uint8_t ue4m3) {
  if (ue4m3 == 0x7f) return 0.0f;
  const uint32_t exponent = (ue4m3 >> 3) & 0xfu;
  const uint32_t mantissa = ue4m3 & 0x7u;
  if (exponent == 0) return static_cast<float>(mantissa) * 0x1p-9f;
  return std::bit_cast<float>((exponent + 120) << 23 | mantissa << 20);
}

}  // namespace rocforge::quant
