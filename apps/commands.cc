#include "apps/command.h"

namespace rocforge::apps {

const std::vector<Register>& Commands() {
  static const std::vector<Register> commands = {
      RegisterDevices,
  };
  return commands;
}

}  // namespace rocforge::apps
