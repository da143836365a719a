// MatMul and MoeMatMul. Both are a list of segments (some rows of x times one expert's weights; an
// ordinary MatMul is one segment), cut into tiles of weight rows that threads take one by one.
//
// Few rows of x: weights are decoded in registers and used at once, so that each weight byte is
// read once and memory sets the pace. Many rows: a panel of weight rows is decoded to scratch (in
// the second-level cache) and used by every row, so that arithmetic does.
#include <algorithm>

#include "kernels/cpu/common/drivers.h"
#include "kernels/cpu/common/parallel.h"
#include "quant/quant.h"

namespace rocforge::cpu::common {
namespace {

constexpr int64_t kMaxTileRows = 64;   // weight rows of a tile
constexpr int64_t kMaxRowBlock = 256;  // rows of x for which a decoded panel is used
constexpr int64_t kMaxWeightsPerOutput = 2;
// Rows in the panel do not start a power of two apart, which would crowd one set of the cache.
constexpr int64_t kPanelStride = kChunk + 16;
// Weights times rows below which one thread is as quick as several.
constexpr int64_t kSerialProducts = 64 * 1024;

struct Weight {
  const op::Operand* operand = nullptr;
  const float* bias = nullptr;  // [experts, n] or null
  MatMulPrimitives::Dot dot = nullptr;
  MatMulPrimitives::Decode decode = nullptr;
};

// One output and the one or two weights that it is made of.
struct Output {
  Weight weights[kMaxWeightsPerOutput];
  int n_weights = 1;
  int64_t n = 0;  // columns
  float* out = nullptr;
  const float* residual = nullptr;
  float out_scale = 1.0f;
  op::Glu glu{op::GluKind::kNone};
};

// Rows of x that meet one expert: entries [begin, begin + count) of Job::x and Job::out_rows.
struct Segment {
  int64_t expert = 0;
  int64_t begin = 0;
  int64_t count = 0;
};

struct Job {
  const Primitives* isa = nullptr;
  Output outputs[op::MatMul::kMaxWeights];
  int n_outputs = 0;
  int64_t k = 0;
  const float** x = nullptr;    // rows, ordered by segment
  int32_t* out_rows = nullptr;  // where their results go
  Segment* segments = nullptr;
  int64_t n_segments = 0;
  std::byte* thread_scratch = nullptr;
  int64_t thread_scratch_bytes = 0;
};

// A thread's scratch: results of a tile, and the panel.
struct TileScratch {
  float* y[kMaxWeightsPerOutput];  // [row block, kMaxTileRows]
  float* panel;                    // [kMaxTileRows, kPanelStride]

  TileScratch(ScratchCutter& cutter, int64_t max_rows) {
    const int64_t rows = std::min(max_rows, kMaxRowBlock);
    for (float*& result : y) result = cutter.Take<float>(rows * kMaxTileRows);
    panel = cutter.Take<float>(kMaxTileRows * kPanelStride);
  }
};

Weight MakeWeight(const op::Operand& operand, const Primitives& isa) {
  const int type = static_cast<int>(operand.desc.dtype);
  Weight w;
  w.operand = &operand;
  w.dot = isa.matmul->dot[type];
  w.decode = isa.matmul->decode[type];
  if (w.decode == nullptr) w.decode = quant::Decoder(operand.desc.dtype);
  return w;
}

// y[i, r] = weight row (o0 + r) . x[i] for r in [0, n), i in [0, m).
void Product(const Job& job, const Weight& w, int64_t expert, int64_t o0, int64_t n,
             const float* const* x, int64_t m, float* y, float* panel) {
  const op::TensorDesc& desc = w.operand->desc;
  const int64_t row_bytes = desc.row_bytes();
  const std::byte* rows = w.operand->bytes() + (expert * desc.rows + o0) * row_bytes;
  if (w.dot != nullptr && m <= kMaxDotRows) {
    w.dot(rows, row_bytes, n, x, static_cast<int>(m), job.k, y, kMaxTileRows);
    return;
  }
  const DTypeInfo& info = Info(desc.dtype);
  for (int64_t begin = 0; begin < job.k; begin += kChunk) {
    const int64_t count = std::min(kChunk, job.k - begin);
    const std::byte* chunk = rows + begin / info.block_elements * info.block_bytes;
    for (int64_t r = 0; r < n; ++r)
      w.decode(chunk + r * row_bytes, panel + r * kPanelStride, count);
    job.isa->matmul->gemm(panel, kPanelStride, n, x, begin, m, count, begin > 0, y, kMaxTileRows);
  }
}

// Bias, glu or residual; writes the row of the output.
void Finish(const Job& job, const Output& output, int64_t expert, int64_t o0, int64_t n, float* y0,
            float* y1, int64_t out_row) {
  float* ys[kMaxWeightsPerOutput] = {y0, y1};
  for (int w = 0; w < output.n_weights; ++w) {
    const float* bias = output.weights[w].bias;
    if (bias == nullptr) continue;
    bias += expert * output.n + o0;
    for (int64_t r = 0; r < n; ++r) ys[w][r] += bias[r];
  }
  const int64_t index = out_row * output.n + o0;
  float* out = output.out + index;
  if (output.glu.kind != op::GluKind::kNone) {
    job.isa->vector->glu[static_cast<int>(output.glu.kind)](y0, y1, output.glu.alpha,
                                                            output.glu.limit, out, n);
  } else if (output.residual != nullptr) {
    job.isa->vector->add_scaled(output.residual + index, y0, output.out_scale, out, n);
  } else {
    std::copy_n(y0, n, out);
  }
}

void RunTile(const Job& job, const Output& output, const Segment& segment, int64_t o0, int64_t n,
             int member) {
  ScratchCutter cutter(job.thread_scratch + member * job.thread_scratch_bytes);
  const TileScratch scratch(cutter, segment.count);
  for (int64_t first = 0; first < segment.count; first += kMaxRowBlock) {
    const int64_t m = std::min(kMaxRowBlock, segment.count - first);
    const float* const* x = job.x + segment.begin + first;
    for (int w = 0; w < output.n_weights; ++w) {
      Product(job, output.weights[w], segment.expert, o0, n, x, m, scratch.y[w], scratch.panel);
    }
    for (int64_t i = 0; i < m; ++i) {
      Finish(job, output, segment.expert, o0, n, scratch.y[0] + i * kMaxTileRows,
             scratch.y[1] + i * kMaxTileRows, job.out_rows[segment.begin + first + i]);
    }
  }
}

// Runs all tiles. Their height adapts to the team, so that each member gets several; that changes
// no result (primitives.h).
void RunJob(const Job& job, const Context& context) {
  int64_t columns = 0;
  int64_t products = 0;
  for (int i = 0; i < job.n_outputs; ++i) columns += job.outputs[i].n;
  for (int64_t s = 0; s < job.n_segments; ++s) {
    products += job.segments[s].count * columns * job.outputs[0].n_weights * job.k;
  }
  const bool serial = products < kSerialProducts;
  const int64_t wanted = columns * job.n_segments / (8 * context.pool->size());
  const int64_t height =
      serial ? kMaxTileRows : std::clamp<int64_t>(wanted / 8 * 8, 8, kMaxTileRows);

  int64_t tiles_per_segment = 0;
  for (int i = 0; i < job.n_outputs; ++i) {
    tiles_per_segment += (job.outputs[i].n + height - 1) / height;
  }
  ForItems(context, tiles_per_segment * job.n_segments, serial, [&](int member, int64_t item) {
    const Segment& segment = job.segments[item / tiles_per_segment];
    int64_t tile = item % tiles_per_segment;
    int i = 0;
    while (tile >= (job.outputs[i].n + height - 1) / height) {
      tile -= (job.outputs[i++].n + height - 1) / height;
    }
    const int64_t o0 = tile * height;
    RunTile(job, job.outputs[i], segment, o0, std::min(height, job.outputs[i].n - o0), member);
  });
}

// Scratch: the rows' pointers and places, the segments, then a piece for each thread. Fills the
// job's pointers, or with a null scratch only counts.
int64_t CutScratch(std::byte* scratch, int64_t n_rows, int64_t max_segments, int n_threads,
                   Job* job) {
  ScratchCutter cutter(scratch);
  job->x = cutter.Take<const float*>(n_rows);
  job->out_rows = cutter.Take<int32_t>(n_rows);
  job->segments = cutter.Take<Segment>(max_segments);
  job->thread_scratch = cutter.Take<std::byte>(0);
  ScratchCutter thread(nullptr);
  TileScratch(thread, n_rows);
  job->thread_scratch_bytes = thread.used_bytes();
  return cutter.used_bytes() + n_threads * thread.used_bytes();
}

// Weights and biases of either op: `weights` are consecutive inputs from first_weight on.
template <typename P>
void SetOutputs(const op::Call& call, const P& params, size_t first_weight, const Primitives& isa,
                Job* job) {
  const bool glu = params.glu.kind != op::GluKind::kNone;
  const int per_output = glu ? 2 : 1;
  size_t next_bias = first_weight + static_cast<size_t>(params.n_weights);
  for (int i = 0; i < params.n_weights; ++i) {
    Output& output = job->outputs[i / per_output];
    Weight& w = output.weights[i % per_output];
    w = MakeWeight(call.in[first_weight + static_cast<size_t>(i)], isa);
    if (params.has_bias[i]) w.bias = call.in[next_bias++].f32();
    output.n_weights = per_output;
    output.n = w.operand->desc.rows;
    output.out = call.out[static_cast<size_t>(i / per_output)].f32_out();
    output.glu = params.glu;
  }
  job->n_outputs = params.n_weights / per_output;
}

// Orders the rows by expert: a counting sort, stable, so that results do not depend on chance.
void GroupByExpert(const int32_t* ids, int64_t n_rows, const op::Operand& x, int64_t rows_per_x,
                   int64_t n_experts, Job* job) {
  std::fill_n(job->segments, n_experts, Segment{});
  for (int64_t r = 0; r < n_rows; ++r) ++job->segments[ids[r]].count;
  int64_t begin = 0;
  for (int64_t e = 0; e < n_experts; ++e) {
    job->segments[e].expert = e;
    job->segments[e].begin = begin;
    begin += job->segments[e].count;
    job->segments[e].count = 0;
  }
  for (int64_t r = 0; r < n_rows; ++r) {
    Segment& segment = job->segments[ids[r]];
    const int64_t place = segment.begin + segment.count++;
    job->x[place] = x.f32() + r / rows_per_x * x.desc.cols;
    job->out_rows[place] = static_cast<int32_t>(r);
  }
  for (int64_t e = 0; e < n_experts; ++e) {
    if (job->segments[e].count > 0) job->segments[job->n_segments++] = job->segments[e];
  }
}

}  // namespace

void MatMul(const op::Call& call, const Context& context, const Primitives& isa) {
  const auto& params = std::get<op::MatMul>(*call.params);
  const op::Operand& x = call.in[0];
  Job job;
  job.isa = &isa;
  job.k = x.desc.cols;
  CutScratch(context.scratch, x.desc.rows, 1, context.pool->size(), &job);
  SetOutputs(call, params, 1, isa, &job);
  if (params.has_residual) {
    job.outputs[0].residual = call.in.back().f32();
    job.outputs[0].out_scale = params.out_scale;
  }
  for (int64_t r = 0; r < x.desc.rows; ++r) {
    job.x[r] = x.f32() + r * job.k;
    job.out_rows[r] = static_cast<int32_t>(r);
  }
  job.segments[0] = {0, 0, x.desc.rows};
  job.n_segments = x.desc.rows > 0 ? 1 : 0;
  RunJob(job, context);
}

void MoeMatMul(const op::Call& call, const Context& context, const Primitives& isa) {
  const auto& params = std::get<op::MoeMatMul>(*call.params);
  const op::Operand& x = call.in[0];
  const int64_t n_rows = call.out[0].desc.rows;
  const int64_t n_experts = call.in[2].desc.outer;
  Job job;
  job.isa = &isa;
  job.k = x.desc.cols;
  CutScratch(context.scratch, n_rows, n_experts, context.pool->size(), &job);
  SetOutputs(call, params, 2, isa, &job);
  GroupByExpert(call.in[1].i32(), n_rows, x, params.x_per_expert ? 1 : params.n_used, n_experts,
                &job);
  RunJob(job, context);
}

int64_t MatMulScratchBytes(const op::Call& call, int n_threads) {
  Job job;
  return CutScratch(nullptr, call.in[0].desc.rows, 1, n_threads, &job);
}

int64_t MoeMatMulScratchBytes(const op::Call& call, int n_threads) {
  Job job;
  return CutScratch(nullptr, call.out[0].desc.rows, call.in[2].desc.outer, n_threads, &job);
}

}  // namespace rocforge::cpu::common
