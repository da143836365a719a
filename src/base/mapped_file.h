// A read-only memory mapping of a whole file.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "rocforge/status.h"

namespace rocforge {

// Owns the mapping; movable, not copyable. Reading is thread-safe. If another process truncates the
// file while it is mapped, reads past the new end raise SIGBUS, as with every mmap; we never modify
// files in place for that reason.
class MappedFile {
 public:
  // Maps `path`. kNotFound if it does not exist, kInvalidArgument for a directory or a device,
  // kUnavailable for any other system error (the message carries errno's text). An empty file maps
  // to empty bytes.
  static Result<MappedFile> Open(const std::string& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::string path_;
};

}  // namespace rocforge
