// `rocforge template`: prompts from files and models, and how it fails.
#include <fstream>

#include "gguf/writer.h"
#include "tests/e2e/process.h"
#include "tests/testing.h"

namespace rocforge::testing {
namespace {

class TemplateCommandTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = folder_.File(name);
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  // A model that is nothing but its templates and tokens.
  std::string Model() {
    using gguf::ValueType;
    const auto text = [](std::string key, std::string value) {
      return gguf::KeyValue{std::move(key), {ValueType::kString, std::move(value)}};
    };
    const std::vector<gguf::KeyValue> metadata = {
        text("general.architecture", "llama"),
        text("tokenizer.chat_template", "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"),
        text("tokenizer.chat_template.tool_use", "tools: {{ tools | tojson }}"),
        {"tokenizer.ggml.tokens",
         {ValueType::kArray,
          gguf::Array{ValueType::kString, std::vector<std::string>{"<s>", "</s>"}}}},
        {"tokenizer.ggml.bos_token_id", {ValueType::kUint32, uint64_t{0}}},
        {"tokenizer.ggml.eos_token_id", {ValueType::kUint32, uint64_t{1}}}};
    const std::string path = folder_.File("model.gguf");
    Result<gguf::Writer> writer = gguf::Writer::Create(path, metadata, {});
    EXPECT_OK(writer);
    if (writer.ok()) {
      EXPECT_OK(writer->Finish());
    }
    return path;
  }

  TempDir folder_;
};

constexpr const char* kHi = R"({"messages": [{"role": "user", "content": "Hi ü"}]})";

TEST_F(TemplateCommandTest, RendersAFileExactly) {
  const std::string source =
      Write("t.jinja", "{% for m in messages %}\n[{{ m.role }}]{{ m.content }}\n{% endfor %}\n");
  const Finished file =
      RunRocforge({"template", "--template", source, "--input", Write("in.json", kHi)});
  EXPECT_EQ(file.exit_code, 0) << file.err;
  EXPECT_EQ(file.out, "[user]Hi ü\n");
  EXPECT_EQ(file.err, "");
  const Finished piped = RunRocforge({"template", "--template", source, "--input", "-"}, kHi);
  EXPECT_EQ(piped.out, file.out);
}

TEST_F(TemplateCommandTest, TakesTemplateAndTokensFromTheModel) {
  const std::string model = Model();
  EXPECT_EQ(RunRocforge({"template", "-m", model, "--input", "-"}, kHi).out, "<s>Hi ü</s>");
  EXPECT_EQ(RunRocforge({"template", "-m", model, "--input", "-"},
                        R"({"messages": [{"content": "x"}], "bos_token": "B", "eos_token": ""})")
                .out,
            "Bx");
  EXPECT_EQ(RunRocforge({"template", "-m", model, "--name", "tool_use", "--input", "-"}, kHi).out,
            "tools: null");
  // With tools, the template for tools; unless the other one is asked for.
  const std::string tools = R"({"messages": [{"content": "x"}], "tools": [{"b": 1, "a": 2}]})";
  EXPECT_EQ(RunRocforge({"template", "-m", model, "--input", "-"}, tools).out,
            R"(tools: [{"b": 1, "a": 2}])");
  EXPECT_EQ(RunRocforge({"template", "-m", model, "--name", "", "--input", "-"}, tools).out,
            "<s>x</s>");
  const Finished wrong =
      RunRocforge({"template", "-m", model, "--name", "rag", "--input", "-"}, kHi);
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_EQ(wrong.out, "");
  EXPECT_NE(wrong.err.find("no chat template 'rag' (it has the unnamed one, 'tool_use')"),
            std::string::npos)
      << wrong.err;
}

TEST_F(TemplateCommandTest, FixesTheClock) {
  const std::string source = Write("t.jinja", "{{ strftime_now('%d %B %Y, %H:%M:%S') }}");
  EXPECT_EQ(
      RunRocforge(
          {"template", "--template", source, "--input", "-", "--now", "2026-09-28 00:41:12"}, kHi)
          .out,
      "28 September 2026, 00:41:12");
  const Finished wrong =
      RunRocforge({"template", "--template", source, "--input", "-", "--now", "yesterday"}, kHi);
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.err.find("YYYY-mm-dd HH:MM:SS"), std::string::npos) << wrong.err;
}

TEST_F(TemplateCommandTest, FailsInOneLine) {
  const std::string good = Write("good.jinja", "x");
  const auto run = [&](const std::string& source, const std::string& in) {
    return RunRocforge({"template", "--template", source, "--input", "-"}, in);
  };
  struct Case {
    std::string source, in, message;
  };
  const Case cases[] = {
      {Write("a.jinja", "{% if %}"), kHi, "a.jinja: line 1: Expected an expression"},
      {Write("b.jinja", "\n{{ messages.x.y }}"), kHi, "b.jinja: line 2: 'list object' has no"},
      {Write("c.jinja", "{{ raise_exception('no\x1b!') }}"), kHi,
       "c.jinja: the template refuses this input: no\\x1b!"},
      {folder_.File("absent.jinja"), kHi, "absent.jinja: No such file"},
      {good, "{\"messages\": [}", "standard input: parse error at line 1, column 15"},
      {good, "[]", "standard input: the input must be a JSON object"},
      {good, "{}", "standard input: the field 'messages' is missing"},
      {good, R"({"messages": "x"})", "'messages' must be an array"},
      {Write("d.jinja",
             "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}"
             "{% endfor %}"),
       kHi, "d.jinja: line 1: the template takes more than 50000000 steps"},
  };
  for (const Case& c : cases) {
    const Finished result = run(c.source, c.in);
    EXPECT_EQ(result.exit_code, 1) << c.message;
    EXPECT_EQ(result.out, "") << c.message;
    EXPECT_EQ(result.err.substr(0, 7), "error: ") << result.err;
    EXPECT_NE(result.err.find(c.message), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
  }
}

TEST_F(TemplateCommandTest, WrongCommandLines) {
  const std::string source = Write("t.jinja", "x");
  EXPECT_EQ(RunRocforge({"template", "--template", source}).exit_code, 2);
  EXPECT_EQ(RunRocforge({"template", "--input", "-"}, kHi).exit_code, 2);
  EXPECT_EQ(
      RunRocforge({"template", "-m", "x", "--template", source, "--input", "-"}, kHi).exit_code, 2);
}

TEST_F(TemplateCommandTest, SaysWhichFieldsItIgnores) {
  const Finished result =
      RunRocforge({"template", "--template", Write("t.jinja", "x"), "--input", "-"},
                  R"({"messages": [], "enable_thinking": true, "expected": "x"})");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "x");
  EXPECT_EQ(
      result.err,
      "note: the field 'enable_thinking' is ignored; variables of a template go into extra\n");
}

}  // namespace
}  // namespace rocforge::testing
