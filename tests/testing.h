// What every test may need: the reference data, temporary files, Status assertions.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::testing {

// Path of `relative` in the reference data: $ROCFORGE_TESTDATA, else ../shared/testdata beside the
// source tree. Empty when that file or folder does not exist: then SKIP with
// ROCFORGE_REQUIRE_TESTDATA.
std::string TestData(const std::string& relative);

// Path of `relative` in the source tree, for data that is committed (a fuzzer's corpus).
std::string SourcePath(const std::string& relative);

// Whole file; fails the current test and returns "" if it cannot be read.
std::string ReadFileOrFail(const std::string& path);
std::vector<float> ReadFloatsOrFail(const std::string& path);

// A fresh folder, removed with its contents at the end of the scope.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline Status ToStatus(const Status& s) { return s; }
template <typename T>
Status ToStatus(const Result<T>& r) {
  return r.status();
}

}  // namespace rocforge::testing

// Work on a Status or a Result.
#define ASSERT_OK(expr)                                                                          \
  do {                                                                                           \
    const ::rocforge::Status rf_s = ::rocforge::testing::ToStatus(expr);                         \
    ASSERT_TRUE(rf_s.ok()) << ::rocforge::StatusCodeName(rf_s.code()) << ": " << rf_s.message(); \
  } while (false)
#define EXPECT_OK(expr)                                                                          \
  do {                                                                                           \
    const ::rocforge::Status rf_s = ::rocforge::testing::ToStatus(expr);                         \
    EXPECT_TRUE(rf_s.ok()) << ::rocforge::StatusCodeName(rf_s.code()) << ": " << rf_s.message(); \
  } while (false)

// Declares `var`, the path of a reference file, or skips the test with a visible line.
#define ROCFORGE_REQUIRE_TESTDATA(var, relative)                   \
  const std::string var = ::rocforge::testing::TestData(relative); \
  if (var.empty())                                                 \
  GTEST_SKIP() << "reference data not found: " << (relative)       \
               << " (set ROCFORGE_TESTDATA to its folder)"
