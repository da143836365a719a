// Launchers of the attention kernels: the decode kernels where sequences have few tokens in the
// step, the plain kernel for what they do not take.
#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "base/format.h"
#include "kernels/gpu/launch/kv_cache.h"
#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/ops/attention_args.h"

namespace rocforge::gpu {
namespace {

constexpr uint32_t kPlainWaves = 4;
constexpr int32_t kMaxHeadDim = 256;

constexpr uint32_t kMostDecodeRows = 8;
constexpr uint32_t kMaxDecodeTokens = 4;  // of a sequence; more are cheaper by tiles

constexpr uint32_t kPrefillWaves = 4;
constexpr uint32_t kPrefillQueries = 64;      // rows of a block
constexpr uint32_t kPrefillQueriesWide = 32;  // with heads of more than 128 columns

// Blocks per multiprocessor that a step is split into: what the registers let run at once; and the
// most that tuning may ask for.
constexpr uint32_t kBlocksPerMultiprocessor = 4;
constexpr uint32_t kMostBlocksPerMultiprocessor = 8;

// Rounds that kernels of several rows ask for ahead. They have few blocks on a multiprocessor and
// wait for memory: 8.2 to 8.0 us on an H200 for one sequence of 544 positions with 32/8 heads.
// Kernels of one row fill the memory's queues without it: 32 such sequences with 32/32 heads took
// 80 us instead of 70.
constexpr uint32_t kRoundsAhead = 1;

uint32_t SplitBlocks(const DeviceInfo& info, uint32_t per_multiprocessor) {
  return per_multiprocessor * static_cast<uint32_t>(std::max(info.multiprocessors, 1));
}
uint32_t MostSplitBlocks(const DeviceInfo& info) {
  return SplitBlocks(info, kMostBlocksPerMultiprocessor);
}

// In the names of kernels.
const char* CacheName(uint32_t type) {
  return type == kCacheF32 ? "f32" : type == kCacheF16 ? "f16" : "q8_0";
}

// Rows that share a load, as the kernels of a type of cache have them.
std::span<const uint32_t> DecodeRows(uint32_t type) {
  static constexpr std::array<uint32_t, 3> kHalf = {1, 4, 8};
  static constexpr std::array<uint32_t, 1> kFloat = {4};
  if (type == kCacheF32) return kFloat;
  return type == kCacheF16 ? std::span<const uint32_t>(kHalf) : std::span(kHalf).first(2);
}

// Whether there is a kernel of blocks with twice the threads.
bool HasWide(uint32_t type, uint32_t rows, uint32_t lanes) {
  return type != kCacheF32 && rows == 4 && lanes == 16;
}

AttentionArgs MakeArgs(const op::Attention& p, const op::Call& call, const BindContext& context) {
  AttentionArgs args{};
  args.q = In(call, 0);
  args.sinks = p.has_sinks ? In(call, 1) : nullptr;
  args.out = Out(call, 0);
  args.k_pages = static_cast<const uint8_t*>(call.kv->k);
  args.v_pages = static_cast<const uint8_t*>(call.kv->v);
  args.positions = DevicePointer<int32_t>(context.step.positions);
  args.seq_of_token = DevicePointer<int32_t>(context.step.seq_of_token);
  args.seq_begin = DevicePointer<int32_t>(context.step.seq_begin);
  args.kv_len = DevicePointer<int32_t>(context.step.kv_len);
  args.page_table = DevicePointer<int32_t>(context.step.page_table);
  args.page_table_stride = static_cast<uint32_t>(context.step.page_table_stride);
  args.n_heads = static_cast<uint32_t>(p.n_heads);
  args.n_kv_heads = static_cast<uint32_t>(p.n_kv_heads);
  args.head_dim_k = static_cast<uint32_t>(p.head_dim_k);
  args.head_dim_v = static_cast<uint32_t>(p.head_dim_v);
  args.page_size = static_cast<uint32_t>(call.kv->page_size);
  args.window = static_cast<uint32_t>(p.window);
  args.cache_type = CacheType(call.kv->dtype);
  args.k_plane = PlaneOf(*call.kv, call.kv->head_dim_k);
  args.v_plane = PlaneOf(*call.kv, call.kv->head_dim_v);
  args.scale = p.scale;
  args.softcap = p.softcap;
  return args;
}

// The decode kernels for one op, by the rows that share a load.
class Decode {
 public:
  // Nothing where no decode kernel takes this op.
  static Result<std::optional<Decode>> Make(const AttentionArgs& args, const BindContext& context,
                                            const OpConfigs& configs) {
    const uint32_t widest = std::max(args.head_dim_k, args.head_dim_v);
    Decode d;
    d.lanes_ = widest <= 64 ? 8 : widest <= 128 ? 16 : 32;
    d.wave_ = static_cast<uint32_t>(context.device->info().wave_size);
    d.args_.a = args;
    d.overlap_ = CanOverlap(context);
    d.configs_ = configs;
    d.info_ = context.device->info();
    if (args.head_dim_k % 8 != 0 || args.head_dim_v % 8 != 0 || args.page_size % 32 != 0)
      return std::optional<Decode>();
    for (const uint32_t rows : DecodeRows(args.cache_type)) {
      const std::string name =
          Format("attention_decode_{}_r{}_l{}", CacheName(args.cache_type), rows, d.lanes_);
      ROCFORGE_ASSIGN_OR_RETURN(const Kernel kernel,
                                context.modules->Find("attention_decode", name));
      Entry& entry = d.kernels_[d.n_kernels_++];
      entry = {rows, kernel, {}};
      if (!HasWide(args.cache_type, rows, d.lanes_)) continue;
      ROCFORGE_ASSIGN_OR_RETURN(entry.wide,
                                context.modules->Find("attention_decode", name + "_wide"));
    }
    ROCFORGE_RETURN_IF_ERROR(d.MakeCounters(context.device));
    d.args_.partials = DevicePointer<float>(context.scratch);
    return std::optional<Decode>(std::move(d));
  }

  // Serves the sequences of this step with at most max_tokens tokens; quickest where they have at
  // most usual_tokens.
  Status Launch(const Stream& stream, const StepShape& shape, uint32_t usual_tokens,
                uint32_t max_tokens) const {
    const uint32_t rows = usual_tokens * (args_.a.n_heads / args_.a.n_kv_heads);
    size_t chosen = 0;
    while (chosen + 1 < n_kernels_ && kernels_[chosen].rows < rows) ++chosen;
    // Tuned for one sequence.
    OpConfig config;
    if (shape.n_seqs == 1) config = configs_[LengthBucket(shape.max_kv_len)];
    for (size_t i = 0; i < n_kernels_; ++i) {
      if (kernels_[i].rows == config.rows) chosen = i;
    }
    AttentionDecodeArgs args = args_;
    args.max_tokens = max_tokens;
    args.row_blocks = CeilDiv(rows, kernels_[chosen].rows);
    const uint32_t row_blocks = args.a.n_kv_heads * args.row_blocks;
    const auto n_seqs = static_cast<uint32_t>(shape.n_seqs);
    const Entry& entry = kernels_[chosen];
    // With one and a half blocks a multiprocessor it is full enough, if they are wide: 256 blocks
    // of 544 positions took 30 us whole on the 132 of an H200, in two splits 38, in three 33; wide
    // and whole 25.
    const bool full = config.blocks == 0 && 2 * row_blocks * n_seqs >= SplitBlocks(info_, 3);
    // Not with waves of 64: CDNA's 64 KiB of LDS hold one wide block or three others.
    const bool wide = full && wave_ == 32 && HasWide(args.a.cache_type, entry.rows, lanes_);
    args.n_splits = full ? 1 : Splits(shape, entry.rows, row_blocks * n_seqs, config.blocks);
    args.ahead = entry.rows > 1 ? kRoundsAhead : 0;
    const uint32_t threads = wide ? 2 * kDecodeThreads : kDecodeThreads;
    return stream.Launch(wide ? entry.wide : entry.kernel,
                         {row_blocks * args.n_splits, n_seqs, threads, false, 0, overlap_}, &args);
  }

 private:
  struct Entry {
    uint32_t rows = 0;
    Kernel kernel;
    Kernel wide;  // where HasWide
  };

  // A counter for every row block of a launch that is split; the kernels leave them at 0.
  Status MakeCounters(const std::shared_ptr<const Device>& device) {
    const int64_t bytes = int64_t{MostSplitBlocks(info_)} * static_cast<int64_t>(sizeof(uint32_t));
    ROCFORGE_ASSIGN_OR_RETURN(Buffer buffer, Buffer::Allocate(device, bytes));
    ROCFORGE_ASSIGN_OR_RETURN(const Stream stream, Stream::Create(device));
    ROCFORGE_RETURN_IF_ERROR(stream.Fill(buffer.ptr(), 0, bytes));
    ROCFORGE_RETURN_IF_ERROR(stream.Synchronize());
    counters_ = std::make_shared<Buffer>(std::move(buffer));
    args_.counters = DevicePointer<uint32_t>(counters_->ptr());
    return {};
  }

  // Enough blocks to fill the device, and in each split work for all waves of a block.
  uint32_t Splits(const StepShape& shape, uint32_t rows, uint32_t blocks, uint32_t tuned) const {
    const uint32_t step = DecodeSteps(args_.a.cache_type, rows, lanes_, wave_) * wave_ / lanes_ *
                          (kDecodeThreads / wave_);
    auto length = static_cast<uint32_t>(shape.max_kv_len);
    if (args_.a.window != 0) length = std::min(length, args_.a.window);
    const uint32_t wanted =
        SplitBlocks(info_, tuned == 0 ? kBlocksPerMultiprocessor
                                      : std::min(tuned, kMostBlocksPerMultiprocessor));
    return std::clamp(wanted / blocks, 1u, std::min(CeilDiv(length, step), kMaxSplits));
  }

  AttentionDecodeArgs args_{};
  std::array<Entry, 3> kernels_;
  size_t n_kernels_ = 0;
  std::shared_ptr<Buffer> counters_;
  uint32_t lanes_ = 0;
  uint32_t wave_ = 0;
  OpConfigs configs_;
  DeviceInfo info_;
  bool overlap_ = false;
};

// The prefill kernel for one op.
class Prefill {
 public:
  // Nothing where no prefill kernel takes this op.
  static Result<std::optional<Prefill>> Make(const AttentionArgs& args,
                                             const BindContext& context) {
    if (args.cache_type == kCacheF32 || args.head_dim_k % 8 != 0 || args.head_dim_v % 8 != 0 ||
        args.page_size % 32 != 0) {
      return std::optional<Prefill>();
    }
    const uint32_t widest = std::max(args.head_dim_k, args.head_dim_v);
    const uint32_t columns = widest <= 64 ? 64 : widest <= 128 ? 128 : 256;
    const Result<Kernel> kernel = context.modules->Find(
        "attention_prefill",
        Format("attention_prefill_{}_d{}", CacheName(args.cache_type), columns));
    // Left out of the code for targets where its tiles would spill (port/tile_chain.h).
    if (kernel.status().code() == StatusCode::kNotFound) return std::optional<Prefill>();
    if (!kernel.ok()) return kernel.status();
    Prefill prefill;
    prefill.kernel_ = *kernel;
    prefill.args_.a = args;
    prefill.queries_ = columns == 256 ? kPrefillQueriesWide : kPrefillQueries;
    prefill.block_ = kPrefillWaves * static_cast<uint32_t>(context.device->info().wave_size);
    return std::optional<Prefill>(std::move(prefill));
  }

  // Serves the sequences of this step with at least min_tokens tokens.
  Status Launch(const Stream& stream, const StepShape& shape, uint32_t n_tokens,
                uint32_t min_tokens) const {
    AttentionPrefillArgs args = args_;
    args.n_seqs = static_cast<uint32_t>(shape.n_seqs);
    args.min_tokens = min_tokens;
    const uint32_t group = args.a.n_heads / args.a.n_kv_heads;
    // Whole tiles, and one that is not full for each sequence.
    const uint32_t tiles = n_tokens * group / queries_ + args.n_seqs;
    return stream.Launch(kernel_, {tiles, args.a.n_kv_heads, block_, false}, &args);
  }

 private:
  Kernel kernel_;
  AttentionPrefillArgs args_{};
  uint32_t queries_ = 0;
  uint32_t block_ = 0;
};

}  // namespace

Result<std::unique_ptr<BoundOp>> BindAttention(const op::Call& call, const RowCount& rows,
                                               const BindContext& context) {
  const op::Attention& p = std::get<op::Attention>(*call.params);
  if (p.head_dim_k > kMaxHeadDim || p.head_dim_v > kMaxHeadDim) {
    return Unsupported(
        Format("attention with heads of {} and {} columns; the GPU kernels take at most {}",
               p.head_dim_k, p.head_dim_v, kMaxHeadDim));
  }
  if (context.scratch_bytes < AttentionScratchBytes(call, *context.device))
    return Internal("attention was bound without its scratch");
  const AttentionArgs args = MakeArgs(p, call, context);
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel plain,
                            context.modules->Find("attention", "attention_plain"));
  ROCFORGE_ASSIGN_OR_RETURN(const std::optional<Decode> decode,
                            Decode::Make(args, context, ConfigsOf(context.tuning, call)));
  ROCFORGE_ASSIGN_OR_RETURN(const std::optional<Prefill> prefill, Prefill::Make(args, context));
  const uint32_t plain_block =
      kPlainWaves * static_cast<uint32_t>(context.device->info().wave_size);
  return MakeBoundOp([=](const Stream& stream, const StepShape& shape) {
    const auto n_tokens = static_cast<uint32_t>(rows.At(shape));
    if (n_tokens == 0) return Status();
    // What a sequence can have at most if the others have one each.
    const auto n_seqs = static_cast<uint32_t>(shape.n_seqs);
    const uint32_t usual_tokens = n_tokens > n_seqs ? n_tokens - n_seqs + 1 : 1;
    if (decode && usual_tokens <= kMaxDecodeTokens)
      return decode->Launch(stream, shape, usual_tokens, n_tokens);
    if (prefill) {
      if (decode && n_seqs > 1) {
        ROCFORGE_RETURN_IF_ERROR(decode->Launch(stream, shape, 1, 1));
        return prefill->Launch(stream, shape, n_tokens, 2);
      }
      return prefill->Launch(stream, shape, n_tokens, 1);
    }
    return stream.Launch(plain, {n_tokens, args.n_heads, plain_block, false}, &args);
  });
}

int64_t AttentionScratchBytes(const op::Call& call, const Device& device) {
  const op::Attention& p = std::get<op::Attention>(*call.params);
  const uint64_t floats = DecodePartialFloats(kMostDecodeRows, static_cast<uint32_t>(p.head_dim_v));
  return int64_t{MostSplitBlocks(device.info())} * static_cast<int64_t>(floats * sizeof(float));
}

}  // namespace rocforge::gpu
