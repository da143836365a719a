// Parameters of RoPE tables from a model's scaling metadata.
#pragma once

#include <string>

#include "kernels/op/op.h"
#include "model/hparams.h"

namespace rocforge::model {

// Table of the global layers, or of the local ones. has_factors is left false.
op::RopeTable RopeTableFor(const HParams& hp, const LocalRopeSpec& local_spec, bool local);

bool SameTable(const op::RopeTable& a, const op::RopeTable& b);

}  // namespace rocforge::model
