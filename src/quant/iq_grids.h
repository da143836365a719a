// The codebooks of the IQ1, IQ2 and IQ3 formats. They are part of the formats: ggml's published
// tables, kept packed in iq_grids.cc and unpacked at compile time. Entry i holds its values one a
// byte, first value in the lowest byte.
#pragma once

#include <array>
#include <cstdint>

namespace rocforge::quant {

extern const std::array<uint64_t, 256> kIq2XxsGrid;  // 8 magnitudes of {8, 25, 43}
extern const std::array<uint64_t, 512> kIq2XsGrid;   // 8 magnitudes of {8, 25, 43}
extern const std::array<uint64_t, 1024> kIq2SGrid;   // 8 magnitudes of {8, 25, 43}
extern const std::array<uint32_t, 256> kIq3XxsGrid;  // 4 magnitudes of {4, 12, ..., 52, 62}
extern const std::array<uint32_t, 512> kIq3SGrid;    // 4 magnitudes of {1, 3, ..., 15}
extern const std::array<uint64_t, 2048> kIq1Grid;    // 8 signed bytes of {-1, 0, 1}

// The 8 signs that IQ2_XXS, IQ2_XS and IQ3_XXS store in 7 bits: bit j set means weight j is
// negative; the eighth makes the number of negatives even.
constexpr uint8_t EvenSigns(uint32_t seven_bits) {
  uint32_t parity = seven_bits ^ (seven_bits >> 4);
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return static_cast<uint8_t>(seven_bits | (parity & 1) << 7);
}

}  // namespace rocforge::quant
