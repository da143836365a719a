// What stands between two products: the norm of rows, rounding rows for the products of several
// vectors, and the rotary embedding. Each launch has its own rows, as in a model's step.
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/format.h"
#include "bench/micro/gpu/bench.h"
#include "kernels/gpu/ops/quantize_rows_args.h"
#include "kernels/op/op.h"

namespace rocforge::gpu::bench {
namespace {

constexpr int64_t kCols = 4096;
constexpr size_t kLaunches = 64;

template <typename T>
T* Pointer(const Buffer& buffer) {
  return reinterpret_cast<T*>(static_cast<uintptr_t>(buffer.ptr()));
}

// An op of a row a token, which moves `bytes`.
void RunOp(Bench& bench, const std::string& name, const op::Call& call, int32_t rows,
           double bytes) {
  BindContext context;
  context.device = bench.target().device();
  context.modules = &bench.target().modules();
  const auto bound = Bind(call, {RowCount::Unit::kToken, 1}, context);
  if (!bound.ok()) return bench.Fail(name, bound.status());
  bench.Run(name, kLaunches,
            [&](const Stream& stream, size_t) {
              return (*bound)->Enqueue(stream, {rows, rows, rows, 1});
            },
            {bytes, 0});
}

void Norm(Bench& bench, int32_t rows) {
  const std::string name = Format("norm {} x {}", rows, kCols);
  if (!bench.Wants(name)) return;
  Result<Buffer> x = bench.target().Floats(rows * kCols);
  Result<Buffer> weight = bench.target().Floats(kCols);
  Result<Buffer> y = bench.target().Zeroes(rows * kCols * 4);
  if (!x.ok() || !weight.ok() || !y.ok()) return bench.Fail(name, Internal("no memory"));
  const op::TensorDesc shape{DType::kF32, 1, rows, kCols};
  const std::array<op::Operand, 2> in = {
      op::Operand{shape, Pointer<void>(*x)},
      op::Operand{{DType::kF32, 1, 1, kCols}, Pointer<void>(*weight)}};
  const std::array<op::Operand, 1> out = {op::Operand{shape, Pointer<void>(*y)}};
  op::Norm norm;
  norm.has_weight = true;
  norm.eps = 1e-5f;
  norm.group = kCols;
  const op::Params params = norm;
  RunOp(bench, name, {&params, in, out, nullptr, nullptr}, rows, 8.0 * rows * kCols);
}

void Quantise(Bench& bench, int32_t rows) {
  const std::string name = Format("quantise {} x {}", rows, kCols);
  if (!bench.Wants(name)) return;
  Result<Buffer> x = bench.target().Floats(rows * kCols);
  Result<Buffer> out = bench.target().Zeroes(rows * static_cast<int64_t>(QuantisedRowBytes(kCols)));
  const Result<Kernel> kernel = bench.target().modules().Find("quantize_rows", "quantize_rows");
  if (!x.ok() || !out.ok() || !kernel.ok()) return bench.Fail(name, kernel.status());
  const QuantizeRowsArgs args{Pointer<float>(*x), Pointer<uint8_t>(*out), kCols, 0};
  const bool overlap = bench.target().device()->api().launch_overlapping != nullptr;
  bench.Run(name, kLaunches,
            [&](const Stream& stream, size_t) {
              return stream.Launch(
                  *kernel,
                  {kCols / kOct / 256, static_cast<uint32_t>(rows), 256, false, 0, overlap}, &args);
            },
            {5.25 * rows * kCols, 0});
}

// Queries of `heads` heads of 128 columns, in place.
void Rope(Bench& bench, int32_t heads, int32_t tokens) {
  const std::string name = Format("rope {} heads, {} tok", heads, tokens);
  if (!bench.Wants(name)) return;
  constexpr int64_t kHeadDim = 128;
  Result<Buffer> q = bench.target().Floats(tokens * heads * kHeadDim);
  Result<Buffer> table = bench.target().Zeroes(tokens * kHeadDim * 4);
  if (!q.ok() || !table.ok()) return bench.Fail(name, Internal("no memory"));
  const op::TensorDesc shape{DType::kF32, 1, tokens, heads * kHeadDim};
  const std::array<op::Operand, 2> in = {
      op::Operand{shape, Pointer<void>(*q)},
      op::Operand{{DType::kF32, 1, tokens, kHeadDim}, Pointer<void>(*table)}};
  const std::array<op::Operand, 1> out = {op::Operand{shape, Pointer<void>(*q)}};
  const op::Params params = op::Rope{op::RopeKind::kNeox, kHeadDim, kHeadDim};
  RunOp(bench, name, {&params, in, out, nullptr, nullptr}, tokens, 8.0 * tokens * heads * kHeadDim);
}

void Rows(Bench& bench) {
  for (const int32_t rows : {1, 4, 8}) Norm(bench, rows);
  for (const int32_t rows : {4, 8}) Quantise(bench, rows);
  for (const int32_t tokens : {1, 32, 512}) Rope(bench, 32, tokens);
}

[[maybe_unused]] const bool registered = Register(Rows);

}  // namespace
}  // namespace rocforge::gpu::bench
