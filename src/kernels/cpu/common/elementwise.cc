#include "kernels/cpu/common/drivers.h"
#include "kernels/cpu/common/parallel.h"

namespace rocforge::cpu::common {
namespace {

int64_t Elements(const op::Operand& operand) { return operand.desc.rows * operand.desc.cols; }

}  // namespace

void Glu(const op::Call& call, const Context& context, const Primitives& isa) {
  const auto& params = std::get<op::Glu>(*call.params);
  const auto glu = isa.vector->glu[static_cast<int>(params.kind)];
  const float* gate = call.in[0].f32();
  const float* up = call.in[1].f32();
  float* out = call.out[0].f32_out();
  ForRows(context, Elements(call.out[0]), 1, [&](int64_t begin, int64_t end) {
    glu(gate + begin, up + begin, params.alpha, params.limit, out + begin, end - begin);
  });
}

void Add(const op::Call& call, const Context& context, const Primitives& isa) {
  const float scale_b = std::get<op::Add>(*call.params).scale_b;
  const float* a = call.in[0].f32();
  const float* b = call.in[1].f32();
  float* out = call.out[0].f32_out();
  ForRows(context, Elements(call.out[0]), 1, [&](int64_t begin, int64_t end) {
    isa.vector->add_scaled(a + begin, b + begin, scale_b, out + begin, end - begin);
  });
}

void Scale(const op::Call& call, const Context& context, const Primitives& isa) {
  const float scale = std::get<op::Scale>(*call.params).scale;
  const float* x = call.in[0].f32();
  float* out = call.out[0].f32_out();
  ForRows(context, Elements(call.out[0]), 1, [&](int64_t begin, int64_t end) {
    isa.vector->scale(x + begin, scale, out + begin, end - begin);
  });
}

void SoftCap(const op::Call& call, const Context& context, const Primitives& isa) {
  const float cap = std::get<op::SoftCap>(*call.params).cap;
  const float* x = call.in[0].f32();
  float* out = call.out[0].f32_out();
  ForRows(context, Elements(call.out[0]), 1, [&](int64_t begin, int64_t end) {
    isa.vector->soft_cap(x + begin, cap, out + begin, end - begin);
  });
}

void Norm(const op::Call& call, const Context& context, const Primitives& isa) {
  const auto& params = std::get<op::Norm>(*call.params);
  size_t next = 0;
  const op::Operand& x = call.in[next++];
  const float* weight = params.has_weight ? call.in[next++].f32() : nullptr;
  const float* bias = params.has_bias ? call.in[next++].f32() : nullptr;
  const int64_t group = params.group == 0 ? x.desc.cols : params.group;
  const auto norm =
      params.kind == op::NormKind::kRms ? isa.vector->norm_rms : isa.vector->norm_layer;
  const float* in = x.f32();
  float* out = call.out[0].f32_out();
  ForRows(context, Elements(x) / group, group, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      norm(in + g * group, weight, bias, params.eps, out + g * group, group);
    }
  });
}

}  // namespace rocforge::cpu::common
