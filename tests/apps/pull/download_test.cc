#include "apps/pull/download.h"

#include <gtest/gtest.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <random>

#include "apps/pull/sha256.h"
#include "tests/apps/pull/local_server.h"
#include "tests/testing.h"

namespace rocforge::apps {
namespace {

using testing::HashOf;
using testing::LocalServer;
using testing::ServedRequest;
using Connection = LocalServer::Connection;

std::string RandomBytes(size_t n, unsigned seed) {
  std::mt19937 gen(seed);
  std::string text(n, '\0');
  for (char& c : text) c = static_cast<char>(gen());
  return text;
}

// The N of "Range: bytes=N-", or 0.
size_t RangeBegin(const ServedRequest& request) {
  const std::string range = request.Header("range");
  size_t begin = 0;
  if (range.starts_with("bytes=")) {
    std::from_chars(range.data() + 6, range.data() + range.size(), begin);
  }
  return begin;
}

// What a correct server answers.
void ServeFile(const ServedRequest& request, Connection& connection, const std::string& content,
               const std::string& etag) {
  const size_t begin = RangeBegin(request);
  const std::string guard = request.Header("if-range");
  if (begin == 0 || (!guard.empty() && guard != etag)) {
    connection.Respond(200, {"ETag: " + etag}, content);
  } else {
    connection.Respond(206,
                       {"ETag: " + etag, "Content-Range: bytes " + std::to_string(begin) + "-" +
                                             std::to_string(content.size() - 1) + "/" +
                                             std::to_string(content.size())},
                       content.substr(begin));
  }
}

// Announces the whole, sends `bytes` of it and hangs up.
void ServeTruncated(Connection& connection, const std::string& content, const std::string& etag,
                    size_t bytes) {
  connection.Send("HTTP/1.1 200 OK\r\nETag: " + etag + "\r\nContent-Length: " +
                  std::to_string(content.size()) + "\r\n\r\n" + content.substr(0, bytes));
}

class DownloadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<HttpClient> made = HttpClient::Create({.connect_timeout_s = 2, .stall_timeout_s = 1});
    if (!made.ok()) GTEST_SKIP() << made.status().message();
    client_.emplace(std::move(made).value());
    request_.part_path = dir_.File("file.part");
    request_.bytes = static_cast<int64_t>(content_.size());
    request_.sha256 = HashOf(content_);
    request_.name = "file";
  }

  Status Run(const LocalServer& server) {
    request_.http.url = server.url() + "/file";
    return Download(
        &*client_, request_, {.max_failures = 3, .first_wait_s = 0.01, .longest_wait_s = 0.05},
        [this](int64_t done, int64_t) { furthest_ = done; },
        [this](const std::string& line) { notes_.push_back(line); });
  }

  std::string Part() { return testing::ReadFileOrFail(request_.part_path); }
  void WritePart(const std::string& content, const std::string& etag) {
    std::ofstream(request_.part_path, std::ios::binary) << content;
    if (!etag.empty()) std::ofstream(request_.part_path + ".etag") << etag << '\n';
  }
  bool PartExists() { return std::filesystem::exists(request_.part_path); }

  const std::string content_ = RandomBytes(300000, 1);
  const std::string changed_ = RandomBytes(300000, 2);
  testing::TempDir dir_;
  std::optional<HttpClient> client_;
  DownloadRequest request_;
  std::vector<std::string> notes_;
  int64_t furthest_ = 0;
};

TEST_F(DownloadTest, Plain) {
  LocalServer server(
      [&](const ServedRequest& r, Connection& c) { ServeFile(r, c, content_, "\"v1\""); });
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), content_);
  EXPECT_EQ(furthest_, request_.bytes);
  EXPECT_TRUE(notes_.empty());
  EXPECT_FALSE(std::filesystem::exists(request_.part_path + ".etag"));
  EXPECT_EQ(server.requests()[0].Header("range"), "");
}

TEST_F(DownloadTest, WithoutSizeAndChecksum) {
  LocalServer server(
      [&](const ServedRequest& r, Connection& c) { ServeFile(r, c, content_, "\"v1\""); });
  request_.bytes = -1;
  request_.sha256.clear();
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), content_);
}

TEST_F(DownloadTest, TruncationIsResumedWithTheEtag) {
  int served = 0;
  LocalServer server([&](const ServedRequest& r, Connection& c) {
    if (++served == 1) return ServeTruncated(c, content_, "\"v1\"", 100000);
    ServeFile(r, c, content_, "\"v1\"");
  });
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), content_);
  ASSERT_EQ(server.requests().size(), 2u);
  EXPECT_EQ(server.requests()[1].Header("range"), "bytes=100000-");
  EXPECT_EQ(server.requests()[1].Header("if-range"), "\"v1\"");
}

TEST_F(DownloadTest, ManyBreaksWithProgressAreNotGivenUp) {
  LocalServer server([&](const ServedRequest& r, Connection& c) {
    const size_t begin = RangeBegin(r);
    if (begin == 0) return ServeTruncated(c, content_, "\"v1\"", 30000);
    c.Send("HTTP/1.1 206 x\r\nETag: \"v1\"\r\nContent-Range: bytes " + std::to_string(begin) +
           "-299999/300000\r\nContent-Length: " + std::to_string(300000 - begin) + "\r\n\r\n" +
           content_.substr(begin, 30000));
  });
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), content_);
  EXPECT_EQ(server.requests().size(), 10u);
}

TEST_F(DownloadTest, AServerThatAlwaysBreaksOffAtTheSamePlaceIsGivenUp) {
  LocalServer server([&](const ServedRequest&, Connection& c) {
    ServeTruncated(c, content_, "W/\"weak\"", 1000);
  });
  const Status status = Run(server);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_LE(server.requests().size(), 5u);
  EXPECT_EQ(Part(), content_.substr(0, 1000)) << "what came stays for the next time";
}

TEST_F(DownloadTest, AStallIsNoticedAndResumed) {
  int served = 0;
  LocalServer server([&](const ServedRequest& r, Connection& c) {
    if (++served == 1) {
      ServeTruncated(c, content_, "\"v1\"", 50000);
      return c.Stall();
    }
    ServeFile(r, c, content_, "\"v1\"");
  });
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), content_);
  ASSERT_EQ(notes_.size(), 1u);
  EXPECT_NE(notes_[0].find("sent nothing for 1 s"), std::string::npos) << notes_[0];
}

TEST_F(DownloadTest, ResumesWhatAnEarlierRunLeft) {
  WritePart(content_.substr(0, 200000), "\"v1\"");
  LocalServer server(
      [&](const ServedRequest& r, Connection& c) { ServeFile(r, c, content_, "\"v1\""); });
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), content_);
  EXPECT_EQ(server.requests()[0].Header("range"), "bytes=200000-");
}

TEST_F(DownloadTest, AFileThatChangedIsFetchedFromItsStart) {
  WritePart(content_.substr(0, 200000), "\"v1\"");
  request_.sha256 = HashOf(changed_);
  LocalServer server(
      [&](const ServedRequest& r, Connection& c) { ServeFile(r, c, changed_, "\"v2\""); });
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), changed_);
}

TEST_F(DownloadTest, AServerThatIgnoresIfRangeIsFoundOutByItsEtag) {
  WritePart(content_.substr(0, 200000), "\"v1\"");
  request_.sha256.clear();  // nothing else could tell
  LocalServer server([&](ServedRequest r, Connection& c) {
    r.headers.erase("if-range");
    ServeFile(r, c, changed_, "\"v2\"");
  });
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), changed_);
}

TEST_F(DownloadTest, MixedHalvesAreFoundOutByTheChecksum) {
  WritePart(changed_.substr(0, 200000), "");
  LocalServer server([&](ServedRequest r, Connection& c) {
    r.headers.erase("if-range");
    ServeFile(r, c, content_, "");
  });
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), content_);
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(DownloadTest, WithoutValidatorAndChecksumNothingIsResumed) {
  WritePart(changed_.substr(0, 200000), "");
  request_.sha256.clear();
  LocalServer server(
      [&](const ServedRequest& r, Connection& c) { ServeFile(r, c, content_, "\"v1\""); });
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), content_);
  EXPECT_EQ(server.requests()[0].Header("range"), "");
}

TEST_F(DownloadTest, AServerThatIgnoresRangesWorks) {
  WritePart(content_.substr(0, 200000), "\"v1\"");
  LocalServer server(
      [&](const ServedRequest&, Connection& c) { c.Respond(200, {"ETag: \"v1\""}, content_); });
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), content_);
}

TEST_F(DownloadTest, AWrongRangeIsNotUsed) {
  WritePart(content_.substr(0, 200000), "\"v1\"");
  int served = 0;
  LocalServer server([&](const ServedRequest& r, Connection& c) {
    if (++served == 1) {
      return c.Respond(206, {"ETag: \"v1\"", "Content-Range: bytes 100000-299999/300000"},
                       content_.substr(100000));
    }
    ServeFile(r, c, content_, "\"v1\"");
  });
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), content_);
}

TEST_F(DownloadTest, RangeNotSatisfiable) {
  request_.bytes = -1;
  LocalServer server([&](const ServedRequest& r, Connection& c) {
    if (RangeBegin(r) >= content_.size())
      return c.Respond(416, {"Content-Range: bytes */300000"}, "");
    ServeFile(r, c, content_, "\"v1\"");
  });
  WritePart(content_, "\"v1\"");  // complete, but nobody knew
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), content_);
  WritePart(content_ + "more", "\"v1\"");
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), content_);
}

TEST_F(DownloadTest, LiesAboutTheLength) {
  LocalServer longer(
      [&](const ServedRequest&, Connection& c) { c.Respond(200, {}, content_ + "and more"); });
  EXPECT_EQ(Run(longer).code(), StatusCode::kDataLoss);
  // No length at all, and more than was announced.
  LocalServer endless([&](const ServedRequest&, Connection& c) {
    c.Send("HTTP/1.1 200 x\r\nConnection: close\r\n\r\n" + content_ + "and more");
  });
  EXPECT_EQ(Run(endless).code(), StatusCode::kDataLoss);
  // No length at all, and less.
  LocalServer shorter([&](const ServedRequest&, Connection& c) {
    c.Send("HTTP/1.1 200 x\r\nConnection: close\r\n\r\n" + content_.substr(0, 1000));
  });
  EXPECT_EQ(Run(shorter).code(), StatusCode::kUnavailable);
}

TEST_F(DownloadTest, AWrongChecksumLeavesNothing) {
  LocalServer server(
      [&](const ServedRequest& r, Connection& c) { ServeFile(r, c, changed_, "\"v1\""); });
  const Status status = Run(server);
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_NE(status.message().find("SHA-256"), std::string::npos);
  EXPECT_FALSE(PartExists());
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(DownloadTest, ErrorStatuses) {
  const std::pair<int, StatusCode> cases[] = {{404, StatusCode::kNotFound},
                                              {401, StatusCode::kFailedPrecondition},
                                              {403, StatusCode::kFailedPrecondition},
                                              {400, StatusCode::kUnavailable}};
  for (const auto& [code, expected] : cases) {
    LocalServer server([status = code](const ServedRequest&, Connection& c) {
      c.Respond(status, {}, "<html>an error page</html>");
    });
    EXPECT_EQ(Run(server).code(), expected) << code;
    EXPECT_EQ(server.requests().size(), 1u) << code << " must not be tried again";
    EXPECT_EQ(Part(), "") << "an error page is no model";
  }
}

TEST_F(DownloadTest, ServerErrorsAreTriedAgain) {
  int served = 0;
  LocalServer server([&](const ServedRequest& r, Connection& c) {
    ++served;
    if (served == 1) return c.Respond(503, {"Retry-After: 1000000"}, "busy");
    if (served == 2) return;  // hangs up without a word
    ServeFile(r, c, content_, "\"v1\"");
  });
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), content_);
  LocalServer broken([&](const ServedRequest&, Connection& c) { c.Respond(500, {}, "broken"); });
  std::filesystem::remove(request_.part_path);
  EXPECT_EQ(Run(broken).code(), StatusCode::kUnavailable);
  EXPECT_EQ(broken.requests().size(), 3u);
}

TEST_F(DownloadTest, NobodyListens) {
  std::string url;
  {
    LocalServer server([](const ServedRequest&, Connection&) {});
    url = server.url();
  }
  request_.http.url = url + "/file";
  EXPECT_EQ(Download(&*client_, request_, {.max_failures = 2, .first_wait_s = 0.01}, {},
                     [](const std::string&) {})
                .code(),
            StatusCode::kUnavailable);
}

TEST_F(DownloadTest, RedirectsKeepTheTokenAtHome) {
  LocalServer store(
      [&](const ServedRequest& r, Connection& c) { ServeFile(r, c, content_, "\"v1\""); });
  LocalServer server([&](const ServedRequest& r, Connection& c) {
    if (r.target == "/file") return c.Respond(302, {"Location: /moved"}, "gone");
    c.Respond(307, {"Location: " + store.url() + "/blob?signature=1"}, "elsewhere");
  });
  request_.http.bearer_token = "secret";
  WritePart(content_.substr(0, 5), "\"v1\"");
  ASSERT_OK(Run(server));
  EXPECT_EQ(Part(), content_);
  ASSERT_EQ(server.requests().size(), 2u);
  for (const ServedRequest& r : server.requests()) {
    EXPECT_EQ(r.Header("authorization"), "Bearer secret");
  }
  ASSERT_EQ(store.requests().size(), 1u);
  EXPECT_EQ(store.requests()[0].headers.count("authorization"), 0u);
  EXPECT_EQ(store.requests()[0].Header("range"), "bytes=5-");
}

TEST_F(DownloadTest, RedirectsThatAreNotFollowed) {
  LocalServer file([](const ServedRequest&, Connection& c) {
    c.Respond(302, {"Location: file:///etc/passwd"}, "");
  });
  EXPECT_EQ(Run(file).code(), StatusCode::kUnsupported);
  EXPECT_EQ(Part(), "");
  LocalServer circle(
      [](const ServedRequest&, Connection& c) { c.Respond(302, {"Location: /file"}, ""); });
  EXPECT_EQ(Run(circle).code(), StatusCode::kUnavailable);
  LocalServer nowhere([](const ServedRequest&, Connection& c) { c.Respond(302, {}, ""); });
  EXPECT_EQ(Run(nowhere).code(), StatusCode::kUnavailable);
}

TEST(OriginOf, IsSchemeHostAndPort) {
  EXPECT_EQ(OriginOf("HTTPS://Example.org/a"), "https://example.org:443");
  EXPECT_EQ(OriginOf("http://example.org"), "http://example.org:80");
  EXPECT_EQ(OriginOf("http://example.org:8080?x"), "http://example.org:8080");
  EXPECT_EQ(OriginOf("http://trusted.org@evil.org/"), "http://evil.org:80");
  EXPECT_EQ(OriginOf("http://[::1]:5/"), "http://[::1]:5");
  EXPECT_EQ(OriginOf("http://[::1]/"), "http://[::1]:80");
  for (const char* bad : {"file:///etc/passwd", "ftp://x/", "example.org", "http://", ""})
    EXPECT_EQ(OriginOf(bad), "") << bad;
}

}  // namespace
}  // namespace rocforge::apps
