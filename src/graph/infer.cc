#include <variant>

#include "base/format.h"
#include "graph/graph.h"
#include "quant/quant.h"

namespace rocforge::graph {
namespace {

using Shapes = Result<std::vector<OutputShape>>;
using Inputs = std::span<const Value* const>;

// Reads the inputs of an op in order and remembers the first breach of its contract.
class Reader {
 public:
  Reader(op::Kind kind, Inputs in) : kind_(kind), in_(in) {}

  const Value& Next() {
    static const Value kMissing;
    if (at_ >= in_.size()) {
      Fail("has too few inputs");
      return kMissing;
    }
    return *in_[at_++];
  }
  const Value& Activation() {
    const Value& v = Next();
    Require(v.dtype == DType::kF32 && v.outer == 1, "must be an f32 matrix");
    return v;
  }
  // A matrix [rows, cols], or a stack of them, of any type that can be read.
  const Value& Matrix(int64_t cols) {
    const Value& v = Next();
    Require(quant::CanDecode(v.dtype), "has an element type that cannot be decoded");
    Require(v.rows.unit == RowUnit::kConstant && v.rows.count > 0 && v.cols == cols,
            "has the wrong shape");
    return v;
  }
  void Vector(int64_t n, int64_t rows = 1) {
    const Value& v = Next();
    Require(v.dtype == DType::kF32 && v.rows == Rows{RowUnit::kConstant, rows} && v.cols == n,
            "is not an f32 vector of the right length");
  }
  void Require(bool holds, const char* what) {
    if (!holds) Fail(what);
  }
  Shapes Finish(std::vector<OutputShape> shapes) {
    if (at_ != in_.size()) Fail("is one input too many");
    if (!status_.ok()) return status_;
    return shapes;
  }

 private:
  void Fail(const char* what) {
    if (!status_.ok()) return;
    const char* name = at_ > 0 && at_ <= in_.size() ? in_[at_ - 1]->name.c_str() : "";
    status_ = Internal(Format("{}: input {} ({}) {}", op::KindName(kind_), at_, name, what));
  }

  op::Kind kind_;
  Inputs in_;
  size_t at_ = 0;
  Status status_;
};

OutputShape Like(const Value& v) { return {v.dtype, v.rows, v.cols}; }
OutputShape F32(Rows rows, int64_t cols) { return {DType::kF32, rows, cols}; }

Shapes Infer(const op::EmbedRows&, Reader r) {
  const Value& table = r.Next();
  r.Require(quant::CanDecode(table.dtype) && table.rows.unit == RowUnit::kConstant,
            "must be a decodable table");
  return r.Finish({F32({RowUnit::kToken, 1}, table.cols)});
}

Shapes Infer(const op::Norm& p, Reader r) {
  const Value& x = r.Activation();
  const int64_t group = p.group == 0 ? x.cols : p.group;
  r.Require(group > 0 && x.cols % group == 0, "has columns that are not a multiple of the group");
  if (p.has_weight) r.Vector(group);
  if (p.has_bias) r.Vector(group);
  return r.Finish({Like(x)});
}

// Shared by MatMul and MoeMatMul: the matrices, then the biases; returns the output widths.
std::vector<int64_t> Products(Reader& r, int64_t k, int n_weights, const bool* has_bias,
                              int64_t outer) {
  std::vector<int64_t> widths;
  for (int i = 0; i < n_weights; ++i) {
    const Value& w = r.Matrix(k);
    r.Require(w.outer == outer, "has the wrong number of experts");
    widths.push_back(w.rows.count);
  }
  for (int i = 0; i < n_weights; ++i) {
    if (has_bias[i]) r.Vector(widths[static_cast<size_t>(i)], outer);
  }
  return widths;
}

std::vector<OutputShape> ProductShapes(Reader& r, Rows rows, const std::vector<int64_t>& widths,
                                       op::GluKind glu) {
  if (glu == op::GluKind::kNone) {
    std::vector<OutputShape> shapes;
    for (int64_t n : widths) shapes.push_back(F32(rows, n));
    return shapes;
  }
  r.Require(widths.size() == 2 && widths[0] == widths[1],
            "does not pair with the other half of the GLU");
  return {F32(rows, widths[0])};
}

Shapes Infer(const op::MatMul& p, Reader r) {
  const Value& x = r.Activation();
  r.Require(p.n_weights >= 1 && p.n_weights <= op::MatMul::kMaxWeights,
            "feeds a wrong number of weights");
  const std::vector<int64_t> widths = Products(r, x.cols, p.n_weights, p.has_bias, 1);
  if (p.has_residual) {
    r.Require(p.n_weights == 1 && p.glu.kind == op::GluKind::kNone, "cannot take a residual");
    const Value& residual = r.Activation();
    r.Require(residual.rows == x.rows && residual.cols == widths[0],
              "is a residual of another shape");
  }
  std::vector<OutputShape> shapes = ProductShapes(r, x.rows, widths, p.glu.kind);
  return r.Finish(std::move(shapes));
}

Shapes Infer(const op::RopeTable& p, Reader r) {
  if (p.has_factors) r.Vector(p.rope_dim / 2);
  return r.Finish({F32({RowUnit::kToken, 1}, p.rope_dim)});
}

void CheckRope(const op::Rope& p, const Value& x, Reader& r) {
  r.Require(p.head_dim > 0 && p.rope_dim > 0 && p.rope_dim <= p.head_dim && p.rope_dim % 2 == 0 &&
                x.cols % p.head_dim == 0,
            "does not divide into heads");
}

Shapes Infer(const op::Rope& p, Reader r) {
  const Value& x = r.Activation();
  CheckRope(p, x, r);
  const Value& table = r.Activation();
  r.Require(table.cols == p.rope_dim && table.rows == x.rows, "is a table of another shape");
  return r.Finish({Like(x)});
}

void CheckAppend(const op::KvAppend& p, Reader& r) {
  const Value& k = r.Activation();
  r.Require(k.cols == int64_t{p.n_kv_heads} * p.head_dim_k && k.rows == Rows{RowUnit::kToken, 1},
            "has the wrong shape");
  const Value& v = r.Activation();
  r.Require(v.cols == int64_t{p.n_kv_heads} * p.head_dim_v && v.rows == Rows{RowUnit::kToken, 1},
            "has the wrong shape");
}

Shapes Infer(const op::KvAppend& p, Reader r) {
  CheckAppend(p, r);
  return r.Finish({});
}

Shapes Infer(const op::RopeKvAppend& p, Reader r) {
  const Value& q = r.Activation();
  CheckRope(p.rope, q, r);
  CheckAppend(p.append, r);
  const Value& table = r.Activation();
  r.Require(table.cols == p.rope.rope_dim && p.append.head_dim_k == p.rope.head_dim,
            "is a table of another shape");
  return r.Finish({Like(q)});
}

Shapes Infer(const op::Attention& p, Reader r) {
  const Value& q = r.Activation();
  r.Require(p.n_heads > 0 && p.n_kv_heads > 0 && p.n_heads % p.n_kv_heads == 0 &&
                q.cols == int64_t{p.n_heads} * p.head_dim_k && q.rows == Rows{RowUnit::kToken, 1},
            "does not divide into heads");
  if (p.has_sinks) r.Vector(p.n_heads);
  return r.Finish({F32(q.rows, int64_t{p.n_heads} * p.head_dim_v)});
}

Shapes InferPair(Reader r) {
  const Value& a = r.Activation();
  const Value& b = r.Activation();
  r.Require(a.rows == b.rows && a.cols == b.cols, "has another shape than the first");
  return r.Finish({Like(a)});
}
Shapes Infer(const op::Glu&, Reader r) { return InferPair(std::move(r)); }
Shapes Infer(const op::Add&, Reader r) { return InferPair(std::move(r)); }

Shapes InferSame(Reader r) {
  const Value& x = r.Activation();
  return r.Finish({Like(x)});
}
Shapes Infer(const op::Scale&, Reader r) { return InferSame(std::move(r)); }
Shapes Infer(const op::SoftCap&, Reader r) { return InferSame(std::move(r)); }

Shapes Infer(const op::GatherRows&, Reader r) {
  const Value& x = r.Activation();
  r.Require(x.rows == Rows{RowUnit::kToken, 1}, "must have a row per token");
  return r.Finish({F32({RowUnit::kOutput, 1}, x.cols)});
}

Shapes Infer(const op::MoeRoute& p, Reader r) {
  const Value& x = r.Activation();
  r.Require(x.cols == p.n_experts && p.n_used > 0 && p.n_used <= p.n_experts,
            "has a wrong number of experts");
  if (p.has_selection_bias) r.Vector(p.n_experts);
  return r.Finish({{DType::kI32, x.rows, p.n_used}, F32(x.rows, p.n_used)});
}

Shapes Infer(const op::MoeMatMul& p, Reader r) {
  const Value& x = r.Activation();
  const Value& ids = r.Next();
  r.Require(ids.dtype == DType::kI32 && ids.cols == p.n_used, "must hold the expert ids");
  const Rows rows = {ids.rows.unit, ids.rows.count * p.n_used};
  const Rows expected = p.x_per_expert ? rows : ids.rows;
  r.Require(x.rows == expected, "does not pair with the first input");
  r.Require(p.n_weights >= 1 && p.n_weights <= op::MoeMatMul::kMaxWeights,
            "feeds a wrong number of weights");
  Reader peek = r;
  const int64_t outer = peek.Next().outer;
  const std::vector<int64_t> widths = Products(r, x.cols, p.n_weights, p.has_bias, outer);
  std::vector<OutputShape> shapes = ProductShapes(r, rows, widths, p.glu.kind);
  return r.Finish(std::move(shapes));
}

Shapes Infer(const op::MoeCombine& p, Reader r) {
  const Value& y = r.Activation();
  const Value& weights = r.Activation();
  r.Require(
      weights.cols == p.n_used && y.rows == Rows{weights.rows.unit, weights.rows.count * p.n_used},
      "does not pair with the experts' outputs");
  return r.Finish({F32(weights.rows, y.cols)});
}

}  // namespace

Result<std::vector<OutputShape>> InferOutputs(const op::Params& params,
                                              std::span<const Value* const> in) {
  return std::visit([&](const auto& p) { return Infer(p, Reader(op::KindOf(params), in)); },
                    params);
}

}  // namespace rocforge::graph
