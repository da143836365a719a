// The weight that a block of a skinny product works on (gemm_args.h: SkinnyArgs).
#pragma once

#include "kernels/gpu/ops/gemm_args.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {
namespace {

using gpu::SkinnyArgs;
using gpu::Weight;

// Picked without a run-time index (gemm_epilogue.h).
struct SkinnyWeight {
  Weight weight;
  const uint32_t* magnitude;
  uint32_t first_column;
};
RF_DEVICE SkinnyWeight WeightAt(const SkinnyArgs& args, uint32_t at) {
  const auto pick = [=](auto v0, auto v1, auto v2) { return at == 2 ? v2 : at == 1 ? v1 : v0; };
  const Weight& w0 = args.weight[0];
  const Weight& w1 = args.weight[1];
  const Weight& w2 = args.weight[2];
  SkinnyWeight w;
  w.weight.data = pick(w0.data, w1.data, w2.data);
  w.weight.expert_bytes = 0;
  w.weight.row_bytes = pick(w0.row_bytes, w1.row_bytes, w2.row_bytes);
  w.weight.n_rows = pick(w0.n_rows, w1.n_rows, w2.n_rows);
  w.weight.n_units = pick(w0.n_units, w1.n_units, w2.n_units);
#pragma unroll
  for (uint32_t i = 0; i < 4; ++i) w.weight.plane[i] = pick(w0.plane[i], w1.plane[i], w2.plane[i]);
  w.weight.type = pick(w0.type, w1.type, w2.type);
  w.magnitude = pick(args.magnitude[0], args.magnitude[1], args.magnitude[2]);
  w.first_column = pick(args.first_column[0], args.first_column[1], args.first_column[2]);
  return w;
}
RF_DEVICE SkinnyWeight WeightOfColumn(const SkinnyArgs& args, uint32_t column) {
  const bool second = args.n_weights > 1 && column >= args.first_column[1];
  const bool third = args.n_weights > 2 && column >= args.first_column[2];
  return WeightAt(args, third ? 2 : second ? 1 : 0);
}

}  // namespace
}  // namespace rocforge::port
