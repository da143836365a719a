#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace rocforge {

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "rocforge: internal error: %s does not hold (%s:%d)\n", condition, file,
               line);
  std::abort();
}

}  // namespace rocforge
