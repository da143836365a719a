// Warpgroup products by loops over shared memory; phases and copies by the runtime. See
// warpgroup.h.
#pragma once

namespace rocforge::port {

namespace {
using SharedPhase = sim::PhaseState;
}  // namespace

template <uint32_t kRegisters>
RF_DEVICE void GiveRegisters() {}
template <uint32_t kRegisters>
RF_DEVICE void TakeRegisters() {}

RF_DEVICE void PhaseInit(SharedPhase& phase, uint32_t arrivals) { phase = {arrivals, 0, 0, 0}; }
RF_DEVICE void PhasesReady() {}
RF_DEVICE void PhaseArrive(SharedPhase& phase) { sim::ArriveAtPhase(phase, 0); }
RF_DEVICE void PhaseArriveExpect(SharedPhase& phase, uint32_t bytes) {
  sim::ArriveAtPhase(phase, bytes);
}
RF_DEVICE void PhaseWait(SharedPhase& phase, uint32_t parity, const char* file = __builtin_FILE(),
                         int line = __builtin_LINE()) {
  sim::WaitForPhase(phase, parity, {file, line});
}
RF_DEVICE void BulkCopy(void* to, const void* from, uint32_t bytes, SharedPhase& phase) {
  sim::CopyForPhase(to, from, bytes, phase);
}

RF_DEVICE void LoadTileRow(float* columns, const U32x4* rows, uint32_t row) {
  for (uint32_t i = 0; i < kTileRowColumns; ++i) {
    const U32x4& chunk = rows[SwizzledChunk(row, i / 8)];
    columns[i] = HalfToFloat(reinterpret_cast<const uint16_t*>(&chunk)[i % 8]);
  }
}

// `x`: this lane's two rows of A.
template <uint32_t kColumns>
RF_DEVICE void AddProducts(WarpgroupSum<kColumns>& sum, const float (&x)[2][kTileRowColumns],
                           const U32x4* b) {
  for (uint32_t i = 0; i < kColumns / 4; ++i) {  // columns of this lane: two of every eight
    float y[kTileRowColumns];
    LoadTileRow(y, b, i / 2 * 8 + 2 * (LaneId() % 4) + i % 2);
    for (uint32_t r = 0; r < 2; ++r) {
      float& s = sum.v[i / 2 * 4 + 2 * r + i % 2];
      for (uint32_t k = 0; k < kTileRowColumns; ++k) s += x[r][k] * y[k];
    }
  }
}

// The lanes of each wave come here together; the waves need not.
template <uint32_t kColumns>
RF_DEVICE void WarpgroupMultiply(WarpgroupSum<kColumns>& sum, const U32x4* a, const U32x4* b,
                                 const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  static_cast<void>(sim::Ballot(true, {file, line}));
  const uint32_t row = WaveId() % 4 * 16 + LaneId() / 4;
  float x[2][kTileRowColumns];
  LoadTileRow(x[0], a, row);
  LoadTileRow(x[1], a, row + 8);
  AddProducts(sum, x, b);
}
// A's rows of this lane come from the four lanes that share them.
template <uint32_t kColumns>
RF_DEVICE void WarpgroupMultiply(WarpgroupSum<kColumns>& sum, const WarpgroupA& a, const U32x4* b) {
  float x[2][kTileRowColumns];
  for (uint32_t step = 0; step < 4; ++step) {
    for (uint32_t i = 0; i < 4; ++i) {
      for (uint32_t q = 0; q < 4; ++q) {
        const uint32_t pair = ShuffleAmong<4>(a.v[step][i], q);
        float* at = x[i % 2] + 16 * step + 8 * (i / 2) + 2 * q;
        at[0] = HalfToFloat(static_cast<uint16_t>(pair));
        at[1] = HalfToFloat(static_cast<uint16_t>(pair >> 16));
      }
    }
  }
  AddProducts(sum, x, b);
}
template <uint32_t kPending, uint32_t kColumns>
RF_DEVICE void WarpgroupWait(WarpgroupSum<kColumns>&) {}

}  // namespace rocforge::port
