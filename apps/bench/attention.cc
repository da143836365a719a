// `rocforge bench attention`: prompts and single tokens over contexts, shapes of heads, types and
// pages of the cache.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/bench/suite.h"
#include "apps/bench/suites.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

// What a layer's cache may take, so that two copies of it fit beside everything else.
constexpr double kMostCpuBytes = 1e9;
constexpr double kMostGpuBytes = 4e9;
// A sample that takes longer is not worth waiting for in a sweep.
constexpr double kMostCpuOps = 4e11;

std::string CaseName(const char* device, const bench::AttentionCase& t) {
  std::string step = t.tokens == 1 ? "decode" : Format("prefill {}", t.tokens);
  if (t.n_seqs > 1) step = Format("{} x {}", t.n_seqs, step);
  return Format("{} {} ctx {} heads {}/{} dim {} {} page {}", device, step, t.context, t.n_heads,
                t.n_kv_heads, t.head_dim, Name(t.kv_type), t.page_size);
}

class AttentionCases {
 public:
  AttentionCases(const BenchDevices& devices, Suite* suite) : devices_(devices), suite_(suite) {}

  void Add(const bench::AttentionCase& test) {
    if (devices_.cpu != nullptr) AddFor("cpu", *devices_.cpu, test, devices_.cpu_ceilings);
    if (devices_.gpu != nullptr) AddFor("gpu", *devices_.gpu, test, devices_.gpu_ceilings);
  }

 private:
  template <typename Target>
  void AddFor(const char* device, const Target& target, const bench::AttentionCase& test,
              const prof::Ceilings& ceilings) {
    const bool on_cpu = std::string_view(device) == "cpu";
    const op::Cost cost = test.Cost();
    if (cost.bytes() > (on_cpu ? kMostCpuBytes : kMostGpuBytes)) return;
    if (on_cpu && cost.ops > kMostCpuOps) return;
    BenchCase c;
    c.name = CaseName(device, test);
    // The same size may be reached by two sweeps.
    for (const BenchCase& other : suite_->cases) {
      if (other.name == c.name) return;
    }
    c.about = {{"device", device},
               {"phase", test.tokens == 1 ? "decode" : "prefill"},
               {"sequences", test.n_seqs},
               {"tokens", test.tokens},
               {"context", test.context},
               {"heads", test.n_heads},
               {"kv_heads", test.n_kv_heads},
               {"head_dim", test.head_dim},
               {"kv_type", Name(test.kv_type)},
               {"page_size", test.page_size}};
    c.bytes = cost.bytes();
    c.operations = cost.ops;
    c.items = test.n_tokens();
    c.peak_bytes_per_s = ceilings.read_bytes_per_s;
    c.peak_ops_per_s = ceilings.float_ops_per_s;
    c.prepare = [&target, test] { return bench::PrepareAttention(target, test); };
    suite_->cases.push_back(std::move(c));
  }

  const BenchDevices& devices_;
  Suite* suite_;
};

// The usual: one layer of a 7B (32 heads) and of an 8B (8 KV heads).
void AddUsual(AttentionCases& cases) {
  for (const int32_t n_kv_heads : {32, 8}) {
    bench::AttentionCase test;
    test.n_kv_heads = n_kv_heads;
    for (const int32_t context : {128, 1024, 4096, 32768}) {
      test.context = context;
      cases.Add(test);
    }
    // Many users at once, with both types of cache.
    for (const DType type : {DType::kF16, DType::kQ8_0}) {
      cases.Add({.n_kv_heads = n_kv_heads, .n_seqs = 32, .context = 544, .kv_type = type});
      cases.Add({.n_kv_heads = n_kv_heads, .context = 4096, .kv_type = type});
    }
    test.tokens = test.context = 512;
    cases.Add(test);
  }
}

void AddAll(AttentionCases& cases) {
  AddUsual(cases);
  for (const int32_t n_kv_heads : {32, 16, 8, 4, 1}) {
    bench::AttentionCase test;
    test.n_kv_heads = n_kv_heads;
    for (int32_t context = 128; context <= 32768; context *= 4) {
      for (const DType type : {DType::kF16, DType::kF32, DType::kQ8_0}) {
        test.context = context;
        test.kv_type = type;
        test.tokens = 1;
        cases.Add(test);
        test.tokens = std::min(context, 512);
        cases.Add(test);
      }
    }
  }
  for (const int32_t head_dim : {64, 96, 128, 256}) {
    for (const int32_t tokens : {1, 512}) {
      cases.Add({.n_kv_heads = 8, .head_dim = head_dim, .tokens = tokens, .context = 4096});
    }
  }
  for (const int32_t page_size : {16, 32, 64, 128, 256}) {
    for (const int32_t tokens : {1, 512}) {
      cases.Add({.n_kv_heads = 8, .tokens = tokens, .context = 4096, .page_size = page_size});
    }
  }
  for (const int32_t n_seqs : {4, 16, 64})
    cases.Add({.n_kv_heads = 8, .n_seqs = n_seqs, .context = 2048});
}

// How far a GPU is ahead, case by case.
std::string AttentionRemarks(const std::vector<BenchResult>& results) {
  std::string text;
  for (const BenchResult& cpu : results) {
    if (!cpu.ok() || !cpu.test->name.starts_with("cpu ")) continue;
    for (const BenchResult& gpu : results) {
      if (gpu.ok() && gpu.test->name == "gpu " + cpu.test->name.substr(4)) {
        text += Format("{}: the GPU is {:.0f} times as fast\n", cpu.test->name.substr(4),
                       cpu.summary.p50 / gpu.summary.p50);
      }
    }
  }
  return text;
}

struct AttentionFlags {
  BenchOptions bench;
  std::vector<int32_t> contexts;
};

Status Attention(const AttentionFlags& flags) {
  const BenchOptions& options = flags.bench;
  ROCFORGE_ASSIGN_OR_RETURN(
      const BenchDevices devices,
      OpenBenchDevices(options, options.device.empty() ? "all" : options.device, !options.list));
  Suite suite;
  suite.name = "attention";
  suite.item = "tok/s";
  suite.machine = devices.Describe();
  AttentionCases cases(devices, &suite);
  if (!flags.contexts.empty()) {
    for (const int32_t context : flags.contexts) {
      for (const int32_t tokens : {1, std::min(context, 512)})
        cases.Add({.n_kv_heads = 8, .tokens = tokens, .context = context});
    }
  } else if (options.full) {
    AddAll(cases);
  } else {
    AddUsual(cases);
  }
  suite.remarks = AttentionRemarks;
  return RunSuite(std::move(suite), options);
}

}  // namespace

void RegisterBenchAttention(Command bench, std::function<Status()>* run) {
  auto flags = std::make_shared<AttentionFlags>();
  Command command = bench.AddSubcommand(
      "attention",
      "Attention of one layer: prompts and single tokens, by context, heads and cache");
  AddBenchFlags(command, &flags->bench,
                "cpu, gpu, gpu:N, auto, or all: CPU and GPU beside each other (default)");
  command
      .AddOption("--context", flags->contexts,
                 "these contexts instead, with 32 heads of 128 and 8 KV heads")
      .TypeName("N,...")
      .Delimiter(',')
      .Range(1, 1 << 20);
  command.OnParsed([flags, run] { *run = [flags] { return Attention(*flags); }; });
}

}  // namespace rocforge::apps
