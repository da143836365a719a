// Codecs of the formats below four bits a weight that are not in codecs.h, and NVFP4. Codebook
// entries are handled eight weights at a time in a 64-bit register, one weight a byte. Include
// after a vec.h.
#pragma once

#include "kernels/cpu/simd/codecs.h"
#include "quant/iq1.h"
#include "quant/iq2.h"
#include "quant/iq3.h"
#include "quant/iq_grids.h"
#include "quant/q1_0.h"
#include "quant/q2_0.h"
#include "quant/tq.h"

namespace rocforge::cpu {
namespace {

inline constexpr uint64_t kEachByte = 0x0101010101010101u;

ROCFORGE_INLINE uint32_t LoadU16(const uint8_t* p) {
  uint16_t u;
  std::memcpy(&u, p, sizeof(u));
  return u;
}
typedef uint64_t U64x2 __attribute__((vector_size(16)));
typedef uint8_t U8x16 __attribute__((vector_size(16)));
// Sixteen weights in one store: a load of sixteen that spans two stores would wait for both to
// reach the cache.
template <typename T>
ROCFORGE_INLINE void Store16(T* p, uint64_t low, uint64_t high) {
  const U64x2 both = {low, high};
  std::memcpy(p, &both, sizeof(both));
}

// The entries of a codebook, without a call of std::array's members (inline.h).
template <typename Grid>
ROCFORGE_INLINE const uint64_t* Entries64(const Grid& grid) {
  return reinterpret_cast<const uint64_t*>(&grid);
}
template <typename Grid>
ROCFORGE_INLINE const uint32_t* Entries32(const Grid& grid) {
  return reinterpret_cast<const uint32_t*>(&grid);
}

// Eight bytes in 1..127, byte j negated where bit j of signs is set.
ROCFORGE_INLINE uint64_t ApplySigns(uint64_t bytes, uint32_t signs) {
  // Bit j of the copy in byte j; a byte with its bit set overflows into its top bit.
  const uint64_t selected = ((signs & 255u) * kEachByte) & 0x8040201008040201u;
  const uint64_t ones = ((selected + 127 * kEachByte) >> 7) & kEachByte;
  return (bytes ^ (ones * 255)) + ones;  // -b = ~b + 1, which does not overflow for b > 0
}

// Seven stored signs; the eighth makes the number of negatives even.
ROCFORGE_INLINE uint32_t EvenSigns(uint32_t seven) {
  return seven | static_cast<uint32_t>(__builtin_parity(seven)) << 7;
}

// Like Staged of codecs.h for signed codes: w = a[g] * q.
template <int kGroup>
struct StagedSigned {
  static constexpr bool kPlain = false;
  static constexpr int kElements = 256, kRun = 32;
  struct State {
    alignas(64) int8_t q[256];
    alignas(64) float a[256 / kGroup];
  };
  static ROCFORGE_INLINE void Run(const State& s, int r, V* w) {
    for (int i = 0; i < kRun / kLanes; ++i) {
      const int element = r * kRun + i * kLanes;
      w[i] = Mul(FromI8(s.q + element), Set1(s.a[element / kGroup]));
    }
  }
};

struct CodecIQ2XXS : StagedSigned<32> {
  static constexpr int kBytes = sizeof(quant::BlockIQ2XXS);
  static ROCFORGE_NOINLINE void Begin(const uint8_t* block, State& s) {
    const float d = HalfAt(block);
    for (int p = 0; p < 8; ++p) {
      const uint8_t* part = block + offsetof(quant::BlockIQ2XXS, qs) + 8 * p;
      const uint32_t word = LoadU32(part + 4);
      s.a[p] = d * (0.5f + static_cast<float>(word >> 28)) * 0.25f;
      uint64_t codes[4];
      for (int l = 0; l < 4; ++l) {
        codes[l] =
            ApplySigns(Entries64(quant::kIq2XxsGrid)[part[l]], EvenSigns((word >> (7 * l)) & 127u));
      }
      Store16(s.q + 32 * p, codes[0], codes[1]);
      Store16(s.q + 32 * p + 16, codes[2], codes[3]);
    }
  }
};

// d * (1/2 + nibble) / 4 for the 16 nibbles at p, low ones first.
ROCFORGE_INLINE void ScalesIq2(const uint8_t* p, float d, float* a) {
  uint64_t packed;
  std::memcpy(&packed, p, sizeof(packed));
  const U64x2 nibbles = {packed & (15 * kEachByte), (packed >> 4) & (15 * kEachByte)};
  const U8x16 bytes = reinterpret_cast<U8x16>(nibbles);
  const U8x16 ordered =
      __builtin_shufflevector(bytes, bytes, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  alignas(16) uint8_t scales[16];
  std::memcpy(scales, &ordered, sizeof(scales));
  for (int i = 0; i < 16; i += kLanes) {
    Store(a + i, Mul(Add(FromU8(scales + i), Set1(0.5f)), Set1(0.25f * d)));
  }
}

struct CodecIQ2XS : StagedSigned<16> {
  static constexpr int kBytes = sizeof(quant::BlockIQ2XS);
  static ROCFORGE_NOINLINE void Begin(const uint8_t* block, State& s) {
    ScalesIq2(block + offsetof(quant::BlockIQ2XS, scales), HalfAt(block), s.a);
    for (int pair = 0; pair < 16; ++pair) {
      const uint8_t* qs = block + offsetof(quant::BlockIQ2XS, qs) + 4 * pair;
      Store16(s.q + 16 * pair, Codes(LoadU16(qs)), Codes(LoadU16(qs + 2)));
    }
  }
  static ROCFORGE_INLINE uint64_t Codes(uint32_t q) {
    return ApplySigns(Entries64(quant::kIq2XsGrid)[q & 511u], EvenSigns(q >> 9));
  }
};

struct CodecIQ2S : StagedSigned<16> {
  static constexpr int kBytes = sizeof(quant::BlockIQ2S);
  static ROCFORGE_NOINLINE void Begin(const uint8_t* block, State& s) {
    ScalesIq2(block + offsetof(quant::BlockIQ2S, scales), HalfAt(block), s.a);
    const uint8_t* qs = block + offsetof(quant::BlockIQ2S, qs);
    const uint8_t* qh = block + offsetof(quant::BlockIQ2S, qh);
    const uint8_t* signs = block + offsetof(quant::BlockIQ2S, signs);
    for (int p = 0; p < 8; ++p) {
      uint64_t codes[4];
      for (int l = 0; l < 4; ++l) {
        const uint32_t high = (static_cast<uint32_t>(qh[p]) >> (2 * l)) & 3u;
        codes[l] =
            ApplySigns(Entries64(quant::kIq2SGrid)[qs[4 * p + l] | high << 8], signs[4 * p + l]);
      }
      Store16(s.q + 32 * p, codes[0], codes[1]);
      Store16(s.q + 32 * p + 16, codes[2], codes[3]);
    }
  }
};

struct CodecIQ3XXS : StagedSigned<32> {
  static constexpr int kBytes = sizeof(quant::BlockIQ3XXS);
  static ROCFORGE_NOINLINE void Begin(const uint8_t* block, State& s) {
    const float d = HalfAt(block);
    const uint32_t* grid = Entries32(quant::kIq3XxsGrid);
    for (int p = 0; p < 8; ++p) {
      const uint32_t word = LoadU32(block + offsetof(quant::BlockIQ3XXS, scales_and_signs) + 4 * p);
      s.a[p] = d * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
      const uint8_t* qs = block + offsetof(quant::BlockIQ3XXS, qs) + 8 * p;
      uint64_t codes[4];
      for (int k = 0; k < 4; ++k) {
        const uint64_t entry = grid[qs[2 * k]] | uint64_t{grid[qs[2 * k + 1]]} << 32;
        codes[k] = ApplySigns(entry, EvenSigns((word >> (7 * k)) & 127u));
      }
      Store16(s.q + 32 * p, codes[0], codes[1]);
      Store16(s.q + 32 * p + 16, codes[2], codes[3]);
    }
  }
};

struct CodecIQ3S : StagedSigned<32> {
  static constexpr int kBytes = sizeof(quant::BlockIQ3S);
  static ROCFORGE_NOINLINE void Begin(const uint8_t* block, State& s) {
    const float d = HalfAt(block);
    const uint32_t* grid = Entries32(quant::kIq3SGrid);
    const uint8_t* qs = block + offsetof(quant::BlockIQ3S, qs);
    const uint8_t* signs = block + offsetof(quant::BlockIQ3S, signs);
    for (int p = 0; p < 8; ++p) {
      const uint8_t scales = block[offsetof(quant::BlockIQ3S, scales) + p / 2];
      s.a[p] = d * static_cast<float>(1 + 2 * ((scales >> (4 * (p % 2))) & 15));
      const uint32_t qh = block[offsetof(quant::BlockIQ3S, qh) + p];
      uint64_t codes[4];
      for (int k = 0; k < 4; ++k) {
        const uint32_t low = qs[8 * p + 2 * k] | ((qh >> (2 * k)) & 1u) << 8;
        const uint32_t high = qs[8 * p + 2 * k + 1] | ((qh >> (2 * k + 1)) & 1u) << 8;
        const uint64_t entry = grid[low] | uint64_t{grid[high]} << 32;
        codes[k] = ApplySigns(entry, signs[4 * p + k]);
      }
      Store16(s.q + 32 * p, codes[0], codes[1]);
      Store16(s.q + 32 * p + 16, codes[2], codes[3]);
    }
  }
};

// 8 * (g + delta) for eight g in {-1, 0, 1}: 8 g + 1, or 8 g - 1 where negative_delta is 1. The
// scale is divided by 8 in turn.
ROCFORGE_INLINE uint64_t Iq1Codes(uint32_t index, uint32_t negative_delta) {
  const uint64_t eights = (Entries64(quant::kIq1Grid)[index] << 3) & (0xf8 * kEachByte);
  // 8 g + 1 - 2 = 8 g - 1; the byte-wise subtraction keeps each borrow within its byte.
  constexpr uint64_t kTop = 0x80 * kEachByte;
  const uint64_t x = eights + kEachByte;  // no byte overflows: the low bits of eights are 0
  return ((x | kTop) - 2 * negative_delta * kEachByte) ^ (~x & kTop);
}

struct CodecIQ1S : StagedSigned<32> {
  static constexpr int kBytes = sizeof(quant::BlockIQ1S);
  static ROCFORGE_NOINLINE void Begin(const uint8_t* block, State& s) {
    const float d = HalfAt(block) * 0.125f;
    for (int p = 0; p < 8; ++p) {
      const uint32_t qh = LoadU16(block + offsetof(quant::BlockIQ1S, qh) + 2 * p);
      s.a[p] = d * static_cast<float>(2 * ((qh >> 12) & 7u) + 1);
      uint64_t codes[4];
      for (int l = 0; l < 4; ++l) {
        const uint32_t low = block[offsetof(quant::BlockIQ1S, qs) + 4 * p + l];
        codes[l] = Iq1Codes(low | ((qh >> (3 * l)) & 7u) << 8, qh >> 15);
      }
      Store16(s.q + 32 * p, codes[0], codes[1]);
      Store16(s.q + 32 * p + 16, codes[2], codes[3]);
    }
  }
};

struct CodecIQ1M : StagedSigned<16> {
  static constexpr int kBytes = sizeof(quant::BlockIQ1M);
  static ROCFORGE_NOINLINE void Begin(const uint8_t* block, State& s) {
    uint32_t scales[4];
    uint32_t d_bits = 0;
    for (int i = 0; i < 4; ++i) {
      scales[i] = LoadU16(block + offsetof(quant::BlockIQ1M, scales) + 2 * i);
      d_bits |= (scales[i] >> 12) << (4 * i);
    }
    const float d = HalfToF32(static_cast<uint16_t>(d_bits)) * 0.125f;
    for (int i = 0; i < 16; ++i) {
      s.a[i] = d * static_cast<float>(2 * ((scales[i / 4] >> (3 * (i % 4))) & 7u) + 1);
    }
    for (int pair = 0; pair < 16; ++pair) {
      const uint32_t qh = block[offsetof(quant::BlockIQ1M, qh) + pair];
      Store16(s.q + 16 * pair, Iq1Codes(block[2 * pair] | (qh & 7u) << 8, (qh >> 3) & 1u),
              Iq1Codes(block[2 * pair + 1] | ((qh >> 4) & 7u) << 8, qh >> 7));
    }
  }
};

// Ternary: w = d * (t - 1).
struct CodecTQ2_0 : Staged<256> {
  static constexpr int kBytes = sizeof(quant::BlockTQ2_0);
  static ROCFORGE_NOINLINE void Begin(const uint8_t* block, State& s) {
    s.ab[0] = HalfAt(block + offsetof(quant::BlockTQ2_0, d));
    s.ab[1] = -s.ab[0];
    for (int h = 0; h < 2; ++h) {
      for (int l = 0; l < 32; l += kByteLanes) {
        const Bytes bits = LoadBytes(block + 32 * h + l);
        uint8_t* q = s.q + 128 * h + l;
        StoreBytes(q, bits & 3);
        StoreBytes(q + 32, (bits >> 2) & 3);
        StoreBytes(q + 64, (bits >> 4) & 3);
        StoreBytes(q + 96, bits >> 6);
      }
    }
  }
};

struct CodecTQ1_0 : Staged<256> {
  static constexpr int kBytes = sizeof(quant::BlockTQ1_0);
  // Trits 0..4 of 16 bytes, to q, q + stride, ...
  static ROCFORGE_INLINE void Unpack(const uint8_t* p, uint8_t* q, int stride) {
    U8x16 b;
    std::memcpy(&b, p, sizeof(b));
    for (int k = 0; k < 5; ++k) {
      // The top trit, b * 3 >> 8, by its two thresholds; a true comparison is -1.
      const U8x16 trit = -(reinterpret_cast<U8x16>(b >= 86) + reinterpret_cast<U8x16>(b >= 171));
      std::memcpy(q + k * stride, &trit, sizeof(trit));
      b = b + b + b;
    }
  }
  static ROCFORGE_NOINLINE void Begin(const uint8_t* block, State& s) {
    s.ab[0] = HalfAt(block + offsetof(quant::BlockTQ1_0, d));
    s.ab[1] = -s.ab[0];
    Unpack(block, s.q, 32);
    Unpack(block + 16, s.q + 16, 32);
    Unpack(block + 32, s.q + 160, 16);
    for (int m = 0; m < 4; ++m) {
      uint32_t b = block[offsetof(quant::BlockTQ1_0, qh) + m];
      for (int k = 0; k < 4; ++k) {
        s.q[240 + 4 * k + m] = static_cast<uint8_t>(b * 3 >> 8);
        b = (b * 3) & 255u;
      }
    }
  }
};

// One bit: -d, or 2 d more.
struct CodecQ1_0 : Block32 {
  static constexpr int kElements = 128;
  static constexpr int kBytes = sizeof(quant::BlockQ1_0);
  static ROCFORGE_INLINE void Run(const State& s, int r, V* w) {
    const V d = Set1(HalfAt(s.block));
    const uint32_t bits = LoadU32(s.block + offsetof(quant::BlockQ1_0, qs) + 4 * r);
    for (int i = 0; i < 32 / kLanes; ++i) {
      w[i] = AddWhere(Sub(Zero(), d), bits >> (i * kLanes), Add(d, d));
    }
  }
};

struct CodecQ2_0 : Block32 {
  static constexpr int kElements = 64;
  static constexpr int kBytes = sizeof(quant::BlockQ2_0);
  // The eight 2-bit codes of two bytes, a byte each: spread in steps of 16, 4 and 2 bits.
  static ROCFORGE_INLINE uint64_t EightCodes(uint64_t b) {
    b = (b | b << 24) & 0x000000ff000000ffu;
    b = (b | b << 12) & 0x000f000f000f000fu;
    return (b | b << 6) & 0x0303030303030303u;
  }
  static ROCFORGE_INLINE void Run(const State& s, int r, V* w) {
    alignas(32) uint8_t q[32];
    const uint8_t* qs = s.block + offsetof(quant::BlockQ2_0, qs) + 8 * r;
    Store16(q, EightCodes(LoadU16(qs)), EightCodes(LoadU16(qs + 2)));
    Store16(q + 16, EightCodes(LoadU16(qs + 4)), EightCodes(LoadU16(qs + 6)));
    const V d = Set1(HalfAt(s.block));
    for (int i = 0; i < 32 / kLanes; ++i) {
      w[i] = Mul(Sub(FromU8(q + i * kLanes), Set1(1.0f)), d);
    }
  }
};

struct CodecNVFP4 : Block32 {
  static constexpr int kElements = 64;
  static constexpr int kBytes = sizeof(quant::BlockNVFP4);
  // Half of a UE4M3 scale; 0x7f means 0.
  static ROCFORGE_INLINE float HalfScale(uint32_t byte) {
    const uint32_t code = byte & 127u;
    if (code == 127) return 0.0f;
    if (code < 8) return static_cast<float>(code) * 0x1p-10f;
    return __builtin_bit_cast(float, ((code >> 3) + 119) << 23 | (code & 7u) << 20);
  }
  static ROCFORGE_INLINE void Run(const State& s, int r, V* w) {
    for (int g = 0; g < 2; ++g) {
      const auto lut =
          MakeLevelsLut(quant::kFp4Doubled, kFp4DoubledF32, HalfScale(s.block[2 * r + g]));
      Nibbles16(s.block + offsetof(quant::BlockNVFP4, qs) + 16 * r + 8 * g, lut,
                w + g * 16 / kLanes);
    }
  }
};

}  // namespace
}  // namespace rocforge::cpu
