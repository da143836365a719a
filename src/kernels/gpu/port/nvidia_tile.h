// Tiles by mma.sync.m16n8k16 and ldmatrix (PTX ISA, sm_80 and later). See tile.h.
#pragma once

namespace rocforge::port {

namespace {
struct TileA {
  uint32_t v[4];
};
struct TileB {
  uint32_t v[4];  // columns 0..7: [0], [1]; columns 8..15: [2], [3]
};
}  // namespace

RF_DEVICE uint32_t SharedAddress(const void* p) {
  return static_cast<uint32_t>(
      reinterpret_cast<uintptr_t>((__attribute__((address_space(3))) const void*)p));
}

RF_DEVICE void LoadMatrices(uint32_t* v, const U32x4* chunk) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3])
               : "r"(SharedAddress(chunk))
               : "memory");
}

RF_DEVICE void LoadTile(TileA& tile, const U32x4* rows, uint32_t row, uint32_t chunk) {
  const uint32_t lane = LaneId();
  LoadMatrices(tile.v, rows + SwizzledChunk(row + lane % 16, chunk + lane / 16));
}
RF_DEVICE void LoadTile(TileB& tile, const U32x4* rows, uint32_t row, uint32_t chunk) {
  const uint32_t lane = LaneId();
  LoadMatrices(tile.v, rows + SwizzledChunk(row + lane / 16 * 8 + lane % 8, chunk + lane / 8 % 2));
}

template <typename F>
RF_DEVICE void FillTiles(TileB& low, TileB& high, F&& f) {
  RF_UNROLL
  for (uint32_t i = 0; i < 4; ++i) {
    const U32x2 pairs = f(LaneId() / 4 + 8 * (i / 2), LaneId() % 4, i % 2);
    low.v[i] = pairs.x;
    high.v[i] = pairs.y;
  }
}

RF_DEVICE void MultiplyTile(TileSum& sum, const TileA& a, const TileB& b) {
  RF_UNROLL
  for (uint32_t half = 0; half < 2; ++half) {
    float* d = sum.v + 4 * half;
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a.v[0]), "r"(a.v[1]), "r"(a.v[2]), "r"(a.v[3]), "r"(b.v[2 * half]),
          "r"(b.v[2 * half + 1]));
  }
}

RF_DEVICE uint32_t TileRow(uint32_t i) { return LaneId() / 4 + 8 * (i / 2 % 2); }
RF_DEVICE uint32_t TileColumn(uint32_t i) { return 2 * (LaneId() % 4) + 8 * (i / 4) + i % 2; }

}  // namespace rocforge::port
