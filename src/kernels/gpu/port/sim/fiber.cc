#include "kernels/gpu/port/sim/fiber.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <cstdint>

#include "base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define RF_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RF_ASAN 1
#endif
#endif
#ifndef RF_ASAN
#define RF_ASAN 0
#endif
#if RF_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

namespace rocforge::port::sim {
namespace {

constexpr size_t kGuardBytes = 4096;
constexpr size_t kStackBytes = RF_ASAN ? 256 * 1024 : 64 * 1024;

#if defined(__x86_64__)
// Saves the callee-saved registers on the current stack, stores the stack pointer and continues on
// the other. The signal mask is not touched, which is what makes swapcontext slow. System V AMD64
// ABI, section 3.2.1.
asm(R"(
.text
.type rocforge_sim_switch, @function
rocforge_sim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size rocforge_sim_switch, . - rocforge_sim_switch
)");
extern "C" void rocforge_sim_switch(void** save, void* load);
#endif

}  // namespace

struct Fiber::Context {
  std::byte* mapping = nullptr;
  std::byte* stack = nullptr;
#if defined(__x86_64__)
  void* own = nullptr;     // stack pointer while suspended
  void* caller = nullptr;  // of Resume's caller
#else
  ucontext_t own;
  ucontext_t caller;
#endif
  const void* caller_stack = nullptr;
  size_t caller_stack_bytes = 0;
  void* fake_stack = nullptr;
};

Fiber::Fiber() : context_(std::make_unique<Context>()) {
  const size_t bytes = kGuardBytes + kStackBytes;
  void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ROCFORGE_CHECK(p != MAP_FAILED);
  context_->mapping = static_cast<std::byte*>(p);
  context_->stack = context_->mapping + kGuardBytes;
  ROCFORGE_CHECK(::mprotect(p, kGuardBytes, PROT_NONE) ==
                 0);  // an overflow stops here, not in a neighbour
}

Fiber::~Fiber() { ::munmap(context_->mapping, kGuardBytes + kStackBytes); }

void Fiber::Trampoline(unsigned low, unsigned high) {
  Main(reinterpret_cast<Fiber*>(static_cast<uintptr_t>(low) | static_cast<uintptr_t>(high) << 32));
}

void Fiber::Main(Fiber* self) {
#if RF_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &self->context_->caller_stack,
                                  &self->context_->caller_stack_bytes);
#endif
  self->entry_(self->argument_);
  self->finished_ = true;
#if RF_ASAN
  // nullptr: this stack is left for good.
  __sanitizer_start_switch_fiber(nullptr, self->context_->caller_stack,
                                 self->context_->caller_stack_bytes);
#endif
#if defined(__x86_64__)
  rocforge_sim_switch(&self->context_->own, self->context_->caller);
#else
  ::setcontext(&self->context_->caller);
#endif
  ROCFORGE_CHECK(false);  // a finished fiber was resumed
}

#if defined(__x86_64__)
namespace {
// Where the first switch "returns" to: the frame below holds the fiber in r12.
extern "C" void rocforge_sim_enter();
asm(R"(
.text
.type rocforge_sim_enter, @function
rocforge_sim_enter:
  movq %r12, %rdi
  callq *%r13
  ud2
.size rocforge_sim_enter, . - rocforge_sim_enter
)");
}  // namespace
#endif

void Fiber::Start(void (*entry)(void*), void* context) {
  ROCFORGE_CHECK(finished_);
  entry_ = entry;
  argument_ = context;
  finished_ = false;
#if defined(__x86_64__)
  // The switch returns into rocforge_sim_enter with the stack pointer at the top, so that its call
  // leaves Main the alignment that the ABI asks for.
  auto* top = reinterpret_cast<uintptr_t*>(context_->stack + kStackBytes);
  *--top = reinterpret_cast<uintptr_t>(&rocforge_sim_enter);  // return address of the first switch
  *--top = 0;                                                 // rbp
  *--top = 0;                                                 // rbx
  *--top = reinterpret_cast<uintptr_t>(this);                 // r12
  *--top = reinterpret_cast<uintptr_t>(&Fiber::Main);         // r13
  *--top = 0;                                                 // r14
  *--top = 0;                                                 // r15
  context_->own = top;
#else
  ::getcontext(&context_->own);
  context_->own.uc_stack.ss_sp = context_->stack;
  context_->own.uc_stack.ss_size = kStackBytes;
  context_->own.uc_link = nullptr;
  const auto self = reinterpret_cast<uintptr_t>(this);
  ::makecontext(&context_->own, reinterpret_cast<void (*)()>(&Fiber::Trampoline), 2,
                static_cast<unsigned>(self),
                static_cast<unsigned>(static_cast<uint64_t>(self) >> 32));
#endif
}

void Fiber::Resume() {
#if RF_ASAN
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, context_->stack, kStackBytes);
#endif
#if defined(__x86_64__)
  rocforge_sim_switch(&context_->caller, context_->own);
#else
  ::swapcontext(&context_->caller, &context_->own);
#endif
#if RF_ASAN
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

void Fiber::Yield() {
#if RF_ASAN
  __sanitizer_start_switch_fiber(&context_->fake_stack, context_->caller_stack,
                                 context_->caller_stack_bytes);
#endif
#if defined(__x86_64__)
  rocforge_sim_switch(&context_->own, context_->caller);
#else
  ::swapcontext(&context_->own, &context_->caller);
#endif
#if RF_ASAN
  __sanitizer_finish_switch_fiber(context_->fake_stack, &context_->caller_stack,
                                  &context_->caller_stack_bytes);
#endif
}

}  // namespace rocforge::port::sim
