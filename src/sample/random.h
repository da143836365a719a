// The random generator of a sampler: explicit state, the same numbers on every machine and
// compiler.
#pragma once

#include <array>
#include <cstdint>

namespace rocforge::sample {

// splitmix64 (Steele, Lea, Flood 2014): one step of the sequence that starts at *state.
uint64_t SplitMix64(uint64_t* state);

// xoshiro256++ 1.0 (Blackman and Vigna 2019). Seeded by four steps of splitmix64 from the seed, so
// that every seed, 0 included, is a good one. Copying copies the state: both copies then give the
// same numbers.
class Random {
 public:
  explicit Random(uint64_t seed);
  explicit Random(const std::array<uint64_t, 4>& state) : state_(state) {}

  uint64_t Next();
  // Uniform in [0, 1): the upper 53 bits of Next() times 2^-53.
  double NextUnit();

 private:
  std::array<uint64_t, 4> state_;
};

// A seed from the operating system, for callers whose user gave none. They should show it, so that
// a run can be repeated.
uint64_t RandomSeed();

}  // namespace rocforge::sample
