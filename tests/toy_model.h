// A tiny llama model with random weights and a byte-level vocabulary, written as a real GGUF file,
// so that tests of the engine and of what stands on it run without reference data.
#pragma once

#include <cstdint>
#include <string>

#include "rocforge/status.h"

namespace rocforge::testing {

struct ToyModelOptions {
  uint32_t seed = 1;
  int64_t n_layers = 2;
  int64_t d_model = 32;
  int64_t n_heads = 4;
  int64_t n_kv_heads = 2;
  int64_t d_ff = 48;
  int64_t n_ctx_train = 256;
  std::string architecture = "llama";
  std::string chat_template;  // none if empty
};

// Vocabulary: <unk>, <s>, </s>, then the 256 byte tokens <0x00>.. (ids 3 to 258), then the pieces
// "\u2581" and a..z.
inline constexpr int64_t kToyModelVocab = 3 + 256 + 27;

// Writes the file; all matrices are F32, embeddings tied.
Status WriteToyModel(const std::string& path, const ToyModelOptions& options);

}  // namespace rocforge::testing
