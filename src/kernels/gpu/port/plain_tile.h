// Tiles by dot products of pairs, for devices without a matrix unit (RDNA2) and for sim. Lanes form
// 8 x 4 (waves of 32) or 16 x 4 (waves of 64) patches; each computes a patch of two or one rows by
// four columns. See tile.h.
#pragma once

namespace rocforge::port {

namespace {
constexpr uint32_t kPatchRows = 64 / kWaveSize;
constexpr uint32_t kPatchColumns = 4;

struct TileA {
  TileChunk v[kPatchRows][2];
};
struct TileB {
  TileChunk v[kPatchColumns][2];
};
}  // namespace

// c + a.x b.x + a.y b.y of two pairs of f16.
RF_DEVICE float DotPair(uint32_t a, uint32_t b, float c) {
#if defined(__AMDGCN__)
  typedef _Float16 Pair __attribute__((ext_vector_type(2)));
  return __builtin_amdgcn_fdot2(BitCast<Pair>(a), BitCast<Pair>(b), c, false);
#else
  c = Fma(HalfToFloat(static_cast<uint16_t>(a)), HalfToFloat(static_cast<uint16_t>(b)), c);
  return Fma(HalfToFloat(static_cast<uint16_t>(a >> 16)),
             HalfToFloat(static_cast<uint16_t>(b >> 16)), c);
#endif
}

RF_DEVICE void LoadTile(TileA& tile, const U32x4* rows, uint32_t row, uint32_t chunk) {
  RF_UNROLL
  for (uint32_t r = 0; r < kPatchRows; ++r) {
    const uint32_t at = row + kPatchRows * (LaneId() / 4) + r;
    RF_UNROLL
    for (uint32_t h = 0; h < 2; ++h) tile.v[r][h] = LoadChunk(rows + SwizzledChunk(at, chunk + h));
  }
}
RF_DEVICE void LoadTile(TileB& tile, const U32x4* rows, uint32_t row, uint32_t chunk) {
  RF_UNROLL
  for (uint32_t c = 0; c < kPatchColumns; ++c) {
    const uint32_t at = row + kPatchColumns * (LaneId() % 4) + c;
    RF_UNROLL
    for (uint32_t h = 0; h < 2; ++h) tile.v[c][h] = LoadChunk(rows + SwizzledChunk(at, chunk + h));
  }
}

template <typename F>
RF_DEVICE void FillTiles(TileB& low, TileB& high, F&& f) {
  RF_UNROLL
  for (uint32_t c = 0; c < kPatchColumns; ++c) {
    RF_UNROLL
    for (uint32_t odd = 0; odd < 2; ++odd) {
      RF_UNROLL
      for (uint32_t word = 0; word < 4; ++word) {
        const U32x2 pairs = f(kPatchColumns * (LaneId() % 4) + c, word, odd);
        low.v[c][odd][word] = pairs.x;
        high.v[c][odd][word] = pairs.y;
      }
    }
  }
}

RF_DEVICE void MultiplyTile(TileSum& sum, const TileA& a, const TileB& b) {
  RF_UNROLL
  for (uint32_t r = 0; r < kPatchRows; ++r) {
    RF_UNROLL
    for (uint32_t c = 0; c < kPatchColumns; ++c) {
      float s = sum.v[r * kPatchColumns + c];
      RF_UNROLL
      for (uint32_t h = 0; h < 2; ++h) {
        RF_UNROLL
        for (uint32_t w = 0; w < 4; ++w) s = DotPair(a.v[r][h][w], b.v[c][h][w], s);
      }
      sum.v[r * kPatchColumns + c] = s;
    }
  }
}

RF_DEVICE uint32_t TileRow(uint32_t i) { return kPatchRows * (LaneId() / 4) + i / kPatchColumns; }
RF_DEVICE uint32_t TileColumn(uint32_t i) {
  return kPatchColumns * (LaneId() % 4) + i % kPatchColumns;
}

}  // namespace rocforge::port
