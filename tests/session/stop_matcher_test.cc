#include "session/stop_matcher.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/testing.h"

namespace rocforge::session {
namespace {

struct Seen {
  std::string text;
  std::string match;
};

Seen Stream(const std::vector<std::string>& stops, const std::vector<std::string>& pieces) {
  Result<StopMatcher> matcher = StopMatcher::Create(stops);
  EXPECT_OK(matcher);
  Seen seen;
  for (const std::string& piece : pieces) seen.text += matcher->Feed(piece);
  seen.text += matcher->Flush();
  seen.match = std::string(matcher->match());
  return seen;
}

TEST(StopMatcherTest, WithoutStopStringsEverythingPassesAtOnce) {
  Result<StopMatcher> matcher = StopMatcher::Create({});
  ASSERT_OK(matcher);
  EXPECT_EQ(matcher->Feed("abc"), "abc");
  EXPECT_EQ(matcher->Feed(""), "");
  EXPECT_EQ(matcher->Flush(), "");
  EXPECT_FALSE(matcher->matched());
}

TEST(StopMatcherTest, HoldsBackWhatMayBecomeAStop) {
  Result<StopMatcher> matcher = StopMatcher::Create({"\nUser:"});
  ASSERT_OK(matcher);
  EXPECT_EQ(matcher->Feed("Hello\n"), "Hello");
  EXPECT_EQ(matcher->Feed("Us"), "");
  EXPECT_EQ(matcher->Feed("ing\nUse"), "\nUsing");
  EXPECT_EQ(matcher->Feed("r:x"), "");
  EXPECT_TRUE(matcher->matched());
  EXPECT_EQ(matcher->match(), "\nUser:");
  EXPECT_EQ(matcher->Feed("later"), "");
  EXPECT_EQ(matcher->Flush(), "");
}

TEST(StopMatcherTest, TheEndReleasesWhatWasHeldBack) {
  const Seen seen = Stream({"END"}, {"the EN"});
  EXPECT_EQ(seen.text, "the EN");
  EXPECT_EQ(seen.match, "");
}

TEST(StopMatcherTest, TheOneThatEndsFirstWins) {
  // "c" is complete before "bcd", however the text is cut.
  EXPECT_EQ(Stream({"bcd", "c"}, {"abcd"}).text, "ab");
  EXPECT_EQ(Stream({"bcd", "c"}, {"a", "b", "c", "d"}).text, "ab");
  // Of two that end together, the longer.
  EXPECT_EQ(Stream({"c", "bc"}, {"ab", "c"}).text, "a");
  EXPECT_EQ(Stream({"c", "bc"}, {"abc"}).match, "bc");
}

TEST(StopMatcherTest, OverlappingBeginnings) {
  EXPECT_EQ(Stream({"aab"}, {"a", "a", "a", "b"}).text, "a");
  EXPECT_EQ(Stream({"abab"}, {"abaabab"}).text, "aba");
}

TEST(StopMatcherTest, EmptyStopStringIsRefused) {
  EXPECT_EQ(StopMatcher::Create({"x", ""}).status().code(), StatusCode::kInvalidArgument);
}

TEST(StopMatcherTest, SurvivesMoves) {
  Result<StopMatcher> matcher = StopMatcher::Create({"ab"});
  ASSERT_OK(matcher);
  matcher->Feed("xab");
  const StopMatcher moved = std::move(*matcher);
  EXPECT_EQ(moved.match(), "ab");
}

// The specification: the first position at which any stop string ends.
Seen Expected(const std::vector<std::string>& stops, const std::string& text) {
  for (size_t end = 1; end <= text.size(); ++end) {
    const std::string* best = nullptr;
    for (const std::string& stop : stops) {
      if (stop.size() <= end && text.compare(end - stop.size(), stop.size(), stop) == 0 &&
          (best == nullptr || stop.size() > best->size())) {
        best = &stop;
      }
    }
    if (best != nullptr) return {text.substr(0, end - best->size()), *best};
  }
  return {text, ""};
}

TEST(StopMatcherTest, RandomTextsCutAnywhere) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const auto text_of = [&](size_t length) {
    std::string text;
    for (size_t i = 0; i < length; ++i) text += static_cast<char>('a' + random() % 2);
    return text;
  };
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> stops;
    for (size_t i = 0; i < random() % 4; ++i) stops.push_back(text_of(1 + random() % 7));
    const std::string text = text_of(random() % 40);
    std::vector<std::string> pieces;
    for (size_t at = 0; at < text.size();) {
      const size_t n = std::min<size_t>(random() % 6, text.size() - at);
      pieces.push_back(text.substr(at, n));
      at += n;
    }
    const Seen expected = Expected(stops, text);
    const Seen seen = Stream(stops, pieces);
    ASSERT_EQ(seen.text, expected.text) << text;
    ASSERT_EQ(seen.match, expected.match) << text;
  }
}

}  // namespace
}  // namespace rocforge::session
