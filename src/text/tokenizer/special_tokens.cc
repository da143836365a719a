// What the texts of tokens tell, because GGUF files often leave it out. The lists of texts are
// those of llama.cpp (src/llama-vocab.cpp), so that a file stops where it stops there.
#include <algorithm>
#include <cctype>
#include <span>

#include "base/format.h"
#include "base/log.h"
#include "text/tokenizer/vocab.h"

namespace rocforge::text {
namespace {

using Texts = std::span<const std::string_view>;

// In order of preference where a vocabulary has several.
constexpr std::string_view kEotTexts[] = {
    "<|eot_id|>",        "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>",
    "<|end_of_text|>",   "<EOT>",      "_<EOT>",  "[EOT]",         "<｜end▁of▁sentence｜>",
    "<end_of_utterance>"};
constexpr std::string_view kEomTexts[] = {"<|eom_id|>"};
constexpr std::string_view kFimPreTexts[] = {"<|fim_prefix|>",  "<fim-prefix>", "<fim_prefix>",
                                             "<｜fim▁begin｜>", "<PRE>",        "▁<PRE>",
                                             "<|code_prefix|>", "<|prefix|>"};
constexpr std::string_view kFimSufTexts[] = {"<|fim_suffix|>",  "<fim-suffix>", "<fim_suffix>",
                                             "<｜fim▁hole｜>",  "<SUF>",        "▁<SUF>",
                                             "<|code_suffix|>", "<|suffix|>"};
constexpr std::string_view kFimMidTexts[] = {"<|fim_middle|>",  "<fim-middle>", "<fim_middle>",
                                             "<｜fim▁end｜>",   "<MID>",        "▁<MID>",
                                             "<|code_middle|>", "<|middle|>"};
constexpr std::string_view kFimPadTexts[] = {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>",
                                             "[PAD]"};
constexpr std::string_view kFimRepTexts[] = {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>",
                                             "<REPO>", "<reponame>"};
constexpr std::string_view kFimSepTexts[] = {"<|file_sep|>"};
constexpr std::string_view kEogTexts[] = {"<|eot_id|>",
                                          "<|im_end|>",
                                          "<|end|>",
                                          "<|return|>",
                                          "<|call|>",
                                          "<|flush|>",
                                          "<|calls|>",
                                          "<end_of_turn>",
                                          "<|endoftext|>",
                                          "</s>",
                                          "<|eom_id|>",
                                          "<EOT>",
                                          "_<EOT>",
                                          "[EOT]",
                                          "[EOS]",
                                          "<|end_of_text|>",
                                          "<end_of_utterance>",
                                          "<eos>",
                                          "<turn|>",
                                          "<|tool_response>",
                                          "<｜end▁of▁sentence｜>",
                                          "[e~["};
// gpt-oss marks the parts of a message with these; they must be seen in the generated text.
constexpr std::string_view kShownTexts[] = {"<|channel|>", "<|message|>", "<|start|>",
                                            "<|constrain|>"};

constexpr uint16_t kTypeBits =
    kTokenNormal | kTokenUnknown | kTokenControl | kTokenUserDefined | kTokenUnused | kTokenByte;

uint16_t& FlagsOf(Vocab* vocab, int32_t id) { return vocab->flags[static_cast<size_t>(id)]; }

void SetType(Vocab* vocab, int32_t id, uint16_t type) {
  uint16_t& flags = FlagsOf(vocab, id);
  flags = static_cast<uint16_t>((flags & ~kTypeBits) | type);
}

// The text of a marker in a vocabulary that typed it otherwise: it is a control token all the same.
void MakeControl(Vocab* vocab, int32_t id) {
  if (vocab->Has(id, kTokenControl)) return;
  Log(LogLevel::kDebug, "token {} '{}' looks like a control token and is treated as one", id,
      EscapeForTerminal(vocab->token_text(id), 60));
  FlagsOf(vocab, id) |= kTokenControl;
}

void FindByText(Texts texts, int32_t* id, Vocab* vocab) {
  if (*id != kNoToken) return;
  for (const std::string_view text : texts) {
    const int32_t found = vocab->Find(text);
    if (found == kNoToken) continue;
    *id = found;
    MakeControl(vocab, found);
    return;
  }
}

bool IsEog(const Vocab& vocab, std::string_view text) {
  const int32_t id = vocab.Find(text);
  return id != kNoToken && vocab.Has(id, kTokenEog);
}

void Unmark(Vocab* vocab, std::string_view text, uint16_t type) {
  const int32_t id = vocab->Find(text);
  FlagsOf(vocab, id) &= static_cast<uint16_t>(~kTokenEog);
  SetType(vocab, id, type);
}

void MarkEndOfGeneration(Vocab* vocab) {
  const SpecialTokens& special = vocab->special;
  const auto mark = [vocab](int32_t id) {
    if (id != kNoToken) FlagsOf(vocab, id) |= kTokenEog;
  };
  mark(special.fim_pad);
  mark(special.fim_rep);
  mark(special.fim_sep);
  for (const std::string_view text : kEogTexts) {
    const int32_t id = vocab->Find(text);
    if (id == kNoToken) continue;
    mark(id);
    MakeControl(vocab, id);
  }
  for (const std::string_view text : kShownTexts) {
    if (const int32_t id = vocab->Find(text); id != kNoToken) {
      SetType(vocab, id, kTokenUserDefined);
    }
  }
  mark(special.eos);
  mark(special.eot);
  mark(special.eom);
  // Where <|return|> or <|flush|> ends the turn, <|end|> only ends a message within it.
  const bool calls = IsEog(*vocab, "<|call|>") || IsEog(*vocab, "<|calls|>");
  if (calls && IsEog(*vocab, "<|end|>") &&
      (IsEog(*vocab, "<|return|>") || IsEog(*vocab, "<|flush|>"))) {
    Unmark(vocab, "<|end|>", kTokenUserDefined);
  }
  // Gemma 4 and PLaMo have an ordinary token "</s>".
  if (IsEog(*vocab, "</s>") &&
      (IsEog(*vocab, "<|tool_response>") || IsEog(*vocab, "<|plamo:eos|>"))) {
    Unmark(vocab, "</s>", kTokenNormal);
  }
  for (int32_t id = 0; id < vocab->size; ++id) {
    if (vocab->Has(id, kTokenEog)) vocab->eog.push_back(id);
  }
}

// Model families whose added tokens swallow whitespace, which GGUF cannot say.
void MarkStripping(std::string_view name, std::string_view architecture, Vocab* vocab) {
  const std::string lower = AsciiLowercase(name);
  const auto has = [](std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
  };
  const auto set = [vocab](std::string_view text, uint16_t flag, bool value) {
    const int32_t id = vocab->Find(text);
    if (id == kNoToken) return;
    uint16_t& flags = FlagsOf(vocab, id);
    flags = static_cast<uint16_t>(value ? flags | flag : flags & ~flag);
  };
  if (has(vocab->pre, "jina-v2-de") || has(vocab->pre, "jina-v2-es") ||
      has(vocab->pre, "jina-v2-code") || has(architecture, "nomic-bert-moe") ||
      has(architecture, "jina-bert-v3")) {
    set("<mask>", kTokenStripLeft, true);
  } else if (has(lower, "phi-3") || has(lower, "phi3")) {
    for (uint16_t& flags : vocab->flags) {
      if ((flags & (kTokenControl | kTokenUserDefined | kTokenUnknown)) != 0) {
        flags |= kTokenStripRight;
      }
    }
    set("</s>", kTokenStripRight, true);
    for (const std::string_view text : {"<unk>", "<s>", "<|endoftext|>"}) {
      set(text, kTokenStripRight, false);
    }
  } else if (has(lower, "modern-bert")) {
    set("[MASK]", kTokenStripLeft, true);
  }
}

}  // namespace

void ClassifySpecialTokens(std::string_view name, std::string_view architecture, Vocab* vocab) {
  SpecialTokens& special = vocab->special;
  FindByText(kEotTexts, &special.eot, vocab);
  FindByText(kEomTexts, &special.eom, vocab);
  FindByText(kFimPreTexts, &special.fim_pre, vocab);
  FindByText(kFimSufTexts, &special.fim_suf, vocab);
  FindByText(kFimMidTexts, &special.fim_mid, vocab);
  FindByText(kFimPadTexts, &special.fim_pad, vocab);
  FindByText(kFimRepTexts, &special.fim_rep, vocab);
  FindByText(kFimSepTexts, &special.fim_sep, vocab);
  for (int32_t id = 0; id < vocab->size; ++id) {
    if (vocab->Has(id, kTokenControl) &&
        vocab->token_text(id).find("unused") != std::string_view::npos) {
      FlagsOf(vocab, id) |= kTokenUnused;
    }
  }
  MarkEndOfGeneration(vocab);
  MarkStripping(name, architecture, vocab);
}

}  // namespace rocforge::text
