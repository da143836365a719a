// Ops on the CPU, timed by the steady clock.
#include <sys/mman.h>

#include <chrono>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/format.h"
#include "bench/kernels/data.h"
#include "bench/kernels/ops.h"

namespace rocforge::bench {
namespace {

using Clock = std::chrono::steady_clock;

// The clock and the call of it cost some 50 ns.
constexpr double kLeastSeconds = 20e-6;

// Anonymous memory, in huge pages where the system gives them, as the buffers of the engine.
class Memory {
 public:
  static Result<Memory> Allocate(int64_t bytes) {
    Memory m;
    m.bytes_ = static_cast<size_t>(bytes > 0 ? bytes : 1);
    void* p = mmap(nullptr, m.bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
      m.bytes_ = 0;
      return ResourceExhausted(
          Format("no memory for {}", FormatBytes(static_cast<uint64_t>(bytes))));
    }
    m.data_ = static_cast<std::byte*>(p);
    madvise(p, m.bytes_, MADV_HUGEPAGE);
    return m;
  }
  Memory() = default;
  Memory(Memory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Memory& operator=(Memory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() {
    if (data_ != nullptr) munmap(data_, bytes_);
  }
  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

// `copies` copies of the tensor, one after the other.
Result<Memory> Weights(const op::TensorDesc& desc, int64_t copies) {
  ROCFORGE_ASSIGN_OR_RETURN(Memory memory, Memory::Allocate(desc.bytes() * copies));
  const std::vector<std::byte> one = RandomRows(desc);
  for (int64_t i = 0; i < copies; ++i)
    std::memcpy(memory.data() + i * desc.bytes(), one.data(), one.size());
  return memory;
}

// `total` bytes that repeat `one`.
Result<Memory> Repeated(const std::vector<std::byte>& one, int64_t total) {
  ROCFORGE_ASSIGN_OR_RETURN(Memory memory, Memory::Allocate(total));
  const auto bytes = static_cast<int64_t>(one.size());
  for (int64_t at = 0; at + bytes <= total; at += bytes)
    std::memcpy(memory.data() + at, one.data(), one.size());
  return memory;
}

Result<Memory> Floats(int64_t n) { return Weights({DType::kF32, 1, 1, n}, 1); }

// A kernel with the operands of each copy.
class CpuOp : public PreparedOp {
 public:
  CpuOp(const CpuTarget& target, op::Params params) : target_(target), params_(std::move(params)) {}

  Result<double> Sample() override {
    // How many calls a sample needs is learned from the first.
    double seconds = Seconds(calls_);
    while (seconds < kLeastSeconds && calls_ < (1 << 20)) {
      calls_ *= seconds < kLeastSeconds / 4 ? 4 : 2;
      seconds = Seconds(calls_);
    }
    return seconds / calls_;
  }

 protected:
  struct Operands {
    std::vector<op::Operand> in;
    std::vector<op::Operand> out;
    op::KvLayer kv;
  };

  // After all copies are in.
  Status Bind() {
    ROCFORGE_ASSIGN_OR_RETURN(kernel_, cpu::FindKernel(CallOf(copies_[0]), target_.isa));
    const int64_t bytes = cpu::ScratchBytes(CallOf(copies_[0]), target_.isa, target_.pool->size());
    ROCFORGE_ASSIGN_OR_RETURN(scratch_, Memory::Allocate(bytes));
    return {};
  }

  op::Call CallOf(const Operands& operands) const {
    return {&params_, operands.in, operands.out, &step_, &operands.kv};
  }

  CpuTarget target_;
  op::Params params_;
  op::Step step_;
  std::vector<Operands> copies_;
  std::vector<Memory> memory_;

 private:
  double Seconds(int calls) {
    const Clock::time_point begin = Clock::now();
    for (int i = 0; i < calls; ++i) {
      kernel_(CallOf(copies_[next_]), {target_.pool, scratch_.data()});
      next_ = (next_ + 1) % copies_.size();
    }
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }

  cpu::Kernel kernel_ = nullptr;
  Memory scratch_;
  size_t next_ = 0;
  int calls_ = 1;
};

class CpuMatMul final : public CpuOp {
 public:
  using CpuOp::CpuOp;
  Status Prepare(const MatMulCase& test) {
    const int64_t copies =
        CopiesOf(static_cast<int64_t>(test.weight_bytes()), target_.rotation_bytes);
    ROCFORGE_ASSIGN_OR_RETURN(Memory x, Floats(test.rows * test.cols));
    copies_.resize(static_cast<size_t>(copies));
    for (Operands& o : copies_) o.in.push_back({{DType::kF32, 1, test.rows, test.cols}, x.data()});
    memory_.push_back(std::move(x));
    const bool glu = test.params.glu.kind != op::GluKind::kNone;
    for (size_t w = 0; w < test.types.size(); ++w) {
      const op::TensorDesc desc{test.types[w], 1, test.n_out[w], test.cols};
      ROCFORGE_ASSIGN_OR_RETURN(Memory weights, Weights(desc, copies));
      ROCFORGE_ASSIGN_OR_RETURN(Memory y, Floats(test.rows * test.n_out[w]));
      for (size_t i = 0; i < copies_.size(); ++i) {
        copies_[i].in.push_back({desc, weights.data() + static_cast<int64_t>(i) * desc.bytes()});
        if (!glu || w == 0)
          copies_[i].out.push_back({{DType::kF32, 1, test.rows, test.n_out[w]}, y.data()});
      }
      memory_.push_back(std::move(weights));
      memory_.push_back(std::move(y));
    }
    if (test.params.has_residual) {
      for (Operands& o : copies_) o.in.push_back(o.out[0]);
    }
    return Bind();
  }
};

class CpuDequant final : public CpuOp {
 public:
  using CpuOp::CpuOp;
  Status Prepare(const DequantCase& test) {
    const op::TensorDesc table = test.table();
    const int64_t copies = CopiesOf(table.bytes(), target_.rotation_bytes);
    ROCFORGE_ASSIGN_OR_RETURN(Memory weights, Weights(table, copies));
    ROCFORGE_ASSIGN_OR_RETURN(Memory y, Floats(test.elements()));
    ids_.resize(static_cast<size_t>(test.rows));
    std::iota(ids_.begin(), ids_.end(), 0);
    step_.n_tokens = static_cast<int32_t>(test.rows);
    step_.token_ids = ids_.data();
    for (int64_t i = 0; i < copies; ++i) {
      Operands& o = copies_.emplace_back();
      o.in.push_back({table, weights.data() + i * table.bytes()});
      o.out.push_back({{DType::kF32, 1, test.rows, test.cols}, y.data()});
    }
    memory_.push_back(std::move(weights));
    memory_.push_back(std::move(y));
    return Bind();
  }

 private:
  std::vector<int32_t> ids_;
};

class CpuAttention final : public CpuOp {
 public:
  CpuAttention(const CpuTarget& target, const AttentionCase& test)
      : CpuOp(target, test.Params()), arrays_(test) {
    step_ = arrays_.View(test);
  }
  Status Prepare(const AttentionCase& test) {
    const int64_t bytes = test.cache_bytes();
    const int64_t copies = CopiesOf(2 * bytes, target_.rotation_bytes);
    const std::vector<std::byte> page = test.RandomPage();
    const int64_t width = int64_t{test.n_heads} * test.head_dim;
    ROCFORGE_ASSIGN_OR_RETURN(Memory k, Repeated(page, copies * bytes));
    ROCFORGE_ASSIGN_OR_RETURN(Memory v, Repeated(page, copies * bytes));
    ROCFORGE_ASSIGN_OR_RETURN(Memory q, Floats(test.n_tokens() * width));
    ROCFORGE_ASSIGN_OR_RETURN(Memory y, Floats(test.n_tokens() * width));
    const op::TensorDesc rows{DType::kF32, 1, test.n_tokens(), width};
    for (int64_t i = 0; i < copies; ++i) {
      Operands& o = copies_.emplace_back();
      o.in.push_back({rows, q.data()});
      o.out.push_back({rows, y.data()});
      o.kv = {k.data() + i * bytes, v.data() + i * bytes, test.kv_type, test.page_size,
              test.n_kv_heads,      test.head_dim,        test.head_dim};
    }
    for (Memory* m : {&k, &v, &q, &y}) memory_.push_back(std::move(*m));
    return Bind();
  }

 private:
  AttentionStep arrays_;
};

}  // namespace

Prepared PrepareMatMul(const CpuTarget& target, const MatMulCase& test) {
  auto op = std::make_unique<CpuMatMul>(target, test.params);
  ROCFORGE_RETURN_IF_ERROR(op->Prepare(test));
  return std::unique_ptr<PreparedOp>(std::move(op));
}

Prepared PrepareDequant(const CpuTarget& target, const DequantCase& test) {
  auto op = std::make_unique<CpuDequant>(target, op::EmbedRows{});
  ROCFORGE_RETURN_IF_ERROR(op->Prepare(test));
  return std::unique_ptr<PreparedOp>(std::move(op));
}

Prepared PrepareAttention(const CpuTarget& target, const AttentionCase& test) {
  auto op = std::make_unique<CpuAttention>(target, test);
  ROCFORGE_RETURN_IF_ERROR(op->Prepare(test));
  return std::unique_ptr<PreparedOp>(std::move(op));
}

}  // namespace rocforge::bench
