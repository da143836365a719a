// Code compiled for AVX2 or AVX-512 must export tables only. A weak symbol (an inline function or a
// template of another folder or the standard library) could be chosen by the linker for everyone
// and end in an illegal instruction on an older CPU.
#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <sstream>
#include <string>

namespace rocforge::cpu {
namespace {

// Output of `nm` on the library, or "" if there is no nm.
std::string SymbolsOfLibrary() {
  const std::string command = std::string("nm -C ") + ROCFORGE_KERNELS_CPU_LIBRARY + " 2>/dev/null";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  std::string text;
  char buffer[4096];
  for (size_t n = 0; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) text.append(buffer, n);
  pclose(pipe);
  return text;
}

TEST(Symbols, CodeOfAnInstructionSetStaysInItsObjects) {
  const std::string text = SymbolsOfLibrary();
  if (text.empty()) GTEST_SKIP() << "nm cannot read " << ROCFORGE_KERNELS_CPU_LIBRARY;
  std::istringstream lines(text);
  std::string object;
  std::set<std::string> tables;
  int objects = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with(".o:")) {
      object = line;
      objects += object.find("_avx") != std::string::npos ? 1 : 0;
      continue;
    }
    if (object.find("_avx") == std::string::npos || line.size() < 20) continue;
    const char kind = line[17];
    const std::string name = line.substr(19);
    // Weak functions; 'V' and 'u' are data that every instruction set shares alike.
    EXPECT_NE(kind, 'W') << object << " " << name;
    EXPECT_NE(kind, 'T') << object << " " << name;
    if (kind == 'D' || kind == 'R') tables.insert(name);
  }
#if defined(__x86_64__)
  EXPECT_EQ(objects, 6);
  EXPECT_EQ(tables.count("rocforge::cpu::kAvx512MatMul"), 1u);
#endif
}

}  // namespace
}  // namespace rocforge::cpu
