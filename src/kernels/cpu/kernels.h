// CPU kernels: one function per op, chosen once for the best instruction set of this machine.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/thread_pool.h"
#include "kernels/op/call.h"
#include "rocforge/status.h"

namespace rocforge::cpu {

// kReference is the oracle: scalar, double accumulation, written to be read. kGeneric is portable
// C++ that compilers vectorise; the others use intrinsics.
enum class Isa : uint8_t { kReference, kGeneric, kAvx2, kAvx512, kNeon };

const char* IsaName(Isa isa);
Result<Isa> ParseIsa(std::string_view name);

// Fastest that this machine can run and this build contains.
Isa BestIsa();
// Those that this machine can run and this build contains, slowest first: what tests iterate over.
std::span<const Isa> AvailableIsas();

// What a kernel may use while it runs. One context serves one executor; calls do not overlap.
struct Context {
  ThreadPool* pool = nullptr;
  std::byte* scratch = nullptr;  // at least ScratchBytes of every op run with it, 64-byte aligned
};

// Runs one op to completion on the pool. Reads and writes only the operands, the KV pages and the
// scratch. Does not allocate, fail or block otherwise.
using Kernel = void (*)(const op::Call& call, const Context& context);

// The kernel for this call's op and operand types. kUnsupported names what is missing. Types and
// shapes are taken from call; pointers, step and kv are not read.
Result<Kernel> FindKernel(const op::Call& call, Isa isa);

// Upper bound of the scratch that the kernel needs for this call at its shapes (rows at their
// maximum) and a team of n_threads.
int64_t ScratchBytes(const op::Call& call, Isa isa, int n_threads);

}  // namespace rocforge::cpu
