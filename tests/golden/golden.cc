#include "tests/golden/golden.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "tests/golden/synthetic_models.h"
#include "tests/testing.h"

namespace rocforge::golden {
namespace {

using Json = nlohmann::json;

std::vector<double> LogSoftmax(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float x : logits) sum += std::exp(x - largest);
  const double norm = largest + std::log(sum);
  std::vector<double> out;
  out.reserve(logits.size());
  for (const float x : logits) out.push_back(x - norm);
  return out;
}

Position ReadPosition(const Json& json, int32_t n_vocab, std::span<const float> logits) {
  Position position;
  position.abs_pos = json.at("abs_pos");
  for (const Json& pair : json.at("ref_top20")) {
    position.top.emplace_back(pair.at(0).get<int32_t>(), pair.at(1).get<double>());
  }
  if (json.contains("ref_logits_offset") && !logits.empty()) {
    const size_t begin = json.at("ref_logits_offset").get<size_t>() / sizeof(float);
    position.logprobs = LogSoftmax(logits.subspan(begin, static_cast<size_t>(n_vocab)));
  }
  return position;
}

Model Parse(const Json& json, std::span<const float> logits) {
  Model model;
  model.n_vocab = json.at("n_vocab");
  model.quantised = json.at("weights") == "quantized";
  for (const Json& p : json.at("prompts")) {
    Prompt prompt;
    prompt.name = p.at("name");
    prompt.ids = p.at("ids").get<std::vector<int32_t>>();
    prompt.greedy = p.at("greedy_ref").get<std::vector<int32_t>>();
    prompt.prompt_logprobs = p.at("prompt_logprobs_ref").get<std::vector<double>>();
    prompt.greedy_logprobs = p.at("greedy_ref_logprobs").get<std::vector<double>>();
    prompt.greedy_margin = p.at("greedy_ref_margin").get<std::vector<double>>();
    for (const Json& position : p.at("positions")) {
      prompt.positions.push_back(ReadPosition(position, model.n_vocab, logits));
    }
    model.prompts.push_back(std::move(prompt));
  }
  return model;
}

// Sizes of the steps that feed n tokens of which the first n_prompt are the prompt.
std::vector<size_t> Chunks(Feed feed, size_t n, size_t n_prompt, size_t prompt_index) {
  std::vector<size_t> chunks;
  const size_t first = feed == Feed::kDecode ? n_prompt : feed == Feed::kPrefill ? n : size_t{0};
  const size_t step = feed == Feed::kDecode ? 1 : feed == Feed::kRagged ? 1 + 4 * prompt_index : 7;
  size_t done = 0;
  if (first > 0) chunks.push_back(done = first);
  for (; done < n; done += chunks.back()) chunks.push_back(std::min(step, n - done));
  return chunks;
}

struct Feeder {
  engine::SequenceId sequence = 0;
  std::vector<int32_t> tokens;
  std::vector<size_t> chunks;
  size_t next_chunk = 0;
  size_t fed = 0;
};

// One step with the next chunk of each feeder; rows go to the feeders' entries of `rows`.
Status StepAll(engine::Engine& engine, std::span<Feeder*> feeders,
               std::span<std::vector<std::vector<double>>*> rows) {
  std::vector<engine::StepItem> items;
  for (const Feeder* f : feeders) {
    items.push_back({f->sequence, std::span(f->tokens).subspan(f->fed, f->chunks[f->next_chunk]),
                     engine::LogitsWanted::kAll});
  }
  ROCFORGE_RETURN_IF_ERROR(engine.Step(items));
  int32_t row = 0;
  for (size_t i = 0; i < feeders.size(); ++i) {
    const size_t n = items[i].tokens.size();
    for (size_t j = 0; j < n; ++j) rows[i]->push_back(LogSoftmax(engine.logits(row++)));
    feeders[i]->fed += n;
    ++feeders[i]->next_chunk;
  }
  return row == engine.n_logits() ? Status::Ok() : Internal("wrong number of rows of logits");
}

class Comparison {
 public:
  void Add(double ours, double reference, const std::string& prompt, int64_t position,
           int64_t token) {
    const double difference = std::abs(ours - reference);
    ++deviation.compared;
    deviation.sum += difference;
    // Written so that a NaN counts as the largest difference.
    if (difference <= deviation.max) return;
    deviation.max = std::isnan(difference) ? INFINITY : difference;
    deviation.where = Format("{}, position {}, token {}", prompt, position, token);
  }

  Deviation deviation;
};

void ComparePrompt(const Prompt& prompt, const std::vector<std::vector<double>>& rows,
                   double tolerance, Comparison& comparison) {
  const size_t n = prompt.ids.size();
  const auto at = [&](size_t position, int32_t token) {
    return rows[position][static_cast<size_t>(token)];
  };
  for (size_t i = 0; i + 1 < n; ++i) {
    const int32_t token = prompt.ids[i + 1];
    comparison.Add(at(i, token), prompt.prompt_logprobs[i], prompt.name, static_cast<int64_t>(i),
                   token);
  }
  for (size_t k = 0; k < prompt.greedy.size(); ++k) {
    const size_t position = n - 1 + k;
    const int32_t token = prompt.greedy[k];
    comparison.Add(at(position, token), prompt.greedy_logprobs[k], prompt.name,
                   static_cast<int64_t>(position), token);
    if (prompt.greedy_margin[k] <= 2 * tolerance) continue;
    ++comparison.deviation.argmax_checked;
    const auto& row = rows[position];
    const auto best = std::max_element(row.begin(), row.end()) - row.begin();
    if (best != token) {
      comparison.deviation.argmax_wrong.push_back(Format("{}, k {}: {} instead of {}, margin {}",
                                                         prompt.name, k, best, token,
                                                         prompt.greedy_margin[k]));
    }
  }
  for (const Position& position : prompt.positions) {
    const auto row = static_cast<size_t>(position.abs_pos);
    for (const auto& [token, logprob] : position.top) {
      comparison.Add(at(row, token), logprob, prompt.name, position.abs_pos, token);
    }
    for (size_t token = 0; token < position.logprobs.size(); ++token) {
      comparison.Add(rows[row][token], position.logprobs[token], prompt.name, position.abs_pos,
                     static_cast<int64_t>(token));
    }
  }
}

}  // namespace

std::vector<int32_t> Prompt::Tokens() const {
  std::vector<int32_t> tokens = ids;
  tokens.insert(tokens.end(), greedy.begin(), greedy.end() - 1);
  return tokens;
}

Model LoadModel(const std::string& name) {
  const std::string json_path = testing::TestData("golden/" + name + ".json");
  const Json json = Json::parse(testing::ReadFileOrFail(json_path), nullptr, false);
  if (json.is_discarded()) {
    ADD_FAILURE() << json_path << " is not JSON";
    return {};
  }
  std::vector<float> logits;
  const std::string logits_path = testing::TestData("golden/" + name + ".logits.f32");
  if (!logits_path.empty()) logits = testing::ReadFloatsOrFail(logits_path);
  Model model = Parse(json, logits);
  model.name = name;
  model.path = testing::TestData("models/" + name + ".gguf");
  return model;
}

std::vector<std::string> ModelsInFolder() {
  std::vector<std::string> names;
  const std::string folder = testing::TestData("golden");
  if (folder.empty()) return names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

const char* FeedName(Feed feed) {
  switch (feed) {
    case Feed::kDecode:
      return "decode";
    case Feed::kPrefill:
      return "prefill";
    case Feed::kChunks:
      return "chunks";
    case Feed::kRagged:
      return "ragged";
  }
  return "unknown";
}

Result<Rows> FeedAll(engine::Engine& engine, const Model& model, Feed feed) {
  Rows rows(model.prompts.size());
  std::vector<Feeder> feeders(model.prompts.size());
  for (size_t i = 0; i < feeders.size(); ++i) {
    ROCFORGE_ASSIGN_OR_RETURN(feeders[i].sequence, engine.NewSequence());
    feeders[i].tokens = model.prompts[i].Tokens();
    feeders[i].chunks = Chunks(feed, feeders[i].tokens.size(), model.prompts[i].ids.size(), i);
  }
  const auto live = [](const Feeder& f) { return f.fed < f.tokens.size(); };
  while (std::any_of(feeders.begin(), feeders.end(), live)) {
    std::vector<Feeder*> now;
    std::vector<std::vector<std::vector<double>>*> to;
    for (size_t i = 0; i < feeders.size(); ++i) {
      // One sequence after the other, or all together.
      if (!live(feeders[i]) || (!now.empty() && feed != Feed::kRagged)) continue;
      now.push_back(&feeders[i]);
      to.push_back(&rows[i]);
    }
    ROCFORGE_RETURN_IF_ERROR(StepAll(engine, now, to));
  }
  for (const Feeder& f : feeders) engine.FreeSequence(f.sequence);
  return rows;
}

Deviation Compare(const Model& model, const Rows& rows, double tolerance) {
  Comparison comparison;
  for (size_t i = 0; i < model.prompts.size(); ++i) {
    ComparePrompt(model.prompts[i], rows[i], tolerance, comparison);
  }
  return comparison.deviation;
}

Deviation CompareExpected(const std::string& name, const std::vector<std::vector<double>>& rows) {
  Comparison comparison;
  for (const Expected& expected : SyntheticExpected()) {
    if (expected.name != name) continue;
    for (const ExpectedPosition& position : expected.positions) {
      for (const auto& [token, logprob] : position.top) {
        comparison.Add(rows.at(static_cast<size_t>(position.pos)).at(static_cast<size_t>(token)),
                       logprob, name, position.pos, token);
      }
    }
  }
  if (comparison.deviation.compared == 0) ADD_FAILURE() << "no expected values for " << name;
  return comparison.deviation;
}

engine::EngineOptions Options(const Model& model) {
  engine::EngineOptions options;
  options.model_path = model.path;
  options.device = "cpu";
  options.n_threads = 1;
  options.n_ctx = 128;
  options.max_sequences = static_cast<int32_t>(model.prompts.size());
  options.max_batch_tokens = 128;
  options.kv_type = DType::kF32;
  return options;
}

}  // namespace rocforge::golden
