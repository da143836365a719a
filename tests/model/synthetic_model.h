// Small models with random weights, made in memory: the same bits on every machine, so that tests
// can hold expected values for them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/value.h"
#include "gguf/writer.h"
#include "tests/testing.h"

namespace rocforge::testing {

// What tensors and keys a model has. The defaults are a plain Llama-like block; a test describes a
// variation by what it changes here and by SyntheticModel's Set and Add.
struct Recipe {
  std::string arch = "llama";
  int64_t n_layers = 2;
  int64_t d_model = 64;
  int64_t n_heads = 2;
  int64_t n_kv_heads = 1;
  int64_t head_dim = 32;
  int64_t n_ff = 96;
  int64_t n_vocab = 128;
  int64_t n_experts = 0;
  int64_t n_experts_used = 0;
  std::vector<std::string> norms = {"attn_norm", "ffn_norm"};  // of d_model, in each block
  int qk_norm = 0;                                             // 1: per head, 2: full width
  bool qkv_bias = false;
  bool output_bias = false;  // of the attention's output
  bool ffn_bias = false;
  bool expert_bias = false;
  bool sinks = false;
  bool fused_qkv = false;
  bool gate_in_up = false;
  bool tied = false;
};

class SyntheticModel {
 public:
  explicit SyntheticModel(const Recipe& r) : recipe_(r) {
    Set("general.architecture", gguf::Value::String(r.arch));
    SetOwn("context_length", int64_t{256});
    SetOwn("embedding_length", r.d_model);
    SetOwn("block_count", r.n_layers);
    SetOwn("feed_forward_length", r.n_ff);
    SetOwn("attention.head_count", r.n_heads);
    SetOwn("attention.head_count_kv", r.n_kv_heads);
    SetOwn("attention.key_length", r.head_dim);
    SetOwn("attention.value_length", r.head_dim);
    SetOwn("vocab_size", r.n_vocab);
    SetOwn("attention.layer_norm_rms_epsilon", gguf::Value::Float32(1e-5f));
    if (r.n_experts > 0) {
      SetOwn("expert_count", r.n_experts);
      SetOwn("expert_used_count", r.n_experts_used);
    }
    Set("tokenizer.ggml.model", gguf::Value::String("none"));
    AddTensors();
  }

  // Adds or replaces a key; SetOwn puts the architecture's prefix before it.
  void Set(const std::string& key, gguf::Value value) {
    for (gguf::KeyValue& kv : metadata_) {
      if (kv.key == key) {
        kv.value = std::move(value);
        return;
      }
    }
    metadata_.push_back({key, std::move(value)});
  }
  void SetOwn(const std::string& key, gguf::Value value) {
    Set(recipe_.arch + "." + key, std::move(value));
  }
  void SetOwn(const std::string& key, int64_t value) {
    SetOwn(key, gguf::Value::Uint32(static_cast<uint32_t>(value)));
  }
  void SetOwn(const std::string& key, double value) {
    SetOwn(key, gguf::Value::Float32(static_cast<float>(value)));
  }
  void EraseOwn(const std::string& key) {
    std::erase_if(metadata_, [&](const auto& kv) { return kv.key == recipe_.arch + "." + key; });
  }

  // An f32 tensor of independent values, uniform in [mean - spread, mean + spread), that depend on
  // the tensor's name alone. Replaces one of the same name.
  void Add(const std::string& name, const Shape& shape, float mean, float spread) {
    std::vector<float> values(static_cast<size_t>(shape.elements()));
    uint64_t state = 1469598103934665603u;  // FNV-1a of the name
    for (const char c : name) state = (state ^ static_cast<uint8_t>(c)) * 1099511628211u;
    for (float& value : values) {
      state += 0x9E3779B97F4A7C15u;  // splitmix64 (Steele et al. 2014)
      uint64_t z = state;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
      const auto bits = static_cast<int32_t>((z ^ (z >> 31)) >> 40);  // 24 bits
      const float u = static_cast<float>(bits - (1 << 23)) / static_cast<float>(1 << 23);
      const float scaled = spread * u;
      value = mean + scaled;
    }
    AddValues(name, shape, std::move(values));
  }
  void AddValues(const std::string& name, const Shape& shape, std::vector<float> values) {
    Drop(name);
    specs_.push_back({name, DType::kF32, shape});
    values_.push_back(std::move(values));
  }
  void Drop(const std::string& name) {
    for (size_t i = 0; i < specs_.size(); ++i) {
      if (specs_[i].name != name) continue;
      specs_.erase(specs_.begin() + static_cast<std::ptrdiff_t>(i));
      values_.erase(values_.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
  }
  // Declares another element type and shape; the data is zero.
  void Retype(const std::string& name, DType dtype, const Shape& shape) {
    Drop(name);
    specs_.push_back({name, dtype, shape});
    values_.emplace_back();
  }

  const Recipe& recipe() const { return recipe_; }
  const std::vector<gguf::TensorSpec>& tensors() const { return specs_; }

  // The file's bytes; fails the current test and returns "" if there can be no such file.
  std::string BytesOrFail() const {
    Result<std::string> header = gguf::EncodeHeader(metadata_, specs_);
    EXPECT_OK(header);
    if (!header.ok()) return "";
    std::string bytes = std::move(*header);
    for (size_t i = 0; i < specs_.size(); ++i) {
      const Result<int64_t> row_bytes = RowBytes(specs_[i].dtype, specs_[i].shape.row_elements());
      EXPECT_OK(row_bytes);
      if (!row_bytes.ok()) return "";
      const size_t begin = bytes.size();
      const auto n = static_cast<size_t>(*row_bytes * specs_[i].shape.rows());
      constexpr size_t kAlignment = 32;
      bytes.resize(begin + (n + kAlignment - 1) / kAlignment * kAlignment);
      if (!values_[i].empty()) std::memcpy(bytes.data() + begin, values_[i].data(), n);
    }
    return bytes;
  }
  // Writes the file; fails the current test if that cannot be done.
  void WriteOrFail(const std::string& path) const {
    const std::string bytes = BytesOrFail();
    std::ofstream out(path, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    EXPECT_TRUE(out.good()) << path;
  }

 private:
  // Keeps the size of activations whatever the width.
  void Matrix(const std::string& name, const Shape& shape, float gain) {
    Add(name, shape, 0.0f, gain * std::sqrt(3.0f / static_cast<float>(shape.dim(-1))));
  }
  void Norm(const std::string& name, int64_t n) { Add(name, {n}, 1.0f, 0.25f); }
  void Bias(const std::string& name, const Shape& shape) { Add(name, shape, 0.0f, 0.25f); }

  void AddTensors() {
    const Recipe& r = recipe_;
    Add("token_embd.weight", {r.n_vocab, r.d_model}, 0.0f, r.tied ? 0.5f : 1.0f);
    if (!r.tied) Matrix("output.weight", {r.n_vocab, r.d_model}, 2.0f);
    Norm("output_norm.weight", r.d_model);
    for (int64_t i = 0; i < r.n_layers; ++i) {
      const std::string block = "blk." + std::to_string(i) + ".";
      for (const std::string& norm : r.norms) Norm(block + norm + ".weight", r.d_model);
      AddAttention(block);
      if (r.n_experts > 0) {
        AddExperts(block);
      } else {
        AddFfn(block);
      }
    }
  }

  void AddAttention(const std::string& block) {
    const Recipe& r = recipe_;
    const int64_t q = r.n_heads * r.head_dim;
    const int64_t kv = r.n_kv_heads * r.head_dim;
    const std::pair<const char*, int64_t> parts[] = {{"attn_q", q}, {"attn_k", kv}, {"attn_v", kv}};
    if (r.fused_qkv) Matrix(block + "attn_qkv.weight", {q + 2 * kv, r.d_model}, 1.5f);
    for (const auto& [name, rows] : parts) {
      if (!r.fused_qkv) Matrix(block + name + ".weight", {rows, r.d_model}, 1.5f);
      if (r.qkv_bias) Bias(block + name + ".bias", {rows});
    }
    if (r.qk_norm > 0) {
      Norm(block + "attn_q_norm.weight", r.qk_norm == 1 ? r.head_dim : q);
      Norm(block + "attn_k_norm.weight", r.qk_norm == 1 ? r.head_dim : kv);
    }
    Matrix(block + "attn_output.weight", {r.d_model, q}, 1.0f);
    if (r.output_bias) Bias(block + "attn_output.bias", {r.d_model});
    if (r.sinks) Bias(block + "attn_sinks.weight", {r.n_heads});
  }

  void AddFfn(const std::string& block) {
    const Recipe& r = recipe_;
    if (!r.gate_in_up) Matrix(block + "ffn_gate.weight", {r.n_ff, r.d_model}, 1.0f);
    Matrix(block + "ffn_up.weight", {r.gate_in_up ? 2 * r.n_ff : r.n_ff, r.d_model}, 1.0f);
    Matrix(block + "ffn_down.weight", {r.d_model, r.n_ff}, 1.0f);
    if (!r.ffn_bias) return;
    Bias(block + "ffn_gate.bias", {r.n_ff});
    Bias(block + "ffn_up.bias", {r.n_ff});
    Bias(block + "ffn_down.bias", {r.d_model});
  }

  void AddExperts(const std::string& block) {
    const Recipe& r = recipe_;
    Matrix(block + "ffn_gate_inp.weight", {r.n_experts, r.d_model}, 1.0f);
    Matrix(block + "ffn_gate_exps.weight", {r.n_experts, r.n_ff, r.d_model}, 1.0f);
    Matrix(block + "ffn_up_exps.weight", {r.n_experts, r.n_ff, r.d_model}, 1.0f);
    Matrix(block + "ffn_down_exps.weight", {r.n_experts, r.d_model, r.n_ff}, 1.0f);
    if (!r.expert_bias) return;
    Bias(block + "ffn_gate_inp.bias", {r.n_experts});
    Bias(block + "ffn_gate_exps.bias", {r.n_experts, r.n_ff});
    Bias(block + "ffn_up_exps.bias", {r.n_experts, r.n_ff});
    Bias(block + "ffn_down_exps.bias", {r.n_experts, r.d_model});
  }

  Recipe recipe_;
  std::vector<gguf::KeyValue> metadata_;
  std::vector<gguf::TensorSpec> specs_;
  std::vector<std::vector<float>> values_;  // by tensor; empty: zero bytes
};

}  // namespace rocforge::testing
