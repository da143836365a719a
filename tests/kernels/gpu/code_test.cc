#include "kernels/gpu/launch/code.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "tests/testing.h"

namespace rocforge::gpu {
namespace {

using Names = std::vector<std::string_view>;

std::string_view Select(std::string_view arch, const Names& available) {
  const auto selected = SelectTarget(arch, available);
  return selected.ok() ? *selected : std::string_view();
}

TEST(SelectTarget, ExactThenGenericThenNothing) {
  const Names all = {"gfx1030",       "gfx1100", "gfx942", "gfx10-3-generic",
                     "gfx11-generic", "sm_80",   "sm_90a"};
  EXPECT_EQ(Select("gfx1100", all), "gfx1100");
  EXPECT_EQ(Select("gfx942:sramecc+:xnack-", all), "gfx942");
  EXPECT_EQ(Select("gfx1103", all), "gfx11-generic");
  EXPECT_EQ(Select("gfx1032", all), "gfx10-3-generic");
  EXPECT_EQ(Select("gfx1201", all), "");
  EXPECT_EQ(Select("gfx906", all), "");
  const auto refused = SelectTarget("gfx906", all);
  EXPECT_EQ(refused.status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(refused.status().message(),
            "no code for gfx906; this build has: gfx1030, gfx1100, gfx942, gfx10-3-generic, "
            "gfx11-generic, sm_80, sm_90a");
  EXPECT_NE(SelectTarget("gfx1100", {}).status().message().find("no GPU code"), std::string::npos);
}

TEST(SelectTarget, NewestPtxThatRuns) {
  const Names all = {"sm_80", "sm_90a"};
  EXPECT_EQ(Select("sm_90", all), "sm_90a");
  EXPECT_EQ(Select("sm_89", all), "sm_80");
  EXPECT_EQ(Select("sm_120", all), "sm_80");  // sm_90a code runs on 9.0 alone
  EXPECT_EQ(Select("sm_75", all), "");
  EXPECT_EQ(Select("sm_90", {"sm_80", "sm_90", "sm_90a"}), "sm_90a");
}

TEST(EmbeddedCode, EveryKernelFileIsThereForEveryTarget) {
  if (EmbeddedCode().empty())
    GTEST_SKIP() << "this build has no GPU code: clang++-19 was not found";
  std::map<std::string_view, std::set<std::string_view>> files;
  for (const CodeObject& object : EmbeddedCode()) {
    const bool first = files[object.kernel_file].insert(object.target).second;
    // Only PTX may come second, behind the machine code that a driver may refuse.
    EXPECT_TRUE(first || object.is_ptx) << object.kernel_file << " " << object.target;
    const auto unpacked = Decompress(object);
    ASSERT_TRUE(unpacked.ok()) << unpacked.status().message();
    const std::vector<std::byte>& code = *unpacked;
    ASSERT_GT(code.size(), 64u);
    if (!object.is_ptx) {
      EXPECT_EQ(std::memcmp(code.data(),
                            "\x7f"
                            "ELF",
                            4),
                0)
          << object.target;
    } else {
      const std::string_view text(reinterpret_cast<const char*>(code.data()), code.size());
      EXPECT_NE(text.find(".target " + std::string(object.target)), std::string_view::npos);
      EXPECT_EQ(code.back(), std::byte{0});
    }
  }
  const Names targets = EmbeddedTargets();
  EXPECT_TRUE(files.contains("conformance"));
  for (const auto& [file, have] : files) EXPECT_EQ(have.size(), targets.size()) << file;
}

TEST(EmbeddedCode, DamageIsAnError) {
  if (EmbeddedCode().empty())
    GTEST_SKIP() << "this build has no GPU code: clang++-19 was not found";
  const CodeObject& good = EmbeddedCode()[0];
  std::vector<std::byte> bytes(good.compressed.begin(), good.compressed.end());
  const auto status = [&](size_t size) {
    return Decompress({"norm", "gfx1100", false, std::span(bytes).first(size)}).status();
  };
  EXPECT_TRUE(status(bytes.size()).ok());
  for (const size_t size : {size_t{0}, size_t{17}, size_t{40}, bytes.size() - 5, bytes.size() - 1})
    EXPECT_EQ(status(size).code(), StatusCode::kInternal) << size;
  bytes[bytes.size() / 2] ^= std::byte{0x55};
  EXPECT_EQ(status(bytes.size()).code(), StatusCode::kInternal);
  EXPECT_NE(status(bytes.size()).message().find("norm for gfx1100"), std::string::npos);
}

}  // namespace
}  // namespace rocforge::gpu
