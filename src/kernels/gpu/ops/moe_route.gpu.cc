// Choice of experts (op.h: MoeRoute). A wave per token: the scores of all experts lie in shared
// memory, and each of the n_used rounds takes the best one that is left by a butterfly over the
// lanes.
//   Traffic: n_experts logits read, 8 n_used bytes written per token; the rounds are what takes
//   time.
// Probabilities that only order the experts are never compared: softmax and sigmoid grow with the
// logit, so without a selection bias the logits decide, and rounding cannot make two of them equal.
#include "kernels/gpu/ops/moe_route_args.h"
#include "kernels/gpu/port/port.h"
#include "kernels/gpu/wave/reduce.h"

namespace rocforge::port {
namespace {

constexpr float kLog2E = 1.44269504f;
constexpr uint32_t kGatingSoftmax = 0;
constexpr uint32_t kGatingSigmoid = 1;
constexpr uint32_t kNoExpert = 0xFFFFFFFFu;
// The smallest normal half: keeps a sum of vanishing weights from dividing by zero, as the CPU's.
constexpr float kSmallestWeightSum = 6.103515625e-05f;

struct RouteShared {
  float value[gpu::kMoeRouteMaxExperts];  // what becomes the weight
  float score[gpu::kMoeRouteMaxExperts];  // what decides; NaN once taken
  float weight[gpu::kMoeRouteMaxUsed];
};

RF_DEVICE float Exp(float x) { return FastExp2(x * kLog2E); }

// Probabilities of all experts; the sum of exponentials in double would not change the weights'
// leading digits.
RF_DEVICE void Softmax(RouteShared& s, uint32_t n) {
  float largest = -__builtin_inff();
  for (uint32_t i = LaneId(); i < n; i += kWaveSize)
    largest = s.value[i] > largest ? s.value[i] : largest;
  largest = WaveMax(largest);
  float sum = 0.0f;
  for (uint32_t i = LaneId(); i < n; i += kWaveSize) {
    s.value[i] = Exp(s.value[i] - largest);
    sum += s.value[i];
  }
  const float inverse = 1.0f / WaveSum(sum);
  for (uint32_t i = LaneId(); i < n; i += kWaveSize) s.value[i] *= inverse;
}

// The expert with the largest score that is not taken, the lowest index among equals; the same in
// every lane. There always is one: n_used <= n_experts.
RF_DEVICE uint32_t TakeBest(RouteShared& s, uint32_t n) {
  float best = -__builtin_inff();
  uint32_t expert = kNoExpert;
  for (uint32_t i = LaneId(); i < n; i += kWaveSize) {
    const float score = s.score[i];
    if (score > best || (score == best && i < expert)) {
      best = score;
      expert = i;
    }
  }
  for (uint32_t mask = kWaveSize / 2; mask > 0; mask /= 2) {
    const float other = ShuffleXor(best, mask);
    const uint32_t other_expert = ShuffleXor(expert, mask);
    if (other > best || (other == best && other_expert < expert)) {
      best = other;
      expert = other_expert;
    }
  }
  return expert;
}

}  // namespace

RF_KERNEL(moe_route, gpu::MoeRouteArgs, 64) {
  LetNextStart();
  AwaitPrevious();
  RouteShared& s = SharedBlock<RouteShared>();
  const uint32_t n = args.n_experts;
  const float* logits = args.logits + static_cast<uint64_t>(BlockId()) * n;
  for (uint32_t i = LaneId(); i < n; i += kWaveSize) {
    const float x = logits[i];
    s.value[i] = args.gating == kGatingSigmoid ? 1.0f / (1.0f + Exp(-x)) : x;
    // NaN means taken, so a NaN of the model goes last; its weight still shows it.
    s.score[i] = x == x ? x : -__builtin_inff();
  }
  // A lane reads only what it wrote itself until the choice begins.
  if (args.gating == kGatingSoftmax) Softmax(s, n);
  if (args.selection_bias != nullptr) {
    for (uint32_t i = LaneId(); i < n; i += kWaveSize) {
      const float score = s.value[i] + args.selection_bias[i];
      s.score[i] = score == score ? score : -__builtin_inff();
    }
  }
  int32_t* ids = args.ids + static_cast<uint64_t>(BlockId()) * args.n_used;
  for (uint32_t e = 0; e < args.n_used; ++e) {
    const uint32_t expert = TakeBest(s, n);
    if (expert % kWaveSize == LaneId()) {  // the lane that owns its score
      s.score[expert] = __builtin_nanf("");
      s.weight[e] = s.value[expert];
      ids[e] = static_cast<int32_t>(expert);
    }
  }
  BlockBarrier();  // weights come from all lanes
  const bool softmax_of_selected = args.gating > kGatingSigmoid;
  float largest = s.weight[0];
  for (uint32_t e = 1; e < args.n_used; ++e)
    largest = s.weight[e] > largest ? s.weight[e] : largest;
  float sum = 0.0f;
  for (uint32_t e = 0; e < args.n_used; ++e)
    sum += softmax_of_selected ? Exp(s.weight[e] - largest) : s.weight[e];
  if (!softmax_of_selected) {
    sum = args.normalise == 0 ? 1.0f : sum < kSmallestWeightSum ? kSmallestWeightSum : sum;
  }
  float* weights = args.weights + static_cast<uint64_t>(BlockId()) * args.n_used;
  for (uint32_t e = LaneId(); e < args.n_used; e += kWaveSize) {
    const float w = softmax_of_selected ? Exp(s.weight[e] - largest) : s.weight[e];
    weights[e] = w / sum * args.scale;
  }
}

}  // namespace rocforge::port
