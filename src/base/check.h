// ROCFORGE_CHECK: for bugs of ours only (a broken invariant). Never for files, requests, memory or
// devices.
#pragma once

namespace rocforge {
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);
}

#define ROCFORGE_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::rocforge::CheckFailed(#condition, __FILE__, __LINE__))
