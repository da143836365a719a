// Finds stop strings in a stream of text, wherever the pieces of the stream are cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::session {

// One stream. Text that may be the beginning of a stop string is held back until it is known. Which
// stop string is found depends on the text alone, never on how it was cut into pieces: it is the
// one that ends first (of several that end together, the longest). Not thread-safe.
class StopMatcher {
 public:
  // kInvalidArgument for an empty stop string.
  static Result<StopMatcher> Create(std::vector<std::string> stops);

  // Takes the next piece; returns the text that may be shown now. Valid until the next call. After
  // a match it returns what stands before the stop string, and later pieces are ignored. Allocates
  // nothing once the buffer has grown to the longest stop string plus the longest piece.
  std::string_view Feed(std::string_view piece);

  // Ends the stream: returns the text still held back, unless a stop string was found. Valid until
  // the next call.
  std::string_view Flush();

  bool matched() const { return match_ != kNoMatch; }
  // The stop string found, "" if none.
  std::string_view match() const { return matched() ? stops_[match_] : std::string_view(); }

 private:
  static constexpr size_t kNoMatch = SIZE_MAX;
  explicit StopMatcher(std::vector<std::string> stops);
  // Start of the longest end of buffer_ that begins some stop string; its size if there is none.
  size_t HeldBackFrom() const;

  std::vector<std::string> stops_;
  size_t match_ = kNoMatch;  // index in stops_
  std::string buffer_;
  size_t shown_ = 0;  // bytes of buffer_ that were returned last time
};

}  // namespace rocforge::session
