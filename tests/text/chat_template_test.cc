#include "text/chat/chat_template.h"

#include <filesystem>

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
  EXPECT_NE(message(R"({"messages": [], "enable_thinking": true})").find("unknown field"),
            std::string::npos);
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
    ASSERT_OK(t) << entry.path();
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
        // The template's own words, without a line number.
        EXPECT_NE(text.status().message().substr(0, 5), "line ");
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
