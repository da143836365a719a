#include "apps/pull/hub_name.h"

#include <algorithm>
#include <cctype>

#include "apps/pull/cache.h"
#include "apps/pull/split_name.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

constexpr size_t kShownChoices = 40;

std::string FileName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool IsNamePart(const std::string& text) {
  return !text.empty() && text.size() <= 96 && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
         });
}

// The GGUF files, split models by their first part only.
std::vector<std::string> ModelFiles(const std::vector<std::string>& files) {
  std::vector<std::string> models;
  for (const std::string& file : files) {
    if (!AsciiLowercase(file).ends_with(".gguf")) continue;
    if (ParseSplitName(file).part > 1) continue;
    models.push_back(file);
  }
  std::sort(models.begin(), models.end());
  return models;
}

std::string ListOf(const std::string& repository, const std::vector<std::string>& files) {
  std::string text;
  for (size_t i = 0; i < files.size() && i < kShownChoices; ++i) {
    text += Format("\n  hf:{}:{}", repository, EscapeForTerminal(files[i], 200));
  }
  if (files.size() > kShownChoices) text += Format("\n  and {} more", files.size() - kShownChoices);
  return text;
}

template <typename Predicate>
std::vector<std::string> Where(const std::vector<std::string>& files, Predicate predicate) {
  std::vector<std::string> kept;
  std::copy_if(files.begin(), files.end(), std::back_inserter(kept), predicate);
  return kept;
}

bool IsProjector(const std::string& file) {
  return AsciiLowercase(FileName(file)).find("mmproj") != std::string::npos;
}

}  // namespace

Result<HubName> ParseHubName(const std::string& name) {
  const Status wrong = InvalidArgument(Format(
      "'{}' is not of the form hf:OWNER/REPO or hf:OWNER/REPO:FILE", EscapeForTerminal(name, 200)));
  if (!name.starts_with("hf:")) return wrong;
  const std::string rest = name.substr(3);
  const size_t colon = rest.find(':');
  HubName parsed;
  parsed.repository = rest.substr(0, colon);
  if (colon != std::string::npos) parsed.file = rest.substr(colon + 1);
  const size_t slash = parsed.repository.find('/');
  if (slash == std::string::npos || !IsNamePart(parsed.repository.substr(0, slash)) ||
      !IsNamePart(parsed.repository.substr(slash + 1)))
    return wrong;
  if (colon != std::string::npos && !IsSafeRelativePath(parsed.file)) return wrong;
  return parsed;
}

Result<std::string> ChooseFile(const HubName& name, const std::vector<std::string>& files) {
  const std::vector<std::string> models = ModelFiles(files);
  if (models.empty())
    return NotFound(
        Format("hf:{} has no GGUF files; look for a repository whose name ends in -GGUF",
               name.repository));
  std::vector<std::string> left;
  if (name.file.empty()) {
    left = Where(models, [](const std::string& f) { return !IsProjector(f); });
    if (left.size() > 1) {
      const auto preferred = Where(left, [](const std::string& f) {
        return AsciiLowercase(FileName(f)).find("q4_k_m") != std::string::npos;
      });
      if (preferred.size() == 1) left = preferred;
    }
  } else {
    // A later part of a split model means the whole.
    const SplitName split = ParseSplitName(name.file);
    const std::string wanted = split.count > 0 ? SplitPartName(split, 1) : name.file;
    left = Where(models, [&](const std::string& f) { return f == wanted; });
    if (left.empty()) {
      left = Where(models, [&](const std::string& f) { return FileName(f) == wanted; });
    }
    if (left.empty()) {
      left = Where(models, [&](const std::string& f) {
        return AsciiLowercase(FileName(f)).find(AsciiLowercase(wanted)) != std::string::npos;
      });
    }
  }
  if (left.size() == 1) return left.front();
  if (left.empty())
    return NotFound(Format("hf:{} has no GGUF file '{}'; it has:{}", name.repository,
                           EscapeForTerminal(name.file, 200), ListOf(name.repository, models)));
  return NotFound(Format("hf:{} has several models; name one of:{}", name.repository,
                         ListOf(name.repository, left)));
}

}  // namespace rocforge::apps
