// Rules for everything under simd/, generic/, avx2/ and avx512/.
//
// These sources are compiled once per instruction set, with that set's compiler flags. Nothing that
// they define may be shared with code compiled for another machine, or the linker could pick an
// AVX-512 copy of a function for a CPU without it. Hence
//   * everything in these headers lies in an unnamed namespace, on purpose;
//   * they include <cstdint>, <cstddef>, <cstring>, intrinsics and plain structs, and call no
//   inline
//     function or template of the standard library or of other folders;
//   * they export one constant table of function pointers each (primitives.h); threads, operands
//     and everything else is in common/, compiled for the baseline machine.
// tests/kernels/cpu/symbols_test.cc checks the object files.
#pragma once

#define ROCFORGE_INLINE inline __attribute__((always_inline))
// For the long, rare part of a decoder: one copy of it keeps the code small and quick to compile.
#define ROCFORGE_NOINLINE __attribute__((noinline))
