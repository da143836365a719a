// The engine: one loaded model, its KV pages and any number of sequences. Token ids in, logits out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/executor.h"
#include "gguf/reader.h"
#include "graph/plan.h"
#include "kernels/op/cost.h"
#include "model/model.h"
#include "rocforge/status.h"

namespace rocforge::engine {

// After loading on a GPU, ops are run there and on the CPU and compared.
enum class SelfCheck : uint8_t {
  kOff,
  kAuto,  // first and last layer, and the ops outside of the layers
  kOn,    // every op
};
// "off", "auto", "on"; anything else is kInvalidArgument.
Result<SelfCheck> ParseSelfCheck(std::string_view name);

struct EngineOptions {
  std::string model_path;
  std::string device = "auto";  // auto, cpu, gpu, gpu:N; for tests: sim32, sim64
  int32_t n_threads = 0;        // 0: physical cores that the process may use
  int32_t n_ctx = 0;  // tokens that one sequence may hold; 0: the model's own, at most 4096
  int32_t max_sequences = 1;
  int32_t max_batch_tokens = 512;  // tokens of one step; longer prompts are fed in chunks
  int32_t max_outputs = 0;         // rows of logits of one step; 0: as max_batch_tokens
  DType kv_type = DType::kF16;     // kF16, kF32 or kQ8_0
  std::string isa;                 // force a CPU instruction set; empty: the best one
  std::string executor = "auto";   // on a GPU: auto, eager, graph (exec/gpu_executor.h)
  SelfCheck self_check = SelfCheck::kAuto;
  // What `rocforge tune` found, if this file is there; empty: the launchers' own choices. A file
  // that cannot be read is warned of and not used.
  std::string tuning_path;
  graph::PassOptions passes;
  std::function<void(double fraction)> on_load_progress;  // [0, 1], from the loading thread
};

using SequenceId = int32_t;

enum class LogitsWanted : uint8_t { kNone, kLast, kAll };

// Tokens to append to a sequence in the next step.
struct StepItem {
  SequenceId sequence = 0;
  std::span<const int32_t> tokens;  // at least one
  LogitsWanted logits = LogitsWanted::kLast;
};

// Bytes that an engine holds, by what they are for. On the device that it runs on; on the CPU the
// weights are those of the mapped file.
struct MemoryUse {
  int64_t weights = 0;
  int64_t kv = 0;           // reserved for the cache
  int64_t activations = 0;  // of one step
  int64_t scratch = 0;      // of the kernels

  int64_t total() const { return weights + kv + activations + scratch; }
};

// A part of loading: "file", "model", "plan", "kv", "bind", "weights", "self-check".
struct LoadPart {
  std::string name;
  double seconds = 0;
  int64_t bytes = 0;  // that it moved, or reserved; 0 where that says nothing
  MemoryUse held;     // at its end
};

struct EngineCounters {
  int64_t steps = 0;
  int64_t tokens = 0;
  double bytes = 0;  // compulsory traffic of all steps
  double ops = 0;
};

// Not thread-safe: one thread (the step loop) calls it. Memory for everything is taken in Load; a
// step allocates nothing.
class Engine {
 public:
  // Opens, plans and binds. Errors are one line that says what to do; memory that does not fit is
  // kResourceExhausted with the numbers.
  static Result<std::unique_ptr<Engine>> Load(const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const gguf::File& file() const;
  const model::ModelInfo& info() const;
  const graph::Plan& plan() const;
  const EngineOptions& options() const;  // with every 0 and "auto" replaced by what was chosen
  // "CPU (2 threads, avx512)", "NVIDIA H200 (gpu:0, sm_90a, graph)"; from the driver, so to be
  // escaped where it is shown.
  std::string device_description() const;
  bool on_gpu() const;

  // kResourceExhausted when all max_sequences are in use.
  Result<SequenceId> NewSequence();
  void FreeSequence(SequenceId sequence);
  int32_t length(SequenceId sequence) const;  // tokens in the cache
  // Forgets tokens from `length` on (a rejected draft, an edited conversation).
  Status Truncate(SequenceId sequence, int32_t length);

  // Appends the items' tokens and computes the wanted logits. Items name distinct sequences;
  // together they have at most max_batch_tokens tokens (kInvalidArgument). kResourceExhausted when
  // a sequence would pass n_ctx or no page is free; kUnavailable if the device fails. After an
  // error the sequences are as long as before. `choice`: rows of logits, or only tokens chosen
  // among them.
  Status Step(std::span<const StepItem> items, const exec::Choice& choice = {});
  // Step for one sequence in chunks of max_batch_tokens; logits only of the last token. `cancelled`
  // (may be null) is asked between chunks: kCancelled, with the chunks so far kept.
  Status Prefill(SequenceId sequence, std::span<const int32_t> tokens,
                 const std::function<bool()>& cancelled, const exec::Choice& choice = {});

  // Results of the last step, valid until the next: one row per token whose logits were wanted, in
  // order of items and tokens. logits() if the step was run for them, [n_vocab]; best_token() in
  // either case: kDataLoss if the row has a NaN or an infinity, or no token is possible.
  int32_t n_logits() const;
  std::span<const float> logits(int32_t row) const;
  Result<int32_t> best_token(int32_t row) const;
  // If the step was run for drawn tokens. kDataLoss as best_token.
  Result<exec::DrawnToken> drawn_token(int32_t row) const;
  // If the step was run for them: the tokens with the largest logits, by ascending token, at most
  // exec::kTopTokens. kDataLoss as best_token.
  Result<std::span<const exec::TopToken>> top_tokens(int32_t row) const;

  const EngineCounters& counters() const;
  exec::StepCounters last_step() const;  // what it asked of the GPU driver
  int64_t kv_bytes() const;              // reserved for the cache
  int64_t scratch_bytes() const;         // activations and kernel scratch
  MemoryUse memory() const;
  // Memory of the GPU in use, by whatever program, as its driver says. kUnsupported on the CPU.
  Result<int64_t> device_used_bytes() const;

  // For profilers: see exec::OpTiming. Times are those of the last Step.
  Status SetTiming(exec::OpTiming timing);
  const exec::StepTimes& last_times() const;
  // Where the time of Load went, in order; the parts are disjoint.
  const std::vector<LoadPart>& load_parts() const;
  // Bytes of the weights on the device; on the CPU those of the file's tensors.
  int64_t weight_bytes() const;

  // See exec::OpObserver.
  void SetOpObserver(
      std::function<void(size_t node, const op::Call& call, int64_t time_ns)> observer);

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace rocforge::engine
