#include "text/tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <utility>

namespace rocforge::text {

const PreTokenizerSpec* FindPreTokenizerSpec(std::string_view name) {
  for (const PreTokenizerSpec& spec : PreTokenizerSpecs()) {
    if (std::find(spec.names.begin(), spec.names.end(), name) != spec.names.end()) return &spec;
  }
  return nullptr;
}

Result<PreTokenizer> PreTokenizer::Make(const PreTokenizerSpec& spec) {
  PreTokenizer made;
  for (const std::string_view regex : spec.regexes) {
    std::unique_ptr<Splitter> stage = MakeFastSplitter(regex);
    if (stage == nullptr) {
      ROCFORGE_ASSIGN_OR_RETURN(stage, MakeRegexSplitter(regex));
      made.uses_pcre2_ = true;
    }
    made.stages_.push_back(std::move(stage));
  }
  return made;
}

Status PreTokenizer::Split(std::string_view text, std::vector<uint32_t>* ends,
                           std::vector<uint32_t>* scratch) const {
  std::string older;
  if (uses_pcre2_ && ReplaceRecentCodePoints(text, &older)) text = older;
  ends->clear();
  if (text.empty()) return {};
  ends->push_back(static_cast<uint32_t>(text.size()));
  for (const auto& stage : stages_) {
    std::swap(*ends, *scratch);
    ends->clear();
    uint32_t begin = 0;
    for (const uint32_t end : *scratch) {
      ROCFORGE_RETURN_IF_ERROR(stage->Split(text.substr(begin, end - begin), begin, ends));
      begin = end;
    }
  }
  return {};
}

}  // namespace rocforge::text
