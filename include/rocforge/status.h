// Status and Result<T>: how every fallible function of Rocforge reports failure. Nothing throws
// across folders.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace rocforge {

enum class StatusCode : uint8_t {
  kOk = 0,
  kInvalidArgument,     // the caller asked for something that can never work
  kNotFound,            // a file, tensor, key or device does not exist
  kDataLoss,            // a file or stream is truncated, corrupt or hostile
  kUnsupported,         // valid input that this build or machine cannot handle
  kResourceExhausted,   // out of memory, KV pages, disk or a configured limit
  kFailedPrecondition,  // the object is in the wrong state for the call
  kUnavailable,         // a device, driver or network peer cannot be reached
  kCancelled,           // the user or the caller stopped the work
  kInternal,            // a bug of ours
};

// "ok", "invalid_argument", ...; never null.
const char* StatusCodeName(StatusCode code);

// A code and one line that says what went wrong and, where it can, what to do about it. Cheap to
// move; an ok Status allocates nothing.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status Ok() { return {}; }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same failure with "context: " before its message; an ok Status stays ok.
  Status WithContext(const std::string& context) const {
    return ok() ? Status() : Status(code_, context + ": " + message_);
  }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status InvalidArgument(std::string m) {
  return {StatusCode::kInvalidArgument, std::move(m)};
}
inline Status NotFound(std::string m) { return {StatusCode::kNotFound, std::move(m)}; }
inline Status DataLoss(std::string m) { return {StatusCode::kDataLoss, std::move(m)}; }
inline Status Unsupported(std::string m) { return {StatusCode::kUnsupported, std::move(m)}; }
inline Status ResourceExhausted(std::string m) {
  return {StatusCode::kResourceExhausted, std::move(m)};
}
inline Status FailedPrecondition(std::string m) {
  return {StatusCode::kFailedPrecondition, std::move(m)};
}
inline Status Unavailable(std::string m) { return {StatusCode::kUnavailable, std::move(m)}; }
inline Status Cancelled(std::string m) { return {StatusCode::kCancelled, std::move(m)}; }
inline Status Internal(std::string m) { return {StatusCode::kInternal, std::move(m)}; }

// A value or the Status that says why there is none. Reading the wrong side terminates (std::get on
// a mismatch), so test ok() first or use ROCFORGE_ASSIGN_OR_RETURN.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T v) : state_(std::in_place_index<0>, std::move(v)) {}  // NOLINT: implicit by design
  Result(Status status)
      : state_(std::in_place_index<1>, std::move(status)) {}  // NOLINT: implicit by design

  bool ok() const { return state_.index() == 0; }
  Status status() const { return ok() ? Status() : *std::get_if<1>(&state_); }

  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace rocforge

#define ROCFORGE_CONCAT_INNER(a, b) a##b
#define ROCFORGE_CONCAT(a, b) ROCFORGE_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expr` (a Status) is not ok.
#define ROCFORGE_RETURN_IF_ERROR(expr)                            \
  do {                                                            \
    if (::rocforge::Status rf_status = (expr); !rf_status.ok()) { \
      return rf_status;                                           \
    }                                                             \
  } while (false)

// ROCFORGE_ASSIGN_OR_RETURN(auto file, Open(path)): assigns the value, or returns the Status.
#define ROCFORGE_ASSIGN_OR_RETURN(lhs, expr) \
  ROCFORGE_ASSIGN_OR_RETURN_INNER(ROCFORGE_CONCAT(rf_result_, __LINE__), lhs, expr)
#define ROCFORGE_ASSIGN_OR_RETURN_INNER(result, lhs, expr) \
  auto result = (expr);                                    \
  if (!result.ok()) return result.status();                \
  lhs = std::move(result).value()
