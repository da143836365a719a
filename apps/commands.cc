#include "apps/command.h"

namespace rocforge::apps {

const std::vector<Register>& Commands() {
  // clang-format off: one a line
  static const std::vector<Register> commands = {
      RegisterGenerate,
      RegisterChat,
      RegisterPull,
      RegisterModels,
      RegisterInspect,
      RegisterPlan,
      RegisterTokenize,
      RegisterTemplate,
      RegisterPerplexity,
      RegisterQuantize,
      RegisterSynth,
      RegisterBench,
      RegisterProfile,
      RegisterProfileRocm,
      RegisterTune,
      RegisterDevices,
  };
  // clang-format on
  return commands;
}

}  // namespace rocforge::apps
