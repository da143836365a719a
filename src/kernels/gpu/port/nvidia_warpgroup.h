// Warpgroup products by wgmma, bulk copies by cp.async.bulk, phases by mbarrier (PTX ISA 8.0,
// sm_90a). See warpgroup.h.
#pragma once

namespace rocforge::port {

namespace {
struct SharedPhase {
  uint64_t state;
};
}  // namespace

template <uint32_t kRegisters>
RF_DEVICE void GiveRegisters() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <uint32_t kRegisters>
RF_DEVICE void TakeRegisters() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

RF_DEVICE void PhaseInit(SharedPhase& phase, uint32_t arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(SharedAddress(&phase)), "r"(arrivals)
               : "memory");
}
RF_DEVICE void PhasesReady() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
RF_DEVICE void PhaseArrive(SharedPhase& phase) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(SharedAddress(&phase)) : "memory");
}
RF_DEVICE void PhaseArriveExpect(SharedPhase& phase, uint32_t bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(SharedAddress(&phase)),
      "r"(bytes)
      : "memory");
}
RF_DEVICE void PhaseWait(SharedPhase& phase, uint32_t parity) {
  const uint32_t address = SharedAddress(&phase);
  uint32_t done = 0;
  while (done == 0) {
    asm volatile(
        "{\n"
        "  .reg .pred p;\n"
        "  mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "  selp.u32 %0, 1, 0, p;\n"
        "}"
        : "=r"(done)
        : "r"(address), "r"(parity)
        : "memory");
  }
}
RF_DEVICE void BulkCopy(void* to, const void* from, uint32_t bytes, SharedPhase& phase) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(SharedAddress(to)),
      "l"((__attribute__((address_space(1))) const void*)from), "r"(bytes),
      "r"(SharedAddress(&phase))
      : "memory");
}

// The matrix descriptor of PTX ISA "Matrix Descriptor Format": rows of 128 bytes, eight rows in
// 1024 bytes, 128-byte swizzle. Adding 2 moves on by 32 bytes, 16 columns.
constexpr uint32_t kDescriptorHigh = 1024 >> 4 | 1u << 30;  // from group to group; the swizzle
RF_DEVICE uint64_t MatrixDescriptor(const U32x4* rows) {
  return (SharedAddress(rows) >> 4 & 0x3FFFu) | 1u << 16 | uint64_t{kDescriptorHigh} << 32;
}

// clang-format off: operand lists
#define RF_WGMMA_16 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define RF_WGMMA_32 \
  RF_WGMMA_16 ", " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define RF_WGMMA_64 \
  RF_WGMMA_32 ", " \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define RF_WGMMA_128 \
  RF_WGMMA_64 ", " \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, " \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, " \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define RF_SUMS_16(i) \
  "+f"(d[i + 0]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7]), \
  "+f"(d[i + 8]), "+f"(d[i + 9]), "+f"(d[i + 10]), "+f"(d[i + 11]), "+f"(d[i + 12]), "+f"(d[i + 13]), "+f"(d[i + 14]), "+f"(d[i + 15])
#define RF_SUMS_64(i) RF_SUMS_16(i), RF_SUMS_16(i + 16), RF_SUMS_16(i + 32), RF_SUMS_16(i + 48)
// clang-format on

// Four steps of 16 columns. The sums start at zero, so the unit always accumulates (predicate p).
#define RF_WGMMA(instruction, sums, a, b)                                \
  "{\n.reg .b64 da, db;\n.reg .pred p;\nsetp.eq.u32 p, 0, 0;\n"          \
  "wgmma.fence.sync.aligned;\n" instruction " {" sums "}, " a ", " b     \
  ", p, 1, 1, 0, 0;\n"                                                   \
  "add.s64 da, " a ", 2;\nadd.s64 db, " b ", 2;\n" instruction " {" sums \
  "}, da, db, p, 1, 1, 0, 0;\n"                                          \
  "add.s64 da, " a ", 4;\nadd.s64 db, " b ", 4;\n" instruction " {" sums \
  "}, da, db, p, 1, 1, 0, 0;\n"                                          \
  "add.s64 da, " a ", 6;\nadd.s64 db, " b ", 6;\n" instruction " {" sums \
  "}, da, db, p, 1, 1, 0, 0;\n"                                          \
  "wgmma.commit_group.sync.aligned;\n}"

RF_DEVICE void WarpgroupMultiply(WarpgroupSum<128>& sum, const U32x4* a, const U32x4* b) {
  float* d = sum.v;
  asm volatile(
      RF_WGMMA("wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16", RF_WGMMA_64, "%64", "%65")
      : RF_SUMS_64(0)
      : "l"(MatrixDescriptor(a)), "l"(MatrixDescriptor(b))
      : "memory");
}
RF_DEVICE void WarpgroupMultiply(WarpgroupSum<256>& sum, const U32x4* a, const U32x4* b) {
  float* d = sum.v;
  asm volatile(
      RF_WGMMA("wgmma.mma_async.sync.aligned.m64n256k16.f32.f16.f16", RF_WGMMA_128, "%128", "%129")
      : RF_SUMS_64(0), RF_SUMS_64(64)
      : "l"(MatrixDescriptor(a)), "l"(MatrixDescriptor(b))
      : "memory");
}

// The same with A in registers, %a to %a + 15: four of them a step.
// clang-format off: operand lists
#define RF_OPERAND_4(i) "r"(a.v[i][0]), "r"(a.v[i][1]), "r"(a.v[i][2]), "r"(a.v[i][3])
#define RF_OPERAND_A RF_OPERAND_4(0), RF_OPERAND_4(1), RF_OPERAND_4(2), RF_OPERAND_4(3)
// clang-format on
// The descriptor's halves apart: the upper one is a constant, and one addition moves on.
#define RF_WGMMA_A(instruction, sums, a0, a1, a2, a3, low, high)                                  \
  "{\n.reg .b64 db;\n.reg .b32 l;\n.reg .pred p;\nsetp.eq.u32 p, 0, 0;\n"                         \
  "mov.b64 db, {" low ", " high "};\nwgmma.fence.sync.aligned;\n" instruction " {" sums "}, {" a0 \
  "}, db, p, 1, 1, 0;\n"                                                                          \
  "add.u32 l, " low ", 2;\nmov.b64 db, {l, " high "};\n" instruction " {" sums "}, {" a1          \
  "}, db, p, 1, 1, 0;\n"                                                                          \
  "add.u32 l, " low ", 4;\nmov.b64 db, {l, " high "};\n" instruction " {" sums "}, {" a2          \
  "}, db, p, 1, 1, 0;\n"                                                                          \
  "add.u32 l, " low ", 6;\nmov.b64 db, {l, " high "};\n" instruction " {" sums "}, {" a3          \
  "}, db, p, 1, 1, 0;\n"                                                                          \
  "wgmma.commit_group.sync.aligned;\n}"

RF_DEVICE void WarpgroupMultiply(WarpgroupSum<32>& sum, const WarpgroupA& a, const U32x4* b) {
  float* d = sum.v;
  asm volatile(RF_WGMMA_A("wgmma.mma_async.sync.aligned.m64n32k16.f32.f16.f16", RF_WGMMA_16,
                          "%16, %17, %18, %19", "%20, %21, %22, %23", "%24, %25, %26, %27",
                          "%28, %29, %30, %31", "%32", "%33")
               : RF_SUMS_16(0)
               : RF_OPERAND_A, "r"(static_cast<uint32_t>(MatrixDescriptor(b))), "n"(kDescriptorHigh)
               : "memory");
}
RF_DEVICE void WarpgroupMultiply(WarpgroupSum<64>& sum, const WarpgroupA& a, const U32x4* b) {
  float* d = sum.v;
  asm volatile(RF_WGMMA_A("wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16", RF_WGMMA_32,
                          "%32, %33, %34, %35", "%36, %37, %38, %39", "%40, %41, %42, %43",
                          "%44, %45, %46, %47", "%48", "%49")
               : RF_SUMS_16(0), RF_SUMS_16(16)
               : RF_OPERAND_A, "r"(static_cast<uint32_t>(MatrixDescriptor(b))), "n"(kDescriptorHigh)
               : "memory");
}
#undef RF_WGMMA_A
#undef RF_OPERAND_A
#undef RF_OPERAND_4
#undef RF_WGMMA_32
#undef RF_WGMMA_16
#undef RF_WGMMA
#undef RF_SUMS_64
#undef RF_SUMS_16
#undef RF_WGMMA_128
#undef RF_WGMMA_64

template <uint32_t kPending, uint32_t kColumns>
RF_DEVICE void WarpgroupWait(WarpgroupSum<kColumns>& sum) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
  if constexpr (kPending == 0) {
    RF_UNROLL
    for (uint32_t i = 0; i < kColumns / 2; ++i)
      asm volatile("" : "+f"(sum.v[i])::"memory");  // not read before this point
  }
}

}  // namespace rocforge::port
