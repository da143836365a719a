// `rocforge pull`: fetches a model into the cache.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "apps/command.h"
#include "apps/pull/catalog.h"
#include "apps/pull/catalog_pull.h"
#include "apps/pull/hub_name.h"
#include "apps/pull/hub_pull.h"
#include "apps/terminal/interrupt.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

struct PullArgs {
  std::string model;
  std::string endpoint;
  bool verify = false;
};

std::string CatalogNames() {
  std::string names;
  for (const CatalogEntry& entry : Catalog()) {
    names += names.empty() ? entry.name : Format(", {}", entry.name);
  }
  return names;
}

std::string FromEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Result<std::string> FetchFromHub(const PullArgs& args, const Notify& notify) {
  ROCFORGE_ASSIGN_OR_RETURN(const HubName name, ParseHubName(args.model));
  HubOptions options;
  options.verify = args.verify;
  options.token = FromEnvironment("HF_TOKEN");
  for (const std::string& endpoint : {args.endpoint, FromEnvironment("HF_ENDPOINT")}) {
    if (endpoint.empty()) continue;
    if (OriginOf(endpoint).empty())
      return InvalidArgument(
          Format("endpoint '{}' is no http or https URL", EscapeForTerminal(endpoint, 200)));
    options.endpoint = endpoint;
    break;
  }
  return PullFromHub(name, options, notify);
}

Result<std::string> Fetch(const PullArgs& args, const Notify& notify) {
  if (args.model.starts_with("hf:")) return FetchFromHub(args, notify);
  if (const CatalogEntry* entry = FindInCatalog(args.model)) return PullFromCatalog(*entry, notify);
  return InvalidArgument(
      Format("unknown model '{}'; use one of the catalogue ({}) or hf:OWNER/REPO[:FILE]",
             EscapeForTerminal(args.model, 200), CatalogNames()));
}

Status Pull(const PullArgs& args) {
  const InterruptScope interrupt;
  const Notify notify = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  ROCFORGE_ASSIGN_OR_RETURN(const std::string path, Fetch(args, notify));
  std::printf("%s\n", path.c_str());
  return {};
}

}  // namespace

void RegisterPull(Command app, std::function<Status()>* run) {
  Command command = app.AddSubcommand("pull", "Fetch a model into the cache and print its path");
  auto args = std::make_shared<PullArgs>();
  command
      .AddOption("model", args->model,
                 "A name of the catalogue (" + CatalogNames() + "), or hf:OWNER/REPO[:FILE]")
      .Required();
  command.AddFlag("--verify", args->verify,
                  "Compare the SHA-256 of hf: files that are already there, too");
  command.AddOption("--endpoint", args->endpoint,
                    "Server that hf: names mean (else $HF_ENDPOINT, else Hugging Face)");
  command.Footer("$HF_TOKEN is sent to that server, for models that need an account.");
  command.OnParsed([run, args] { *run = [args] { return Pull(*args); }; });
}

}  // namespace rocforge::apps
