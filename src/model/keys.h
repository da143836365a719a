// Typed, bounded reads of an architecture's metadata keys.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/reader.h"
#include "rocforge/status.h"

namespace rocforge::model {

// Keys are given without the architecture's prefix. A missing required key, a value of the wrong
// type and one outside [low, high] are kDataLoss with the key's full name.
class Keys {
 public:
  Keys(const gguf::File& file, std::string_view architecture)
      : file_(file), prefix_(std::string(architecture) + ".") {}

  bool Has(std::string_view key) const { return file_.Find(Full(key)) != nullptr; }
  bool IsArray(std::string_view key) const;

  Result<int64_t> Int(std::string_view key, int64_t low, int64_t high) const;
  Result<int64_t> IntOr(std::string_view key, int64_t fallback, int64_t low, int64_t high) const;
  Result<double> Float(std::string_view key, double low, double high) const;
  Result<double> FloatOr(std::string_view key, double fallback, double low, double high) const;
  Result<std::string> StringOr(std::string_view key, std::string_view fallback) const;
  // One value for all n layers, or an array of n.
  Result<std::vector<int64_t>> IntPerLayer(std::string_view key, int64_t n, int64_t low,
                                           int64_t high) const;
  // An array of n truth values (booleans, or integers 0 and 1).
  Result<std::vector<bool>> Flags(std::string_view key, int64_t n) const;
  // Every element of a number, truth value or array of them; anything else is kDataLoss.
  Result<std::vector<double>> Numbers(std::string_view key) const;

  std::string Full(std::string_view key) const { return prefix_ + std::string(key); }

 private:
  Status Missing(std::string_view key) const;
  Status CheckRange(std::string_view key, double value, double low, double high) const;

  const gguf::File& file_;
  std::string prefix_;
};

}  // namespace rocforge::model
