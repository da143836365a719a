// Which tensor of a model gets which type. A pure function of names, shapes and a few model
// numbers: the policy of llama.cpp's llama-quantize, so that a "Q4_K_M" of ours is what users know
// by that name (compared tensor by tensor with its output in the tests).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rocforge/status.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace rocforge::quant {

// The numbers are GGUF's general.file_type.
enum class FileType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ8_0 = 7,
  kQ5_0 = 8,
  kQ5_1 = 9,
  kQ2_K = 10,
  kQ3_K_S = 11,
  kQ3_K_M = 12,
  kQ3_K_L = 13,
  kQ4_K_S = 14,
  kQ4_K_M = 15,
  kQ5_K_S = 16,
  kQ5_K_M = 17,
  kQ6_K = 18,
  kQ2_K_S = 21,
  kIQ4_NL = 25,
  kIQ4_XS = 30,
  kBF16 = 32,
  kMXFP4_MOE = 38,
};

struct FileTypeInfo {
  FileType type;
  const char* name;   // "Q4_K_M"
  DType base;         // of the tensors that no rule raises
  const char* about;  // a few words for a help text
};

// In the order of a help text: largest files first.
std::span<const FileTypeInfo> AllFileTypes();
const FileTypeInfo& Info(FileType type);

// By name, any case; "Q3_K", "Q4_K" and "Q5_K" mean their _M mix. kInvalidArgument, with all names,
// otherwise.
Result<FileType> ParseFileType(std::string_view name);

// What the policy looks at in a model. Heads are those of the first layer.
struct MixModel {
  std::string architecture;
  int64_t n_layer = 0;
  int64_t n_head = 0;
  int64_t n_head_kv = 0;
  int64_t n_expert = 0;
};

struct MixOptions {
  FileType type = FileType::kQ4_K_M;
  bool pure = false;            // the base type for every matrix
  bool has_importance = false;  // an importance matrix is given
  std::optional<DType> token_embedding;
  std::optional<DType> output;
};

struct MixTensor {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
};

struct MixChoice {
  DType dtype = DType::kF32;
  // What the rules wanted where the rows do not fit its blocks, else the same as dtype.
  DType wanted = DType::kF32;
  // Below this precision llama.cpp refuses to work without importance (Q2_K of a Q2_K_S).
  bool needs_importance = false;
};

// Whether a tensor is a weight matrix that takes the file's type: not norms, vectors, routers and
// other small tensors, which keep their type.
bool IsQuantisable(const MixModel& model, const MixTensor& tensor);

// One choice per tensor, in the order given; that order does not matter. kDataLoss for a tensor of
// a mixture-of-experts model whose name tells no valid layer where a rule needs it.
Result<std::vector<MixChoice>> ChooseTypes(const MixModel& model, const MixOptions& options,
                                           std::span<const MixTensor> tensors);

}  // namespace rocforge::quant
