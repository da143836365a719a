// Fetches a model from Hugging Face, or a server that speaks its API.
#pragma once

#include <string>

#include "apps/pull/cache.h"
#include "apps/pull/download.h"
#include "apps/pull/http.h"
#include "apps/pull/hub_name.h"
#include "rocforge/status.h"

namespace rocforge::apps {

struct HubOptions {
  std::string endpoint = "https://huggingface.co";
  std::string
      token;  // "": none. Sent to the endpoint's host only, and over http only to this machine
  bool verify = false;  // files that are already there are read and compared with the SHA-256
  HttpOptions http;
  DownloadOptions download;
};

// Lists the repository's files, chooses (ChooseFile) and downloads every part that is not in the
// cache with the right size. Returns the path of the (first) file. The failures are those of
// ChooseFile, CheckFreeSpace and Download. If the server cannot be reached but a file that fits the
// name is in the cache, that is said and its path returned.
Result<std::string> PullFromHub(const HubName& name, const HubOptions& options,
                                const Notify& notify);

}  // namespace rocforge::apps
