// HTTP GET over libcurl, which is loaded when it is first needed: the binary starts without it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::apps {

struct HttpOptions {
  int connect_timeout_s = 20;
  int stall_timeout_s = 30;  // gives up when nothing has come for so long
  int max_redirects = 10;
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; the last of equal ones
  std::string url;                             // where it came from, after redirects

  // "" if there is none.
  std::string Header(const std::string& lower_case_name) const;
  // -1 if there is none or it is no number.
  int64_t ContentLength() const;
};

struct HttpRequest {
  std::string url;                   // http or https
  std::vector<std::string> headers;  // "Name: value"
  // Sent as "Authorization: Bearer ..." to the host of `url` only, never to where it redirects to.
  std::string bearer_token;
};

// What a download wants to know. Either may stop the transfer with a failure, which Get returns.
struct HttpSink {
  // Once, when the final response's headers are there; for every status.
  std::function<Status(const HttpResponse&)> on_headers;
  // The body, in pieces.
  std::function<Status(std::span<const char>)> on_data;
};

// Scheme, host and port of a URL in lower case ("https://host:443"), or "" if it is neither http
// nor https. Two URLs with equal origins belong to one server.
std::string OriginOf(const std::string& url);

// One connection is kept open between calls. Not thread-safe.
class HttpClient {
 public:
  // kUnavailable, with what to install, if there is no usable libcurl.
  static Result<HttpClient> Create(const HttpOptions& options);
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  // Follows redirects (to http and https only, and never from https to http). An HTTP error status
  // is a response, not a failure. kUnavailable if the server cannot be reached, stalls or breaks
  // off; kCancelled after Ctrl-C (InterruptScope).
  Result<HttpResponse> Get(const HttpRequest& request, const HttpSink& sink);

  // The body as text; kResourceExhausted if it is longer than max_bytes.
  Result<HttpResponse> GetText(const HttpRequest& request, size_t max_bytes, std::string* body);

 private:
  struct State;
  explicit HttpClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace rocforge::apps
