// The commands of `rocforge bench`, one file each.
#pragma once

#include <functional>

#include "apps/command.h"

namespace rocforge::apps {

void RegisterBenchMatMul(Command bench, std::function<Status()>* run);
void RegisterBenchDequant(Command bench, std::function<Status()>* run);
void RegisterBenchAttention(Command bench, std::function<Status()>* run);
void RegisterBenchInference(Command bench, std::function<Status()>* run);
void RegisterBenchMemory(Command bench, std::function<Status()>* run);
void RegisterBenchTokenizer(Command bench, std::function<Status()>* run);

}  // namespace rocforge::apps
