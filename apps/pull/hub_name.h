// "hf:OWNER/REPO[:FILE]", and which file of a repository it means. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::apps {

struct HubName {
  std::string repository;  // "OWNER/REPO"
  std::string file;        // as the user wrote it: a path, a label such as "Q4_K_M", or ""
};

// kInvalidArgument, with the form expected, unless `name` is hf:OWNER/REPO or hf:OWNER/REPO:FILE.
Result<HubName> ParseHubName(const std::string& name);

// The GGUF file of `files` (paths in the repository) that the user means; for a split model its
// first part. FILE may be the path, the name of the file, or a part of the name in any case, if
// that leaves one file. Without FILE: the only one, else the only Q4_K_M. Projectors ("mmproj")
// count only when asked for. kNotFound, listing the choices, if nothing or too much is left.
Result<std::string> ChooseFile(const HubName& name, const std::vector<std::string>& files);

}  // namespace rocforge::apps
