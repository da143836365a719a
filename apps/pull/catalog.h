// The models that `rocforge pull NAME` knows by name. A new one is an entry in catalog.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace rocforge::apps {

struct CatalogEntry {
  const char* name;         // what the user types; letters, digits, '-', '.'
  const char* pip_package;  // the Python package that carries the model, "name==version"
  const char* file;         // the GGUF inside it
  const char* sha256;       // of the GGUF
  uint64_t bytes;           // of the GGUF
  const char* license;
  const char* description;
};

std::span<const CatalogEntry> Catalog();

// nullptr if there is none of that name.
const CatalogEntry* FindInCatalog(std::string_view name);

}  // namespace rocforge::apps
