// Two chained products of tiles (tile.h), as attention needs them: scores S = Q K^T over 16 queries
// and 16 keys, then O += P V with P made from S in registers. Which of the two operands is A and
// which is B is the port's choice, so that a lane's scores become its share of P with no detour
// through shared memory where the unit's layouts allow.
//
//   QueryTile, KeyTile, ChainTile   operands: 16 queries by 16 columns; 16 keys by 16 columns, or
//     16 columns of V by 16 keys; P: 16 queries by 16 keys. LoadTile (tile.h) loads the first two.
//   void LoadTileTransposed(KeyTile&, const U32x4* rows, row, chunk, lane)   the columns [8 chunk,
//     8 chunk + 16) of rows [row, row + 16) as 16 rows of the operand. lane: a FreshLane().
//   uint32_t FreshLane()   LaneId(). Call it once in each round of a loop.
//   void MultiplyScores(TileSum& s, const QueryTile&, const KeyTile&)
//   void MakeChain(ChainTile& p, const TileSum& s)   s rounded to f16.
//   void MultiplyChain(TileSum& o, const ChainTile& p, const KeyTile& v)
//   Value i of a lane, in s and in o: query ChainQuery(i), key or column ChainOther(i). The lane
//   has kChainQueries different queries; value i belongs to number ChainSlot(i) of them.
//   ChainMax(v), ChainSum(v)   over the lanes that share this lane's query.
// All but the coordinates are wave collectives.
#pragma once

#include "kernels/gpu/port/tile.h"

// 1 where the compiler keeps the tiles of attention over 64 n columns in registers. Elsewhere a
// kernel of them would spill and is left out; the launcher sees that its name is missing.
#if defined(__GFX10__)
#define RF_PORT_CHAIN_TILES(n) ((n) != 2)
#else
#define RF_PORT_CHAIN_TILES(n) 1
#endif

namespace rocforge::port {

// Two floats rounded to f16, the first in the low half.
RF_DEVICE uint32_t PackHalves(float low, float high) {
#if defined(__NVPTX__)
  uint32_t packed;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
#else
  return FloatToHalf(low) | static_cast<uint32_t>(FloatToHalf(high)) << 16;
#endif
}

// The lane's number, hidden from clang, so that what follows from it is computed in each round of a
// loop: else clang holds the addresses of all of a loop's LoadTileTransposed in registers, up to a
// hundred of them.
RF_DEVICE uint32_t FreshLane() {
#if defined(__AMDGCN__)
  return static_cast<uint32_t>(Pinned(static_cast<int>(LaneId())));
#else
  return LaneId();
#endif
}

#if defined(__GFX11__) || defined(__GFX12__) || defined(__gfx942__)

// Transposed: keys are A's rows, queries B's, so that a lane's scores are of one query.
namespace {
using QueryTile = TileB;
using KeyTile = TileA;
using ChainTile = TileB;
constexpr uint32_t kChainQueries = 1;
}  // namespace

RF_DEVICE uint32_t ChainQuery(uint32_t i) { return TileColumn(i); }
RF_DEVICE uint32_t ChainOther(uint32_t i) { return TileRow(i); }
RF_DEVICE constexpr uint32_t ChainSlot(uint32_t) { return 0; }

// Pairs of columns, of which one is wanted: whole words need no loads into halves of registers,
// which wait for the other half.
RF_DEVICE void LoadTileTransposed(KeyTile& tile, const U32x4* rows, uint32_t row, uint32_t chunk,
                                  uint32_t lane) {
  typedef uint32_t Word __attribute__((may_alias));
  typedef uint32_t Words __attribute__((ext_vector_type(kLaneHalves / 2)));
  const uint32_t column = lane % 16;
  const uint32_t first = kLaneHalves == 16 ? row : row + lane / 16 * kLaneHalves;
  const uint32_t choose = column % 2 != 0 ? 0x07060302u : 0x05040100u;
  const auto pair_of = [&](uint32_t key) {
    const U32x4* at = rows + SwizzledChunk(key, chunk + column / 8);
    return reinterpret_cast<const Word*>(at)[column % 8 / 2];
  };
  Words words;
  RF_UNROLL
  for (uint32_t i = 0; i < kLaneHalves / 2; ++i) {
    words[i] = __builtin_amdgcn_perm(pair_of(first + 2 * i + 1), pair_of(first + 2 * i), choose);
  }
  tile.v = BitCast<TileHalves>(words);
}

RF_DEVICE void MakeChain(ChainTile& p, const TileSum& s) {
#if defined(__GFX11__)
  // A lane has every second key, the lane 16 further the others; a row of B is all of them.
  const bool odd = LaneId() >= 16;
  RF_UNROLL
  for (uint32_t i = 0; i < 8; i += 2) {
    const uint32_t mine = PackHalves(s.v[i], s.v[i + 1]);
    const uint32_t other = ShuffleXor(mine, 16);
    const uint32_t even_keys = odd ? other : mine;
    const uint32_t odd_keys = odd ? mine : other;
    p.v[2 * i] = BitCast<_Float16>(static_cast<uint16_t>(even_keys));
    p.v[2 * i + 1] = BitCast<_Float16>(static_cast<uint16_t>(odd_keys));
    p.v[2 * i + 2] = BitCast<_Float16>(static_cast<uint16_t>(even_keys >> 16));
    p.v[2 * i + 3] = BitCast<_Float16>(static_cast<uint16_t>(odd_keys >> 16));
  }
#else
  RF_UNROLL
  for (uint32_t i = 0; i < kTileValues; ++i) p.v[i] = static_cast<_Float16>(s.v[i]);
#endif
}

RF_DEVICE void MultiplyScores(TileSum& s, const QueryTile& q, const KeyTile& k) {
  MultiplyTile(s, k, q);
}
RF_DEVICE void MultiplyChain(TileSum& o, const ChainTile& p, const KeyTile& v) {
  MultiplyTile(o, v, p);
}

RF_DEVICE float ChainMax(float v) {
  RF_UNROLL
  for (uint32_t mask = 16; mask < kWaveSize; mask *= 2) {
    const float other = ShuffleXor(v, mask);
    v = v > other ? v : other;
  }
  return v;
}
RF_DEVICE float ChainSum(float v) {
  RF_UNROLL
  for (uint32_t mask = 16; mask < kWaveSize; mask *= 2) v += ShuffleXor(v, mask);
  return v;
}

#else

// Queries are A's rows; four neighbouring lanes share a query.
namespace {
using QueryTile = TileA;
using KeyTile = TileB;
using ChainTile = TileA;
constexpr uint32_t kChainQueries = 64 / kWaveSize;
}  // namespace

RF_DEVICE uint32_t ChainQuery(uint32_t i) { return TileRow(i); }
RF_DEVICE uint32_t ChainOther(uint32_t i) { return TileColumn(i); }

// Dot products without a matrix unit (RDNA2) take all operands of a tile in registers: the compiler
// must not load those of the next tile before they are done.
RF_DEVICE void EndOfTile() {
#if defined(__AMDGCN__)
  __builtin_amdgcn_sched_barrier(0);
#endif
}
RF_DEVICE void MultiplyScores(TileSum& s, const QueryTile& q, const KeyTile& k) {
  MultiplyTile(s, q, k);
  EndOfTile();
}
RF_DEVICE void MultiplyChain(TileSum& o, const ChainTile& p, const KeyTile& v) {
  MultiplyTile(o, p, v);
  EndOfTile();
}

RF_DEVICE float ChainMax(float v) {
  RF_UNROLL
  for (uint32_t mask = 1; mask < 4; mask *= 2) {
    const float other = ShuffleXor(v, mask);
    v = v > other ? v : other;
  }
  return v;
}
RF_DEVICE float ChainSum(float v) {
  RF_UNROLL
  for (uint32_t mask = 1; mask < 4; mask *= 2) v += ShuffleXor(v, mask);
  return v;
}

#if defined(__NVPTX__)

RF_DEVICE constexpr uint32_t ChainSlot(uint32_t i) { return i / 2 % 2; }

RF_DEVICE void LoadTileTransposed(KeyTile& tile, const U32x4* rows, uint32_t row, uint32_t chunk,
                                  uint32_t lane) {
  const U32x4* at = rows + SwizzledChunk(row + lane % 16, chunk + lane / 16);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(tile.v[0]), "=r"(tile.v[1]), "=r"(tile.v[2]), "=r"(tile.v[3])
               : "r"(SharedAddress(at))
               : "memory");
}

// The layout of D in mma.sync is that of A: only the rounding is left.
RF_DEVICE void MakeChain(ChainTile& p, const TileSum& s) {
  RF_UNROLL
  for (uint32_t i = 0; i < 4; ++i) p.v[i] = PackHalves(s.v[2 * i], s.v[2 * i + 1]);
}

#else

RF_DEVICE constexpr uint32_t ChainSlot(uint32_t i) { return i / kPatchColumns; }

// f16 in shared memory that was written in wider pieces.
typedef uint16_t TileHalf __attribute__((may_alias));

RF_DEVICE void LoadTileTransposed(KeyTile& tile, const U32x4* rows, uint32_t row, uint32_t chunk,
                                  uint32_t lane) {
  RF_UNROLL
  for (uint32_t c = 0; c < kPatchColumns; ++c) {
    const uint32_t column = kPatchColumns * (lane % 4) + c;
    RF_UNROLL
    for (uint32_t pair = 0; pair < 8; ++pair) {
      const auto half = [&](uint32_t k) -> uint32_t {
        const U32x4* at = rows + SwizzledChunk(row + k, chunk + column / 8);
        return reinterpret_cast<const TileHalf*>(at)[column % 8];
      };
      tile.v[c][pair / 4][pair % 4] = half(2 * pair) | half(2 * pair + 1) << 16;
    }
  }
}

RF_DEVICE void MakeChain(ChainTile& p, const TileSum& s) {
  RF_UNROLL
  for (uint32_t r = 0; r < kPatchRows; ++r) {
    const float* row = s.v + r * kPatchColumns;
    const uint32_t mine[2] = {PackHalves(row[0], row[1]), PackHalves(row[2], row[3])};
    RF_UNROLL
    for (uint32_t pair = 0; pair < 8; ++pair)
      p.v[r][pair / 4][pair % 4] = Shuffle(mine[pair % 2], LaneId() / 4 * 4 + pair / 2);
  }
}

#endif
#endif

}  // namespace rocforge::port
