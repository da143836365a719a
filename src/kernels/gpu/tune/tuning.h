// What `rocforge tune` found: for an op of a shape, the configuration of its launches that was
// quickest on one device. Plain data; launchers read it once, when they bind (bound_op.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "kernels/op/call.h"
#include "rocforge/status.h"

namespace rocforge::gpu {

// Which kernels multiply.
enum class GemmUnit : uint8_t {
  kAuto,
  kMatvec,         // every device: any rows, eight at a time; x in 8 bits
  kSkinny,         // every device: at most 64 rows, from packed weights; no experts
  kFew,            // NVIDIA: the same with operands made in registers, of some types of weights
  kTile,           // every device: 128 x 128 sums of a block by the wave's matrix unit
  kWarpgroup,      // sm_90a: 128 x 128, two blocks on a multiprocessor; outputs have even columns
  kWarpgroupWide,  // sm_90a: 128 x 256
};
// "matvec", "skinny", "few", "tile", "warpgroup", "warpgroup_wide"; kAuto is "auto".
const char* GemmUnitName(GemmUnit unit);

// 0 and kAuto leave the choice to the launcher. A launcher that cannot do what is asked (another
// device, no such kernel) takes its own choice too, so no configuration is wrong, only slow.
struct OpConfig {
  GemmUnit unit = GemmUnit::kAuto;  // of a matrix product
  uint32_t blocks = 0;   // a multiprocessor: of a matrix-vector product of one row, of attention
  uint32_t threads = 0;  // of a block of the matrix-vector kernels
  uint32_t parts = 0;    // kSkinny, kFew: blocks a multiprocessor that k is split for
  uint32_t rows = 0;     // attention: queries that share a load

  bool operator==(const OpConfig&) const = default;
  bool is_default() const { return *this == OpConfig(); }
};
// "blocks=3 threads=256", "" for the default.
std::string ToText(const OpConfig& config);
// kInvalidArgument for a number that no launcher could take.
Status CheckConfig(const OpConfig& config);

// Rows by powers of two: 1, 2, 3-4, 5-8, ..., 513-1024, more. Attention counts the positions of its
// longest sequence in units of 64 instead.
inline constexpr size_t kSizeBuckets = 12;
size_t RowBucket(int64_t rows);
size_t LengthBucket(int64_t positions);

// By bucket.
using OpConfigs = std::array<OpConfig, kSizeBuckets>;

// What a call is tuned by, but for the bucket: "MatMul Q4_K 4096 > 11008+11008 silu",
// "Attention f16 32/8 x 128". Empty for ops without a choice.
std::string TuneKey(const op::Call& call);

// The configurations of one device.
class Tuning {
 public:
  void Set(const std::string& key, size_t bucket, const OpConfig& config) {
    configs_[key][bucket] = config;
  }
  // All default where nothing is known.
  OpConfigs Find(const std::string& key) const {
    const auto at = configs_.find(key);
    return at == configs_.end() ? OpConfigs() : at->second;
  }
  bool empty() const { return configs_.empty(); }

 private:
  std::map<std::string, OpConfigs> configs_;
};

// Of a call, where `tuning` may be null.
OpConfigs ConfigsOf(const Tuning* tuning, const op::Call& call);

}  // namespace rocforge::gpu
