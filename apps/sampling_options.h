// The samplers' parameters by name: as flags of the command line, and as /set in chat.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/command.h"
#include "rocforge/status.h"
#include "sample/sampler.h"

namespace rocforge::apps {

struct SamplingFlags {
  sample::SamplerParams params;
  std::string seed = "-1";                // a number; -1: random
  std::vector<std::string> logit_bias;    // "ID=+1.5"
  std::vector<std::string> dry_breakers;  // replace the defaults if there are any
  std::string order;
  bool order_given = false;
};

void AddSamplingFlags(Command command, SamplingFlags* flags);

// The parameters, checked as far as that is possible without a vocabulary; without a seed of the
// user's, a random one. kInvalidArgument says what is wrong.
Result<sample::SamplerParams> ToSamplerParams(const SamplingFlags& flags);

// Sets the parameter that the flag --NAME sets ("temperature", "top-k", "seed", ...; '_' is read as
// '-'). kInvalidArgument names the unknown parameter, or the value that is none.
Status SetSamplingParam(std::string_view name, const std::string& value,
                        sample::SamplerParams* params);

// "temperature 0.8" and so on, all parameters that SetSamplingParam knows, with their values.
std::vector<std::pair<std::string, std::string>> ListSamplingParams(
    const sample::SamplerParams& params);

}  // namespace rocforge::apps
