#include "session/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace rocforge::session {
namespace {

// Longer than the pieces of nearly all vocabularies.
constexpr size_t kUsualPieceBytes = 256;

}  // namespace

Result<StopMatcher> StopMatcher::Create(std::vector<std::string> stops) {
  for (const std::string& stop : stops) {
    if (stop.empty()) return InvalidArgument("a stop string must not be empty");
  }
  return StopMatcher(std::move(stops));
}

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  size_t longest = 0;
  for (const std::string& stop : stops_) longest = std::max(longest, stop.size());
  buffer_.reserve(longest + kUsualPieceBytes);
}

std::string_view StopMatcher::Feed(std::string_view piece) {
  if (matched()) return {};
  buffer_.erase(0, shown_);
  shown_ = 0;
  buffer_ += piece;
  size_t match_begin = 0;
  size_t match_end = std::string::npos;
  for (size_t i = 0; i < stops_.size(); ++i) {
    const size_t begin = buffer_.find(stops_[i]);
    if (begin == std::string::npos) continue;
    const size_t end = begin + stops_[i].size();
    if (end < match_end || (end == match_end && begin < match_begin)) {
      match_ = i;
      match_begin = begin;
      match_end = end;
    }
  }
  shown_ = matched() ? match_begin : HeldBackFrom();
  return std::string_view(buffer_).substr(0, shown_);
}

size_t StopMatcher::HeldBackFrom() const {
  size_t from = buffer_.size();
  for (const std::string& stop : stops_) {
    size_t length = std::min(stop.size() - 1, buffer_.size());
    for (; length > 0; --length) {
      if (std::string_view(buffer_).ends_with(std::string_view(stop).substr(0, length))) break;
    }
    from = std::min(from, buffer_.size() - length);
  }
  return from;
}

std::string_view StopMatcher::Flush() {
  if (matched()) return {};
  buffer_.erase(0, shown_);
  shown_ = buffer_.size();
  return buffer_;
}

}  // namespace rocforge::session
