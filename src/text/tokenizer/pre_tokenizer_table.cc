// The published regexes. Each is the expression of the model's own tokenizer.json where that is
// known, rewritten only where this says so; docs/TOKENIZERS.md lists what differs from llama.cpp.
#include "text/tokenizer/pre_tokenizer.h"

namespace rocforge::text {
namespace {

// Parts that many share. Contractions are spelled out: (?i:) would let U+017F pass for an s.
#define ROCFORGE_CONTRACTIONS R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]))"
#define ROCFORGE_SPACES R"(\s*[\r\n]+|\s+(?!\S)|\s+)"
#define ROCFORGE_TAIL R"( ?[^\s\p{L}\p{N}]+[\r\n]*|)" ROCFORGE_SPACES
#define ROCFORGE_CJK R"([一-龥぀-ゟ゠-ヿ]+)"
#define ROCFORGE_PUNCTUATED_WORDS                       \
  R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|)" \
  R"([^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+)"
// Words in which lower case never turns into upper case: PascalCase is two words.
#define ROCFORGE_UPPER R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define ROCFORGE_LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define ROCFORGE_CASED_WORDS(suffix)                                   \
  R"([^\r\n\p{L}\p{N}]?)" ROCFORGE_UPPER "*" ROCFORGE_LOWER "+" suffix \
  R"(|[^\r\n\p{L}\p{N}]?)" ROCFORGE_UPPER "+" ROCFORGE_LOWER "*" suffix "|"
#define ROCFORGE_CASED_TAIL R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|)" ROCFORGE_SPACES

constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))";
constexpr std::string_view kLlama3 =
    ROCFORGE_CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)" ROCFORGE_TAIL;
constexpr std::string_view kQwen2 =
    ROCFORGE_CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)" ROCFORGE_TAIL;
constexpr std::string_view kQwen35 =
    ROCFORGE_CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|)"
                          R"( ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|)" ROCFORGE_SPACES;
// Whitespace in chunks. The first alternative may only start where no other space is before it: it
// would search the rest of a long run again for each chunk, and never find a newline there.
constexpr std::string_view kJais2 = ROCFORGE_CONTRACTIONS
    R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"((?<![^\S\r\n])\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|)"
    R"(\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})";
constexpr std::string_view kGpt4o =
    ROCFORGE_CASED_WORDS(ROCFORGE_CONTRACTIONS "?") R"(\p{N}{1,3}|)" ROCFORGE_CASED_TAIL;
constexpr std::string_view kTekken = ROCFORGE_CASED_WORDS("") R"(\p{N}|)" ROCFORGE_CASED_TAIL;
constexpr std::string_view kYoutu =
    ROCFORGE_CASED_WORDS(ROCFORGE_CONTRACTIONS "?") R"(\p{N}|)" ROCFORGE_CASED_TAIL;
// Han is the script of Unicode 15.1 (Scripts.txt). What the model's regex writes as an
// intersection, "upper case && not Han", is written as what must not be there: all other
// categories, and Han.
#define ROCFORGE_HAN                                                                         \
  R"(\x{2e80}-\x{2e99}\x{2e9b}-\x{2ef3}\x{2f00}-\x{2fd5}\x{3005}\x{3007}\x{3021}-\x{3029})"  \
  R"(\x{3038}-\x{303b}\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}\x{f900}-\x{fa6d}\x{fa70}-\x{fad9})" \
  R"(\x{16fe2}-\x{16fe3}\x{16ff0}-\x{16ff1}\x{20000}-\x{2a6df}\x{2a700}-\x{2b739})"          \
  R"(\x{2b740}-\x{2b81d}\x{2b820}-\x{2cea1}\x{2ceb0}-\x{2ebe0}\x{2ebf0}-\x{2ee5d})"          \
  R"(\x{2f800}-\x{2fa1d}\x{30000}-\x{3134a}\x{31350}-\x{323af})"
#define ROCFORGE_K2_UPPER "[^" ROCFORGE_HAN R"(\p{Ll}\p{N}\p{P}\p{S}\p{Z}\p{C}])"
#define ROCFORGE_K2_LOWER "[^" ROCFORGE_HAN R"(\p{Lu}\p{Lt}\p{N}\p{P}\p{S}\p{Z}\p{C}])"
constexpr std::string_view kKimiK2 =
    "[" ROCFORGE_HAN R"(]+|[^\r\n\p{L}\p{N}]?)" ROCFORGE_K2_UPPER "*" ROCFORGE_K2_LOWER
    "+" ROCFORGE_CONTRACTIONS R"(?|[^\r\n\p{L}\p{N}]?)" ROCFORGE_K2_UPPER "+" ROCFORGE_K2_LOWER
    "*" ROCFORGE_CONTRACTIONS R"(?|\p{N}{1,3}|)" ROCFORGE_TAIL;
constexpr std::string_view kBailing =
    R"('(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kSeedCoder = ROCFORGE_CONTRACTIONS
    R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|)" ROCFORGE_SPACES;
// The groups of words are possessive: nothing follows them, and a long text would fill the stack.
constexpr std::string_view kExaoneMoe = ROCFORGE_CONTRACTIONS
    R"(|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*+(?: \p{L}\p{M}*+)*+)++|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|)"
    R"(\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kBloom = R"( ?[^(\s|.,!?…。，、।۔،)]+)";
constexpr std::string_view kLines = R"([^\n]+|[\n]+)";
constexpr std::string_view kDeepSeekLetters =
    R"(\s?[A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293})"
    R"(\x{295}-\x{2af}\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386})"
    R"(\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1}\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f})"
    R"(\x{531}-\x{556}\x{10a0}-\x{10c5}\x{13a0}-\x{13f5}\x{13f8}-\x{13fd}\x{1c90}-\x{1cba})"
    R"(\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a})"
    R"(\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d})"
    R"(\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4})"
    R"(\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3})"
    R"(\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107})"
    R"(\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d})"
    R"(\x{212f}-\x{2134}\x{2139}\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184})"
    R"(\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4}\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d})"
    R"(\x{a680}-\x{a69b}\x{a722}-\x{a76f}\x{a771}-\x{a787}\x{a78b}-\x{a78e})"
    R"(\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a})"
    R"(\x{ff41}-\x{ff5a}\x{10400}-\x{1044f}\x{104b0}-\x{104d3}\x{104d8}-\x{104fb})"
    R"(\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943}]+)";

// Han, kana, Thai, Lao, Khmer, Burmese and Hangul: runs of scripts without spaces.
constexpr std::string_view kAfmoeScripts =
    R"([\x{4e00}-\x{9fff}\x{3400}-\x{4dbf}\x{f900}-\x{faff}\x{3040}-\x{309f}\x{30a0}-\x{30ff})"
    R"(\x{ff65}-\x{ff9f}\x{2f00}-\x{2fdf}\x{e40}-\x{e7f}\x{e80}-\x{eff}\x{1780}-\x{17ff})"
    R"(\x{1000}-\x{109f}\x{aa60}-\x{aa7f}\x{a9e0}-\x{a9ff}\x{ac00}-\x{d7af}\x{1100}-\x{11ff}]+)";

std::vector<PreTokenizerSpec> BuildTable() {
  return {
      {.names = {"default"},
       .regexes = {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2, R"(\p{N}+)", R"([0-9][0-9][0-9])"}},
      {.names = {"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0",
                 "lfm2", "jina-v5-nano"},
       .regexes = {kLlama3},
       .ignore_merges = true,
       .add_bos = true},
      {.names = {"dbrx", "smaug-bpe", "chatglm-bpe"}, .regexes = {kLlama3}},
      {.names = {"glm4", "glm5"}, .regexes = {kLlama3}, .ignore_merges = true},
      {.names = {"jais-2"}, .regexes = {kJais2}},
      {.names = {"gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de",
                 "a.x-4.0", "mellum", "modern-bert", "jina-v1-en", "jina-v2-code", "roberta-bpe",
                 "mpt", "olmo", "jais", "trillion", "granite-docling", "exaone4"},
       .regexes = {kGpt2}},
      {.names = {"starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b",
                 "mellum2"},
       .regexes = {R"(\p{N})", kGpt2}},
      {.names = {"qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "stablelm2", "megrez", "hunyuan",
                 "solar-open", "grok-2"},
       .regexes = {kQwen2}},
      {.names = {"qwen35"}, .regexes = {kQwen35}},
      {.names = {"ufakzeka"}, .regexes = {R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)" ROCFORGE_TAIL}},
      {.names = {"minicpm5"},
       .regexes = {R"(\p{N}{1,3})",
                   ROCFORGE_CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+|)" ROCFORGE_TAIL},
       .ignore_merges = true},
      {.names = {"laguna"}, .regexes = {kLines, kQwen2}},
      {.names = {"seed-coder"}, .regexes = {kSeedCoder}},
      {.names = {"bailingmoe", "bailingmoe2", "llada-moe"}, .regexes = {kBailing}},
      {.names = {"exaone-moe"}, .regexes = {kExaoneMoe}},
      {.names = {"deepseek-llm"},
       // "\s+$" with a lookbehind, lest every space of a long run start a search of its own.
       .regexes = {R"([\r\n])", kDeepSeekLetters, R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)",
                   R"((?<!\s)\s+$)", R"([一-龥ࠀ-一가-퟿]+)", R"(\p{N}+)"}},
      {.names = {"deepseek-coder"},
       .regexes = {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", R"([一-龥ࠀ-一가-퟿]+)",
                   R"(\p{N})"}},
      {.names = {"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"},
       .regexes = {R"(\p{N}{1,3})", ROCFORGE_CJK,
                   ROCFORGE_PUNCTUATED_WORDS R"([\r\n]*|)" ROCFORGE_SPACES}},
      {.names = {"spark2_5"},
       .regexes = {R"(\p{N}{1,3})", ROCFORGE_CJK,
                   ROCFORGE_PUNCTUATED_WORDS R"(|[\r\n]|\s+(?!\S)|\s+)", R"(\p{N})"}},
      {.names = {"afmoe"},
       .regexes = {R"(\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N})))", kAfmoeScripts,
                   ROCFORGE_PUNCTUATED_WORDS R"([\r\n]*|)" ROCFORGE_SPACES}},
      {.names = {"youtu"},
       .regexes =
           {R"([가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+)",
            kYoutu},
       .ignore_merges = true},
      {.names = {"falcon"}, .regexes = {R"([\p{P}\$\+<=>\^~\|`]+)", kGpt2, R"([0-9][0-9][0-9])"}},
      {.names = {"bloom", "gpt3-finnish", "poro-chat"}, .regexes = {kBloom}},
      {.names = {"viking"}, .regexes = {kBloom, R"(\p{N})"}},
      {.names = {"tekken"}, .regexes = {kTekken}, .ignore_merges = true, .add_bos = true},
      {.names = {"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"}, .regexes = {kGpt4o}},
      {.names = {"granite-embed-multi-97m"}, .regexes = {kGpt4o}, .ignore_merges = true},
      {.names = {"tiny_aya", "cohere2moe"}, .regexes = {R"(\d{1,3}(?=(?:\d{3})*\b))", kGpt4o}},
      {.names = {"kimi-k2"}, .regexes = {kKimiK2}},
      {.names = {"superbpe"}, .regexes = {R"(\p{N}+)", R"((?=(\d{3})+(?!\d)))"}},
      {.names = {"chameleon"},
       .regexes = {R"(<sentinel:[0-9]+>)", R"((IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z)",
                   R"(([\t\n]|    |  ))", R"(\p{N})", R"([\p{P}!-/:-@\[-`{-~])", kGpt2},
       .add_bos = true},
      {.names = {"gemma4", "granite-embed-multi-311m"},
       .regexes = {kLines},
       .raw_utf8 = true,
       .newline_tokens = true,
       .force_add_bos = true},
      {.names = {"sarvam-moe"}, .regexes = {kLines}, .raw_utf8 = true},
      {.names = {"whitespace"}, .regexes = {R"(\S+)"}, .raw_utf8 = true, .keep_spaces = true},
  };
}

}  // namespace

const std::vector<PreTokenizerSpec>& PreTokenizerSpecs() {
  static const std::vector<PreTokenizerSpec> table = BuildTable();
  return table;
}

}  // namespace rocforge::text
