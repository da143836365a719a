// Runs a plan on a device. Binds kernels, weights and memory once; a step then only runs. One
// executor per device kind: cpu_executor.h, gpu_executor.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "exec/draw_token.h"
#include "kernels/op/call.h"
#include "kernels/op/cost.h"
#include "kernels/op/step.h"
#include "rocforge/status.h"

namespace rocforge::exec {

// Called after every op when set; `node` indexes Plan::graph.nodes. The operands of `call` are
// addresses of the device that runs it.
using OpObserver = std::function<void(size_t node, const op::Call& call, int64_t time_ns)>;

// What a step is run for.
enum class Wanted : uint8_t {
  kLogits,       // rows of logits
  kBestTokens,   // only the token with the largest logit of each row
  kTopTokens,    // only the kTopTokens tokens with the largest logits of each row
  kDrawnTokens,  // only one token of each row, drawn as TokenDraw says
};

// That and what it takes. What the spans name need live no longer than the step.
struct Choice {
  // Not explicit: a Wanted says it all where nothing else is needed.
  Choice(Wanted w = Wanted::kLogits, std::span<const TokenDraw> d = {},
         std::span<const EditLists> e = {})
      : wanted(w), draws(d), edits(e) {}

  Wanted wanted;
  std::span<const TokenDraw> draws;  // one for each row with kDrawnTokens, else none
  // One for each row, or none. Made before tokens are chosen; not with kLogits.
  std::span<const EditLists> edits;
};

inline constexpr size_t kTopTokens = 64;
struct TopToken {
  float logit = 0;
  int32_t token = -1;  // -1: no token
};
// The token of a row's first entry if its logits have a NaN or +infinity.
inline constexpr int32_t kBrokenLogits = -2;

// best_tokens() and drawn_tokens() of a row whose logits have a NaN, an infinity, or nothing but
// -infinity.
inline constexpr int32_t kNoBestToken = -1;
// The same, of one row in the host's memory.
int32_t BestToken(std::span<const float> logits);
// What Executor::top_tokens holds for one row in the host's memory; `top` has kTopTokens entries.
void SelectTopTokens(std::span<const float> logits, std::span<TopToken> top);

// What one step asked of the driver; all zero on the CPU.
struct StepCounters {
  int64_t launches = 0;        // kernels, launched one by one
  int64_t graph_launches = 0;  // captured graphs
  int64_t graph_kernels = 0;   // kernels inside of those
  int64_t captures = 0;        // graphs captured because their shape was new
  int64_t synchronisations = 0;
  int64_t allocations = 0;
  int64_t bytes_to_device = 0;
  int64_t bytes_to_host = 0;

  StepCounters& operator+=(const StepCounters& other);
};

// How the ops of a step are timed.
enum class OpTiming : uint8_t {
  kOff,
  // In the fast path: on a GPU a tiny kernel between ops notes the device's clock, also inside of a
  // captured graph (exec/op_stamps.h); on the CPU the host's clock is read between ops.
  kStamps,
  // On a GPU: ops are launched one by one with driver events between them. On the CPU as kStamps.
  kEvents,
};

struct OpTime {
  size_t node = 0;       // in Plan::graph.nodes
  int64_t begin_ns = 0;  // since the step's first op
  int64_t time_ns = 0;
  op::Cost cost;
  int64_t launches = 0;  // kernels; on the CPU jobs of the thread team
};

// Where the time of one step went. wall_ns is all of Run but the reading of the stamps, and is at
// least the sum of the others, host_ns apart, which is the rest.
struct StepTimes {
  std::vector<OpTime> ops;
  int64_t ops_ns = 0;       // from the first op's begin to the last one's end
  int64_t upload_ns = 0;    // GPU: the step's arrays, and the way of the launch to the device
  int64_t choose_ns = 0;    // edits of logits, and tokens chosen among them
  int64_t download_ns = 0;  // GPU: logits or tokens
  int64_t wall_ns = 0;
  int64_t stamp_ns = 0;    // GPU: what each op's stamp cost; not part of time_ns, but of ops_ns
  int64_t readout_ns = 0;  // GPU: reading the stamps after the step; not part of wall_ns
  bool graph = false;      // ran as a captured graph

  int64_t host_ns() const { return wall_ns - ops_ns - upload_ns - choose_ns - download_ns; }
};

// kInvalidArgument if the choice is not one for the step's rows, or has too many edits.
Status CheckChoice(const op::Step& step, const Choice& choice);

// Not thread-safe: the thread of the step loop calls it.
class Executor {
 public:
  virtual ~Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Runs one step to its end. kInvalidArgument if the step is larger than the plan's limits;
  // kUnavailable or kResourceExhausted, with the driver's words, if the device fails: what the step
  // would have written is then undefined. kTopTokens, kDrawnTokens and edits are for at most as
  // many rows as the executor has sequences.
  virtual Status Run(const op::Step& step, const Choice& choice) = 0;
  Status Run(const op::Step& step) { return Run(step, Choice()); }

  // Of the last step, valid until the next: logits [n_outputs, n_vocab] if they were wanted, else
  // empty.
  virtual std::span<const float> logits() const = 0;
  // [n_outputs] if those were wanted, else empty. Among equal logits the lowest token.
  virtual std::span<const int32_t> best_tokens() const = 0;
  // [n_outputs, kTopTokens] if those were wanted, else empty: by ascending token, unused entries
  // last. Among equal logits the lower tokens are taken; -infinity is never.
  virtual std::span<const TopToken> top_tokens() const = 0;
  // [n_outputs] if those were wanted, else empty.
  virtual std::span<const DrawnToken> drawn_tokens() const = 0;

  // Compulsory bytes and operations of the last step, summed over all ops (op::CostOf).
  virtual op::Cost LastCost() const = 0;
  virtual StepCounters LastCounters() const = 0;

  // With an observer, ops run one by one and are timed; without, as fast as the device can.
  virtual void SetObserver(OpObserver observer) = 0;

  // Steps from now on fill LastTimes. Memory is taken here and in the first step of a shape, not
  // later. Errors are the driver's.
  virtual Status SetTiming(OpTiming timing) = 0;
  // Of the last step that was timed and succeeded.
  virtual const StepTimes& LastTimes() const = 0;

  virtual int64_t arena_bytes() const = 0;    // activations
  virtual int64_t scratch_bytes() const = 0;  // of the kernels
  // How steps run: "eager", "graph".
  virtual std::string mode() const = 0;

 protected:
  Executor() = default;
};

}  // namespace rocforge::exec
