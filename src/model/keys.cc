#include "model/keys.h"

#include <cmath>
#include <utility>

#include "base/format.h"

namespace rocforge::model {

Status Keys::Missing(std::string_view key) const {
  return DataLoss(Format("metadata key '{}' is missing", Full(key)));
}

Status Keys::CheckRange(std::string_view key, double value, double low, double high) const {
  // Written so that a NaN fails.
  if (value >= low && value <= high) return Status::Ok();
  return DataLoss(
      Format("metadata key '{}' is {}, which is outside [{}, {}]", Full(key), value, low, high));
}

bool Keys::IsArray(std::string_view key) const {
  const gguf::Value* value = file_.Find(Full(key));
  return value != nullptr && value->type == gguf::ValueType::kArray;
}

Result<int64_t> Keys::Int(std::string_view key, int64_t low, int64_t high) const {
  if (!Has(key)) return Missing(key);
  ROCFORGE_ASSIGN_OR_RETURN(const int64_t value, file_.GetInt(Full(key)));
  ROCFORGE_RETURN_IF_ERROR(CheckRange(key, static_cast<double>(value), static_cast<double>(low),
                                      static_cast<double>(high)));
  return value;
}

Result<int64_t> Keys::IntOr(std::string_view key, int64_t fallback, int64_t low,
                            int64_t high) const {
  if (!Has(key)) return fallback;
  return Int(key, low, high);
}

Result<double> Keys::Float(std::string_view key, double low, double high) const {
  if (!Has(key)) return Missing(key);
  ROCFORGE_ASSIGN_OR_RETURN(const double value, file_.GetFloat(Full(key)));
  ROCFORGE_RETURN_IF_ERROR(CheckRange(key, value, low, high));
  return value;
}

Result<double> Keys::FloatOr(std::string_view key, double fallback, double low, double high) const {
  if (!Has(key)) return fallback;
  return Float(key, low, high);
}

Result<std::string> Keys::StringOr(std::string_view key, std::string_view fallback) const {
  if (!Has(key)) return std::string(fallback);
  return file_.GetString(Full(key));
}

Result<std::vector<int64_t>> Keys::IntPerLayer(std::string_view key, int64_t n, int64_t low,
                                               int64_t high) const {
  if (!IsArray(key)) {
    ROCFORGE_ASSIGN_OR_RETURN(const int64_t value, Int(key, low, high));
    return std::vector<int64_t>(static_cast<size_t>(n), value);
  }
  ROCFORGE_ASSIGN_OR_RETURN(std::vector<int64_t> values, file_.GetIntArray(Full(key)));
  if (std::cmp_less(values.size(), n)) {
    return DataLoss(
        Format("metadata key '{}' has {} values for {} layers", Full(key), values.size(), n));
  }
  values.resize(static_cast<size_t>(n));
  for (const int64_t value : values) {
    ROCFORGE_RETURN_IF_ERROR(CheckRange(key, static_cast<double>(value), static_cast<double>(low),
                                        static_cast<double>(high)));
  }
  return values;
}

Result<std::vector<bool>> Keys::Flags(std::string_view key, int64_t n) const {
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<double> numbers, Numbers(key));
  if (std::cmp_less(numbers.size(), n)) {
    return DataLoss(
        Format("metadata key '{}' has {} values for {} layers", Full(key), numbers.size(), n));
  }
  std::vector<bool> flags;
  for (int64_t i = 0; i < n; ++i) flags.push_back(numbers[static_cast<size_t>(i)] != 0.0);
  return flags;
}

Result<std::vector<double>> Keys::Numbers(std::string_view key) const {
  const gguf::Value* value = file_.Find(Full(key));
  if (value == nullptr) return Missing(key);
  switch (value->type) {
    case gguf::ValueType::kBool: {
      ROCFORGE_ASSIGN_OR_RETURN(const bool flag, file_.GetBool(Full(key)));
      return std::vector<double>{flag ? 1.0 : 0.0};
    }
    case gguf::ValueType::kArray: {
      const auto& array = std::get<gguf::Array>(value->data);
      if (array.element_type == gguf::ValueType::kBool) {
        ROCFORGE_ASSIGN_OR_RETURN(const std::vector<bool> flags, file_.GetBoolArray(Full(key)));
        return std::vector<double>(flags.begin(), flags.end());
      }
      return file_.GetFloatArray(Full(key));
    }
    default: {
      ROCFORGE_ASSIGN_OR_RETURN(const double number, file_.GetFloat(Full(key)));
      return std::vector<double>{number};
    }
  }
}

}  // namespace rocforge::model
