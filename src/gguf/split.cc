// Models in several files: PREFIX-00001-of-00003.gguf, ... Every part is a GGUF file with the keys
// split.no (from 0), split.count and split.tensors.count; the metadata stands in the first.
#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/format.h"
#include "gguf/index.h"
#include "gguf/parser.h"

namespace rocforge::gguf {
namespace {

constexpr int64_t kMaxParts = 65535;  // split.count is a uint16

std::string PartPath(const std::string& prefix, int64_t number, int64_t count) {
  return Format("{}-{:05}-of-{:05}.gguf", prefix, number, count);
}

}  // namespace

Result<int64_t> Parser::SplitCount(const File& file) {
  if (file.Find("split.count") == nullptr) return 1;
  ROCFORGE_ASSIGN_OR_RETURN(const int64_t count, file.GetInt("split.count"));
  if (count < 0 || count > kMaxParts) {
    return DataLoss(
        Format("{}: key 'split.count' is {}, expected 0 to {}", file.paths_[0], count, kMaxParts));
  }
  return std::max<int64_t>(count, 1);
}

Result<std::string> Parser::SplitPrefix(const File& file, int64_t count) {
  const std::string& path = file.paths_[0];
  ROCFORGE_ASSIGN_OR_RETURN(const int64_t index, file.GetInt("split.no"));
  if (index < 0 || index >= count) {
    return DataLoss(Format("{}: key 'split.no' is {}, expected 0 to {}", path, index, count - 1));
  }
  const std::string suffix = PartPath("", index + 1, count);
  if (!path.ends_with(suffix)) {
    return DataLoss(
        Format("{}: this is part {} of a model split in {}, so its name must end in "
               "'{}': rename it back",
               path, index + 1, count, suffix));
  }
  return path.substr(0, path.size() - suffix.size());
}

Result<File> Parser::OpenPart(const std::string& path) {
  ROCFORGE_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(path));
  ROCFORGE_ASSIGN_OR_RETURN(File file, ParseOne(mapped.bytes(), path));
  file.parts_.push_back(std::move(mapped));
  return file;
}

Result<File> Parser::OpenAll(const std::string& path) {
  ROCFORGE_ASSIGN_OR_RETURN(File named, OpenPart(path));
  ROCFORGE_ASSIGN_OR_RETURN(const int64_t count, SplitCount(named));
  if (count == 1) return named;
  ROCFORGE_ASSIGN_OR_RETURN(const std::string prefix, SplitPrefix(named, count));
  File whole;
  for (int64_t number = 1; number <= count; ++number) {
    const std::string part_path = PartPath(prefix, number, count);
    Result<File> part = OpenPart(part_path);
    if (!part.ok()) {
      return part.status().WithContext(
          Format("part {} of {} of a split model (all must be in one folder)", number, count));
    }
    ROCFORGE_ASSIGN_OR_RETURN(const int64_t part_count, SplitCount(*part));
    if (part_count != count) {
      return DataLoss(Format("{}: says that the model is split in {}, but {} says in {}", part_path,
                             part_count, path, count));
    }
    ROCFORGE_RETURN_IF_ERROR(SplitPrefix(*part, count).status());
    if (number == 1) {
      whole = std::move(*part);
    } else {
      Append(std::move(*part), &whole);
    }
  }
  if (whole.Find("split.tensors.count") != nullptr) {
    ROCFORGE_ASSIGN_OR_RETURN(const int64_t expected, whole.GetInt("split.tensors.count"));
    if (expected != static_cast<int64_t>(whole.tensors_.size())) {
      return DataLoss(
          Format("{}: the {} parts have {} tensors, but key 'split.tensors.count' is {}",
                 whole.paths_[0], count, whole.tensors_.size(), expected));
    }
  }
  // They describe the files, not the model, and would be wrong in a copy of the metadata.
  std::erase_if(whole.metadata_, [](const KeyValue& e) { return e.key.starts_with("split."); });
  ROCFORGE_ASSIGN_OR_RETURN(whole.index_,
                            File::Index::Build(whole.paths_[0], whole.metadata_, whole.tensors_));
  return whole;
}

void Parser::Append(File part, File* whole) {
  const int number = static_cast<int>(whole->parts_.size());
  for (TensorInfo& tensor : part.tensors_) {
    tensor.part = number;
    whole->tensors_.push_back(std::move(tensor));
  }
  // What holds for all the data is the weaker promise.
  whole->alignment_ = std::min(whole->alignment_, part.alignment_);
  whole->total_bytes_ += part.total_bytes_;
  whole->paths_.push_back(std::move(part.paths_[0]));
  whole->parts_.push_back(std::move(part.parts_[0]));
}

}  // namespace rocforge::gguf
