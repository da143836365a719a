#include "apps/pull/cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "apps/pull/model_path.h"
#include "apps/pull/split_name.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

namespace fs = std::filesystem;

// Left free beside a download: a full disk breaks more than us.
constexpr uint64_t kReserveBytes = uint64_t{64} << 20;

Status SystemError(const std::string& path, int error) {
  return Unavailable(Format("{}: {}", path, std::strerror(error)));
}

Result<std::string> ModelsFolder() {
  ROCFORGE_ASSIGN_OR_RETURN(const std::string cache, CacheFolder());
  return cache + "/models";
}

// "smollm2" for models/smollm2.gguf, "hf:OWNER/REPO:FILE" for models/hf/OWNER/REPO/FILE, else "".
std::string NameOf(const std::string& relative) {
  const std::string_view hub = "hf/";
  if (!relative.starts_with(hub)) {
    return relative.find('/') == std::string::npos ? relative.substr(0, relative.size() - 5) : "";
  }
  const size_t owner_end = relative.find('/', hub.size());
  if (owner_end == std::string::npos) return "";
  const size_t repository_end = relative.find('/', owner_end + 1);
  if (repository_end == std::string::npos) return "";
  return "hf:" + relative.substr(hub.size(), repository_end - hub.size()) + ":" +
         relative.substr(repository_end + 1);
}

Status SyncPath(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError(path, errno);
  const int failed = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  return failed == 0 ? Status() : SystemError(path, error);
}

}  // namespace

int64_t FileSize(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return -1;
  return info.st_size;
}

bool IsSafeRelativePath(const std::string& path) {
  if (path.empty() || path.size() > 1024) return false;
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\\') return false;
  }
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

Status MakeFolders(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return Unavailable(Format("cannot make folder {}: {}", path, error.message()));
  return {};
}

Result<std::string> CatalogModelPath(const std::string& name) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::string models, ModelsFolder());
  return models + "/" + name + ".gguf";
}

Result<std::string> HubModelPath(const std::string& repository, const std::string& file) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::string models, ModelsFolder());
  return models + "/hf/" + repository + "/" + file;
}

Result<std::vector<CachedModel>> ListCachedModels() {
  ROCFORGE_ASSIGN_OR_RETURN(const std::string models, ModelsFolder());
  std::vector<std::string> files;
  std::error_code error;
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator it(models, options, error), end; !error && it != end;
       it.increment(error)) {
    const std::string path = it->path().string();
    if (path.ends_with(".gguf") && FileSize(path) >= 0) files.push_back(path);
  }
  std::sort(files.begin(), files.end());  // puts the parts of a split model in order
  std::map<std::string, CachedModel> by_name;
  for (const std::string& path : files) {
    const std::string relative = path.substr(models.size() + 1);
    const SplitName split = ParseSplitName(relative);
    // All parts go by the name of the first.
    const std::string name = NameOf(split.count > 0 ? SplitPartName(split, 1) : relative);
    if (name.empty()) continue;
    CachedModel& model = by_name[name];
    model.name = name;
    model.paths.push_back(path);
    model.bytes += static_cast<uint64_t>(FileSize(path));
  }
  std::vector<CachedModel> list;
  for (auto& [name, model] : by_name) list.push_back(std::move(model));
  return list;
}

Status RemoveCachedModel(const std::string& name) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<CachedModel> all, ListCachedModels());
  const auto model =
      std::find_if(all.begin(), all.end(), [&](const CachedModel& m) { return m.name == name; });
  if (model == all.end()) {
    return NotFound(Format("no model '{}' in the cache; 'rocforge models' lists what there is",
                           EscapeForTerminal(name, 200)));
  }
  ROCFORGE_ASSIGN_OR_RETURN(const std::string models, ModelsFolder());
  for (const std::string& path : model->paths) {
    if (::unlink(path.c_str()) != 0) return SystemError(path, errno);
    for (fs::path dir = fs::path(path).parent_path(); dir.string().size() > models.size();
         dir = dir.parent_path()) {
      if (::rmdir(dir.c_str()) != 0) break;  // not empty
    }
  }
  return {};
}

Status CheckFreeSpace(const std::string& folder, uint64_t bytes) {
  struct statvfs info{};
  if (::statvfs(folder.c_str(), &info) != 0) return SystemError(folder, errno);
  const uint64_t free_bytes = uint64_t{info.f_bavail} * info.f_frsize;
  if (free_bytes >= bytes + kReserveBytes) return {};
  return ResourceExhausted(
      Format("not enough disk space: {} needed, {} free in {}; free some, or set ROCFORGE_CACHE to "
             "a folder on another disk",
             FormatBytes(bytes + kReserveBytes), FormatBytes(free_bytes), folder));
}

Status MoveIntoPlace(const std::string& from, const std::string& to) {
  const std::string folder = fs::path(to).parent_path().string();
  ROCFORGE_RETURN_IF_ERROR(MakeFolders(folder));
  ROCFORGE_RETURN_IF_ERROR(SyncPath(from));
  if (::rename(from.c_str(), to.c_str()) != 0) return SystemError(to, errno);
  return SyncPath(folder);
}

Result<WorkFolder> WorkFolder::Acquire(const std::string& key, const Notify& notify) {
  std::string name;
  for (const char c : key) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.';
    name += plain ? c : '_';
  }
  ROCFORGE_ASSIGN_OR_RETURN(const std::string cache, CacheFolder());
  const std::string path = cache + "/partial/" + name;
  const std::string lock_path = path + ".lock";
  ROCFORGE_RETURN_IF_ERROR(MakeFolders(path));
  const int fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return SystemError(lock_path, errno);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    notify("another rocforge is fetching this model; waiting for it");
    while (::flock(fd, LOCK_EX) != 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      ::close(fd);
      return SystemError(lock_path, error);
    }
  }
  WorkFolder folder(path, fd);
  ROCFORGE_RETURN_IF_ERROR(MakeFolders(path));  // the other may have removed it
  return folder;
}

WorkFolder::WorkFolder(WorkFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_fd_(std::exchange(other.lock_fd_, -1)) {}

WorkFolder& WorkFolder::operator=(WorkFolder&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_fd_, other.lock_fd_);
  return *this;
}

WorkFolder::~WorkFolder() {
  if (lock_fd_ >= 0) ::close(lock_fd_);  // releases the lock
}

Status WorkFolder::Clear() {
  std::error_code error;
  fs::remove_all(path_, error);
  if (error) return Unavailable(Format("cannot clear {}: {}", path_, error.message()));
  return MakeFolders(path_);
}

void WorkFolder::Remove() {
  // Best effort: what remains is found and used or cleared by the next pull of the same model.
  std::error_code error;
  fs::remove_all(path_, error);
}

}  // namespace rocforge::apps
