// The names of a File, sorted: lookups in O(log n). Not a hash table, because names come from the
// file and a hostile one could make every name collide. Internal to gguf/.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "gguf/reader.h"

namespace rocforge::gguf {

struct File::Index {
  std::vector<uint32_t> keys;     // positions in metadata(), ascending by key
  std::vector<uint32_t> tensors;  // positions in tensors(), ascending by name

  // kDataLoss, naming `file_name`, if a key or a tensor name occurs twice.
  static Result<std::shared_ptr<const Index>> Build(std::string_view file_name,
                                                    const std::vector<KeyValue>& metadata,
                                                    const std::vector<TensorInfo>& tensors);
};

}  // namespace rocforge::gguf
