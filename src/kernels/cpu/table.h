// What an instruction set offers to dispatch.cc.
#pragma once

#include <cstdint>

#include "kernels/cpu/kernels.h"
#include "kernels/op/call.h"

namespace rocforge::cpu {

// One kernel per op, at the place of op::Kind; all present.
struct KernelTable {
  Kernel kernels[op::kKindCount];
  int64_t (*scratch_bytes)(const op::Call& call, int n_threads);
};

// kReferenceTable is in ref/, the others in common/. Those of x86 exist in x86-64 builds only.
extern const KernelTable kReferenceTable;
extern const KernelTable kGenericTable;
extern const KernelTable kAvx2Table;
extern const KernelTable kAvx512Table;

}  // namespace rocforge::cpu
