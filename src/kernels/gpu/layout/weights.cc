#include "kernels/gpu/layout/weights.h"

#include <array>
#include <cstring>

#include "base/check.h"
#include "base/format.h"
#include "base/round_up.h"
#include "kernels/gpu/layout/pack.h"

namespace rocforge::gpu {
namespace {

// A plane: `bytes` for every `units` units.
struct Plane {
  uint8_t bytes = 0;
  uint8_t units = 1;
};
struct Layout {
  std::array<Plane, 4> planes;
  PackRowFn pack;
};

constexpr Plane kNibbles{16};
constexpr Plane kPairs{8};
constexpr Plane kBits{4};
constexpr Plane kHalf8{2, 8};  // one f16 a super-block of 256

// Null for types that kernels cannot read.
const Layout* FindLayout(DType type) {
  switch (type) {
#define ROCFORGE_LAYOUT(name, ...)                           \
  case DType::k##name: {                                     \
    static constexpr Layout layout{__VA_ARGS__, Pack##name}; \
    return &layout;                                          \
  }
    ROCFORGE_LAYOUT(F32, {{{128}}})
    ROCFORGE_LAYOUT(F16, {{{64}}})
    ROCFORGE_LAYOUT(BF16, {{{64}}})
    ROCFORGE_LAYOUT(Q4_0, {{kNibbles, {2}}})
    ROCFORGE_LAYOUT(Q4_1, {{kNibbles, {4}}})
    ROCFORGE_LAYOUT(Q5_0, {{kNibbles, kBits, {2}}})
    ROCFORGE_LAYOUT(Q5_1, {{kNibbles, kBits, {4}}})
    ROCFORGE_LAYOUT(Q8_0, {{{16}, {16}, {2}}})
    ROCFORGE_LAYOUT(Q2_K, {{kPairs, {2}, {4, 8}}})
    ROCFORGE_LAYOUT(Q3_K, {{kPairs, kBits, {2}, kHalf8}})
    ROCFORGE_LAYOUT(Q4_K, {{kNibbles, {2}, {4, 8}}})
    ROCFORGE_LAYOUT(Q5_K, {{kNibbles, kBits, {2}, {4, 8}}})
    ROCFORGE_LAYOUT(Q6_K, {{kNibbles, kPairs, {2}, kHalf8}})
    ROCFORGE_LAYOUT(IQ4_NL, {{kNibbles, {2}}})
    ROCFORGE_LAYOUT(IQ4_XS, {{kNibbles, {1}, kHalf8}})
    ROCFORGE_LAYOUT(MXFP4, {{kNibbles, {1}}})
    ROCFORGE_LAYOUT(NVFP4, {{kNibbles, {2}}})
    ROCFORGE_LAYOUT(TQ1_0, {{kPairs, kHalf8}})
    ROCFORGE_LAYOUT(TQ2_0, {{kPairs, kHalf8}})
    ROCFORGE_LAYOUT(Q2_0, {{kPairs, {2, 2}}})
    ROCFORGE_LAYOUT(Q1_0, {{kBits, {2, 4}}})
    ROCFORGE_LAYOUT(IQ2_XXS, {{{8}, kHalf8}})
    ROCFORGE_LAYOUT(IQ2_XS, {{{8}, {1}, kHalf8}})
    ROCFORGE_LAYOUT(IQ2_S, {{{8}, {2}, kHalf8}})
    ROCFORGE_LAYOUT(IQ3_XXS, {{{8}, {4}, kHalf8}})
    ROCFORGE_LAYOUT(IQ3_S, {{{8}, {4}, {2}, kHalf8}})
    ROCFORGE_LAYOUT(IQ1_S, {{{4}, {2}, kHalf8}})
    ROCFORGE_LAYOUT(IQ1_M, {{{4}, {2}, {1}, kHalf8}})
#undef ROCFORGE_LAYOUT
    default:
      return nullptr;
  }
}

struct RowLayout {
  uint32_t n_units = 0;
  uint32_t plane[4] = {};
  uint32_t bytes = 0;
};

RowLayout LayOutRow(const Layout& layout, int64_t cols) {
  RowLayout row;
  row.n_units = static_cast<uint32_t>((cols + kUnit - 1) / kUnit);
  uint32_t at = 0;
  for (size_t i = 0; i < layout.planes.size(); ++i) {
    const Plane& plane = layout.planes[i];
    row.plane[i] = at;
    const uint64_t fields = (row.n_units + plane.units - 1) / plane.units;
    at = static_cast<uint32_t>(RoundUp(at + fields * plane.bytes, 16));
  }
  row.bytes = static_cast<uint32_t>(RoundUp(at, 32));
  return row;
}

}  // namespace

bool CanPack(DType type) { return FindLayout(type) != nullptr; }

int64_t PackedBytes(const op::TensorDesc& desc) {
  const Layout* layout = FindLayout(desc.dtype);
  ROCFORGE_CHECK(layout != nullptr);
  return desc.outer * desc.rows * int64_t{LayOutRow(*layout, desc.cols).bytes};
}

Status PackRows(const op::TensorDesc& desc, const std::byte* src_gguf, std::byte* dst_packed,
                int64_t row_begin, int64_t row_end) {
  const Layout* layout = FindLayout(desc.dtype);
  if (layout == nullptr)
    return Unsupported(Format("weights of type {} on a GPU", Name(desc.dtype)));
  if (desc.cols % Info(desc.dtype).block_elements != 0) {
    return InvalidArgument(Format("{} columns are not a multiple of the {} block of {}", desc.cols,
                                  Name(desc.dtype), Info(desc.dtype).block_elements));
  }
  if (row_begin < 0 || row_end < row_begin || row_end > desc.outer * desc.rows)
    return InvalidArgument(
        Format("rows {} to {} of {}", row_begin, row_end, desc.outer * desc.rows));
  const RowLayout row = LayOutRow(*layout, desc.cols);
  for (int64_t r = row_begin; r < row_end; ++r) {
    std::byte* dst = dst_packed + r * int64_t{row.bytes};
    std::memset(dst, 0, row.bytes);  // padding, and fields that are filled bit by bit
    const PackedRow planes{{reinterpret_cast<uint8_t*>(dst) + row.plane[0],
                            reinterpret_cast<uint8_t*>(dst) + row.plane[1],
                            reinterpret_cast<uint8_t*>(dst) + row.plane[2],
                            reinterpret_cast<uint8_t*>(dst) + row.plane[3]}};
    layout->pack(src_gguf + r * desc.row_bytes(), desc.cols, planes);
  }
  return {};
}

Weight DescribeWeight(const op::TensorDesc& desc, const void* data) {
  const Layout* layout = FindLayout(desc.dtype);
  ROCFORGE_CHECK(layout != nullptr);
  const RowLayout row = LayOutRow(*layout, desc.cols);
  Weight weight{};
  weight.data = static_cast<const uint8_t*>(data);
  weight.row_bytes = row.bytes;
  weight.n_rows = static_cast<uint32_t>(desc.rows);
  weight.n_units = row.n_units;
  weight.expert_bytes = uint64_t{row.bytes} * static_cast<uint64_t>(desc.rows);
  std::memcpy(weight.plane, row.plane, sizeof(weight.plane));
  weight.type = static_cast<uint32_t>(desc.dtype);
  return weight;
}

}  // namespace rocforge::gpu
