// Packing of the types whose weights are small integers: plain blocks, K-quants, levels, trits.
#include <cstring>

#include "kernels/gpu/layout/pack.h"
#include "quant/fp4.h"
#include "quant/iq4.h"
#include "quant/q1_0.h"
#include "quant/q2_0.h"
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
#include "quant/tq.h"

namespace rocforge::gpu {
namespace {

constexpr int kWeights = 32;  // of a unit

// Writers of weight w of a unit into the bits of weights.h.
void SetNibble(uint8_t* unit, int w, uint32_t value) {
  uint8_t& byte = unit[w % 16];
  byte = static_cast<uint8_t>(byte | (value & 15) << (4 * (w / 16)));
}
void SetPair(uint8_t* unit, int w, uint32_t value) {
  uint8_t& byte = unit[4 * (w / 16) + w % 4];
  byte = static_cast<uint8_t>(byte | (value & 3) << (2 * (w / 4 % 4)));
}
void SetBit(uint8_t* unit, int w, uint32_t value) {
  uint8_t& byte = unit[w % 4];
  byte = static_cast<uint8_t>(byte | (value & 1) << (w / 4));
}
void StorePair16(uint8_t* plane, int64_t index, uint16_t first, uint16_t second) {
  Store16(plane, 2 * index, first);
  Store16(plane, 2 * index + 1, second);
}

// q(w) for the 256 weights of super-block `i` into the planes of 4 bits and more.
template <typename Q>
void PackNibbles(uint8_t* nibbles, int64_t i, Q&& q) {
  for (int w = 0; w < 256; ++w)
    SetNibble(nibbles + 16 * (8 * i + w / kWeights), w % kWeights, q(w));
}

template <typename Block>
void PackNibbleBlocks(const std::byte* src, int64_t cols, uint8_t* nibbles, uint8_t flip) {
  ForBlocks<Block>(src, cols, [&](const Block& block, int64_t i) {
    for (int j = 0; j < 16; ++j)
      nibbles[16 * i + j] = static_cast<uint8_t>(block.qs[j] ^ (flip | flip << 4));
  });
}

// The fifth bits of Q5_0 and Q5_1: bit w of a u32 is weight w.
void PackFifthBits(const uint8_t (&qh)[4], uint32_t flip, uint8_t* bits) {
  uint32_t high;
  std::memcpy(&high, qh, sizeof(high));
  for (int w = 0; w < kWeights; ++w) SetBit(bits, w, ((high >> w) & 1) ^ flip);
}

}  // namespace

void PackF32(const std::byte* src, int64_t cols, const PackedRow& row) {
  std::memcpy(row.plane[0], src, static_cast<size_t>(cols) * 4);
}
void PackF16(const std::byte* src, int64_t cols, const PackedRow& row) {
  std::memcpy(row.plane[0], src, static_cast<size_t>(cols) * 2);
}
void PackBF16(const std::byte* src, int64_t cols, const PackedRow& row) { PackF16(src, cols, row); }

void PackQ4_0(const std::byte* src, int64_t cols, const PackedRow& row) {
  PackNibbleBlocks<quant::BlockQ4_0>(src, cols, row.plane[0], 8);
  ForBlocks<quant::BlockQ4_0>(src, cols,
                              [&](const auto& b, int64_t i) { Store16(row.plane[1], i, b.d); });
}

void PackQ4_1(const std::byte* src, int64_t cols, const PackedRow& row) {
  PackNibbleBlocks<quant::BlockQ4_1>(src, cols, row.plane[0], 0);
  ForBlocks<quant::BlockQ4_1>(
      src, cols, [&](const auto& b, int64_t i) { StorePair16(row.plane[1], i, b.d, b.m); });
}

void PackQ5_0(const std::byte* src, int64_t cols, const PackedRow& row) {
  PackNibbleBlocks<quant::BlockQ5_0>(src, cols, row.plane[0], 0);
  ForBlocks<quant::BlockQ5_0>(src, cols, [&](const auto& b, int64_t i) {
    PackFifthBits(b.qh, 1, row.plane[1] + 4 * i);
    Store16(row.plane[2], i, b.d);
  });
}

void PackQ5_1(const std::byte* src, int64_t cols, const PackedRow& row) {
  PackNibbleBlocks<quant::BlockQ5_1>(src, cols, row.plane[0], 0);
  ForBlocks<quant::BlockQ5_1>(src, cols, [&](const auto& b, int64_t i) {
    PackFifthBits(b.qh, 0, row.plane[1] + 4 * i);
    StorePair16(row.plane[2], i, b.d, b.m);
  });
}

void PackQ8_0(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockQ8_0>(src, cols, [&](const auto& b, int64_t i) {
    std::memcpy(row.plane[0] + 16 * i, b.qs, 16);
    std::memcpy(row.plane[1] + 16 * i, b.qs + 16, 16);
    Store16(row.plane[2], i, b.d);
  });
}

void PackQ2_K(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockQ2K>(src, cols, [&](const auto& b, int64_t i) {
    for (int w = 0; w < 256; ++w) {
      const uint32_t q = b.qs[32 * (w / 128) + w % 32] >> (2 * (w / 32 % 4));
      SetPair(row.plane[0] + 8 * (8 * i + w / 32), w % 32, q);
    }
    std::memcpy(row.plane[1] + 16 * i, b.scales, 16);
    StorePair16(row.plane[2], i, b.d, b.dmin);
  });
}

void PackQ3_K(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockQ3K>(src, cols, [&](const auto& b, int64_t i) {
    for (int w = 0; w < 256; ++w) {
      const uint32_t low = b.qs[32 * (w / 128) + w % 32] >> (2 * (w / 32 % 4));
      const uint32_t high = (b.hmask[w % 32] >> (w / 32)) & 1u;
      SetPair(row.plane[0] + 8 * (8 * i + w / 32), w % 32, low);
      SetBit(row.plane[1] + 4 * (8 * i + w / 32), w % 32, high ^ 1);
    }
    for (int g = 0; g < 16; ++g)
      row.plane[2][16 * i + g] = static_cast<uint8_t>(quant::ScaleQ3K(b.scales, g) - 32);
    Store16(row.plane[3], i, b.d);
  });
}

namespace {

// What Q4_K and Q5_K share: low nibbles, scales and mins, {d, dmin}.
template <typename Block>
void PackAffineK(const Block& b, int64_t i, uint8_t* nibbles, uint8_t* scales, uint8_t* super) {
  PackNibbles(nibbles, i, [&](int w) -> uint32_t {
    return b.qs[32 * (w / 64) + w % 32] >> (4 * (w / 32 % 2));
  });
  for (int g = 0; g < 8; ++g) {
    const quant::ScaleMin packed = quant::ScaleMinK4(b.scales, g);
    scales[2 * (8 * i + g)] = packed.scale;
    scales[2 * (8 * i + g) + 1] = packed.min;
  }
  StorePair16(super, i, b.d, b.dmin);
}

}  // namespace

void PackQ4_K(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockQ4K>(src, cols, [&](const auto& b, int64_t i) {
    PackAffineK(b, i, row.plane[0], row.plane[1], row.plane[2]);
  });
}

void PackQ5_K(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockQ5K>(src, cols, [&](const auto& b, int64_t i) {
    PackAffineK(b, i, row.plane[0], row.plane[2], row.plane[3]);
    for (int w = 0; w < 256; ++w)
      SetBit(row.plane[1] + 4 * (8 * i + w / 32), w % 32, b.qh[w % 32] >> (w / 32));
  });
}

void PackQ6_K(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockQ6K>(src, cols, [&](const auto& b, int64_t i) {
    PackNibbles(row.plane[0], i, [&](int w) -> uint32_t {
      return b.ql[64 * (w / 128) + 32 * (w / 32 % 2) + w % 32] >> (4 * (w / 64 % 2));
    });
    for (int w = 0; w < 256; ++w) {
      const uint32_t high = b.qh[32 * (w / 128) + w % 32] >> (2 * (w / 32 % 4));
      SetPair(row.plane[1] + 8 * (8 * i + w / 32), w % 32, high ^ 2);
    }
    std::memcpy(row.plane[2] + 16 * i, b.scales, 16);
    Store16(row.plane[3], i, b.d);
  });
}

void PackIQ4_NL(const std::byte* src, int64_t cols, const PackedRow& row) {
  PackNibbleBlocks<quant::BlockIQ4NL>(src, cols, row.plane[0], 0);
  ForBlocks<quant::BlockIQ4NL>(src, cols,
                               [&](const auto& b, int64_t i) { Store16(row.plane[1], i, b.d); });
}

void PackIQ4_XS(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockIQ4XS>(src, cols, [&](const auto& b, int64_t i) {
    std::memcpy(row.plane[0] + 128 * i, b.qs, 128);
    for (int g = 0; g < 8; ++g)
      row.plane[1][8 * i + g] = static_cast<uint8_t>(quant::ScaleIQ4XS(b, g) - 32);
    Store16(row.plane[2], i, b.d);
  });
}

void PackMXFP4(const std::byte* src, int64_t cols, const PackedRow& row) {
  PackNibbleBlocks<quant::BlockMXFP4>(src, cols, row.plane[0], 0);
  ForBlocks<quant::BlockMXFP4>(src, cols, [&](const auto& b, int64_t i) { row.plane[1][i] = b.e; });
}

void PackNVFP4(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockNVFP4>(src, cols, [&](const auto& b, int64_t i) {
    for (int w = 0; w < 64; ++w) {
      const uint32_t q = b.qs[8 * (w / 16) + w % 8] >> (4 * (w / 8 % 2));
      SetNibble(row.plane[0] + 16 * (2 * i + w / 32), w % 32, q);
    }
    std::memcpy(row.plane[1] + 4 * i, b.d, 4);
  });
}

void PackTQ1_0(const std::byte* src, int64_t cols, const PackedRow& row) {
  static constexpr uint8_t kPowersOf3[5] = {1, 3, 9, 27, 81};
  ForBlocks<quant::BlockTQ1_0>(src, cols, [&](const auto& b, int64_t i) {
    for (int w = 0; w < 256; ++w) {
      // Which byte and which of its trits: tq.h.
      const uint8_t byte = w < 160   ? b.qs[w % 32]
                           : w < 240 ? b.qs[32 + (w - 160) % 16]
                                     : b.qh[(w - 240) % 4];
      const int trit = w < 160 ? w / 32 : w < 240 ? (w - 160) / 16 : (w - 240) / 4;
      const auto rotated = static_cast<uint8_t>(byte * kPowersOf3[trit]);
      SetPair(row.plane[0] + 8 * (8 * i + w / 32), w % 32, static_cast<uint32_t>(rotated * 3 >> 8));
    }
    Store16(row.plane[1], i, b.d);
  });
}

void PackTQ2_0(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockTQ2_0>(src, cols, [&](const auto& b, int64_t i) {
    for (int w = 0; w < 256; ++w) {
      const uint32_t q = b.qs[32 * (w / 128) + w % 32] >> (2 * (w / 32 % 4));
      SetPair(row.plane[0] + 8 * (8 * i + w / 32), w % 32, q);
    }
    Store16(row.plane[1], i, b.d);
  });
}

void PackQ2_0(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockQ2_0>(src, cols, [&](const auto& b, int64_t i) {
    for (int w = 0; w < 64; ++w)
      SetPair(row.plane[0] + 8 * (2 * i + w / 32), w % 32, b.qs[w / 4] >> (2 * (w % 4)));
    Store16(row.plane[1], i, b.d);
  });
}

void PackQ1_0(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockQ1_0>(src, cols, [&](const auto& b, int64_t i) {
    for (int w = 0; w < 128; ++w)
      SetBit(row.plane[0] + 4 * (4 * i + w / 32), w % 32, b.qs[w / 8] >> (w % 8));
    Store16(row.plane[1], i, b.d);
  });
}

}  // namespace rocforge::gpu
