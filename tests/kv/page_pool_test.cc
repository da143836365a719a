#include "kv/page_pool.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

#include "tests/testing.h"

namespace rocforge::kv {
namespace {

TEST(PagePool, CountsHolders) {
  PagePool pool(2);
  const int32_t a = pool.Allocate().value();
  const int32_t b = pool.Allocate().value();
  EXPECT_NE(a, b);
  EXPECT_EQ(pool.n_free(), 0);
  EXPECT_EQ(pool.Allocate().status().code(), StatusCode::kResourceExhausted);
  pool.Retain(a);
  pool.Release(a);
  EXPECT_EQ(pool.n_free(), 0);
  pool.Release(a);
  EXPECT_EQ(pool.n_free(), 1);
  EXPECT_EQ(pool.Allocate().value(), a);
}

TEST(SequencePages, ExtendsTruncatesAndMapsPositions) {
  PagePool pool(8);
  SequencePages s(&pool, 4, 30);
  ASSERT_OK(s.Extend(5));
  EXPECT_EQ(s.pages().size(), 2u);
  for (int32_t p = 0; p < 5; ++p)
    EXPECT_EQ(s.Slot(p), s.pages()[static_cast<size_t>(p / 4)] * 4 + p % 4);
  ASSERT_OK(s.Extend(3));
  EXPECT_EQ(s.pages().size(), 2u);
  EXPECT_EQ(s.Extend(23).code(), StatusCode::kResourceExhausted);  // beyond max_tokens
  EXPECT_EQ(s.length(), 8);
  s.Truncate(4);
  EXPECT_EQ(s.pages().size(), 1u);
  s.Clear();
  EXPECT_EQ(pool.n_free(), 8);
}

TEST(SequencePages, RefusesWhatDoesNotFitAndChangesNothing) {
  PagePool pool(3);
  SequencePages a(&pool, 4, 100);
  SequencePages b(&pool, 4, 100);
  ASSERT_OK(a.Extend(6));
  const Status status = b.Extend(5);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("2 KV pages"), std::string::npos) << status.message();
  EXPECT_EQ(b.length(), 0);
  EXPECT_EQ(pool.n_free(), 1);
  ASSERT_OK(b.Extend(4));
}

TEST(SequencePages, SharesFullPagesOfAPrefix) {
  PagePool pool(8);
  SequencePages a(&pool, 4, 100);
  SequencePages b(&pool, 4, 100);
  ASSERT_OK(a.Extend(10));
  EXPECT_FALSE(b.Share(a, 6).ok());
  EXPECT_FALSE(b.Share(a, 12).ok());
  ASSERT_OK(b.Share(a, 8));
  EXPECT_EQ(b.Slot(5), a.Slot(5));
  ASSERT_OK(b.Extend(2));
  EXPECT_NE(b.Slot(8), a.Slot(8));
  a.Clear();
  EXPECT_EQ(pool.n_free(), 8 - 3);
  b.Truncate(6);
  SequencePages c(&pool, 4, 100);
  ASSERT_OK(c.Share(b, 4));
  b.Truncate(4);
  b.Truncate(3);
  EXPECT_EQ(b.Extend(1).code(), StatusCode::kFailedPrecondition);  // would write into a shared page
  b.Clear();
  c.Clear();
  EXPECT_EQ(pool.n_free(), 8);
}

// Against a model that keeps each sequence's pages as plain lists.
TEST(SequencePages, RandomOperationsNeverLoseAPage) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  PagePool pool(40);
  std::vector<SequencePages> sequences(5, SequencePages(&pool, 8, 100));
  for (int step = 0; step < 5000; ++step) {
    SequencePages& s = sequences[random() % sequences.size()];
    switch (random() % 4) {
      case 0:
      case 1:
        static_cast<void>(s.Extend(static_cast<int32_t>(random() % 20)));
        break;
      case 2:
        s.Truncate(s.length() == 0
                       ? 0
                       : static_cast<int32_t>(random() % static_cast<uint32_t>(s.length() + 1)));
        break;
      default: {
        const SequencePages& source = sequences[random() % sequences.size()];
        static_cast<void>(s.Share(source, source.length() / 8 * 8));
      }
    }
    std::vector<int32_t> held(40);
    for (const SequencePages& each : sequences) {
      ASSERT_EQ(static_cast<int32_t>(each.pages().size()), (each.length() + 7) / 8);
      for (int32_t page : each.pages()) ++held[static_cast<size_t>(page)];
    }
    int32_t used = 0;
    for (int32_t page = 0; page < 40; ++page) {
      ASSERT_EQ(pool.references(page), held[static_cast<size_t>(page)]);
      used += held[static_cast<size_t>(page)] > 0;
    }
    ASSERT_EQ(pool.n_free(), 40 - used);
  }
}

}  // namespace
}  // namespace rocforge::kv
