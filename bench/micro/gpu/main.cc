// Times the GPU kernels beside what this device's memory can do at most.
//   bench_gpu_kernels [--filter TEXT] [--device nvidia|amd|sim32|sim64] [--megabytes N]
//                     [--overlap on|off] [--chains N]
// --overlap: whether a launch may start before the one before it has ended (default on).
// --chains: launch i waits for launch i - N, so N sequences run side by side (default 1, as in a
// model's step: a launch waits for the one before it).
// --megabytes: how much data the launches of a case rotate over; keep it above the L2 (default
// 512).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/micro/gpu/bench.h"

int main(int argc, char** argv) {
  std::string filter;
  std::string device;
  int64_t megabytes = 512;
  bool overlap = true;
  int chains = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (i + 1 == argc || (flag != "--filter" && flag != "--device" && flag != "--megabytes" &&
                          flag != "--overlap" && flag != "--chains")) {
      std::fprintf(stderr,
                   "usage: bench_gpu_kernels [--filter TEXT] [--device nvidia|amd|sim32|sim64] "
                   "[--megabytes N] [--overlap on|off] [--chains N]\n");
      return 2;
    }
    const std::string value = argv[++i];
    if (flag == "--filter") filter = value;
    if (flag == "--device") device = value;
    if (flag == "--overlap") overlap = value != "off";
    if (flag == "--chains") chains = std::max(std::atoi(value.c_str()), 1);
    if (flag == "--megabytes") megabytes = std::atoll(value.c_str());
  }
  auto bench = rocforge::gpu::bench::Bench::Create(device, filter, megabytes << 20, overlap,
                                                   static_cast<size_t>(chains));
  rocforge::Status status = bench.ok() ? bench->MeasureCeiling() : bench.status();
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  for (const auto function : rocforge::gpu::bench::Registered()) function(*bench);
  return 0;
}
