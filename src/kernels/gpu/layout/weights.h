// The layout of weights in GPU memory, and the repacking of GGUF rows into it.
//
// A row is cut into units of 32 consecutive weights. Each row is stored on its own, `row_bytes`
// long (a multiple of 32), as planes one after the other; a plane holds one kind of field for all
// units of the row, in order, and starts at a multiple of 16. So lanes that take consecutive units
// read consecutive addresses, a row is one stretch of memory, and a stretch of rows is one too.
//
//   plane    per unit   bits of the unit's weights w = 0..31
//   nibbles  16 bytes   byte j: low nibble weight j, high nibble weight 16 + j
//   pairs     8 bytes   byte 4u + b, bits 2k and 2k + 1: weight 16u + 4k + b
//   bits      4 bytes   byte b, bit j: weight 4j + b
//   bytes    2 x 16     two planes: all first halves of the units, then all second halves
//
//   type               planes (bytes per unit; "/8": one field per 8 units)     value of a weight
//   Q4_0               nibbles of (q - 8) in two's complement, d f16            d * (q - 8)
//   Q4_1               nibbles, {d, m} f16                                      d * q + m
//   Q5_0               nibbles and bits of (q - 16), d f16                      d * (q - 16)
//   Q5_1               nibbles, bits, {d, m} f16                                d * q + m
//   Q8_0               bytes, d f16                                             d * q
//   Q2_K               pairs, {scale | min << 4} u8 x 2, {d, dmin} f16 /8       d s q - dmin m
//   Q3_K               pairs and bits of (q - 4), s i8 x 2, d f16 /8            d s (q - 4)
//   Q4_K               nibbles, {s, m} u8, {d, dmin} f16 /8                     d s q - dmin m
//   Q5_K               nibbles, bits, {s, m} u8, {d, dmin} f16 /8               d s q - dmin m
//   Q6_K               nibbles and pairs of (q - 32), s i8 x 2, d f16 /8        d s (q - 32)
//   IQ4_NL             nibbles, d f16                                           d * level[q]
//   IQ4_XS             nibbles, s i8, d f16 /8                                  d s level[q]
//   MXFP4, NVFP4       nibbles, e u8 | {d, d} u8                                2^e | d level[q]
//   TQ1_0, TQ2_0       pairs of trits, d f16 /8                                 d * (t - 1)
//   Q2_0, Q1_0         pairs, d f16 /2 | bits, d f16 /4                         GGUF's
//   IQ2_XXS            GGUF's 8 bytes of the part, d f16 /8
//   IQ2_XS             GGUF's 4 u16 of the part, scales u8, d f16 /8
//   IQ2_S              {4 qs, 4 signs}, {qh, scales} u8, d f16 /8
//   IQ3_XXS            8 qs, u32 of signs and scale, d f16 /8
//   IQ3_S              8 qs, 4 signs, {qh, s} u8, d f16 /8
//   IQ1_S              4 qs, qh u16, d f16 /8
//   IQ1_M              4 qs, 2 qh, s | s << 3 u8, d f16 /8
//   F32, F16, BF16     plain elements; columns are filled up with zeros to a multiple of 32
//
// Against GGUF's bytes: Q4_K +2.8 %, Q5_K +2.3 %, Q3_K and IQ3_S and IQ1_M +3.6 %, IQ4_XS +1.5 %,
// TQ1_0 +22 % (kept as two bits a weight), the others the same, plus the padding of each row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gpu/ops/weight_args.h"
#include "kernels/op/call.h"
#include "rocforge/status.h"

namespace rocforge::gpu {

// Types that the GPU kernels read: everything that quant::CanDecode.
bool CanPack(DType type);

// Bytes of the packed tensor, all experts; CanPack(desc.dtype), columns a multiple of the type's
// block.
int64_t PackedBytes(const op::TensorDesc& desc);

// Repacks rows [row_begin, row_end) of the outer * rows rows of `desc`. `src_gguf` and `dst_packed`
// are the starts of the whole tensors (dst: PackedBytes). Threads may pack disjoint rows at once.
// kUnsupported for a type without a layout, kInvalidArgument for columns that are not a multiple of
// its block or for rows out of range.
Status PackRows(const op::TensorDesc& desc, const std::byte* src_gguf, std::byte* dst_packed,
                int64_t row_begin, int64_t row_end);

// How kernels address the packed tensor at device address `data`.
Weight DescribeWeight(const op::TensorDesc& desc, const void* data);

}  // namespace rocforge::gpu
