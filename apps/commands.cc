#include "apps/command.h"

namespace rocforge::apps {

const std::vector<Register>& Commands() {
  static const std::vector<Register> commands = {};
  return commands;
}

}  // namespace rocforge::apps
