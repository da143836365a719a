#include "tests/kernels/gpu/reference_run.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/cpu/kernels.h"
#include "kernels/op/check.h"
#include "tests/testing.h"

namespace rocforge::testing {

void RunReference(const op::Call& call) {
  ASSERT_OK(op::CheckCall(call));
  const auto kernel = cpu::FindKernel(call, cpu::Isa::kReference);
  ASSERT_OK(kernel);
  ThreadPool pool(1);
  std::vector<std::byte> scratch(
      static_cast<size_t>(cpu::ScratchBytes(call, cpu::Isa::kReference, 1)) + 64);
  (*kernel)(call, {&pool, scratch.data()});
}

}  // namespace rocforge::testing
