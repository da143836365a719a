// A small decoder graph with everything that the passes look at.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace rocforge::graph::testing {

struct ToyOptions {
  int n_layers = 2;
  bool bias = false;
  bool moe = false;
};

inline constexpr int64_t kToyVocab = 24;
inline constexpr int64_t kToyWidth = 16;
inline constexpr int64_t kToyHidden = 12;
inline constexpr int32_t kToyHeads = 2;
inline constexpr int32_t kToyHeadDim = 8;

// Weights are f32 matrices named by their role, in the order of use.
inline Graph MakeToyGraph(const ToyOptions& o) {
  Graph g;
  const auto matrix = [&](const std::string& name, int64_t rows, int64_t cols, int64_t outer = 1) {
    return g.AddWeight(name, 0, {DType::kF32, outer, rows, cols});
  };
  const auto product = [&](ValueId x, const std::string& name, int64_t rows, int64_t cols,
                           int32_t layer) {
    op::MatMul p;
    std::vector<ValueId> in = {x, matrix(name, rows, cols)};
    if (o.bias) {
      p.has_bias[0] = true;
      in.push_back(g.AddVector(name + ".bias", rows));
    }
    return g.Append1(p, in, name, layer);
  };
  ValueId x = g.Append1(op::EmbedRows{}, {matrix("embed", kToyVocab, kToyWidth)}, "embed", -1);
  op::RopeTable table;
  table.rope_dim = kToyHeadDim;
  const ValueId rope = g.Append1(table, {}, "rope_table", -1);
  for (int32_t layer = 0; layer < o.n_layers; ++layer) {
    const std::string b = "blk." + std::to_string(layer) + ".";
    g.kv_layers.push_back({1, kToyHeadDim, kToyHeadDim, 0});
    ValueId h =
        g.Append1(op::Norm{}, {x, g.AddVector(b + "norm", kToyWidth)}, b + "attn_norm", layer);
    ValueId q = product(h, b + "q", kToyHeads * kToyHeadDim, kToyWidth, layer);
    ValueId k = product(h, b + "k", kToyHeadDim, kToyWidth, layer);
    const ValueId v = product(h, b + "v", kToyHeadDim, kToyWidth, layer);
    const op::Rope rotate{op::RopeKind::kNeox, kToyHeadDim, kToyHeadDim};
    q = g.Append1(rotate, {q, rope}, b + "q_rope", layer);
    k = g.Append1(rotate, {k, rope}, b + "k_rope", layer);
    g.Append(op::KvAppend{layer, 1, kToyHeadDim, kToyHeadDim}, {k, v}, b + "kv", layer);
    op::Attention attention;
    attention.layer = layer;
    attention.n_heads = kToyHeads;
    attention.n_kv_heads = 1;
    attention.head_dim_k = attention.head_dim_v = kToyHeadDim;
    attention.scale = 0.35f;
    const ValueId a = g.Append1(attention, {q}, b + "attn", layer);
    const ValueId out = product(a, b + "out", kToyWidth, kToyHeads * kToyHeadDim, layer);
    x = g.Append1(op::Add{0.5f}, {x, out}, b + "attn_residual", layer);
    h = g.Append1(op::Norm{}, {x, g.AddVector(b + "norm2", kToyWidth)}, b + "ffn_norm", layer);
    ValueId y = kNoValue;
    if (o.moe) {
      const ValueId logits = product(h, b + "router", 3, kToyWidth, layer);
      const std::vector<ValueId> routed =
          g.Append(op::MoeRoute{3, 2}, {logits}, b + "route", layer);
      op::MoeMatMul up{1, 2};
      const ValueId gate = g.Append1(
          up, {h, routed[0], matrix(b + "gate", kToyHidden, kToyWidth, 3)}, b + "gate", layer);
      const ValueId lift = g.Append1(up, {h, routed[0], matrix(b + "up", kToyHidden, kToyWidth, 3)},
                                     b + "up", layer);
      const ValueId act = g.Append1(op::Glu{}, {gate, lift}, b + "glu", layer);
      op::MoeMatMul down{1, 2, true};
      const ValueId each = g.Append1(
          down, {act, routed[0], matrix(b + "down", kToyWidth, kToyHidden, 3)}, b + "down", layer);
      y = g.Append1(op::MoeCombine{2}, {each, routed[1]}, b + "combine", layer);
    } else {
      const ValueId gate = product(h, b + "gate", kToyHidden, kToyWidth, layer);
      const ValueId lift = product(h, b + "up", kToyHidden, kToyWidth, layer);
      const ValueId act = g.Append1(op::Glu{}, {gate, lift}, b + "glu", layer);
      y = product(act, b + "down", kToyWidth, kToyHidden, layer);
    }
    x = g.Append1(op::Add{}, {x, y}, b + "ffn_residual", layer);
  }
  x = g.Append1(op::GatherRows{}, {x}, "gather", -1);
  x = g.Append1(op::Norm{}, {x, g.AddVector("out_norm", kToyWidth)}, "out_norm", -1);
  g.logits = g.Append1(op::MatMul{}, {x, matrix("output", kToyVocab, kToyWidth)}, "logits", -1);
  return g;
}

}  // namespace rocforge::graph::testing
