#include "session/conversation.h"

#include <nlohmann/json.hpp>

#include "tests/session/toy_session.h"

namespace rocforge::session {
namespace {

constexpr const char* kTemplate =
    "{% for m in messages %}{{ m.role[0] }}:{{ m.content }};{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}";

class ConversationTest : public ::testing::Test {
 protected:
  explicit ConversationTest(int32_t n_ctx = 256) : toy_(n_ctx, 1, kTemplate) {}

  void SetUp() override {
    ASSERT_TRUE(toy_);
    Result<std::unique_ptr<Conversation>> made = Conversation::Create(&toy_.model());
    ASSERT_OK(made);
    chat_ = std::move(*made);
  }

  GenerateRequest Request(int64_t max_tokens = 6) { return Greedy({}, max_tokens); }

  // What a fresh conversation with the same messages answers.
  std::string FreshAnswer(std::vector<ChatMessage> messages) {
    Result<std::unique_ptr<Conversation>> made = Conversation::Create(&toy_.model());
    EXPECT_OK(made);
    for (ChatMessage& m : messages) {
      if (m.role == "system") (*made)->SetSystem(m.content);
    }
    nlohmann::json list = nlohmann::json::array();
    for (const ChatMessage& m : messages) {
      list.push_back({{"role", m.role}, {"content", m.content}});
    }
    EXPECT_OK((*made)->Load(nlohmann::json{{"messages", list}}.dump()));
    EXPECT_OK((*made)->Reply(Request(), {}));
    return (*made)->messages().back().content;
  }

  ToySession toy_;
  std::unique_ptr<Conversation> chat_;
};

TEST_F(ConversationTest, TurnsKeepTheCache) {
  chat_->SetSystem("be kind");
  chat_->AddUser("hello");
  const Result<GenerateOutcome> first = chat_->Reply(Request(), {});
  ASSERT_OK(first);
  EXPECT_EQ(first->stats.reused_tokens, 0);
  ASSERT_EQ(chat_->messages().size(), 3u);
  EXPECT_EQ(chat_->messages()[2].role, "assistant");

  chat_->AddUser("more");
  const std::vector<ChatMessage> before = chat_->messages();
  const Result<GenerateOutcome> second = chat_->Reply(Request(), {});
  ASSERT_OK(second);
  // At least what was fed as the first prompt.
  EXPECT_GE(second->stats.reused_tokens, first->stats.prompt_tokens);
  EXPECT_EQ(chat_->messages().back().content, FreshAnswer(before));
}

TEST_F(ConversationTest, UndoAndAnotherAnswer) {
  EXPECT_FALSE(chat_->Undo());
  EXPECT_FALSE(chat_->DropAnswer());
  chat_->AddUser("one");
  ASSERT_OK(chat_->Reply(Request(), {}));
  const std::vector<ChatMessage> after_one = chat_->messages();
  chat_->AddUser("two");
  ASSERT_OK(chat_->Reply(Request(), {}));
  EXPECT_TRUE(chat_->Undo());
  EXPECT_EQ(chat_->messages(), after_one);

  EXPECT_TRUE(chat_->DropAnswer());
  EXPECT_EQ(chat_->messages().size(), 1u);
  ASSERT_OK(chat_->Reply(Request(), {}));
  EXPECT_EQ(chat_->messages(), after_one) << "greedy: the same answer again";
}

TEST_F(ConversationTest, TheSystemMessageMayComeAndGo) {
  chat_->AddUser("one");
  ASSERT_OK(chat_->Reply(Request(), {}));
  chat_->SetSystem("brief");
  EXPECT_EQ(chat_->system(), "brief");
  chat_->AddUser("two");
  const std::vector<ChatMessage> before = chat_->messages();
  ASSERT_OK(chat_->Reply(Request(), {}));
  EXPECT_EQ(chat_->messages().back().content, FreshAnswer(before));
  chat_->Clear();
  EXPECT_EQ(chat_->messages().size(), 1u);
  chat_->SetSystem("");
  EXPECT_TRUE(chat_->messages().empty());
}

TEST_F(ConversationTest, NothingToAnswer) {
  EXPECT_EQ(chat_->Reply(Request(), {}).status().code(), StatusCode::kFailedPrecondition);
  chat_->SetSystem("x");
  EXPECT_EQ(chat_->Reply(Request(), {}).status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(ConversationTest, SaveAndLoad) {
  chat_->SetSystem("s \"quoted\" \n");
  chat_->AddUser("h\xC3\xA9llo");
  ASSERT_OK(chat_->Reply(Request(), {}));
  const std::string saved = chat_->Save();
  const std::vector<ChatMessage> messages = chat_->messages();
  chat_->SetSystem("");
  chat_->Clear();
  ASSERT_OK(chat_->Load(saved));
  EXPECT_EQ(chat_->messages(), messages);
  for (const char* bad : {"", "[]", "{}", "{\"messages\": 3}", "{\"messages\": [1]}",
                          "{\"messages\": [{\"role\": \"user\"}]}",
                          "{\"messages\": [{\"role\": \"root\", \"content\": \"x\"}]}"}) {
    EXPECT_EQ(chat_->Load(bad).code(), StatusCode::kInvalidArgument) << bad;
    EXPECT_EQ(chat_->messages(), messages);
  }
}

TEST_F(ConversationTest, AnInterruptedAnswerStays) {
  chat_->AddUser("hello");
  int calls = 0;
  GenerateCallbacks callbacks;
  callbacks.cancelled = [&] { return ++calls > 5; };
  std::string shown;
  callbacks.on_text = [&](std::string_view text) { shown += text; };
  const Result<GenerateOutcome> outcome = chat_->Reply(Request(50), callbacks);
  ASSERT_OK(outcome);
  EXPECT_EQ(outcome->reason, FinishReason::kCancelled);
  EXPECT_EQ(chat_->messages().back().content, shown);
}

class SmallContextTest : public ConversationTest {
 protected:
  SmallContextTest() : ConversationTest(48) {}
};

TEST_F(SmallContextTest, FullContextIsAnErrorWithoutShift) {
  for (int i = 0; i < 20; ++i) {
    chat_->AddUser("hello");
    const size_t before = chat_->messages().size();
    const Result<GenerateOutcome> outcome = chat_->Reply(Request(4), {});
    if (outcome.ok()) continue;
    EXPECT_EQ(outcome.status().code(), StatusCode::kResourceExhausted);
    EXPECT_EQ(chat_->messages().size(), before);
    return;
  }
  FAIL() << "the context never filled";
}

TEST_F(SmallContextTest, ShiftLeavesOldTurnsOut) {
  chat_->SetSystem("sys");
  GenerateRequest request = Request(4);
  request.context_shift = true;
  int64_t left_out = 0;
  for (int i = 0; i < 20; ++i) {
    chat_->AddUser("hello");
    ASSERT_OK(chat_->Reply(request, {}));
    left_out = chat_->left_out();
    EXPECT_EQ(left_out % 2, 0) << "a question goes with its answer";
  }
  EXPECT_GT(left_out, 20);
  EXPECT_EQ(chat_->messages().size(), 41u) << "the history itself is kept";

  chat_->AddUser(std::string(100, 'x'));
  EXPECT_EQ(chat_->Reply(request, {}).status().code(), StatusCode::kResourceExhausted);
}

TEST(ConversationCreateTest, NeedsATemplate) {
  ToySession toy;
  ASSERT_TRUE(toy);
  EXPECT_EQ(Conversation::Create(&toy.model()).status().code(), StatusCode::kNotFound);
  ToySession broken(64, 1, "{% for %}");
  ASSERT_TRUE(broken) << "a broken template is no error before it is used";
  const Status status = Conversation::Create(&broken.model()).status();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("template"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace rocforge::session
