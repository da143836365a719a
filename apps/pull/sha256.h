// SHA-256 (FIPS 180-4): whether a downloaded model is the one that was meant.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "rocforge/status.h"

namespace rocforge::apps {

class Sha256 {
 public:
  Sha256();
  void Update(std::span<const std::byte> data);
  // 64 lower-case hexadecimal digits. The object is used up.
  std::string Finish();

 private:
  void Compress(const uint8_t* block);

  std::array<uint32_t, 8> state_;
  std::array<uint8_t, 64> buffer_{};
  uint64_t total_bytes_ = 0;
};

// Of a whole file. `progress` (may be empty) is called with the bytes done now and then; kCancelled
// if it returns false.
Result<std::string> Sha256OfFile(const std::string& path,
                                 const std::function<bool(uint64_t done_bytes)>& progress = {});

}  // namespace rocforge::apps
