// What the register tiles of gemm.h and attention.h share. Include after a vec.h.
#pragma once

namespace rocforge::cpu {
namespace {

// Rows of a register tile of kTileRows x 4 accumulators: leaves room for the operands beside them
// in 32, 16 and 16 registers.
inline constexpr int kTileRows = kLanes == 16 ? 6 : kLanes == 8 ? 3 : 2;

template <int N>
struct Int {
  static constexpr int value = N;
};

template <int N, typename F>
ROCFORGE_INLINE void CallWith(int64_t rows, int64_t first, F&& f) {
  if (rows == N) {
    f(Int<N>{}, first);
  } else if constexpr (N > 1) {
    CallWith<N - 1>(rows, first, f);
  }
}

// Calls f(Int<rows>, first) for tiles of nearly equal height that cover [0, m): 7 rows are 4 + 3,
// not 6 + 1.
template <typename F>
ROCFORGE_INLINE void ForRowTiles(int64_t m, F&& f) {
  const int64_t tiles = (m + kTileRows - 1) / kTileRows;
  int64_t first = 0;
  for (int64_t left = tiles; left > 0; --left) {
    const int64_t rows = (m - first + left - 1) / left;
    CallWith<kTileRows>(rows, first, f);
    first += rows;
  }
}

// How an element of a weight, key or value in memory becomes a float.
struct ElementF32 {
  using Type = float;
  static ROCFORGE_INLINE V Get(const float* p) { return Load(p); }
  static ROCFORGE_INLINE V GetPartial(const float* p, int64_t n) { return LoadPartial(p, n); }
};
struct ElementF16 {
  using Type = uint16_t;
  static ROCFORGE_INLINE V Get(const uint16_t* p) { return LoadF16(p); }
  static ROCFORGE_INLINE V GetPartial(const uint16_t* p, int64_t n) { return LoadF16Partial(p, n); }
};

}  // namespace
}  // namespace rocforge::cpu
