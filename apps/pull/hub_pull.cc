#include "apps/pull/hub_pull.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/pull/model_path.h"
#include "apps/pull/sha256.h"
#include "apps/pull/split_name.h"
#include "apps/terminal/interrupt.h"
#include "apps/terminal/progress.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

constexpr size_t kMaxListBytes = size_t{64} << 20;
constexpr int kMaxListPages = 100;

struct RemoteFile {
  std::string path;  // in the repository
  int64_t bytes = -1;
  std::string sha256;  // "" where the server publishes none
};

// Bytes of a path that a URL cannot carry, as %XX.
std::string UrlPath(const std::string& path) {
  std::string out;
  for (const char c : path) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : Format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

bool IsSha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// The target of rel="next" in a Link header, or "".
std::string NextPage(const std::string& link) {
  const size_t rel = link.find("rel=\"next\"");
  if (rel == std::string::npos) return "";
  const size_t open = link.rfind('<', rel);
  const size_t close = link.find('>', open == std::string::npos ? 0 : open);
  if (open == std::string::npos || close == std::string::npos) return "";
  return link.substr(open + 1, close - open - 1);
}

class HubClient {
 public:
  HubClient(HttpClient http, const HubOptions& options, const Notify& notify)
      : http_(std::move(http)), options_(options), notify_(notify) {
    while (options_.endpoint.ends_with('/')) options_.endpoint.pop_back();
    const std::string origin = OriginOf(options_.endpoint);
    const bool local = origin.starts_with("http://localhost:") ||
                       origin.starts_with("http://127.0.0.1:") ||
                       origin.starts_with("http://[::1]:");
    if (origin.starts_with("http:") && !local && !options_.token.empty()) {
      notify_("HF_TOKEN is not sent: the endpoint is http, and all could read it");
      options_.token.clear();
    }
  }

  Result<std::vector<RemoteFile>> List(const std::string& repository);
  Status Fetch(const std::string& repository, const RemoteFile& file, const WorkFolder& work,
               const std::string& target);

 private:
  Status AddPage(const std::string& repository, const std::string& body,
                 std::vector<RemoteFile>* files);
  Result<HttpResponse> GetPage(const HttpRequest& request, std::string* body);

  HttpClient http_;
  HubOptions options_;
  const Notify& notify_;
};

// A list is small: one more try covers a lost connection.
Result<HttpResponse> HubClient::GetPage(const HttpRequest& request, std::string* body) {
  Result<HttpResponse> response = http_.GetText(request, kMaxListBytes, body);
  const bool retry = response.ok() ? response.value().status >= 500
                                   : response.status().code() == StatusCode::kUnavailable;
  if (!retry) return response;
  return http_.GetText(request, kMaxListBytes, body);
}

Status HubClient::AddPage(const std::string& repository, const std::string& body,
                          std::vector<RemoteFile>* files) {
  Status odd = DataLoss(Format("{} answers for {} with something that is no list of files",
                               OriginOf(options_.endpoint), repository));
  const nlohmann::json page = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!page.is_array()) return odd;
  for (const nlohmann::json& entry : page) {
    if (!entry.is_object()) return odd;
    const auto type = entry.find("type");
    if (type == entry.end() || *type != "file") continue;
    const auto path = entry.find("path");
    if (path == entry.end() || !path->is_string()) return odd;
    RemoteFile file;
    file.path = path->get<std::string>();
    // It becomes a path below the cache folder.
    if (!IsSafeRelativePath(file.path)) continue;
    const auto size = entry.find("size");
    if (size != entry.end() && size->is_number_unsigned()) file.bytes = size->get<int64_t>();
    const auto lfs = entry.find("lfs");
    if (lfs != entry.end() && lfs->is_object()) {
      const auto oid = lfs->find("oid");
      if (oid != lfs->end() && oid->is_string() && IsSha256(oid->get<std::string>()))
        file.sha256 = oid->get<std::string>();
    }
    files->push_back(std::move(file));
  }
  return {};
}

Result<std::vector<RemoteFile>> HubClient::List(const std::string& repository) {
  HttpRequest request;
  request.url = Format("{}/api/models/{}/tree/main?recursive=true", options_.endpoint, repository);
  request.bearer_token = options_.token;
  const std::string home = OriginOf(request.url);
  std::vector<RemoteFile> files;
  for (int pages = 0; !request.url.empty() && pages < kMaxListPages; ++pages) {
    std::string body;
    ROCFORGE_ASSIGN_OR_RETURN(const HttpResponse response, GetPage(request, &body));
    if (response.status == 401 || response.status == 403 || response.status == 404) {
      return NotFound(Format(
          "there is no repository {} at {}, or it is not open to you (status {}); if it is "
          "restricted, accept its licence on its web page and set HF_TOKEN to a token of yours",
          repository, home, response.status));
    }
    if (response.status != 200)
      return Unavailable(Format("{} answers with status {}", home, response.status));
    ROCFORGE_RETURN_IF_ERROR(AddPage(repository, body, &files));
    request.url = NextPage(response.Header("link"));
    if (!request.url.empty() && OriginOf(request.url) != home)
      return Unsupported(Format("{} continues its list on another server", home));
  }
  return files;
}

Status HubClient::Fetch(const std::string& repository, const RemoteFile& file,
                        const WorkFolder& work, const std::string& target) {
  DownloadRequest request;
  request.http.url =
      Format("{}/{}/resolve/main/{}", options_.endpoint, repository, UrlPath(file.path));
  request.http.bearer_token = options_.token;
  std::string part = file.path;
  std::replace(part.begin(), part.end(), '/', '_');
  request.part_path = work.path() + "/" + part + ".part";
  request.bytes = file.bytes;
  request.sha256 = file.sha256;
  request.name = EscapeForTerminal(file.path, 200);
  if (file.bytes > 0) {
    const int64_t left = file.bytes - std::max<int64_t>(FileSize(request.part_path), 0);
    ROCFORGE_RETURN_IF_ERROR(
        CheckFreeSpace(work.path(), static_cast<uint64_t>(std::max<int64_t>(left, 0))));
  }
  notify_(Format("fetching {} ({}{}) from {}", request.name,
                 file.bytes >= 0 ? FormatBytes(static_cast<uint64_t>(file.bytes)) : "size unknown",
                 file.sha256.empty() ? ", no checksum published" : "",
                 OriginOf(options_.endpoint)));
  {
    ProgressBar bar(request.name);
    const DownloadProgress progress = [&](int64_t done, int64_t total) {
      if (total <= 0) return;
      bar.Update(static_cast<double>(done) / static_cast<double>(total),
                 Format("{} of {}", FormatBytes(static_cast<uint64_t>(done)),
                        FormatBytes(static_cast<uint64_t>(total))));
    };
    ROCFORGE_RETURN_IF_ERROR(Download(&http_, request, options_.download, progress, notify_));
  }
  return MoveIntoPlace(request.part_path, target);
}

// The file itself, or all parts of the split model that begins with it.
Result<std::vector<RemoteFile>> PartsOf(const std::string& first,
                                        const std::vector<RemoteFile>& all) {
  const SplitName split = ParseSplitName(first);
  std::vector<RemoteFile> parts;
  for (int part = 1; part <= std::max(split.count, 1); ++part) {
    const std::string path = split.count > 0 ? SplitPartName(split, part) : first;
    const auto file =
        std::find_if(all.begin(), all.end(), [&](const RemoteFile& f) { return f.path == path; });
    if (file == all.end())
      return NotFound(Format("part {} of {} is missing in the repository",
                             EscapeForTerminal(path, 200), split.count));
    parts.push_back(*file);
  }
  return parts;
}

Result<bool> IsThere(const RemoteFile& file, const std::string& target, bool verify) {
  const int64_t bytes = FileSize(target);
  if (bytes < 0 || (file.bytes >= 0 && bytes != file.bytes)) return false;
  if (!verify || file.sha256.empty()) return true;
  ROCFORGE_ASSIGN_OR_RETURN(const std::string hash,
                            Sha256OfFile(target, [](uint64_t) { return !Interrupted(); }));
  return hash == file.sha256;
}

}  // namespace

Result<std::string> PullFromHub(const HubName& name, const HubOptions& options,
                                const Notify& notify) {
  ROCFORGE_ASSIGN_OR_RETURN(HttpClient http, HttpClient::Create(options.http));
  HubClient hub(std::move(http), options, notify);
  const Result<std::vector<RemoteFile>> files = hub.List(name.repository);
  if (!files.ok()) {
    const std::string full = "hf:" + name.repository + (name.file.empty() ? "" : ":" + name.file);
    Result<std::string> cached = ResolveModel(full);
    if (files.status().code() != StatusCode::kUnavailable || !cached.ok()) return files.status();
    notify(files.status().message() + "; using what is in the cache");
    return cached;
  }
  std::vector<std::string> paths;
  for (const RemoteFile& file : files.value()) paths.push_back(file.path);
  ROCFORGE_ASSIGN_OR_RETURN(const std::string first, ChooseFile(name, paths));
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<RemoteFile> parts, PartsOf(first, files.value()));

  ROCFORGE_ASSIGN_OR_RETURN(WorkFolder work,
                            WorkFolder::Acquire("hf-" + name.repository + "-" + first, notify));
  for (const RemoteFile& part : parts) {
    ROCFORGE_ASSIGN_OR_RETURN(const std::string target, HubModelPath(name.repository, part.path));
    ROCFORGE_ASSIGN_OR_RETURN(const bool there, IsThere(part, target, options.verify));
    if (there) {
      notify(Format("{} is already there", EscapeForTerminal(part.path, 200)));
      continue;
    }
    ROCFORGE_RETURN_IF_ERROR(hub.Fetch(name.repository, part, work, target));
  }
  work.Remove();
  return HubModelPath(name.repository, first);
}

}  // namespace rocforge::apps
