// Kernels that exercise each promise of port.h once, so that one test can hold all ports to the
// specification.
#include "kernels/gpu/port/conformance_args.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {

RF_DEVICE uint32_t GlobalThread() { return BlockId() * BlockDim() + ThreadId(); }

// out[8 i ..] = thread, block, lane, wave, block size, grid size, block and grid size in y of
// thread i, counted through all blocks of y = 0 first.
RF_KERNEL(conformance_geometry, ConformanceArgs, 256) {
  uint32_t* row = args.out + 8 * (BlockIdY() * GridDim() * BlockDim() + GlobalThread());
  row[0] = ThreadId();
  row[1] = BlockId();
  row[2] = LaneId();
  row[3] = WaveId();
  row[4] = BlockDim();
  row[5] = GridDim();
  row[6] = BlockIdY();
  row[7] = GridDimY();
}

// out[i] = in of the lane that differs from mine by XOR with the parameter.
RF_KERNEL(conformance_shuffle_xor, ConformanceArgs, 256) {
  const uint32_t i = GlobalThread();
  args.out[i] = ShuffleXor(args.in[i], args.parameter);
}

// Exchanges by constant masks whose results only some lanes use: out[i], at most lane 4 of each
// wave, = the sum of 2^k times in of lane ^ mask k, masks 1, 2, 3, 4, 5, 7, 8, 15, 16.
RF_KERNEL(conformance_shuffle_few, ConformanceArgs, 256) {
  const uint32_t i = GlobalThread();
  const uint32_t v = args.in[i];
  uint32_t sum = ShuffleXor(v, 1u) + 2 * ShuffleXor(v, 2u) + 4 * ShuffleXor(v, 3u);
  sum += 8 * ShuffleXor(v, 4u) + 16 * ShuffleXor(v, 5u) + 32 * ShuffleXor(v, 7u);
  sum += 64 * ShuffleXor(v, 8u) + 128 * ShuffleXor(v, 15u);
  const uint32_t other_row = ShuffleXor(v, 16u);
  if (LaneId() < 5) args.out[i] = sum + 256 * other_row;
}

// out[i] = in of the lane that in[i] names, modulo the wave.
RF_KERNEL(conformance_shuffle, ConformanceArgs, 256) {
  const uint32_t i = GlobalThread();
  args.out[i] = Shuffle(args.in[i], args.in[i] % kWaveSize);
}

// out[i] = the sum of in of the lanes of mine's 4, 8, 16 and 32 that in[i] names, modulo those.
RF_KERNEL(conformance_shuffle_among, ConformanceArgs, 256) {
  const uint32_t i = GlobalThread();
  const uint32_t v = args.in[i];
  args.out[i] = ShuffleAmong<4>(v, v % 4) + ShuffleAmong<8>(v, v % 8) +
                ShuffleAmong<16>(v, v % 16) + ShuffleAmong<32>(v, v % 32);
}

// out[i] = in[number of the wave in the grid] + its lane.
RF_KERNEL(conformance_uniform, ConformanceArgs, 256) {
  const uint32_t i = GlobalThread();
  args.out[i] = args.in[Uniform(i / kWaveSize)] + LaneId();
}

// out[2 i ..] = the two halves of the ballot of (in[i] & 1).
RF_KERNEL(conformance_ballot, ConformanceArgs, 256) {
  const uint32_t i = GlobalThread();
  const uint64_t ballot = Ballot((args.in[i] & 1u) != 0);
  args.out[2 * i] = static_cast<uint32_t>(ballot);
  args.out[2 * i + 1] = static_cast<uint32_t>(ballot >> 32);
}

namespace {
struct Exchange {
  uint32_t values[256];
};
}  // namespace

// out = in with each block reversed, through shared memory, `parameter` times.
RF_KERNEL(conformance_barrier, ConformanceArgs, 256) {
  Exchange& shared = SharedBlock<Exchange>();
  const uint32_t i = GlobalThread();
  uint32_t value = args.in[i];
  for (uint32_t round = 0; round < args.parameter; ++round) {
    shared.values[ThreadId()] = value;
    BlockBarrier();
    value = shared.values[BlockDim() - 1 - ThreadId()];
    BlockBarrier();
  }
  args.out[i] = value;
}

// out[i] = sum over the rounds of in of the mirrored thread, rotated by the round, which is loaded
// before the barriers and used after them.
RF_KERNEL(conformance_shared_barrier, ConformanceArgs, 256) {
  Exchange& shared = SharedBlock<Exchange>();
  const uint32_t first = BlockId() * BlockDim();
  uint32_t next = args.in[first + ThreadId()];
  uint32_t sum = 0;
  for (uint32_t round = 1; round <= args.parameter; ++round) {
    shared.values[ThreadId()] = next;
    next = args.in[first + (ThreadId() + round) % BlockDim()];
    SharedBarrier();
    sum += shared.values[BlockDim() - 1 - ThreadId()];
    SharedBarrier();
  }
  args.out[first + ThreadId()] = sum;
}

// out[i] = Dot4(in[3 i], in[3 i + 1], in[3 i + 2]).
RF_KERNEL(conformance_dot4, ConformanceArgs, 256) {
  const uint32_t i = GlobalThread();
  if (i >= args.n) return;
  const uint32_t* row = args.in + 3 * i;
  args.out[i] = static_cast<uint32_t>(Dot4(
      static_cast<int32_t>(row[0]), static_cast<int32_t>(row[1]), static_cast<int32_t>(row[2])));
}

// Of in[5 i ..]: out[3 i] = LookUp8(in[0], in[1], in[4] without the top bits of its nibbles),
// out[3 i + 1] and out[3 i + 2] = LookUp16 of in[0..4] with in[4].
RF_KERNEL(conformance_look_up, ConformanceArgs, 256) {
  const uint32_t i = GlobalThread();
  if (i >= args.n) return;
  const uint32_t* row = args.in + 5 * i;
  const uint32_t table[4] = {row[0], row[1], row[2], row[3]};
  args.out[3 * i] = LookUp8(row[0], row[1], row[4] & 0x77777777u);
  LookUp16(table, row[4], args.out + 3 * i + 1, args.out + 3 * i + 2);
}

// out[6 i ..] = FastExp2, FastLog2, FastRcp, FastRsqrt of in[i] as a float, Fma(x, x, -x * x
// rounded), and 0.
RF_KERNEL(conformance_math, ConformanceArgs, 256) {
  const uint32_t i = GlobalThread();
  if (i >= args.n) return;
  const float x = BitCast<float>(args.in[i]);
  uint32_t* row = args.out + 6 * i;
  row[0] = BitCast<uint32_t>(FastExp2(x));
  row[1] = BitCast<uint32_t>(FastLog2(x));
  row[2] = BitCast<uint32_t>(FastRcp(x));
  row[3] = BitCast<uint32_t>(FastRsqrt(x));
  row[4] = BitCast<uint32_t>(Fma(x, x, -(x * x)));
  row[5] = 0;
}

// out[4 i ..] = FloatToHalf and FloatToBf16 of in[i] as a float; HalfToFloat and Bf16ToFloat of its
// low 16 bits.
RF_KERNEL(conformance_convert, ConformanceArgs, 256) {
  const uint32_t i = GlobalThread();
  if (i >= args.n) return;
  const float x = BitCast<float>(args.in[i]);
  const uint16_t bits = static_cast<uint16_t>(args.in[i]);
  uint32_t* row = args.out + 4 * i;
  row[0] = FloatToHalf(x);
  row[1] = FloatToBf16(x);
  row[2] = BitCast<uint32_t>(HalfToFloat(bits));
  row[3] = BitCast<uint32_t>(Bf16ToFloat(bits));
}

// out = in by 16-byte streaming loads; n is a multiple of 4 words.
RF_KERNEL(conformance_stream, ConformanceArgs, 256) {
  const uint32_t i = GlobalThread();
  if (4 * i >= args.n) return;
  const U32x4* in = reinterpret_cast<const U32x4*>(args.in);
  Prefetch(in + i);
  reinterpret_cast<U32x4*>(args.out)[i] = LoadStream(in + i);
}

// counter[0] += in[i], as integers; the float at counter[1] += 0.5 per thread; out[i] = 1 if the
// old value was plausible.
RF_KERNEL(conformance_atomics, ConformanceArgs, 256) {
  const uint32_t i = GlobalThread();
  if (i >= args.n) return;
  const uint32_t old = AtomicAdd(args.counter, args.in[i]);
  const float old_sum = AtomicAdd(reinterpret_cast<float*>(args.counter + 1), 0.5f);
  args.out[i] =
      old <= args.parameter && old_sum >= 0.0f && old_sum < static_cast<float>(args.n) ? 1u : 0u;
}

namespace {
struct SharedCounts {
  uint32_t count[8];
};
}  // namespace

// out[block * 8 + i]: the sum of the words that are i modulo 8 in the block's part of in.
RF_KERNEL(conformance_shared_add, ConformanceArgs, 256) {
  SharedCounts& shared = SharedBlock<SharedCounts>();
  if (ThreadId() < 8) shared.count[ThreadId()] = 0;
  BlockBarrier();
  const uint32_t value = args.in[GlobalThread()];
  SharedAdd(&shared.count[value % 8], value);
  BlockBarrier();
  if (ThreadId() < 8) args.out[BlockId() * 8 + ThreadId()] = shared.count[ThreadId()];
}

// `parameter` rounds in which each block reads what its neighbour wrote in the round before;
// out[block] is the sum.
RF_KERNEL(conformance_grid_barrier, ConformanceArgs, 256) {
  uint32_t value = args.in[BlockId()];
  for (uint32_t round = 0; round < args.parameter; ++round) {
    if (ThreadId() == 0) StoreRelease(args.out + BlockId(), value);
    GridBarrier(args.counter, GridDim());
    value += LoadAcquire(args.out + (BlockId() + 1) % GridDim());
    GridBarrier(args.counter, GridDim());
  }
  if (ThreadId() == 0) args.out[BlockId()] = value;
}

namespace {
struct Copies {
  U32x4 chunks[256];
};
}  // namespace

// out = in with the 16-byte chunks of each block reversed, through CopyAsync; n is ignored.
RF_KERNEL(conformance_copy, ConformanceArgs, 256) {
  Copies& shared = SharedBlock<Copies>();
  const uint32_t i = GlobalThread();
  CopyAsync(&shared.chunks[ThreadId()], reinterpret_cast<const U32x4*>(args.in) + i);
  CopyWait();
  BlockBarrier();
  reinterpret_cast<U32x4*>(args.out)[i] = shared.chunks[BlockDim() - 1 - ThreadId()];
}

namespace {
struct LastBlock {
  uint32_t is_last;
};
}  // namespace

// Each thread writes out[BlockDim() + i] = in[i]; each thread t of the last block then sums up into
// out[t] what the threads t of all blocks wrote.
RF_KERNEL(conformance_last_block, ConformanceArgs, 256) {
  LastBlock& shared = SharedBlock<LastBlock>();
  args.out[BlockDim() + GlobalThread()] = args.in[GlobalThread()];
  if (!IsLastBlock(args.counter, GridDim(), shared.is_last)) return;
  uint32_t sum = 0;
  for (uint32_t b = 1; b <= GridDim(); ++b) sum += args.out[b * BlockDim() + ThreadId()];
  args.out[ThreadId()] = sum;
}

// Asks for ranges of in before it is copied to out: all of it, its parameter first words of 4,
// none.
RF_KERNEL(conformance_prefetch, ConformanceArgs, 256) {
  if (ThreadId() == 0) {
    PrefetchRange(args.in, 4 * args.n);
    PrefetchRange(args.in + 4, 16 * args.parameter);
    Prefetch(args.in);
  }
  const uint32_t i = GlobalThread();
  if (i < args.n) args.out[i] = args.in[i];
}

// out[0] and out[1]: 1 where the clock did not go back within a thread and had moved after much
// work.
RF_KERNEL(conformance_clock, ConformanceArgs, 256) {
  const uint64_t begin = Clock();
  uint32_t x = args.in[0] | 1u;
  for (uint32_t i = 0; i < args.parameter; ++i) x = x * 1664525u + 1013904223u;
  const uint64_t end = Clock();
  if (GlobalThread() != 0) return;
  args.out[0] = end >= begin ? 1u : 0u;
  args.out[1] = end > begin ? 1u : 0u;
  args.out[2] = x;
}

}  // namespace rocforge::port
