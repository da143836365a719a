#include "text/chat/template.h"

#include <map>
#include <thread>

#include "tests/testing.h"
#include "tests/text/jinja_cases.h"

namespace rocforge::text::chat {
namespace {

using Json = nlohmann::ordered_json;

RenderOptions FixedClock() {
  RenderOptions options;
  options.now = DateTime{2026, 9, 28, 0, 41, 12};
  return options;
}

Result<std::string> Render(std::string_view source, const Json& variables = Json::object()) {
  const Result<Template> t = Template::Parse(source);
  if (!t.ok()) return t.status();
  return t->Render(variables, FixedClock());
}

std::string RenderOrError(std::string_view source, const Json& variables = Json::object()) {
  const Result<std::string> text = Render(source, variables);
  return text.ok() ? *text : "error: " + text.status().message();
}

TEST(TemplateTest, MatchesJinja) {
  std::map<int, Json> variables;
  for (size_t i = 0; i < kJinjaCaseCount; ++i) {
    const JinjaCase& c = kJinjaCases[i];
    if (!variables.contains(c.variables)) {
      variables[c.variables] = Json::parse(kJinjaVariables[c.variables]);
    }
    const Result<std::string> text = Render(c.source, variables[c.variables]);
    if (c.expected == nullptr) {
      EXPECT_FALSE(text.ok()) << c.source << "\nrenders as " << *text << "\nbut must fail";
    } else {
      ASSERT_TRUE(text.ok()) << c.source << "\n" << text.status().message();
      EXPECT_EQ(*text, c.expected) << c.source;
    }
  }
  EXPECT_GT(kJinjaCaseCount, 1000u);
}

TEST(TemplateTest, SyntaxErrorsNameTheLine) {
  const auto message = [](std::string_view source) {
    const Result<Template> t = Template::Parse(source);
    EXPECT_EQ(t.status().code(), StatusCode::kInvalidArgument) << source;
    return t.status().message();
  };
  EXPECT_EQ(message("a\n\n{{ 1 + }}"), "line 3: unexpected 'end of print statement'");
  EXPECT_EQ(message("{% if a %}\n{% for x in y %}\n{{ x }}"),
            "line 3: Unexpected end of template. Jinja was looking for the following tags: "
            "'endfor' or 'else'. The innermost block that needs to be closed is 'for' (line 2).");
  EXPECT_EQ(message("{#\n\n#}{% nope %}"), "line 3: Encountered unknown tag 'nope'.");
  EXPECT_EQ(message("\n{{ 'abc }}"), "line 2: a string has no closing quote");
  EXPECT_EQ(message("\n{{ x|nope }}"), "line 2: No filter named 'nope'.");
  EXPECT_EQ(message("x\r\ny\rz {{ ) }}"), "line 3: unexpected ')'");
  EXPECT_EQ(message("a\n\xff"), "line 2: the template is not valid UTF-8");
  EXPECT_EQ(message("{{ \x01 }}"), "line 1: unexpected char '\\x01'");
}

TEST(TemplateTest, TagsThatNeedOtherTemplatesAreUnsupported) {
  for (const char* source : {"{% include 'a' %}", "{% extends 'a' %}", "{% import 'a' as b %}",
                             "{% from 'a' import b %}", "{% block b %}{% endblock %}"}) {
    EXPECT_EQ(Template::Parse(source).status().code(), StatusCode::kUnsupported) << source;
  }
}

TEST(TemplateTest, RunTimeErrorsNameTheLine) {
  EXPECT_EQ(RenderOrError("a\n{{ 1 }}\n{{ x.y }}"), "error: line 3: 'x' is undefined");
  EXPECT_EQ(RenderOrError("{% macro f(v) %}\n{{ v.a.b }}\n{% endmacro %}\n\n{{ f({}) }}"),
            "error: line 2: 'dict object' has no attribute 'a'");
  // The call's line, not that of the macro which was left.
  EXPECT_EQ(RenderOrError("{% macro f() %}\nx\n{% endmacro %}\n\n\n{{ f() + 1 }}"),
            "error: line 6: can only concatenate str (not \"int\") to str");
  EXPECT_EQ(Render("{{ 1 + none }}").status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(RenderOrError("{{ none.x.y }}"), "error: line 1: 'None' has no attribute 'x'");
}

TEST(TemplateTest, RaiseExceptionGivesTheTemplatesWords) {
  const Result<std::string> text =
      Render("\n{{ raise_exception('Roles must alternate: ' ~ role) }}", {{"role", "tool"}});
  EXPECT_EQ(text.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(text.status().message(), "Roles must alternate: tool");
}

TEST(TemplateTest, NothingCanBeChanged) {
  EXPECT_EQ(RenderOrError("{% set l = [] %}{{ l.append(1) }}"),
            "error: line 1: access to attribute 'append' of 'list' object is unsafe.");
  EXPECT_EQ(RenderOrError("{% set _ = d.update({'a': 1}) %}", {{"d", Json::object()}}),
            "error: line 1: access to attribute 'update' of 'dict' object is unsafe.");
  EXPECT_EQ(RenderOrError("{{ ''.__class__.__mro__ }}"),
            "error: line 1: access to attribute '__class__' of 'str' object is unsafe.");
}

TEST(TemplateTest, VariablesMustBeAnObject) {
  const Result<Template> t = Template::Parse("x");
  ASSERT_OK(t);
  EXPECT_EQ(t->Render(Json::array()).status().code(), StatusCode::kInvalidArgument);
}

TEST(TemplateTest, KeepsTheOrderOfJsonObjects) {
  EXPECT_EQ(
      RenderOrError("{{ d|tojson }}{{ d }}", {{"d", Json::parse(R"({"z":1,"a":{"y":2,"b":3}})")}}),
      R"({"z": 1, "a": {"y": 2, "b": 3}}{'z': 1, 'a': {'y': 2, 'b': 3}})");
}

TEST(TemplateTest, DictsOfAnySizeFindTheirKeys) {
  Json d = Json::object();
  for (int i = 0; i < 1000; ++i) d["key" + std::to_string(i)] = i;
  EXPECT_EQ(
      RenderOrError("{% for k, v in d.items() %}{% if d[k] != v or k ~ 'x' in d %}bad{% endif %}"
                    "{% endfor %}{{ d|length }} {{ d.key999 }} {{ d.nope is defined }}",
                    {{"d", d}}),
      "1000 999 False");
  // Keys of several types, equal ones among them.
  EXPECT_EQ(
      RenderOrError("{% set ns = namespace(p=[]) %}{% for i in range(50) %}"
                    "{% set ns.p = ns.p + [(i, 'a'), (i ~ '', 'b'), (i / 1, 'c'), ((i,), 'd')] %}"
                    "{% endfor %}{% set d = dict(ns.p) %}"
                    "{{ d|length }}{{ d[7] }}{{ d['7'] }}{{ d[7.0] }}{{ d[(7,)] }}{{ d[true] }}"),
      "150cbcdc");
}

// Strings that grow in place share memory with the strings that they came from.
TEST(TemplateTest, AppendingLeavesOlderStringsAlone) {
  const std::string base(600, 'x');
  const std::string source =
      "{% set n = namespace(a=b ~ '1') %}{% set old = n.a %}{% set n.a = n.a ~ '2' %}"
      "{% set other = old ~ '3' %}{% set n.a = n.a + '4' %}{% set twice = n.a ~ n.a %}"
      "{{ old[600:] }} {{ n.a[600:] }} {{ other[600:] }} {{ twice[600:603] }}{{ twice[1203:] }} "
      "{{ b|length }} {{ (n.a|safe + '<')[603:] }} {{ n.a[600:] ~ '' }}";
  EXPECT_EQ(RenderOrError(source, {{"b", base}}), "1 124 13 124124 600 &lt; 124");
}

TEST(TemplateTest, CollectingOutputInAVariableIsLinear) {
  const Result<Template> t = Template::Parse(
      "{% set n = namespace(o='') %}{% for m in messages %}{% set n.o = n.o ~ '<' ~ m ~ '>' %}"
      "{% set n.o = n.o + m.strip() %}{% endfor %}{{ n.o }}");
  ASSERT_OK(t);
  Json messages = Json::array();
  for (int i = 0; i < 2000; ++i) messages.push_back(std::string(1000, 'm'));
  RenderOptions options;
  options.max_memory_bytes = size_t{64} << 20;  // a copy for each round would take 4 GB
  const Result<std::string> text = t->Render({{"messages", messages}}, options);
  ASSERT_OK(text);
  EXPECT_EQ(text->size(), 2000u * 2002u);
}

TEST(TemplateTest, BytesThatAreNotUtf8AreKept) {
  EXPECT_EQ(RenderOrError("{{ s }}{{ s|length }}{{ s[1] }}", {{"s",
                                                               "a\xff"
                                                               "b"}}),
            "a\xff"
            "b3\xff");
}

TEST(TemplateTest, ClockIsTheSystemsUnlessFixed) {
  const Result<Template> t = Template::Parse("{{ strftime_now('%Y') }}");
  ASSERT_OK(t);
  const Result<std::string> year = t->Render(Json::object());
  ASSERT_OK(year);
  EXPECT_GE(std::stoi(*year), 2024);
  EXPECT_EQ(RenderOrError("{{ strftime_now('%Y-%m-%d %H:%M:%S') }}"), "2026-09-28 00:41:12");
}

TEST(TemplateTest, OneTemplateManyThreads) {
  const Result<Template> t = Template::Parse(
      "{% macro f(n) %}{{ n }}{% if n > 0 %},{{ f(n - 1) }}{% endif %}{% endmacro %}"
      "{% for i in range(20) %}{{ f(i) }};{% endfor %}{{ who }}");
  ASSERT_OK(t);
  const Result<std::string> expected = t->Render({{"who", ""}});
  ASSERT_OK(expected);
  std::vector<std::thread> threads;
  std::vector<std::string> results(4);
  for (size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 10; ++round) {
        const Result<std::string> text = t->Render({{"who", std::to_string(i)}});
        results[i] = text.ok() ? *text : text.status().message();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i], *expected + std::to_string(i));
}

TEST(ParseDateTimeTest, ReadsOnlyRealTimes) {
  const Result<DateTime> now = ParseDateTime("2024-02-29 23:59:58");
  ASSERT_OK(now);
  EXPECT_EQ(now->year, 2024);
  EXPECT_EQ(now->month, 2);
  EXPECT_EQ(now->day, 29);
  EXPECT_EQ(now->hour, 23);
  EXPECT_EQ(now->minute, 59);
  EXPECT_EQ(now->second, 58);
  for (const char* text : {"", "2024-02-30 00:00:00", "2023-02-29 00:00:00", "2024-13-01 00:00:00",
                           "2024-01-01 24:00:00", "2024-01-01", "2024-01-01 00:00:00 ", "now"}) {
    EXPECT_EQ(ParseDateTime(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace rocforge::text::chat
