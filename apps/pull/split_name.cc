#include "apps/pull/split_name.h"

#include <charconv>
#include <string_view>

#include "base/format.h"

namespace rocforge::apps {
namespace {

constexpr size_t kDigits = 5;
constexpr std::string_view kOf = "-of-";
constexpr std::string_view kExtension = ".gguf";

// Exactly five digits at text[at].
int FiveDigits(const std::string& text, size_t at) {
  int value = 0;
  const char* begin = text.data() + at;
  const auto [end, error] = std::from_chars(begin, begin + kDigits, value);
  return error == std::errc() && end == begin + kDigits ? value : -1;
}

}  // namespace

SplitName ParseSplitName(const std::string& file) {
  const size_t tail = 1 + kDigits + kOf.size() + kDigits + kExtension.size();
  if (file.size() <= tail || !file.ends_with(kExtension)) return {};
  const size_t dash = file.size() - tail;
  const size_t of = dash + 1 + kDigits;
  if (file[dash] != '-' || file.compare(of, kOf.size(), kOf) != 0) return {};
  const int part = FiveDigits(file, dash + 1);
  const int count = FiveDigits(file, of + kOf.size());
  if (part < 1 || count < part) return {};
  return {file.substr(0, dash), part, count};
}

std::string SplitPartName(const SplitName& split, int part) {
  return Format("{}-{:05}-of-{:05}.gguf", split.prefix, part, split.count);
}

}  // namespace rocforge::apps
