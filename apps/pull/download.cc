#include "apps/pull/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <string_view>
#include <thread>

#include "apps/pull/cache.h"
#include "apps/pull/sha256.h"
#include "apps/terminal/interrupt.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

// "bytes 100-199/300" or "bytes */300"; -1 for what is missing or no number.
struct ContentRange {
  int64_t begin = -1;
  int64_t total = -1;
};

int64_t ParseNumber(std::string_view text) {
  int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0 ? value : -1;
}

ContentRange ParseContentRange(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  const size_t slash = text.find('/');
  if (!text.starts_with(kUnit) || slash == std::string_view::npos) return {};
  const std::string_view range = text.substr(kUnit.size(), slash - kUnit.size());
  return {ParseNumber(range.substr(0, range.find('-'))), ParseNumber(text.substr(slash + 1))};
}

// Only a strong validator may guard a range (RFC 9110, section 13.1.5).
bool IsStrongEtag(const std::string& etag) { return etag.size() > 2 && etag.front() == '"'; }

bool IsTransient(int status) { return status == 408 || status == 429 || status >= 500; }

class Downloader {
 public:
  Downloader(HttpClient* client, const DownloadRequest& request, const DownloadOptions& options,
             const DownloadProgress& progress, const std::function<void(std::string)>& notify)
      : client_(*client),
        request_(request),
        options_(options),
        progress_(progress),
        notify_(notify),
        etag_path_(request.part_path + ".etag") {}
  ~Downloader() {
    if (fd_ >= 0) ::close(fd_);
  }

  Status Run();

 private:
  enum class Next { kComplete, kRetry, kGiveUp };
  struct Outcome {
    Next next;
    Status status;
  };

  Status Open();
  Status Restart();  // empties the part
  Outcome TryOnce();
  Status OnHeaders(const HttpResponse& response);
  Status OnPartial(const HttpResponse& response);
  Status OnRefused(const HttpResponse& response);
  Status OnData(std::span<const char> data);
  Status Check(bool* good);
  // False after Ctrl-C.
  bool Pause(int failures);
  std::string StoredEtag() const;

  HttpClient& client_;
  const DownloadRequest& request_;
  const DownloadOptions& options_;
  const DownloadProgress& progress_;
  const std::function<void(std::string)>& notify_;
  std::string etag_path_;
  int fd_ = -1;
  int64_t have_ = 0;
  int64_t total_ = -1;     // of this version of the file, once known
  bool accepted_ = false;  // the body of this response belongs to the file
  bool complete_ = false;  // the server says that we have everything
  bool final_ = false;     // trying again is pointless
  double retry_after_s_ = 0;
};

Status Downloader::Open() {
  fd_ = ::open(request_.part_path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0) return Unavailable(Format("{}: {}", request_.part_path, std::strerror(errno)));
  have_ = FileSize(request_.part_path);
  return {};
}

Status Downloader::Restart() {
  have_ = 0;
  ::unlink(etag_path_.c_str());
  if (::ftruncate(fd_, 0) == 0) return {};
  final_ = true;
  return Unavailable(Format("{}: {}", request_.part_path, std::strerror(errno)));
}

std::string Downloader::StoredEtag() const {
  std::ifstream file(etag_path_);
  std::string etag;
  std::getline(file, etag);
  return etag;
}

Status Downloader::OnRefused(const HttpResponse& response) {
  const int status = response.status;
  if (status == 416) {  // nothing beyond what we have: complete, or another file
    if (have_ > 0 && ParseContentRange(response.Header("content-range")).total == have_) {
      complete_ = true;
      return {};
    }
    ROCFORGE_RETURN_IF_ERROR(Restart());
    return DataLoss(Format("{} has changed on the server", request_.name));
  }
  if (IsTransient(status)) {
    retry_after_s_ = static_cast<double>(ParseNumber(response.Header("retry-after")));
    return Unavailable(Format("{} answers with status {}", OriginOf(response.url), status));
  }
  final_ = true;
  if (status == 404 || status == 410)
    return NotFound(Format("{} is not there (status {})", request_.name, status));
  if (status == 401 || status == 403) {
    return FailedPrecondition(
        Format("{} may not be read (status {}); if it needs an account, accept its licence on its "
               "web page "
               "and set HF_TOKEN to a token of yours",
               request_.name, status));
  }
  return Unavailable(Format("{} answers with status {}", OriginOf(response.url), status));
}

Status Downloader::OnPartial(const HttpResponse& response) {
  const ContentRange range = ParseContentRange(response.Header("content-range"));
  const std::string stored = StoredEtag();
  const std::string etag = response.Header("etag");
  const bool same_version = stored.empty() || etag.empty() || stored == etag;
  if (range.begin != have_ || range.total < have_ || !same_version) {
    ROCFORGE_RETURN_IF_ERROR(Restart());
    return DataLoss(Format("{} has changed on the server", request_.name));
  }
  total_ = range.total;
  return {};
}

Status Downloader::OnHeaders(const HttpResponse& response) {
  if (response.status == 206) {
    ROCFORGE_RETURN_IF_ERROR(OnPartial(response));
  } else if (response.status == 200) {
    // No range was asked for, or it was not honoured, or the file is another one now.
    if (have_ > 0) ROCFORGE_RETURN_IF_ERROR(Restart());
    total_ = response.ContentLength();
    const std::string etag = response.Header("etag");
    if (IsStrongEtag(etag)) std::ofstream(etag_path_) << etag << '\n';
  } else {
    return OnRefused(response);
  }
  if (request_.bytes >= 0 && total_ >= 0 && total_ != request_.bytes) {
    ROCFORGE_RETURN_IF_ERROR(Restart());
    return DataLoss(Format("{}: the server offers {} bytes, but {} were announced", request_.name,
                           total_, request_.bytes));
  }
  if (total_ < 0) total_ = request_.bytes;
  accepted_ = true;
  return {};
}

Status Downloader::OnData(std::span<const char> data) {
  if (!accepted_) return {};  // the text of an error page
  if (total_ >= 0 && have_ + static_cast<int64_t>(data.size()) > total_) {
    ROCFORGE_RETURN_IF_ERROR(Restart());
    return DataLoss(Format("{}: the server sends more than {} bytes", request_.name, total_));
  }
  while (!data.empty()) {
    const ssize_t written = ::pwrite(fd_, data.data(), data.size(), have_);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      final_ = true;
      const std::string text = Format("{}: {}", request_.part_path, std::strerror(errno));
      return errno == ENOSPC || errno == EDQUOT ? ResourceExhausted(text) : Unavailable(text);
    }
    have_ += written;
    data = data.subspan(static_cast<size_t>(written));
  }
  if (progress_) progress_(have_, total_);
  return {};
}

Downloader::Outcome Downloader::TryOnce() {
  accepted_ = complete_ = final_ = false;
  retry_after_s_ = 0;
  total_ = request_.bytes;
  if (request_.bytes >= 0 && have_ == request_.bytes) return {Next::kComplete, {}};
  const std::string etag = StoredEtag();
  // Without a validator only a checksum can tell that both halves are of one file.
  const bool resumable = !etag.empty() || !request_.sha256.empty();
  if (have_ > 0 && (!resumable || (request_.bytes >= 0 && have_ > request_.bytes))) {
    if (Status status = Restart(); !status.ok()) return {Next::kGiveUp, std::move(status)};
  }
  HttpRequest http = request_.http;
  if (have_ > 0) {
    http.headers.push_back(Format("Range: bytes={}-", have_));
    if (IsStrongEtag(etag)) http.headers.push_back("If-Range: " + etag);
  }
  const HttpSink sink = {[this](const HttpResponse& r) { return OnHeaders(r); },
                         [this](std::span<const char> d) { return OnData(d); }};
  const Result<HttpResponse> response = client_.Get(http, sink);
  if (complete_) return {Next::kComplete, {}};
  if (response.ok()) {
    if (total_ < 0 || have_ == total_) return {Next::kComplete, {}};
    return {Next::kRetry,
            Unavailable(Format("{}: only {} of {} bytes came", request_.name, have_, total_))};
  }
  const bool give_up = final_ || response.status().code() == StatusCode::kCancelled ||
                       response.status().code() == StatusCode::kUnsupported;
  return {give_up ? Next::kGiveUp : Next::kRetry, response.status()};
}

Status Downloader::Check(bool* good) {
  *good = true;
  if (request_.sha256.empty()) return {};
  ROCFORGE_ASSIGN_OR_RETURN(const std::string hash, Sha256OfFile(request_.part_path, [](uint64_t) {
                              return !Interrupted();
                            }));
  *good = hash == request_.sha256;
  return {};
}

bool Downloader::Pause(int failures) {
  double wait_s = options_.first_wait_s * std::pow(2.0, failures - 1);
  wait_s = std::min(std::max(wait_s, retry_after_s_), options_.longest_wait_s);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(wait_s);
  while (std::chrono::steady_clock::now() < end) {
    if (Interrupted()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

Status Downloader::Run() {
  ROCFORGE_RETURN_IF_ERROR(Open());
  int failures = 0;          // in a row
  int64_t furthest = have_;  // a try that gets further is no failure
  for (int bad_files = 0; true;) {
    Outcome outcome = TryOnce();
    if (outcome.next == Next::kGiveUp) return outcome.status;
    if (outcome.next == Next::kComplete) {
      bool good = false;
      ROCFORGE_RETURN_IF_ERROR(Check(&good));
      if (good) {
        ::unlink(etag_path_.c_str());
        return {};
      }
      ROCFORGE_RETURN_IF_ERROR(Restart());
      outcome.status = DataLoss(
          Format("{} arrived damaged: its SHA-256 is not the published one", request_.name));
      if (++bad_files == 2) {
        ::unlink(request_.part_path.c_str());
        return outcome.status;
      }
      furthest = 0;
    }
    failures = have_ > furthest ? 1 : failures + 1;
    furthest = std::max(furthest, have_);
    if (failures >= options_.max_failures) return outcome.status;
    notify_(Format("{}; trying again", outcome.status.message()));
    if (!Pause(failures)) return Cancelled("stopped");
  }
}

}  // namespace

Status Download(HttpClient* client, const DownloadRequest& request, const DownloadOptions& options,
                const DownloadProgress& progress, const std::function<void(std::string)>& notify) {
  return Downloader(client, request, options, progress, notify).Run();
}

}  // namespace rocforge::apps
