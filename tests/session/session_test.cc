#include "session/session.h"

#include <cmath>
#include <random>

#include "tests/session/toy_session.h"

namespace rocforge::session {
namespace {

int32_t Argmax(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// Next tokens by feeding everything anew each time: slow and simple.
std::vector<int32_t> GreedyReference(
    TextModel& model, std::vector<int32_t> tokens, int n,
    const std::function<void(std::vector<int32_t>&)>& before_step) {
  engine::Engine& engine = model.engine();
  const Result<engine::SequenceId> sequence = engine.NewSequence();
  EXPECT_OK(sequence);
  std::vector<int32_t> out;
  for (int i = 0; i < n; ++i) {
    EXPECT_OK(engine.Truncate(*sequence, 0));
    EXPECT_OK(engine.Prefill(*sequence, tokens, nullptr));
    out.push_back(Argmax(engine.logits(engine.n_logits() - 1)));
    if (before_step) before_step(tokens);
    tokens.push_back(out.back());
  }
  engine.FreeSequence(*sequence);
  return out;
}

TEST(SessionTest, GreedyIsTheArgmaxAtEachStep) {
  ToySession toy;
  ASSERT_TRUE(toy);
  const std::vector<int32_t> prompt = {kBos, 70, 80, 90};
  const Produced p = Generate(toy.session(), Greedy(prompt, 20));
  ASSERT_OK(p.status);
  EXPECT_EQ(p.ids, GreedyReference(toy.model(), prompt, 20, nullptr));
  EXPECT_EQ(p.outcome.reason, FinishReason::kLength);
  EXPECT_EQ(p.outcome.stats.prompt_tokens, 4);
  EXPECT_EQ(p.outcome.stats.generated_tokens, 20);
  EXPECT_EQ(p.outcome.stats.decode_steps, 19);
  EXPECT_GT(p.outcome.stats.decode_bytes, 0);
  EXPECT_GT(p.outcome.stats.first_token_seconds, 0);
}

TEST(SessionTest, CountsOneStepPerTokenAfterTheFirst) {
  ToySession toy;
  ASSERT_TRUE(toy);
  const int64_t before = toy.model().engine().counters().steps;
  ASSERT_OK(Generate(toy.session(), Greedy({kBos, 70}, 10)).status);
  EXPECT_EQ(toy.model().engine().counters().steps - before, 1 + 9);
}

TEST(SessionTest, ReusesWhatTheCacheHolds) {
  ToySession toy;
  ASSERT_TRUE(toy);
  std::vector<int32_t> prompt = {kBos, 70, 80, 90};
  const Produced first = Generate(toy.session(), Greedy(prompt, 8));
  ASSERT_OK(first.status);
  // The next turn: what was said, and more. The last generated token was never fed.
  prompt.insert(prompt.end(), first.ids.begin(), first.ids.end());
  const auto held = static_cast<int64_t>(prompt.size()) - 1;
  prompt.insert(prompt.end(), {100, 101});
  const Produced second = Generate(toy.session(), Greedy(prompt, 8));
  ASSERT_OK(second.status);
  EXPECT_EQ(second.outcome.stats.reused_tokens, held);
  const Produced fresh = Generate(*toy.NewSession(), Greedy(prompt, 8));
  EXPECT_EQ(fresh.outcome.stats.reused_tokens, 0);
  EXPECT_EQ(second.ids, fresh.ids);

  // An edit in the middle: only what stands before it is kept.
  prompt[3] = 91;
  const Produced edited = Generate(toy.session(), Greedy(prompt, 8));
  ASSERT_OK(edited.status);
  EXPECT_EQ(edited.outcome.stats.reused_tokens, 3);
  EXPECT_EQ(edited.ids, Generate(*toy.NewSession(), Greedy(prompt, 8)).ids);

  // The same prompt again: the last token is computed in any case.
  const Produced again = Generate(toy.session(), Greedy(prompt, 8));
  EXPECT_EQ(again.outcome.stats.reused_tokens, static_cast<int64_t>(prompt.size()) - 1);
  EXPECT_EQ(again.ids, edited.ids);
  EXPECT_EQ(toy.session().cached_tokens().size(), prompt.size() + 7);
  ASSERT_OK(toy.session().Clear());
  EXPECT_TRUE(toy.session().cached_tokens().empty());
}

TEST(SessionTest, EndOfTextTokens) {
  ToySession toy;
  ASSERT_TRUE(toy);
  GenerateRequest request = Greedy({kBos, 70}, 10);
  request.sampling.logit_bias = {{kEos, kAlways}};
  request.ignore_eos = false;
  const Produced stopped = Generate(toy.session(), request);
  ASSERT_OK(stopped.status);
  EXPECT_EQ(stopped.outcome.reason, FinishReason::kStop);
  EXPECT_EQ(stopped.ids, std::vector<int32_t>{kEos});
  EXPECT_EQ(stopped.text, "");

  request.ignore_eos = true;
  const Produced ignored = Generate(toy.session(), request);
  EXPECT_EQ(ignored.outcome.reason, FinishReason::kLength);
  EXPECT_EQ(ignored.ids, std::vector<int32_t>(10, kEos));

  request.show_special = true;
  request.max_tokens = 2;
  EXPECT_EQ(Generate(toy.session(), request).text, "</s></s>");
}

TEST(SessionTest, StopStringsAcrossTokens) {
  ToySession toy;
  ASSERT_TRUE(toy);
  GenerateRequest request = Greedy({kBos, 70}, 20);
  request.forced = Letters("hellothestop");
  request.stop = {"lot", "zzz"};
  const Produced p = Generate(toy.session(), request);
  ASSERT_OK(p.status);
  EXPECT_EQ(p.text, "hel");
  EXPECT_EQ(p.outcome.reason, FinishReason::kStop);
  EXPECT_EQ(p.outcome.stop_string, "lot");
  EXPECT_EQ(p.ids, Letters("hellot"));

  // The beginning of a stop string at the end of the text is text.
  request.forced = Letters("helz");
  request.max_tokens = 4;
  EXPECT_EQ(Generate(toy.session(), request).text, "helz");

  // Inside a character that came byte by byte.
  request.forced = {ByteToken(0xC3), ByteToken(0xA9), LetterToken('a'), LetterToken('b')};
  request.stop = {"\xC3\xA9"};
  EXPECT_EQ(Generate(toy.session(), request).text, "");
  request.stop = {"ab"};
  EXPECT_EQ(Generate(toy.session(), request).text, "\xC3\xA9");

  request.stop = {""};
  EXPECT_EQ(Generate(toy.session(), request).status.code(), StatusCode::kInvalidArgument);
}

TEST(SessionTest, HalfACharacterAtTheEndIsReplaced) {
  ToySession toy;
  ASSERT_TRUE(toy);
  GenerateRequest request = Greedy({kBos, 70}, 2);
  request.forced = {LetterToken('a'), ByteToken(0xE2)};
  EXPECT_EQ(Generate(toy.session(), request).text, "a\xEF\xBF\xBD");
}

TEST(SessionTest, TheContextIsALimit) {
  ToySession toy(32);
  ASSERT_TRUE(toy);
  const Produced p = Generate(toy.session(), Greedy({kBos, 70, 80}, kNoTokenLimit));
  ASSERT_OK(p.status);
  EXPECT_EQ(p.outcome.reason, FinishReason::kContext);
  EXPECT_EQ(p.outcome.stats.prompt_tokens + p.outcome.stats.generated_tokens, 32);

  // The token limit, if it comes with the end of the context, is the reason.
  EXPECT_EQ(Generate(toy.session(), Greedy({kBos, 70, 80}, 29)).outcome.reason,
            FinishReason::kLength);

  const std::vector<int32_t> full(32, 70);
  const Status no_room = Generate(toy.session(), Greedy(full, 1)).status;
  EXPECT_EQ(no_room.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(no_room.message().find("32"), std::string::npos) << no_room.message();
  EXPECT_OK(Generate(toy.session(), Greedy(full, 0)).status);
  EXPECT_EQ(Generate(toy.session(), Greedy(std::vector<int32_t>(33, 70), 0)).status.code(),
            StatusCode::kResourceExhausted);
}

TEST(SessionTest, ContextShiftGivesWhatTheShortenedTextWouldGive) {
  constexpr size_t kCtx = 24;
  for (const int32_t n_keep : {0, 5, -1}) {
    ToySession toy(kCtx);
    ASSERT_TRUE(toy);
    const std::vector<int32_t> prompt = {kBos, 70, 80, 90, 100, 110};
    GenerateRequest request = Greedy(prompt, 60);
    request.context_shift = true;
    request.n_keep = n_keep;
    const Produced p = Generate(toy.session(), request);
    ASSERT_OK(p.status);
    EXPECT_EQ(p.outcome.reason, FinishReason::kLength);
    EXPECT_GT(p.outcome.stats.context_shifts, 2);
    // BOS is kept in any case.
    const size_t keep = n_keep < 0 ? prompt.size() : std::max<size_t>(1, n_keep);
    const auto shift = [&](std::vector<int32_t>& tokens) {
      if (tokens.size() < kCtx) return;
      const size_t dropped = (tokens.size() - keep + 1) / 2;
      tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(keep),
                   tokens.begin() + static_cast<std::ptrdiff_t>(keep + dropped));
    };
    EXPECT_EQ(p.ids, GreedyReference(toy.model(), prompt, 60, shift)) << "keep " << n_keep;
  }
}

TEST(SessionTest, ContextShiftInTheSmallestContexts) {
  for (int32_t n_ctx = 3; n_ctx < 9; ++n_ctx) {
    ToySession toy(n_ctx);
    ASSERT_TRUE(toy);
    GenerateRequest request = Greedy({kBos, 70}, 30);
    request.context_shift = true;
    EXPECT_EQ(Generate(toy.session(), request).ids.size(), 30u) << n_ctx;
  }
  ToySession toy(8);
  GenerateRequest request = Greedy({kBos, 70}, 30);
  request.context_shift = true;
  request.n_keep = 7;
  EXPECT_EQ(Generate(toy.session(), request).status.code(), StatusCode::kInvalidArgument);
  request.n_keep = 6;
  EXPECT_OK(Generate(toy.session(), request).status);
}

TEST(SessionTest, DeepRunStaysWithinTheContext) {
  ToySession toy(64);
  ASSERT_TRUE(toy);
  GenerateRequest request = Greedy({kBos, 70}, 2000);
  request.sampling.temperature = 1;
  request.sampling.seed = 5;
  request.sampling.repetition_penalty = 1.1f;
  request.context_shift = true;
  const Produced p = Generate(toy.session(), request);
  ASSERT_OK(p.status);
  EXPECT_EQ(p.ids.size(), 2000u);
  EXPECT_LE(toy.session().cached_tokens().size(), 64u);
}

TEST(SessionTest, LogProbsOfEveryPosition) {
  ToySession toy;
  ASSERT_TRUE(toy);
  std::vector<int32_t> tokens = {kBos, 70, 80, 90, 100, 110, 120};
  for (int32_t i = 0; i < 14; ++i) tokens.push_back(60 + 3 * i);  // more than one chunk
  GenerateRequest request = Greedy(tokens, 3);
  request.forced = {81, kEos, 83};
  request.logprobs = 1 << 20;
  request.sampling.logit_bias = {{90, kNever}};  // must not show
  const Produced p = Generate(toy.session(), request);
  ASSERT_OK(p.status);
  tokens.insert(tokens.end(), request.forced.begin(), request.forced.end());
  ASSERT_EQ(p.logprobs.size(), tokens.size());

  engine::Engine& engine = toy.model().engine();
  const Result<engine::SequenceId> sequence = engine.NewSequence();
  ASSERT_OK(sequence);
  for (size_t i = 0; i < tokens.size(); ++i) {
    ASSERT_OK(engine.Prefill(*sequence, {&tokens[i], 1}, nullptr));
    const std::span<const float> logits = engine.logits(0);
    const double sum = sample::LogSumExp(logits);
    const std::vector<sample::TokenLogProb>& top = p.logprobs[i];
    ASSERT_EQ(top.size(), logits.size());
    double total = 0;
    for (size_t j = 0; j < top.size(); ++j) {
      const double expected = logits[static_cast<size_t>(top[j].id)] - sum;
      EXPECT_NEAR(top[j].logprob, expected, 1e-4) << "position " << i;
      if (j > 0) {
        EXPECT_GE(top[j - 1].logprob, top[j].logprob);
      }
      total += std::exp(double{top[j].logprob});
    }
    EXPECT_NEAR(total, 1.0, 1e-5);
  }
  engine.FreeSequence(*sequence);

  request.logprobs = 3;
  const Produced few = Generate(toy.session(), request);
  ASSERT_EQ(few.logprobs.size(), tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    ASSERT_EQ(few.logprobs[i].size(), 3u);
    EXPECT_EQ(few.logprobs[i][0].id, p.logprobs[i][0].id);
  }
}

TEST(SessionTest, LogProbsOfTheEndTokenToo) {
  ToySession toy;
  ASSERT_TRUE(toy);
  GenerateRequest request = Greedy({kBos, 70}, 10);
  request.ignore_eos = false;
  request.forced = {80, kEos, 90};
  request.logprobs = 1;
  const Produced p = Generate(toy.session(), request);
  ASSERT_OK(p.status);
  EXPECT_EQ(p.ids, (std::vector<int32_t>{80, kEos}));
  EXPECT_EQ(p.logprobs.size(), 4u);
}

TEST(SessionTest, CancelStopsBetweenTokensAndKeepsTheText) {
  ToySession toy;
  ASSERT_TRUE(toy);
  int calls = 0;
  GenerateCallbacks callbacks;
  callbacks.cancelled = [&] { return ++calls > 8; };
  const Produced p = Generate(toy.session(), Greedy({kBos, 70}, 40), callbacks);
  ASSERT_OK(p.status);
  EXPECT_EQ(p.outcome.reason, FinishReason::kCancelled);
  EXPECT_GT(p.ids.size(), 3u);
  EXPECT_LT(p.ids.size(), 9u);

  // In the prompt: some chunks are in the cache, and what follows starts from them.
  calls = 6;
  const std::vector<int32_t> longer(50, 75);
  const Produced cut = Generate(toy.session(), Greedy(longer, 1), callbacks);
  ASSERT_OK(cut.status);
  EXPECT_EQ(cut.outcome.reason, FinishReason::kCancelled);
  EXPECT_TRUE(cut.ids.empty());
  const size_t held = toy.session().cached_tokens().size();
  EXPECT_EQ(held, 32u) << "two chunks of 16";
  const Produced rest = Generate(toy.session(), Greedy(longer, 5));
  EXPECT_EQ(rest.outcome.stats.reused_tokens, static_cast<int64_t>(held));
  EXPECT_EQ(rest.ids, Generate(*toy.NewSession(), Greedy(longer, 5)).ids);
}

TEST(SessionTest, SeedsDecide) {
  ToySession toy;
  ASSERT_TRUE(toy);
  GenerateRequest request = Greedy({kBos, 70}, 30);
  request.sampling.temperature = 1.5f;
  request.sampling.seed = 7;
  const std::vector<int32_t> first = Generate(toy.session(), request).ids;
  EXPECT_EQ(Generate(toy.session(), request).ids, first);
  request.sampling.seed = 8;
  EXPECT_NE(Generate(toy.session(), request).ids, first);
}

TEST(SessionTest, ThreadsDoNotChangeTheText) {
  std::vector<int32_t> ids[3];
  for (int i = 0; i < 3; ++i) {
    ToySession toy(64, 1 + i);
    ASSERT_TRUE(toy);
    GenerateRequest request = Greedy({kBos, 70, 90, 110, 66, 77, 88}, 40);
    request.sampling.temperature = 1;
    request.sampling.seed = 3;
    ids[i] = Generate(toy.session(), request).ids;
    ASSERT_EQ(ids[i].size(), 40u);
  }
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_EQ(ids[0], ids[2]);
}

TEST(SessionTest, PenaltiesSeeThePrompt) {
  ToySession toy;
  ASSERT_TRUE(toy);
  GenerateRequest request = Greedy({kBos, 70, 80}, 1);
  // Without a penalty this token wins in any case.
  request.sampling.logit_bias = {{70, kAlways}};
  EXPECT_EQ(Generate(toy.session(), request).ids, std::vector<int32_t>{70});
  request.sampling.presence_penalty = 2 * kAlways;
  const Produced punished = Generate(toy.session(), request);
  ASSERT_OK(punished.status);
  EXPECT_NE(punished.ids[0], 70);
}

TEST(SessionTest, PromptProgress) {
  ToySession toy;
  ASSERT_TRUE(toy);
  std::vector<std::pair<int64_t, int64_t>> seen;
  GenerateCallbacks callbacks;
  callbacks.on_prompt = [&](int64_t done, int64_t total) { seen.emplace_back(done, total); };
  ASSERT_OK(Generate(toy.session(), Greedy(std::vector<int32_t>(40, 70), 1), callbacks).status);
  EXPECT_EQ(seen, (std::vector<std::pair<int64_t, int64_t>>{{0, 40}, {16, 40}, {32, 40}}));
  seen.clear();
  std::vector<int32_t> longer(40, 70);
  longer.push_back(80);
  ASSERT_OK(Generate(toy.session(), Greedy(longer, 1), callbacks).status);
  EXPECT_EQ(seen, (std::vector<std::pair<int64_t, int64_t>>{{0, 1}})) << "the rest was cached";
}

TEST(SessionTest, TheSpaceInFrontOfAText) {
  ToySession toy;
  ASSERT_TRUE(toy);
  constexpr int32_t kSpace = 3 + 256;
  GenerateRequest request = Greedy({kBos, 270}, 2);
  request.forced = {kSpace, LetterToken('a')};
  EXPECT_EQ(Generate(toy.session(), request).text, " a") << "goes on in the prompt's words";
  request.own_text = true;
  EXPECT_EQ(Generate(toy.session(), request).text, "a");
  request.own_text = false;
  request.prompt = {270, kBos};
  EXPECT_EQ(Generate(toy.session(), request).text, "a");
}

TEST(SessionTest, BadRequestsAreNamed) {
  ToySession toy(32);
  ASSERT_TRUE(toy);
  const auto code = [&](const GenerateRequest& request) {
    return Generate(toy.session(), request).status.code();
  };
  EXPECT_EQ(code(Greedy({}, 1)), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Greedy({kBos, -1}, 1)), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Greedy({static_cast<int32_t>(testing::kToyModelVocab)}, 1)),
            StatusCode::kInvalidArgument);
  GenerateRequest request = Greedy({kBos}, 1);
  request.forced = {100000};
  EXPECT_EQ(code(request), StatusCode::kInvalidArgument);
  request = Greedy({kBos}, 1);
  request.sampling.top_p = 2;
  EXPECT_EQ(code(request), StatusCode::kInvalidArgument);
  request = Greedy({kBos}, 1);
  request.logprobs = 2;
  request.context_shift = true;
  EXPECT_EQ(code(request), StatusCode::kInvalidArgument);
  EXPECT_OK(Generate(toy.session(), Greedy({kBos}, 1)).status);
}

TEST(SessionTest, BannedVocabularyIsAnErrorAndTheSessionGoesOn) {
  ToySession toy;
  ASSERT_TRUE(toy);
  GenerateRequest request = Greedy({kBos, 70}, 3);
  for (int32_t id = 0; id < testing::kToyModelVocab; ++id) {
    request.sampling.logit_bias.emplace_back(id, kNever);
  }
  EXPECT_EQ(Generate(toy.session(), request).status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(Generate(toy.session(), Greedy({kBos, 70}, 3)).ids,
            Generate(*toy.NewSession(), Greedy({kBos, 70}, 3)).ids);
}

TEST(SessionTest, SequencesAreGivenBack) {
  ToySession toy;
  ASSERT_TRUE(toy);
  const std::unique_ptr<Session> second = toy.NewSession();
  std::unique_ptr<Session> third = toy.NewSession();
  EXPECT_EQ(Session::Create(&toy.model()).status().code(), StatusCode::kResourceExhausted);
  third.reset();
  EXPECT_OK(Session::Create(&toy.model()));
}

}  // namespace
}  // namespace rocforge::session
