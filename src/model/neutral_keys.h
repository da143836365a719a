// Metadata that changes results and that the decoder does not know.
#pragma once

#include "gguf/reader.h"
#include "model/arch_spec.h"
#include "rocforge/status.h"

namespace rocforge::model {

// kUnsupported if the file sets such a key to anything but its neutral value, so that a variant of
// a known architecture is refused rather than computed wrongly.
Status CheckNeutralKeys(const gguf::File& file, const ArchSpec& spec);

}  // namespace rocforge::model
