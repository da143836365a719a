// Reading the pages of the KV cache (kernels/op/step.h) in runs of eight columns.
#pragma once

#include "kernels/gpu/ops/attention_args.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {
namespace {

// Eight columns of one position as they lie in the cache, loaded by one lane. A type of cache has
//   Raw                                      the registers between load and use
//   Raw Load(plane, position, dim, column)   plane: the positions of one head in one page
//   void Unpack(Raw, float (&out)[8])
//   uint64_t PlaneBytes(page_size, dim)
//   void Fill(to, plane, position, dim, column)   the same eight as f16, in 16 bytes of shared
//     memory, there after CopyWait and a barrier
// dim and column are multiples of 8.

RF_DEVICE void UnpackHalves(uint32_t pair, float* out) {
  out[0] = HalfToFloat(static_cast<uint16_t>(pair));
  out[1] = HalfToFloat(static_cast<uint16_t>(pair >> 16));
}

struct HalfCache {
  using Raw = U32x4;
  RF_MEMBER static uint64_t PlaneBytes(uint32_t page_size, uint32_t dim) {
    return uint64_t{2} * page_size * dim;
  }
  RF_MEMBER static Raw Load(const uint8_t* plane, uint32_t position, uint32_t dim,
                            uint32_t column) {
    return *reinterpret_cast<const U32x4*>(plane + 2 * (position * dim + column));
  }
  RF_MEMBER static void Fill(U32x4* to, const uint8_t* plane, uint32_t position, uint32_t dim,
                             uint32_t column) {
    CopyAsync(to, reinterpret_cast<const U32x4*>(plane + 2 * (position * dim + column)));
  }
  RF_MEMBER static void Unpack(const Raw& raw, float (&out)[8]) {
    UnpackHalves(raw.x, out);
    UnpackHalves(raw.y, out + 2);
    UnpackHalves(raw.z, out + 4);
    UnpackHalves(raw.w, out + 6);
  }
};

struct FloatCache {
  struct Raw {
    U32x4 low, high;
  };
  RF_MEMBER static uint64_t PlaneBytes(uint32_t page_size, uint32_t dim) {
    return uint64_t{4} * page_size * dim;
  }
  RF_MEMBER static Raw Load(const uint8_t* plane, uint32_t position, uint32_t dim,
                            uint32_t column) {
    const U32x4* at = reinterpret_cast<const U32x4*>(plane + 4 * (position * dim + column));
    return {at[0], at[1]};
  }
  RF_MEMBER static void Unpack(const Raw& raw, float (&out)[8]) {
    const uint32_t words[8] = {raw.low.x,  raw.low.y,  raw.low.z,  raw.low.w,
                               raw.high.x, raw.high.y, raw.high.z, raw.high.w};
#pragma unroll
    for (uint32_t i = 0; i < 8; ++i) out[i] = BitCast<float>(words[i]);
  }
};

}  // namespace
}  // namespace rocforge::port
