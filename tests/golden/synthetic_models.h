// Variations of architectures that the reference data has no file for, as models made in memory.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "tests/model/synthetic_model.h"

namespace rocforge::golden {

struct SyntheticCase {
  const char* name;
  int32_t n_ctx;  // context that is asked for
  testing::SyntheticModel (*make)();
};

std::span<const SyntheticCase> SyntheticCases();

// Tokens that every case is fed, with its vocabulary of 128.
std::vector<int32_t> SyntheticTokens();

// Expected log-probabilities after feeding the first pos + 1 tokens: the best ones, first.
struct ExpectedPosition {
  int32_t pos;
  std::vector<std::pair<int32_t, double>> top;
};
struct Expected {
  const char* name;
  std::vector<ExpectedPosition> positions;
};
const std::vector<Expected>& SyntheticExpected();

}  // namespace rocforge::golden
