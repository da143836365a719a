// Times the CPU kernels beside what this machine can do at most: a plain read of memory and a loop
// of independent multiply-adds.
//   bench_cpu_kernels [--isa NAME] [--threads N,N] [--types T,T] [--rows R,R] [--shapes NxK,NxK]
//                     [--seconds S] [--attention] [--cached]
// For each shape, enough copies of the weights are walked through that they do not stay in cache
// (--cached: one copy, to see the arithmetic alone).
// The best of many repetitions is shown: others may use the machine.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "base/format.h"
#include "kernels/cpu/kernels.h"
#include "quant/half.h"
#include "quant/quant.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace rocforge::cpu {
namespace {

struct Options {
  Isa isa = BestIsa();
  std::vector<int> threads = {1, 2};
  std::vector<std::string> types = {"F32",   "F16",     "BF16",   "Q8_0",  "Q4_0",    "Q4_1",
                                    "Q5_0",  "Q5_1",    "Q2_K",   "Q3_K",  "Q4_K",    "Q5_K",
                                    "Q6_K",  "IQ4_NL",  "IQ4_XS", "MXFP4", "NVFP4",   "IQ1_S",
                                    "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S",
                                    "TQ1_0", "TQ2_0",   "Q1_0",   "Q2_0"};
  std::vector<int64_t> rows = {1};
  std::vector<std::pair<int64_t, int64_t>> shapes = {
      {576, 1536}, {1536, 576}, {2048, 2048}, {4096, 4096}, {49152, 576}};
  double seconds = 0.3;
  bool attention = false;
  bool cached = false;
};

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Best time of one call of f, for about `seconds`.
template <typename F>
double BestSeconds(double seconds, F&& f) {
  double best = 1e30;
  const double end = Now() + seconds;
  int runs = 0;
  while (runs++ < 50 || Now() < end) {
    const double begin = Now();
    f();
    best = std::min(best, Now() - begin);
  }
  return best;
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) float MultiplyAdds(int64_t n) {
  __m512 acc[24];
  for (int i = 0; i < 24; ++i) acc[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 x = _mm512_set1_ps(0.999f);
  for (int64_t t = 0; t < n; ++t) {
#pragma GCC unroll 24
    for (int i = 0; i < 24; ++i) acc[i] = _mm512_fmadd_ps(acc[i], x, x);
  }
  float sum = 0;
  for (const __m512& a : acc) sum += _mm512_cvtss_f32(a);
  return sum;
}
__attribute__((target("avx512f"))) float ReadAll(const float* p, int64_t n) {
  __m512 acc[4] = {};
  for (int64_t i = 0; i + 64 <= n; i += 64) {
    for (int j = 0; j < 4; ++j) acc[j] = _mm512_add_ps(acc[j], _mm512_loadu_ps(p + i + 16 * j));
  }
  return _mm512_cvtss_f32(
      _mm512_add_ps(_mm512_add_ps(acc[0], acc[1]), _mm512_add_ps(acc[2], acc[3])));
}
#endif

volatile float g_sink;

void PrintCeilings(const Options& options) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx512f")) return;
  const int64_t n = int64_t{64} << 20;
  std::vector<float> memory(static_cast<size_t>(n), 1.0f);
  for (int threads : options.threads) {
    ThreadPool pool(threads);
    const double read = BestSeconds(1.0, [&] {
      pool.Run([&](int m) { g_sink = ReadAll(memory.data() + n / threads * m, n / threads); });
    });
    const double fma =
        BestSeconds(1.0, [&] { pool.Run([&](int) { g_sink = MultiplyAdds(200000); }); });
    std::printf("ceilings, %d threads: read %.1f GB/s, multiply-add %.1f GFLOP/s\n", threads,
                static_cast<double>(n) * 4 / read / 1e9, 200000.0 * 24 * 32 * threads / fma / 1e9);
  }
#endif
}

std::vector<std::byte> RandomBlocks(DType type, int64_t elements) {
  const DTypeInfo& info = Info(type);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  const int64_t blocks = elements / info.block_elements;
  std::vector<std::byte> bytes(static_cast<size_t>(blocks * info.block_bytes));
  // A thousand different blocks are enough to time; they need sane scales.
  const int64_t distinct = std::min<int64_t>(blocks, 1024);
  std::vector<float> values(static_cast<size_t>(info.block_elements));
  for (int64_t b = 0; b < distinct; ++b) {
    std::byte* block = bytes.data() + b * info.block_bytes;
    do {
      for (int i = 0; i < info.block_bytes; ++i) block[i] = static_cast<std::byte>(random());
      quant::Decoder(type)(block, values.data(), info.block_elements);
    } while (!std::all_of(values.begin(), values.end(), [](float v) { return std::abs(v) < 8; }));
  }
  for (int64_t b = distinct; b < blocks; ++b) {
    std::memcpy(bytes.data() + b * info.block_bytes,
                bytes.data() + (b % distinct) * info.block_bytes,
                static_cast<size_t>(info.block_bytes));
  }
  return bytes;
}

void BenchMatMul(const Options& options, DType type, int64_t n, int64_t k, int64_t rows,
                 int threads) {
  constexpr int64_t kWalkBytes = int64_t{96} << 20;  // beyond the last-level cache
  const op::TensorDesc desc{type, 1, n, k};
  const int64_t copies =
      rows > 16 || options.cached ? 1 : std::max<int64_t>(1, kWalkBytes / desc.bytes());
  std::vector<std::byte> weights = RandomBlocks(type, n * k * copies);
  std::vector<float> x(static_cast<size_t>(rows * k), 0.5f);
  std::vector<float> y(static_cast<size_t>(rows * n));
  ThreadPool pool(threads);
  const op::Params params = op::MatMul{};
  op::Operand in[2] = {{{DType::kF32, 1, rows, k}, x.data()}, {desc, weights.data()}};
  const op::Operand out[1] = {{{DType::kF32, 1, rows, n}, y.data()}};
  const op::Call call{&params, in, out, nullptr, nullptr};
  const Result<Kernel> kernel = FindKernel(call, options.isa);
  if (!kernel.ok()) return;
  std::vector<std::byte> scratch(static_cast<size_t>(ScratchBytes(call, options.isa, threads)) +
                                 64);
  auto* aligned =
      reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(scratch.data()) + 63) / 64 * 64);
  int64_t copy = 0;
  const double seconds = BestSeconds(options.seconds, [&] {
    in[1].data = weights.data() + copy * desc.bytes();
    copy = (copy + 1) % copies;
    (*kernel)(call, {&pool, aligned});
  });
  const double flops =
      2.0 * static_cast<double>(rows) * static_cast<double>(n) * static_cast<double>(k);
  std::printf("%-7s %6lldx%-5lld rows %4lld threads %d: %9.1f us %7.2f GB/s %8.1f GFLOP/s\n",
              Name(type), static_cast<long long>(n), static_cast<long long>(k),
              static_cast<long long>(rows), threads, seconds * 1e6,
              static_cast<double>(desc.bytes()) / seconds / 1e9, flops / seconds / 1e9);
}

// One sequence: `rows` new tokens at the end of a context of kv_len.
void BenchAttention(const Options& options, int32_t rows, int32_t kv_len, int threads) {
  constexpr int32_t kHeads = 9, kKvHeads = 3, kDim = 64, kPage = 32;
  const int32_t n_pages = (kv_len + kPage - 1) / kPage;
  std::vector<uint16_t> k(static_cast<size_t>(n_pages) * kKvHeads * kPage * kDim,
                          quant::FloatToHalf(0.1f));
  std::vector<uint16_t> v = k;
  std::vector<int32_t> table(static_cast<size_t>(n_pages));
  for (int32_t i = 0; i < n_pages; ++i) table[static_cast<size_t>(i)] = i;
  const int32_t seq_begin[] = {0, rows};
  op::Step step;
  step.n_tokens = rows;
  step.n_seqs = 1;
  step.seq_begin = seq_begin;
  step.kv_len = &kv_len;
  step.page_table = table.data();
  step.page_table_stride = n_pages;
  const op::KvLayer kv{k.data(), v.data(), DType::kF16, kPage, kKvHeads, kDim, kDim};
  std::vector<float> q(static_cast<size_t>(rows) * kHeads * kDim, 0.3f);
  std::vector<float> y(q.size());
  const op::Params params = op::Attention{.n_heads = kHeads,
                                          .n_kv_heads = kKvHeads,
                                          .head_dim_k = kDim,
                                          .head_dim_v = kDim,
                                          .scale = 0.125f};
  const op::Operand in[1] = {{{DType::kF32, 1, rows, kHeads * kDim}, q.data()}};
  const op::Operand out[1] = {{{DType::kF32, 1, rows, kHeads * kDim}, y.data()}};
  const op::Call call{&params, in, out, &step, &kv};
  ThreadPool pool(threads);
  std::vector<std::byte> scratch(static_cast<size_t>(ScratchBytes(call, options.isa, threads)) +
                                 64);
  auto* aligned =
      reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(scratch.data()) + 63) / 64 * 64);
  const Result<Kernel> kernel = FindKernel(call, options.isa);
  if (!kernel.ok()) return;
  const double seconds = BestSeconds(options.seconds, [&] { (*kernel)(call, {&pool, aligned}); });
  const double mean_visible = kv_len - (rows - 1) / 2.0;
  const double flops = 4.0 * rows * mean_visible * kHeads * kDim;
  const double bytes = 2.0 * kv_len * kKvHeads * kDim * 2;
  std::printf(
      "attention %dx%d heads, %5d new of %6d, threads %d: %9.1f us %7.2f GB/s %8.1f GFLOP/s\n",
      kHeads, kKvHeads, rows, kv_len, threads, seconds * 1e6, bytes / seconds / 1e9,
      flops / seconds / 1e9);
}

std::vector<std::string> Split(const std::string& text) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

bool ParseOptions(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--attention") {
      options->attention = true;
      continue;
    }
    if (name == "--cached") {
      options->cached = true;
      continue;
    }
    if (i + 1 == argc) return false;
    const std::vector<std::string> values = Split(argv[++i]);
    if (name == "--isa") {
      const Result<Isa> isa = ParseIsa(values[0]);
      if (!isa.ok()) return false;
      options->isa = *isa;
    } else if (name == "--threads") {
      options->threads.clear();
      for (const auto& value : values) options->threads.push_back(std::atoi(value.c_str()));
    } else if (name == "--types") {
      options->types = values;
    } else if (name == "--rows") {
      options->rows.clear();
      for (const auto& value : values) options->rows.push_back(std::atoll(value.c_str()));
    } else if (name == "--shapes") {
      options->shapes.clear();
      for (const auto& value : values) {
        const size_t x = value.find('x');
        if (x == std::string::npos) return false;
        options->shapes.emplace_back(std::atoll(value.c_str()), std::atoll(value.c_str() + x + 1));
      }
    } else if (name == "--seconds") {
      options->seconds = std::atof(values[0].c_str());
    } else {
      return false;
    }
  }
  return true;
}

int Main(int argc, char** argv) {
  Options options;
  if (!ParseOptions(argc, argv, &options)) {
    std::fprintf(stderr, "bad arguments; see the head of bench_cpu_kernels.cc\n");
    return 2;
  }
  std::printf("kernels: %s\n", IsaName(options.isa));
  PrintCeilings(options);
  if (options.attention) {
    for (int threads : options.threads) {
      for (int32_t kv_len : {128, 1024, 8192}) BenchAttention(options, 1, kv_len, threads);
      for (int32_t kv_len : {64, 512, 2048}) BenchAttention(options, 64, kv_len, threads);
    }
    return 0;
  }
  for (const std::string& type_name : options.types) {
    const Result<DType> type = ParseDType(type_name);
    if (!type.ok()) return 2;
    for (auto [n, k] : options.shapes) {
      if (k % Info(*type).block_elements != 0) continue;
      for (int64_t rows : options.rows) {
        for (int threads : options.threads) BenchMatMul(options, *type, n, k, rows, threads);
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace rocforge::cpu

int main(int argc, char** argv) { return rocforge::cpu::Main(argc, argv); }
