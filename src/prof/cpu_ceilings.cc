#include "prof/cpu_ceilings.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "base/cpu_info.h"
#include "prof/memory_bandwidth.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace rocforge::prof {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFigures = 4;
// Many short passes: one of them falls into a moment in which nothing else runs.
constexpr int kPasses = 100;
constexpr int64_t kLaunches = 20;
// Iterations of a pass: about a millisecond.
constexpr int64_t kIterations = 200'000;
// Independent sums: at least latency (4 or 5 cycles) times instructions a cycle (2).
constexpr int kSums = 12;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// A loop of multiply-adds and what one of its iterations does. `run` returns a sum of everything,
// so that nothing can be left out.
struct Loop {
  double (*run)(int64_t iterations) = nullptr;
  double ops_per_iteration = 0;
};

// Empty, but it reads and writes the register: the compiler can neither merge iterations nor know
// the values.
template <typename T>
inline void Opaque(T& value) {
#if defined(__x86_64__)
  asm volatile("" : "+x"(value));
#elif defined(__aarch64__)
  asm volatile("" : "+w"(value));
#else
  asm volatile("" : "+m"(value));
#endif
}

typedef float F32x4 __attribute__((vector_size(16)));

double RunGenericFloat(int64_t iterations) {
  F32x4 sums[kSums] = {};
  F32x4 a = {1, 2, 3, 4};
  const F32x4 b = {1e-9f, 1e-9f, 1e-9f, 1e-9f};
  for (int64_t i = 0; i < iterations; ++i) {
    Opaque(a);
#pragma GCC unroll 12
    for (int s = 0; s < kSums; ++s) sums[s] += a * b;
  }
  F32x4 sum = {};
  for (const F32x4& s : sums) sum += s;
  return static_cast<double>(sum[0] + sum[1] + sum[2] + sum[3]);
}

// Four products of bytes with a 32-bit sum, as a compiler sees them.
double RunGenericInt8(int64_t iterations) {
  int32_t sums[kSums] = {};
  int32_t a = 3;
  for (int64_t i = 0; i < iterations; ++i) {
    asm volatile("" : "+r"(a));
#pragma GCC unroll 12
    for (int s = 0; s < kSums; ++s) {
      sums[s] += static_cast<int8_t>(a) * static_cast<int8_t>(a >> 8);
    }
  }
  int64_t sum = 0;
  for (const int32_t s : sums) sum += s;
  return static_cast<double>(sum);
}

#if defined(__x86_64__)
// A function with kSums independent sums, each made by `step` of s, a and b. A macro, because the
// body of a template is compiled for the instruction set of the file, not for that of the caller.
#define ROCFORGE_SUMS(name, isa, Vector, zero, a_value, b_value, step)             \
  __attribute__((target(isa))) double name(int64_t iterations) {                   \
    Vector sums[kSums];                                                            \
    for (Vector & s : sums) s = zero;                                              \
    Vector a = a_value;                                                            \
    const Vector b = b_value;                                                      \
    for (int64_t i = 0; i < iterations; ++i) {                                     \
      _Pragma("GCC unroll 12") for (int k = 0; k < kSums; ++k) {                   \
        asm volatile("" : "+v"(a)); /* each product is made, none is used twice */ \
        Vector& s = sums[k];                                                       \
        s = step;                                                                  \
      }                                                                            \
    }                                                                              \
    for (Vector & s : sums) asm volatile("" : "+v"(s)); /* all are wanted */       \
    return static_cast<double>(sums[0][0]);                                        \
  }

ROCFORGE_SUMS(RunAvx2Float, "avx2,fma", __m256, _mm256_setzero_ps(), _mm256_set1_ps(1.5f),
              _mm256_set1_ps(1e-9f), _mm256_fmadd_ps(a, b, s))
ROCFORGE_SUMS(RunAvx2Int8, "avx2", __m256i, _mm256_setzero_si256(), _mm256_set1_epi8(3),
              _mm256_set1_epi8(-2),
              _mm256_add_epi32(s,
                               _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1))))
ROCFORGE_SUMS(RunAvx512Float, "avx512f", __m512, _mm512_setzero_ps(), _mm512_set1_ps(1.5f),
              _mm512_set1_ps(1e-9f), _mm512_fmadd_ps(a, b, s))
ROCFORGE_SUMS(RunVnniInt8, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512(),
              _mm512_set1_epi32(0x03030303), _mm512_set1_epi32(0x02020202),
              _mm512_dpbusd_epi32(s, a, b))
#undef ROCFORGE_SUMS
#endif

Loop FloatLoop(const CpuFeatures& cpu) {
#if defined(__x86_64__)
  if (cpu.avx512f) return {RunAvx512Float, 2.0 * 16 * kSums};
  if (cpu.avx2 && cpu.fma) return {RunAvx2Float, 2.0 * 8 * kSums};
#else
  static_cast<void>(cpu);
#endif
  return {RunGenericFloat, 2.0 * 4 * kSums};
}

Loop Int8Loop(const CpuFeatures& cpu) {
#if defined(__x86_64__)
  if (cpu.avx512f && cpu.avx512_vnni) return {RunVnniInt8, 2.0 * 64 * kSums};
  if (cpu.avx2) return {RunAvx2Int8, 2.0 * 32 * kSums};
#else
  static_cast<void>(cpu);
#endif
  return {RunGenericInt8, 2.0 * kSums};
}

// Operations per second of the whole team, in the fastest pass.
double MeasureRate(ThreadPool& pool, const Loop& loop) {
  std::vector<double> results(static_cast<size_t>(pool.size()));
  double best_s = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const Clock::time_point begin = Clock::now();
    pool.Run([&](int member) { results[static_cast<size_t>(member)] = loop.run(kIterations); });
    const double seconds = SecondsSince(begin);
    if (pass == 0 || seconds < best_s) best_s = seconds;
  }
  return loop.ops_per_iteration * static_cast<double>(kIterations) * pool.size() / best_s;
}

// Of one empty job, in a row of them, as the jobs of a step are.
double MeasureLaunchNs(ThreadPool& pool) {
  double best_s = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const Clock::time_point begin = Clock::now();
    for (int64_t i = 0; i < kLaunches; ++i) pool.Run([](int) {});
    const double seconds = SecondsSince(begin);
    if (pass == 0 || seconds < best_s) best_s = seconds;
  }
  return best_s * 1e9 / static_cast<double>(kLaunches);
}

}  // namespace

Result<Ceilings> MeasureCpuCeilings(ThreadPool& pool, const MeasureProgress& progress) {
  const auto say = [&](const char* what, int done) {
    if (progress) progress(what, done, kFigures);
  };
  Ceilings c;
  c.key = CpuCeilingsKey(pool.size());
  say("memory", 0);
  ROCFORGE_ASSIGN_OR_RETURN(const MemoryBandwidth memory, MeasureMemoryBandwidth(pool, true));
  c.read_bytes_per_s = memory.read_bytes_per_s;
  c.write_bytes_per_s = memory.write_bytes_per_s;
  c.copy_bytes_per_s = memory.copy_bytes_per_s;
  c.buffer_bytes = memory.buffer_bytes;
  c.last_cache_bytes = memory.last_cache_bytes;
  say("jobs of the thread team", 1);
  c.launch_ns = MeasureLaunchNs(pool);
  say("f32 multiply-adds", 2);
  const CpuFeatures& features = DetectCpu();
  c.float_ops_per_s = MeasureRate(pool, FloatLoop(features));
  say("8-bit multiply-adds", 3);
  c.int8_ops_per_s = MeasureRate(pool, Int8Loop(features));
  return c;
}

}  // namespace rocforge::prof
