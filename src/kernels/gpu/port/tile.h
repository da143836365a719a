// Matrix tiles: D[16, 16] += A[16, 16] B[16, 16]^T by one wave, f16 inputs, f32 sums. This header
// is the specification; each port gives its matrix unit (mma.sync, WMMA, MFMA) or plain dot
// products behind it. Not included by port.h, so that only kernels with tiles pay for it.
//
// Operands lie in shared memory as rows of 64 f16 (128 bytes, eight chunks of 16 bytes), both with
// the summed index along the row: A is [M, k] and B is [N, k]. Chunk c of row r is stored at chunk
// SwizzledChunk(r, c) of the tile, so that reading one chunk column of eight rows touches every
// shared-memory bank once. It is the 128-byte swizzle of wgmma too: the tile's first row is aligned
// to 1024 bytes where the warpgroup unit reads it, and rows count from there.
//
//   TileA, TileB                 one wave's operands: 16 rows of 16 columns, in registers.
//   void LoadTile(TileA&, const U32x4* rows, uint32_t row, uint32_t chunk)     also for TileB:
//     rows [row, row + 16) and chunks [chunk, chunk + 2) of the swizzled rows; row is a multiple of
//     16, chunk of 2.
//   TileSum                      `float v[kTileValues]` with kTileValues = 256 / kWaveSize per
//   lane. void MultiplyTile(TileSum&, const TileA&, const TileB&)    products are exact; the order
//   and
//     rounding of the sums are the unit's, in f32 or better.
//   uint32_t TileRow(i), TileColumn(i)   where value i of this lane lies: A's row, B's row. They
//   are
//     i's share plus the lane's share, so that loops unroll to constants.
// LoadTile and MultiplyTile are wave collectives.
//   void FillTiles(TileB& low, TileB& high, F f)    operands that are made in registers, 16 rows of
//     32 columns: f(row, word, odd), row in [0, 16), word in [0, 4), odd 0 or 1, gives as U32x2 two
//     HalfPairs, columns c and c + 2 and columns 16 + c and 16 + c + 2 of the row, c = 4 word +
//     odd. It is called for what this lane holds. The columns are summed in another order than they
//     are counted: low meets a TileA with columns 0 2 4 .. 14 1 3 .. 15, high the same plus 16.
//
// TileChunk is 16 bytes as one register value: arrays of it stay in registers, where copies of
// struct U32x4 from memory to memory would not. `LoadChunk(p)`, `StoreChunk(p, v)` move one.
//
//   uint32_t MaskFlip(v, mask, bits)   (v & mask) ^ bits: one instruction on NVIDIA, where the
//     compiler makes two of it if mask and bits are constants.
//   uint32_t HalfPair(low, high)  FloatToHalf of both, low in the lower half.
//   uint32_t AddPairs(a, b), FmaPairs(a, b, c)   a + b and a b + c of both halves, rounded to
//   nearest
//     even once (sim: to f32 first).
//
// RF_KERNEL_RESIDENT(name, Args, max_threads, n_blocks) is RF_KERNEL for kernels that want many
// registers; the compiler leaves room for n_blocks blocks on an NVIDIA multiprocessor.
//
// RF_UNROLL before a for loop over register arrays unrolls it whole, so that their indices are
// constants.
#pragma once

#include "kernels/gpu/port/port.h"

#if defined(__NVPTX__) || defined(__AMDGCN__)
#define RF_UNROLL _Pragma("clang loop unroll(full)")
#else
#define RF_UNROLL
#endif

namespace rocforge::port {

inline constexpr uint32_t kTileValues = 256 / kWaveSize;
inline constexpr uint32_t kTileRowChunks = 8;    // of 16 bytes in a row of a tile
inline constexpr uint32_t kTileRowColumns = 64;  // f16 in a row of a tile

typedef uint32_t TileChunk __attribute__((vector_size(16), may_alias));
RF_DEVICE TileChunk LoadChunk(const U32x4* p) { return *reinterpret_cast<const TileChunk*>(p); }
RF_DEVICE void StoreChunk(U32x4* p, TileChunk v) { *reinterpret_cast<TileChunk*>(p) = v; }

RF_DEVICE uint32_t HalfPair(float low, float high) {
#if defined(__NVPTX__)
  uint32_t pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  return static_cast<uint32_t>(FloatToHalf(low)) | static_cast<uint32_t>(FloatToHalf(high)) << 16;
#endif
}

RF_DEVICE uint32_t AddPairs(uint32_t a, uint32_t b) {
#if defined(__NVPTX__)
  uint32_t sum;
  asm("add.rn.f16x2 %0, %1, %2;" : "=r"(sum) : "r"(a), "r"(b));
  return sum;
#elif defined(__AMDGCN__)
  typedef _Float16 Pair __attribute__((ext_vector_type(2)));
  return BitCast<uint32_t>(BitCast<Pair>(a) + BitCast<Pair>(b));
#else
  const auto half = [](uint32_t v) { return HalfToFloat(static_cast<uint16_t>(v)); };
  return HalfPair(half(a) + half(b), half(a >> 16) + half(b >> 16));
#endif
}
RF_DEVICE uint32_t FmaPairs(uint32_t a, uint32_t b, uint32_t c) {
#if defined(__NVPTX__)
  uint32_t sum;
  asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(sum) : "r"(a), "r"(b), "r"(c));
  return sum;
#elif defined(__AMDGCN__)
  typedef _Float16 Pair __attribute__((ext_vector_type(2)));
  return BitCast<uint32_t>(
      __builtin_elementwise_fma(BitCast<Pair>(a), BitCast<Pair>(b), BitCast<Pair>(c)));
#else
  const auto half = [](uint32_t v) { return HalfToFloat(static_cast<uint16_t>(v)); };
  return HalfPair(Fma(half(a), half(b), half(c)), Fma(half(a >> 16), half(b >> 16), half(c >> 16)));
#endif
}

RF_DEVICE uint32_t MaskFlip(uint32_t v, uint32_t mask, uint32_t bits) {
#if defined(__NVPTX__)
  uint32_t result;
  asm("lop3.b32 %0, %1, %2, %3, 0x6A;" : "=r"(result) : "r"(v), "r"(mask), "r"(bits));
  return result;
#else
  return (v & mask) ^ bits;
#endif
}

RF_DEVICE uint32_t SwizzledChunk(uint32_t row, uint32_t chunk) {
  return row * kTileRowChunks + (chunk ^ (row % kTileRowChunks));
}

namespace {
struct TileSum {
  float v[kTileValues];
};
}  // namespace

}  // namespace rocforge::port

#if defined(__NVPTX__)
#include "kernels/gpu/port/nvidia_tile.h"
#elif defined(__GFX11__) || defined(__GFX12__) || defined(__gfx942__)
#include "kernels/gpu/port/amd_tile.h"
#else
#include "kernels/gpu/port/plain_tile.h"
#endif
