// From what a user types after -m to a file.
#pragma once

#include <string>

#include "rocforge/status.h"

namespace rocforge::apps {

// Folder for downloaded models and other caches: $ROCFORGE_CACHE, else $ROCMFORGE_CACHE, else
// $XDG_CACHE_HOME/rocforge, else ~/.cache/rocforge. It need not exist yet. kNotFound if none of
// these variables nor HOME is set.
Result<std::string> CacheFolder();

// The GGUF file (for a split model its first part) that `name` means. In this order:
//   ""                     $ROCFORGE_MODEL, else $ROCMFORGE_MODEL, resolved in the same way
//   an existing file       itself
//   smollm2                a model that `rocforge pull` put into the cache, by its name
//   hf:OWNER/REPO[:FILE]   a file of that repository that is in the cache
// kInvalidArgument if `name` is empty and neither variable is set; kNotFound otherwise, with a
// message that says what to do ("run: rocforge pull smollm2"). Never downloads.
Result<std::string> ResolveModel(const std::string& name);

}  // namespace rocforge::apps
