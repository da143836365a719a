// Decode and encode rows of every GGUF element type. This is the specification of the formats:
// scalar, exact and slow; kernels are tested against it. Each format's byte diagram is in its own
// header (q4_k.h, ...).
#pragma once

#include <cstdint>
#include <span>

#include "rocforge/status.h"
#include "tensor/dtype.h"

namespace rocforge::quant {

// True for F32, F16, BF16 and every quantised weight type (not Q8_1 and Q8_K, which only ggml's CPU
// code uses).
bool CanDecode(DType type);
bool CanEncode(DType type);

// Changes whenever an encoder writes other bytes for the same input, so that work begun by another
// version is not continued.
inline constexpr int kEncoderVersion = 1;

// Decodes `out.size()` elements (a multiple of the block) from `blocks`, exactly as ggml's to_float
// does, bit for bit. kInvalidArgument for a bad size, kUnsupported if !CanDecode. Any bytes are
// valid blocks.
Status DecodeRow(DType type, const std::byte* blocks, std::span<float> out);

// Decode without checks, for loops that have checked once. Never null where CanDecode.
using DecodeFn = void (*)(const std::byte* blocks, float* out, int64_t n);
DecodeFn Decoder(DType type);

// Encodes `in.size()` elements (a multiple of the block) into `blocks`. `importance` is empty or
// has one non-negative weight per element (an importance matrix row): what is made small is the sum
// of importance * (decoded - in)^2. kInvalidArgument for a bad size, for input that is not finite
// or beyond the type's range (65504 where scales are f16), kUnsupported if !CanEncode. Zero rows
// decode to zeros. The bytes are the same on every machine.
Status EncodeRow(DType type, std::span<const float> in, std::span<const float> importance,
                 std::byte* blocks);

}  // namespace rocforge::quant
