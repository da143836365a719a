#include "engine/gpu_weights.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "base/cpu_info.h"
#include "base/format.h"
#include "base/log.h"
#include "base/round_up.h"
#include "kernels/gpu/layout/weights.h"

namespace rocforge::engine {
namespace {

constexpr int64_t kAlignment = 256;
// Long enough that a copy runs at the bus's speed, short enough that packing the first stretch and
// copying the last one, which overlap with nothing, take a few milliseconds.
constexpr int64_t kStagingBytes = int64_t{32} << 20;
constexpr size_t kStagingBuffers = 3;
constexpr int64_t kReadAheadBytes = 4 * kStagingBytes;

bool IsVector(const op::TensorDesc& desc) { return desc.outer == 1 && desc.rows == 1; }

// Asks the system to read ahead; a hint, so that failure (memory that is no file) does not matter.
void ReadAhead(const std::byte* begin, int64_t bytes) {
  static const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<uintptr_t>(begin) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(begin) + static_cast<uintptr_t>(bytes);
  static_cast<void>(
      ::posix_madvise(reinterpret_cast<void*>(first), end - first, POSIX_MADV_WILLNEED));
}

// Rows [begin, end) of `desc`, packed to `to`.
Status Pack(const op::TensorDesc& desc, const std::byte* source, int64_t begin, int64_t end,
            std::byte* to, ThreadPool& pool) {
  const op::TensorDesc part{desc.dtype, 1, end - begin, desc.cols};
  const std::byte* const from = source + begin * desc.row_bytes();
  std::mutex mutex;
  Status status;
  constexpr int64_t kRowsPerTask = 16;
  pool.ParallelFor(part.rows, kRowsPerTask, [&](int64_t first, int64_t last) {
    Status packed = gpu::PackRows(part, from, to, first, last);
    if (packed.ok()) return;
    const std::lock_guard lock(mutex);
    status = std::move(packed);
  });
  return status;
}

// Pinned buffers in turn: packed by the pool, copied by the device, awaited before they are reused.
class Uploader {
 public:
  static Result<Uploader> Create(const std::shared_ptr<const gpu::Device>& device,
                                 int64_t longest_bytes) {
    Uploader u;
    ROCFORGE_ASSIGN_OR_RETURN(u.stream_, gpu::Stream::Create(device));
    for (Staging& staging : u.staging_) {
      ROCFORGE_ASSIGN_OR_RETURN(
          staging.memory,
          gpu::PinnedBuffer::Allocate(device, std::min(kStagingBytes, longest_bytes)));
      ROCFORGE_ASSIGN_OR_RETURN(staging.copied, gpu::Event::Create(device));
    }
    return u;
  }

  // Rows [begin, end) of `desc` to `to`, the address of row `begin`. They fit a staging buffer.
  Status Rows(const op::TensorDesc& desc, const std::byte* source, int64_t row_packed_bytes,
              int64_t begin, int64_t end, gpu::DevicePtr to, ThreadPool& pool) {
    Staging& staging = staging_[next_];
    next_ = (next_ + 1) % kStagingBuffers;
    if (staging.used) ROCFORGE_RETURN_IF_ERROR(staging.copied.Synchronize());
    staging.used = true;
    const auto bytes =
        staging.memory.bytes().first(static_cast<size_t>((end - begin) * row_packed_bytes));
    ROCFORGE_RETURN_IF_ERROR(Pack(desc, source, begin, end, bytes.data(), pool));
    ROCFORGE_RETURN_IF_ERROR(stream_.CopyToDevice(to, bytes));
    return stream_.Record(staging.copied);
  }

  Status Finish() { return stream_.Synchronize(); }

 private:
  struct Staging {
    gpu::PinnedBuffer memory;
    gpu::Event copied;
    bool used = false;
  };
  gpu::Stream stream_;
  std::array<Staging, kStagingBuffers> staging_;
  size_t next_ = 0;
};

}  // namespace

Result<GpuWeights> GpuWeights::Plan(const graph::Graph& graph,
                                    std::span<const std::byte* const> sources) {
  GpuWeights w;
  w.slot_of_weight_.assign(graph.weights.size(), -1);
  std::vector<bool> read(graph.values.size(), false);
  for (const graph::Node& node : graph.nodes) {
    for (const graph::ValueId id : node.in) read[static_cast<size_t>(id)] = true;
  }
  for (size_t i = 0; i < graph.values.size(); ++i) {
    const graph::Value& value = graph.values[i];
    if (!value.is_weight() || !read[i]) continue;
    const auto index = static_cast<size_t>(value.weight);
    Slot slot{value.At(0, 0), sources[index], 0, 0};
    if (!gpu::CanPack(slot.desc.dtype)) {
      return Unsupported(Format("tensor {}: the GPU kernels do not read {}",
                                EscapeForTerminal(graph.weights[index].tensor),
                                Name(slot.desc.dtype)));
    }
    const auto same = [&](const Slot& s) {
      return s.source == slot.source && s.desc.dtype == slot.desc.dtype &&
             s.desc.outer == slot.desc.outer && s.desc.rows == slot.desc.rows &&
             s.desc.cols == slot.desc.cols;
    };
    auto found = std::find_if(w.slots_.begin(), w.slots_.end(), same);
    if (found == w.slots_.end()) {
      slot.offset = w.bytes_;
      slot.packed_bytes = gpu::PackedBytes(slot.desc);
      w.bytes_ += RoundUp(slot.packed_bytes, kAlignment);
      found = w.slots_.insert(w.slots_.end(), slot);
    }
    w.slot_of_weight_[index] = static_cast<int32_t>(found - w.slots_.begin());
  }
  return w;
}

bool GpuWeights::WantsHostMemory(const gpu::Device& device) const {
  return device.info().integrated && bytes_ > 0 &&
         static_cast<uint64_t>(bytes_) <= ReadMemoryInfo().available_bytes;
}

Status GpuWeights::Allocate(const std::shared_ptr<const gpu::Device>& device, bool in_host_memory) {
  device_ = device;
  if (in_host_memory) {
    Result<gpu::PinnedBuffer> mapped = gpu::PinnedBuffer::AllocateMapped(device, bytes_);
    if (mapped.ok()) {
      mapped_ = std::move(*mapped);
      return {};
    }
    Log(LogLevel::kWarn, "weights are copied into the GPU's share of the memory: {}",
        mapped.status().message());
  } else if (device->info().integrated && bytes_ > 0) {
    Log(LogLevel::kWarn,
        "weights are copied into the GPU's share of the memory: they take {}, {} are free outside",
        FormatBytes(static_cast<uint64_t>(bytes_)), FormatBytes(ReadMemoryInfo().available_bytes));
  }
  Result<gpu::Buffer> memory = gpu::Buffer::Allocate(device, bytes_);
  if (!memory.ok()) return memory.status().WithContext("weights");
  memory_ = std::move(*memory);
  return {};
}

std::vector<gpu::DevicePtr> GpuWeights::Addresses() const {
  std::vector<gpu::DevicePtr> addresses;
  for (const int32_t slot : slot_of_weight_) {
    addresses.push_back(
        slot < 0 ? 0
                 : base() + static_cast<gpu::DevicePtr>(slots_[static_cast<size_t>(slot)].offset));
  }
  return addresses;
}

Status GpuWeights::UploadVectors(ThreadPool& pool) { return Upload(true, pool, nullptr); }
Status GpuWeights::UploadMatrices(ThreadPool& pool, const std::function<void(double)>& progress) {
  return Upload(false, pool, progress);
}

Status GpuWeights::Upload(bool vectors, ThreadPool& pool,
                          const std::function<void(double)>& progress) {
  std::vector<const Slot*> todo;
  int64_t total = 0;
  int64_t longest = 0;
  for (const Slot& slot : slots_) {
    if (IsVector(slot.desc) != vectors || slot.packed_bytes == 0) continue;
    todo.push_back(&slot);
    total += slot.packed_bytes;
    longest = std::max({longest, slot.packed_bytes});
  }
  if (todo.empty()) return {};
  // In the order of the file, so that reading ahead is one long read.
  std::sort(todo.begin(), todo.end(),
            [](const Slot* a, const Slot* b) { return a->source < b->source; });
  Uploader uploader;  // unused where the GPU reads what is packed
  if (!in_host_memory()) {
    ROCFORGE_ASSIGN_OR_RETURN(uploader, Uploader::Create(device_, longest));
  }
  int64_t done = 0;
  for (const Slot* slot : todo) {
    const int64_t row_bytes = slot->packed_bytes / slot->rows();
    const int64_t rows_at_once = std::max<int64_t>(1, std::min(kStagingBytes, longest) / row_bytes);
    if (row_bytes > kStagingBytes) {
      return Unsupported(Format("a matrix with rows of {}; the GPU takes at most {}",
                                FormatBytes(static_cast<uint64_t>(row_bytes)),
                                FormatBytes(static_cast<uint64_t>(kStagingBytes))));
    }
    const int64_t source_bytes = slot->rows() * slot->desc.row_bytes();
    for (int64_t row = 0; row < slot->rows(); row += rows_at_once) {
      const int64_t end = std::min(row + rows_at_once, slot->rows());
      const int64_t at = row * slot->desc.row_bytes();
      ReadAhead(slot->source + at, std::min(kReadAheadBytes, source_bytes - at));
      const int64_t to = slot->offset + row * row_bytes;
      ROCFORGE_RETURN_IF_ERROR(
          in_host_memory()
              ? Pack(slot->desc, slot->source, row, end, mapped_.bytes().data() + to, pool)
              : uploader.Rows(slot->desc, slot->source, row_bytes, row, end,
                              base() + static_cast<gpu::DevicePtr>(to), pool));
      done += (end - row) * row_bytes;
      if (progress) progress(static_cast<double>(done) / static_cast<double>(total));
    }
  }
  return in_host_memory() ? Status() : uploader.Finish();
}

}  // namespace rocforge::engine
