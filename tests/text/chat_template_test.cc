#include "text/chat/chat_template.h"

#include <filesystem>

#include "gguf/writer.h"
#include "tests/testing.h"

namespace rocforge::text::chat {
namespace {

using Json = nlohmann::ordered_json;

TEST(ParseChatTemplateInputTest, ReadsAllFields) {
  const Result<ChatTemplateInput> input = ParseChatTemplateInput(Json::parse(R"({
    "name": "case", "messages": [{"role": "user", "content": "hi"}], "tools": [{"type": "x"}],
    "add_generation_prompt": false, "bos_token": "<s>", "eos_token": null,
    "extra": {"enable_thinking": true}, "expected": "", "error": null})"));
  ASSERT_OK(input);
  EXPECT_EQ(input->messages.size(), 1u);
  EXPECT_EQ(input->tools.size(), 1u);
  EXPECT_FALSE(input->add_generation_prompt);
  EXPECT_EQ(input->bos_token, "<s>");
  EXPECT_EQ(input->eos_token, "");
  EXPECT_EQ(input->extra["enable_thinking"], true);
}

TEST(ParseChatTemplateInputTest, NamesWhatIsWrong) {
  const auto message = [](const char* json) {
    const Result<ChatTemplateInput> input = ParseChatTemplateInput(Json::parse(json));
    EXPECT_EQ(input.status().code(), StatusCode::kInvalidArgument) << json;
    return input.status().message();
  };
  EXPECT_EQ(message("[]"),
            "the input must be a JSON object with the field 'messages', not an array");
  EXPECT_EQ(message("{}"), "the field 'messages' is missing");
  EXPECT_EQ(message(R"({"messages": "hi"})"),
            "'messages' must be an array of messages, not string");
  EXPECT_EQ(message(R"({"messages": [], "tools": {}})"),
            "'tools' must be an array of tools or null, not object");
  EXPECT_EQ(message(R"({"messages": [], "add_generation_prompt": 1})"),
            "'add_generation_prompt' must be true or false, not number");
}

TEST(ParseChatTemplateInputTest, ReportsUnknownFields) {
  std::vector<std::string> unknown;
  const Json json = Json::parse(
      R"({"messages": [], "enable_thinking": true, "expected": "x", "error_message": null})");
  ASSERT_OK(ParseChatTemplateInput(json, &unknown));
  EXPECT_EQ(unknown, std::vector<std::string>{"enable_thinking"});
}

TEST(RenderChatTest, PassesTheVariablesOfTransformers) {
  const Result<Template> t = Template::Parse(
      "{{ messages|length }} {{ tools }} {{ documents }} {{ add_generation_prompt }} "
      "{{ bos_token }} {{ eos_token }} {{ mood }} {{ nothing is defined }}");
  ASSERT_OK(t);
  ChatTemplateInput input;
  input.messages = Json::parse(R"([{"role": "user", "content": "hi"}])");
  input.bos_token = "<s>";
  input.eos_token = "</s>";
  input.extra = {{"mood", "good"}};
  const Result<std::string> text = RenderChat(*t, input);
  ASSERT_OK(text);
  EXPECT_EQ(*text, "1 None None True <s> </s> good False");
}

TEST(RenderChatTest, ExtraVariablesWin) {
  const Result<Template> t = Template::Parse("{{ bos_token }}");
  ASSERT_OK(t);
  ChatTemplateInput input;
  input.bos_token = "<s>";
  input.extra = {{"bos_token", "other"}};
  const Result<std::string> text = RenderChat(*t, input);
  ASSERT_OK(text);
  EXPECT_EQ(*text, "other");
}

gguf::KeyValue Text(std::string key, std::string value) {
  return {std::move(key), {gguf::ValueType::kString, std::move(value)}};
}
gguf::KeyValue Id(std::string key, uint64_t id) {
  return {std::move(key), {gguf::ValueType::kUint32, id}};
}
gguf::KeyValue Tokens(std::vector<std::string> tokens) {
  return {"tokenizer.ggml.tokens",
          {gguf::ValueType::kArray, gguf::Array{gguf::ValueType::kString, std::move(tokens)}}};
}

// A model file that has nothing but metadata.
class ModelFile {
 public:
  explicit ModelFile(const std::vector<gguf::KeyValue>& metadata) {
    Result<gguf::Writer> writer = gguf::Writer::Create(folder_.File("m.gguf"), metadata, {});
    EXPECT_OK(writer);
    if (writer.ok()) {
      EXPECT_OK(writer->Finish());
    }
  }
  gguf::File Open() const {
    Result<gguf::File> file = gguf::File::Open(folder_.File("m.gguf"));
    EXPECT_OK(file);
    return file.ok() ? std::move(*file) : gguf::File();
  }

 private:
  ::rocforge::testing::TempDir folder_;
};

TEST(LoadChatTemplateTest, ReadsTemplatesAndTokens) {
  const ModelFile model(
      {Text("general.architecture", "llama"), Text("tokenizer.chat_template", "plain"),
       Text("tokenizer.chat_template.tool_use", "with tools"), Tokens({"<unk>", "<s>", "</s>"}),
       Id("tokenizer.ggml.bos_token_id", 1), Id("tokenizer.ggml.eos_token_id", 2)});
  const gguf::File file = model.Open();
  EXPECT_EQ(ChatTemplateNames(file), (std::vector<std::string>{"", "tool_use"}));
  const Result<ModelChatTemplate> plain = LoadChatTemplate(file);
  ASSERT_OK(plain);
  EXPECT_EQ(plain->source, "plain");
  EXPECT_EQ(plain->bos_token, "<s>");
  EXPECT_EQ(plain->eos_token, "</s>");
  const Result<ModelChatTemplate> tools = LoadChatTemplate(file, "tool_use");
  ASSERT_OK(tools);
  EXPECT_EQ(tools->source, "with tools");
  EXPECT_EQ(LoadChatTemplate(file, "rag").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(LoadChatTemplate(file, "rag").status().message(),
            "the model has no chat template 'rag' (it has the unnamed one, 'tool_use')");

  ChatTemplateInput input;
  EXPECT_EQ(DefaultChatTemplateName(file, input), "");
  input.tools = Json::array();
  EXPECT_EQ(DefaultChatTemplateName(file, input), "");
  input.tools.push_back(Json::object());
  EXPECT_EQ(DefaultChatTemplateName(file, input), "tool_use");
}

TEST(LoadChatTemplateTest, MissingTokensAreEmptyAndWrongOnesAnError) {
  const ModelFile none({Text("general.architecture", "llama"), Text("tokenizer.chat_template", "x"),
                        Tokens({"a"}), Id("tokenizer.ggml.eos_token_id", UINT32_MAX)});
  const Result<ModelChatTemplate> loaded = LoadChatTemplate(none.Open());
  ASSERT_OK(loaded);
  EXPECT_EQ(loaded->bos_token, "");
  EXPECT_EQ(loaded->eos_token, "");
  const ModelFile wrong({Text("general.architecture", "llama"),
                         Text("tokenizer.chat_template", "x"), Tokens({"a"}),
                         Id("tokenizer.ggml.bos_token_id", 1)});
  EXPECT_EQ(LoadChatTemplate(wrong.Open()).status().code(), StatusCode::kDataLoss);
}

TEST(LoadChatTemplateTest, ModelsWithoutTemplateSaySo) {
  const ModelFile model({Text("general.architecture", "llama")});
  const gguf::File file = model.Open();
  EXPECT_TRUE(ChatTemplateNames(file).empty());
  EXPECT_EQ(LoadChatTemplate(file).status().message(), "the model has no chat template");
}

// Every published template of the reference data on every conversation, byte for byte.
TEST(RenderChatTest, MatchesReferenceData) {
  ROCFORGE_REQUIRE_TESTDATA(folder, "chat");
  int matched = 0, refused = 0, skipped = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    const Json file = Json::parse(::rocforge::testing::ReadFileOrFail(entry.path()));
    const std::string source =
        ::rocforge::testing::ReadFileOrFail(entry.path().parent_path() / file["template"]);
    const Result<Template> t = Template::Parse(source);
    ASSERT_OK(t);
    RenderOptions options;
    const Result<DateTime> now = ParseDateTime(file["strftime_now"].get<std::string>());
    ASSERT_OK(now);
    options.now = *now;
    for (const Json& test_case : file["cases"]) {
      SCOPED_TRACE(entry.path().filename().string() + ": " + test_case.dump());
      const Result<ChatTemplateInput> input = ParseChatTemplateInput(test_case);
      ASSERT_OK(input);
      const Result<std::string> text = RenderChat(*t, *input, options);
      if (test_case["error"].is_null()) {
        ASSERT_OK(text);
        EXPECT_EQ(*text, test_case["expected"].get<std::string>());
        ++matched;
      } else if (test_case["error"] == "raise_exception") {
        EXPECT_EQ(text.status().code(), StatusCode::kInvalidArgument);
        EXPECT_EQ(text.status().message(), test_case["error_message"].get<std::string>());
        ++refused;
      } else {
        ++skipped;
      }
    }
  }
  EXPECT_GE(matched, 200);
  EXPECT_GE(refused, 10);
  std::printf("%d renderings match, %d inputs are refused as they must be, %d skipped\n", matched,
              refused, skipped);
}

}  // namespace
}  // namespace rocforge::text::chat
