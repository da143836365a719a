// The functions that every template can call (filters.h).
#include "text/chat/filters.h"
#include "text/chat/ops.h"

namespace rocforge::text::chat {

namespace {

// As the sandbox of Jinja.
constexpr int64_t kMaxRange = 100'000;

Value RangeFunction(Runtime& rt, const Args& args) {
  const auto [first, second, third] = Bind(rt, "range", {"start", "stop", "step"}, 1, args);
  const bool only_stop = second.is_missing();
  const int64_t start = only_stop ? 0 : ToIndex(rt, first);
  const int64_t stop = ToIndex(rt, only_stop ? first : second);
  const int64_t step = third.is_missing() ? 1 : ToIndex(rt, third);
  if (step == 0) rt.Fail("range() arg 3 must not be zero");
  const Int distance = step > 0 ? static_cast<Int>(stop) - start : static_cast<Int>(start) - stop;
  const Int stride = step > 0 ? static_cast<Int>(step) : -static_cast<Int>(step);
  const Int length = distance <= 0 ? 0 : (distance - 1) / stride + 1;
  if (length > kMaxRange) {
    rt.Fail("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).", kMaxRange);
  }
  return Value::Object(Kind::kRange,
                       rt.arena().New<Range>(start, stop, step, static_cast<int64_t>(length)));
}

// dict(mapping or pairs, **named)
Dict* MakeDict(Runtime& rt, const char* name, const Args& args) {
  Dict* dict = rt.NewDict();
  if (args.positional.size() > 1) {
    rt.Fail("{} expected at most 1 argument, got {}", name, args.positional.size());
  }
  if (!args.positional.empty()) {
    const Value& source = args.positional[0];
    if (source.is(Kind::kDict)) {
      for (const Dict::Entry& entry : source.dict().entries()) {
        rt.Charge(1);
        dict->Set(rt, entry.key, entry.value);
      }
    } else {
      size_t n = 0;
      ForEach(rt, source, [&](const Value& pair) {
        const std::span<const Value> items = Items(rt, pair);
        if (items.size() != 2) {
          rt.Fail("dictionary update sequence element #{} has length {}; 2 is required", n,
                  items.size());
        }
        dict->Set(rt, items[0], items[1]);
        ++n;
      });
    }
  }
  for (const NamedValue& named : args.named) {
    dict->Set(rt, Value::String(named.name), named.value);
  }
  return dict;
}

Value DictFunction(Runtime& rt, const Args& args) {
  return Value::FromDict(MakeDict(rt, "dict", args));
}
Value NamespaceFunction(Runtime& rt, const Args& args) {
  return Value::Object(Kind::kNamespace, MakeDict(rt, "namespace", args));
}

Value CyclerFunction(Runtime& rt, const Args& args) {
  if (!args.named.empty()) rt.Fail("cycler() takes no keyword arguments");
  if (args.positional.empty()) rt.Fail("at least one item has to be provided");
  return Value::Object(Kind::kCycler,
                       rt.arena().New<CyclerObject>(rt.arena().CopyArray(args.positional)));
}

Value JoinerFunction(Runtime& rt, const Args& args) {
  const auto [separator] = Bind(rt, "joiner", {"sep"}, 0, args);
  return Value::Object(
      Kind::kJoiner,
      rt.arena().New<JoinerObject>(separator.is_missing() ? Value::String(", ") : separator));
}

Value RaiseException(Runtime& rt, const Args& args) {
  const auto [message] = Bind(rt, "raise_exception", {"message"}, 1, args);
  throw TemplateError{StatusCode::kInvalidArgument, std::string(Str(rt, message)),
                      /*verbatim=*/true};
}

Value StrftimeNow(Runtime& rt, const Args& args) {
  const auto [format] = Bind(rt, "strftime_now", {"format"}, 1, args);
  if (!format.is_string()) rt.Fail("strftime_now() needs a string, not {}", TypeName(format));
  return FormatTime(rt, format.string());
}

constexpr FunctionObject kFunctions[] = {
    {"cycler", CyclerFunction},          {"dict", DictFunction},
    {"joiner", JoinerFunction},          {"namespace", NamespaceFunction},
    {"raise_exception", RaiseException}, {"range", RangeFunction},
    {"strftime_now", StrftimeNow},
};

}  // namespace

Value FindGlobal(std::string_view name) {
  for (const FunctionObject& function : kFunctions) {
    if (name == function.name) return Value::Object(Kind::kFunction, &function);
  }
  return Value();
}

}  // namespace rocforge::text::chat
