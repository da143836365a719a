#include "tensor/dtype.h"

#include <array>
#include <cctype>
#include <limits>

#include "base/check.h"
#include "base/format.h"

namespace rocforge {
namespace {

constexpr std::array kInfos = {
    DTypeInfo{DType::kF32, "F32", 1, 4, false},
    DTypeInfo{DType::kF16, "F16", 1, 2, false},
    DTypeInfo{DType::kQ4_0, "Q4_0", 32, 18, true},
    DTypeInfo{DType::kQ4_1, "Q4_1", 32, 20, true},
    DTypeInfo{DType::kQ5_0, "Q5_0", 32, 22, true},
    DTypeInfo{DType::kQ5_1, "Q5_1", 32, 24, true},
    DTypeInfo{DType::kQ8_0, "Q8_0", 32, 34, true},
    DTypeInfo{DType::kQ8_1, "Q8_1", 32, 36, true},
    DTypeInfo{DType::kQ2_K, "Q2_K", 256, 84, true},
    DTypeInfo{DType::kQ3_K, "Q3_K", 256, 110, true},
    DTypeInfo{DType::kQ4_K, "Q4_K", 256, 144, true},
    DTypeInfo{DType::kQ5_K, "Q5_K", 256, 176, true},
    DTypeInfo{DType::kQ6_K, "Q6_K", 256, 210, true},
    DTypeInfo{DType::kQ8_K, "Q8_K", 256, 292, true},
    DTypeInfo{DType::kIQ2_XXS, "IQ2_XXS", 256, 66, true},
    DTypeInfo{DType::kIQ2_XS, "IQ2_XS", 256, 74, true},
    DTypeInfo{DType::kIQ3_XXS, "IQ3_XXS", 256, 98, true},
    DTypeInfo{DType::kIQ1_S, "IQ1_S", 256, 50, true},
    DTypeInfo{DType::kIQ4_NL, "IQ4_NL", 32, 18, true},
    DTypeInfo{DType::kIQ3_S, "IQ3_S", 256, 110, true},
    DTypeInfo{DType::kIQ2_S, "IQ2_S", 256, 82, true},
    DTypeInfo{DType::kIQ4_XS, "IQ4_XS", 256, 136, true},
    DTypeInfo{DType::kI8, "I8", 1, 1, false},
    DTypeInfo{DType::kI16, "I16", 1, 2, false},
    DTypeInfo{DType::kI32, "I32", 1, 4, false},
    DTypeInfo{DType::kI64, "I64", 1, 8, false},
    DTypeInfo{DType::kF64, "F64", 1, 8, false},
    DTypeInfo{DType::kIQ1_M, "IQ1_M", 256, 56, true},
    DTypeInfo{DType::kBF16, "BF16", 1, 2, false},
    DTypeInfo{DType::kTQ1_0, "TQ1_0", 256, 54, true},
    DTypeInfo{DType::kTQ2_0, "TQ2_0", 256, 66, true},
    DTypeInfo{DType::kMXFP4, "MXFP4", 32, 17, true},
    DTypeInfo{DType::kNVFP4, "NVFP4", 64, 36, true},
    DTypeInfo{DType::kQ1_0, "Q1_0", 128, 18, true},
    DTypeInfo{DType::kQ2_0, "Q2_0", 64, 18, true},
};

const DTypeInfo* Find(uint32_t id) {
  for (const DTypeInfo& info : kInfos) {
    if (static_cast<uint32_t>(info.type) == id) return &info;
  }
  return nullptr;
}

}  // namespace

const DTypeInfo& Info(DType type) {
  const DTypeInfo* info = Find(static_cast<uint32_t>(type));
  ROCFORGE_CHECK(info != nullptr);
  return *info;
}

std::span<const DTypeInfo> AllDTypes() { return kInfos; }

Result<DType> DTypeFromId(uint32_t ggml_type_id) {
  if (const DTypeInfo* info = Find(ggml_type_id)) return info->type;
  return Unsupported(Format("unknown tensor type id {}", ggml_type_id));
}

Result<DType> ParseDType(std::string_view name) {
  for (const DTypeInfo& info : kInfos) {
    const std::string_view known = info.name;
    if (known.size() != name.size()) continue;
    bool same = true;
    for (size_t i = 0; i < name.size(); ++i) {
      same = same && std::toupper(static_cast<unsigned char>(name[i])) == known[i];
    }
    if (same) return info.type;
  }
  return InvalidArgument(Format("unknown tensor type '{}'", name));
}

Result<int64_t> RowBytes(DType type, int64_t n) {
  const DTypeInfo& info = Info(type);
  if (n < 0 || n % info.block_elements != 0) {
    return InvalidArgument(Format("{} elements are not a multiple of the {} block of {}", n,
                                  info.name, info.block_elements));
  }
  const int64_t blocks = n / info.block_elements;
  if (blocks > std::numeric_limits<int64_t>::max() / info.block_bytes) {
    return InvalidArgument(Format("a row of {} elements overflows", n));
  }
  return blocks * info.block_bytes;
}

}  // namespace rocforge
