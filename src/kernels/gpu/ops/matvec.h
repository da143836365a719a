// Quantised weights times one vector, or up to eight (op.h: MatMul, MoeMatMul): the cores of the
// matvec kernels. x is rounded to signed bytes (quantize_rows.h), products are sums of Dot4.
//
// One vector (MatvecOne). The block quantises x into shared memory itself, which saves a launch,
// and with kNorm normalises it before, which saves another; its waves then walk over the rows of
// the weights. A wave takes a row (with GLU the same row of gate and up), a lane every kWaveSize-th
// unit of it. kInFlight units a lane are loaded ahead: the first ones before x is even read, the
// next ones as soon as one is used, across the ends of rows, so that memory never waits for
// arithmetic. A block takes at most half of a multiprocessor, and there are two: where one ends, a
// block of the next launch takes its place, with its first units on their way into registers before
// x is there.
//   Arithmetic on an H200: 4.6 TB/s are 20 bytes a clock and multiprocessor. 32 units of Q4_K (a
//   wave's step) are 592 bytes, 30 clocks, 118 issue slots; the step is about 40 instructions (8
//   Dot4, 12 to take nibbles apart, 3 loads of weights, 3 of x) and 16 clocks of the load unit (6
//   for weights, 10 for x). A row of 4096 adds 20 instructions for its sum. So half of the issue
//   slots are free, and with 32 waves of 4 units 74 KiB a multiprocessor are under way, where 700
//   ns at 35 bytes a ns need 25 KiB. Measured (all matrices of 7B): 816 passes a second.
//   What a launch takes beside its bytes is about 2.1 us, so what stands between the launch before
//   and the last sum is written for its latency: everything constant is read before, loads of whole
//   steps have constant offsets, the norm's divisor is left to the end (RoundIntoShared), numbers
//   that are the wave's are computed once a wave (Uniform), and no use of x or of a residual shares
//   a counter of NVIDIA's with weights that are on their way: loads that are used in another basic
//   block share one, and who waits for one of them waits for all (docs/PERFORMANCE.md).
//   On a 7900 XTX, 960 GB/s are 8 bytes a clock and WGP (48 of them): 74 clocks for the same step
//   on four SIMDs; instructions do not matter there.
//
// Several vectors (MatvecMany). x was quantised by quantize_rows into scratch and is read through
// the first-level cache; a wave takes two rows, so that a unit of x serves both.
#pragma once

#include "kernels/gpu/ops/activation.h"
#include "kernels/gpu/ops/matvec_rows.h"
#include "kernels/gpu/ops/matvec_x.h"
#include "kernels/gpu/ops/quantize_rows_args.h"
#include "kernels/gpu/wave/reduce.h"

namespace rocforge::port {
namespace {

// Where a lane's next loads come from: units unit + k * kWaveSize of `kRows` rows.
template <uint32_t kRows>
struct MatvecCursor {
  const uint8_t* row[kRows];
  uint32_t task;
  uint32_t unit;  // of lane 0
};

// Units a lane and row that are loaded ahead: what fits 64 registers without spills.
template <uint32_t kType>
constexpr uint32_t UnitsInFlight(uint32_t rows, bool norm) {
  const bool large = kType == gpu::kWeightQ8_0 || kType == gpu::kWeightNVFP4;
  const bool large_pair = kType == gpu::kWeightQ6_K || kType == gpu::kWeightIQ4_XS ||
                          kType == gpu::kWeightQ5_0 || (kType == gpu::kWeightQ5_K && norm);
  const uint32_t units = (large || (large_pair && rows > 1) ? 64 : 128) / kWaveSize / rows;
  return units > 0 ? units : 1;
}

// Block `block` of n_blocks. A row of x per y of the grid. kGlu: two weights whose rows are taken
// together. kNorm: args.norm_weight is set; one row of x and no experts.
template <uint32_t kType, bool kGlu, bool kNorm = false>
RF_DEVICE void MatvecOne(const MatvecArgs& args, uint32_t block, uint32_t n_blocks) {
  constexpr uint32_t kRows = kGlu ? 2 : 1;
  constexpr uint32_t kInFlight = UnitsInFlight<kType>(kRows, kNorm);
  constexpr uint32_t kStep = kInFlight * kWaveSize;  // units of a row that a wave takes at once
  auto& shared = SharedBlock<MatvecShared<kType>>();
  CopyCodeBook<kType>(shared.book);
  const Weight& w = args.weight[0];
  const uint32_t n_tasks = kGlu ? w.n_rows : TotalRows(args);
  const uint64_t r = kNorm ? 0 : BlockIdY();
  uint64_t expert = 0;
  if (!kNorm && args.ids != nullptr) {
    AwaitPrevious();
    expert = static_cast<uint64_t>(args.ids[r]);
  }
  const uint64_t expert_offset = expert * w.expert_bytes;
  const uint32_t n_units = w.n_units;

  const auto place = [&](MatvecCursor<kRows>& c) {
    if (kGlu || args.weight[1].n_rows == 0) {
      c.row[0] = FirstTaskAt(args, c.task, expert, expert_offset).row;
    } else {
      c.row[0] = TaskAt(args, c.task, expert, expert_offset).row;
    }
    if constexpr (kGlu) {
      c.row[1] = args.weight[1].data + expert_offset + static_cast<uint64_t>(c.task) * w.row_bytes;
    }
  };
  RawUnit raw[kInFlight][kRows];
  const auto whole = [&](uint32_t unit) { return unit + kStep <= n_units; };
  // Unit i / kRows of a step, of row i % kRows.
  const auto load_one = [&](const MatvecCursor<kRows>& c, uint32_t i) {
    raw[i / kRows][i % kRows] =
        LoadRaw<kType>(w, c.row[i % kRows], c.unit + LaneId(), i / kRows * kWaveSize);
  };
  // Beyond the row's end the last unit is read again: it is in the cache, and multiplied by 0.
  const auto load_one_within = [&](const MatvecCursor<kRows>& c, uint32_t i) {
    const uint32_t unit = c.unit + i / kRows * kWaveSize + LaneId();
    raw[i / kRows][i % kRows] =
        LoadRaw<kType>(w, c.row[i % kRows], unit < n_units ? unit : n_units - 1);
  };
  MatvecCursor<kRows> ahead;
  const uint32_t stride = n_blocks * (BlockDim() / kWaveSize);
  ahead.task = Uniform(WaveId()) * n_blocks + block;
  ahead.unit = 0;
  bool more = ahead.task < n_tasks;
  // A wave without a task loads the last row: code that need not ask is shorter, and every launch
  // waits for it.
  if (!more) ahead.task = n_tasks - 1;
  place(ahead);
  const auto load_first = [&]<uint32_t kFrom, uint32_t kTo>() {
    if (whole(0)) {
#pragma unroll
      for (uint32_t i = kFrom; i < kTo; ++i) load_one(ahead, i);
    } else {
#pragma unroll
      for (uint32_t i = kFrom; i < kTo; ++i) load_one_within(ahead, i);
    }
  };
  // The norm wants the registers of a unit of Q6_K.
  constexpr uint32_t kAll = kInFlight * kRows;
  constexpr uint32_t kEarly = kNorm && kType == gpu::kWeightQ6_K ? kAll - 1 : kAll;
  load_first.template operator()<0, kEarly>();
  const uint32_t padded_units = (n_units + kStep - 1) / kStep * kStep;
  if constexpr (kNorm) {
    // From memory to the second-level cache, where 32 floats a thread are enough for any row.
    if (32 * ThreadId() < args.cols) Prefetch(args.norm_weight + 32 * ThreadId());
  }
  MatvecEnd end = EndAt<kGlu>(args, ahead.task, r, expert);
  const uint64_t x_row = kNorm || args.rows_per_x <= 1 ? r : r / args.rows_per_x;
  AwaitPrevious();
  float residual = ResidualAt(args, end);
  RoundIntoShared<kType, kNorm>(args, args.x + x_row * args.cols, padded_units, shared);
  load_first.template operator()<kEarly, kAll>();
  const float norm_scale = kNorm ? NormScale<kType>(args, shared) : 1.0f;

  while (more) {
    // Near the end, so that what the next launch loads ahead is not gone again before it is used.
    if (ahead.task + 2 * stride >= n_tasks) LetNextStart();
    float sum[kRows] = {};
    bool row_ends = false;
    while (!row_ends) {
      const uint32_t unit = ahead.unit;
      ahead.unit += kStep;
      row_ends = ahead.unit >= n_units;
      if (row_ends) {
        ahead.unit = 0;
        ahead.task += stride;
        more = ahead.task < n_tasks;
        if (more) place(ahead);
      }
      const QuantisedRow x = {shared.low + unit + LaneId(), shared.high + unit + LaneId(),
                              shared.aux + unit + LaneId()};
      const auto multiply = [&](uint32_t k) {
        const XUnit xu = LoadX(x, k * kWaveSize);
#pragma unroll
        for (uint32_t j = 0; j < kRows; ++j)
          sum[j] = DotUnit<kType>(Decode<kType>(raw[k][j], shared.book.codes), xu, sum[j]);
      };
      if (whole(unit) && more && whole(ahead.unit)) {
#pragma unroll
        for (uint32_t k = 0; k < kInFlight; ++k) {
          multiply(k);
#pragma unroll
          for (uint32_t j = 0; j < kRows; ++j) load_one(ahead, k * kRows + j);
        }
      } else if (whole(unit) && !more) {
#pragma unroll
        for (uint32_t k = 0; k < kInFlight; ++k) multiply(k);
      } else {
#pragma unroll
        for (uint32_t k = 0; k < kInFlight; ++k) {
          if (unit + k * kWaveSize < n_units) multiply(k);
          if (more) {
#pragma unroll
            for (uint32_t j = 0; j < kRows; ++j) load_one_within(ahead, k * kRows + j);
          }
        }
      }
    }
#pragma unroll
    for (uint32_t j = 0; j < kRows; ++j) sum[j] = WaveSum(sum[j]) * norm_scale;
    if (LaneId() == 0) {
      float y;
      if constexpr (kGlu) {
        y = GatedActivation(args.glu, sum[0] + end.bias, sum[kRows - 1] + end.bias_up, args.alpha,
                            args.limit);
      } else {
        y = sum[0] + end.bias;
        if (args.residual != nullptr) y = Fma(args.out_scale, y, residual);
      }
      StoreGlobal(end.out, y);
    }
    if (more) {
      // Early, so that they arrive while the row is summed.
      end = EndAt<kGlu>(args, ahead.task, r, expert);
      residual = ResidualAt(args, end);
    }
  }
}

// Two types of weights that read the same x: blocks [0, first_blocks) take the first.
template <bool kNorm>
RF_DEVICE void MatvecPair(const gpu::MatvecPairArgs& args) {
  if (BlockId() < args.first_blocks) {
    MatvecOne<gpu::kWeightQ4_K, false, kNorm>(args.first, BlockId(), args.first_blocks);
  } else {
    MatvecOne<gpu::kWeightQ6_K, false, kNorm>(args.second, BlockId() - args.first_blocks,
                                              GridDim() - args.first_blocks);
  }
}

// kMaxMatvecColumns rows of x per y of the grid, quantised in args.quantised_x. No GLU, no experts.
template <uint32_t kType>
RF_DEVICE void MatvecMany(const MatvecArgs& args) {
  LetNextStart();
  constexpr uint32_t kColumns = gpu::kMaxMatvecColumns;
  constexpr uint32_t kRows = 2;
  const Weight& w = args.weight[0];
  const uint32_t total = TotalRows(args);
  const uint32_t r = BlockIdY() * kColumns;
  const uint32_t n_columns = args.n_rows - r < kColumns ? args.n_rows - r : kColumns;
  const uint32_t first = (BlockId() * (BlockDim() / kWaveSize) + WaveId()) * kRows;
  const typename CodeBook<kType>::Entry* codes = nullptr;
  if constexpr (CodeBook<kType>::kEntries > 0) {
    auto& book = SharedBlock<CodesShared<kType>>();
    CopyCodeBook<kType>(book);
    BlockBarrier();
    codes = book.codes;
  }
  if (first >= total) return;
  MatvecTask t[kRows];
#pragma unroll
  for (uint32_t j = 0; j < kRows; ++j)
    t[j] = TaskAt(args, first + j < total ? first + j : first, 0, 0);
  const auto load = [&](uint32_t unit, RawUnit(&raw)[kRows]) {
#pragma unroll
    for (uint32_t j = 0; j < kRows; ++j) raw[j] = LoadRaw<kType>(w, t[j].row, unit);
  };
  // One step ahead in registers, the rest of the rows on the way to the second-level cache.
  RawUnit ahead[kRows];
  load(LaneId() < w.n_units ? LaneId() : w.n_units - 1, ahead);
  if (LaneId() < kRows) PrefetchRange(LaneId() == 0 ? t[0].row : t[1].row, w.row_bytes);
  AwaitPrevious();
  const uint64_t x_bytes = gpu::QuantisedRowBytes(args.cols);
  float sum[kColumns][kRows] = {};
  for (uint32_t unit = LaneId(); unit < w.n_units; unit += kWaveSize) {
    Unit units[kRows];
#pragma unroll
    for (uint32_t j = 0; j < kRows; ++j) units[j] = Decode<kType>(ahead[j], codes);
    if (unit + kWaveSize < w.n_units) load(unit + kWaveSize, ahead);
    uint8_t* at = args.quantised_x + r * x_bytes;
#pragma unroll
    for (uint32_t c = 0; c < kColumns; ++c) {
      if (c < n_columns) {
        const QuantisedRow x = {reinterpret_cast<U32x4*>(at),
                                reinterpret_cast<U32x4*>(at + 16 * w.n_units),
                                reinterpret_cast<U32x2*>(at + 32 * w.n_units)};
        const XUnit xu = LoadX(x, unit);
#pragma unroll
        for (uint32_t j = 0; j < kRows; ++j) sum[c][j] = DotUnit<kType>(units[j], xu, sum[c][j]);
        at += x_bytes;
      }
    }
  }
#pragma unroll
  for (uint32_t j = 0; j < kRows; ++j) {
#pragma unroll
    for (uint32_t c = 0; c < kColumns; ++c) {
      if (c < n_columns && first + j < total) {
        const float y = WaveSum(sum[c][j]);
        if (LaneId() == 0) StoreOutput(args, t[j], r + c, y + BiasOf(args, t[j]));
      }
    }
  }
}

}  // namespace
}  // namespace rocforge::port

// The three kernels of a type: matvec_<name>, matvec_<name>_glu, matvec_<name>_many.
// The bound of 1024 threads leaves 64 registers each on NVIDIA: blocks of 512 fit there twice.
#define RF_MATVEC(name, TYPE)                                         \
  RF_KERNEL(matvec_##name, gpu::MatvecArgs, 1024) {                   \
    MatvecOne<gpu::kWeight##TYPE, false>(args, BlockId(), GridDim()); \
  }                                                                   \
  RF_KERNEL(matvec_##name##_glu, gpu::MatvecArgs, 1024) {             \
    MatvecOne<gpu::kWeight##TYPE, true>(args, BlockId(), GridDim());  \
  }                                                                   \
  RF_KERNEL(matvec_##name##_many, gpu::MatvecArgs, 256) { MatvecMany<gpu::kWeight##TYPE>(args); }
