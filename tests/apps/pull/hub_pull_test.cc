#include "apps/pull/hub_pull.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/pull/sha256.h"
#include "tests/apps/pull/local_server.h"
#include "tests/testing.h"

namespace rocforge::apps {
namespace {

using testing::HashOf;
using testing::LocalServer;
using testing::ServedRequest;
using Connection = LocalServer::Connection;

// A repository "o/r" as the hub serves it, and a cache folder of its own.
class HubPullTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const Result<HttpClient> client = HttpClient::Create({}); !client.ok())
      GTEST_SKIP() << client.status().message();
    const char* before = std::getenv("ROCFORGE_CACHE");
    if (before != nullptr) before_ = before;
    setenv("ROCFORGE_CACHE", dir_.path().c_str(), 1);
    server_.emplace([this](const ServedRequest& r, Connection& c) { Serve(r, c); });
    options_.endpoint = server_->url() + "/";
    options_.http.stall_timeout_s = 2;
    options_.download = {.max_failures = 2, .first_wait_s = 0.01, .longest_wait_s = 0.02};
  }
  void TearDown() override {
    server_.reset();
    if (before_.empty()) {
      unsetenv("ROCFORGE_CACHE");
    } else {
      setenv("ROCFORGE_CACHE", before_.c_str(), 1);
    }
  }

  void Serve(const ServedRequest& request, Connection& connection) {
    if (request.target.starts_with("/api/models/o/r/tree/main?recursive=true")) {
      const bool second = request.target.ends_with("&cursor=2");
      std::vector<std::string> headers;
      if (pages_ == 2 && !second) {
        headers.push_back("Link: <" + server_->url() + request.target + "&cursor=2>; rel=\"next\"");
      }
      const bool empty = pages_ == 2 && !second;
      return connection.Respond(list_status_, headers, empty ? "[]" : list_text_.value_or(List()));
    }
    const std::string prefix = "/o/r/resolve/main/";
    const auto file = request.target.starts_with(prefix)
                          ? files_.find(request.target.substr(prefix.size()))
                          : files_.end();
    if (file == files_.end()) return connection.Respond(404, {}, "no such file");
    connection.Respond(200, {"ETag: \"e\""}, damage_ ? "damaged!" : file->second);
  }

  std::string List() {
    nlohmann::json list = nlohmann::json::array();
    list.push_back({{"type", "directory"}, {"path", "sub"}, {"size", 0}});
    for (const auto& [path, content] : files_) {
      list.push_back({{"type", "file"},
                      {"path", path},
                      {"size", content.size()},
                      {"lfs", {{"oid", HashOf(content)}, {"size", content.size()}}}});
    }
    return list.dump();
  }

  Result<std::string> Pull(const std::string& name) {
    notes_.clear();
    return PullFromHub(ParseHubName(name).value(), options_,
                       [this](const std::string& line) { notes_.push_back(line); });
  }
  size_t Downloads() {
    const std::vector<ServedRequest> requests = server_->requests();
    return static_cast<size_t>(std::count_if(requests.begin(), requests.end(), [](const auto& r) {
      return r.target.find("/resolve/") != std::string::npos;
    }));
  }
  std::string Path(const std::string& file) { return dir_.File("models/hf/o/r/" + file); }
  // Files below the cache that are not locks.
  std::vector<std::string> Left() {
    std::vector<std::string> left;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path())) {
      if (entry.is_regular_file() && entry.path().extension() != ".lock")
        left.push_back(entry.path().string());
    }
    return left;
  }

  testing::TempDir dir_;
  std::string before_;
  std::map<std::string, std::string> files_ = {
      {"m-Q4_K_M.gguf", "four bits"}, {"m-Q8_0.gguf", "eight bits"}, {"README.md", "text"}};
  int pages_ = 1;
  int list_status_ = 200;
  bool damage_ = false;
  std::optional<std::string> list_text_;
  HubOptions options_;
  std::vector<std::string> notes_;
  std::optional<LocalServer> server_;
};

TEST_F(HubPullTest, ChoosesFetchesAndRemembers) {
  const Result<std::string> first = Pull("hf:o/r");
  ASSERT_OK(first);
  EXPECT_EQ(first.value(), Path("m-Q4_K_M.gguf"));
  EXPECT_EQ(testing::ReadFileOrFail(first.value()), "four bits");
  EXPECT_EQ(Left().size(), 1u) << "nothing but the model stays";
  EXPECT_EQ(Downloads(), 1u);
  EXPECT_EQ(Pull("hf:o/r").value(), first.value());
  EXPECT_EQ(Downloads(), 1u);
  EXPECT_EQ(Pull("hf:o/r:q8_0").value(), Path("m-Q8_0.gguf"));
}

TEST_F(HubPullTest, DamagedFilesAreFetchedAgain) {
  ASSERT_OK(Pull("hf:o/r"));
  std::ofstream(Path("m-Q4_K_M.gguf")) << "shorter";
  ASSERT_OK(Pull("hf:o/r"));
  EXPECT_EQ(testing::ReadFileOrFail(Path("m-Q4_K_M.gguf")), "four bits");
  std::ofstream(Path("m-Q4_K_M.gguf")) << "FOUR BITS";  // the right size
  ASSERT_OK(Pull("hf:o/r"));
  EXPECT_EQ(testing::ReadFileOrFail(Path("m-Q4_K_M.gguf")), "FOUR BITS");
  options_.verify = true;
  ASSERT_OK(Pull("hf:o/r"));
  EXPECT_EQ(testing::ReadFileOrFail(Path("m-Q4_K_M.gguf")), "four bits");
}

TEST_F(HubPullTest, AllPartsOfASplitModel) {
  files_ = {{"sub/m-00001-of-00002.gguf", "one"}, {"sub/m-00002-of-00002.gguf", "two"}};
  pages_ = 2;
  EXPECT_EQ(Pull("hf:o/r").value(), Path("sub/m-00001-of-00002.gguf"));
  EXPECT_EQ(testing::ReadFileOrFail(Path("sub/m-00002-of-00002.gguf")), "two");
  std::filesystem::remove(Path("sub/m-00002-of-00002.gguf"));
  ASSERT_OK(Pull("hf:o/r"));
  EXPECT_EQ(Downloads(), 3u) << "only the part that is missing";
  files_.erase("sub/m-00002-of-00002.gguf");
  EXPECT_EQ(Pull("hf:o/r").status().code(), StatusCode::kNotFound);
}

TEST_F(HubPullTest, NothingHalfIsLeftUnderTheFinalName) {
  damage_ = true;
  EXPECT_FALSE(Pull("hf:o/r").ok());
  EXPECT_FALSE(std::filesystem::exists(Path("m-Q4_K_M.gguf")));
  damage_ = false;
  ASSERT_OK(Pull("hf:o/r"));
}

TEST_F(HubPullTest, TheTokenIsSent) {
  options_.token = "secret";
  ASSERT_OK(Pull("hf:o/r"));
  for (const ServedRequest& r : server_->requests())
    EXPECT_EQ(r.Header("authorization"), "Bearer secret");
}

TEST_F(HubPullTest, MissingOrClosedRepositories) {
  for (const int status : {401, 403, 404}) {
    list_status_ = status;
    const Result<std::string> path = Pull("hf:o/r");
    ASSERT_FALSE(path.ok());
    EXPECT_EQ(path.status().code(), StatusCode::kNotFound);
    EXPECT_NE(path.status().message().find("HF_TOKEN"), std::string::npos);
  }
  EXPECT_EQ(Pull("hf:o/other").status().code(), StatusCode::kNotFound);
}

TEST_F(HubPullTest, WithoutTheServerTheCacheServes) {
  ASSERT_OK(Pull("hf:o/r"));
  list_status_ = 500;
  EXPECT_EQ(Pull("hf:o/r").value(), Path("m-Q4_K_M.gguf"));
  ASSERT_FALSE(notes_.empty());
  EXPECT_NE(notes_.back().find("using what is in the cache"), std::string::npos);
  EXPECT_EQ(Pull("hf:o/r:Q8_0").status().code(), StatusCode::kUnavailable);
}

TEST_F(HubPullTest, HostileLists) {
  for (const char* text : {"", "{}", "nonsense", "[1]", "[{\"type\":\"file\"}]",
                           "[{\"type\":\"file\",\"path\":5}]", "[[[[", "null"}) {
    list_text_ = text;
    EXPECT_EQ(Pull("hf:o/r").status().code(), StatusCode::kDataLoss) << text;
  }
  list_text_ = R"([{"type":"file","path":"../../../../evil.gguf","size":3},
                   {"type":"file","path":"/etc/evil.gguf","size":3}])";
  EXPECT_EQ(Pull("hf:o/r").status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(Left().empty());
  list_text_ = R"([{"type":"file","path":"big.gguf","size":4611686018427387904}])";
  EXPECT_EQ(Pull("hf:o/r").status().code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace rocforge::apps
