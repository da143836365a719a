#include "exec/graph_cache.h"

#include <algorithm>
#include <utility>

namespace rocforge::exec {

GraphCache::Entry& GraphCache::Find(const GraphKey& key, bool* first) {
  ++clock_;
  auto found = std::find_if(entries_.begin(), entries_.end(),
                            [&](const Entry& entry) { return entry.key == key; });
  *first = found == entries_.end();
  if (*first) {
    if (entries_.size() < kMaxGraphs) {
      found = entries_.emplace(entries_.end());
    } else {
      found =
          std::min_element(entries_.begin(), entries_.end(),
                           [](const Entry& a, const Entry& b) { return a.last_use < b.last_use; });
      *found = Entry();
    }
    found->key = key;
  }
  found->last_use = clock_;
  return *found;
}

}  // namespace rocforge::exec
