// What a hostile or broken template cannot do.
#include <chrono>

#include "tests/testing.h"
#include "text/chat/template.h"

namespace rocforge::text::chat {
namespace {

using Json = nlohmann::ordered_json;

Status RenderStatus(std::string_view source, const RenderOptions& options = {},
                    const Json& variables = Json::object()) {
  const Result<Template> t = Template::Parse(source);
  if (!t.ok()) return t.status();
  return t->Render(variables, options).status();
}

void ExpectExhausted(std::string_view source, const RenderOptions& options = {}) {
  const Status status = RenderStatus(source, options);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << source.substr(0, 200) << "\n"
                                                           << status.message();
}

std::string Repeat(std::string_view s, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += s;
  return out;
}

RenderOptions FewSteps() {
  RenderOptions options;
  options.max_steps = 200'000;
  return options;
}

TEST(JinjaLimitsTest, Steps) {
  const std::string loops =
      "{% for a in range(9999) %}{% for b in range(9999) %}"
      "{% for c in range(9999) %}";
  const Status status = RenderStatus("\n" + loops + Repeat("{% endfor %}", 3), FewSteps());
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "line 2: the template takes more than 200000 steps");
  // A filter that never lets an item through, and a comparison that is exponential in the template.
  ExpectExhausted(
      "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}"
      "{% endfor %}",
      FewSteps());
  ExpectExhausted(
      "{% set n = namespace(a=[1], b=[1]) %}{% for i in range(60) %}"
      "{% set n.a = [n.a, n.a] %}{% set n.b = [n.b, n.b] %}{% endfor %}"
      "{{ n.a == n.b }}",
      FewSteps());
  ExpectExhausted(
      "{% set n = namespace(a=[1]) %}{% for i in range(60) %}"
      "{% set n.a = [n.a, n.a] %}{% endfor %}{{ n.a|tojson }}",
      FewSteps());
}

// Work on long strings counts, not only the number of operations.
TEST(JinjaLimitsTest, StepsOnLongStrings) {
  const std::string big = "{% set s = 'ab' * 500000 %}{% for i in range(19999) %}";
  for (const char* operation :
       {"{{ s == s ~ '' }}", "{{ 'zz' in s }}", "{{ s|length }}", "{{ s.find('zz') }}",
        "{% set t = s|upper|length %}", "{{ s.count('ab') }}", "{{ s|int }}", "{{ s|wordcount }}",
        "{{ s.isalpha() }}", "{{ s < s }}", "{% set t = s.split('x') %}", "{% set t = s|e %}",
        "{{ {s: 1}[s] }}", "{% set t = s|tojson %}", "{% set t = s[::2] %}", "{{ s[-1] }}"}) {
    RenderOptions options = FewSteps();
    options.max_steps = 200'000;
    const auto start = std::chrono::steady_clock::now();
    ExpectExhausted(big + operation + "{% endfor %}", options);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20)) << operation;
  }
  // A needle that makes a naive search quadratic.
  const auto start = std::chrono::steady_clock::now();
  EXPECT_OK(
      RenderStatus("{% set s = 'a' * 1000000 %}{% set n = 'a' * 500000 ~ 'b' %}"
                   "{{ n in s }}{{ s.rfind('b' ~ n) }}{{ s.replace(n, '')|length }}"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(JinjaLimitsTest, Memory) {
  RenderOptions options;
  options.max_memory_bytes = size_t{8} << 20;
  ExpectExhausted(
      "{% set n = namespace(s='xxxxxxxx') %}{% for i in range(99) %}"
      "{% set n.s = n.s ~ n.s %}{% endfor %}",
      options);
  ExpectExhausted(
      "{% set n = namespace(l=[1]) %}{% for i in range(99) %}"
      "{% set n.l = n.l + n.l %}{% endfor %}",
      options);
  for (const char* expression : {"'x' * 999999999999",
                                 "[1] * 999999999999",
                                 "'x'.center(999999999999)",
                                 "'x'|center(999999999999)",
                                 "'x'.zfill(99999999)",
                                 "'x'.ljust(99999999, 'é')",
                                 "'%99999999d' % 1",
                                 "'%.99999999f' % 1",
                                 "'{:99999999}'.format(1)",
                                 "'x' * 99999999",
                                 "'{:>{}}'.format(1, 99999999)",
                                 "('a' * 999999).replace('', 'y' * 99)",
                                 "(['x' * 999] * 999)|join('y' * 9999)",
                                 "[1]|batch(999999999, 2)|list",
                                 "('\\n' * 99999)|indent(9999, true, true)",
                                 "('a\\t' * 99999).expandtabs(9999)",
                                 "range(99999)|list + range(99999)|list + range(99999)|list",
                                 "('<' * 4000000)|e",
                                 "[1]|slice(99999999)|list",
                                 "[[1]]|tojson(indent='x' * 9999999)",
                                 "(('a' * 99999)|list|map('list')|list)"}) {
    const Status status = RenderStatus(std::string("{% set v = ") + expression + " %}", options);
    EXPECT_FALSE(status.ok()) << expression;
    EXPECT_NE(status.code(), StatusCode::kInternal) << expression;
  }
}

TEST(JinjaLimitsTest, Output) {
  RenderOptions options;
  options.max_output_bytes = 1000;
  ExpectExhausted("{% for i in range(999) %}xx{% endfor %}", options);
  ExpectExhausted("{% set t %}{% for i in range(999) %}xx{% endfor %}{% endset %}", options);
  options.max_output_bytes = 1998;
  EXPECT_OK(RenderStatus("{% for i in range(999) %}xx{% endfor %}", options));
}

TEST(JinjaLimitsTest, Recursion) {
  ExpectExhausted("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}");
  ExpectExhausted(
      "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}");
  ExpectExhausted(
      "{% macro f(x) %}{% if true %}{% for i in [1] %}{% set y %}{% filter upper %}"
      "{% with %}{{ (f([x]) ~ 1)|upper|replace('a', f(2)) }}{% endwith %}{% endfilter %}"
      "{% endset %}{% endfor %}{% endif %}{% endmacro %}{{ f(1) }}");
  ExpectExhausted("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}");
  ExpectExhausted("{% macro f(a=f()) %}{% endmacro %}{{ f() }}");
  // 100 levels are fine.
  EXPECT_OK(RenderStatus(
      "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(100) }}"));
}

// Values that are too deep for any recursive operation, and values that contain themselves.
TEST(JinjaLimitsTest, DeepValues) {
  const std::string deep =
      "{% set n = namespace(l=[1], d={}, t=(1,), m=[1]) %}"
      "{% for i in range(50000) %}{% set n.l = [n.l] %}{% set n.m = [n.m] %}"
      "{% set n.d = {'k': n.d} %}{% set n.t = (n.t,) %}{% endfor %}";
  for (const char* operation :
       {"{{ n.l }}", "{{ n.d }}", "{{ n.l|tojson }}", "{{ n.d|tojson }}", "{{ n.l == n.m }}",
        "{{ n.l < n.m }}", "{{ {n.t: 1} }}", "{{ [n.t]|unique|list }}", "{{ n.d|pprint }}",
        "{{ {}[n.t] }}", "{{ '%s' % n.l }}", "{{ '{}'.format(n.d) }}", "{{ n.l|string }}"}) {
    RenderOptions options;
    ExpectExhausted(deep + operation, options);
  }
  ExpectExhausted("{% set n = namespace() %}{% set n.self = n %}{{ n }}");
  ExpectExhausted("{% set n = namespace() %}{% set n.l = [n] %}{{ n.l }}");
}

TEST(JinjaLimitsTest, DeepVariables) {
  Json deep = Json::array();
  for (int i = 0; i < 100'000; ++i) deep = Json::array({std::move(deep)});
  EXPECT_EQ(RenderStatus("x", {}, {{"v", std::move(deep)}}).code(), StatusCode::kResourceExhausted);
}

TEST(JinjaLimitsTest, DeepTemplatesAreRefused) {
  const auto expect_refused = [](const std::string& source) {
    const Result<Template> t = Template::Parse(source);
    EXPECT_EQ(t.status().code(), StatusCode::kInvalidArgument) << source.substr(0, 60);
  };
  for (const char* open :
       {"(", "[", "{1:", "-", "not ", "x[", "f(", "x if x else ", "x is y(", "x|f(", "{'a':[("}) {
    expect_refused("{{ " + Repeat(open, 100'000) + "1");
  }
  for (const char* chain :
       {"+1", "|upper", ".a", "[0]", "()", " is odd", " and 1", " or 1", "**2", "*1", " if 1"}) {
    expect_refused("{{ x" + Repeat(chain, 50'000) + " }}");
  }
  for (const char* open :
       {"{% if 1 %}", "{% for x in y %}", "{% set x %}", "{% macro m() %}", "{% call f() %}",
        "{% filter upper %}", "{% with %}", "{% generation %}"}) {
    expect_refused(Repeat(open, 20'000));
  }
  expect_refused("{% set " + Repeat("(", 100'000) + "a");
  // Long, but not deep.
  EXPECT_OK(RenderStatus("{{ 1" + Repeat(" ~ 1", 10'000) + " }}"));
  EXPECT_OK(RenderStatus("{{ [1" + Repeat(", 1", 10'000) + "] }}"));
  EXPECT_OK(RenderStatus("{{ 1" + Repeat(" < 2", 1) + Repeat(" == 2", 5'000) + " }}"));
  EXPECT_OK(RenderStatus("{% if 0 %}" + Repeat("{% elif 0 %}", 10'000) + "{% endif %}"));
  EXPECT_OK(RenderStatus(Repeat("{% if 1 %}", 100) + Repeat("{% endif %}", 100)));
}

TEST(JinjaLimitsTest, LargeTemplatesAreRefused) {
  EXPECT_EQ(Template::Parse(std::string((1 << 20) + 1, 'x')).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_OK(Template::Parse(std::string(1 << 20, 'x')));
}

// Parsing takes time in proportion to the source, however many scopes and names it has.
TEST(JinjaLimitsTest, ParsingIsNotQuadratic) {
  std::string source;
  for (int i = 0; i < 12'000; ++i) {
    const std::string n = std::to_string(i);
    source += "{% if a" + n + " %}{% set b" + n + " = c" + n + " %}{% endif %}";
  }
  std::string nested = Repeat("{% for i in x %}", 150);
  for (int i = 0; i < 20'000; ++i) nested += "{{ v" + std::to_string(i) + " }}";
  nested += Repeat("{% endfor %}", 150);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_OK(Template::Parse(source));
  EXPECT_OK(Template::Parse(nested));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

}  // namespace
}  // namespace rocforge::text::chat
