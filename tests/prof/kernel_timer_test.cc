#include "prof/kernel_timer.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/testing.h"

namespace rocforge::prof {
namespace {

using Clock = std::chrono::steady_clock;

// Collecting is a switch of the process: each test leaves it off and empty.
class KernelTimerTest : public ::testing::Test {
 protected:
  void SetUp() override { ClearKernelTimes(); }
  void TearDown() override {
    EnableKernelTimes(false);
    ClearKernelTimes();
  }
};

TEST_F(KernelTimerTest, TellsTheTimeBetweenStartAndStop) {
  KernelTimer timer = KernelTimer::ForKernel("sleep");
  EXPECT_EQ(timer.name(), "sleep");
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK(timer.Start());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ASSERT_OK(timer.Stop());
    const Result<double> seconds = timer.Elapsed();
    ASSERT_OK(seconds);
    EXPECT_GE(*seconds, 0.005);
    EXPECT_LT(*seconds, 5.0);
  }
}

TEST_F(KernelTimerTest, MisuseIsAnError) {
  KernelTimer timer = KernelTimer::ForKernel("k");
  EXPECT_EQ(timer.Stop().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(timer.Elapsed().status().code(), StatusCode::kFailedPrecondition);
  ASSERT_OK(timer.Start());
  EXPECT_EQ(timer.Start().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(timer.Elapsed().status().code(), StatusCode::kFailedPrecondition);
  ASSERT_OK(timer.Stop());
  EXPECT_EQ(timer.Stop().code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(timer.Stop().message().find("'k'"), std::string::npos);
  EXPECT_OK(timer.Elapsed());
}

void Inner() { ROCFORGE_TIME_KERNEL("inner"); }
void Outer() {
  ROCFORGE_TIME_KERNEL("outer");
  ROCFORGE_TIME_KERNEL("again");  // two in one scope
  for (int i = 0; i < 3; ++i) Inner();
}

TEST_F(KernelTimerTest, ScopesNestAndThreadsShareTheTable) {
  Outer();
  EXPECT_TRUE(CollectedKernelTimes().empty()) << "collected while off";
  EnableKernelTimes(true);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back(Outer);
  for (std::thread& t : threads) t.join();
  const std::vector<KernelTime> times = CollectedKernelTimes();
  ASSERT_EQ(times.size(), 3u);
  double inner = -1;
  double outer = -1;
  for (const KernelTime& t : times) {
    EXPECT_EQ(t.calls, t.name == "inner" ? 12 : 4) << t.name;
    (t.name == "inner" ? inner : outer) = t.seconds;
  }
  EXPECT_GE(outer, inner);
  EXPECT_GE(times[0].seconds, times[1].seconds);
  ClearKernelTimes();
  EXPECT_TRUE(CollectedKernelTimes().empty());
}

// Both do the same work; the second has a timer that is off. The compiler may not skip iterations.
__attribute__((noinline)) void Plain(int64_t n) {
  for (int64_t i = 0; i < n; ++i) asm volatile("" : "+r"(i));
}
__attribute__((noinline)) void Timed(int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    asm volatile("" : "+r"(i));
    ROCFORGE_TIME_KERNEL("off");
  }
}

// Alternating, and the fastest of each, so that what else the machine does falls out.
TEST_F(KernelTimerTest, CostsNextToNothingWhenOff) {
  constexpr int64_t kCalls = 200000;
  double plain_s = 1e9;
  double timed_s = 1e9;
  for (int pass = 0; pass < 15; ++pass) {
    for (const bool timed : {false, true}) {
      const Clock::time_point begin = Clock::now();
      timed ? Timed(kCalls) : Plain(kCalls);
      const double s = std::chrono::duration<double>(Clock::now() - begin).count();
      (timed ? timed_s : plain_s) = std::min(timed ? timed_s : plain_s, s);
    }
  }
  EXPECT_TRUE(CollectedKernelTimes().empty());
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // A load and a branch: a nanosecond or two. An op takes at least a few microseconds.
  EXPECT_LT((timed_s - plain_s) / kCalls, 5e-9);
#else
  EXPECT_LT((timed_s - plain_s) / kCalls, 1e-6);
#endif
}

}  // namespace
}  // namespace rocforge::prof
