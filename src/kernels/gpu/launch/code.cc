#include "kernels/gpu/launch/code.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/format.h"

namespace rocforge::gpu {
namespace {

// The generic target of an AMD processor (LLVM, "User Guide for AMDGPU Backend", generic
// processors), or "".
std::string_view GenericTarget(std::string_view arch) {
  struct Family {
    std::string_view generic;
    std::array<std::string_view, 8> members;
  };
  static constexpr Family kFamilies[] = {
      {"gfx10-3-generic",
       {"gfx1030", "gfx1031", "gfx1032", "gfx1033", "gfx1034", "gfx1035", "gfx1036"}},
      {"gfx11-generic",
       {"gfx1100", "gfx1101", "gfx1102", "gfx1103", "gfx1150", "gfx1151", "gfx1152", "gfx1153"}},
      {"gfx12-generic", {"gfx1200", "gfx1201"}},
  };
  for (const Family& family : kFamilies) {
    if (std::find(family.members.begin(), family.members.end(), arch) != family.members.end())
      return family.generic;
  }
  return {};
}

// 90 of "sm_90" and "sm_90a"; nothing for other names.
std::optional<int> ComputeCapability(std::string_view target) {
  if (!target.starts_with("sm_")) return std::nullopt;
  int number = 0;
  const auto parsed = std::from_chars(target.data() + 3, target.data() + target.size(), number);
  if (parsed.ec != std::errc()) return std::nullopt;
  return number;
}

std::string_view BestPtx(int capability, std::span<const std::string_view> available) {
  std::string_view best;
  int best_capability = -1;
  for (std::string_view target : available) {
    const std::optional<int> offered = ComputeCapability(target);
    if (!offered || *offered > capability) continue;
    const bool exact_only = target.ends_with('a');
    if (exact_only && *offered != capability) continue;
    if (*offered > best_capability || (*offered == best_capability && exact_only)) {
      best = target;
      best_capability = *offered;
    }
  }
  return best;
}

std::string Join(std::span<const std::string_view> names) {
  std::string joined;
  for (std::string_view name : names) joined += (joined.empty() ? "" : ", ") + std::string(name);
  return joined.empty() ? "no GPU code" : joined;
}

}  // namespace

Result<std::vector<std::byte>> Decompress(const CodeObject& object) {
  const auto damaged = [&] {
    return Internal(Format("the embedded code of {} for {} is damaged; install rocforge again",
                           object.kernel_file, object.target));
  };
  // RFC 1952: the last four bytes are the size of the content, little-endian.
  const std::span<const std::byte> in = object.compressed;
  if (in.size() < 18) return damaged();
  uint32_t size = 0;
  for (size_t i = 0; i < 4; ++i) size |= static_cast<uint32_t>(in[in.size() - 4 + i]) << (8 * i);
  // Deflate's best is 1032 to 1: what claims more is not worth gigabytes of memory.
  if (size / 1032 > in.size()) return damaged();
  // PTX ends with the NUL byte that drivers want; one more does no harm to a code object.
  std::vector<std::byte> out(size_t{size} + 1);
  z_stream stream{};
  constexpr int kGzip = 16 + MAX_WBITS;
  if (inflateInit2(&stream, kGzip) != Z_OK) return damaged();
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = size;
  const int status = inflate(&stream, Z_FINISH);
  const bool whole = status == Z_STREAM_END && stream.total_out == size;
  inflateEnd(&stream);
  if (!whole) return damaged();
  return out;
}

std::vector<std::string_view> EmbeddedTargets() {
  std::vector<std::string_view> targets;
  for (const CodeObject& object : EmbeddedCode()) {
    if (std::find(targets.begin(), targets.end(), object.target) == targets.end())
      targets.push_back(object.target);
  }
  return targets;
}

Result<std::string_view> SelectTarget(std::string_view arch,
                                      std::span<const std::string_view> available) {
  const std::string_view name = arch.substr(0, arch.find(':'));
  const auto has = [&](std::string_view target) {
    return !target.empty() &&
           std::find(available.begin(), available.end(), target) != available.end();
  };
  std::string_view chosen;
  if (const std::optional<int> capability = ComputeCapability(name)) {
    chosen = BestPtx(*capability, available);
  } else if (const auto exact = std::find(available.begin(), available.end(), name);
             exact != available.end()) {
    chosen = *exact;
  } else if (has(GenericTarget(name))) {
    chosen = GenericTarget(name);
  }
  if (chosen.empty())
    return Unsupported(Format("no code for {}; this build has: {}", name, Join(available)));
  return chosen;
}

}  // namespace rocforge::gpu
