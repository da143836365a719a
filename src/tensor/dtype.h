// Element types of tensors. The numbers are GGUF's (ggml type ids), so that a file's type field
// casts directly.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "rocforge/status.h"

namespace rocforge {

enum class DType : uint8_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ8_1 = 9,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kQ8_K = 15,
  kIQ2_XXS = 16,
  kIQ2_XS = 17,
  kIQ3_XXS = 18,
  kIQ1_S = 19,
  kIQ4_NL = 20,
  kIQ3_S = 21,
  kIQ2_S = 22,
  kIQ4_XS = 23,
  kI8 = 24,
  kI16 = 25,
  kI32 = 26,
  kI64 = 27,
  kF64 = 28,
  kIQ1_M = 29,
  kBF16 = 30,
  kTQ1_0 = 34,
  kTQ2_0 = 35,
  kMXFP4 = 39,
  kNVFP4 = 40,
  kQ1_0 = 41,
  kQ2_0 = 42,
};

struct DTypeInfo {
  DType type;
  const char* name;        // GGUF's name in upper case: "Q4_K"
  int32_t block_elements;  // elements that share a block; 1 for plain types
  int32_t block_bytes;
  bool quantised;  // needs quant/ to be read as numbers
};

// The entry of `type`; every enumerator has one.
const DTypeInfo& Info(DType type);
inline const char* Name(DType type) { return Info(type).name; }

// All known types, in the order of their ids.
std::span<const DTypeInfo> AllDTypes();

// kUnsupported for an id that is not in the enumeration.
Result<DType> DTypeFromId(uint32_t ggml_type_id);

// By name, any case: "q4_k" or "Q4_K". kInvalidArgument otherwise.
Result<DType> ParseDType(std::string_view name);

// Bytes of a row of `n` elements. kInvalidArgument if n is negative, not a multiple of the block,
// or overflows.
Result<int64_t> RowBytes(DType type, int64_t n);

}  // namespace rocforge
