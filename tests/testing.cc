#include "tests/testing.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace rocforge::testing {

std::string TestData(const std::string& relative) {
  const char* root = std::getenv("ROCFORGE_TESTDATA");
  const std::filesystem::path base =
      root != nullptr && *root != '\0'
          ? std::filesystem::path(root)
          : std::filesystem::path(ROCFORGE_SOURCE_DIR) / ".." / "shared" / "testdata";
  std::error_code error;
  const std::filesystem::path path = base / relative;
  return std::filesystem::exists(path, error) ? path.lexically_normal().string() : std::string();
}

std::string SourcePath(const std::string& relative) {
  return std::string(ROCFORGE_SOURCE_DIR) + "/" + relative;
}

std::string ReadFileOrFail(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    ADD_FAILURE() << "cannot read " << path;
    return {};
  }
  std::ostringstream out;
  out << in.rdbuf();
  return std::move(out).str();
}

std::vector<float> ReadFloatsOrFail(const std::string& path) {
  const std::string bytes = ReadFileOrFail(path);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "rocforge-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    ADD_FAILURE() << "cannot make a temporary folder " << pattern;
  }
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

}  // namespace rocforge::testing
