#include "apps/pull/http.h"

// The types and constants only: the functions come from the library found at run time.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "apps/terminal/interrupt.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

struct Curl {
  decltype(&::curl_global_init) global_init = nullptr;
  decltype(&::curl_easy_init) easy_init = nullptr;
  decltype(&::curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&::curl_easy_reset) easy_reset = nullptr;
  decltype(&::curl_easy_setopt) easy_setopt = nullptr;
  decltype(&::curl_easy_perform) easy_perform = nullptr;
  decltype(&::curl_easy_getinfo) easy_getinfo = nullptr;
  decltype(&::curl_easy_strerror) easy_strerror = nullptr;
  decltype(&::curl_slist_append) slist_append = nullptr;
  decltype(&::curl_slist_free_all) slist_free_all = nullptr;
};

template <typename Function>
bool Find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(::dlsym(library, name));
  return *function != nullptr;
}

// The library is never unloaded: it may have started threads.
Result<Curl> LoadCurl() {
  void* library = nullptr;
  for (const char* name : {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl-nss.so.4"}) {
    library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) break;
  }
  if (library == nullptr) {
    return Unavailable(
        Format("downloading needs libcurl; install it with: {}apt-get install -y libcurl4",
               ::geteuid() == 0 ? "" : "sudo "));
  }
  Curl c;
  const bool complete = Find(library, "curl_global_init", &c.global_init) &&
                        Find(library, "curl_easy_init", &c.easy_init) &&
                        Find(library, "curl_easy_cleanup", &c.easy_cleanup) &&
                        Find(library, "curl_easy_reset", &c.easy_reset) &&
                        Find(library, "curl_easy_setopt", &c.easy_setopt) &&
                        Find(library, "curl_easy_perform", &c.easy_perform) &&
                        Find(library, "curl_easy_getinfo", &c.easy_getinfo) &&
                        Find(library, "curl_easy_strerror", &c.easy_strerror) &&
                        Find(library, "curl_slist_append", &c.slist_append) &&
                        Find(library, "curl_slist_free_all", &c.slist_free_all);
  if (!complete || c.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return Unavailable("the libcurl of this machine cannot be used; it lacks functions or TLS");
  return c;
}

std::string Trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// One request to one URL, without following.
struct Hop {
  HttpResponse response;
  const HttpSink* sink = nullptr;
  bool headers_given = false;
  Status stopped;  // why the sink stopped it

  // A redirect's body is of no interest; everything else goes to the sink.
  bool Begin() {
    if (headers_given || IsRedirect(response.status)) return true;
    headers_given = true;
    if (sink->on_headers) stopped = sink->on_headers(response);
    return stopped.ok();
  }
};

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  Hop& hop = *static_cast<Hop*>(user);
  const std::string line = Trimmed(std::string(data, size * count));
  if (line.starts_with("HTTP/")) {  // also after "100 Continue": start again
    hop.response.headers.clear();
    const size_t space = line.find(' ');
    hop.response.status = 0;
    if (space != std::string::npos) {
      std::from_chars(line.data() + space + 1, line.data() + line.size(), hop.response.status);
    }
  } else if (const size_t colon = line.find(':'); colon != std::string::npos) {
    hop.response.headers[AsciiLowercase(line.substr(0, colon))] = Trimmed(line.substr(colon + 1));
  }
  return size * count;
}

size_t OnData(char* data, size_t size, size_t count, void* user) {
  Hop& hop = *static_cast<Hop*>(user);
  if (IsRedirect(hop.response.status)) return size * count;
  if (!hop.Begin()) return 0;
  if (hop.sink->on_data) hop.stopped = hop.sink->on_data({data, size * count});
  return hop.stopped.ok() ? size * count : 0;
}

int OnProgress(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return Interrupted() ? 1 : 0;
}

}  // namespace

std::string HttpResponse::Header(const std::string& lower_case_name) const {
  const auto at = headers.find(lower_case_name);
  return at == headers.end() ? "" : at->second;
}

int64_t HttpResponse::ContentLength() const {
  const std::string text = Header("content-length");
  int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

std::string OriginOf(const std::string& url) {
  const size_t scheme_end = url.find("://");
  if (scheme_end == std::string::npos) return "";
  const std::string scheme = AsciiLowercase(url.substr(0, scheme_end));
  if (scheme != "http" && scheme != "https") return "";
  const size_t begin = scheme_end + 3;
  std::string host = AsciiLowercase(url.substr(begin, url.find_first_of("/?#\\", begin) - begin));
  host = host.substr(host.rfind('@') == std::string::npos ? 0 : host.rfind('@') + 1);
  if (host.empty()) return "";
  const size_t colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
  if (!has_port) host += scheme == "https" ? ":443" : ":80";
  return scheme + "://" + host;
}

struct HttpClient::State {
  Curl curl;
  CURL* handle = nullptr;
  HttpOptions options;

  ~State() {
    if (handle != nullptr) curl.easy_cleanup(handle);
  }

  Result<std::string> PerformHop(const HttpRequest& request, const std::string& url,
                                 bool with_token, Hop* hop);
};

namespace {

// What curl's failure means for a user.
Status CurlFailure(const Curl& curl, CURLcode code, const std::string& url,
                   const HttpOptions& options) {
  const std::string origin = OriginOf(url);
  if (code == CURLE_ABORTED_BY_CALLBACK && Interrupted()) return Cancelled("stopped");
  if (code == CURLE_OPERATION_TIMEDOUT)
    return Unavailable(Format("{} sent nothing for {} s", origin, options.stall_timeout_s));
  if (code == CURLE_UNSUPPORTED_PROTOCOL)
    return Unsupported(Format("libcurl cannot fetch {}", EscapeForTerminal(url, 200)));
  return Unavailable(Format("{}: {}", origin, curl.easy_strerror(code)));
}

}  // namespace

// Returns the URL to go on with, or "" when the response was the final one.
Result<std::string> HttpClient::State::PerformHop(const HttpRequest& request,
                                                  const std::string& url, bool with_token,
                                                  Hop* hop) {
  curl.easy_reset(handle);
  curl_slist* headers = nullptr;
  for (const std::string& header : request.headers) {
    headers = curl.slist_append(headers, header.c_str());
  }
  if (with_token && !request.bearer_token.empty()) {
    headers = curl.slist_append(headers, ("Authorization: Bearer " + request.bearer_token).c_str());
  }
  hop->response.url = url;
  const bool accepted =
      curl.easy_setopt(handle, CURLOPT_URL, url.c_str()) == CURLE_OK &&
      // Fails where libcurl is older than 7.85 and could be led to file: and other schemes.
      curl.easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
      curl.easy_setopt(handle, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
      curl.easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
      curl.easy_setopt(handle, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
      curl.easy_setopt(handle, CURLOPT_USERAGENT, "rocforge") == CURLE_OK &&
      curl.easy_setopt(handle, CURLOPT_CONNECTTIMEOUT,
                       static_cast<long>(options.connect_timeout_s)) == CURLE_OK &&
      curl.easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
      curl.easy_setopt(handle, CURLOPT_LOW_SPEED_TIME,
                       static_cast<long>(options.stall_timeout_s)) == CURLE_OK &&
      curl.easy_setopt(handle, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
      curl.easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &OnProgress) == CURLE_OK &&
      curl.easy_setopt(handle, CURLOPT_HEADERFUNCTION, &OnHeader) == CURLE_OK &&
      curl.easy_setopt(handle, CURLOPT_HEADERDATA, hop) == CURLE_OK &&
      curl.easy_setopt(handle, CURLOPT_WRITEFUNCTION, &OnData) == CURLE_OK &&
      curl.easy_setopt(handle, CURLOPT_WRITEDATA, hop) == CURLE_OK;
  const CURLcode code = accepted ? curl.easy_perform(handle) : CURLE_UNKNOWN_OPTION;
  curl.slist_free_all(headers);
  if (!accepted) return Unavailable("libcurl is too old; version 7.85 or newer is needed");
  ROCFORGE_RETURN_IF_ERROR(hop->stopped);
  if (code != CURLE_OK) return CurlFailure(curl, code, url, options);
  if (!IsRedirect(hop->response.status)) {
    if (!hop->Begin()) return hop->stopped;  // a response without a body
    return std::string();
  }
  char* target = nullptr;
  if (curl.easy_getinfo(handle, CURLINFO_REDIRECT_URL, &target) != CURLE_OK || target == nullptr)
    return Unavailable(Format("{} redirects to nowhere", OriginOf(url)));
  return std::string(target);
}

HttpClient::HttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

Result<HttpClient> HttpClient::Create(const HttpOptions& options) {
  auto state = std::make_unique<State>();
  ROCFORGE_ASSIGN_OR_RETURN(state->curl, LoadCurl());
  state->options = options;
  state->handle = state->curl.easy_init();
  if (state->handle == nullptr) return ResourceExhausted("libcurl has no memory");
  return HttpClient(std::move(state));
}

Result<HttpResponse> HttpClient::Get(const HttpRequest& request, const HttpSink& sink) {
  std::string url = request.url;
  const std::string home = OriginOf(url);
  for (int hops = 0; hops <= state_->options.max_redirects; ++hops) {
    const std::string origin = OriginOf(url);
    if (origin.empty()) {
      return Unsupported(
          Format("refusing to fetch {}: not http or https", EscapeForTerminal(url, 200)));
    }
    Hop hop;
    hop.sink = &sink;
    ROCFORGE_ASSIGN_OR_RETURN(const std::string next,
                              state_->PerformHop(request, url, origin == home, &hop));
    if (next.empty()) return std::move(hop.response);
    if (origin.starts_with("https:") && OriginOf(next).starts_with("http:")) {
      return Unsupported(Format("refusing the redirect of {} from https to http: {}", origin,
                                EscapeForTerminal(next, 200)));
    }
    url = next;
  }
  return Unavailable(
      Format("{} redirects more than {} times", home, state_->options.max_redirects));
}

Result<HttpResponse> HttpClient::GetText(const HttpRequest& request, size_t max_bytes,
                                         std::string* body) {
  body->clear();
  HttpSink sink;
  sink.on_data = [&](std::span<const char> data) -> Status {
    if (body->size() + data.size() > max_bytes) {
      return ResourceExhausted(
          Format("{} answers with more than {}", OriginOf(request.url), FormatBytes(max_bytes)));
    }
    body->append(data.data(), data.size());
    return {};
  };
  return Get(request, sink);
}

}  // namespace rocforge::apps
