// Reading the pages of the KV cache (kernels/op/step.h) in runs of eight columns.
#pragma once

#include "kernels/gpu/ops/attention_args.h"
#include "kernels/gpu/port/tile.h"

namespace rocforge::port {
namespace {

// Eight columns of one position as they lie in the cache, loaded by one lane. A type of cache has
//   Raw                                 the registers between load and use
//   Raw Load(plane, scales, position, dim, column)   plane: the positions of one head in one page;
//     scales: CachePlane::scales
//   void Prefetch(plane, scales, position, count, dim)   one thread asks for `count` positions,
//     which begin at a multiple of 4
//   void Unpack(Raw, float (&out)[8])   the columns over Scale(Raw)
//   float Scale(Raw)
//   void Fill(to, plane, scales, position, dim, column)   the same eight as f16, in 16 bytes of
//     shared memory, there after CopyWait and a barrier
// dim and column are multiples of 8.

RF_DEVICE void UnpackHalves(uint32_t pair, float* out) {
  out[0] = HalfToFloat(static_cast<uint16_t>(pair));
  out[1] = HalfToFloat(static_cast<uint16_t>(pair >> 16));
}

struct HalfCache {
  using Raw = U32x4;
  RF_MEMBER static Raw Load(const uint8_t* plane, uint32_t, uint32_t position, uint32_t dim,
                            uint32_t column) {
    return *reinterpret_cast<const U32x4*>(plane + 2 * (position * dim + column));
  }
  RF_MEMBER static void Prefetch(const uint8_t* plane, uint32_t, uint32_t position, uint32_t count,
                                 uint32_t dim) {
    PrefetchRange(plane + 2 * position * dim, 2 * count * dim);
  }
  RF_MEMBER static void Fill(U32x4* to, const uint8_t* plane, uint32_t, uint32_t position,
                             uint32_t dim, uint32_t column) {
    CopyAsync(to, reinterpret_cast<const U32x4*>(plane + 2 * (position * dim + column)));
  }
  RF_MEMBER static void Unpack(const Raw& raw, float (&out)[8]) {
    UnpackHalves(raw.x, out);
    UnpackHalves(raw.y, out + 2);
    UnpackHalves(raw.z, out + 4);
    UnpackHalves(raw.w, out + 6);
  }
  RF_MEMBER static float Scale(const Raw&) { return 1.0f; }
};

struct FloatCache {
  struct Raw {
    U32x4 low, high;
  };
  RF_MEMBER static Raw Load(const uint8_t* plane, uint32_t, uint32_t position, uint32_t dim,
                            uint32_t column) {
    const U32x4* at = reinterpret_cast<const U32x4*>(plane + 4 * (position * dim + column));
    return {at[0], at[1]};
  }
  RF_MEMBER static void Prefetch(const uint8_t* plane, uint32_t, uint32_t position, uint32_t count,
                                 uint32_t dim) {
    PrefetchRange(plane + 4 * position * dim, 4 * count * dim);
  }
  RF_MEMBER static void Unpack(const Raw& raw, float (&out)[8]) {
    const uint32_t words[8] = {raw.low.x,  raw.low.y,  raw.low.z,  raw.low.w,
                               raw.high.x, raw.high.y, raw.high.z, raw.high.w};
#pragma unroll
    for (uint32_t i = 0; i < 8; ++i) out[i] = BitCast<float>(words[i]);
  }
  RF_MEMBER static float Scale(const Raw&) { return 1.0f; }
};

// Bytes become floats, or halves, by putting their bits below those of a power of two whose last
// place counts 1; the signed byte b is b ^ 0x80 - 128.
struct Q8Cache {
  struct Raw {
    U32x2 quants;
    uint32_t scale;  // f16
  };
  RF_MEMBER static Raw Load(const uint8_t* plane, uint32_t scales, uint32_t position, uint32_t dim,
                            uint32_t column) {
    const uint32_t blocks = (dim + gpu::kCacheBlock - 1) / gpu::kCacheBlock;
    const uint32_t block = position * blocks + column / gpu::kCacheBlock;
    return {*reinterpret_cast<const U32x2*>(plane + (position * dim + column)),
            *reinterpret_cast<const uint16_t*>(plane + (scales + 2 * block))};
  }
  RF_MEMBER static void Prefetch(const uint8_t* plane, uint32_t scales, uint32_t position,
                                 uint32_t count, uint32_t dim) {
    PrefetchRange(plane + position * dim, count * dim);
    const uint32_t row = (dim + gpu::kCacheBlock - 1) / gpu::kCacheBlock * 2;
    const uint32_t first = position * row / 16 * 16;
    PrefetchRange(plane + (scales + first), ((position + count) * row - first + 15) / 16 * 16);
  }
  RF_MEMBER static void Unpack(const Raw& raw, float (&out)[8]) {
    const uint32_t words[2] = {raw.quants.x ^ 0x80808080u, raw.quants.y ^ 0x80808080u};
#pragma unroll
    for (uint32_t i = 0; i < 8; ++i) {
      out[i] = BitCast<float>(LookUp8(words[i / 4], 0x4B000000u, 0x7440u | i % 4)) - 8388736.0f;
    }
  }
  RF_MEMBER static float Scale(const Raw& raw) {
    return HalfToFloat(static_cast<uint16_t>(raw.scale));
  }
  RF_MEMBER static void Fill(U32x4* to, const uint8_t* plane, uint32_t scales, uint32_t position,
                             uint32_t dim, uint32_t column) {
    const Raw raw = Load(plane, scales, position, dim, column);
    const uint32_t scale = raw.scale | raw.scale << 16;
    const uint32_t low = raw.quants.x ^ 0x80808080u;
    const uint32_t high = raw.quants.y ^ 0x80808080u;
    *to = {Halves(low, 0x4140u, scale), Halves(low, 0x4342u, scale), Halves(high, 0x4140u, scale),
           Halves(high, 0x4342u, scale)};
  }

 private:
  // Two bytes, where `codes` picks them, as halves times the scale: rounded once.
  RF_MEMBER static uint32_t Halves(uint32_t bytes, uint32_t codes, uint32_t scale) {
    constexpr uint32_t kThousands = 0x64646464u;    // upper bytes of 1024
    constexpr uint32_t kMinusMiddle = 0xE480E480u;  // -1024 - 128
    return FmaPairs(AddPairs(LookUp8(bytes, kThousands, codes), kMinusMiddle), scale, 0);
  }
};

}  // namespace
}  // namespace rocforge::port
