// A fixed team of threads for data-parallel loops in the step path: no allocation, no queue, one
// job at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace rocforge {

// Runs a function on every member of a team and waits for all. The calling thread is member 0, so a
// team of one has no threads and costs nothing. Between jobs the workers spin for a short while (a
// decode step is a hundred jobs of tens of microseconds), then sleep. Run() must not be called from
// two threads at once, nor from inside a job.
class ThreadPool {
 public:
  // n_threads >= 1 members in all; 0 means one per physical core that this process may use.
  explicit ThreadPool(int n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return n_threads_; }
  // Jobs run so far, those of ParallelFor included where it needed the team.
  int64_t jobs() const { return n_jobs_; }

  // Calls job(member) once for each member in [0, size()), concurrently; returns when all have
  // returned. `job` must not throw. No allocation.
  template <typename F>
  void Run(F&& job) {
    ++n_jobs_;
    using Job = std::remove_reference_t<F>;
    RunErased([](void* context, int member) { (*static_cast<Job*>(context))(member); },
              const_cast<void*>(static_cast<const void*>(&job)));
  }

  // Calls body(begin, end) over chunks of [0, n) of at least `grain` items, balanced dynamically
  // over the team.
  template <typename F>
  void ParallelFor(int64_t n, int64_t grain, F&& body);

 private:
  struct State;
  void RunErased(void (*job)(void*, int), void* context);
  // Next chunk index of the running ParallelFor.
  int64_t NextChunk();
  void ResetChunks();

  int n_threads_ = 1;
  int64_t n_jobs_ = 0;
  std::unique_ptr<State> state_;
};

// Physical cores that this process may run on (its affinity mask and cgroup quota respected); at
// least 1.
int UsablePhysicalCores();

template <typename F>
void ThreadPool::ParallelFor(int64_t n, int64_t grain, F&& body) {
  if (n <= 0) return;
  if (grain < 1) grain = 1;
  if (n_threads_ == 1 || n <= grain) {
    body(int64_t{0}, n);
    return;
  }
  // A few chunks a member: enough to even out a slow core, few enough that the counter is not
  // contended.
  int64_t chunk = (n + 4 * n_threads_ - 1) / (4 * n_threads_);
  if (chunk < grain) chunk = grain;
  ResetChunks();
  Run([&](int) {
    for (int64_t begin = NextChunk() * chunk; begin < n; begin = NextChunk() * chunk) {
      body(begin, begin + chunk < n ? begin + chunk : n);
    }
  });
}

}  // namespace rocforge
