// Runs one op on a device and by the reference CPU kernel on the same random inputs, and compares.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "device/gpu/device.h"
#include "kernels/gpu/launch/bound_op.h"
#include "kernels/gpu/launch/modules.h"
#include "kernels/op/call.h"
#include "rocforge/status.h"

namespace rocforge::testing {

// A ragged batch with random page tables, owned.
struct TestStep {
  std::vector<int32_t> token_ids, positions, seq_of_token, seq_begin, kv_len, page_table, kv_slots,
      output_rows;
  int32_t page_table_stride = 0;
  int32_t n_pages = 0;
  int32_t page_size = 0;
  op::Step host;  // points into the arrays

  // lengths[s]: {tokens of this step, tokens in the cache before it}. The last row of every
  // sequence is an output.
  static std::unique_ptr<TestStep> Make(const std::vector<std::pair<int32_t, int32_t>>& lengths,
                                        int32_t page_size, std::mt19937& random);
};

class OpHarness {
 public:
  // Fails the current test, or skips it where the machine has no such device.
  explicit OpHarness(const std::string& device_name);
  bool ok() const { return device_ != nullptr; }
  std::mt19937& random() { return random_; }
  uint32_t seed() const { return seed_; }

  // An input of normal numbers, or a copy of the given ones.
  void AddInput(int64_t rows, int64_t cols, float deviation = 1.0f);
  void AddInput(int64_t rows, int64_t cols, std::vector<float> values);
  // An output; in_place >= 0: the memory of that input.
  void AddOutput(int64_t rows, int64_t cols, int in_place = -1);
  // Pages of normal numbers for one layer.
  void SetKv(int32_t n_kv_heads, int32_t head_dim_k, int32_t head_dim_v, DType type);

  // The device enqueues the op so many times: ops whose inputs stay as they are must not mind.
  void SetRepeats(int repeats) { repeats_ = repeats; }

  // Runs both and expects every element of every output, and of the cache where there is one,
  // within tolerance * (1 + |expected|). Guard zones around each device output must stay intact.
  void ExpectAgreement(const op::Params& params, const gpu::RowCount& rows, TestStep& step,
                       float tolerance);

 private:
  struct Matrix {
    op::TensorDesc desc;
    std::vector<float> host;
    int in_place = -1;
    gpu::Buffer device;
  };
  gpu::Buffer Upload(const void* data, size_t bytes);
  void RunReference(const op::Params& params, const TestStep& step);
  void RunDevice(const op::Params& params, const gpu::RowCount& rows, const TestStep& step);

  uint32_t seed_ = std::random_device{}();
  std::mt19937 random_{seed_};
  std::shared_ptr<gpu::Device> device_;
  gpu::Modules modules_;
  gpu::Stream stream_;
  std::vector<Matrix> in_, out_;
  bool has_kv_ = false;
  int repeats_ = 1;
  op::KvLayer kv_;
  std::vector<std::byte> k_start_, v_start_;        // before the op
  std::vector<std::byte> k_expected_, v_expected_;  // after the reference
  std::vector<std::byte> k_got_, v_got_;            // after the device
  std::vector<std::vector<float>> expected_, got_;
};

}  // namespace rocforge::testing
