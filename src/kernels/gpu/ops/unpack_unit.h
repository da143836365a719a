// A unit of weights as scaled floats, ready to be rounded to f16 (gemm_args.h). Functors for
// DispatchType, because lambdas are not inlined for sure.
#pragma once

#include "kernels/gpu/ops/gemm_scale.h"
#include "kernels/gpu/ops/unit.h"

namespace rocforge::port {
namespace {

// q - 128 for byte i of q: the byte becomes the last of the fraction of 2^23.
RF_DEVICE float ByteBelow128(uint32_t q, uint32_t i) {
  return BitCast<float>(LookUp8(q, 0x4B000000u, 0x7440u | i)) - 8388736.0f;
}

// Weight i of a unit times `scale`.
template <uint32_t kType>
RF_DEVICE float ScaledWeight(const Unit& u, uint32_t i, float scale) {
  const float q = ByteBelow128(static_cast<uint32_t>(u.q[i / 4]) ^ 0x80808080u, i % 4);
  const float s = u.scale[i / 16] * scale;
  return HasOffset(kType) ? Fma(s, q, u.offset[i / 16] * scale) : s * q;
}

// The bits only; nothing for float types.
struct LoadBits {
  const Weight& weight;
  const uint8_t* row;
  uint32_t unit;
  RawUnit& raw;

  template <uint32_t kType>
  RF_MEMBER void operator()() const {
    if constexpr (!IsFloatType(kType)) raw = LoadRaw<kType>(weight, row, unit);
  }
};

// From bits that LoadBits loaded; float types are loaded here.
struct ScaleBits {
  const Weight& weight;
  const uint8_t* row;
  uint32_t unit;
  const RawUnit& raw;
  float scale;
  float (&v)[gpu::kUnit];

  template <uint32_t kType>
  RF_MEMBER void operator()() const {
    if constexpr (IsFloatType(kType)) {
      LoadFloats<kType>(weight, row, unit, v);
      RF_UNROLL
      for (uint32_t i = 0; i < gpu::kUnit; ++i) v[i] *= scale;
    } else {
      const Unit u = Decode<kType>(raw);
      RF_UNROLL
      for (uint32_t i = 0; i < gpu::kUnit; ++i) v[i] = ScaledWeight<kType>(u, i, scale);
    }
  }
};

// Both at once.
struct LoadScaled {
  const Weight& weight;
  const uint8_t* row;
  uint32_t unit;
  float scale;
  float (&v)[gpu::kUnit];

  template <uint32_t kType>
  RF_MEMBER void operator()() const {
    RawUnit raw{};
    LoadBits{weight, row, unit, raw}.template operator()<kType>();
    ScaleBits{weight, row, unit, raw, scale, v}.template operator()<kType>();
  }
};

}  // namespace
}  // namespace rocforge::port
