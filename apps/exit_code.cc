#include "apps/exit_code.h"

namespace rocforge::apps {
namespace {

int wanted = -1;  // of the main thread

}  // namespace

Status ExitWith(int code, Status status) {
  wanted = code;
  return status;
}

int ExitCodeOr(int usual) { return wanted >= 0 ? wanted : usual; }

}  // namespace rocforge::apps
