// The simulator's own promises: it says so when a kernel breaks the rules of port.h.
#include "kernels/gpu/port/sim/runtime.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "tests/testing.h"

namespace rocforge::port {
namespace {

// Kernels that break the rules, to see that sim says so.
struct BadArgs {
  uint32_t* out;
};

void DivergentShuffle(const void* p) {
  const auto* args = static_cast<const BadArgs*>(p);
  const uint32_t thread = sim::Current().thread;
  args->out[thread] =
      thread < 7 ? sim::Shuffle(thread, 0, {"a.cc", 1}) : sim::Shuffle(thread, 0, {"a.cc", 2});
}
void SomeLanesLeave(const void*) {
  if (sim::Current().thread % 2 == 0) return;
  static_cast<void>(sim::Ballot(true, {"b.cc", 1}));
}
void HalfTheBlockAtABarrier(const void*) {
  if (sim::Current().thread < 32) sim::BlockBarrier({"c.cc", 9});
}
void ReadsBeyondTheWave(const void*) { static_cast<void>(sim::Shuffle(1, 40, {"d.cc", 1})); }
void GridBarrierAlone(const void* p) {
  sim::GridBarrier(static_cast<const BadArgs*>(p)->out, 2, {"e.cc", 1});
}

TEST(Sim, NamesBrokenRules) {
  std::vector<uint32_t> out(64);
  const BadArgs args{out.data()};
  const auto run = [&](void (*entry)(const void*), sim::LaunchShape shape) {
    const sim::KernelInfo kernel{"bad", entry, sizeof(BadArgs), 32, 64};
    const Status status = sim::Launch(kernel, shape, std::as_bytes(std::span(&args, 1)));
    EXPECT_EQ(status.code(), StatusCode::kInternal);
    return status.message();
  };
  EXPECT_NE(run(DivergentShuffle, {1, 1, 32}).find("a.cc:2"), std::string::npos);
  EXPECT_NE(run(SomeLanesLeave, {1, 1, 32}).find("diverge"), std::string::npos);
  EXPECT_NE(run(HalfTheBlockAtABarrier, {1, 1, 64}).find("c.cc:9"), std::string::npos);
  EXPECT_NE(run(ReadsBeyondTheWave, {1, 1, 32}).find("lane 40"), std::string::npos);
  EXPECT_NE(run(GridBarrierAlone, {2, 1, 32}).find("not cooperative"), std::string::npos);
}

TEST(Sim, RefusesBadLaunches) {
  const sim::KernelInfo kernel{"k", GridBarrierAlone, sizeof(BadArgs), 32, 64};
  const BadArgs args{nullptr};
  const auto bytes = std::as_bytes(std::span(&args, 1));
  EXPECT_EQ(sim::Launch(kernel, {1, 1, 128}, bytes).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(sim::Launch(kernel, {1, 1, 33}, bytes).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(sim::Launch(kernel, {0, 1, 32}, bytes).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(sim::Launch(kernel, {1, 1, 32}, bytes.first(4)).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace rocforge::port
