// The ops on top of an instruction set's primitives: operands, threads, scratch. Compiled once for
// the baseline machine.
#pragma once

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/simd/primitives.h"
#include "kernels/op/call.h"

namespace rocforge::cpu::common {

void EmbedRows(const op::Call& call, const Context& context, const Primitives& isa);
void Norm(const op::Call& call, const Context& context, const Primitives& isa);
void MatMul(const op::Call& call, const Context& context, const Primitives& isa);
void RopeTable(const op::Call& call, const Context& context, const Primitives& isa);
void Rope(const op::Call& call, const Context& context, const Primitives& isa);
void KvAppend(const op::Call& call, const Context& context, const Primitives& isa);
void RopeKvAppend(const op::Call& call, const Context& context, const Primitives& isa);
void Attention(const op::Call& call, const Context& context, const Primitives& isa);
void Glu(const op::Call& call, const Context& context, const Primitives& isa);
void Add(const op::Call& call, const Context& context, const Primitives& isa);
void Scale(const op::Call& call, const Context& context, const Primitives& isa);
void SoftCap(const op::Call& call, const Context& context, const Primitives& isa);
void GatherRows(const op::Call& call, const Context& context, const Primitives& isa);
void MoeRoute(const op::Call& call, const Context& context, const Primitives& isa);
void MoeMatMul(const op::Call& call, const Context& context, const Primitives& isa);
void MoeCombine(const op::Call& call, const Context& context, const Primitives& isa);

// Scratch of the ops that need some; the same for every instruction set.
int64_t MatMulScratchBytes(const op::Call& call, int n_threads);
int64_t MoeMatMulScratchBytes(const op::Call& call, int n_threads);
int64_t RopeKvAppendScratchBytes(const op::Call& call, int n_threads);
int64_t AttentionScratchBytes(const op::Call& call, int n_threads);
int64_t MoeRouteScratchBytes(const op::Call& call, int n_threads);

}  // namespace rocforge::cpu::common
