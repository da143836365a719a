// What this binary was made of.
#pragma once

namespace rocforge::apps {

const char* Version();    // "0.1.0"
const char* Commit();     // "24656a8b0c1d", "24656a8b0c1d-dirty", "unknown"
const char* BuildText();  // "Release, GCC 12.2.0"

}  // namespace rocforge::apps
