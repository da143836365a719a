#include "apps/pull/hub_name.h"

#include <gtest/gtest.h>

#include "apps/pull/split_name.h"
#include "tests/testing.h"

namespace rocforge::apps {
namespace {

TEST(SplitName, ParsesOnlyPartsOfSplitModels) {
  const SplitName split = ParseSplitName("dir/m-00002-of-00005.gguf");
  EXPECT_EQ(split.prefix, "dir/m");
  EXPECT_EQ(split.part, 2);
  EXPECT_EQ(split.count, 5);
  EXPECT_EQ(SplitPartName(split, 1), "dir/m-00001-of-00005.gguf");
  for (const char* other : {"m.gguf", "m-00006-of-00005.gguf", "m-00000-of-00005.gguf",
                            "m-0001-of-0005.gguf", "m-00001-of-0000x.gguf", "-00001-of-00002.gguf",
                            "m-00001-of-00002.bin", "m-+0001-of-00002.gguf"}) {
    EXPECT_EQ(ParseSplitName(other).count, 0) << other;
  }
}

TEST(HubName, Parses) {
  EXPECT_EQ(ParseHubName("hf:o/r").value().repository, "o/r");
  EXPECT_EQ(ParseHubName("hf:o/r").value().file, "");
  EXPECT_EQ(ParseHubName("hf:bart_x/R-1.5-GGUF:a/b.gguf").value().file, "a/b.gguf");
  for (const char* bad : {"hf:", "hf:o", "hf:o/", "hf:/r", "hf:o/r/x", "hf:o/r:", "hf:../r",
                          "hf:o/..", "hf:o/r:../x", "hf:o/r?x", "hf:o/r:/etc", "o/r"}) {
    EXPECT_EQ(ParseHubName(bad).status().code(), StatusCode::kInvalidArgument) << bad;
  }
}

TEST(HubName, ChoosesTheFile) {
  const std::vector<std::string> files = {
      "README.md",       "m-Q8_0.gguf",          "m-Q4_K_M-00001-of-00002.gguf",
      "mmproj-f16.gguf", "m-Q4_K_S.gguf",        "m-Q4_K_M-00002-of-00002.gguf",
      "sub/n-F16.gguf",  "sub/deep/m-IQ2_M.gguf"};
  const auto choose = [&](const std::string& file) { return ChooseFile({"o/r", file}, files); };
  EXPECT_EQ(choose("").value(), "m-Q4_K_M-00001-of-00002.gguf");
  EXPECT_EQ(choose("q8_0").value(), "m-Q8_0.gguf");
  EXPECT_EQ(choose("n-F16.gguf").value(), "sub/n-F16.gguf");
  EXPECT_EQ(choose("mmproj").value(), "mmproj-f16.gguf");
  EXPECT_EQ(choose("m-Q4_K_M-00002-of-00002.gguf").value(), "m-Q4_K_M-00001-of-00002.gguf");
  const Status many = choose("Q4_K").status();
  EXPECT_EQ(many.code(), StatusCode::kNotFound);
  EXPECT_NE(many.message().find("\n  hf:o/r:m-Q4_K_S.gguf"), std::string::npos);
  EXPECT_EQ(many.message().find("Q8_0"), std::string::npos) << "only what matches is listed";
  EXPECT_NE(choose("Q3_K").status().message().find("Q8_0"), std::string::npos);
  EXPECT_FALSE(ChooseFile({"o/r", ""}, {"README.md"}).ok());
  EXPECT_EQ(ChooseFile({"o/r", ""}, {"a.gguf", "mmproj-a.gguf"}).value(), "a.gguf");
  EXPECT_FALSE(ChooseFile({"o/r", ""}, {"a-Q8_0.gguf", "a-Q6_K.gguf"}).ok());
}

}  // namespace
}  // namespace rocforge::apps
