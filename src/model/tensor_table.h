// Takes tensors out of a file and into a graph: every one checked for presence, type and shape, and
// remembered as used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "gguf/reader.h"
#include "graph/graph.h"
#include "model/arch_spec.h"
#include "rocforge/status.h"

namespace rocforge::model {

// Each weight is added to the graph once, however often it is asked for. Errors are kDataLoss and
// name the tensor, what was found and what was expected.
class TensorTable {
 public:
  // `file` and `graph` outlive the table.
  TensorTable(const gguf::File& file, graph::Graph* graph) : file_(file), graph_(graph) {}

  bool Has(const std::string& name) const { return file_.FindTensor(name) != nullptr; }

  // [rows, cols] of any decodable type.
  Result<graph::ValueId> Matrix(const std::string& name, int64_t rows, int64_t cols) {
    return MatrixRows(name, rows, 0, rows, cols);
  }
  // Rows [row_begin, row_begin + rows) of a matrix [total_rows, cols].
  Result<graph::ValueId> MatrixRows(const std::string& name, int64_t total_rows, int64_t row_begin,
                                    int64_t rows, int64_t cols);
  // [experts, rows, cols] of any decodable type.
  Result<graph::ValueId> Stack(const std::string& name, int64_t experts, int64_t rows,
                               int64_t cols);
  // [n] of f32.
  Result<graph::ValueId> Vector(const std::string& name, int64_t n);
  // [rows, n] of f32: one vector per expert.
  Result<graph::ValueId> Vectors(const std::string& name, int64_t rows, int64_t n);
  // The number in a tensor of one f32.
  Result<float> Scalar(const std::string& name);
  // Counts a tensor as known although this graph does not need it.
  void MarkKnown(const std::string& name) { used_.insert(name); }

  // After the graph is complete. A tensor that no one asked for is kUnsupported if leaving it out
  // would change the results (a part of one of the n_layers blocks, an output bias, ...); others
  // are logged as unused.
  Status CheckUnused(const ArchSpec& spec, int64_t n_layers) const;

  // First byte of each weight, by Graph::weights index.
  const std::vector<const std::byte*>& data() const { return data_; }
  // The tensors that are used, each once, in file order.
  std::vector<const gguf::TensorInfo*> UsedTensors() const;

 private:
  Result<const gguf::TensorInfo*> Find(const std::string& name, const Shape& expected,
                                       bool must_be_f32);
  graph::ValueId Add(const gguf::TensorInfo& tensor, int64_t row_begin, const op::TensorDesc& desc);

  const gguf::File& file_;
  graph::Graph* graph_;
  std::vector<const std::byte*> data_;
  std::map<std::pair<std::string, int64_t>, graph::ValueId> added_;  // by tensor and first row
  std::unordered_set<std::string> used_;
};

}  // namespace rocforge::model
