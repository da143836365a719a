// The model that a benchmark runs: a file, or random weights of a known shape.
#pragma once

#include <optional>
#include <string>

#include "apps/command.h"
#include "rocforge/status.h"

namespace rocforge::apps {

// A file that goes away with the object.
class TemporaryModel {
 public:
  explicit TemporaryModel(std::string path) : path_(std::move(path)) {}
  TemporaryModel(TemporaryModel&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryModel& operator=(TemporaryModel&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~TemporaryModel();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct BenchModel {
  std::string path;       // empty: none was named
  std::string synthetic;  // the preset, where the weights are random
  std::optional<TemporaryModel> temporary;
};

// --synthetic.
void AddSyntheticFlag(Command command, std::string* preset);

// In this order: `model` (a file or a name), `preset`, $ROCFORGE_TEST_MODEL, $ROCFORGE_MODEL. A
// synthetic model is written to memory (/dev/shm where the system has it, else the folder for
// temporary files) unless `write` is false. Nothing named is no error: path and synthetic are
// empty.
Result<BenchModel> FindBenchModel(const std::string& model, const std::string& preset, bool write);

// Says on stderr that `command` was skipped, and how to run it.
void SaySkipped(const char* command);

}  // namespace rocforge::apps
