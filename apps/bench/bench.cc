// `rocforge bench`: what it has is in the files beside this one.
#include "apps/bench/suites.h"
#include "apps/command.h"

namespace rocforge::apps {

void RegisterBench(Command app, std::function<Status()>* run) {
  Command bench = app.AddSubcommand(
      "bench", "Measure speed and memory, keep the numbers, compare with them later");
  bench.RequireSubcommand();
  RegisterBenchInference(bench, run);
  RegisterBenchMatMul(bench, run);
  RegisterBenchDequant(bench, run);
  RegisterBenchAttention(bench, run);
  RegisterBenchMemory(bench, run);
  RegisterBenchTokenizer(bench, run);
}

}  // namespace rocforge::apps
