#include "apps/terminal/interrupt.h"

#include <csignal>

#include <atomic>

namespace rocforge::apps {
namespace {

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "it is set in a signal handler");

void Handle(int signal) {
  interrupted.store(true, std::memory_order_relaxed);
  // The next one kills.
  std::signal(signal, SIG_DFL);
}

void Install() {
  struct sigaction action = {};
  action.sa_handler = Handle;
  sigemptyset(&action.sa_mask);
  // No SA_RESTART: a blocked read of the terminal must return.
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

InterruptScope::InterruptScope() { Clear(); }

InterruptScope::~InterruptScope() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

void InterruptScope::Clear() {
  interrupted.store(false, std::memory_order_relaxed);
  Install();
}

bool Interrupted() { return interrupted.load(std::memory_order_relaxed); }

}  // namespace rocforge::apps
