// What `rocforge inspect` shows of a GGUF file, as text for people and as JSON for programs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gguf/reader.h"
#include "tensor/dtype.h"

namespace rocforge::apps {

struct InspectOptions {
  bool metadata = true;
  bool tensors = true;
  // Elements of an array, and bytes of a string or of all of an array's elements, that are shown;
  // "..." stands for the rest.
  size_t max_items = 6;
  size_t max_text_bytes = 72;
  // Columns that a line of the metadata may take, by shortening its value; 0: any number.
  int columns = 0;
};

// How much of a model has one element type.
struct TypeShare {
  DType dtype = DType::kF32;
  int64_t tensors = 0;
  int64_t parameters = 0;
  uint64_t bytes = 0;
  double fraction = 0;  // of all tensor bytes
};

// Largest share first; empty if there are no tensors.
std::vector<TypeShare> TypeShares(const gguf::File& file);

// A summary, the element types with their shares, metadata and tensors in aligned columns. Strings
// of the file are escaped, so that nothing in it can reach the terminal.
std::string InspectText(const gguf::File& file, const InspectOptions& options);

// One JSON object, one line per key and tensor. Shapes are row-major (the last dimension is
// contiguous). Always valid JSON: bytes that are not UTF-8 become U+FFFD, infinities and NaN the
// strings "Infinity", "-Infinity" and "NaN". Arrays are cut after `max_items` ("length" tells);
// strings are whole.
std::string InspectJson(const gguf::File& file, const InspectOptions& options);

// One value and nothing else: a string as it is, an array one element a line (strings escaped).
std::string InspectValue(const gguf::Value& value);

}  // namespace rocforge::apps
