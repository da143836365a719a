#include "tests/toy_model.h"

#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "base/format.h"
#include "gguf/writer.h"

namespace rocforge::testing {
namespace {

using gguf::Value;
using gguf::ValueType;

class Metadata {
 public:
  void Int(std::string key, int64_t v) {
    entries_.push_back({std::move(key), {ValueType::kUint32, static_cast<uint64_t>(v)}});
  }
  void Float(std::string key, double v) {
    entries_.push_back({std::move(key), {ValueType::kFloat32, v}});
  }
  void Bool(std::string key, bool v) {
    entries_.push_back({std::move(key), {ValueType::kBool, v}});
  }
  void String(std::string key, std::string v) {
    entries_.push_back({std::move(key), {ValueType::kString, std::move(v)}});
  }
  void Array(std::string key, gguf::Array v) {
    entries_.push_back({std::move(key), {ValueType::kArray, std::move(v)}});
  }
  const std::vector<gguf::KeyValue>& entries() const { return entries_; }

 private:
  std::vector<gguf::KeyValue> entries_;
};

void AddVocabulary(Metadata& m) {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<int64_t> types = {2, 3, 3};  // unknown, control, control
  for (int byte = 0; byte < 256; ++byte) {
    tokens.push_back(Format("<0x{:02X}>", byte));
    types.push_back(6);
  }
  tokens.emplace_back("\xE2\x96\x81");
  for (char c = 'a'; c <= 'z'; ++c) tokens.emplace_back(1, c);
  types.resize(tokens.size(), 1);
  std::vector<double> scores(tokens.size());
  for (size_t i = 0; i < scores.size(); ++i) scores[i] = -static_cast<double>(i);
  m.String("tokenizer.ggml.model", "llama");
  m.Array("tokenizer.ggml.tokens", {ValueType::kString, std::move(tokens)});
  m.Array("tokenizer.ggml.scores", {ValueType::kFloat32, std::move(scores)});
  m.Array("tokenizer.ggml.token_type", {ValueType::kInt32, std::move(types)});
  m.Int("tokenizer.ggml.bos_token_id", 1);
  m.Int("tokenizer.ggml.eos_token_id", 2);
  m.Int("tokenizer.ggml.unknown_token_id", 0);
  m.Bool("tokenizer.ggml.add_bos_token", true);
}

Metadata MakeMetadata(const ToyModelOptions& o) {
  Metadata m;
  const auto key = [&](const char* name) { return o.architecture + "." + name; };
  m.String("general.architecture", o.architecture);
  m.String("general.name", "Toy");
  m.Int(key("context_length"), o.n_ctx_train);
  m.Int(key("embedding_length"), o.d_model);
  m.Int(key("block_count"), o.n_layers);
  m.Int(key("feed_forward_length"), o.d_ff);
  m.Int(key("attention.head_count"), o.n_heads);
  m.Int(key("attention.head_count_kv"), o.n_kv_heads);
  m.Float(key("attention.layer_norm_rms_epsilon"), 1e-5);
  m.Float(key("rope.freq_base"), 10000.0);
  m.Int(key("vocab_size"), kToyModelVocab);
  AddVocabulary(m);
  if (!o.chat_template.empty()) m.String("tokenizer.chat_template", o.chat_template);
  return m;
}

std::vector<gguf::TensorSpec> MakeTensors(const ToyModelOptions& o) {
  const int64_t head = o.d_model / o.n_heads;
  std::vector<gguf::TensorSpec> t;
  t.push_back({"token_embd.weight", DType::kF32, {kToyModelVocab, o.d_model}});
  for (int64_t i = 0; i < o.n_layers; ++i) {
    const std::string b = Format("blk.{}.", i);
    t.push_back({b + "attn_norm.weight", DType::kF32, {o.d_model}});
    t.push_back({b + "attn_q.weight", DType::kF32, {o.n_heads * head, o.d_model}});
    t.push_back({b + "attn_k.weight", DType::kF32, {o.n_kv_heads * head, o.d_model}});
    t.push_back({b + "attn_v.weight", DType::kF32, {o.n_kv_heads * head, o.d_model}});
    t.push_back({b + "attn_output.weight", DType::kF32, {o.d_model, o.n_heads * head}});
    t.push_back({b + "ffn_norm.weight", DType::kF32, {o.d_model}});
    t.push_back({b + "ffn_gate.weight", DType::kF32, {o.d_ff, o.d_model}});
    t.push_back({b + "ffn_up.weight", DType::kF32, {o.d_ff, o.d_model}});
    t.push_back({b + "ffn_down.weight", DType::kF32, {o.d_model, o.d_ff}});
  }
  t.push_back({"output_norm.weight", DType::kF32, {o.d_model}});
  return t;
}

}  // namespace

Status WriteToyModel(const std::string& path, const ToyModelOptions& options) {
  const std::vector<gguf::TensorSpec> tensors = MakeTensors(options);
  ROCFORGE_ASSIGN_OR_RETURN(gguf::Writer writer,
                            gguf::Writer::Create(path, MakeMetadata(options).entries(), tensors));
  std::mt19937 random(options.seed);
  for (const gguf::TensorSpec& spec : tensors) {
    // Scaled so that activations keep their size from layer to layer.
    const double columns = static_cast<double>(spec.shape.row_elements());
    std::normal_distribution<float> matrix(0.0f, static_cast<float>(1.5 / std::sqrt(columns)));
    std::normal_distribution<float> norm(1.0f, 0.1f);
    std::vector<float> data(static_cast<size_t>(spec.shape.elements()));
    for (float& x : data) x = spec.shape.rank() == 1 ? norm(random) : matrix(random);
    ROCFORGE_RETURN_IF_ERROR(writer.Append(std::as_bytes(std::span(data))));
  }
  return writer.Finish();
}

}  // namespace rocforge::testing
