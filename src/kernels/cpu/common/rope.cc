#include <algorithm>
#include <cstring>

#include "kernels/cpu/common/drivers.h"
#include "kernels/cpu/common/parallel.h"
#include "kernels/cpu/ref/ref.h"
#include "kernels/op/kv_page.h"

namespace rocforge::cpu::common {
namespace {

// One head; out may be x.
void RotateHead(const op::Rope& rope, const Primitives& isa, const float* x, const float* table,
                float* out) {
  const auto rotate =
      rope.kind == op::RopeKind::kNormal ? isa.vector->rotate_normal : isa.vector->rotate_neox;
  rotate(x, table, out, rope.rope_dim);
  if (out != x) std::copy(x + rope.rope_dim, x + rope.head_dim, out + rope.rope_dim);
}

// The row of one head at `slot` of the layer's keys or values.
void StoreKv(const op::KvLayer& kv, const Primitives& isa, void* pages, int64_t slot, int64_t head,
             int64_t dim, const float* x) {
  const int64_t offset = slot % kv.page_size;
  std::byte* const plane =
      static_cast<std::byte*>(pages) + op::KvPlaneOffset(kv, slot / kv.page_size, head, dim);
  if (kv.dtype == DType::kF16) {
    isa.vector->to_f16(x, reinterpret_cast<uint16_t*>(plane) + offset * dim, dim);
  } else {
    op::EncodeKvRow(kv.dtype, x, dim, kv.page_size, offset, plane);
  }
}

// The keys and values of tokens [begin, end); keys are rotated through `rotated` (one head) if rope
// is not null.
void AppendTokens(const op::KvAppend& params, const op::Rope* rope, const op::Operand& k,
                  const op::Operand& v, const float* table, const op::Call& call,
                  const Primitives& isa, float* rotated, int64_t begin, int64_t end) {
  const op::KvLayer& kv = *call.kv;
  for (int64_t t = begin; t < end; ++t) {
    const int64_t slot = call.step->kv_slots[t];
    for (int64_t h = 0; h < params.n_kv_heads; ++h) {
      const float* key = k.f32() + (t * params.n_kv_heads + h) * params.head_dim_k;
      const float* value = v.f32() + (t * params.n_kv_heads + h) * params.head_dim_v;
      if (rope != nullptr) {
        RotateHead(*rope, isa, key, table + t * rope->rope_dim, rotated);
        key = rotated;
      }
      StoreKv(kv, isa, kv.k, slot, h, kv.head_dim_k, key);
      StoreKv(kv, isa, kv.v, slot, h, kv.head_dim_v, value);
    }
  }
}

void RotateTokens(const op::Rope& params, const op::Operand& x, const float* table, float* out,
                  const Primitives& isa, int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; ++t) {
    for (int64_t c = 0; c < x.desc.cols; c += params.head_dim) {
      RotateHead(params, isa, x.f32() + t * x.desc.cols + c, table + t * params.rope_dim,
                 out + t * x.desc.cols + c);
    }
  }
}

// Tokens per piece so that a piece is worth a thread.
int64_t PieceCount(int64_t n_tokens, int64_t floats_per_token) {
  return std::clamp<int64_t>(n_tokens * floats_per_token / kSerialElements, 1,
                             std::max<int64_t>(n_tokens, 1));
}

}  // namespace

// Once a step and 50 ns an element: the reference (double precision), in parallel.
void RopeTable(const op::Call& call, const Context& context, const Primitives&) {
  const auto& params = std::get<op::RopeTable>(*call.params);
  constexpr int64_t kCostOfAngle = 100;  // in floats of a simple op
  ForRows(context, call.out[0].desc.rows, params.rope_dim * kCostOfAngle,
          [&](int64_t begin, int64_t end) {
            op::Step step = *call.step;
            step.positions += begin;
            op::Operand out = call.out[0];
            out.desc.rows = end - begin;
            out.data = out.f32_out() + begin * params.rope_dim;
            ref::RopeTable({call.params, call.in, {&out, 1}, &step, nullptr}, context);
          });
}

void Rope(const op::Call& call, const Context& context, const Primitives& isa) {
  const auto& params = std::get<op::Rope>(*call.params);
  const op::Operand& x = call.in[0];
  ForRows(context, x.desc.rows, x.desc.cols, [&](int64_t begin, int64_t end) {
    RotateTokens(params, x, call.in[1].f32(), call.out[0].f32_out(), isa, begin, end);
  });
}

void KvAppend(const op::Call& call, const Context& context, const Primitives& isa) {
  const auto& params = std::get<op::KvAppend>(*call.params);
  const int64_t cols = call.in[0].desc.cols + call.in[1].desc.cols;
  ForRows(context, call.in[0].desc.rows, cols, [&](int64_t begin, int64_t end) {
    AppendTokens(params, nullptr, call.in[0], call.in[1], nullptr, call, isa, nullptr, begin, end);
  });
}

void RopeKvAppend(const op::Call& call, const Context& context, const Primitives& isa) {
  const auto& params = std::get<op::RopeKvAppend>(*call.params);
  const op::Operand& q = call.in[0];
  const float* table = call.in[3].f32();
  const int64_t n_tokens = q.desc.rows;
  const int64_t cols = q.desc.cols + call.in[1].desc.cols + call.in[2].desc.cols;
  const int64_t pieces = PieceCount(n_tokens, cols);
  const int64_t head_bytes = AlignUp(params.rope.head_dim * static_cast<int64_t>(sizeof(float)));
  ForItems(context, pieces, false, [&](int member, int64_t piece) {
    const int64_t begin = n_tokens * piece / pieces;
    const int64_t end = n_tokens * (piece + 1) / pieces;
    RotateTokens(params.rope, q, table, call.out[0].f32_out(), isa, begin, end);
    AppendTokens(params.append, &params.rope, call.in[1], call.in[2], table, call, isa,
                 reinterpret_cast<float*>(context.scratch + member * head_bytes), begin, end);
  });
}

int64_t RopeKvAppendScratchBytes(const op::Call& call, int n_threads) {
  const auto& params = std::get<op::RopeKvAppend>(*call.params);
  return n_threads * AlignUp(params.rope.head_dim * static_cast<int64_t>(sizeof(float)));
}

}  // namespace rocforge::cpu::common
