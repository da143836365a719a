#include "apps/bench/build_info.h"

namespace rocforge::apps {
namespace {

constexpr const char* kCommit =
#include ROCFORGE_COMMIT_FILE
    ;

}  // namespace

const char* Version() { return ROCFORGE_VERSION; }
const char* Commit() { return kCommit; }

const char* BuildText() {
#if defined(__clang__)
  return ROCFORGE_BUILD_TYPE ", Clang " __clang_version__;
#else
  return ROCFORGE_BUILD_TYPE ", GCC " __VERSION__;
#endif
}

}  // namespace rocforge::apps
