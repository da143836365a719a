// The 32 weights of a unit (layout/weights.h) in registers, for every type:
//
//   weight w = scale[w / 16] * q(w) + offset[w / 16], q(w) = signed byte w % 4 of q[w / 4].
//
// LoadRaw reads the unit's bits, Decode turns them into the above; a kernel that has several units
// in flight calls the first for all of them before the second. Where a format's integers are
// centred (q - 8, q - 32, ...) they are stored in two's complement and moved to the top of the
// byte instead of being extended: 16 (q - 8) is the nibble in the upper half; the power of two goes
// into the scale, exactly. F32, F16 and BF16 have no such form: LoadFloats reads them, and every
// other type too.
#pragma once

#include "kernels/gpu/ops/iq_codes.h"
#include "kernels/gpu/ops/weight_args.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {
namespace {

using gpu::Weight;

struct Unit {
  int32_t q[8];
  float scale[2];
  float offset[2];  // not set where !kHasOffset
};

constexpr bool IsFloatType(uint32_t type) {
  return type == gpu::kWeightF32 || type == gpu::kWeightF16 || type == gpu::kWeightBF16;
}
// offset is not always 0.
constexpr bool HasOffset(uint32_t type) {
  return type == gpu::kWeightQ4_1 || type == gpu::kWeightQ5_1 || type == gpu::kWeightQ2_K ||
         type == gpu::kWeightQ4_K || type == gpu::kWeightQ5_K || type == gpu::kWeightTQ1_0 ||
         type == gpu::kWeightTQ2_0 || type == gpu::kWeightQ2_0 || type == gpu::kWeightQ1_0;
}
// scale[0] and scale[1] (offset[0] and offset[1]) may differ.
constexpr bool HasHalves(uint32_t type) {
  return type == gpu::kWeightQ2_K || type == gpu::kWeightQ3_K || type == gpu::kWeightQ6_K ||
         type == gpu::kWeightNVFP4 || type == gpu::kWeightIQ2_XS || type == gpu::kWeightIQ2_S ||
         type == gpu::kWeightIQ1_M;
}

// The bits of a unit; which fields are used depends on the type.
struct RawUnit {
  U32x4 quants;
  U32x4 more;     // Q8_0: the second half
  U32x2 pairs;    // 2-bit fields, or 8 bytes of a code-book type
  uint32_t bits;  // 1-bit fields, or 4 bytes of a code-book type
  uint32_t scale;
  uint32_t super;  // the f16 or two of a super-block
};

RF_DEVICE uint32_t Load8(const uint8_t* p) { return LoadGlobal(p); }
RF_DEVICE uint32_t Load16(const uint8_t* p) {
  return LoadGlobal(reinterpret_cast<const uint16_t*>(p));
}
RF_DEVICE uint32_t Load32(const uint8_t* p) {
  return LoadGlobal(reinterpret_cast<const uint32_t*>(p));
}
RF_DEVICE U32x2 Load64(const uint8_t* p) { return LoadGlobal(reinterpret_cast<const U32x2*>(p)); }
RF_DEVICE U32x4 Load128(const uint8_t* p) { return LoadStream(reinterpret_cast<const U32x4*>(p)); }

RF_DEVICE float LowHalf(uint32_t v) { return HalfToFloat(static_cast<uint16_t>(v)); }
RF_DEVICE float HighHalf(uint32_t v) { return HalfToFloat(static_cast<uint16_t>(v >> 16)); }
RF_DEVICE float SignedByte(uint32_t v, uint32_t i) {
  return static_cast<float>(static_cast<int32_t>(static_cast<int8_t>(v >> (8 * i))));
}
RF_DEVICE float UnsignedByte(uint32_t v, uint32_t i) {
  return static_cast<float>(static_cast<int32_t>((v >> (8 * i)) & 255));
}

// Unit `unit + more`. `row`: the row's first byte; more: a multiple of 32, apart so that a constant
// one becomes a part of the load instructions.
template <uint32_t kType>
RF_DEVICE RawUnit LoadRaw(const Weight& w, const uint8_t* row, uint32_t unit, uint32_t more = 0) {
  using namespace gpu;
  static_assert(!IsFloatType(kType));
  const uint8_t* p0 = row;
  const uint8_t* p1 = row + w.plane[1];
  const uint8_t* p2 = row + w.plane[2];
  const uint8_t* p3 = row + w.plane[3];
  RawUnit raw;
  if constexpr (kType == kWeightQ4_0 || kType == kWeightIQ4_NL || kType == kWeightNVFP4) {
    raw.quants = Load128(p0 + 16 * unit + 16 * more);
    raw.scale = Load16(p1 + 2 * unit + 2 * more);
  } else if constexpr (kType == kWeightQ4_1) {
    raw.quants = Load128(p0 + 16 * unit + 16 * more);
    raw.scale = Load32(p1 + 4 * unit + 4 * more);
  } else if constexpr (kType == kWeightQ5_0 || kType == kWeightQ5_1) {
    raw.quants = Load128(p0 + 16 * unit + 16 * more);
    raw.bits = Load32(p1 + 4 * unit + 4 * more);
    raw.scale =
        kType == kWeightQ5_0 ? Load16(p2 + 2 * unit + 2 * more) : Load32(p2 + 4 * unit + 4 * more);
  } else if constexpr (kType == kWeightQ8_0) {
    raw.quants = Load128(p0 + 16 * unit + 16 * more);
    raw.more = Load128(p1 + 16 * unit + 16 * more);
    raw.scale = Load16(p2 + 2 * unit + 2 * more);
  } else if constexpr (kType == kWeightQ4_K) {
    raw.quants = Load128(p0 + 16 * unit + 16 * more);
    raw.scale = Load16(p1 + 2 * unit + 2 * more);
    raw.super = Load32(p2 + 4 * (unit / 8) + 4 * (more / 8));
  } else if constexpr (kType == kWeightQ5_K) {
    raw.quants = Load128(p0 + 16 * unit + 16 * more);
    raw.bits = Load32(p1 + 4 * unit + 4 * more);
    raw.scale = Load16(p2 + 2 * unit + 2 * more);
    raw.super = Load32(p3 + 4 * (unit / 8) + 4 * (more / 8));
  } else if constexpr (kType == kWeightQ6_K) {
    raw.quants = Load128(p0 + 16 * unit + 16 * more);
    raw.pairs = Load64(p1 + 8 * unit + 8 * more);
    raw.scale = Load16(p2 + 2 * unit + 2 * more);
    raw.super = Load16(p3 + 2 * (unit / 8) + 2 * (more / 8));
  } else if constexpr (kType == kWeightQ2_K) {
    raw.pairs = Load64(p0 + 8 * unit + 8 * more);
    raw.scale = Load16(p1 + 2 * unit + 2 * more);
    raw.super = Load32(p2 + 4 * (unit / 8) + 4 * (more / 8));
  } else if constexpr (kType == kWeightQ3_K || kType == kWeightIQ3_S) {
    raw.pairs = Load64(p0 + 8 * unit + 8 * more);
    raw.bits = Load32(p1 + 4 * unit + 4 * more);
    raw.scale = Load16(p2 + 2 * unit + 2 * more);
    raw.super = Load16(p3 + 2 * (unit / 8) + 2 * (more / 8));
  } else if constexpr (kType == kWeightIQ4_XS) {
    raw.quants = Load128(p0 + 16 * unit + 16 * more);
    raw.scale = Load8(p1 + unit + more);
    raw.super = Load16(p2 + 2 * (unit / 8) + 2 * (more / 8));
  } else if constexpr (kType == kWeightMXFP4) {
    raw.quants = Load128(p0 + 16 * unit + 16 * more);
    raw.scale = Load8(p1 + unit + more);
  } else if constexpr (kType == kWeightTQ1_0 || kType == kWeightTQ2_0 || kType == kWeightIQ2_XXS) {
    raw.pairs = Load64(p0 + 8 * unit + 8 * more);
    raw.super = Load16(p1 + 2 * (unit / 8) + 2 * (more / 8));
  } else if constexpr (kType == kWeightQ2_0) {
    raw.pairs = Load64(p0 + 8 * unit + 8 * more);
    raw.super = Load16(p1 + 2 * (unit / 2) + 2 * (more / 2));
  } else if constexpr (kType == kWeightQ1_0) {
    raw.bits = Load32(p0 + 4 * unit + 4 * more);
    raw.super = Load16(p1 + 2 * (unit / 4) + 2 * (more / 4));
  } else if constexpr (kType == kWeightIQ2_XS) {
    raw.pairs = Load64(p0 + 8 * unit + 8 * more);
    raw.scale = Load8(p1 + unit + more);
    raw.super = Load16(p2 + 2 * (unit / 8) + 2 * (more / 8));
  } else if constexpr (kType == kWeightIQ2_S) {
    raw.pairs = Load64(p0 + 8 * unit + 8 * more);
    raw.scale = Load16(p1 + 2 * unit + 2 * more);
    raw.super = Load16(p2 + 2 * (unit / 8) + 2 * (more / 8));
  } else if constexpr (kType == kWeightIQ3_XXS) {
    raw.pairs = Load64(p0 + 8 * unit + 8 * more);
    raw.bits = Load32(p1 + 4 * unit + 4 * more);
    raw.super = Load16(p2 + 2 * (unit / 8) + 2 * (more / 8));
  } else if constexpr (kType == kWeightIQ1_S) {
    raw.bits = Load32(p0 + 4 * unit + 4 * more);
    raw.scale = Load16(p1 + 2 * unit + 2 * more);
    raw.super = Load16(p2 + 2 * (unit / 8) + 2 * (more / 8));
  } else if constexpr (kType == kWeightIQ1_M) {
    raw.bits = Load32(p0 + 4 * unit + 4 * more);
    raw.scale = Load16(p1 + 2 * unit + 2 * more) | Load8(p2 + unit + more) << 16;
    raw.super = Load16(p3 + 2 * (unit / 8) + 2 * (more / 8));
  } else {
    static_assert(kType == kWeightQ4_0, "no such type");
  }
  return raw;
}

// v moved left by `by` bits, or right where it is negative; constant after unrolling.
RF_DEVICE uint32_t Shift(uint32_t v, int by) { return by >= 0 ? v << by : v >> -by; }

// Fields of four bits into each byte at bit `at`.
RF_DEVICE void SpreadNibbles(const U32x4& v, int at, int32_t (&q)[8]) {
  const uint32_t words[4] = {v.x, v.y, v.z, v.w};
  const uint32_t mask = 0x0F0F0F0Fu << at;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    q[i] = static_cast<int32_t>(Shift(words[i], at) & mask);
    q[4 + i] = static_cast<int32_t>(Shift(words[i], at - 4) & mask);
  }
}
// Fields of two bits, added to what is in q, at bit `at`.
RF_DEVICE void SpreadPairs(const U32x2& v, int at, int32_t (&q)[8]) {
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const uint32_t word = i < 4 ? v.x : v.y;
    q[i] |= static_cast<int32_t>(Shift(word, at - 2 * (i % 4)) & (0x03030303u << at));
  }
}
RF_DEVICE void SpreadBits(uint32_t v, int at, int32_t (&q)[8]) {
#pragma unroll
  for (int i = 0; i < 8; ++i) q[i] |= static_cast<int32_t>(Shift(v, at - i) & (0x01010101u << at));
}

// Bytes of q, none of them 0, negated where their bit among the four of `signs` is set.
RF_DEVICE int32_t Negate(uint32_t q, uint32_t signs) {
  const uint32_t ones = ((signs & 15) * 0x00204081u) & 0x01010101u;
  return static_cast<int32_t>((q ^ ones * 255) + ones);
}
// Weights 8g..8g+7 of an IQ2 unit from a code word and eight signs.
RF_DEVICE void DecodeIq2Group(uint32_t codes, uint32_t signs, int32_t* q) {
  constexpr uint32_t kLevels = 8 | 25 << 8 | 43 << 16;
  q[0] = Negate(LookUp8(kLevels, 0, codes), signs);
  q[1] = Negate(LookUp8(kLevels, 0, codes >> 16), signs >> 4);
}
// Weights 8g..8g+7 of an IQ1 unit: 8 times (-1, 0 or 1), plus or minus 1.
RF_DEVICE void DecodeIq1Group(uint32_t codes, bool negative, int32_t* q) {
  const uint32_t levels = negative ? 0x0007FFF7u : 0x000901F9u;  // {-9, -1, 7}, {-7, 1, 9}
  q[0] = static_cast<int32_t>(LookUp8(levels, 0, codes));
  q[1] = static_cast<int32_t>(LookUp8(levels, 0, codes >> 16));
}
// The eighth sign makes the number of negatives even.
RF_DEVICE uint32_t EvenSigns(uint32_t seven) {
  seven &= 127;
  return seven | (static_cast<uint32_t>(__builtin_popcount(seven)) & 1) << 7;
}

RF_DEVICE float Ue4m3(uint32_t v) {
  if (v == 0x7F) return 0.0f;
  const uint32_t exponent = (v >> 3) & 15;
  if (exponent == 0) return static_cast<float>(static_cast<int32_t>(v & 7)) * 0x1p-9f;
  return BitCast<float>((exponent + 120) << 23 | (v & 7) << 20);
}

RF_DEVICE void SetScale(Unit& unit, float scale) { unit.scale[0] = unit.scale[1] = scale; }
RF_DEVICE void SetOffset(Unit& unit, float offset) { unit.offset[0] = unit.offset[1] = offset; }

RF_DEVICE void DecodeLevels(const U32x4& nibbles, const uint32_t (&table)[4], Unit& unit) {
  const uint32_t words[4] = {nibbles.x, nibbles.y, nibbles.z, nibbles.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    uint32_t low, high;
    LookUp16(table, words[i], &low, &high);
    unit.q[i] = static_cast<int32_t>(low);
    unit.q[4 + i] = static_cast<int32_t>(high);
  }
}

// The code book of a type, in device memory; other types have one of no entries. A kernel that
// looks up much copies it into shared memory, which serves 32 addresses at once.
template <uint32_t kType>
struct CodeBook {
  using Entry = uint32_t;
  static constexpr uint32_t kEntries = 0;
  RF_MEMBER static const Entry* Table() { return nullptr; }
};
#define RF_CODE_BOOK(type, entry, n, table)                 \
  template <>                                               \
  struct CodeBook<gpu::kWeight##type> {                     \
    using Entry = entry;                                    \
    static constexpr uint32_t kEntries = n;                 \
    RF_MEMBER static const Entry* Table() { return table; } \
  };
RF_CODE_BOOK(IQ2_XXS, uint32_t, 256, kIq2XxsCodes)
RF_CODE_BOOK(IQ2_XS, uint32_t, 512, kIq2XsCodes)
RF_CODE_BOOK(IQ2_S, uint32_t, 1024, kIq2SCodes)
RF_CODE_BOOK(IQ3_XXS, uint16_t, 256, kIq3XxsCodes)
RF_CODE_BOOK(IQ3_S, uint16_t, 512, kIq3SCodes)
RF_CODE_BOOK(IQ1_S, uint32_t, 2048, kIq1Codes)
RF_CODE_BOOK(IQ1_M, uint32_t, 2048, kIq1Codes)
#undef RF_CODE_BOOK

// The types whose integers come from a code book: `codes`, a copy of CodeBook<kType>::Table().
template <uint32_t kType>
RF_DEVICE void DecodeCodeBook(const RawUnit& raw, const typename CodeBook<kType>::Entry* codes,
                              Unit& unit) {
  using namespace gpu;
  const float d = LowHalf(raw.super);
  const auto iq2_scale = [&](uint32_t s) {
    return d * (0.5f + static_cast<float>(static_cast<int32_t>(s & 15))) * 0.25f;
  };
  const auto odd_scale = [&](uint32_t s) {
    return d * static_cast<float>(static_cast<int32_t>(2 * s + 1));
  };
#pragma unroll
  for (uint32_t g = 0; g < 4; ++g) {
    int32_t* q = unit.q + 2 * g;
    if constexpr (kType == kWeightIQ2_XXS) {
      DecodeIq2Group(codes[(raw.pairs.x >> (8 * g)) & 255], EvenSigns(raw.pairs.y >> (7 * g)), q);
    } else if constexpr (kType == kWeightIQ2_XS) {
      const uint32_t field = (g < 2 ? raw.pairs.x : raw.pairs.y) >> (16 * (g % 2));
      DecodeIq2Group(codes[field & 511], EvenSigns(field >> 9), q);
    } else if constexpr (kType == kWeightIQ2_S) {
      const uint32_t index = ((raw.pairs.x >> (8 * g)) & 255) | ((raw.scale >> (2 * g)) & 3) << 8;
      DecodeIq2Group(codes[index], raw.pairs.y >> (8 * g), q);
    } else if constexpr (kType == kWeightIQ3_XXS || kType == kWeightIQ3_S) {
      const uint32_t pair = (g < 2 ? raw.pairs.x : raw.pairs.y) >> (16 * (g % 2));
      if constexpr (kType == kWeightIQ3_XXS) {
        const uint32_t signs = EvenSigns(raw.bits >> (7 * g));
        q[0] = Negate(LookUp8(0x1C140C04u, 0x3E342C24u, codes[pair & 255]), signs);
        q[1] = Negate(LookUp8(0x1C140C04u, 0x3E342C24u, codes[(pair >> 8) & 255]), signs >> 4);
      } else {
        const uint32_t signs = raw.bits >> (8 * g);
        const uint32_t high = raw.scale >> (2 * g);
        const uint32_t first = (pair & 255) | (high & 1) << 8;
        const uint32_t second = ((pair >> 8) & 255) | (high & 2) << 7;
        q[0] = Negate(LookUp8(0x07050301u, 0x0F0D0B09u, codes[first]), signs);
        q[1] = Negate(LookUp8(0x07050301u, 0x0F0D0B09u, codes[second]), signs >> 4);
      }
    } else if constexpr (kType == kWeightIQ1_S) {
      const uint32_t index = ((raw.bits >> (8 * g)) & 255) | ((raw.scale >> (3 * g)) & 7) << 8;
      DecodeIq1Group(codes[index], (raw.scale & 0x8000u) != 0, q);
    } else {
      static_assert(kType == kWeightIQ1_M, "no such type");
      const uint32_t nibble = raw.scale >> (4 * g);
      const uint32_t index = ((raw.bits >> (8 * g)) & 255) | (nibble & 7) << 8;
      DecodeIq1Group(codes[index], (nibble & 8) != 0, q);
    }
  }
  if constexpr (kType == kWeightIQ2_XXS) SetScale(unit, iq2_scale(raw.pairs.y >> 28));
  if constexpr (kType == kWeightIQ2_XS || kType == kWeightIQ2_S) {
    const uint32_t scales = kType == kWeightIQ2_S ? raw.scale >> 8 : raw.scale;
    unit.scale[0] = iq2_scale(scales);
    unit.scale[1] = iq2_scale(scales >> 4);
  }
  if constexpr (kType == kWeightIQ3_XXS)
    SetScale(unit, d * (0.5f + static_cast<float>(static_cast<int32_t>(raw.bits >> 28))) * 0.5f);
  if constexpr (kType == kWeightIQ3_S) SetScale(unit, odd_scale(raw.scale >> 8));
  if constexpr (kType == kWeightIQ1_S) SetScale(unit, odd_scale((raw.scale >> 12) & 7) * 0.125f);
  if constexpr (kType == kWeightIQ1_M) {
    unit.scale[0] = odd_scale((raw.scale >> 16) & 7) * 0.125f;
    unit.scale[1] = odd_scale((raw.scale >> 19) & 7) * 0.125f;
  }
}

template <uint32_t kType>
RF_DEVICE Unit Decode(const RawUnit& raw,
                      const typename CodeBook<kType>::Entry* codes = CodeBook<kType>::Table()) {
  using namespace gpu;
  constexpr uint32_t kIq4Table[4] = {0xBFAD9881u, 0xF6EADDCFu, 0x26190D01u, 0x71594535u};
  constexpr uint32_t kFp4Table[4] = {0x03020100u, 0x0C080604u, 0xFDFEFF00u, 0xF4F8FAFCu};
  Unit unit{};
  if constexpr (kType == kWeightQ4_0) {
    SpreadNibbles(raw.quants, 4, unit.q);
    SetScale(unit, LowHalf(raw.scale) * 0.0625f);
  } else if constexpr (kType == kWeightQ4_1) {
    SpreadNibbles(raw.quants, 0, unit.q);
    SetScale(unit, LowHalf(raw.scale));
    SetOffset(unit, HighHalf(raw.scale));
  } else if constexpr (kType == kWeightQ5_0) {
    SpreadNibbles(raw.quants, 3, unit.q);
    SpreadBits(raw.bits, 7, unit.q);
    SetScale(unit, LowHalf(raw.scale) * 0.125f);
  } else if constexpr (kType == kWeightQ5_1) {
    SpreadNibbles(raw.quants, 0, unit.q);
    SpreadBits(raw.bits, 4, unit.q);
    SetScale(unit, LowHalf(raw.scale));
    SetOffset(unit, HighHalf(raw.scale));
  } else if constexpr (kType == kWeightQ8_0) {
    const uint32_t words[8] = {raw.quants.x, raw.quants.y, raw.quants.z, raw.quants.w,
                               raw.more.x,   raw.more.y,   raw.more.z,   raw.more.w};
#pragma unroll
    for (int i = 0; i < 8; ++i) unit.q[i] = static_cast<int32_t>(words[i]);
    SetScale(unit, LowHalf(raw.scale));
  } else if constexpr (kType == kWeightQ4_K || kType == kWeightQ5_K) {
    SpreadNibbles(raw.quants, 0, unit.q);
    if constexpr (kType == kWeightQ5_K) SpreadBits(raw.bits, 4, unit.q);
    SetScale(unit, LowHalf(raw.super) * UnsignedByte(raw.scale, 0));
    SetOffset(unit, -(HighHalf(raw.super) * UnsignedByte(raw.scale, 1)));
  } else if constexpr (kType == kWeightQ6_K) {
    SpreadNibbles(raw.quants, 2, unit.q);
    SpreadPairs(raw.pairs, 6, unit.q);
    const float d = LowHalf(raw.super) * 0.25f;
    unit.scale[0] = d * SignedByte(raw.scale, 0);
    unit.scale[1] = d * SignedByte(raw.scale, 1);
  } else if constexpr (kType == kWeightQ2_K) {
    SpreadPairs(raw.pairs, 0, unit.q);
#pragma unroll
    for (uint32_t h = 0; h < 2; ++h) {
      const uint32_t field = raw.scale >> (8 * h);
      unit.scale[h] = LowHalf(raw.super) * static_cast<float>(static_cast<int32_t>(field & 15));
      unit.offset[h] =
          -(HighHalf(raw.super) * static_cast<float>(static_cast<int32_t>(field >> 4 & 15)));
    }
  } else if constexpr (kType == kWeightQ3_K) {
    SpreadPairs(raw.pairs, 5, unit.q);
    SpreadBits(raw.bits, 7, unit.q);
    const float d = LowHalf(raw.super) * 0.03125f;
    unit.scale[0] = d * SignedByte(raw.scale, 0);
    unit.scale[1] = d * SignedByte(raw.scale, 1);
  } else if constexpr (kType == kWeightIQ4_NL) {
    DecodeLevels(raw.quants, kIq4Table, unit);
    SetScale(unit, LowHalf(raw.scale));
  } else if constexpr (kType == kWeightIQ4_XS) {
    DecodeLevels(raw.quants, kIq4Table, unit);
    SetScale(unit, LowHalf(raw.super) * SignedByte(raw.scale, 0));
  } else if constexpr (kType == kWeightMXFP4) {
    DecodeLevels(raw.quants, kFp4Table, unit);
    // Half of 2^(e - 127), the levels being doubled; the lowest two exponents are subnormal.
    SetScale(unit,
             BitCast<float>(raw.scale < 2 ? 0x00200000u << raw.scale : (raw.scale - 1) << 23));
  } else if constexpr (kType == kWeightNVFP4) {
    DecodeLevels(raw.quants, kFp4Table, unit);
    unit.scale[0] = Ue4m3(raw.scale & 255) * 0.5f;
    unit.scale[1] = Ue4m3(raw.scale >> 8) * 0.5f;
  } else if constexpr (kType == kWeightTQ1_0 || kType == kWeightTQ2_0 || kType == kWeightQ2_0) {
    SpreadPairs(raw.pairs, 0, unit.q);
    SetScale(unit, LowHalf(raw.super));
    SetOffset(unit, -LowHalf(raw.super));
  } else if constexpr (kType == kWeightQ1_0) {
    SpreadBits(raw.bits, 0, unit.q);
    SetScale(unit, 2.0f * LowHalf(raw.super));
    SetOffset(unit, -LowHalf(raw.super));
  } else {
    DecodeCodeBook<kType>(raw, codes, unit);
  }
  return unit;
}

template <uint32_t kType>
RF_DEVICE Unit LoadUnit(const Weight& w, const uint8_t* row, uint32_t unit) {
  return Decode<kType>(LoadRaw<kType>(w, row, unit));
}

// The 32 weights as floats, bit for bit what quant::Decoder gives. Any type.
template <uint32_t kType>
RF_DEVICE void LoadFloats(const Weight& w, const uint8_t* row, uint32_t unit, float (&out)[32]) {
  if constexpr (kType == gpu::kWeightF32) {
#pragma unroll
    for (uint32_t i = 0; i < 8; ++i) {
      const U32x4 v = Load128(row + 128 * unit + 16 * i);
      out[4 * i] = BitCast<float>(v.x);
      out[4 * i + 1] = BitCast<float>(v.y);
      out[4 * i + 2] = BitCast<float>(v.z);
      out[4 * i + 3] = BitCast<float>(v.w);
    }
  } else if constexpr (IsFloatType(kType)) {
#pragma unroll
    for (uint32_t i = 0; i < 4; ++i) {
      const U32x4 v = Load128(row + 64 * unit + 16 * i);
      const uint32_t words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
      for (uint32_t k = 0; k < 4; ++k) {
        out[8 * i + 2 * k] =
            kType == gpu::kWeightF16 ? LowHalf(words[k]) : BitCast<float>(words[k] << 16);
        out[8 * i + 2 * k + 1] =
            kType == gpu::kWeightF16 ? HighHalf(words[k]) : BitCast<float>(words[k] & 0xFFFF0000u);
      }
    }
  } else {
    const Unit u = LoadUnit<kType>(w, row, unit);
#pragma unroll
    for (uint32_t i = 0; i < 32; ++i) {
      const float q = SignedByte(static_cast<uint32_t>(u.q[i / 4]), i % 4);
      out[i] = HasOffset(kType) ? u.scale[i / 16] * q + u.offset[i / 16] : u.scale[i / 16] * q;
    }
  }
}

// Calls f.template operator()<kType>() for the type that `type` names.
template <typename F>
RF_DEVICE void DispatchType(uint32_t type, F&& f) {
  using namespace gpu;
  switch (type) {
#define RF_CASE(name)                       \
  case kWeight##name:                       \
    f.template operator()<kWeight##name>(); \
    return;
    RF_CASE(F32)
    RF_CASE(F16)
    RF_CASE(Q4_0)
    RF_CASE(Q4_1)
    RF_CASE(Q5_0)
    RF_CASE(Q5_1)
    RF_CASE(Q8_0)
    RF_CASE(Q2_K)
    RF_CASE(Q3_K)
    RF_CASE(Q4_K)
    RF_CASE(Q5_K)
    RF_CASE(Q6_K)
    RF_CASE(IQ2_XXS)
    RF_CASE(IQ2_XS)
    RF_CASE(IQ3_XXS)
    RF_CASE(IQ1_S)
    RF_CASE(IQ4_NL)
    RF_CASE(IQ3_S)
    RF_CASE(IQ2_S)
    RF_CASE(IQ4_XS)
    RF_CASE(IQ1_M)
    RF_CASE(BF16)
    RF_CASE(TQ1_0)
    RF_CASE(TQ2_0)
    RF_CASE(MXFP4)
    RF_CASE(NVFP4)
    RF_CASE(Q1_0)
    RF_CASE(Q2_0)
#undef RF_CASE
    default:
      return;
  }
}

}  // namespace
}  // namespace rocforge::port
