// Names of split GGUF files: "model-00002-of-00005.gguf".
#pragma once

#include <string>

namespace rocforge::apps {

struct SplitName {
  std::string prefix;  // "model"
  int part = 0;        // from 1
  int count = 0;       // 0: the name is not that of a part
};

SplitName ParseSplitName(const std::string& file);

// The name of part `part` of the same model.
std::string SplitPartName(const SplitName& split, int part);

}  // namespace rocforge::apps
