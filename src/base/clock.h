// The clock that times are taken with.
#pragma once

#include <chrono>
#include <cstdint>

namespace rocforge {

// Nanoseconds of the steady clock, from an unspecified start.
inline int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace rocforge
