#include "gguf/writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/format.h"
#include "gguf/layout.h"

namespace rocforge::gguf {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;
// Magic, version and counts. Until Finish a mark stands in their place, so that no reader takes an
// unfinished file for a model.
constexpr size_t kFixedBytes = 24;
constexpr std::string_view kMark = "RFPART01";

Status SystemError(const std::string& path, const char* action, int error) {
  const std::string text =
      Format("{}: cannot {}: {}", path, action, std::generic_category().message(error));
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) return ResourceExhausted(text);
  if (error == ENOENT || error == ENOTDIR) return NotFound(text);
  return Unavailable(text);
}

// FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/).
uint64_t Hash(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

// What the first kFixedBytes of an unfinished file hold: the mark and a hash of what it will be.
std::string MarkFor(std::string_view header, std::string_view identity) {
  const uint64_t hash = Hash(std::string(header.substr(0, kFixedBytes)).append(identity));
  std::string mark(kMark);
  mark.resize(kFixedBytes, '\0');
  std::memcpy(mark.data() + kMark.size(), &hash, sizeof(hash));
  return mark;
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

}  // namespace

struct Writer::State {
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State();

  Status OpenTemporary();
  Status OpenPartial();
  Status CheckSpace() const;
  Status Start(const std::string& mark);
  // Where an unfinished file with our header and identity left off; stays at 0 otherwise.
  Status Resume(const std::string& mark);
  Status Write(uint64_t offset, const char* bytes, size_t size);
  Status Flush();
  Status Push(const char* bytes, size_t size);

  // Where the file is when `n` tensors are complete and padded.
  uint64_t end_of(size_t n) const { return n < begins.size() ? begins[n] : total_bytes; }

  std::string path;
  std::string temporary;  // its name until Finish; empty before it exists and after Finish
  bool resumable = false;
  bool failed = false;
  int fd = -1;
  std::string header;
  std::vector<uint64_t> begins;  // of the data of each tensor, from the start of the file
  std::vector<uint64_t> sizes;   // of the data of each tensor, without padding
  uint64_t total_bytes = 0;
  size_t current = 0;          // the tensor being written
  uint64_t current_bytes = 0;  // of its data so far
  uint64_t flushed_bytes = 0;  // of the file, handed to the system
  std::string buffer;          // what follows them
};

Writer::State::~State() {
  if (fd < 0) return;
  const bool keep = resumable && current > 0;
  // A failed flush loses only the tail; Resume goes by the size of the file.
  if (keep && !failed) static_cast<void>(Flush().ok());
  ::close(fd);
  if (!keep && !temporary.empty()) ::unlink(temporary.c_str());
}

Status Writer::State::OpenTemporary() {
  static std::atomic<uint32_t> counter{0};
  temporary = Format("{}.tmp-{}-{}", path, ::getpid(), counter.fetch_add(1));
  fd = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  return fd < 0 ? SystemError(temporary, "create the file", errno) : Status();
}

Status Writer::State::OpenPartial() {
  const std::string name = path + ".partial";
  fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return SystemError(name, "create the file", errno);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return Unavailable(Format("{}: another process is writing it", name));
  }
  // The other process may have finished, and so renamed the file, between our open and our lock.
  struct stat ours{};
  struct stat named{};
  if (::fstat(fd, &ours) != 0 || ::lstat(name.c_str(), &named) != 0 || !S_ISREG(ours.st_mode) ||
      ours.st_ino != named.st_ino || ours.st_dev != named.st_dev) {
    return Unavailable(Format("{}: another process is writing it", name));
  }
  temporary = name;
  return {};
}

Status Writer::State::CheckSpace() const {
  struct statvfs info{};
  if (::fstatvfs(fd, &info) != 0) return {};  // unknown: the write itself will tell
  const uint64_t free_bytes = uint64_t{info.f_bavail} * info.f_frsize;
  const uint64_t needed = total_bytes - std::min(total_bytes, flushed_bytes);
  if (needed <= free_bytes) return {};
  return ResourceExhausted(Format("{}: needs {} of disk space, but {} are free", path,
                                  FormatBytes(needed), FormatBytes(free_bytes)));
}

Status Writer::State::Resume(const std::string& mark) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return SystemError(temporary, "read the size", errno);
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size < header.size()) return {};
  std::string found(header.size(), '\0');
  for (size_t got = 0; got < found.size();) {
    const ssize_t n = ::pread(fd, found.data() + got, found.size() - got, static_cast<off_t>(got));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return SystemError(temporary, "read the file", n < 0 ? errno : EIO);
    got += static_cast<size_t>(n);
  }
  if (std::string_view(found).substr(0, kFixedBytes) != mark ||
      std::string_view(found).substr(kFixedBytes) != std::string_view(header).substr(kFixedBytes)) {
    return {};
  }
  while (current < sizes.size() && begins[current] + sizes[current] <= size) ++current;
  flushed_bytes = end_of(current);
  return {};
}

Status Writer::State::Start(const std::string& mark) {
  if (resumable) ROCFORGE_RETURN_IF_ERROR(Resume(mark));
  // Cuts a tensor that was begun, or a foreign file; zeros stand for padding that was not written.
  if (::ftruncate(fd, static_cast<off_t>(flushed_bytes)) != 0) {
    return SystemError(temporary, "resize the file", errno);
  }
  ROCFORGE_RETURN_IF_ERROR(CheckSpace());
  if (flushed_bytes > 0) return {};
  ROCFORGE_RETURN_IF_ERROR(Push(mark.data(), mark.size()));
  return Push(header.data() + kFixedBytes, header.size() - kFixedBytes);
}

Status Writer::State::Write(uint64_t offset, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t n = ::pwrite(fd, bytes, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      failed = true;
      return SystemError(temporary, "write", errno);
    }
    bytes += n;
    offset += static_cast<uint64_t>(n);
    size -= static_cast<size_t>(n);
  }
  return {};
}

Status Writer::State::Flush() {
  ROCFORGE_RETURN_IF_ERROR(Write(flushed_bytes, buffer.data(), buffer.size()));
  flushed_bytes += buffer.size();
  buffer.clear();
  return {};
}

Status Writer::State::Push(const char* bytes, size_t size) {
  if (buffer.size() + size > kBufferBytes) ROCFORGE_RETURN_IF_ERROR(Flush());
  if (size < kBufferBytes) {
    buffer.append(bytes, size);
    return {};
  }
  ROCFORGE_RETURN_IF_ERROR(Write(flushed_bytes, bytes, size));
  flushed_bytes += size;
  return {};
}

Writer::Writer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;
Writer::~Writer() = default;

Result<Writer> Writer::Create(const std::string& path, const std::vector<KeyValue>& metadata,
                              const std::vector<TensorSpec>& tensors,
                              const WriterOptions& options) {
  const auto in_file = [&](const Status& status) { return status.WithContext(path); };
  struct stat info{};
  // Said now, not after an hour of work.
  if (path.empty()) return InvalidArgument("the name of the output file is empty");
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return InvalidArgument(Format("{}: exists and is not a regular file", path));
  }
  auto state = std::make_unique<State>();
  state->path = path;
  state->resumable = options.resumable;
  Result<std::string> header = EncodeHeader(metadata, tensors);
  if (!header.ok()) return in_file(header.status());
  state->header = std::move(*header);
  ROCFORGE_ASSIGN_OR_RETURN(const uint64_t alignment, AlignmentOf(metadata));
  state->total_bytes = state->header.size();
  for (const TensorSpec& tensor : tensors) {
    ROCFORGE_ASSIGN_OR_RETURN(const uint64_t bytes, DataBytes(tensor.dtype, tensor.shape));
    state->begins.push_back(state->total_bytes);
    state->sizes.push_back(bytes);
    state->total_bytes += AlignUp(bytes, alignment);
  }
  ROCFORGE_RETURN_IF_ERROR(options.resumable ? state->OpenPartial() : state->OpenTemporary());
  ROCFORGE_RETURN_IF_ERROR(state->Start(MarkFor(state->header, options.identity)));
  return Writer(std::move(state));
}

size_t Writer::tensors_done() const { return state_->current; }
uint64_t Writer::total_bytes() const { return state_->total_bytes; }
uint64_t Writer::done_bytes() const { return state_->flushed_bytes + state_->buffer.size(); }

Status Writer::Append(std::span<const std::byte> bytes) {
  State& s = *state_;
  if (s.failed) return FailedPrecondition(Format("{}: an earlier write failed", s.path));
  if (s.current == s.sizes.size()) {
    return InvalidArgument(Format("{}: data after the last tensor", s.path));
  }
  const uint64_t missing = s.sizes[s.current] - s.current_bytes;
  if (bytes.size() > missing) {
    return InvalidArgument(Format("{}: {} bytes for tensor {}, which lacks only {}", s.path,
                                  bytes.size(), s.current, missing));
  }
  ROCFORGE_RETURN_IF_ERROR(s.Push(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  s.current_bytes += bytes.size();
  if (s.current_bytes < s.sizes[s.current]) return {};
  const uint64_t padding = s.end_of(s.current + 1) - s.begins[s.current] - s.sizes[s.current];
  const std::string zeros(static_cast<size_t>(padding), '\0');
  ROCFORGE_RETURN_IF_ERROR(s.Push(zeros.data(), zeros.size()));
  ++s.current;
  s.current_bytes = 0;
  return {};
}

Status Writer::Finish() {
  State& s = *state_;
  if (s.failed) return FailedPrecondition(Format("{}: an earlier write failed", s.path));
  if (s.fd < 0) return FailedPrecondition(Format("{}: already finished", s.path));
  if (s.current < s.sizes.size()) {
    return FailedPrecondition(
        Format("{}: the data of {} tensors is missing", s.path, s.sizes.size() - s.current));
  }
  ROCFORGE_RETURN_IF_ERROR(s.Flush());
  // The data must be on the disk before the bytes that call it a GGUF file.
  if (::fsync(s.fd) != 0) return SystemError(s.temporary, "sync", errno);
  ROCFORGE_RETURN_IF_ERROR(s.Write(0, s.header.data(), kFixedBytes));
  if (::fsync(s.fd) != 0) return SystemError(s.temporary, "sync", errno);
  if (std::rename(s.temporary.c_str(), s.path.c_str()) != 0) {
    return SystemError(s.path, "rename the finished file", errno);
  }
  s.temporary.clear();
  ::close(s.fd);
  s.fd = -1;
  // The name itself. Some file systems cannot sync a folder; the file is complete all the same.
  const int folder = ::open(FolderOf(s.path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
  return {};
}

}  // namespace rocforge::gguf
