#include "apps/pull/model_path.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "apps/pull/cache.h"
#include "apps/pull/catalog.h"
#include "apps/pull/hub_name.h"
#include "apps/pull/split_name.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

// The first of these variables that is set and not empty, or "".
std::string FromEnvironment(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return "";
}

Status IncompleteSplit(const CachedModel& model, int count) {
  return NotFound(Format("{} of the {} parts of {} are in the cache; run: rocforge pull {}",
                         model.paths.size(), count, model.name, model.name));
}

Result<std::string> FirstPart(const CachedModel& model) {
  const SplitName split = ParseSplitName(model.paths.front());
  if (split.count > 0 && static_cast<int>(model.paths.size()) != split.count)
    return IncompleteSplit(model, split.count);
  return model.paths.front();
}

Result<std::string> ResolveHub(const std::string& name) {
  ROCFORGE_ASSIGN_OR_RETURN(const HubName wanted, ParseHubName(name));
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<CachedModel> all, ListCachedModels());
  const std::string prefix = "hf:" + wanted.repository + ":";
  std::vector<std::string> files;
  for (const CachedModel& model : all) {
    if (model.name.starts_with(prefix)) files.push_back(model.name.substr(prefix.size()));
  }
  if (files.empty())
    return NotFound(Format("{} is not in the cache; run: rocforge pull {}", name, name));
  ROCFORGE_ASSIGN_OR_RETURN(const std::string file, ChooseFile(wanted, files));
  for (const CachedModel& model : all) {
    if (model.name == prefix + file) return FirstPart(model);
  }
  return NotFound(Format("{} is not in the cache; run: rocforge pull {}", name, name));
}

// All that can be said of a name which is neither a file nor in the cache.
Status Unknown(const std::string& name) {
  const std::string shown = EscapeForTerminal(name, 200);
  if (FindInCatalog(name) != nullptr)
    return NotFound(
        Format("model {} has not been fetched yet; run: rocforge pull {}", shown, shown));
  if (name.find('/') != std::string::npos || name.ends_with(".gguf"))
    return NotFound(Format("{}: no such file", shown));
  return NotFound(
      Format("no file and no model is named '{}'; 'rocforge models' lists the known ones", shown));
}

}  // namespace

Result<std::string> CacheFolder() {
  const std::string own = FromEnvironment({"ROCFORGE_CACHE", "ROCMFORGE_CACHE"});
  if (!own.empty()) return own;
  const std::string xdg = FromEnvironment({"XDG_CACHE_HOME"});
  if (!xdg.empty()) return xdg + "/rocforge";
  const std::string home = FromEnvironment({"HOME"});
  if (!home.empty()) return home + "/.cache/rocforge";
  return NotFound("no cache folder: set ROCFORGE_CACHE or HOME");
}

Result<std::string> ResolveModel(const std::string& name) {
  if (name.empty()) {
    const std::string from_environment = FromEnvironment({"ROCFORGE_MODEL", "ROCMFORGE_MODEL"});
    if (!from_environment.empty()) return ResolveModel(from_environment);
    return InvalidArgument(
        "no model given: use -m FILE or -m NAME, or set ROCFORGE_MODEL ('rocforge pull smollm2' "
        "fetches a small one)");
  }
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(name, error);
  if (std::filesystem::is_directory(status))
    return InvalidArgument(Format("{} is a folder; name a .gguf file in it", name));
  if (std::filesystem::exists(status)) return name;
  if (name.starts_with("hf:")) return ResolveHub(name);
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<CachedModel> all, ListCachedModels());
  for (const CachedModel& model : all) {
    if (model.name == name) return FirstPart(model);
  }
  return Unknown(name);
}

}  // namespace rocforge::apps
