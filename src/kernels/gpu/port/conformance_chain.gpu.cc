// A kernel that exercises each promise of tile_chain.h once.
#include "kernels/gpu/port/conformance_args.h"
#include "kernels/gpu/port/tile_chain.h"

namespace rocforge::port {
namespace {

struct ChainShared {
  U32x4 q[16 * kTileRowChunks];
  U32x4 k[16 * kTileRowChunks];
  U32x4 v[16 * kTileRowChunks];
};

RF_DEVICE void FillRows(U32x4* to, const U32x4* from) {
  for (uint32_t i = ThreadId(); i < 16 * kTileRowChunks; i += BlockDim())
    to[SwizzledChunk(i / kTileRowChunks, i % kTileRowChunks)] = from[i];
}

}  // namespace

// in: Q, K and V, each 16 rows of 64 f16. One wave. out, as floats: S = Q K^T [16, 16]; the maximum
// and the sum over the keys of each query [16], [16]; O = f16(S) V [16, 64].
RF_KERNEL(conformance_chain, ConformanceArgs, kWaveSize) {
  ChainShared& shared = SharedBlock<ChainShared>();
  const U32x4* in = reinterpret_cast<const U32x4*>(args.in);
  FillRows(shared.q, in);
  FillRows(shared.k, in + 16 * kTileRowChunks);
  FillRows(shared.v, in + 32 * kTileRowChunks);
  BlockBarrier();
  TileSum s;
  RF_UNROLL
  for (uint32_t i = 0; i < kTileValues; ++i) s.v[i] = 0.0f;
  RF_UNROLL
  for (uint32_t step = 0; step < 4; ++step) {
    QueryTile q;
    KeyTile k;
    LoadTile(q, shared.q, 0, 2 * step);
    LoadTile(k, shared.k, 0, 2 * step);
    MultiplyScores(s, q, k);
  }
  float most[kChainQueries];
  float sum[kChainQueries];
  RF_UNROLL
  for (uint32_t slot = 0; slot < kChainQueries; ++slot) {
    most[slot] = -1e30f;
    sum[slot] = 0.0f;
    RF_UNROLL
    for (uint32_t i = 0; i < kTileValues; ++i) {
      if (ChainSlot(i) == slot) {
        most[slot] = s.v[i] > most[slot] ? s.v[i] : most[slot];
        sum[slot] += s.v[i];
      }
    }
    most[slot] = ChainMax(most[slot]);
    sum[slot] = ChainSum(sum[slot]);
  }
  RF_UNROLL
  for (uint32_t i = 0; i < kTileValues; ++i) {
    const uint32_t query = ChainQuery(i);
    args.out[16 * query + ChainOther(i)] = BitCast<uint32_t>(s.v[i]);
    args.out[256 + query] = BitCast<uint32_t>(most[ChainSlot(i)]);
    args.out[272 + query] = BitCast<uint32_t>(sum[ChainSlot(i)]);
  }
  ChainTile p;
  MakeChain(p, s);
  RF_UNROLL
  for (uint32_t t = 0; t < 4; ++t) {
    TileSum o;
    RF_UNROLL
    for (uint32_t i = 0; i < kTileValues; ++i) o.v[i] = 0.0f;
    KeyTile v;
    LoadTileTransposed(v, shared.v, 0, 2 * t, FreshLane());
    MultiplyChain(o, p, v);
    RF_UNROLL
    for (uint32_t i = 0; i < kTileValues; ++i)
      args.out[288 + 64 * ChainQuery(i) + 16 * t + ChainOther(i)] = BitCast<uint32_t>(o.v[i]);
  }
}

}  // namespace rocforge::port
