// Stackful coroutines for the sim port: one per GPU thread. Known to the address sanitizer.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace rocforge::port::sim {

// Runs `entry(context)` on a stack of its own, switched by hand from one host thread. Reusable once
// finished.
class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Prepares a run; the fiber must not be in one.
  void Start(void (*entry)(void*), void* context);
  // Runs it until it yields or ends. From outside any fiber.
  void Resume();
  // Back to Resume's caller. From inside this fiber.
  void Yield();
  bool finished() const { return finished_; }

 private:
  static void Main(Fiber* self);
  static void Trampoline(unsigned low, unsigned high);

  struct Context;
  std::unique_ptr<Context> context_;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  bool finished_ = true;
};

}  // namespace rocforge::port::sim
