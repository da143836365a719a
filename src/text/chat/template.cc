#include "text/chat/template.h"

#include <cstdio>
#include <ctime>
#include <new>

#include "base/format.h"
#include "text/chat/arena.h"
#include "text/chat/interpreter.h"
#include "text/chat/lexer.h"
#include "text/chat/parser.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxSourceBytes = size_t{1} << 20;
constexpr size_t kMaxTreeBytes = size_t{256} << 20;

// JSON as values of the rendering; strings are not copied.
Value FromJson(Runtime& rt, const Json& json) {
  const Runtime::DepthGuard guard(rt);
  switch (json.type()) {
    case Json::value_t::null:
    case Json::value_t::discarded:
      return Value::None();
    case Json::value_t::boolean:
      return Value::Bool(json.get<bool>());
    case Json::value_t::number_integer:
      return Value::FromInt(json.get<int64_t>());
    case Json::value_t::number_unsigned:
      return Value::FromInt(json.get<uint64_t>());
    case Json::value_t::number_float:
      return Value::Float(json.get<double>());
    case Json::value_t::string:
      return Value::String(json.get_ref<const std::string&>());
    case Json::value_t::array: {
      ListBuilder items(rt);
      for (const Json& item : json) items.Append(FromJson(rt, item));
      return items.FinishList();
    }
    case Json::value_t::object: {
      Dict* dict = rt.NewDict();
      dict->Reserve(rt, json.size());
      for (const auto& [key, value] : json.items()) {
        dict->Set(rt, Value::String(key), FromJson(rt, value));
      }
      return Value::FromDict(dict);
    }
    case Json::value_t::binary:
      break;
  }
  rt.Fail("a variable holds binary data, which templates have no type for");
}

}  // namespace

struct Template::Impl {
  std::string source;
  Arena arena{kMaxTreeBytes};
  const TemplateAst* ast = nullptr;
};

Result<DateTime> ParseDateTime(std::string_view text) {
  DateTime out;
  int end = 0;
  const std::string copy(text);
  const int fields = std::sscanf(copy.c_str(), "%4d-%2d-%2d %2d:%2d:%2d%n", &out.year, &out.month,
                                 &out.day, &out.hour, &out.minute, &out.second, &end);
  std::tm tm{};
  tm.tm_year = out.year - 1900;
  tm.tm_mon = out.month - 1;
  tm.tm_mday = out.day;
  tm.tm_hour = out.hour;
  tm.tm_min = out.minute;
  tm.tm_sec = out.second;
  const std::tm asked = tm;
  // timegm carries what overflows (February 30) into the next field.
  if (fields == 6 && static_cast<size_t>(end) == text.size() && timegm(&tm) != -1 &&
      tm.tm_mday == asked.tm_mday && tm.tm_mon == asked.tm_mon && tm.tm_hour == asked.tm_hour &&
      tm.tm_min == asked.tm_min && tm.tm_sec == asked.tm_sec) {
    return out;
  }
  return InvalidArgument(Format("'{}' is not a date and time of the form YYYY-mm-dd HH:MM:SS",
                                EscapeForTerminal(text, 60)));
}

Result<Template> Template::Parse(std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    return InvalidArgument(Format("the template is larger than {}", FormatBytes(kMaxSourceBytes)));
  }
  try {
    auto impl = std::make_shared<Impl>();
    impl->source = NormalizeNewlines(source);
    if (const size_t bad = FindInvalidUtf8(impl->source); bad != std::string_view::npos) {
      const auto line = 1 + std::count(impl->source.begin(),
                                       impl->source.begin() + static_cast<ptrdiff_t>(bad), '\n');
      return InvalidArgument(Format("line {}: the template is not valid UTF-8", line));
    }
    impl->ast = ParseTemplate(impl->source, &impl->arena);
    return Template(std::move(impl));
  } catch (const TemplateError& error) {
    return Status(error.code, error.message);
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("out of memory while parsing a chat template");
  }
}

Result<std::string> Template::Render(const Json& variables, const RenderOptions& options) const {
  if (!variables.is_object()) return InvalidArgument("template variables must be a JSON object");
  Runtime rt(options);
  try {
    const Value values = FromJson(rt, variables);
    return Interpreter(*impl_->ast, values.dict(), rt).Run();
  } catch (const TemplateError& error) {
    if (error.verbatim) return Status(error.code, error.message);
    return Status(error.code, Format("line {}: {}", rt.line(), error.message));
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("out of memory while rendering a chat template");
  }
}

}  // namespace rocforge::text::chat
