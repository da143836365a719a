#include "text/chat/loop.h"

#include "text/chat/ops.h"

namespace rocforge::text::chat {

namespace {

Value Cycle(Runtime& rt, const Value& self, const Args& args) {
  if (args.positional.empty() || !args.named.empty()) rt.Fail("no items for cycling given");
  const auto index = static_cast<size_t>(self.as<LoopObject>().index0());
  return args.positional[index % args.positional.size()];
}

Value ChangedMethod(Runtime& rt, const Value& self, const Args& args) {
  return Value::Bool(self.mutable_as<LoopObject>().Changed(rt, rt.NewTuple(args.positional)));
}

constexpr MethodInfo kCycle = {"cycle", Cycle};
constexpr MethodInfo kChanged = {"changed", ChangedMethod};

}  // namespace

bool LoopObject::Pull(Runtime& rt, Value* item) {
  if (!drained_) return source_->Next(rt, item);
  if (rest_.empty()) return false;
  *item = rest_.front();
  rest_ = rest_.subspan(1);
  return true;
}

bool LoopObject::Peek(Runtime& rt) {
  if (!has_after_) has_after_ = Pull(rt, &after_);
  return has_after_;
}

bool LoopObject::Advance(Runtime& rt, Value* item) {
  if (has_after_) {
    *item = after_;
    has_after_ = false;
  } else if (!Pull(rt, item)) {
    return false;
  }
  ++index0_;
  before_ = current_;
  current_ = *item;
  return true;
}

int64_t LoopObject::LengthOf(Runtime& rt) {
  if (length_ >= 0) return length_;
  length_ = source_->Size();
  if (length_ >= 0) return length_;
  ListBuilder rest(rt);
  for (Value item; Pull(rt, &item);) rest.Append(item);
  rest_ = rt.arena().CopyArray(std::span<const Value>(rest.items()));
  drained_ = true;
  length_ = static_cast<int64_t>(rest_.size()) + index0_ + 1 + (has_after_ ? 1 : 0);
  return length_;
}

bool LoopObject::Changed(Runtime& rt, const Value& values) {
  if (!last_changed_.is_missing() && Equal(rt, last_changed_, values)) return false;
  last_changed_ = values;
  return true;
}

Value LoopObject::Attribute(Runtime& rt, const Value& self, std::string_view name) {
  if (name == "index") return Value::FromInt(index0_ + 1);
  if (name == "index0") return Value::FromInt(index0_);
  if (name == "first") return Value::Bool(index0_ == 0);
  if (name == "last") return Value::Bool(!Peek(rt));
  if (name == "length") return Value::FromInt(LengthOf(rt));
  if (name == "revindex") return Value::FromInt(LengthOf(rt) - index0_);
  if (name == "revindex0") return Value::FromInt(LengthOf(rt) - index0_ - 1);
  if (name == "depth") return Value::FromInt(depth0_ + 1);
  if (name == "depth0") return Value::FromInt(depth0_);
  if (name == "previtem") return index0_ == 0 ? rt.Hint("there is no previous item") : before_;
  if (name == "nextitem") return Peek(rt) ? after_ : rt.Hint("there is no next item");
  if (name == "cycle" || name == "changed") {
    return Value::Object(Kind::kMethod,
                         rt.arena().New<MethodObject>(self, name == "cycle" ? &kCycle : &kChanged));
  }
  return Value();
}

}  // namespace rocforge::text::chat
