// The work of `rocforge quantize`: from the mapped input to the writer, tensor by tensor.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "apps/quantize_plan.h"
#include "base/thread_pool.h"
#include "gguf/writer.h"
#include "rocforge/status.h"

namespace rocforge::apps {

struct ConvertProgress {
  size_t tensor = 0;          // being converted
  uint64_t source_bytes = 0;  // of all tensors' input, converted so far (resumed ones included)
};

struct ConvertHooks {
  std::function<void(const ConvertProgress&)> progress;  // between pieces of work
  std::function<bool()> cancelled;                       // asked between rows, from any thread
};

// Converts and appends the tensors that `writer` still lacks, in pieces of a few MiB, all members
// of `pool` at work; then finishes the file. Memory use is a few pieces. kInvalidArgument (naming
// tensor and row) for weights that cannot be encoded, kCancelled when asked, and the writer's
// errors; the writer keeps what it has, so that the same plan can be resumed.
Status Convert(const QuantizePlan& plan, const ConvertHooks& hooks, ThreadPool* pool,
               gguf::Writer* writer);

}  // namespace rocforge::apps
