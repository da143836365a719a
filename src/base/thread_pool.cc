#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace rocforge {
namespace {

inline void CpuRelax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins before sleeping: about 50 us, longer than the gap between two ops of a decode step.
constexpr int kSpins = 2000;

}  // namespace

struct ThreadPool::State {
  alignas(64) std::atomic<uint64_t> generation{0};  // bumped to start a job
  alignas(64) std::atomic<int> running{0};          // workers that have not finished the job
  alignas(64) std::atomic<int64_t> next_chunk{0};
  void (*job)(void*, int) = nullptr;
  void* context = nullptr;
  bool stop = false;
  std::atomic<int> sleepers{0};
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::thread> threads;

  // Waits for a generation other than `seen` and returns it.
  uint64_t AwaitJob(uint64_t seen) {
    for (int i = 0; i < kSpins; ++i) {
      const uint64_t now = generation.load(std::memory_order_acquire);
      if (now != seen) return now;
      CpuRelax();
    }
    std::unique_lock lock(mutex);
    sleepers.fetch_add(1, std::memory_order_seq_cst);
    wake.wait(lock, [&] { return generation.load(std::memory_order_seq_cst) != seen; });
    sleepers.fetch_sub(1, std::memory_order_relaxed);
    return generation.load(std::memory_order_acquire);
  }

  void Work(int member) {
    uint64_t seen = 0;
    while (true) {
      seen = AwaitJob(seen);
      if (stop) return;
      job(context, member);
      running.fetch_sub(1, std::memory_order_release);
    }
  }

  void Start() {
    generation.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers.load(std::memory_order_seq_cst) > 0) {
      {
        std::lock_guard lock(mutex);
      }  // a worker between its check and its wait must not miss the call
      wake.notify_all();
    }
  }
};

ThreadPool::ThreadPool(int n_threads)
    : n_threads_(n_threads >= 1 ? n_threads : UsablePhysicalCores()),
      state_(std::make_unique<State>()) {
  for (int member = 1; member < n_threads_; ++member) {
    state_->threads.emplace_back([state = state_.get(), member] { state->Work(member); });
  }
}

ThreadPool::~ThreadPool() {
  state_->stop = true;
  state_->Start();
  for (std::thread& thread : state_->threads) thread.join();
}

void ThreadPool::RunErased(void (*job)(void*, int), void* context) {
  State& s = *state_;
  if (n_threads_ > 1) {
    s.job = job;
    s.context = context;
    s.running.store(n_threads_ - 1, std::memory_order_relaxed);
    s.Start();
  }
  job(context, 0);
  for (int spins = 0; s.running.load(std::memory_order_acquire) != 0; ++spins) {
    if (spins < kSpins) {
      CpuRelax();
    } else {
      std::this_thread::yield();  // more threads than cores: let the worker run
    }
  }
}

int64_t ThreadPool::NextChunk() {
  return state_->next_chunk.fetch_add(1, std::memory_order_relaxed);
}
void ThreadPool::ResetChunks() { state_->next_chunk.store(0, std::memory_order_relaxed); }

namespace {

// Cores that the cgroup's CPU quota allows, or a large number where there is no quota.
int CgroupCores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period_us = 0;
  if (file >> quota >> period_us && quota != "max" && period_us > 0) {
    return std::max(1, static_cast<int>(std::lround(std::stod(quota) / period_us)));
  }
  return 1 << 20;
}

// (package, core) of a logical CPU, or (-1, cpu) where the kernel does not tell.
std::pair<int, int> CoreOf(int cpu) {
  const std::string dir = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
  std::ifstream package_file(dir + "physical_package_id");
  std::ifstream core_file(dir + "core_id");
  int package = -1;
  int core = -1;
  if (package_file >> package && core_file >> core) return {package, core};
  return {-1, cpu};
}

}  // namespace

int UsablePhysicalCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0)
    return std::max(1u, std::thread::hardware_concurrency());
  std::set<std::pair<int, int>> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cores.insert(CoreOf(cpu));
  }
  return std::max(1, std::min(static_cast<int>(cores.size()), CgroupCores()));
}

}  // namespace rocforge
