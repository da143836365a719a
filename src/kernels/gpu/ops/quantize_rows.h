// Activations as signed bytes, one scale for each unit of 32: x is about scale * q, |error| at most
// scale / 2 = (largest |x| of the unit) / 254.
//
// A quantised row of n units is laid out for lanes that take one unit each:
//   low [n]  16 bytes: q of elements 0..15     high [n]  16 bytes: elements 16..31
//   aux [n]   8 bytes: the scale (f32) and the sum of the unit, as a float scale * sum(q), or for
//             types with two offsets a unit (Q2_K) sum(q) of each half as two signed 16-bit numbers
#pragma once

#include "kernels/gpu/ops/unit.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {
namespace {

// Types whose offsets differ between the halves of a unit want sums of halves.
constexpr bool WantsHalfSums(uint32_t type) { return HasOffset(type) && HasHalves(type); }

struct QuantisedRow {
  U32x4* low;
  U32x4* high;
  U32x2* aux;
};

RF_DEVICE float Larger(float a, float b) { return a > b ? a : b; }
RF_DEVICE float Magnitude(float v) { return BitCast<float>(BitCast<uint32_t>(v) & 0x7FFFFFFFu); }

// Four elements a lane, the eight lanes of a unit together; all lanes of the wave take part.
// `quad` counts groups of four elements from the start of the row; nothing is written where it is
// not below n_quads.
RF_DEVICE void QuantiseQuad(const U32x4& four, uint32_t quad, uint32_t n_quads, bool half_sums,
                            const QuantisedRow& row) {
  const float v[4] = {BitCast<float>(four.x), BitCast<float>(four.y), BitCast<float>(four.z),
                      BitCast<float>(four.w)};
  float largest =
      Larger(Larger(Magnitude(v[0]), Magnitude(v[1])), Larger(Magnitude(v[2]), Magnitude(v[3])));
  largest = Larger(largest, ShuffleXor(largest, 1));
  largest = Larger(largest, ShuffleXor(largest, 2));
  largest = Larger(largest, ShuffleXor(largest, 4));
  // Smaller units count as zeros: their inverse would not be a number.
  const float inverse = largest > 1e-30f ? 127.0f * FastRcp(largest) : 0.0f;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  uint32_t word = 0;
#pragma unroll
  for (uint32_t i = 0; i < 4; ++i)
    word |= (BitCast<uint32_t>(Fma(v[i], inverse, 12582912.0f)) & 255) << (8 * i);
  int32_t sum = Dot4(static_cast<int32_t>(word), 0x01010101, 0);
  sum += ShuffleXor(sum, 1);
  sum += ShuffleXor(sum, 2);
  const int32_t other = ShuffleXor(sum, 4);  // of the other half
  if (quad >= n_quads) return;
  const uint32_t unit = quad / 8;
  const uint32_t part = quad % 8;
  reinterpret_cast<uint32_t*>((part < 4 ? row.low : row.high) + unit)[part % 4] = word;
  if (part != 0) return;
  const float scale = largest * (1.0f / 127.0f);
  const uint32_t halves = (static_cast<uint32_t>(sum) & 0xFFFFu) | static_cast<uint32_t>(other)
                                                                       << 16;
  const float total = scale * static_cast<float>(sum + other);
  row.aux[unit] = {BitCast<uint32_t>(scale), half_sums ? halves : BitCast<uint32_t>(total)};
}

// A unit of x in registers.
struct XUnit {
  int32_t q[8];
  float scale;
  uint32_t sum;
};

RF_DEVICE XUnit LoadX(const QuantisedRow& row, uint32_t unit) {
  const U32x4 low = row.low[unit];
  const U32x4 high = row.high[unit];
  const U32x2 aux = row.aux[unit];
  return {{static_cast<int32_t>(low.x), static_cast<int32_t>(low.y), static_cast<int32_t>(low.z),
           static_cast<int32_t>(low.w), static_cast<int32_t>(high.x), static_cast<int32_t>(high.y),
           static_cast<int32_t>(high.z), static_cast<int32_t>(high.w)},
          BitCast<float>(aux.x),
          aux.y};
}

// sum + w . x over the unit.
template <uint32_t kType>
RF_DEVICE float DotUnit(const Unit& w, const XUnit& x, float sum) {
  int32_t first = 0;
  int32_t second = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    first = Dot4(w.q[i], x.q[i], first);
    second = Dot4(w.q[4 + i], x.q[4 + i], second);
  }
  if constexpr (HasHalves(kType)) {
    const float products =
        Fma(w.scale[0], static_cast<float>(first), w.scale[1] * static_cast<float>(second));
    sum = Fma(x.scale, products, sum);
    if constexpr (HasOffset(kType)) {
      const auto half0 = static_cast<float>(static_cast<int32_t>(static_cast<int16_t>(x.sum)));
      const auto half1 = static_cast<float>(static_cast<int32_t>(x.sum) >> 16);
      sum = Fma(x.scale, Fma(w.offset[0], half0, w.offset[1] * half1), sum);
    }
  } else {
    sum = Fma(w.scale[0] * x.scale, static_cast<float>(first + second), sum);
    if constexpr (HasOffset(kType)) sum = Fma(w.offset[0], BitCast<float>(x.sum), sum);
  }
  return sum;
}

}  // namespace
}  // namespace rocforge::port
