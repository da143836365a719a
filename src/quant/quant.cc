#include "quant/quant.h"

#include <array>
#include <cmath>
#include <limits>

#include "base/format.h"
#include "quant/float_types.h"
#include "quant/fp4.h"
#include "quant/iq1.h"
#include "quant/iq2.h"
#include "quant/iq3.h"
#include "quant/iq4.h"
#include "quant/q1_0.h"
#include "quant/q2_0.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"
#include "quant/tq.h"

namespace rocforge::quant {
namespace {

using EncodeFn = void (*)(const float* in, const float* importance, int64_t n, std::byte* blocks);

struct Codec {
  DType type;
  DecodeFn decode;
  EncodeFn encode;  // null: decode only
};

// The one list of formats.
constexpr std::array kCodecs = {
    Codec{DType::kF32, DecodeF32, EncodeF32},
    Codec{DType::kF16, DecodeF16, EncodeF16},
    Codec{DType::kBF16, DecodeBF16, EncodeBF16},
    Codec{DType::kQ1_0, DecodeQ1_0, nullptr},
    Codec{DType::kQ2_0, DecodeQ2_0, nullptr},
    Codec{DType::kQ4_0, DecodeQ4_0, EncodeQ4_0},
    Codec{DType::kQ4_1, DecodeQ4_1, EncodeQ4_1},
    Codec{DType::kQ5_0, DecodeQ5_0, EncodeQ5_0},
    Codec{DType::kQ5_1, DecodeQ5_1, EncodeQ5_1},
    Codec{DType::kQ8_0, DecodeQ8_0, EncodeQ8_0},
    Codec{DType::kQ2_K, DecodeQ2K, EncodeQ2K},
    Codec{DType::kQ3_K, DecodeQ3K, EncodeQ3K},
    Codec{DType::kQ4_K, DecodeQ4K, EncodeQ4K},
    Codec{DType::kQ5_K, DecodeQ5K, EncodeQ5K},
    Codec{DType::kQ6_K, DecodeQ6K, EncodeQ6K},
    Codec{DType::kTQ1_0, DecodeTQ1_0, nullptr},
    Codec{DType::kTQ2_0, DecodeTQ2_0, nullptr},
    Codec{DType::kIQ1_S, DecodeIQ1S, nullptr},
    Codec{DType::kIQ1_M, DecodeIQ1M, nullptr},
    Codec{DType::kIQ2_XXS, DecodeIQ2XXS, nullptr},
    Codec{DType::kIQ2_XS, DecodeIQ2XS, nullptr},
    Codec{DType::kIQ2_S, DecodeIQ2S, nullptr},
    Codec{DType::kIQ3_XXS, DecodeIQ3XXS, nullptr},
    Codec{DType::kIQ3_S, DecodeIQ3S, nullptr},
    Codec{DType::kIQ4_NL, DecodeIQ4NL, EncodeIQ4NL},
    Codec{DType::kIQ4_XS, DecodeIQ4XS, EncodeIQ4XS},
    Codec{DType::kMXFP4, DecodeMXFP4, EncodeMXFP4},
    Codec{DType::kNVFP4, DecodeNVFP4, nullptr},
};

const Codec* Find(DType type) {
  for (const Codec& codec : kCodecs) {
    if (codec.type == type) return &codec;
  }
  return nullptr;
}

// The greatest magnitude that `type` can hold for any weight of a block. Formats with f16 scales
// reach further in some blocks, but no model needs that.
float MaxMagnitude(DType type) {
  switch (type) {
    case DType::kF32:
    case DType::kMXFP4:
      return std::numeric_limits<float>::max();
    case DType::kBF16:
      return 0x1.fep127f;
    default:
      return 65504.0f;
  }
}

// NaN fails too. One flag over all elements instead of a branch at each, so that it vectorises.
bool AllWithin(std::span<const float> values, float lo, float hi) {
  bool within = true;
  for (const float v : values) within &= (v >= lo) & (v <= hi);
  return within;
}

Status CheckWeights(DType type, std::span<const float> in) {
  const float max = MaxMagnitude(type);
  if (AllWithin(in, -max, max)) return {};
  for (size_t i = 0; i < in.size(); ++i) {
    if (!std::isfinite(in[i])) {
      return InvalidArgument(
          Format("weight {} is {}; only finite numbers can be encoded", i, in[i]));
    }
    if (std::fabs(in[i]) > max) {
      return InvalidArgument(Format("weight {} is {}, beyond the {} of {}; use BF16 or F32", i,
                                    in[i], max, Name(type)));
    }
  }
  return {};
}

Status CheckImportance(std::span<const float> importance, size_t n) {
  if (importance.empty()) return {};
  if (importance.size() != n) {
    return InvalidArgument(Format("{} importance weights for {} elements", importance.size(), n));
  }
  const float max = std::numeric_limits<float>::max();
  if (AllWithin(importance, 0.0f, max)) return {};
  size_t i = 0;
  while (importance[i] >= 0.0f && importance[i] <= max) ++i;
  return InvalidArgument(
      Format("importance weight {} is {}; it must be finite and not negative", i, importance[i]));
}

}  // namespace

bool CanDecode(DType type) { return Find(type) != nullptr; }

bool CanEncode(DType type) {
  const Codec* codec = Find(type);
  return codec != nullptr && codec->encode != nullptr;
}

Status DecodeRow(DType type, const std::byte* blocks, std::span<float> out) {
  const Codec* codec = Find(type);
  if (codec == nullptr) return Unsupported(Format("{} cannot be read as weights", Name(type)));
  const auto n = static_cast<int64_t>(out.size());
  ROCFORGE_RETURN_IF_ERROR(RowBytes(type, n).status());
  codec->decode(blocks, out.data(), n);
  return {};
}

DecodeFn Decoder(DType type) {
  const Codec* codec = Find(type);
  return codec == nullptr ? nullptr : codec->decode;
}

Status EncodeRow(DType type, std::span<const float> in, std::span<const float> importance,
                 std::byte* blocks) {
  if (!CanEncode(type)) return Unsupported(Format("{} cannot be encoded", Name(type)));
  const auto n = static_cast<int64_t>(in.size());
  ROCFORGE_RETURN_IF_ERROR(RowBytes(type, n).status());
  ROCFORGE_RETURN_IF_ERROR(CheckWeights(type, in));
  ROCFORGE_RETURN_IF_ERROR(CheckImportance(importance, in.size()));
  Find(type)->encode(in.data(), importance.empty() ? nullptr : importance.data(), n, blocks);
  return {};
}

}  // namespace rocforge::quant
