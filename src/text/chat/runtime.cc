#include "text/chat/runtime.h"

#include <algorithm>

#include "text/chat/ops.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

void Runtime::FailWith(std::string message) {
  throw TemplateError{StatusCode::kFailedPrecondition, std::move(message)};
}

void Runtime::FailSteps() {
  throw TemplateError{StatusCode::kResourceExhausted,
                      Format("the template takes more than {} steps", options_.max_steps)};
}

void Runtime::FailDepth() {
  throw TemplateError{
      StatusCode::kResourceExhausted,
      "calls or values are nested too deeply (does a macro call itself without an end?)"};
}

void Runtime::FailUndefined(const Value& undefined) {
  const UndefinedInfo& info = undefined.as<UndefinedInfo>();
  const std::string owner =
      info.owner == "NoneType" ? std::string("None") : Format("{} object", info.owner);
  TextBuilder text(*this);
  switch (info.what) {
    case UndefinedInfo::What::kHint:
      text.Append(info.name);
      break;
    case UndefinedInfo::What::kName:
      AppendRepr(text, *this, Value::String(info.name));
      text.Append(" is undefined");
      break;
    case UndefinedInfo::What::kAttribute:
      text.Append(Format("'{}' has no attribute ", owner));
      AppendRepr(text, *this, Value::String(info.name));
      break;
    case UndefinedInfo::What::kElement:
      text.Append(Format("{} has no element ", owner));
      AppendRepr(text, *this, info.element);
      break;
    case UndefinedInfo::What::kUnsafe:
      text.Append(
          Format("access to attribute '{}' of '{}' object is unsafe.", info.name, info.owner));
      break;
  }
  FailWith(text.text());
}

Value Runtime::Append(const Value& left, std::span<const std::string_view> parts, bool markup) {
  constexpr size_t kSmall = 512;  // strings up to here are not worth a buffer
  const std::string_view old = left.string();
  size_t added = 0;
  for (std::string_view part : parts) {
    arena_.Require(added + part.size());
    added += part.size();
  }
  ChargeBytes(added);
  AppendBuffer* buffer = left.buffer();
  const bool fits = buffer != nullptr && buffer->end == old.data() + old.size() &&
                    added <= static_cast<size_t>(buffer->limit - buffer->end);
  const char* begin = old.data();
  if (!fits) {
    ChargeBytes(old.size());
    const size_t total = old.size() + added;
    const bool spare = total > kSmall && total <= arena_.remaining_bytes() / 4;
    const size_t capacity = spare ? total * 2 : total;
    char* data = static_cast<char*>(arena_.Allocate(std::max<size_t>(capacity, 1), 1));
    std::copy(old.begin(), old.end(), data);
    begin = data;
    AppendBuffer plain{data + old.size(), data + capacity};
    if (!spare) {
      for (std::string_view part : parts) {
        plain.end = std::copy(part.begin(), part.end(), plain.end);
      }
      return Value::String({begin, total}, markup);
    }
    buffer = arena_.New<AppendBuffer>(plain);
  }
  for (std::string_view part : parts) {
    buffer->end = std::copy(part.begin(), part.end(), buffer->end);
  }
  return Value::String({begin, old.size() + added}, markup, buffer);
}

Value Runtime::NewList(std::span<const Value> items) {
  return Value::List(arena_.New<ListObject>(arena_.CopyArray(items)));
}

Value Runtime::NewTuple(std::span<const Value> items) {
  return Value::Tuple(arena_.New<ListObject>(arena_.CopyArray(items)));
}

Value Runtime::NewGenerator(std::span<const Value> items) {
  auto* iterator = arena_.New<IteratorObject>();
  iterator->type_name = "generator";
  iterator->cursor.TryStart(NewList(items));
  return Value::Object(Kind::kIterator, iterator);
}

Value Runtime::NewUndefined(UndefinedInfo::What what, std::string_view name, std::string_view owner,
                            const Value& element) {
  return Value::Object(Kind::kUndefined, arena_.New<UndefinedInfo>(what, name, owner, element));
}

void TextBuilder::AppendCodePoint(char32_t c) {
  std::string utf8;
  AppendUtf8(&utf8, c);
  Append(utf8);
}

void TextBuilder::AppendRepeated(std::string_view s, size_t times) {
  if (s.empty() || times == 0) return;
  rt_.arena().Require(times, s.size());
  rt_.arena().Require(text_.size() + s.size() * times);
  for (; times > 0; --times) text_.append(s);
}

void BindArgs(Runtime& rt, std::string_view function, std::span<const char* const> names,
              size_t required, const Args& args, std::span<Value> out) {
  if (args.positional.size() > names.size()) {
    rt.Fail("{}() takes at most {} argument{} ({} given)", function, names.size(),
            names.size() == 1 ? "" : "s", args.positional.size());
  }
  std::copy(args.positional.begin(), args.positional.end(), out.begin());
  for (const NamedValue& named : args.named) {
    const auto it = std::find(names.begin(), names.end(), named.name);
    if (it == names.end()) {
      rt.Fail("{}() got an unexpected keyword argument '{}'", function, named.name);
    }
    Value& slot = out[static_cast<size_t>(it - names.begin())];
    if (!slot.is_missing()) {
      rt.Fail("{}() got multiple values for argument '{}'", function, named.name);
    }
    slot = named.value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (out[i].is_missing()) {
      rt.Fail("{}() is missing the required argument '{}'", function, names[i]);
    }
  }
}

}  // namespace rocforge::text::chat
