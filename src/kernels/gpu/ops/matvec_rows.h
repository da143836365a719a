// The rows that the waves of a matvec kernel work on, and what happens to their sums.
#pragma once

#include "kernels/gpu/ops/matvec_args.h"
#include "kernels/gpu/ops/unit.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {
namespace {

using gpu::MatvecArgs;

// Row `o` of weight `i`.
struct MatvecTask {
  const uint8_t* row;
  uint32_t o;
  uint32_t i;
  uint32_t n;         // rows of the weight
  uint64_t bias_row;  // o, or with experts the row among those of all
};

// of_0, of_1 or of_2. Kernel arguments are not indexed: that would copy them to memory.
template <typename T>
RF_DEVICE T Choose(uint32_t i, T of_0, T of_1, T of_2) {
  const T rest = i == 1 ? InRegister(of_1) : InRegister(of_2);
  return i == 0 ? InRegister(of_0) : rest;
}

RF_DEVICE uint32_t TotalRows(const MatvecArgs& args) {
  return args.weight[0].n_rows + args.weight[1].n_rows + args.weight[2].n_rows;
}

// Row `task` of all weights' rows one after the other.
RF_DEVICE MatvecTask TaskAt(const MatvecArgs& args, uint32_t task, uint64_t expert,
                            uint64_t expert_offset) {
  const uint32_t n_0 = args.weight[0].n_rows;
  const uint32_t n_01 = n_0 + args.weight[1].n_rows;
  MatvecTask t;
  t.i = task < n_0 ? 0 : task < n_01 ? 1 : 2;
  t.o = task - Choose(t.i, 0u, n_0, n_01);
  t.n = Choose(t.i, args.weight[0].n_rows, args.weight[1].n_rows, args.weight[2].n_rows);
  t.bias_row = expert * t.n + t.o;
  const uint8_t* data = Choose(t.i, args.weight[0].data, args.weight[1].data, args.weight[2].data);
  t.row = data + expert_offset + static_cast<uint64_t>(t.o) * args.weight[0].row_bytes;
  return t;
}
// The same of the first weight alone, which spares the choice.
RF_DEVICE MatvecTask FirstTaskAt(const MatvecArgs& args, uint32_t task, uint64_t expert,
                                 uint64_t expert_offset) {
  const Weight& w = args.weight[0];
  return {w.data + expert_offset + static_cast<uint64_t>(task) * w.row_bytes, task, 0, w.n_rows,
          expert * w.n_rows + task};
}

RF_DEVICE float BiasOf(const MatvecArgs& args, const MatvecTask& t) {
  const float* bias = Choose(t.i, args.bias[0], args.bias[1], args.bias[2]);
  return bias != nullptr ? LoadGlobal(bias + t.bias_row) : 0.0f;
}

RF_DEVICE float* OutputOf(const MatvecArgs& args, const MatvecTask& t, uint64_t r) {
  return Choose(t.i, args.out[0], args.out[1], args.out[2]) + r * t.n + t.o;
}

// y, with the residual where there is one, into row r of the task's output.
RF_DEVICE void StoreOutput(const MatvecArgs& args, const MatvecTask& t, uint64_t r, float y) {
  if (args.residual != nullptr) y = args.residual[r * t.n + t.o] + args.out_scale * y;
  StoreGlobal(OutputOf(args, t, r), y);
}

// Where the sums of a task go, and what is added to them.
struct MatvecEnd {
  float* out;
  const float* residual;  // where args.residual is set
  float bias;
  float bias_up;  // with GLU
};

// p + i, also of no array: an address that nobody reads then.
RF_DEVICE const float* At(const float* p, uint64_t i) {
  return reinterpret_cast<const float*>(reinterpret_cast<uintptr_t>(p) + i * sizeof(float));
}

template <bool kGlu>
RF_DEVICE MatvecEnd EndAt(const MatvecArgs& args, uint32_t task, uint64_t r, uint64_t expert) {
  MatvecEnd end{};
  if (kGlu || args.weight[1].n_rows == 0) {
    const MatvecTask t = FirstTaskAt(args, task, expert, 0);
    end.out = args.out[0] + r * t.n + t.o;
    if (args.bias[0] != nullptr) end.bias = args.bias[0][t.bias_row];
    if (kGlu && args.bias[1] != nullptr) end.bias_up = args.bias[1][t.bias_row];
    end.residual = At(args.residual, r * t.n + t.o);
  } else {
    const MatvecTask t = TaskAt(args, task, expert, 0);
    end.out = OutputOf(args, t, r);
    end.bias = BiasOf(args, t);
    end.residual = At(args.residual, r * t.n + t.o);
  }
  return end;
}

// The residual may be what the launch before this one wrote; all else of `end` is constant.
RF_DEVICE float ResidualAt(const MatvecArgs& args, const MatvecEnd& end) {
  return args.residual != nullptr ? LoadGlobal(end.residual) : 0.0f;
}

}  // namespace
}  // namespace rocforge::port
