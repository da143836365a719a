// How the cache of one layer lies in memory: the only place that knows. Keys and values are stored
// apart, each as [n_pages, n_kv_heads] planes. A plane holds the positions of one head in one page:
//   F32, F16   elements [page_size, dim]
//   Q8_0       int8 [page_size, dim], then f16 scales [page_size, ceil(dim / 32)]; both parts are
//              padded to 16 bytes. Element c is quant[c] * scale[c / 32].
// The positions of a head follow each other, so that attention streams them, and quants and scales
// lie apart, so that both are read with wide aligned loads. Q8_0 takes 1.0625 bytes an element
// where dim is a multiple of 32.
//
// Quantisation (when a token is appended): scale = f16(max |x| / 127) over the block, quant =
// round(x / scale) to nearest even, at most 127 in magnitude. The error of an element is at most
// half a step, scale / 2, which is max |x| / 254 * (1 + 2^-11); where max |x| is below 2^-14 * 127
// the scale is a subnormal half, and the error is at most max |x| / 254 + 2^-26 or 2^-18, whichever
// is more. A block with an infinity or a NaN reads as infinities and NaNs, as in the other types.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/op/step.h"
#include "tensor/dtype.h"

namespace rocforge::op {

inline constexpr int64_t kKvBlock = 32;  // columns that share a scale of Q8_0

constexpr bool IsKvType(DType type) {
  return type == DType::kF16 || type == DType::kF32 || type == DType::kQ8_0;
}

// Bytes of a plane before its scales; page_size * dim bytes of quants with padding.
constexpr int64_t KvScalesOffset(int64_t page_size, int64_t dim) {
  return (page_size * dim + 15) / 16 * 16;
}

// Of one position of one head, without padding: what reading or writing it moves.
constexpr int64_t KvRowBytes(DType type, int64_t dim) {
  if (type == DType::kQ8_0) return dim + 2 * ((dim + kKvBlock - 1) / kKvBlock);
  return (type == DType::kF32 ? 4 : 2) * dim;
}

constexpr int64_t KvPlaneBytes(DType type, int64_t page_size, int64_t dim) {
  if (type != DType::kQ8_0) return page_size * KvRowBytes(type, dim);
  const int64_t scales = 2 * page_size * ((dim + kKvBlock - 1) / kKvBlock);
  return KvScalesOffset(page_size, dim) + (scales + 15) / 16 * 16;
}

// Where a head's plane of a page starts, in bytes from KvLayer::k or v.
constexpr int64_t KvPlaneOffset(const KvLayer& kv, int64_t page, int64_t head, int64_t dim) {
  return (page * kv.n_kv_heads + head) * KvPlaneBytes(kv.dtype, kv.page_size, dim);
}

// Encodes dim floats as position `offset` in [0, page_size) of a plane, and one element of it
// decoded: the scalar code that every kernel is tested against.
void EncodeKvRow(DType type, const float* x, int64_t dim, int64_t page_size, int64_t offset,
                 std::byte* plane);
float KvElement(DType type, const std::byte* plane, int64_t page_size, int64_t dim, int64_t offset,
                int64_t column);

}  // namespace rocforge::op
