# Compiler flags, dependencies and the three functions by which every folder declares its targets.

find_program(ROCFORGE_CCACHE ccache)
if(ROCFORGE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ROCFORGE_CCACHE})
endif()

find_package(Threads REQUIRED)
# fmt and spdlog are used as headers, so that the binary needs no library of theirs. Only base/format.cc and
# base/log.cc pay for their implementation; everyone else includes base/format.h and base/log.h.
find_path(FMT_INCLUDE_DIR fmt/core.h REQUIRED)
find_path(SPDLOG_INCLUDE_DIR spdlog/spdlog.h REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)

# PCRE2 ships no CMake package in Debian 12. The static library keeps the release relocatable.
find_path(PCRE2_INCLUDE_DIR pcre2.h REQUIRED)
find_library(PCRE2_LIBRARY NAMES libpcre2-8.a pcre2-8 REQUIRED)
add_library(rocforge_pcre2 INTERFACE)
target_include_directories(rocforge_pcre2 SYSTEM INTERFACE ${PCRE2_INCLUDE_DIR})
target_compile_definitions(rocforge_pcre2 INTERFACE PCRE2_CODE_UNIT_WIDTH=8 PCRE2_STATIC)
target_link_libraries(rocforge_pcre2 INTERFACE ${PCRE2_LIBRARY})

# The device code in the binary is compressed.
find_path(ZLIB_INCLUDE_DIR zlib.h REQUIRED)
find_library(ZLIB_LIBRARY NAMES libz.a z REQUIRED)

add_library(rocforge_flags INTERFACE)
target_compile_options(rocforge_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wno-float-conversion
  -Wno-missing-field-initializers  # designated initialisers name what differs from the defaults
    -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Werror
  # Results must not depend on which translation unit fused a multiply-add: kernels ask for FMA by intrinsic.
  -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these inside the standard library when it inlines (PR 105651, PR 105329).
  target_compile_options(rocforge_flags INTERFACE -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds)
else()
  target_compile_options(rocforge_flags INTERFACE -Wno-deprecated-declarations)  # in std::stable_sort of GCC 12's library
endif()
if(ROCFORGE_SANITIZE)
  add_compile_options(-fsanitize=${ROCFORGE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  if(ROCFORGE_SANITIZE MATCHES "undefined")
    # Half of UBSan's checks and compile time; the address sanitizer sees null pointers too.
    add_compile_options(-fno-sanitize=null,vptr)
  endif()
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND ROCFORGE_SANITIZE MATCHES "address")
    # Clang's stacks for it are mapped anew for every fiber of the simulated GPUs: a test of 5 s took 119 s.
    add_compile_options(-fsanitize-address-use-after-return=never)
  endif()
  add_link_options(-fsanitize=${ROCFORGE_SANITIZE})
else()
  # The user's machine needs glibc and nothing else of ours.
  add_link_options(-static-libstdc++ -static-libgcc)
endif()
# The fuzzers are libFuzzer's, which is clang's, and live in its build with the address sanitizer.
set(ROCFORGE_FUZZERS OFF)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND ROCFORGE_SANITIZE MATCHES "address")
  set(ROCFORGE_FUZZERS ON)
endif()

# rocforge_light_build(TARGET): for code whose compile time matters more than its speed.
# No precompiled headers: GCC emits their inline functions and vtables anew into every object, which costs more than the
# parsing (a file of 80 lines: 6.9 s instead of 0.6 s under the sanitizers).
function(rocforge_light_build target)
  target_compile_options(${target} PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O1>)
endfunction()

# rocforge_unity(TARGET): six files compile as one, since headers are half of the time. The names in their anonymous
# namespaces must differ.
option(ROCFORGE_UNITY "Compile the files of some folders six at a time" ON)
function(rocforge_unity target)
  if(ROCFORGE_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # A class of a header may hold what only its own file names, although that file is not the main one here.
      target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
    endif()
  endif()
endfunction()

# rocforge_library(NAME DEPS ...): the static library of src/<folder>, from every .cc file directly in it.
# SUBDIRS adds the sources of the named folders below it; PRIVATE_DEPS are not seen by those who link it.
# UNITY: see rocforge_unity. FUZZED: fuzzers see which of its branches an input takes.
function(rocforge_library name)
  cmake_parse_arguments(ARG "UNITY;FUZZED" "" "DEPS;PRIVATE_DEPS;SUBDIRS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  foreach(dir IN LISTS ARG_SUBDIRS)
    file(GLOB more CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/*.cc)
    list(APPEND sources ${more})
  endforeach()
  if(NOT sources)
    add_library(rocforge_${name} INTERFACE)
    target_link_libraries(rocforge_${name} INTERFACE ${ARG_DEPS})
    target_include_directories(rocforge_${name} INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
    return()
  endif()
  add_library(rocforge_${name} STATIC ${sources})
  target_include_directories(rocforge_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(rocforge_${name} PUBLIC ${ARG_DEPS} PRIVATE rocforge_flags ${ARG_PRIVATE_DEPS})
  if(ARG_UNITY)
    rocforge_unity(rocforge_${name})
  endif()
  if(ARG_FUZZED AND ROCFORGE_FUZZERS)
    target_compile_options(rocforge_${name} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# rocforge_test(FOLDER DEPS ...): one GoogleTest binary test_<folder> from tests/<folder>/*_test.cc.
# TIMEOUT is per test, in seconds. UNITY: see rocforge_unity.
function(rocforge_test folder)
  cmake_parse_arguments(ARG "UNITY" "TIMEOUT" "DEPS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  string(REPLACE "/" "_" name ${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(test_${name} ${sources})
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(test_${name} PRIVATE ${ARG_DEPS} rocforge_testing rocforge_flags)
  rocforge_light_build(test_${name})
  if(ARG_UNITY)
    rocforge_unity(test_${name})
  endif()
  if(ROCFORGE_SANITIZE)
    # Tests are not what is under test: without optimisation and with ASan alone they compile in half the time.
    target_compile_options(test_${name} PRIVATE -O0 -fno-sanitize=undefined)
  endif()
  gtest_discover_tests(test_${name} TEST_PREFIX "${folder}/" DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${ARG_TIMEOUT})
endfunction()
