// The reference kernels: what every other kernel is tested against. Scalar, double accumulation,
// run by the calling thread alone. Written to be read beside kernels/op/op.h.
#pragma once

#include "kernels/cpu/kernels.h"
#include "kernels/op/call.h"

namespace rocforge::cpu::ref {

void EmbedRows(const op::Call& call, const Context& context);
void Norm(const op::Call& call, const Context& context);
void MatMul(const op::Call& call, const Context& context);
void RopeTable(const op::Call& call, const Context& context);
void Rope(const op::Call& call, const Context& context);
void KvAppend(const op::Call& call, const Context& context);
void RopeKvAppend(const op::Call& call, const Context& context);
void Attention(const op::Call& call, const Context& context);
void Glu(const op::Call& call, const Context& context);
void Add(const op::Call& call, const Context& context);
void Scale(const op::Call& call, const Context& context);
void SoftCap(const op::Call& call, const Context& context);
void GatherRows(const op::Call& call, const Context& context);
void MoeRoute(const op::Call& call, const Context& context);
void MoeMatMul(const op::Call& call, const Context& context);
void MoeCombine(const op::Call& call, const Context& context);

// act(gate) * up of any kind but kNone.
double Activate(const op::Glu& glu, double gate, double up);

// Element `column` of a head after rotation; columns from rope_dim on pass through. `table` is the
// token's row of RopeTable.
double Rotated(const op::Rope& rope, const float* head, const float* table, int64_t column);

}  // namespace rocforge::cpu::ref
