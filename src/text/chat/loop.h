// The `loop` variable of a for loop.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "text/chat/runtime.h"
#include "text/chat/value.h"

namespace rocforge::text::chat {

// Walks the loop's items one ahead at most, because a filter (`for x in xs if ...`) may look at
// what the body has changed; only `length` and its kin force the rest. Lives in the runtime's
// arena.
class LoopObject {
 public:
  // Where the items come from.
  class Source {
   public:
    virtual bool Next(Runtime& rt, Value* item) = 0;
    // Number of all items where it is known beforehand, else -1.
    virtual int64_t Size() const = 0;

   protected:
    ~Source() = default;
  };

  LoopObject(Source* source, int depth0) : source_(source), depth0_(depth0) {}

  // Steps to the next item; false at the end.
  bool Advance(Runtime& rt, Value* item);
  // kMissing if loops have no attribute of that name.
  Value Attribute(Runtime& rt, const Value& self, std::string_view name);
  int64_t LengthOf(Runtime& rt);

  int64_t index0() const { return index0_; }
  int depth0() const { return depth0_; }
  // loop.changed(*values)
  bool Changed(Runtime& rt, const Value& values);

 private:
  bool Pull(Runtime& rt, Value* item);
  bool Peek(Runtime& rt);

  Source* source_;
  int depth0_;
  int64_t index0_ = -1;
  int64_t length_ = -1;
  bool has_after_ = false;
  bool drained_ = false;  // source_ is exhausted and rest_ holds what it gave
  Value before_, current_, after_;
  Value last_changed_;
  std::span<const Value> rest_;
};

}  // namespace rocforge::text::chat
