// A toy model on disk for the tests of this folder.
#pragma once

#include <string>

#include "tests/testing.h"
#include "tests/toy_model.h"

namespace rocforge::testing {

inline constexpr const char* kToyTemplate =
    "{% for m in messages %}{{ m.role[0] }}:{{ m.content }};{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}";

class ToyFile {
 public:
  explicit ToyFile(std::string chat_template = {}) : path_(dir_.File("toy.gguf")) {
    ToyModelOptions options;
    options.chat_template = std::move(chat_template);
    EXPECT_OK(WriteToyModel(path_, options));
  }
  const std::string& path() const { return path_; }
  const TempDir& dir() const { return dir_; }

 private:
  TempDir dir_;
  std::string path_;
};

}  // namespace rocforge::testing
