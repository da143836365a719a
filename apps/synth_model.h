// A model file of a well-known shape with random weights, to measure speed where the real file is
// not at hand.
#pragma once

#include <cstdint>
#include <string>

#include "rocforge/status.h"

namespace rocforge::apps {

struct SynthRequest {
  std::string output;
  std::string preset;  // "llama-7b", "llama-7b:q8_0"
  uint64_t seed = 1;
  int threads = 0;  // 0: one per core
};

struct SynthSummary {
  uint64_t bytes = 0;
  std::string type;   // "Q4_K_M"
  std::string about;  // "Llama 2 7B"
};

// Writes the file, replacing one of that name, with a progress bar. kInvalidArgument for an unknown
// preset or type, with those that there are; kCancelled after Ctrl-C, with nothing left behind.
Result<SynthSummary> WriteSynthModel(const SynthRequest& request);

Status CheckSynthPreset(const std::string& text);

// The presets, one a line, for --help.
std::string SynthPresetHelp();

}  // namespace rocforge::apps
