#include "apps/synth_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "apps/terminal/interrupt.h"
#include "apps/terminal/progress.h"
#include "base/format.h"
#include "base/thread_pool.h"
#include "gguf/writer.h"
#include "quant/mix.h"
#include "quant/quant.h"

namespace rocforge::apps {
namespace {

struct Preset {
  const char* name;
  const char* about;
  int64_t n_layers;
  int64_t d_model;
  int64_t d_ff;
  int64_t n_heads;
  int64_t n_kv_heads;
  int64_t n_vocab;
  int64_t n_ctx;
  double rope_base;
  bool llama3_rope;  // the frequency factors of Llama 3.1
};

constexpr Preset kPresets[] = {
    {"llama-7b", "Llama 2 7B", 32, 4096, 11008, 32, 32, 32000, 4096, 10000.0, false},
    {"llama-8b", "Llama 3.1 8B", 32, 4096, 14336, 32, 8, 128256, 131072, 500000.0, true},
    {"llama-1b", "Llama 3.2 1B", 16, 2048, 8192, 32, 8, 128256, 131072, 500000.0, true},
    {"llama-tiny", "two small layers, for tests", 2, 256, 512, 4, 2, 512, 512, 10000.0, true},
};

Result<std::pair<const Preset*, quant::FileType>> ParsePreset(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const auto* found = std::find_if(std::begin(kPresets), std::end(kPresets),
                                   [&](const Preset& preset) { return preset.name == name; });
  if (found == std::end(kPresets)) {
    std::string names;
    for (const Preset& preset : kPresets)
      names += (names.empty() ? "" : ", ") + std::string(preset.name);
    return InvalidArgument(
        Format("unknown preset '{}'; use one of {}, perhaps with a type, such "
               "as llama-7b:q8_0",
               EscapeForTerminal(name, 40), names));
  }
  quant::FileType type = quant::FileType::kQ4_K_M;
  if (colon != std::string::npos) {
    ROCFORGE_ASSIGN_OR_RETURN(type, quant::ParseFileType(text.substr(colon + 1)));
  }
  return std::pair(found, type);
}

// Control tokens, bytes, and words that nobody writes.
std::vector<gguf::KeyValue> Vocabulary(int64_t n_vocab) {
  constexpr int64_t kUnknown = 2, kControl = 3, kNormal = 1, kByte = 6;
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<int64_t> types = {kUnknown, kControl, kControl};
  for (int byte = 0; byte < 256; ++byte) {
    tokens.push_back(Format("<0x{:02X}>", byte));
    types.push_back(kByte);
  }
  for (char c = ' '; c <= '~'; ++c) tokens.push_back(c == ' ' ? "\xE2\x96\x81" : std::string(1, c));
  while (static_cast<int64_t>(tokens.size()) < n_vocab)
    tokens.push_back(Format("\xE2\x96\x81token{}", tokens.size()));
  types.resize(tokens.size(), kNormal);
  std::vector<double> scores(tokens.size());
  for (size_t i = 0; i < scores.size(); ++i) scores[i] = -static_cast<double>(i);
  return {{"tokenizer.ggml.model", gguf::Value::String("llama")},
          {"tokenizer.ggml.tokens", gguf::Value::Strings(std::move(tokens))},
          {"tokenizer.ggml.scores", gguf::Value::Float32s(std::move(scores))},
          {"tokenizer.ggml.token_type", gguf::Value::Int32s(std::move(types))},
          {"tokenizer.ggml.bos_token_id", gguf::Value::Uint32(1)},
          {"tokenizer.ggml.eos_token_id", gguf::Value::Uint32(2)},
          {"tokenizer.ggml.unknown_token_id", gguf::Value::Uint32(0)},
          {"tokenizer.ggml.add_bos_token", gguf::Value::Bool(true)}};
}

std::vector<gguf::KeyValue> Metadata(const Preset& p, quant::FileType type) {
  const auto u32 = [](int64_t v) { return gguf::Value::Uint32(static_cast<uint32_t>(v)); };
  std::vector<gguf::KeyValue> m = {
      {"general.architecture", gguf::Value::String("llama")},
      {"general.name", gguf::Value::String(Format("random weights, shape of {}", p.about))},
      {"general.file_type", u32(static_cast<int64_t>(type))},
      {"llama.context_length", u32(p.n_ctx)},
      {"llama.embedding_length", u32(p.d_model)},
      {"llama.block_count", u32(p.n_layers)},
      {"llama.feed_forward_length", u32(p.d_ff)},
      {"llama.attention.head_count", u32(p.n_heads)},
      {"llama.attention.head_count_kv", u32(p.n_kv_heads)},
      {"llama.attention.layer_norm_rms_epsilon", gguf::Value::Float32(1e-5f)},
      {"llama.rope.freq_base", gguf::Value::Float32(static_cast<float>(p.rope_base))},
      {"llama.rope.dimension_count", u32(p.d_model / p.n_heads)},
      {"llama.vocab_size", u32(p.n_vocab)}};
  for (gguf::KeyValue& entry : Vocabulary(p.n_vocab)) m.push_back(std::move(entry));
  return m;
}

std::vector<quant::MixTensor> Tensors(const Preset& p) {
  const int64_t kv = p.d_model / p.n_heads * p.n_kv_heads;
  std::vector<quant::MixTensor> t;
  const auto add = [&](std::string name, Shape shape) {
    t.push_back({std::move(name), DType::kF32, shape});
  };
  add("token_embd.weight", {p.n_vocab, p.d_model});
  if (p.llama3_rope) add("rope_freqs.weight", {p.d_model / p.n_heads / 2});
  for (int64_t i = 0; i < p.n_layers; ++i) {
    const std::string b = Format("blk.{}.", i);
    add(b + "attn_norm.weight", {p.d_model});
    add(b + "attn_q.weight", {p.d_model, p.d_model});
    add(b + "attn_k.weight", {kv, p.d_model});
    add(b + "attn_v.weight", {kv, p.d_model});
    add(b + "attn_output.weight", {p.d_model, p.d_model});
    add(b + "ffn_norm.weight", {p.d_model});
    add(b + "ffn_gate.weight", {p.d_ff, p.d_model});
    add(b + "ffn_up.weight", {p.d_ff, p.d_model});
    add(b + "ffn_down.weight", {p.d_model, p.d_ff});
  }
  add("output_norm.weight", {p.d_model});
  add("output.weight", {p.n_vocab, p.d_model});
  return t;
}

// Llama 3.1 divides low frequencies by 8 and blends between two wavelengths (its reference code,
// apply_scaling: low_freq_factor 1, high_freq_factor 4, 8192 positions).
std::vector<float> RopeFactors(const Preset& p, int64_t n) {
  constexpr double kPi = 3.14159265358979323846;
  std::vector<float> factors;
  for (int64_t j = 0; j < n; ++j) {
    const double frequency =
        std::pow(p.rope_base, -static_cast<double>(j) / static_cast<double>(n));
    const double turns = 8192.0 * frequency / (2 * kPi);  // within the original context
    const double smooth = std::clamp((turns - 1.0) / (4.0 - 1.0), 0.0, 1.0);
    factors.push_back(static_cast<float>(1.0 / ((1.0 - smooth) / 8.0 + smooth)));
  }
  return factors;
}

// Blocks of one type that decode to normal numbers. Tensors repeat them in random order: encoding
// billions of weights would take minutes, and speed does not depend on their values.
class BlockPool {
 public:
  static Result<BlockPool> Make(DType type, int64_t cols, uint64_t seed) {
    constexpr int64_t kWeights = 1 << 18;
    std::mt19937_64 random(seed);
    // Products of normal activations then are normal again.
    std::normal_distribution<float> normal(0.0f, 1.0f / std::sqrt(static_cast<float>(cols)));
    std::vector<float> values(kWeights);
    for (float& v : values) v = normal(random);
    BlockPool pool;
    pool.block_bytes_ = Info(type).block_bytes;
    pool.block_elements_ = Info(type).block_elements;
    pool.n_blocks_ = kWeights / pool.block_elements_;
    pool.bytes_.resize(static_cast<size_t>(pool.n_blocks_ * pool.block_bytes_));
    ROCFORGE_RETURN_IF_ERROR(quant::EncodeRow(type, values, {}, pool.bytes_.data()));
    return pool;
  }

  int64_t block_bytes() const { return block_bytes_; }
  int64_t block_elements() const { return block_elements_; }

  // `out` is filled with whole blocks. Small blocks go in runs, which is quicker.
  void Fill(std::span<std::byte> out, uint64_t seed) const {
    constexpr int64_t kRunBytes = 512;
    const int64_t run = std::max<int64_t>(1, kRunBytes / block_bytes_);
    std::minstd_rand random(static_cast<uint32_t>(seed * 2654435761u + 1));
    auto left = static_cast<int64_t>(out.size());
    std::byte* at = out.data();
    while (left > 0) {
      const int64_t bytes = std::min(left, run * block_bytes_);
      const int64_t first = static_cast<int64_t>(random()) % (n_blocks_ - run);
      std::memcpy(at, bytes_.data() + first * block_bytes_, static_cast<size_t>(bytes));
      at += bytes;
      left -= bytes;
    }
  }

 private:
  int64_t block_bytes_ = 0;
  int64_t block_elements_ = 0;
  int64_t n_blocks_ = 0;
  std::vector<std::byte> bytes_;
};

class ModelWriter {
 public:
  ModelWriter(const SynthRequest& flags, const Preset& preset)
      : flags_(flags), preset_(preset), pool_(flags.threads), bar_("writing") {}

  Status Write(const std::vector<quant::MixTensor>& tensors,
               const std::vector<quant::MixChoice>& types, quant::FileType file_type) {
    std::vector<gguf::TensorSpec> specs;
    for (size_t i = 0; i < tensors.size(); ++i)
      specs.push_back({tensors[i].name, types[i].dtype, tensors[i].shape});
    ROCFORGE_ASSIGN_OR_RETURN(
        gguf::Writer writer,
        gguf::Writer::Create(flags_.output, Metadata(preset_, file_type), specs));
    total_bytes_ = writer.total_bytes();
    const InterruptScope interrupt;
    for (const gguf::TensorSpec& spec : specs) {
      const Status status =
          spec.shape.rank() == 1 ? WriteVector(spec, writer) : WriteMatrix(spec, writer);
      ROCFORGE_RETURN_IF_ERROR(status);
    }
    bar_.Finish();
    return writer.Finish();
  }

  uint64_t total_bytes() const { return total_bytes_; }

 private:
  Status WriteVector(const gguf::TensorSpec& spec, gguf::Writer& writer) {
    const int64_t n = spec.shape.elements();
    const std::vector<float> values = spec.name == "rope_freqs.weight"
                                          ? RopeFactors(preset_, n)
                                          : std::vector<float>(static_cast<size_t>(n), 1.0f);
    return writer.Append(std::as_bytes(std::span(values)));
  }

  Status WriteMatrix(const gguf::TensorSpec& spec, gguf::Writer& writer) {
    constexpr int64_t kPieceBytes = int64_t{64} << 20;
    constexpr int64_t kTaskBytes = int64_t{1} << 20;
    ROCFORGE_ASSIGN_OR_RETURN(const BlockPool* const blocks,
                              BlocksOf(spec.dtype, spec.shape.row_elements()));
    const int64_t block = blocks->block_bytes();
    const int64_t total = spec.shape.elements() / blocks->block_elements() * block;
    const int64_t piece = kPieceBytes / block * block;
    const int64_t task = kTaskBytes / block * block;
    for (int64_t begin = 0; begin < total; begin += piece) {
      if (Interrupted()) return Cancelled("");
      buffer_.resize(static_cast<size_t>(std::min(piece, total - begin)));
      const auto n = static_cast<int64_t>(buffer_.size());
      const uint64_t seed = flags_.seed + (++piece_count_ << 20);
      pool_.ParallelFor((n + task - 1) / task, 1, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
          const auto at = static_cast<size_t>(i * task);
          const auto length = std::min(buffer_.size() - at, static_cast<size_t>(task));
          blocks->Fill(std::span(buffer_).subspan(at, length), seed + static_cast<uint64_t>(i));
        }
      });
      ROCFORGE_RETURN_IF_ERROR(writer.Append(buffer_));
      bar_.Update(static_cast<double>(writer.done_bytes()) / static_cast<double>(total_bytes_));
    }
    return {};
  }

  Result<const BlockPool*> BlocksOf(DType type, int64_t cols) {
    const auto key = std::pair(type, cols);
    const auto found = pools_.find(key);
    if (found != pools_.end()) return &found->second;
    ROCFORGE_ASSIGN_OR_RETURN(BlockPool made, BlockPool::Make(type, cols, flags_.seed));
    return &pools_.emplace(key, std::move(made)).first->second;
  }

  const SynthRequest& flags_;
  const Preset& preset_;
  ThreadPool pool_;
  ProgressBar bar_;
  std::map<std::pair<DType, int64_t>, BlockPool> pools_;
  std::vector<std::byte> buffer_;
  uint64_t piece_count_ = 0;
  uint64_t total_bytes_ = 0;
};

}  // namespace

Result<SynthSummary> WriteSynthModel(const SynthRequest& request) {
  ROCFORGE_ASSIGN_OR_RETURN(const auto parsed, ParsePreset(request.preset));
  const auto& [preset, type] = parsed;
  const std::vector<quant::MixTensor> tensors = Tensors(*preset);
  const quant::MixModel model{"llama", preset->n_layers, preset->n_heads, preset->n_kv_heads, 0};
  quant::MixOptions options;
  options.type = type;
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<quant::MixChoice> types,
                            quant::ChooseTypes(model, options, tensors));
  ModelWriter writer(request, *preset);
  ROCFORGE_RETURN_IF_ERROR(writer.Write(tensors, types, type));
  return SynthSummary{writer.total_bytes(), quant::Info(type).name, preset->about};
}

Status CheckSynthPreset(const std::string& text) { return ParsePreset(text).status(); }

std::string SynthPresetHelp() {
  std::string text = "Shape, and perhaps the type of the weights (default q4_k_m)\n";
  for (const Preset& preset : kPresets) text += Format("  {:<11} {}\n", preset.name, preset.about);
  return text;
}

}  // namespace rocforge::apps
