// The folder of downloaded models:
//   CACHE/models/NAME.gguf               models of the catalogue
//   CACHE/models/hf/OWNER/REPO/FILE      files from Hugging Face
//   CACHE/partial/KEY/                   downloads under way, and their lock
// A file under models/ is always whole: downloads are renamed into it after their checks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::apps {

struct CachedModel {
  std::string name;                // "smollm2" or "hf:OWNER/REPO:FILE"
  std::vector<std::string> paths;  // the file, or all parts of a split model in order
  uint64_t bytes = 0;              // of all of them
};

// Lines for the user about what is going on ("smollm2: fetching ..."), without a newline.
using Notify = std::function<void(const std::string& line)>;

// All models in the cache, by name. A split model is one entry even if parts are missing.
Result<std::vector<CachedModel>> ListCachedModels();

// Where `pull` puts a model of the catalogue, and a file of a repository. The names are valid
// (IsSafeRelativePath).
Result<std::string> CatalogModelPath(const std::string& name);
Result<std::string> HubModelPath(const std::string& repository, const std::string& file);

// Whether `path` stays below the folder it is appended to: relative, no empty, "." or ".."
// component, no backslash or control character. For names that come from a server.
bool IsSafeRelativePath(const std::string& path);

// mkdir -p. kUnavailable with the system's reason.
Status MakeFolders(const std::string& path);

// Removes a model's files and the folders that it leaves empty. kNotFound if there is no such
// model.
Status RemoveCachedModel(const std::string& name);

// kResourceExhausted, with both numbers, if the file system of `folder` (which exists) has less
// than `bytes` and a little more free.
Status CheckFreeSpace(const std::string& folder, uint64_t bytes);

// Size in bytes, or -1 if `path` is no regular file.
int64_t FileSize(const std::string& path);

// Makes `from` the file `to`, replacing it, and makes both durable.
Status MoveIntoPlace(const std::string& from, const std::string& to);

// The folder in which one model is put together, CACHE/partial/<key>, held by one process at a
// time. Its contents survive, so that a download can be resumed.
class WorkFolder {
 public:
  // Waits while another process holds it, saying so through `notify`.
  static Result<WorkFolder> Acquire(const std::string& key, const Notify& notify);
  WorkFolder(WorkFolder&& other) noexcept;
  WorkFolder& operator=(WorkFolder&& other) noexcept;
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  ~WorkFolder();

  const std::string& path() const { return path_; }
  // Removes everything in it.
  Status Clear();
  // Removes it; when a download is complete.
  void Remove();

 private:
  WorkFolder(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}
  std::string path_;
  int lock_fd_ = -1;
};

}  // namespace rocforge::apps
