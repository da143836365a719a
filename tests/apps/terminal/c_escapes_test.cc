#include "apps/terminal/c_escapes.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/testing.h"

namespace rocforge::apps {
namespace {

TEST(CEscapes, Resolves) {
  const auto resolve = [](std::string_view text) {
    const auto out = ResolveEscapes(text);
    EXPECT_OK(out);
    return out.ok() ? *out : "";
  };
  EXPECT_EQ(resolve(""), "");
  EXPECT_EQ(resolve("plain \xFF é"), "plain \xFF é");
  EXPECT_EQ(resolve(R"(a\nb\tc\rd\\e\"f\'g\/h)"), "a\nb\tc\rd\\e\"f'g/h");
  EXPECT_EQ(resolve(R"(\a\b\e\f\v)"), "\a\b\x1b\f\v");
  EXPECT_EQ(resolve(R"(x\0y)"), std::string("x\0y", 3));
  EXPECT_EQ(resolve(R"(\x41\xff\xE9g)"), "A\xff\xe9g");
  EXPECT_EQ(resolve(R"(\u00e9\u732B\U0001F642)"), "é猫🙂");
  EXPECT_EQ(resolve(R"(\ud83d\ude42)"), "🙂");
  EXPECT_EQ(resolve(R"(\\n)"), "\\n");
}

TEST(CEscapes, RefusesTheRest) {
  for (const char* bad : {R"(\)", R"(a\q)", R"(\x4)", R"(\xg1)", R"(\u12)", R"(\ud83d)",
                          R"(\ud83d\n)", R"(\ude42)", R"(\U00110000)", R"(\8)"}) {
    const auto status = ResolveEscapes(bad).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << bad;
  }
  EXPECT_NE(ResolveEscapes(R"(abc\q)").status().message().find("column 4"), std::string::npos);
}

}  // namespace
}  // namespace rocforge::apps
