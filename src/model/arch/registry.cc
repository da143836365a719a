// The one list of architectures. A new one: its file beside this one, a declaration and an entry
// here, a row in docs/ARCHITECTURES.md.
#include <array>

#include "model/arch_spec.h"

namespace rocforge::model {

extern const ArchSpec kGemma2;
extern const ArchSpec kGemma3;
extern const ArchSpec kGptOss;
extern const ArchSpec kGranite;
extern const ArchSpec kGraniteMoe;
extern const ArchSpec kLlama;
extern const ArchSpec kMistral3;
extern const ArchSpec kOlmo2;
extern const ArchSpec kPhi3;
extern const ArchSpec kQwen2;
extern const ArchSpec kQwen3;
extern const ArchSpec kQwen3Moe;
extern const ArchSpec kSmolLm3;

std::span<const ArchSpec* const> AllArchitectures() {
  static constexpr std::array kAll = {
      &kGemma2, &kGemma3, &kGptOss, &kGranite, &kGraniteMoe, &kLlama,   &kMistral3,
      &kOlmo2,  &kPhi3,   &kQwen2,  &kQwen3,   &kQwen3Moe,   &kSmolLm3,
  };
  return kAll;
}

const ArchSpec* FindArchitecture(std::string_view name) {
  for (const ArchSpec* spec : AllArchitectures()) {
    if (name == spec->name) return spec;
  }
  return nullptr;
}

}  // namespace rocforge::model
