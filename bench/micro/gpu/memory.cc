// Plain reads of as many bytes as matrices have, each launch after the one before it has ended (or
// in sequences side by side, --chains): what to compare dependent products of one vector with.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/format.h"
#include "bench/micro/gpu/bench.h"
#include "kernels/gpu/ops/memory_read_args.h"
#include "tensor/dtype.h"

namespace rocforge::gpu::bench {
namespace {

constexpr uint32_t kThreads = 256;
constexpr uint32_t kBlocks = 8;  // a multiprocessor: as many threads as it takes

// As many bytes as weights [rows, 4096] of a type have.
void Read(Bench& bench, DType type, int64_t rows) {
  const std::string name = Format("memory read like {} {}x4096", Name(type), rows);
  if (!bench.Wants(name)) return;
  const int64_t bytes = rows * 4096 / Info(type).block_elements * Info(type).block_bytes;
  const auto& target = bench.target();
  const size_t copies = target.CopiesOf(bytes);
  const auto multiprocessors =
      static_cast<uint32_t>(std::max(target.device()->info().multiprocessors, 1));
  const auto prepare = [&]() -> Status {
    ROCFORGE_ASSIGN_OR_RETURN(const Kernel kernel,
                              target.modules().Find("memory_read", "memory_read"));
    std::vector<Buffer> data;
    for (size_t i = 0; i < copies; ++i) {
      ROCFORGE_ASSIGN_OR_RETURN(Buffer buffer, target.Zeroes(bytes));
      data.push_back(std::move(buffer));
    }
    const LaunchShape shape{kBlocks * multiprocessors, 1, kThreads, false, 0, true};
    ROCFORGE_ASSIGN_OR_RETURN(const Buffer out,
                              target.Zeroes(int64_t{shape.grid_x} * kThreads * 4));
    bench.Run(name, copies,
              [&](const Stream& stream, size_t i) {
                const MemoryReadArgs args{rocforge::bench::Pointer(data[i]),
                                          static_cast<uint64_t>(bytes) / 16,
                                          static_cast<uint32_t*>(rocforge::bench::Pointer(out))};
                return stream.Launch(kernel, shape, &args);
              },
              {.bytes = static_cast<double>(bytes)});
    return {};
  };
  const Status status = prepare();
  if (!status.ok()) bench.Fail(name, status);
}

void MemoryRead(Bench& bench) {
  for (const DType type : {DType::kQ4_0, DType::kQ6_K, DType::kQ8_0, DType::kF16}) {
    for (const int64_t rows : {4096, 11008, 14336, 32000}) Read(bench, type, rows);
  }
}

[[maybe_unused]] const bool registered = Register(MemoryRead);

}  // namespace
}  // namespace rocforge::gpu::bench
