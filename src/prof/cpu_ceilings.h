// Measures the ceilings of the CPU (prof/ceilings.h).
#pragma once

#include <functional>
#include <string_view>

#include "base/thread_pool.h"
#include "prof/ceilings.h"
#include "rocforge/status.h"

namespace rocforge::prof {

// Called before each figure is measured: its name and which of how many it is, from 0.
using MeasureProgress = std::function<void(std::string_view what, int done, int total)>;

// Memory with buffers well beyond the caches; arithmetic with independent multiply-adds in
// registers, by the widest instructions that this machine has (AVX-512, AVX2 with FMA, else what
// the compiler makes of plain loops); 8-bit products by VNNI or pmaddubsw. Takes about two seconds.
// kResourceExhausted as MeasureMemoryBandwidth.
Result<Ceilings> MeasureCpuCeilings(ThreadPool& pool, const MeasureProgress& progress = {});

}  // namespace rocforge::prof
