// Binds the drivers to each instruction set's primitives.
#include "kernels/cpu/table.h"

#include "kernels/cpu/common/drivers.h"
#include "kernels/cpu/simd/tables.h"

namespace rocforge::cpu {
namespace {

using Driver = void (*)(const op::Call& call, const Context& context, const Primitives& isa);

template <const Primitives* isa, Driver driver>
void Bound(const op::Call& call, const Context& context) {
  driver(call, context, *isa);
}

int64_t ScratchBytesOf(const op::Call& call, int n_threads) {
  switch (op::KindOf(*call.params)) {
    case op::Kind::kMatMul:
      return common::MatMulScratchBytes(call, n_threads);
    case op::Kind::kMoeMatMul:
      return common::MoeMatMulScratchBytes(call, n_threads);
    case op::Kind::kRopeKvAppend:
      return common::RopeKvAppendScratchBytes(call, n_threads);
    case op::Kind::kAttention:
      return common::AttentionScratchBytes(call, n_threads);
    case op::Kind::kMoeRoute:
      return common::MoeRouteScratchBytes(call, n_threads);
    default:
      return 0;
  }
}

template <const Primitives* isa>
constexpr KernelTable MakeTable() {
  return {{Bound<isa, common::EmbedRows>, Bound<isa, common::Norm>, Bound<isa, common::MatMul>,
           Bound<isa, common::RopeTable>, Bound<isa, common::Rope>, Bound<isa, common::KvAppend>,
           Bound<isa, common::RopeKvAppend>, Bound<isa, common::Attention>, Bound<isa, common::Glu>,
           Bound<isa, common::Add>, Bound<isa, common::Scale>, Bound<isa, common::SoftCap>,
           Bound<isa, common::GatherRows>, Bound<isa, common::MoeRoute>,
           Bound<isa, common::MoeMatMul>, Bound<isa, common::MoeCombine>},
          ScratchBytesOf};
}

constexpr Primitives kGeneric = {&kGenericMatMul, &kGenericAttention, &kGenericVector};
#if defined(__x86_64__)
constexpr Primitives kAvx2 = {&kAvx2MatMul, &kAvx2Attention, &kAvx2Vector};
constexpr Primitives kAvx512 = {&kAvx512MatMul, &kAvx512Attention, &kAvx512Vector};
#endif

}  // namespace

constinit const KernelTable kGenericTable = MakeTable<&kGeneric>();
#if defined(__x86_64__)
constinit const KernelTable kAvx2Table = MakeTable<&kAvx2>();
constinit const KernelTable kAvx512Table = MakeTable<&kAvx512>();
#endif

}  // namespace rocforge::cpu
