// Filters (`value|name(args)`), tests (`value is name args`) and the global functions.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "text/chat/runtime.h"
#include "text/chat/value.h"

namespace rocforge::text::chat {

// args.positional[0] is the value that is filtered.
struct FilterInfo {
  const char* name;
  Value (*call)(Runtime& rt, const Args& args);
};
// nullptr if there is no filter of that name.
const FilterInfo* FindFilter(std::string_view name);
const FilterInfo* FindTextFilter(std::string_view name);
const FilterInfo* FindSequenceFilter(std::string_view name);
const FilterInfo* FindValueFilter(std::string_view name);

struct TestInfo {
  const char* name;
  bool (*call)(Runtime& rt, const Args& args);
};
const TestInfo* FindTest(std::string_view name);

// The global of that name (range, namespace, raise_exception, ...), kMissing if there is none.
Value FindGlobal(std::string_view name);

// Looks up an attribute path such as "function.name" or "0.id" in items, as the `attribute`
// parameters of filters do.
class AttributeGetter {
 public:
  // `attribute` is a string, an integer, or None or missing for the item itself. Where a part of
  // the path is undefined, `fallback` takes its place unless it is None or missing.
  AttributeGetter(Runtime& rt, const Value& attribute, const Value& fallback = Value());
  Value operator()(Runtime& rt, const Value& item) const;

 private:
  std::vector<Value> parts_;
  Value fallback_;
};

// textwrap.wrap on every line of `s`, joined by `separator`.
Value WordWrap(Runtime& rt, std::string_view s, int64_t width, bool break_long_words,
               std::string_view separator, bool break_on_hyphens);

}  // namespace rocforge::text::chat
