#include "kernels/cpu/table.h"

#include "kernels/cpu/ref/ref.h"

namespace rocforge::cpu {
namespace {

int64_t ScratchBytesOf(const op::Call& call, int) {
  switch (op::KindOf(*call.params)) {
    case op::Kind::kMatMul:
    case op::Kind::kMoeMatMul:  // decoded rows of up to two weights
      return 2 * call.in[0].desc.cols * static_cast<int64_t>(sizeof(float));
    case op::Kind::kAttention:  // the sums of one head
      return std::get<op::Attention>(*call.params).head_dim_v *
             static_cast<int64_t>(sizeof(double));
    case op::Kind::kMoeRoute:  // probabilities
      return call.in[0].desc.cols * static_cast<int64_t>(sizeof(double));
    default:
      return 0;
  }
}

}  // namespace

const KernelTable kReferenceTable = {
    {ref::EmbedRows, ref::Norm, ref::MatMul, ref::RopeTable, ref::Rope, ref::KvAppend,
     ref::RopeKvAppend, ref::Attention, ref::Glu, ref::Add, ref::Scale, ref::SoftCap,
     ref::GatherRows, ref::MoeRoute, ref::MoeMatMul, ref::MoeCombine},
    ScratchBytesOf};

}  // namespace rocforge::cpu
