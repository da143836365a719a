// Vocabularies for the tokenizer tests: the reference files, and small ones made in memory.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "gguf/reader.h"
#include "tests/testing.h"
#include "text/tokenizer/tokenizer.h"

namespace rocforge::text {

// A file of the reference data's vocab folder, unpacked into a temporary folder if it is
// compressed.
class VocabularyFile {
 public:
  VocabularyFile(const std::string& folder, const std::string& name) {
    path_ = folder + "/" + name + ".gguf";
    if (std::filesystem::exists(path_)) return;
    const std::string packed = path_ + ".xz";
    path_ = temp_.File(name + ".gguf");
    if (std::system("command -v xz >/dev/null 2>&1") != 0) {
      skip_reason_ = "xz is not installed: " + packed + " cannot be unpacked";
    } else if (std::system(("xz -dkc '" + packed + "' > '" + path_ + "'").c_str()) != 0) {
      ADD_FAILURE() << "cannot unpack " << packed;
    }
  }
  const std::string& path() const { return path_; }
  const std::string& skip_reason() const { return skip_reason_; }  // "" if the file is there

 private:
  testing::TempDir temp_;
  std::string path_;
  std::string skip_reason_;
};

// nullptr, and a failure, if it cannot be loaded.
inline std::unique_ptr<Tokenizer> LoadTokenizer(const std::string& path) {
  const auto file = gguf::File::Open(path);
  EXPECT_TRUE(file.ok()) << file.status().message();
  if (!file.ok()) return nullptr;
  auto tokenizer = Tokenizer::FromGguf(*file);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  return tokenizer.ok() ? std::move(*tokenizer) : nullptr;
}

}  // namespace rocforge::text
