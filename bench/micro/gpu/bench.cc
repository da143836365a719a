#include "bench/micro/gpu/bench.h"

#include <algorithm>
#include <cstdio>
#include <random>
#include <span>
#include <utility>

#include "base/format.h"
#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/layout/weights.h"
#include "kernels/gpu/ops/memory_read_args.h"
#include "kernels/gpu/port/sim/sim_driver.h"
#include "quant/quant.h"

namespace rocforge::gpu::bench {
namespace {

constexpr int kWarmUps = 3;
constexpr int kReplays = 15;

// The same driver without launches that overlap.
std::shared_ptr<const Driver> WithoutOverlap(const Driver& driver) {
  Api api = driver.api();
  api.launch_overlapping = nullptr;
  return Driver::FromTable(driver.vendor(), driver.library(), api);
}

Result<std::shared_ptr<Device>> OpenDevice(const std::string& name, bool overlap) {
  if (name == "sim32") return Device::Open(port::sim::SimDriver(32), 0);
  if (name == "sim64") return Device::Open(port::sim::SimDriver(64), 0);
  const std::vector<std::pair<std::string, Vendor>> vendors = {{"nvidia", Vendor::kNvidia},
                                                               {"amd", Vendor::kAmd}};
  std::string reasons;
  for (const auto& [vendor_name, vendor] : vendors) {
    if (!name.empty() && name != vendor_name) continue;
    auto driver = Driver::Open(vendor);
    if (driver.ok()) return Device::Open(overlap ? *driver : WithoutOverlap(**driver), 0);
    reasons += (reasons.empty() ? "" : "; ") + std::string(driver.status().message());
  }
  return NotFound(reasons.empty() ? Format("no device is called '{}'", name) : reasons);
}

// Rows of random blocks whose values are finite and not tiny.
std::vector<std::byte> RandomRows(const op::TensorDesc& desc) {
  const DTypeInfo& info = Info(desc.dtype);
  std::mt19937 random(1);
  std::vector<std::byte> bytes(static_cast<size_t>(desc.rows * desc.row_bytes()));
  std::vector<float> values(static_cast<size_t>(info.block_elements));
  for (size_t at = 0; at < bytes.size(); at += static_cast<size_t>(info.block_bytes)) {
    float largest = 0;
    do {
      for (int32_t i = 0; i < info.block_bytes; ++i)
        bytes[at + static_cast<size_t>(i)] = static_cast<std::byte>(random());
      quant::Decoder(desc.dtype)(bytes.data() + at, values.data(), info.block_elements);
      largest = 0;
      for (const float v : values) largest = v == v ? std::max(largest, v < 0 ? -v : v) : 1e30f;
    } while (!(largest <= 4.0f && largest >= 1e-3f));
  }
  return bytes;
}

}  // namespace

namespace {
std::vector<Function>& Functions() {
  static std::vector<Function> functions;
  return functions;
}
}  // namespace

bool Register(Function function) {
  Functions().push_back(function);
  return true;
}
const std::vector<Function>& Registered() { return Functions(); }

Result<Bench> Bench::Create(const std::string& device_name, const std::string& filter,
                            int64_t rotation_bytes, bool overlap) {
  Bench bench;
  ROCFORGE_ASSIGN_OR_RETURN(bench.device_, OpenDevice(device_name, overlap));
  ROCFORGE_ASSIGN_OR_RETURN(Modules modules, Modules::Load(bench.device_));
  bench.modules_ = std::make_shared<Modules>(std::move(modules));
  ROCFORGE_ASSIGN_OR_RETURN(bench.stream_, Stream::Create(bench.device_));
  bench.filter_ = filter;
  bench.rotation_bytes_ = rotation_bytes;
  return bench;
}

bool Bench::Wants(const std::string& name) const { return name.find(filter_) != std::string::npos; }

size_t Bench::CopiesOf(int64_t bytes) const {
  return static_cast<size_t>(
      std::clamp<int64_t>(rotation_bytes_ / std::max<int64_t>(bytes, 1), 2, 1024));
}

Result<Buffer> Bench::Repeat(const void* data, int64_t bytes, int64_t total) const {
  ROCFORGE_ASSIGN_OR_RETURN(Buffer buffer, Buffer::Allocate(device_, total));
  int64_t done = std::min(bytes, total);
  ROCFORGE_RETURN_IF_ERROR(stream_.CopyToDevice(
      buffer.ptr(), {static_cast<const std::byte*>(data), static_cast<size_t>(done)}));
  while (done < total) {
    const int64_t more = std::min(done, total - done);
    ROCFORGE_RETURN_IF_ERROR(
        stream_.CopyOnDevice(buffer.ptr() + static_cast<DevicePtr>(done), buffer.ptr(), more));
    done += more;
  }
  ROCFORGE_RETURN_IF_ERROR(stream_.Synchronize());
  return buffer;
}

Result<Buffer> Bench::Floats(int64_t n) const {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(std::min<int64_t>(n, 1 << 16)));
  for (float& v : values) v = normal(random);
  return Repeat(values.data(), static_cast<int64_t>(values.size() * sizeof(float)),
                n * static_cast<int64_t>(sizeof(float)));
}

Result<Buffer> Bench::Zeroes(int64_t bytes) const {
  ROCFORGE_ASSIGN_OR_RETURN(Buffer buffer, Buffer::Allocate(device_, std::max<int64_t>(bytes, 16)));
  ROCFORGE_RETURN_IF_ERROR(stream_.Fill(buffer.ptr(), 0, buffer.bytes()));
  ROCFORGE_RETURN_IF_ERROR(stream_.Synchronize());
  return buffer;
}

Result<Buffer> Bench::Weights(const op::TensorDesc& desc) const {
  op::TensorDesc some = desc;
  some.outer = 1;
  some.rows = std::min<int64_t>(desc.outer * desc.rows, 8);
  const std::vector<std::byte> rows = RandomRows(some);
  std::vector<std::byte> packed(static_cast<size_t>(PackedBytes(some)));
  ROCFORGE_RETURN_IF_ERROR(PackRows(some, rows.data(), packed.data(), 0, some.rows));
  return Repeat(packed.data(), static_cast<int64_t>(packed.size()), PackedBytes(desc));
}

BindContext Bench::Context(const Buffer& scratch) const {
  BindContext context;
  context.device = device_;
  context.modules = modules_.get();
  context.scratch = scratch.ptr();
  context.scratch_bytes = scratch.bytes();
  return context;
}

Result<double> Bench::SecondsOfGraph(size_t count, const Enqueue& enqueue) const {
  ROCFORGE_RETURN_IF_ERROR(enqueue(stream_, 0));  // an error here is easier to read than a graph's
  ROCFORGE_RETURN_IF_ERROR(stream_.Synchronize());
  ROCFORGE_RETURN_IF_ERROR(stream_.BeginCapture());
  Status captured;
  for (size_t i = 0; i < count && captured.ok(); ++i) captured = enqueue(stream_, i);
  ROCFORGE_ASSIGN_OR_RETURN(const Graph graph, stream_.EndCapture());
  ROCFORGE_RETURN_IF_ERROR(captured);
  ROCFORGE_ASSIGN_OR_RETURN(const Event begin, Event::Create(device_));
  ROCFORGE_ASSIGN_OR_RETURN(const Event end, Event::Create(device_));
  const bool sim = device_->driver().vendor() == Vendor::kSim;
  for (int i = 0; i < (sim ? 0 : kWarmUps); ++i) ROCFORGE_RETURN_IF_ERROR(stream_.Launch(graph));
  std::vector<double> seconds;
  for (int i = 0; i < (sim ? 1 : kReplays); ++i) {
    ROCFORGE_RETURN_IF_ERROR(stream_.Record(begin));
    ROCFORGE_RETURN_IF_ERROR(stream_.Launch(graph));
    ROCFORGE_RETURN_IF_ERROR(stream_.Record(end));
    ROCFORGE_RETURN_IF_ERROR(end.Synchronize());
    ROCFORGE_ASSIGN_OR_RETURN(const double s, end.SecondsSince(begin));
    seconds.push_back(s);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

Status Bench::MeasureCeiling() {
  const DeviceInfo& info = device_->info();
  const int64_t bytes = std::max<int64_t>(rotation_bytes_, 1 << 20);
  ROCFORGE_ASSIGN_OR_RETURN(const Buffer data, Zeroes(2 * bytes));
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel kernel, modules_->Find("memory_read", "memory_read"));
  std::string line;
  for (const int per_multiprocessor : {4, 8, 16}) {
    const auto grid = static_cast<uint32_t>(info.multiprocessors * per_multiprocessor);
    ROCFORGE_ASSIGN_OR_RETURN(const Buffer out, Zeroes(int64_t{grid} * 8 * 4));
    const auto read = [&](const Stream& stream, size_t i) {
      const MemoryReadArgs args{
          reinterpret_cast<const void*>(data.ptr() + (i % 2) * static_cast<uint64_t>(bytes)),
          static_cast<uint64_t>(bytes) / 16, static_cast<uint32_t*>(Pointer(out))};
      return stream.Launch(kernel, {grid, 1, 256, false}, &args);
    };
    ROCFORGE_ASSIGN_OR_RETURN(const double seconds, SecondsOfGraph(8, read));
    const double speed = 8.0 * static_cast<double>(bytes) / seconds;
    line += Format(" {:.0f}", speed / 1e9);
    ceiling_ = std::max(ceiling_, speed);
  }
  std::printf("%s (%s), %d multiprocessors, L2 %.0f MB, code for %s\n", info.name.c_str(),
              info.architecture.c_str(), info.multiprocessors,
              static_cast<double>(info.l2_bytes) / 1e6, modules_->target().c_str());
  std::printf("ceiling: plain reads with 4, 8, 16 blocks a multiprocessor:%s GB/s\n", line.c_str());
  std::printf("%-38s %9s %8s %6s %8s\n", "case", "us", "GB/s", "%", "TFLOP/s");
  return {};
}

void Bench::Fail(const std::string& name, const Status& status) const {
  std::printf("%-38s %s\n", name.c_str(), std::string(status.message()).c_str());
}

namespace {
void PrintLine(const std::string& name, double seconds, const Work& work, double ceiling,
               const std::string& note) {
  std::string line = Format("{:<38} {:9.2f}", name, seconds * 1e6);
  const double speed = work.bytes / seconds;
  line += work.bytes > 0 ? Format(" {:8.0f} {:6.1f}", speed / 1e9, 100 * speed / ceiling)
                         : Format(" {:>8} {:>6}", "", "");
  if (work.ops > 0) line += Format(" {:8.2f}", work.ops / seconds / 1e12);
  std::printf("%s%s\n", line.c_str(), note.c_str());
  std::fflush(stdout);
}
}  // namespace

void Bench::Run(const std::string& name, size_t count, const Enqueue& enqueue, const Work& work) {
  const Result<double> seconds = SecondsOfGraph(count, enqueue);
  if (!seconds.ok()) return Fail(name, seconds.status());
  PrintLine(name, *seconds / static_cast<double>(count), work, ceiling_, "");
}

void Bench::RunPass(const std::string& name, size_t count, const Enqueue& enqueue,
                    const Work& work) {
  const Result<double> seconds = SecondsOfGraph(count, enqueue);
  if (!seconds.ok()) return Fail(name, seconds.status());
  PrintLine(name, *seconds, work, ceiling_,
            Format("   {:.0f} passes/s, {} launches", 1 / *seconds, count));
}

}  // namespace rocforge::gpu::bench
