// Importance matrices: how much each input column of a weight matrix matters, measured by another
// program on a text. Both formats of llama.cpp's llama-imatrix are read.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::apps {

struct ImportanceMatrix {
  // By tensor name: mean squared activation per input column; for experts, one such row after the
  // other. All finite and not negative.
  std::map<std::string, std::vector<float>, std::less<>> columns;
  std::vector<std::string> datasets;  // what it was measured on, as the file says
  int64_t n_chunks = 0;
  uint64_t hash = 0;  // of the file
};

// The current format is a GGUF file with pairs of tensors NAME.in_sum2 (sums) and NAME.counts (per
// expert); the older one is a plain sequence of records. kNotFound for no file, kDataLoss (naming
// the place) for anything damaged. Memory use is bounded by the file's size.
Result<ImportanceMatrix> LoadImportance(const std::string& path);

// The same over bytes; `name` is for messages.
Result<ImportanceMatrix> ParseImportance(std::span<const std::byte> bytes, const std::string& name);

}  // namespace rocforge::apps
