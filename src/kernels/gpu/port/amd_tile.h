// Tiles by WMMA (RDNA3, RDNA4: 16x16x16, waves of 32) and MFMA (CDNA3: 16x16x16, waves of 64). See
// tile.h; the lane layouts are those of AMD's matrix instruction calculator.
#pragma once

namespace rocforge::port {

namespace {
#if defined(__GFX11__)
constexpr uint32_t kLaneHalves = 16;  // a lane holds a whole row; lanes 16..31 repeat lanes 0..15
#elif defined(__GFX12__)
constexpr uint32_t kLaneHalves = 8;  // lane l: columns 8 (l / 16) .. + 8 of row l % 16
#else
constexpr uint32_t kLaneHalves = 4;  // lane l: columns 4 (l / 16) .. + 4 of row l % 16
#endif
typedef _Float16 TileHalves __attribute__((ext_vector_type(kLaneHalves)));
typedef float TileFloats __attribute__((ext_vector_type(kTileValues)));

struct TileA {
  TileHalves v;
};
struct TileB {
  TileHalves v;
};
}  // namespace

RF_DEVICE TileHalves LoadTileHalves(const U32x4* rows, uint32_t row, uint32_t chunk) {
  const uint32_t lane = LaneId();
  const uint32_t r = row + lane % 16;
#if defined(__GFX11__)
  typedef uint32_t Pair __attribute__((ext_vector_type(8)));
  const TileChunk low = LoadChunk(rows + SwizzledChunk(r, chunk));
  const TileChunk high = LoadChunk(rows + SwizzledChunk(r, chunk + 1));
  return BitCast<TileHalves>(
      Pair{low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3]});
#elif defined(__GFX12__)
  return BitCast<TileHalves>(LoadChunk(rows + SwizzledChunk(r, chunk + lane / 16)));
#else
  const U32x4* p = rows + SwizzledChunk(r, chunk + lane / 32);
  return *(reinterpret_cast<const TileHalves*>(p) + lane / 16 % 2);
#endif
}

RF_DEVICE void LoadTile(TileA& tile, const U32x4* rows, uint32_t row, uint32_t chunk) {
  tile.v = LoadTileHalves(rows, row, chunk);
}
RF_DEVICE void LoadTile(TileB& tile, const U32x4* rows, uint32_t row, uint32_t chunk) {
  tile.v = LoadTileHalves(rows, row, chunk);
}

template <typename F>
RF_DEVICE void FillTiles(TileB& low, TileB& high, F&& f) {
  constexpr uint32_t kPairs = kLaneHalves / 2;
  typedef uint32_t Pairs __attribute__((ext_vector_type(kPairs)));
  Pairs l, h;
  RF_UNROLL
  for (uint32_t i = 0; i < kPairs; ++i) {
    const uint32_t at = LaneId() / 16 % (8 / kPairs) * kPairs + i;  // pair of the row's sums
    const U32x2 pairs = f(LaneId() % 16, at % 4, at / 4);
    l[i] = pairs.x;
    h[i] = pairs.y;
  }
  low.v = BitCast<TileHalves>(l);
  high.v = BitCast<TileHalves>(h);
}

RF_DEVICE void MultiplyTile(TileSum& sum, const TileA& a, const TileB& b) {
  TileFloats c;
  RF_UNROLL
  for (uint32_t i = 0; i < kTileValues; ++i) c[i] = sum.v[i];
#if defined(__GFX11__)
  c = __builtin_amdgcn_wmma_f32_16x16x16_f16_w32(a.v, b.v, c);
#elif defined(__GFX12__)
  c = __builtin_amdgcn_wmma_f32_16x16x16_f16_w32_gfx12(a.v, b.v, c);
#else
  c = __builtin_amdgcn_mfma_f32_16x16x16f16(a.v, b.v, c, 0, 0, 0);
#endif
  RF_UNROLL
  for (uint32_t i = 0; i < kTileValues; ++i) sum.v[i] = c[i];
}

RF_DEVICE uint32_t TileRow(uint32_t i) {
  const uint32_t group = LaneId() / 16;
#if defined(__GFX11__)
  return 2 * i + group;
#elif defined(__GFX12__)
  return i + 8 * group;
#else
  return i + 4 * group;
#endif
}
RF_DEVICE uint32_t TileColumn(uint32_t) { return LaneId() % 16; }

}  // namespace rocforge::port
