// One file over HTTP onto the disk: resumed where it broke off, checked, never half.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "apps/pull/http.h"
#include "rocforge/status.h"

namespace rocforge::apps {

struct DownloadOptions {
  int max_failures = 5;          // in a row without a new byte; then it gives up
  double first_wait_s = 1.0;     // before the second try; doubles with each failure in a row
  double longest_wait_s = 30.0;  // also of a server's Retry-After
};

struct DownloadRequest {
  HttpRequest http;
  std::string part_path;  // grows here; beside it, part_path + ".etag" says which version it is
  int64_t bytes = -1;     // what the file must have; -1: unknown
  std::string sha256;     // what the file must have; "": unknown
  std::string name;       // for messages
};

// done and total bytes (-1: unknown); called often.
using DownloadProgress = std::function<void(int64_t done, int64_t total)>;

// Completes request.part_path. What is there already is continued with a Range request, guarded by
// If-Range and the ETag it came with, so that a file which has changed on the server is fetched
// from its start. Lost connections, stalls and the statuses 408, 429 and 5xx are tried again with
// growing pauses. A wrong size or SHA-256 deletes the part and fetches it once more from the start,
// then is kDataLoss. 401 and 403: kFailedPrecondition; 404: kNotFound; a lasting failure of the
// network: kUnavailable, and the part stays for the next time; no space: kResourceExhausted;
// Ctrl-C: kCancelled, and the part stays.
Status Download(HttpClient* client, const DownloadRequest& request, const DownloadOptions& options,
                const DownloadProgress& progress, const std::function<void(std::string)>& notify);

}  // namespace rocforge::apps
