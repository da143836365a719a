#include "exec/self_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/log.h"
#include "exec/one_sequence.h"
#include "kernels/op/kv_page.h"
#include "kernels/op/op.h"

namespace rocforge::exec {
namespace {

constexpr double kQuantised = 0.05;
constexpr double kHalf = 0.01;
constexpr double kFloat = 0.001;

// Memory as kernels want it, reused from op to op.
class Aligned {
 public:
  std::byte* Resize(int64_t bytes) {
    constexpr size_t kAlign = 64;
    const size_t wanted = static_cast<size_t>(std::max<int64_t>(bytes, 1)) + kAlign;
    if (memory_.size() < wanted) memory_.resize(wanted);
    const auto at = (reinterpret_cast<uintptr_t>(memory_.data()) + kAlign - 1) / kAlign * kAlign;
    return reinterpret_cast<std::byte*>(at);
  }

 private:
  std::vector<std::byte> memory_;
};

bool IsQuantised(DType type) {
  return type != DType::kF32 && type != DType::kF16 && type != DType::kBF16;
}

// The type of an op's first matrix.
DType MatrixType(const graph::Plan& plan, const graph::Node& node) {
  for (const graph::ValueId id : node.in) {
    const graph::Value& value = plan.graph.value(id);
    if (value.is_weight()) return value.dtype;
  }
  return DType::kF32;
}

double ToleranceOf(const graph::Plan& plan, const graph::Node& node) {
  const auto matrix = [&](bool glu) {
    return (glu ? 2 : 1) * (IsQuantised(MatrixType(plan, node)) ? kQuantised : kHalf);
  };
  if (const auto* p = std::get_if<op::MatMul>(&node.params))
    return matrix(p->glu.kind != op::GluKind::kNone);
  if (const auto* p = std::get_if<op::MoeMatMul>(&node.params))
    return matrix(p->glu.kind != op::GluKind::kNone);
  return node.kind() == op::Kind::kAttention ? kHalf : kFloat;
}

// |got - expected| / |expected|; 0 where the expected numbers themselves are broken, which is the
// model's fault.
double RelativeError(const float* got, const float* expected, size_t n) {
  double error = 0;
  double norm = 0;
  for (size_t i = 0; i < n; ++i) {
    if (!std::isfinite(expected[i])) return 0;
    const double difference = static_cast<double>(got[i]) - static_cast<double>(expected[i]);
    error += difference * difference;
    norm += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  return std::sqrt(error) / std::max(std::sqrt(norm), 1e-20);
}

class Checker {
 public:
  Checker(const SelfCheckInput& input, gpu::Stream stream)
      : input_(input), stream_(std::move(stream)) {}

  Status Visit(size_t index, const op::Call& call, bool done) {
    const graph::Node& node = input_.plan->graph.nodes[index];
    if (!Wanted(node)) return {};
    return done ? Compare(node, call) : Fetch(node, call);
  }

 private:
  bool Wanted(const graph::Node& node) const {
    const auto last = static_cast<int32_t>(input_.plan->graph.kv_layers.size()) - 1;
    return input_.every_op || node.layer <= 0 || node.layer == last;
  }

  Status Download(const void* device, std::byte* to, int64_t bytes) {
    const auto from = static_cast<gpu::DevicePtr>(reinterpret_cast<uintptr_t>(device));
    return stream_.CopyToHost({to, static_cast<size_t>(bytes)}, from);
  }

  // Bytes of the first page of a layer's keys or values.
  static int64_t PageBytes(const op::KvLayer& kv, int32_t head_dim) {
    return kv.n_kv_heads * op::KvPlaneBytes(kv.dtype, kv.page_size, head_dim);
  }
  Status DownloadPages(const op::KvLayer& kv, Aligned& k, Aligned& v) {
    const int64_t k_bytes = PageBytes(kv, kv.head_dim_k);
    const int64_t v_bytes = PageBytes(kv, kv.head_dim_v);
    ROCFORGE_RETURN_IF_ERROR(Download(kv.k, k.Resize(k_bytes), k_bytes));
    return Download(kv.v, v.Resize(v_bytes), v_bytes);
  }

  // What the op is about to read.
  Status Fetch(const graph::Node& node, const op::Call& call) {
    in_.resize(std::max(in_.size(), call.in.size()));
    operands_.clear();
    for (size_t i = 0; i < call.in.size(); ++i) {
      op::Operand operand = call.in[i];
      const graph::Value& value = input_.plan->graph.value(node.in[i]);
      if (value.is_weight()) {
        // Only read (call.h).
        operand.data = const_cast<std::byte*>(input_.weights[static_cast<size_t>(value.weight)]);
      } else {
        std::byte* const to = in_[i].Resize(operand.desc.bytes());
        ROCFORGE_RETURN_IF_ERROR(Download(operand.data, to, operand.desc.bytes()));
        operand.data = to;
      }
      operands_.push_back(operand);
    }
    if (call.kv != nullptr) ROCFORGE_RETURN_IF_ERROR(DownloadPages(*call.kv, k_, v_));
    return stream_.Synchronize();
  }

  Status RunOnCpu(const op::Call& call) {
    const size_t n_in = call.in.size();
    expected_.resize(std::max(expected_.size(), call.out.size()));
    for (size_t i = 0; i < call.out.size(); ++i) {
      op::Operand operand = call.out[i];
      operand.data = expected_[i].Resize(operand.desc.bytes());
      operands_.push_back(operand);
    }
    const std::span<const op::Operand> all(operands_);
    op::KvLayer kv;
    op::Call on_cpu{call.params, all.first(n_in), all.subspan(n_in), call.step, nullptr};
    if (call.kv != nullptr) {
      kv = *call.kv;
      kv.k = k_.Resize(PageBytes(kv, kv.head_dim_k));
      kv.v = v_.Resize(PageBytes(kv, kv.head_dim_v));
      on_cpu.kv = &kv;
    }
    ROCFORGE_ASSIGN_OR_RETURN(const cpu::Kernel kernel, cpu::FindKernel(on_cpu, input_.isa));
    std::byte* const scratch =
        scratch_.Resize(cpu::ScratchBytes(on_cpu, input_.isa, input_.pool->size()));
    kernel(on_cpu, {input_.pool, scratch});
    return {};
  }

  Status Compare(const graph::Node& node, const op::Call& call) {
    ROCFORGE_RETURN_IF_ERROR(RunOnCpu(call));
    const double tolerance = ToleranceOf(*input_.plan, node);
    n_rows_ = call.out.empty() ? call.in[0].desc.rows : call.out[0].desc.rows;
    for (size_t i = 0; i < call.out.size(); ++i) {
      const op::TensorDesc& desc = call.out[i].desc;
      std::byte* const got = got_.Resize(desc.bytes());
      ROCFORGE_RETURN_IF_ERROR(Download(call.out[i].data, got, desc.bytes()));
      ROCFORGE_RETURN_IF_ERROR(stream_.Synchronize());
      const auto n = static_cast<size_t>(desc.rows * desc.cols);
      const std::byte* const expected = operands_[call.in.size() + i].bytes();
      if (desc.dtype == DType::kI32) {
        ROCFORGE_RETURN_IF_ERROR(CompareExperts(node, call, got, expected, n));
      } else {
        ROCFORGE_RETURN_IF_ERROR(Judge(node,
                                       RelativeError(reinterpret_cast<const float*>(got),
                                                     reinterpret_cast<const float*>(expected), n),
                                       tolerance));
      }
    }
    return call.kv != nullptr && call.out.size() < 2 && node.kind() != op::Kind::kAttention
               ? ComparePages(node, *call.kv)
               : Status();
  }

  // Chosen experts may differ where their weights are nearly the same.
  Status CompareExperts(const graph::Node& node, const op::Call& call, const std::byte* got,
                        const std::byte* expected, size_t n) {
    const auto* ids = reinterpret_cast<const int32_t*>(got);
    const auto* expected_ids = reinterpret_cast<const int32_t*>(expected);
    const float* weights = operands_[call.in.size() + 1].f32();
    const auto& route = std::get<op::MoeRoute>(*call.params);
    size_t wrong = 0;
    for (size_t i = 0; i < n; ++i) {
      if (ids[i] < 0 || ids[i] >= route.n_experts) return Judge(node, INFINITY, 0);
      if (ids[i] == expected_ids[i]) continue;
      const auto near = [&](size_t j) {
        return j < n && std::abs(weights[i] - weights[j]) <= kFloat * std::abs(weights[i]);
      };
      // The last one's rival is not in the list.
      const bool last = (i + 1) % static_cast<size_t>(route.n_used) == 0;
      if (!near(i + 1) && !(i > 0 && near(i - 1)) && !last) ++wrong;
    }
    return Judge(node, static_cast<double>(wrong) / static_cast<double>(n), 0);
  }

  Status ComparePages(const graph::Node& node, const op::KvLayer& kv) {
    ROCFORGE_RETURN_IF_ERROR(DownloadPages(kv, k_got_, v_got_));
    ROCFORGE_RETURN_IF_ERROR(stream_.Synchronize());
    const auto compare = [&](Aligned& got, Aligned& expected, int32_t head_dim) {
      const int64_t bytes = PageBytes(kv, head_dim);
      const std::vector<float> a = Floats(got.Resize(bytes), kv, head_dim);
      const std::vector<float> b = Floats(expected.Resize(bytes), kv, head_dim);
      // Two roundings of a rotation differ by a unit of a half, or seldom by a step of Q8_0.
      return Judge(node, RelativeError(a.data(), b.data(), a.size()),
                   kv.dtype == DType::kF32 ? kFloat : kHalf);
    };
    ROCFORGE_RETURN_IF_ERROR(compare(k_got_, k_, kv.head_dim_k));
    return compare(v_got_, v_, kv.head_dim_v);
  }

  static std::vector<float> Floats(const std::byte* page, const op::KvLayer& kv, int32_t head_dim) {
    std::vector<float> values;
    for (int32_t head = 0; head < kv.n_kv_heads; ++head) {
      const std::byte* plane = page + op::KvPlaneOffset(kv, 0, head, head_dim);
      for (int32_t position = 0; position < kv.page_size; ++position) {
        for (int32_t i = 0; i < head_dim; ++i)
          values.push_back(op::KvElement(kv.dtype, plane, kv.page_size, head_dim, position, i));
      }
    }
    return values;
  }

  Status Judge(const graph::Node& node, double error, double tolerance) const {
    const char* const kind = op::KindName(node.kind());
    const char* const type = Name(MatrixType(*input_.plan, node));
    Log(LogLevel::kDebug, "self-check: {} ({}, {}), rows {}: differs by {:.2g}, allowed {:.2g}",
        node.name, kind, type, n_rows_, error, tolerance);
    if (error <= tolerance) return {};
    return Internal(Format(
        "self-check: {} ({}, {}) on the GPU differs from the CPU by {:.3g}, at most {:.3g} is "
        "rounding: this GPU, its driver or this build computes wrongly (--device cpu avoids it, "
        "--self-check off goes on regardless)",
        node.name, kind, type, error, tolerance));
  }

  const SelfCheckInput& input_;
  gpu::Stream stream_;
  std::vector<Aligned> in_, expected_;
  std::vector<op::Operand> operands_;  // of the CPU's call: inputs, then outputs
  Aligned got_, scratch_, k_, v_, k_got_, v_got_;
  int64_t n_rows_ = 0;  // of the op that is compared
};

}  // namespace

Status CheckGpuAgainstCpu(GpuExecutor& executor, const std::shared_ptr<const gpu::Device>& device,
                          const SelfCheckInput& input) {
  constexpr int32_t kPrompt = 12;  // more tokens than the matrix-vector kernels take
  const graph::Graph& graph = input.plan->graph;
  const int64_t n_vocab = graph.value(graph.logits).cols;
  const int32_t page_size = input.kv_layers.empty() ? kPrompt + 1 : input.kv_layers[0].page_size;
  const auto count = static_cast<int32_t>(
      std::min<int64_t>({kPrompt, page_size - 1, input.plan->limits.max_tokens}));
  ROCFORGE_ASSIGN_OR_RETURN(gpu::Stream stream, gpu::Stream::Create(device));
  Checker checker(input, std::move(stream));
  const auto visit = [&](size_t node, const op::Call& call, bool done) {
    return checker.Visit(node, call, done);
  };
  const OneSequence prompt(0, count, n_vocab, input.page_table_stride);
  ROCFORGE_RETURN_IF_ERROR(executor.RunStepwise(prompt.step(), visit));
  const OneSequence token(count, 1, n_vocab, input.page_table_stride);
  return executor.RunStepwise(token.step(), visit);
}

}  // namespace rocforge::exec
