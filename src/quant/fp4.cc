#include "quant/fp4.h"

#include <algorithm>
#include <cmath>

#include "quant/block.h"
#include "quant/encode.h"
#include "quant/half.h"
#include "quant/search.h"

namespace rocforge::quant {
namespace {

// The distinct values of kFp4Doubled in rising order, and the code of each (+0 for zero).
constexpr int8_t kRising[15] = {-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12};
constexpr uint8_t kCodes[15] = {15, 14, 13, 12, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7};
constexpr search::TableLevels<15> kLevels(kRising);

// There are few exponents, so the best one is found by trying all that could be it.
ROCFORGE_CLONES BlockMXFP4 EncodeBlock(const float* x, const float* w, bool /*weighted*/) {
  constexpr int kElements = BlockMXFP4::kElements;
  BlockMXFP4 block{};
  const float extreme = search::Extreme(x, kElements);
  if (extreme == 0.0f) return block;
  // The specification's choice: the extreme weight between 4 and 8 units (the greatest value is 6).
  const int start = std::clamp(std::ilogb(extreme) - 2 + 127, 0, 254);
  // Brought near 1 by a power of two, so that squares neither overflow nor vanish.
  float near_one[kElements];
  for (int i = 0; i < kElements; ++i) near_one[i] = std::ldexp(x[i], 127 - start);
  search::F8 scales{};
  for (int lane = 0; lane < search::kLanes; ++lane) {
    const int e = std::clamp(start + 2 - lane, 0, 254);
    scales[lane] = std::ldexp(0.5f, e - start);
  }
  const search::F8 errors = search::ScaleErrors(kLevels, near_one, w, kElements, scales);
  const int best = search::SmallestLane(errors);
  block.e = static_cast<uint8_t>(std::clamp(start + 2 - best, 0, 254));
  uint8_t q[kElements];
  search::NearestIndices(kLevels, near_one, kElements, scales[best], q);
  for (int j = 0; j < 16; ++j) {
    block.qs[j] = static_cast<uint8_t>(kCodes[q[j]] | kCodes[q[j + 16]] << 4);
  }
  return block;
}

}  // namespace

void DecodeMXFP4(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockMXFP4::kElements; ++i) {
    const auto block = LoadBlock<BlockMXFP4>(blocks, i);
    const float d = E8m0ToFloatHalf(block.e);
    for (int j = 0; j < 16; ++j) {
      out[j] = static_cast<float>(kFp4Doubled[block.qs[j] & 0xf]) * d;
      out[j + 16] = static_cast<float>(kFp4Doubled[block.qs[j] >> 4]) * d;
    }
    out += BlockMXFP4::kElements;
  }
}

void DecodeNVFP4(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockNVFP4::kElements; ++i) {
    const auto block = LoadBlock<BlockNVFP4>(blocks, i);
    for (int g = 0; g < 4; ++g) {
      const float d = Ue4m3ToFloat(block.d[g]) * 0.5f;
      const uint8_t* qs = block.qs + 8 * g;
      for (int j = 0; j < 8; ++j) {
        out[j] = static_cast<float>(kFp4Doubled[qs[j] & 0xf]) * d;
        out[j + 8] = static_cast<float>(kFp4Doubled[qs[j] >> 4]) * d;
      }
      out += 16;
    }
  }
}

void EncodeMXFP4(const float* in, const float* importance, int64_t n, std::byte* blocks) {
  EncodeBlocks<BlockMXFP4>(in, importance, n, blocks, EncodeBlock);
}

}  // namespace rocforge::quant
