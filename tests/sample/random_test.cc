#include "sample/random.h"

#include <gtest/gtest.h>

#include <cmath>

namespace rocforge::sample {
namespace {

// The published outputs of both generators' reference programs.
TEST(Random, SplitMix64MatchesItsReference) {
  uint64_t state = 1234567;
  for (const uint64_t want : std::initializer_list<uint64_t>{
           6457827717110365317u, 3203168211198807973u, 9817491932198370423u, 4593380528125082431u,
           16408922859458223821u}) {
    EXPECT_EQ(SplitMix64(&state), want);
  }
}

TEST(Random, XoshiroMatchesItsReference) {
  Random random(std::array<uint64_t, 4>{1, 2, 3, 4});
  for (const uint64_t want : std::initializer_list<uint64_t>{
           41943041u, 58720359u, 3588806011781223u, 3591011842654386u, 9228616714210784205u,
           9973669472204895162u, 14011001112246962877u, 12406186145184390807u,
           15849039046786891736u, 10450023813501588000u}) {
    EXPECT_EQ(random.Next(), want);
  }
}

TEST(Random, UnitIsUniform) {
  for (const uint64_t seed : {0u, 1u, 0xFFFFFFFFu}) {
    Random random(seed);
    double sum = 0;
    double squares = 0;
    constexpr int kDraws = 100000;
    for (int i = 0; i < kDraws; ++i) {
      const double u = random.NextUnit();
      ASSERT_GE(u, 0.0);
      ASSERT_LT(u, 1.0);
      sum += u;
      squares += u * u;
    }
    EXPECT_NEAR(sum / kDraws, 0.5, 5 * std::sqrt(1.0 / 12 / kDraws));
    EXPECT_NEAR(squares / kDraws, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kDraws));
  }
}

TEST(Random, SystemSeedsDiffer) { EXPECT_NE(RandomSeed(), RandomSeed()); }

}  // namespace
}  // namespace rocforge::sample
