#include "kernels/op/check.h"

#include <string>

#include "base/format.h"
#include "quant/quant.h"

namespace rocforge::op {
namespace {

std::string Describe(const TensorDesc& d) {
  return Format("{} [{}, {}, {}]", Name(d.dtype), d.outer, d.rows, d.cols);
}

// Checks the operands of one call one after the other, in the order that op.h lists them. The first
// violation is kept; later calls then do nothing.
class Checker {
 public:
  explicit Checker(const Call& call) : call_(call) {}

  // Next input: f32 [rows, cols].
  void InputF32(const char* name, int64_t rows, int64_t cols) {
    Input(name, DType::kF32, 1, rows, cols);
  }
  void InputI32(const char* name, int64_t rows, int64_t cols) {
    Input(name, DType::kI32, 1, rows, cols);
  }
  void OutputF32(const char* name, int64_t rows, int64_t cols) {
    Output(name, DType::kF32, rows, cols);
  }
  void OutputI32(const char* name, int64_t rows, int64_t cols) {
    Output(name, DType::kI32, rows, cols);
  }

  // Next input: an f32 matrix of any shape; returns it (an empty one after a failure).
  TensorDesc AnyF32(const char* name) {
    const TensorDesc d = Next(name, call_.in, &n_in_);
    if (status_.ok() && (d.dtype != DType::kF32 || d.outer != 1))
      Fail(name, d, "want an F32 matrix");
    return d;
  }

  // Next input: weights of any decodable type with n_in columns; `stacked` allows outer > 1.
  TensorDesc Weight(const char* name, int64_t n_in, bool stacked) {
    const TensorDesc d = Next(name, call_.in, &n_in_);
    if (!status_.ok()) return d;
    if (!quant::CanDecode(d.dtype)) {
      Fail(name, d, "this type cannot be decoded");
    } else if (d.cols != n_in) {
      Fail(name, d, Format("want {} columns", n_in));
    } else if (d.cols % Info(d.dtype).block_elements != 0) {
      Fail(name, d, "columns are not a multiple of the type's block");
    } else if (!stacked && d.outer != 1) {
      Fail(name, d, "want one matrix, not a stack");
    }
    return d;
  }

  // Next input: one f32 vector of n columns for each of n_experts experts.
  void ExpertVectors(const char* name, int64_t n_experts, int64_t n) {
    const TensorDesc d = Next(name, call_.in, &n_in_);
    if (status_.ok() && (d.dtype != DType::kF32 || d.outer * d.rows != n_experts || d.cols != n)) {
      Fail(name, d, Format("want F32 [{}, {}]", n_experts, n));
    }
  }

  void Require(bool condition, const char* what) {
    if (status_.ok() && !condition) Fail(what);
  }

  TensorDesc In(size_t i) const { return i < call_.in.size() ? call_.in[i].desc : TensorDesc{}; }
  TensorDesc Out(size_t i) const { return i < call_.out.size() ? call_.out[i].desc : TensorDesc{}; }

  // After all operands: nothing may be left over.
  Status Finish() {
    if (status_.ok() && n_in_ != call_.in.size()) {
      Fail(Format("{} inputs, want {}", call_.in.size(), n_in_));
    }
    if (status_.ok() && n_out_ != call_.out.size()) {
      Fail(Format("{} outputs, want {}", call_.out.size(), n_out_));
    }
    return status_;
  }

 private:
  void Fail(const std::string& what) {
    status_ = Internal(Format("{}: {}", KindName(KindOf(*call_.params)), what));
  }
  void Fail(const char* name, const TensorDesc& d, const std::string& what) {
    Fail(Format("operand '{}' is {}: {}", name, Describe(d), what));
  }

  TensorDesc Next(const char* name, std::span<const Operand> operands, size_t* next) {
    if (!status_.ok()) return {};
    if (*next >= operands.size()) {
      Fail(Format("operand '{}' is missing", name));
      return {};
    }
    const TensorDesc d = operands[(*next)++].desc;
    if (d.outer < 0 || d.rows < 0 || d.cols < 0) Fail(name, d, "negative size");
    return d;
  }

  void Input(const char* name, DType dtype, int64_t outer, int64_t rows, int64_t cols) {
    Exactly(name, Next(name, call_.in, &n_in_), dtype, outer, rows, cols);
  }
  void Output(const char* name, DType dtype, int64_t rows, int64_t cols) {
    Exactly(name, Next(name, call_.out, &n_out_), dtype, 1, rows, cols);
  }
  void Exactly(const char* name, const TensorDesc& d, DType dtype, int64_t outer, int64_t rows,
               int64_t cols) {
    if (!status_.ok()) return;
    if (d.dtype != dtype || d.outer != outer || d.rows != rows || d.cols != cols) {
      Fail(name, d, Format("want {}", Describe({dtype, outer, rows, cols})));
    }
  }

  const Call& call_;
  Status status_;
  size_t n_in_ = 0;
  size_t n_out_ = 0;
};

void Check(const EmbedRows&, Checker& c) {
  const int64_t d = c.Out(0).cols;
  c.Weight("table", d, false);
  c.OutputF32("out", c.Out(0).rows, d);
}

void Check(const Norm& p, Checker& c) {
  const TensorDesc x = c.AnyF32("x");
  const int64_t group = p.group == 0 ? x.cols : p.group;
  c.Require(group > 0 && x.cols % group == 0, "the row is not a multiple of the group");
  c.Require(p.eps >= 0.0f, "eps is negative");
  if (p.has_weight) c.InputF32("weight", 1, group);
  if (p.has_bias) c.InputF32("bias", 1, group);
  c.OutputF32("out", x.rows, x.cols);
}

void Check(const MatMul& p, Checker& c) {
  c.Require(p.n_weights >= 1 && p.n_weights <= MatMul::kMaxWeights, "bad number of weights");
  const bool glu = p.glu.kind != GluKind::kNone;
  c.Require(!glu || p.n_weights == 2, "a glu needs exactly two weights");
  c.Require(!p.has_residual || (p.n_weights == 1 && !glu), "a residual needs exactly one weight");
  const TensorDesc x = c.AnyF32("x");
  int64_t n[MatMul::kMaxWeights] = {};
  const int n_weights = p.n_weights < MatMul::kMaxWeights ? p.n_weights : MatMul::kMaxWeights;
  for (int i = 0; i < n_weights; ++i) n[i] = c.Weight("w", x.cols, false).rows;
  c.Require(!glu || n[0] == n[1], "gate and up differ in rows");
  for (int i = 0; i < n_weights; ++i) {
    if (p.has_bias[i]) c.InputF32("bias", 1, n[i]);
  }
  if (p.has_residual) c.InputF32("residual", x.rows, n[0]);
  const int n_outputs = glu ? 1 : n_weights;
  for (int i = 0; i < n_outputs; ++i) c.OutputF32("out", x.rows, n[i]);
}

void Check(const RopeTable& p, Checker& c) {
  c.Require(p.rope_dim > 0 && p.rope_dim % 2 == 0, "rope_dim must be even and positive");
  c.Require(p.freq_base > 0.0f && p.freq_scale > 0.0f, "freq_base and freq_scale must be positive");
  c.Require(p.ext_factor == 0.0f || p.n_ctx_orig > 0, "YaRN needs n_ctx_orig");
  if (p.has_factors) c.InputF32("factors", 1, p.rope_dim / 2);
  c.OutputF32("out", c.Out(0).rows, p.rope_dim);
}

void CheckRopeParams(const Rope& p, const TensorDesc& x, Checker& c) {
  c.Require(p.head_dim > 0 && p.rope_dim > 0 && p.rope_dim % 2 == 0 && p.rope_dim <= p.head_dim,
            "rope_dim must be even, positive and at most head_dim");
  c.Require(p.head_dim > 0 && x.cols % p.head_dim == 0, "the row is not a multiple of head_dim");
}

void Check(const Rope& p, Checker& c) {
  const TensorDesc x = c.AnyF32("x");
  CheckRopeParams(p, x, c);
  c.InputF32("table", x.rows, p.rope_dim);
  c.OutputF32("out", x.rows, x.cols);
}

void CheckAppendInputs(const KvAppend& p, int64_t rows, Checker& c) {
  c.Require(p.n_kv_heads > 0 && p.head_dim_k > 0 && p.head_dim_v > 0, "bad head counts");
  c.InputF32("k", rows, int64_t{p.n_kv_heads} * p.head_dim_k);
  c.InputF32("v", rows, int64_t{p.n_kv_heads} * p.head_dim_v);
}

void Check(const KvAppend& p, Checker& c) { CheckAppendInputs(p, c.In(0).rows, c); }

void Check(const RopeKvAppend& p, Checker& c) {
  const TensorDesc q = c.AnyF32("q");
  CheckRopeParams(p.rope, q, c);
  c.Require(p.rope.head_dim == p.append.head_dim_k, "q and k differ in head_dim");
  CheckAppendInputs(p.append, q.rows, c);
  c.InputF32("table", q.rows, p.rope.rope_dim);
  c.OutputF32("out", q.rows, q.cols);
}

void Check(const Attention& p, Checker& c) {
  c.Require(p.n_kv_heads > 0 && p.n_heads > 0 && p.n_heads % p.n_kv_heads == 0,
            "n_heads is not a multiple of n_kv_heads");
  c.Require(p.head_dim_k > 0 && p.head_dim_v > 0, "bad head_dim");
  c.Require(p.window >= 0 && p.softcap >= 0.0f, "negative window or softcap");
  const int64_t rows = c.In(0).rows;
  c.InputF32("q", rows, int64_t{p.n_heads} * p.head_dim_k);
  if (p.has_sinks) c.InputF32("sinks", 1, p.n_heads);
  c.OutputF32("out", rows, int64_t{p.n_heads} * p.head_dim_v);
}

void Check(const Glu& p, Checker& c) {
  c.Require(p.kind != GluKind::kNone, "glu kind is none");
  const TensorDesc gate = c.AnyF32("gate");
  c.InputF32("up", gate.rows, gate.cols);
  c.OutputF32("out", gate.rows, gate.cols);
}

void Check(const Add&, Checker& c) {
  const TensorDesc a = c.AnyF32("a");
  c.InputF32("b", a.rows, a.cols);
  c.OutputF32("out", a.rows, a.cols);
}

void Check(const Scale&, Checker& c) {
  const TensorDesc x = c.AnyF32("x");
  c.OutputF32("out", x.rows, x.cols);
}

void Check(const SoftCap& p, Checker& c) {
  c.Require(p.cap > 0.0f, "cap must be positive");
  const TensorDesc x = c.AnyF32("x");
  c.OutputF32("out", x.rows, x.cols);
}

void Check(const GatherRows&, Checker& c) {
  const TensorDesc x = c.AnyF32("x");
  c.OutputF32("out", c.Out(0).rows, x.cols);
}

void Check(const MoeRoute& p, Checker& c) {
  c.Require(p.n_used >= 1 && p.n_used <= p.n_experts, "n_used must be 1 to n_experts");
  const int64_t rows = c.In(0).rows;
  c.InputF32("logits", rows, p.n_experts);
  if (p.has_selection_bias) c.InputF32("selection_bias", 1, p.n_experts);
  c.OutputI32("ids", rows, p.n_used);
  c.OutputF32("weights", rows, p.n_used);
}

void Check(const MoeMatMul& p, Checker& c) {
  c.Require(p.n_weights >= 1 && p.n_weights <= MoeMatMul::kMaxWeights, "bad number of weights");
  c.Require(p.n_used >= 1, "n_used must be positive");
  const bool glu = p.glu.kind != GluKind::kNone;
  c.Require(!glu || p.n_weights == 2, "a glu needs exactly two weights");
  const TensorDesc x = c.AnyF32("x");
  const int64_t tokens = c.In(1).rows;
  c.InputI32("ids", tokens, p.n_used);
  c.Require(x.rows == (p.x_per_expert ? tokens * p.n_used : tokens),
            "x does not match ids in rows");
  const int n_weights = p.n_weights < MoeMatMul::kMaxWeights ? p.n_weights : MoeMatMul::kMaxWeights;
  TensorDesc w[MoeMatMul::kMaxWeights];
  for (int i = 0; i < n_weights; ++i) {
    w[i] = c.Weight("w", x.cols, true);
    c.Require(w[i].outer == w[0].outer, "the weights differ in experts");
  }
  c.Require(!glu || w[0].rows == w[1].rows, "gate and up differ in rows");
  for (int i = 0; i < n_weights; ++i) {
    if (p.has_bias[i]) c.ExpertVectors("bias", w[i].outer, w[i].rows);
  }
  const int n_outputs = glu ? 1 : n_weights;
  for (int i = 0; i < n_outputs; ++i) c.OutputF32("out", tokens * p.n_used, w[i].rows);
}

void Check(const MoeCombine& p, Checker& c) {
  c.Require(p.n_used >= 1, "n_used must be positive");
  const int64_t tokens = c.In(1).rows;
  const int64_t cols = c.In(0).cols;
  c.InputF32("y", tokens * p.n_used, cols);
  c.InputF32("weights", tokens, p.n_used);
  c.OutputF32("out", tokens, cols);
}

}  // namespace

Status CheckCall(const Call& call) {
  if (call.params == nullptr) return Internal("call without parameters");
  Checker checker(call);
  std::visit([&](const auto& params) { Check(params, checker); }, *call.params);
  return checker.Finish();
}

}  // namespace rocforge::op
