// Activations as signed bytes, one scale for each unit of 32: x is about scale * q, |error| at most
// scale / 2 = (largest |x| of the unit) / 254.
//
// A quantised row of n units is laid out for lanes that take one unit each:
//   low [n]  16 bytes: q of elements 0..15     high [n]  16 bytes: elements 16..31
//   aux [n]   8 bytes: the scale (f32) and the sum of the unit, as a float scale * sum(q), or for
//             types with two offsets a unit (Q2_K) sum(q) of each half as two signed 16-bit numbers
#pragma once

#include "kernels/gpu/ops/quantize_rows_args.h"
#include "kernels/gpu/ops/unit.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {
namespace {

using gpu::kOct;

struct QuantisedRow {
  U32x4* low;
  U32x4* high;
  U32x2* aux;
};

// What of a unit's sum a row wants.
enum class UnitSums : uint8_t { kNone, kWhole, kHalves };
constexpr UnitSums SumsOf(uint32_t type) {
  if (!HasOffset(type)) return UnitSums::kNone;
  // Where offsets differ between the halves of a unit.
  return HasHalves(type) ? UnitSums::kHalves : UnitSums::kWhole;
}

// Elements 8 oct to 8 oct + 7 of a row of floats; zeroes where oct is not below n_octs.
struct Oct {
  U32x4 low;
  U32x4 high;
};
RF_DEVICE Oct LoadOct(const float* x, uint32_t oct, uint32_t n_octs) {
  if (oct >= n_octs) return {{0, 0, 0, 0}, {0, 0, 0, 0}};
  const U32x4* from = reinterpret_cast<const U32x4*>(x) + 2 * oct;
  return {from[0], from[1]};
}

RF_DEVICE uint32_t Larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

// v * inverse of four elements, rounded to signed bytes.
RF_DEVICE uint32_t RoundToBytes(const U32x4& v, float inverse) {
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  const auto rounded = [&](uint32_t bits) {
    return BitCast<uint32_t>(Fma(BitCast<float>(bits), inverse, 12582912.0f));
  };
  return (rounded(v.x) & 255) | (rounded(v.y) & 255) << 8 | (rounded(v.z) & 255) << 16 |
         rounded(v.w) << 24;
}

// Eight elements of a quantised row, and what the four lanes of a unit know together.
struct QuantisedOct {
  U32x2 bytes;
  U32x2 aux;
};

// Eight elements a lane, the four lanes of a unit together; all lanes of the wave take part, lane
// i with elements 8 (i % 4) of its unit. A unit with a NaN gets a scale that is one.
RF_DEVICE QuantisedOct QuantiseOct(const U32x4& low, const U32x4& high, UnitSums sums) {
  constexpr uint32_t kMagnitude = 0x7FFFFFFFu;  // magnitudes are in the order of their bits
  uint32_t bits = Larger(Larger(Larger(low.x & kMagnitude, low.y & kMagnitude),
                                Larger(low.z & kMagnitude, low.w & kMagnitude)),
                         Larger(Larger(high.x & kMagnitude, high.y & kMagnitude),
                                Larger(high.z & kMagnitude, high.w & kMagnitude)));
  bits = Larger(bits, ShuffleXor(bits, 1));
  bits = Larger(bits, ShuffleXor(bits, 2));
  const float largest = BitCast<float>(bits);
  // Smaller units count as zeros: their inverse would not be a number.
  const float inverse = largest > 1e-30f ? 127.0f * FastRcp(largest) : 0.0f;
  const U32x2 bytes = {RoundToBytes(low, inverse), RoundToBytes(high, inverse)};
  const float scale = largest * (1.0f / 127.0f);
  uint32_t sum = 0;
  if (sums != UnitSums::kNone) {
    constexpr int32_t kOnes = 0x01010101;
    int32_t half =
        Dot4(static_cast<int32_t>(bytes.x), kOnes, Dot4(static_cast<int32_t>(bytes.y), kOnes, 0));
    half += ShuffleXor(half, 1);
    const int32_t other = ShuffleXor(half, 2);
    if (sums == UnitSums::kHalves) {
      const bool second = (LaneId() & 2) != 0;
      sum = (static_cast<uint32_t>(second ? other : half) & 0xFFFFu) |
            static_cast<uint32_t>(second ? half : other) << 16;
    } else {
      sum = BitCast<uint32_t>(scale * static_cast<float>(half + other));
    }
  }
  return {bytes, {BitCast<uint32_t>(scale), sum}};
}

// Writes oct `oct` of a row. All four lanes of a unit write its aux: a branch around three of them
// costs more, and on NVIDIA would have what was loaded before it wait for all other loads.
RF_DEVICE void StoreOct(const QuantisedRow& row, uint32_t oct, const QuantisedOct& q) {
  const uint32_t unit = oct / 4;
  // Not a choice between two pointers: the compiler would no longer know what memory they are to.
  const auto apart = static_cast<uint32_t>(row.high - row.low);
  reinterpret_cast<U32x2*>(row.low + (oct % 4 < 2 ? 0 : apart) + unit)[oct % 2] = q.bytes;
  row.aux[unit] = q.aux;
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
