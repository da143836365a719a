#include "apps/pull/model_path.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>

#include "apps/pull/cache.h"
#include "tests/testing.h"

namespace rocforge::apps {
namespace {

// Variables as the test wants them, and as they were afterwards.
class Environment {
 public:
  Environment() {
    for (const char* name : {"ROCFORGE_CACHE", "ROCMFORGE_CACHE", "XDG_CACHE_HOME", "HOME",
                             "ROCFORGE_MODEL", "ROCMFORGE_MODEL"}) {
      const char* value = std::getenv(name);
      before_[name] = value == nullptr ? std::nullopt : std::optional<std::string>(value);
      unsetenv(name);
    }
  }
  ~Environment() {
    for (const auto& [name, value] : before_) {
      if (value) {
        setenv(name.c_str(), value->c_str(), 1);
      } else {
        unsetenv(name.c_str());
      }
    }
  }
  void Set(const char* name, const std::string& value) { setenv(name, value.c_str(), 1); }

 private:
  std::map<std::string, std::optional<std::string>> before_;
};

void WriteFile(const std::string& path, const std::string& text = "GGUF") {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

TEST(CacheFolder, FollowsTheVariablesInOrder) {
  Environment environment;
  EXPECT_EQ(CacheFolder().status().code(), StatusCode::kNotFound);
  environment.Set("HOME", "/home/x");
  EXPECT_EQ(CacheFolder().value(), "/home/x/.cache/rocforge");
  environment.Set("XDG_CACHE_HOME", "/xdg");
  EXPECT_EQ(CacheFolder().value(), "/xdg/rocforge");
  environment.Set("ROCMFORGE_CACHE", "/old");
  EXPECT_EQ(CacheFolder().value(), "/old");
  environment.Set("ROCFORGE_CACHE", "/own");
  EXPECT_EQ(CacheFolder().value(), "/own");
  environment.Set("ROCFORGE_CACHE", "");
  EXPECT_EQ(CacheFolder().value(), "/old");
}

TEST(ResolveModel, FilesNamesAndVariables) {
  Environment environment;
  const testing::TempDir dir;
  environment.Set("ROCFORGE_CACHE", dir.path());
  WriteFile(dir.File("here.gguf"));

  EXPECT_EQ(ResolveModel("").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ResolveModel(dir.File("here.gguf")).value(), dir.File("here.gguf"));
  EXPECT_EQ(ResolveModel(dir.path()).status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(ResolveModel("smollm2").status().message().find("rocforge pull smollm2"),
            std::string::npos);
  EXPECT_NE(ResolveModel("nonsense").status().message().find("rocforge models"), std::string::npos);
  EXPECT_NE(ResolveModel("./absent.gguf").status().message().find("no such file"),
            std::string::npos);

  WriteFile(dir.File("models/smollm2.gguf"));
  EXPECT_EQ(ResolveModel("smollm2").value(), dir.File("models/smollm2.gguf"));
  environment.Set("ROCMFORGE_MODEL", "smollm2");
  EXPECT_EQ(ResolveModel("").value(), dir.File("models/smollm2.gguf"));
  environment.Set("ROCFORGE_MODEL", dir.File("here.gguf"));
  EXPECT_EQ(ResolveModel("").value(), dir.File("here.gguf"));
}

TEST(ResolveModel, HubNames) {
  Environment environment;
  const testing::TempDir dir;
  environment.Set("ROCFORGE_CACHE", dir.path());
  const std::string repository = dir.File("models/hf/owner/repo-GGUF/");
  EXPECT_NE(ResolveModel("hf:owner/repo-GGUF").status().message().find("rocforge pull hf:owner/"),
            std::string::npos);
  EXPECT_EQ(ResolveModel("hf:owner").status().code(), StatusCode::kInvalidArgument);

  WriteFile(repository + "m-Q8_0.gguf");
  EXPECT_EQ(ResolveModel("hf:owner/repo-GGUF").value(), repository + "m-Q8_0.gguf");
  WriteFile(repository + "m-Q4_K_M-00001-of-00002.gguf");
  const Result<std::string> half = ResolveModel("hf:owner/repo-GGUF:q4_k_m");
  ASSERT_FALSE(half.ok());
  EXPECT_NE(half.status().message().find("1 of the 2 parts"), std::string::npos);
  WriteFile(repository + "m-Q4_K_M-00002-of-00002.gguf");
  EXPECT_EQ(ResolveModel("hf:owner/repo-GGUF").value(),
            repository + "m-Q4_K_M-00001-of-00002.gguf");
  EXPECT_EQ(ResolveModel("hf:owner/repo-GGUF:m-Q8_0.gguf").value(), repository + "m-Q8_0.gguf");
  EXPECT_FALSE(ResolveModel("hf:owner/repo-GGUF:../../../etc/passwd").ok());
}

TEST(Cache, ListsAndRemoves) {
  Environment environment;
  const testing::TempDir dir;
  environment.Set("ROCFORGE_CACHE", dir.path());
  EXPECT_TRUE(ListCachedModels().value().empty());
  WriteFile(dir.File("models/smollm2.gguf"), "12345");
  WriteFile(dir.File("models/hf/o/r/sub/x-00001-of-00002.gguf"), "123");
  WriteFile(dir.File("models/hf/o/r/sub/x-00002-of-00002.gguf"), "45");
  WriteFile(dir.File("models/hf/o/r/notes.txt"), "no model");
  const std::vector<CachedModel> models = ListCachedModels().value();
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[0].name, "hf:o/r:sub/x-00001-of-00002.gguf");
  EXPECT_EQ(models[0].bytes, 5u);
  ASSERT_EQ(models[0].paths.size(), 2u);
  EXPECT_EQ(models[1].name, "smollm2");

  EXPECT_EQ(RemoveCachedModel("other").code(), StatusCode::kNotFound);
  EXPECT_OK(RemoveCachedModel(models[0].name));
  EXPECT_FALSE(std::filesystem::exists(dir.File("models/hf/o/r/sub")));
  EXPECT_TRUE(std::filesystem::exists(dir.File("models/hf/o/r/notes.txt")));
  EXPECT_EQ(ListCachedModels().value().size(), 1u);
}

TEST(Cache, SafeRelativePaths) {
  for (const char* good : {"a", "a/b.gguf", "..a/b", "a b"}) EXPECT_TRUE(IsSafeRelativePath(good));
  for (const char* bad : {"", "/a", "a/", "a//b", "../a", "a/../b", "a/.", "a\nb", "a\\b", "\x7f"})
    EXPECT_FALSE(IsSafeRelativePath(bad)) << bad;
}

TEST(Cache, FreeSpaceIsCheckedWithNumbers) {
  const testing::TempDir dir;
  EXPECT_OK(CheckFreeSpace(dir.path(), 0));
  const Status status = CheckFreeSpace(dir.path(), uint64_t{1} << 60);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("1.00 EiB needed"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace rocforge::apps
