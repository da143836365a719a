#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace rocforge {
namespace {

TEST(ThreadPool, RunsEveryMemberOnce) {
  for (int n : {1, 2, 3, 7}) {
    ThreadPool pool(n);
    EXPECT_EQ(pool.size(), n);
    for (int repeat = 0; repeat < 200; ++repeat) {
      std::vector<std::atomic<int>> calls(static_cast<size_t>(n));
      pool.Run([&](int member) { calls[static_cast<size_t>(member)].fetch_add(1); });
      for (auto& c : calls) EXPECT_EQ(c.load(), 1);
    }
  }
}

TEST(ThreadPool, WakesSleepingWorkers) {
  ThreadPool pool(3);
  for (int repeat = 0; repeat < 5; ++repeat) {
    std::this_thread::sleep_for(
        std::chrono::milliseconds(5));  // long enough that the workers stop spinning
    std::atomic<int> calls{0};
    pool.Run([&](int) { calls.fetch_add(1); });
    EXPECT_EQ(calls.load(), 3);
  }
}

TEST(ThreadPool, ParallelForCoversTheRangeExactlyOnce) {
  ThreadPool pool(4);
  for (int64_t n : {0, 1, 2, 31, 32, 33, 1000, 4097}) {
    for (int64_t grain : {1, 8, 5000}) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(n));
      pool.ParallelFor(n, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) seen[static_cast<size_t>(i)].fetch_add(1);
      });
      for (auto& s : seen) ASSERT_EQ(s.load(), 1) << n << " " << grain;
    }
  }
}

TEST(ThreadPool, AtLeastOneUsableCore) { EXPECT_GE(UsablePhysicalCores(), 1); }

}  // namespace
}  // namespace rocforge
