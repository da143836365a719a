// Weights decoded in registers. A codec gives a block in runs of kRun elements: Run() fills
// kRun / kLanes vectors, in the order of the elements. The byte layouts are specified in quant/.
// Include after a vec.h.
#pragma once

#include "quant/fp4.h"
#include "quant/iq4.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"

namespace rocforge::cpu {
namespace {

// The levels again as floats, for the sets that look up finished weights.
alignas(64) constexpr float kIq4LevelsF32[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                 1,    13,   25,  38,  53,  69,  89,  113};
alignas(64) constexpr float kFp4DoubledF32[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                                  0, -1, -2, -3, -4, -6, -8, -12};

ROCFORGE_INLINE Bytes LoadBytes(const uint8_t* p) {
  Bytes b;
  std::memcpy(&b, p, sizeof(b));
  return b;
}
ROCFORGE_INLINE void StoreBytes(uint8_t* p, Bytes b) { std::memcpy(p, &b, sizeof(b)); }
ROCFORGE_INLINE uint32_t LoadU32(const uint8_t* p) {
  uint32_t u;
  std::memcpy(&u, p, sizeof(u));
  return u;
}
ROCFORGE_INLINE float HalfAt(const uint8_t* p) {
  uint16_t h;
  std::memcpy(&h, p, sizeof(h));
  return HalfToF32(h);
}

// ---- Plain elements: "blocks" of 32 so that loops unroll; rows may end anywhere (Partial).
struct CodecF32 {
  static constexpr bool kPlain = true;
  static constexpr int kElements = 32, kRun = 32, kBytes = 128;
  struct State {
    const float* p;
  };
  static ROCFORGE_INLINE void Begin(const uint8_t* block, State& s) {
    s.p = reinterpret_cast<const float*>(block);
  }
  static ROCFORGE_INLINE void Run(const State& s, int, V* w) {
    for (int i = 0; i < kRun / kLanes; ++i) w[i] = Load(s.p + i * kLanes);
  }
  static ROCFORGE_INLINE V Partial(const uint8_t* row, int64_t i, int64_t n) {
    return LoadPartial(reinterpret_cast<const float*>(row) + i, n);
  }
};

struct CodecF16 {
  static constexpr bool kPlain = true;
  static constexpr int kElements = 32, kRun = 32, kBytes = 64;
  struct State {
    const uint16_t* p;
  };
  static ROCFORGE_INLINE void Begin(const uint8_t* block, State& s) {
    s.p = reinterpret_cast<const uint16_t*>(block);
  }
  static ROCFORGE_INLINE void Run(const State& s, int, V* w) {
    for (int i = 0; i < kRun / kLanes; ++i) w[i] = LoadF16(s.p + i * kLanes);
  }
  static ROCFORGE_INLINE V Partial(const uint8_t* row, int64_t i, int64_t n) {
    return LoadF16Partial(reinterpret_cast<const uint16_t*>(row) + i, n);
  }
};

struct CodecBF16 : CodecF16 {
  static ROCFORGE_INLINE void Run(const State& s, int, V* w) {
    for (int i = 0; i < kRun / kLanes; ++i) w[i] = LoadBF16(s.p + i * kLanes);
  }
  static ROCFORGE_INLINE V Partial(const uint8_t* row, int64_t i, int64_t n) {
    return LoadBF16Partial(reinterpret_cast<const uint16_t*>(row) + i, n);
  }
};

// ---- Blocks of 32 with 16 bytes of nibbles: low nibbles are weights 0-15, high ones 16-31.
template <typename Lut>
ROCFORGE_INLINE void NibbleRun(const uint8_t* qs, Lut lut, V* w) {
  constexpr int kHalf = 16 / kLanes;
  for (int i = 0; i < kHalf; ++i) Nibbles(qs + i * kLanes, lut, &w[i], &w[kHalf + i]);
}

// Adds 16 * d where the 5th bit is set; bit j of qh belongs to weight j.
ROCFORGE_INLINE void AddFifthBits(uint32_t qh, float d, V* w) {
  const V sixteen_d = Set1(16.0f * d);
  for (int i = 0; i < 32 / kLanes; ++i) w[i] = AddWhere(w[i], qh >> (i * kLanes), sixteen_d);
}

struct Block32 {
  static constexpr bool kPlain = false;
  static constexpr int kElements = 32, kRun = 32;
  struct State {
    const uint8_t* block;
  };
  static ROCFORGE_INLINE void Begin(const uint8_t* block, State& s) { s.block = block; }
};

struct CodecQ4_0 : Block32 {
  static constexpr int kBytes = sizeof(quant::BlockQ4_0);
  static ROCFORGE_INLINE void Run(const State& s, int, V* w) {
    const float d = HalfAt(s.block);
    NibbleRun(s.block + offsetof(quant::BlockQ4_0, qs), MakeCentredLut<8>(d), w);
  }
};

struct CodecQ4_1 : Block32 {
  static constexpr int kBytes = sizeof(quant::BlockQ4_1);
  static ROCFORGE_INLINE void Run(const State& s, int, V* w) {
    NibbleRun(s.block + offsetof(quant::BlockQ4_1, qs), MakeAffineLutF16(s.block), w);
  }
};

struct CodecQ5_0 : Block32 {
  static constexpr int kBytes = sizeof(quant::BlockQ5_0);
  static ROCFORGE_INLINE void Run(const State& s, int, V* w) {
    const float d = HalfAt(s.block);
    NibbleRun(s.block + offsetof(quant::BlockQ5_0, qs), MakeCentredLut<16>(d), w);
    AddFifthBits(LoadU32(s.block + offsetof(quant::BlockQ5_0, qh)), d, w);
  }
};

struct CodecQ5_1 : Block32 {
  static constexpr int kBytes = sizeof(quant::BlockQ5_1);
  static ROCFORGE_INLINE void Run(const State& s, int, V* w) {
    const float d = HalfAt(s.block);
    const float m = HalfAt(s.block + offsetof(quant::BlockQ5_1, m));
    NibbleRun(s.block + offsetof(quant::BlockQ5_1, qs), MakeAffineLut(d, m), w);
    AddFifthBits(LoadU32(s.block + offsetof(quant::BlockQ5_1, qh)), d, w);
  }
};

struct CodecIQ4NL : Block32 {
  static constexpr int kBytes = sizeof(quant::BlockIQ4NL);
  static ROCFORGE_INLINE void Run(const State& s, int, V* w) {
    NibbleRun(s.block + offsetof(quant::BlockIQ4NL, qs),
              MakeLevelsLut(quant::kIq4Levels, kIq4LevelsF32, HalfAt(s.block)), w);
  }
};

struct CodecMXFP4 : Block32 {
  static constexpr int kBytes = sizeof(quant::BlockMXFP4);
  static ROCFORGE_INLINE void Run(const State& s, int, V* w) {
    // 2^(e - 128); the two smallest are subnormal floats.
    const uint32_t e = s.block[0];
    const uint32_t bits = e < 2 ? 0x00200000u << e : (e - 1) << 23;
    NibbleRun(s.block + offsetof(quant::BlockMXFP4, qs),
              MakeLevelsLut(quant::kFp4Doubled, kFp4DoubledF32, __builtin_bit_cast(float, bits)),
              w);
  }
};

struct CodecQ8_0 : Block32 {
  static constexpr int kBytes = sizeof(quant::BlockQ8_0);
  static ROCFORGE_INLINE void Run(const State& s, int, V* w) {
    const V d = Set1(HalfAt(s.block));
    const int8_t* qs = reinterpret_cast<const int8_t*>(s.block + offsetof(quant::BlockQ8_0, qs));
    for (int i = 0; i < 32 / kLanes; ++i) w[i] = Mul(FromI8(qs + i * kLanes), d);
  }
};

// ---- Blocks of 256.

// The 6-bit scales and mins of Q4_K and Q5_K: d * scale in ab[0..8), -dmin * min in ab[8..16).
ROCFORGE_INLINE void ScalesK4(const uint8_t* p, float d, float dmin, float* ab) {
  const uint32_t w0 = LoadU32(p);
  const uint32_t w1 = LoadU32(p + 4);
  const uint32_t w2 = LoadU32(p + 8);
  const uint32_t packed[4] = {w0 & 0x3f3f3f3fu, (w2 & 0x0f0f0f0fu) | ((w0 >> 6) & 0x03030303u) << 4,
                              w1 & 0x3f3f3f3fu,
                              ((w2 >> 4) & 0x0f0f0f0fu) | ((w1 >> 6) & 0x03030303u) << 4};
  alignas(16) uint8_t bytes[16];
  std::memcpy(bytes, packed, sizeof(bytes));
  ScaleHalves(bytes, d, -dmin, ab);
}

struct CodecQ4_K {
  static constexpr bool kPlain = false;
  static constexpr int kElements = 256, kRun = 64, kBytes = sizeof(quant::BlockQ4K);
  struct State {
    const uint8_t* qs;
    alignas(64) float ab[16];
  };
  static ROCFORGE_INLINE void Begin(const uint8_t* block, State& s) {
    s.qs = block + offsetof(quant::BlockQ4K, qs);
    ScalesK4(block + offsetof(quant::BlockQ4K, scales), HalfAt(block),
             HalfAt(block + offsetof(quant::BlockQ4K, dmin)), s.ab);
  }
  // Run r: groups 2r (low nibbles) and 2r + 1 (high nibbles) of the same 32 bytes.
  static ROCFORGE_INLINE void Run(const State& s, int r, V* w) {
    const auto low = MakeAffineLut(s.ab[2 * r], s.ab[8 + 2 * r]);
    const auto high = MakeAffineLut(s.ab[2 * r + 1], s.ab[9 + 2 * r]);
    constexpr int kGroup = 32 / kLanes;
    for (int i = 0; i < kGroup; ++i) {
      V unused;
      Nibbles(s.qs + 32 * r + i * kLanes, low, &w[i], &unused);
      Nibbles(s.qs + 32 * r + i * kLanes, high, &unused, &w[kGroup + i]);
    }
  }
};

struct CodecIQ4XS {
  static constexpr bool kPlain = false;
  static constexpr int kElements = 256, kRun = 32, kBytes = sizeof(quant::BlockIQ4XS);
  struct State {
    const uint8_t* qs;
    float a[8];
  };
  static ROCFORGE_INLINE void Begin(const uint8_t* block, State& s) {
    s.qs = block + offsetof(quant::BlockIQ4XS, qs);
    const float d = HalfAt(block);
    const uint8_t* high_bytes = block + offsetof(quant::BlockIQ4XS, scales_h);
    const uint32_t high = high_bytes[0] | static_cast<uint32_t>(high_bytes[1]) << 8;
    const uint32_t low = LoadU32(block + offsetof(quant::BlockIQ4XS, scales_l));
    for (int g = 0; g < 8; ++g) {
      const uint32_t scale = ((low >> (4 * g)) & 15u) | ((high >> (2 * g)) & 3u) << 4;
      s.a[g] = d * static_cast<float>(static_cast<int>(scale) - 32);
    }
  }
  static ROCFORGE_INLINE void Run(const State& s, int r, V* w) {
    NibbleRun(s.qs + 16 * r, MakeLevelsLut(quant::kIq4Levels, kIq4LevelsF32, s.a[r]), w);
  }
};

// Formats whose codes straddle bytes are first unpacked to one byte a weight, 32 weights an
// instruction; then w = a[g] * q + b[g] for groups g of kGroup weights.
template <int kGroup>
struct Staged {
  static constexpr int kGroups = 256 / kGroup;
  static constexpr bool kPlain = false;
  static constexpr int kElements = 256, kRun = 32;
  struct State {
    alignas(64) uint8_t q[256];
    alignas(64) float ab[2 * kGroups];  // a, then b
  };
  static ROCFORGE_INLINE void Run(const State& s, int r, V* w) {
    for (int i = 0; i < kRun / kLanes; ++i) {
      const int element = r * kRun + i * kLanes;
      const int g = element / kGroup;
      w[i] = Fma(FromU8(s.q + element), Set1(s.ab[g]), Set1(s.ab[kGroups + g]));
    }
  }
};

struct CodecQ5_K : Staged<32> {
  static constexpr int kBytes = sizeof(quant::BlockQ5K);
  static ROCFORGE_INLINE void Begin(const uint8_t* block, State& s) {
    ScalesK4(block + offsetof(quant::BlockQ5K, scales), HalfAt(block),
             HalfAt(block + offsetof(quant::BlockQ5K, dmin)), s.ab);
    const uint8_t* qs = block + offsetof(quant::BlockQ5K, qs);
    for (int l = 0; l < 32; l += kByteLanes) {
      Bytes high = LoadBytes(block + offsetof(quant::BlockQ5K, qh) + l);
      for (int c = 0; c < 4; ++c) {
        const Bytes nibbles = LoadBytes(qs + 32 * c + l);
        StoreBytes(s.q + 64 * c + l, (nibbles & 15) | ((high & 1) << 4));
        StoreBytes(s.q + 64 * c + 32 + l, (nibbles >> 4) | ((high & 2) << 3));
        high = high >> 2;
      }
    }
  }
};

struct CodecQ6_K : Staged<16> {
  static constexpr int kBytes = sizeof(quant::BlockQ6K);
  static ROCFORGE_INLINE void Begin(const uint8_t* block, State& s) {
    const V d = Set1(HalfAt(block + offsetof(quant::BlockQ6K, d)));
    const auto* scales = reinterpret_cast<const int8_t*>(block + offsetof(quant::BlockQ6K, scales));
    for (int g = 0; g < 16; g += kLanes) {
      const V a = Mul(FromI8(scales + g), d);
      Store(s.ab + g, a);
      Store(s.ab + kGroups + g, Mul(a, Set1(-32.0f)));
    }
    for (int h = 0; h < 2; ++h) {
      for (int l = 0; l < 32; l += kByteLanes) {
        const Bytes low0 = LoadBytes(block + 64 * h + l);
        const Bytes low1 = LoadBytes(block + 64 * h + 32 + l);
        const Bytes high = LoadBytes(block + offsetof(quant::BlockQ6K, qh) + 32 * h + l);
        uint8_t* q = s.q + 128 * h + l;
        StoreBytes(q, (low0 & 15) | ((high & 3) << 4));
        StoreBytes(q + 32, (low1 & 15) | ((high & 12) << 2));
        StoreBytes(q + 64, (low0 >> 4) | (high & 48));
        StoreBytes(q + 96, (low1 >> 4) | ((high & 192) >> 2));
      }
    }
  }
};

struct CodecQ2_K : Staged<16> {
  static constexpr int kBytes = sizeof(quant::BlockQ2K);
  static ROCFORGE_INLINE void Begin(const uint8_t* block, State& s) {
    const V d = Set1(HalfAt(block + offsetof(quant::BlockQ2K, d)));
    const V minus_dmin = Set1(-HalfAt(block + offsetof(quant::BlockQ2K, dmin)));
    alignas(16) uint8_t scale[16];
    alignas(16) uint8_t min[16];
    for (int g = 0; g < 16; ++g) {
      scale[g] = block[g] & 15;
      min[g] = static_cast<uint8_t>(block[g] >> 4);
    }
    for (int g = 0; g < 16; g += kLanes) {
      Store(s.ab + g, Mul(FromU8(scale + g), d));
      Store(s.ab + kGroups + g, Mul(FromU8(min + g), minus_dmin));
    }
    for (int h = 0; h < 2; ++h) {
      for (int l = 0; l < 32; l += kByteLanes) {
        const Bytes bits = LoadBytes(block + offsetof(quant::BlockQ2K, qs) + 32 * h + l);
        uint8_t* q = s.q + 128 * h + l;
        StoreBytes(q, bits & 3);
        StoreBytes(q + 32, (bits >> 2) & 3);
        StoreBytes(q + 64, (bits >> 4) & 3);
        StoreBytes(q + 96, bits >> 6);
      }
    }
  }
};

struct CodecQ3_K : Staged<16> {
  static constexpr int kBytes = sizeof(quant::BlockQ3K);
  static ROCFORGE_INLINE void Begin(const uint8_t* block, State& s) {
    const float d = HalfAt(block + offsetof(quant::BlockQ3K, d));
    const uint8_t* p = block + offsetof(quant::BlockQ3K, scales);
    const uint32_t w0 = LoadU32(p);
    const uint32_t w1 = LoadU32(p + 4);
    const uint32_t w2 = LoadU32(p + 8);
    const uint32_t packed[4] = {(w0 & 0x0f0f0f0fu) | (w2 & 0x03030303u) << 4,
                                (w1 & 0x0f0f0f0fu) | ((w2 >> 2) & 0x03030303u) << 4,
                                ((w0 >> 4) & 0x0f0f0f0fu) | ((w2 >> 4) & 0x03030303u) << 4,
                                ((w1 >> 4) & 0x0f0f0f0fu) | ((w2 >> 6) & 0x03030303u) << 4};
    alignas(16) uint8_t scales[16];
    std::memcpy(scales, packed, sizeof(scales));
    for (int g = 0; g < 16; g += kLanes) {
      const V a = Mul(Sub(FromU8(scales + g), Set1(32.0f)), Set1(d));
      Store(s.ab + g, a);
      Store(s.ab + kGroups + g, Mul(a, Set1(-4.0f)));
    }
    for (int l = 0; l < 32; l += kByteLanes) {
      Bytes third = LoadBytes(block + l);
      for (int h = 0; h < 2; ++h) {
        const Bytes bits = LoadBytes(block + offsetof(quant::BlockQ3K, qs) + 32 * h + l);
        uint8_t* q = s.q + 128 * h + l;
        StoreBytes(q, (bits & 3) | ((third & 1) << 2));
        StoreBytes(q + 32, ((bits >> 2) & 3) | ((third & 2) << 1));
        StoreBytes(q + 64, ((bits >> 4) & 3) | (third & 4));
        StoreBytes(q + 96, (bits >> 6) | ((third & 8) >> 1));
        third = third >> 4;
      }
    }
  }
};

}  // namespace
}  // namespace rocforge::cpu
