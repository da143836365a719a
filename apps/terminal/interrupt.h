// Ctrl-C as a flag that long work asks about.
#pragma once

namespace rocforge::apps {

// While one lives, the first SIGINT (or SIGTERM) only sets a flag, and the second ends the process
// as the signal does by default. Scopes do not nest: a command makes one.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();  // default handling again
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  // Forgets an interrupt that has been dealt with; the next one sets the flag again.
  void Clear();
};

// Whether a signal has come since the InterruptScope began or was cleared. Cheap; any thread.
bool Interrupted();

}  // namespace rocforge::apps
