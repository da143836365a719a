// Detection of instruction sets. Bits are those of Intel's SDM vol. 2A (CPUID), AMD's APM vol. 3
// appendix E, and Linux' asm/hwcap.h for arm64.
#include <cstddef>

#include "base/cpu_info.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace rocforge {
namespace {

#if defined(__x86_64__)

struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers Cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r;
  if (__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx) == 0) return {};
  return r;
}

bool Bit(uint32_t word, int bit) { return ((word >> bit) & 1u) != 0; }

// XCR0: which register sets the operating system saves at a context switch.
uint64_t ReadXcr0() {
  uint32_t low = 0;
  uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

CpuFeatures Detect() {
  CpuFeatures f;
  const Registers leaf1 = Cpuid(1, 0);
  f.sse42 = Bit(leaf1.ecx, 20);
  const bool os_saves_extended = Bit(leaf1.ecx, 27);  // OSXSAVE: xgetbv may be executed
  const uint64_t xcr0 = os_saves_extended ? ReadXcr0() : 0;
  const bool os_ymm = (xcr0 & 0x6) == 0x6;           // XMM, YMM
  const bool os_zmm = (xcr0 & 0xE6) == 0xE6;         // + opmask, ZMM0-15 high, ZMM16-31
  const bool os_tile = (xcr0 & 0x60000) == 0x60000;  // TILECFG, TILEDATA

  const Registers leaf7 = Cpuid(7, 0);
  const Registers leaf7_1 = leaf7.eax >= 1 ? Cpuid(7, 1) : Registers{};
  f.bmi2 = Bit(leaf7.ebx, 8);
  f.avx = os_ymm && Bit(leaf1.ecx, 28);
  if (f.avx) {
    f.fma = Bit(leaf1.ecx, 12);
    f.f16c = Bit(leaf1.ecx, 29);
    f.avx2 = Bit(leaf7.ebx, 5);
    f.avx_vnni = Bit(leaf7_1.eax, 4);
    f.avx_vnni_int8 = Bit(leaf7_1.edx, 4);
  }
  f.avx512f = f.avx && os_zmm && Bit(leaf7.ebx, 16);
  if (f.avx512f) {
    f.avx512dq = Bit(leaf7.ebx, 17);
    f.avx512bw = Bit(leaf7.ebx, 30);
    f.avx512vl = Bit(leaf7.ebx, 31);
    f.avx512_vbmi = Bit(leaf7.ecx, 1);
    f.avx512_vnni = Bit(leaf7.ecx, 11);
    f.avx512_fp16 = Bit(leaf7.edx, 23);
    f.avx512_bf16 = Bit(leaf7_1.eax, 5);
  }
  f.amx_tile = os_tile && Bit(leaf7.edx, 24);
  f.amx_int8 = f.amx_tile && Bit(leaf7.edx, 25);
  f.amx_bf16 = f.amx_tile && Bit(leaf7.edx, 22);
  return f;
}

#elif defined(__aarch64__) && defined(__linux__)

CpuFeatures Detect() {
  CpuFeatures f;
  const unsigned long caps = getauxval(AT_HWCAP);
  const unsigned long caps2 = getauxval(AT_HWCAP2);
  f.neon = (caps >> 1) & 1;      // HWCAP_ASIMD
  f.fp16 = (caps >> 10) & 1;     // HWCAP_ASIMDHP
  f.dotprod = (caps >> 20) & 1;  // HWCAP_ASIMDDP
  f.sve = (caps >> 22) & 1;      // HWCAP_SVE
  f.sve2 = (caps2 >> 1) & 1;     // HWCAP2_SVE2
  f.i8mm = (caps2 >> 13) & 1;    // HWCAP2_I8MM
  f.bf16 = (caps2 >> 14) & 1;    // HWCAP2_BF16
  return f;
}

#else

CpuFeatures Detect() { return {}; }

#endif

struct NamedFlag {
  const char* name;
  bool CpuFeatures::* flag;
};

constexpr NamedFlag kFlags[] = {
    {"sse42", &CpuFeatures::sse42},
    {"avx", &CpuFeatures::avx},
    {"avx2", &CpuFeatures::avx2},
    {"fma", &CpuFeatures::fma},
    {"f16c", &CpuFeatures::f16c},
    {"bmi2", &CpuFeatures::bmi2},
    {"avx_vnni", &CpuFeatures::avx_vnni},
    {"avx_vnni_int8", &CpuFeatures::avx_vnni_int8},
    {"avx512f", &CpuFeatures::avx512f},
    {"avx512bw", &CpuFeatures::avx512bw},
    {"avx512dq", &CpuFeatures::avx512dq},
    {"avx512vl", &CpuFeatures::avx512vl},
    {"avx512_vnni", &CpuFeatures::avx512_vnni},
    {"avx512_vbmi", &CpuFeatures::avx512_vbmi},
    {"avx512_bf16", &CpuFeatures::avx512_bf16},
    {"avx512_fp16", &CpuFeatures::avx512_fp16},
    {"amx_tile", &CpuFeatures::amx_tile},
    {"amx_int8", &CpuFeatures::amx_int8},
    {"amx_bf16", &CpuFeatures::amx_bf16},
    {"neon", &CpuFeatures::neon},
    {"fp16", &CpuFeatures::fp16},
    {"dotprod", &CpuFeatures::dotprod},
    {"i8mm", &CpuFeatures::i8mm},
    {"bf16", &CpuFeatures::bf16},
    {"sve", &CpuFeatures::sve},
    {"sve2", &CpuFeatures::sve2},
};

}  // namespace

const CpuFeatures& DetectCpu() {
  static const CpuFeatures features = Detect();
  return features;
}

std::vector<std::string> CpuFeatureNames(const CpuFeatures& features) {
  std::vector<std::string> names;
  for (const NamedFlag& entry : kFlags) {
    if (features.*entry.flag) names.emplace_back(entry.name);
  }
  return names;
}

}  // namespace rocforge
