// The one place where an instruction set is chosen.
#include <array>

#include "base/cpu_info.h"
#include "base/format.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/table.h"
#include "quant/quant.h"

namespace rocforge::cpu {
namespace {

// The table of an instruction set, or null if this machine or build lacks it.
const KernelTable* TableOf(Isa isa) {
  switch (isa) {
    case Isa::kReference:
      return &kReferenceTable;
    case Isa::kGeneric:
      return &kGenericTable;
#if defined(__x86_64__)
    case Isa::kAvx2: {
      const CpuFeatures& cpu = DetectCpu();
      return cpu.avx2 && cpu.fma && cpu.f16c ? &kAvx2Table : nullptr;
    }
    case Isa::kAvx512: {
      const CpuFeatures& cpu = DetectCpu();
      const bool avx2 = cpu.avx2 && cpu.fma && cpu.f16c;
      return avx2 && cpu.avx512f && cpu.avx512bw && cpu.avx512dq && cpu.avx512vl ? &kAvx512Table
                                                                                 : nullptr;
    }
#endif
    default:
      return nullptr;
  }
}

struct Available {
  std::array<Isa, 5> isas{};
  size_t count = 0;
};

Available DetectAvailable() {
  Available available;
  for (Isa isa : {Isa::kReference, Isa::kGeneric, Isa::kNeon, Isa::kAvx2, Isa::kAvx512}) {
    if (TableOf(isa) != nullptr) available.isas[available.count++] = isa;
  }
  return available;
}

constexpr std::array kIsas = {Isa::kReference, Isa::kGeneric, Isa::kAvx2, Isa::kAvx512, Isa::kNeon};

// The first weight operand whose type nothing can decode, or null.
const op::Operand* FindUndecodable(const op::Call& call) {
  for (const op::Operand& operand : call.in) {
    if (operand.desc.dtype != DType::kI32 && !quant::CanDecode(operand.desc.dtype)) return &operand;
  }
  return nullptr;
}

}  // namespace

const char* IsaName(Isa isa) {
  switch (isa) {
    case Isa::kReference:
      return "reference";
    case Isa::kGeneric:
      return "generic";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kNeon:
      return "neon";
  }
  return "unknown";
}

Result<Isa> ParseIsa(std::string_view name) {
  for (Isa isa : kIsas) {
    if (name == IsaName(isa)) return isa;
  }
  return InvalidArgument(
      Format("unknown instruction set '{}': want reference, generic, avx2, avx512 or neon", name));
}

std::span<const Isa> AvailableIsas() {
  static const Available available = DetectAvailable();
  return {available.isas.data(), available.count};
}

Isa BestIsa() { return AvailableIsas().back(); }

Result<Kernel> FindKernel(const op::Call& call, Isa isa) {
  const KernelTable* table = TableOf(isa);
  if (table == nullptr) {
    return Unsupported(Format("the {} kernels do not run on this machine", IsaName(isa)));
  }
  const op::Kind kind = op::KindOf(*call.params);
  if (const op::Operand* bad = FindUndecodable(call)) {
    return Unsupported(Format("{}: weights of type {} cannot be decoded", op::KindName(kind),
                              Name(bad->desc.dtype)));
  }
  return table->kernels[static_cast<int>(kind)];
}

int64_t ScratchBytes(const op::Call& call, Isa isa, int n_threads) {
  const KernelTable* table = TableOf(isa);
  return table == nullptr ? 0 : table->scratch_bytes(call, n_threads);
}

}  // namespace rocforge::cpu
