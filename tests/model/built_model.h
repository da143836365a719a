// A synthetic model, opened from memory and built.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gguf/reader.h"
#include "model/model.h"
#include "tests/model/synthetic_model.h"
#include "tests/testing.h"

namespace rocforge::testing {

// Owns the bytes that the model's weights point into.
class BuiltModel {
 public:
  explicit BuiltModel(const SyntheticModel& source, int64_t n_ctx = 0) {
    bytes_ = source.BytesOrFail();
    Result<gguf::File> opened = gguf::File::Parse(std::as_bytes(std::span(bytes_)), "model.gguf");
    if (!opened.ok()) {
      status_ = opened.status();
      return;
    }
    file_ = std::make_unique<gguf::File>(std::move(*opened));
    Result<model::Model> built = model::BuildModel(*file_, n_ctx);
    status_ = built.status();
    if (built.ok()) model_ = std::move(*built);
  }

  const Status& status() const { return status_; }
  const gguf::File& file() const { return *file_; }
  const model::Model& model() const { return model_; }
  const graph::Graph& graph() const { return model_.graph; }

  int64_t Count(op::Kind kind) const {
    return std::count_if(graph().nodes.begin(), graph().nodes.end(),
                         [&](const graph::Node& node) { return node.kind() == kind; });
  }
  // The node of that name; fails the current test if there is none.
  const graph::Node& Find(const std::string& name) const {
    for (const graph::Node& node : graph().nodes) {
      if (node.name == name) return node;
    }
    ADD_FAILURE() << "no node " << name;
    static const graph::Node kNone;
    return kNone;
  }
  template <typename P>
  const P& Params(const std::string& name) const {
    return std::get<P>(Find(name).params);
  }
  const graph::Value& Input(const graph::Node& node, size_t i) const {
    return graph().values[static_cast<size_t>(node.in.at(i))];
  }
  std::vector<std::string> NodeNames() const {
    std::vector<std::string> names;
    for (const graph::Node& node : graph().nodes) names.push_back(node.name);
    return names;
  }

 private:
  std::string bytes_;
  std::unique_ptr<gguf::File> file_;
  model::Model model_;
  Status status_;
};

// Asserts that the model is refused with this code and a line that contains `text`.
inline void ExpectRefused(const SyntheticModel& source, StatusCode code, const std::string& text) {
  const BuiltModel built(source);
  EXPECT_EQ(StatusCodeName(built.status().code()), StatusCodeName(code))
      << built.status().message();
  EXPECT_NE(built.status().message().find(text), std::string::npos)
      << "'" << built.status().message() << "' lacks '" << text << "'";
  EXPECT_EQ(built.status().message().find('\n'), std::string::npos);
}

}  // namespace rocforge::testing
