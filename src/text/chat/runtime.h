// What one rendering shares: memory, limits, the place of errors. Every operation on values takes
// it.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/format.h"
#include "text/chat/arena.h"
#include "text/chat/template.h"
#include "text/chat/value.h"

namespace rocforge::text::chat {

class Runtime {
 public:
  explicit Runtime(const RenderOptions& options)
      : options_(options), arena_(options.max_memory_bytes) {}

  const RenderOptions& options() const { return options_; }
  Arena& arena() { return arena_; }

  // Counts work against max_steps.
  void Charge(uint64_t steps) {
    steps_ += steps;
    if (steps_ > options_.max_steps) FailSteps();
  }
  // Work that is linear in `bytes`.
  void ChargeBytes(size_t bytes) { Charge(1 + bytes / 16); }

  // Line of the template that is being run; errors carry it.
  int line() const { return line_; }
  void set_line(int line) { line_ = line; }

  // Ends the rendering; Render puts "line N: " before the message.
  template <typename... A>
  [[noreturn]] void Fail(fmt::format_string<A...> format, A&&... args) {
    FailWith(VFormat(format, fmt::make_format_args(args...)));
  }
  [[noreturn]] void FailWith(std::string message);
  // Ends the rendering with an undefined value's message.
  [[noreturn]] void FailUndefined(const Value& undefined);

  Value NewString(std::string_view s, bool markup = false) {
    ChargeBytes(s.size());
    return Value::String(arena_.CopyString(s), markup);
  }
  // `left` (a string) and the parts behind it; in place where left's buffer allows.
  Value Append(const Value& left, std::span<const std::string_view> parts, bool markup);
  Value NewList(std::span<const Value> items);
  Value NewTuple(std::span<const Value> items);
  // A generator over items that are computed already.
  Value NewGenerator(std::span<const Value> items);
  Dict* NewDict() { return arena_.New<Dict>(); }
  Value NewUndefined(UndefinedInfo::What what, std::string_view name, std::string_view owner = {},
                     const Value& element = Value());
  Value Hint(std::string_view message) { return NewUndefined(UndefinedInfo::What::kHint, message); }

  // Guards recursion, of calls and over nested values. Depth units are stack frames of the
  // evaluator or of a recursive operation; the sum is bounded so that a thread's stack of 8 MiB
  // suffices even in sanitizer builds.
  class DepthGuard {
   public:
    explicit DepthGuard(Runtime& rt) : rt_(rt) {
      if (++rt_.depth_ > kMaxDepth) rt_.FailDepth();
    }
    ~DepthGuard() { --rt_.depth_; }
    DepthGuard(const DepthGuard&) = delete;
    DepthGuard& operator=(const DepthGuard&) = delete;

   private:
    Runtime& rt_;
  };

 private:
  static constexpr int kMaxDepth = 1200;

  [[noreturn]] void FailSteps();
  [[noreturn]] void FailDepth();

  const RenderOptions& options_;
  Arena arena_;
  uint64_t steps_ = 0;
  int depth_ = 0;
  int line_ = 1;
};

// Text that is being put together, never larger than the memory limit allows.
class TextBuilder {
 public:
  explicit TextBuilder(Runtime& rt) : rt_(rt) {}
  void Append(std::string_view s) {
    rt_.arena().Require(text_.size() + s.size());
    text_.append(s);
  }
  void Append(char c) {
    rt_.arena().Require(text_.size() + 1);
    text_.push_back(c);
  }
  void AppendCodePoint(char32_t c);
  void AppendRepeated(std::string_view s, size_t times);
  const std::string& text() const { return text_; }
  Value Finish(bool markup = false) { return rt_.NewString(text_, markup); }

 private:
  Runtime& rt_;
  std::string text_;
};

// A list that is being put together, never larger than the memory limit allows.
class ListBuilder {
 public:
  explicit ListBuilder(Runtime& rt) : rt_(rt) {}
  void Append(const Value& v) {
    rt_.Charge(1);
    rt_.arena().Require(items_.size() + 1, sizeof(Value));
    items_.push_back(v);
  }
  std::vector<Value>& items() { return items_; }
  Value FinishList() { return rt_.NewList(items_); }
  Value FinishTuple() { return rt_.NewTuple(items_); }
  Value FinishGenerator() { return rt_.NewGenerator(items_); }

 private:
  Runtime& rt_;
  std::vector<Value> items_;
};

// Gives each parameter of `function` its argument, as Python binds calls; parameters that the call
// leaves out stay kMissing. Fails for the first `required` of them, for too many arguments and for
// unknown or doubled names.
void BindArgs(Runtime& rt, std::string_view function, std::span<const char* const> names,
              size_t required, const Args& args, std::span<Value> out);

template <size_t kCount>
std::array<Value, kCount> Bind(Runtime& rt, std::string_view function,
                               const char* const (&names)[kCount], size_t required,
                               const Args& args) {
  std::array<Value, kCount> out;
  BindArgs(rt, function, names, required, args, out);
  return out;
}

// For functions without any parameter.
inline void BindNone(Runtime& rt, std::string_view function, const Args& args) {
  BindArgs(rt, function, {}, 0, args, {});
}

}  // namespace rocforge::text::chat
