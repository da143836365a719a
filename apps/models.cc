// `rocforge models`: what is in the cache, and what could be fetched by name.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/command.h"
#include "apps/inspect.h"
#include "apps/pull/cache.h"
#include "apps/pull/catalog.h"
#include "apps/pull/model_path.h"
#include "base/format.h"
#include "gguf/reader.h"

namespace rocforge::apps {
namespace {

// general.file_type of the GGUF specification.
struct FileType {
  int64_t id;
  const char* name;
};
constexpr FileType kFileTypes[] = {{0, "F32"},      {1, "F16"},     {2, "Q4_0"},    {3, "Q4_1"},
                                   {7, "Q8_0"},     {8, "Q5_0"},    {9, "Q5_1"},    {10, "Q2_K"},
                                   {11, "Q3_K_S"},  {12, "Q3_K_M"}, {13, "Q3_K_L"}, {14, "Q4_K_S"},
                                   {15, "Q4_K_M"},  {16, "Q5_K_S"}, {17, "Q5_K_M"}, {18, "Q6_K"},
                                   {19, "IQ2_XXS"}, {20, "IQ2_XS"}, {21, "Q2_K_S"}, {22, "IQ3_XS"},
                                   {23, "IQ3_XXS"}, {24, "IQ1_S"},  {25, "IQ4_NL"}, {26, "IQ3_S"},
                                   {27, "IQ3_M"},   {28, "IQ2_S"},  {29, "IQ2_M"},  {30, "IQ4_XS"},
                                   {31, "IQ1_M"},   {32, "BF16"},   {36, "TQ1_0"},  {37, "TQ2_0"},
                                   {38, "MXFP4"},   {39, "NVFP4"},  {40, "Q1_0"},   {41, "Q2_0"}};

struct Row {
  std::string name;
  std::string architecture;
  std::string type;
  std::string path;
  std::string problem;  // why the file cannot be read, or ""
  uint64_t bytes = 0;
};

// What the file calls its mix of types, else the type that most of its bytes have.
std::string ModelType(const gguf::File& file) {
  const Result<int64_t> id = file.GetInt("general.file_type");
  if (id.ok()) {
    for (const FileType& type : kFileTypes) {
      if (type.id == id.value()) return type.name;
    }
  }
  const std::vector<TypeShare> shares = TypeShares(file);
  return shares.empty() ? "" : Name(shares.front().dtype);
}

Row Describe(const CachedModel& model) {
  Row row;
  row.name = model.name;
  row.path = model.paths.front();
  row.bytes = model.bytes;
  const Result<gguf::File> file = gguf::File::Open(row.path);
  if (!file.ok()) {
    row.problem = file.status().message();
    return row;
  }
  const Result<std::string> architecture = file.value().GetString("general.architecture");
  if (architecture.ok()) row.architecture = architecture.value();
  row.type = ModelType(file.value());
  return row;
}

std::vector<CatalogEntry> NotYetFetched(const std::vector<Row>& rows) {
  std::vector<CatalogEntry> missing;
  for (const CatalogEntry& entry : Catalog()) {
    const bool there = std::any_of(rows.begin(), rows.end(),
                                   [&](const Row& row) { return row.name == entry.name; });
    if (!there) missing.push_back(entry);
  }
  return missing;
}

void PrintText(const std::vector<Row>& rows, const std::string& cache) {
  size_t name_width = 4;
  for (const Row& row : rows) name_width = std::max(name_width, row.name.size());
  const int width = static_cast<int>(name_width);
  if (rows.empty()) {
    std::printf("no models in %s\n", EscapeForTerminal(cache).c_str());
  } else {
    std::printf("%-*s  %9s  %-12s  %-8s  %s\n", width, "NAME", "SIZE", "ARCHITECTURE", "TYPE",
                "PATH");
  }
  for (const Row& row : rows) {
    std::printf(
        "%-*s  %9s  %-12s  %-8s  %s\n", width, EscapeForTerminal(row.name).c_str(),
        FormatBytes(row.bytes).c_str(),
        row.problem.empty() ? EscapeForTerminal(row.architecture, 40).c_str() : "unreadable",
        row.type.c_str(), EscapeForTerminal(row.path).c_str());
    if (!row.problem.empty()) std::fprintf(stderr, "%s\n", row.problem.c_str());
  }
  const std::vector<CatalogEntry> missing = NotYetFetched(rows);
  if (missing.empty()) return;
  std::printf("\nto be had with 'rocforge pull NAME':\n");
  for (const CatalogEntry& entry : missing) {
    std::printf("  %-10s  %9s  %s (%s)\n", entry.name, FormatBytes(entry.bytes).c_str(),
                entry.description, entry.license);
  }
}

void PrintJson(const std::vector<Row>& rows, const std::string& cache) {
  using Json = nlohmann::ordered_json;
  Json models = Json::array();
  for (const Row& row : rows) {
    Json model{{"name", row.name},
               {"bytes", row.bytes},
               {"architecture", row.architecture},
               {"type", row.type},
               {"path", row.path}};
    if (!row.problem.empty()) model["error"] = row.problem;
    models.push_back(std::move(model));
  }
  Json available = Json::array();
  for (const CatalogEntry& entry : NotYetFetched(rows)) {
    available.push_back(Json{{"name", entry.name},
                             {"bytes", entry.bytes},
                             {"license", entry.license},
                             {"description", entry.description}});
  }
  const Json out{
      {"cache", cache}, {"models", std::move(models)}, {"available", std::move(available)}};
  std::printf("%s\n", out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

Status List(bool json) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::string cache, CacheFolder());
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<CachedModel> models, ListCachedModels());
  std::vector<Row> rows;
  for (const CachedModel& model : models) rows.push_back(Describe(model));
  if (json) {
    PrintJson(rows, cache);
  } else {
    PrintText(rows, cache);
  }
  return {};
}

Status Remove(const std::string& name) {
  ROCFORGE_RETURN_IF_ERROR(RemoveCachedModel(name));
  std::fprintf(stderr, "removed %s\n", EscapeForTerminal(name).c_str());
  return {};
}

}  // namespace

void RegisterModels(Command app, std::function<Status()>* run) {
  Command command =
      app.AddSubcommand("models", "List the models in the cache and those that can be fetched");
  auto json = std::make_shared<bool>(false);
  command.AddFlag("--json", *json, "Print one JSON object");
  Command remove = command.AddSubcommand("rm", "Remove a model from the cache");
  auto name = std::make_shared<std::string>();
  remove.AddOption("name", *name, "As 'rocforge models' lists it").Required();
  command.OnParsed([run, json, remove, name] {
    if (remove.Parsed()) {
      *run = [name] { return Remove(*name); };
    } else {
      *run = [json] { return List(*json); };
    }
  });
}

}  // namespace rocforge::apps
