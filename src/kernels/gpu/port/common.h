// What all ports share: types and bit-exact conversions in plain integer arithmetic.
#pragma once

#include <stdint.h>

namespace rocforge::port {

struct alignas(8) U32x2 {
  uint32_t x, y;
};

struct alignas(16) U32x4 {
  uint32_t x, y, z, w;
};

template <typename To, typename From>
RF_DEVICE To BitCast(From v) {
  static_assert(sizeof(To) == sizeof(From));
  return __builtin_bit_cast(To, v);
}

RF_DEVICE float Bf16ToFloat(uint16_t bits) {
  return BitCast<float>(static_cast<uint32_t>(bits) << 16);
}

RF_DEVICE uint16_t FloatToBf16(float value) {
  const uint32_t bits = BitCast<uint32_t>(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
    return static_cast<uint16_t>((bits >> 16) | 0x40u);  // quiet NaN
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

#if defined(__AMDGCN__) || defined(__NVPTX__)
// Both vendors' compilers call global memory address space 1.
template <typename T>
RF_DEVICE T LoadGlobal(const T* p) {
  if constexpr (sizeof(T) == 16) {
    typedef uint32_t Vector __attribute__((ext_vector_type(4)));
    const Vector v = *(const __attribute__((address_space(1))) Vector*)p;
    return {v.x, v.y, v.z, v.w};
  } else if constexpr (sizeof(T) == 8) {
    typedef uint32_t Vector __attribute__((ext_vector_type(2)));
    const Vector v = *(const __attribute__((address_space(1))) Vector*)p;
    return {v.x, v.y};
  } else {
    return *(const __attribute__((address_space(1))) T*)p;
  }
}
template <typename T>
RF_DEVICE void StoreGlobal(T* p, T v) {
  static_assert(sizeof(T) <= 4);
  *(__attribute__((address_space(1))) T*)p = v;
}
#endif

}  // namespace rocforge::port
