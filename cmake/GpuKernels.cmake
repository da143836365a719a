# Device code: every *.gpu.cc is compiled by stock clang for every target, without a vendor SDK, compressed, and
# embedded in the binary.

set(ROCFORGE_GPU "AUTO" CACHE STRING "GPU kernels: AUTO (where clang 19 or newer is found), ON (fail without it), OFF")
set(ROCFORGE_GPU_TARGETS
  "gfx1030;gfx1100;gfx1201;gfx942;gfx10-3-generic;gfx11-generic;gfx12-generic;sm_80;sm_90a"
  CACHE STRING "AMD processors (gfx...) and NVIDIA architectures (sm_...) to compile for")

set(ROCFORGE_GPU_ENABLED OFF)
if(NOT ROCFORGE_GPU STREQUAL "OFF")
  find_program(ROCFORGE_GPU_CLANG NAMES clang++-19 clang++-20 clang++-21)
  find_program(ROCFORGE_GPU_LLD NAMES ld.lld-19 ld.lld-20 ld.lld-21)
  find_program(ROCFORGE_PTXAS ptxas HINTS /usr/local/cuda/bin)
  if(ROCFORGE_GPU_CLANG AND ROCFORGE_GPU_LLD)
    set(ROCFORGE_GPU_ENABLED ON)
  elseif(ROCFORGE_GPU STREQUAL "ON")
    message(FATAL_ERROR "ROCFORGE_GPU=ON needs clang++-19 and ld.lld-19 (Debian: clang-19 lld-19)")
  else()
    message(STATUS "GPU kernels: not built, clang++-19 or ld.lld-19 is missing (Debian: clang-19 lld-19); the CPU engine is complete")
  endif()
endif()

set(ROCFORGE_GPU_FLAGS -O3 -std=c++20 -ffreestanding -ffp-contract=off -Wall -Wextra -Werror
  -Wno-unknown-cuda-version -Wno-pass-failed -Wno-unused-command-line-argument)

# Adds the commands that make one code object; `out` is set to the path of its compressed form, `machine_code` to that of
# the cubin which ptxas makes of PTX (a driver needs seconds for that), or to nothing.
function(rocforge_gpu_object out machine_code source target)
  get_filename_component(name ${source} NAME)
  string(REPLACE ".gpu.cc" "" name ${name})
  set(dir ${PROJECT_BINARY_DIR}/gpu/${target})
  set(common ${ROCFORGE_GPU_FLAGS} -I${PROJECT_SOURCE_DIR}/src -MD)
  if(target MATCHES "^gfx")
    set(object ${dir}/${name}.co)
    set(flags -x hip --offload-arch=${target} --offload-device-only --no-gpu-bundle-output -nogpuinc -nogpulib)
    if(target MATCHES "generic")
      list(APPEND flags -mcode-object-version=6 -Wno-everything)  # clang 19 calls version 6 experimental
    endif()
  else()
    set(object ${dir}/${name}.ptx)
    set(flags -x cuda --cuda-gpu-arch=${target} --cuda-device-only -nocudainc -nocudalib -S)
  endif()
  add_custom_command(OUTPUT ${object}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${dir}
    COMMAND ${ROCFORGE_GPU_CLANG} ${flags} ${common} -MF ${object}.d -MT ${object} ${source} -o ${object}
    DEPENDS ${source} DEPFILE ${object}.d
    COMMENT "GPU ${target} ${name}" VERBATIM)
  add_custom_command(OUTPUT ${object}.gz COMMAND sh -c "gzip -9 -n -c '${object}' >'${object}.gz'"
    DEPENDS ${object} COMMENT "" VERBATIM)
  set(${out} ${object}.gz PARENT_SCOPE)
  set(${machine_code} "" PARENT_SCOPE)
  if(ROCFORGE_PTXAS AND target MATCHES "^sm_")
    set(cubin ${dir}/${name}.cubin)
    add_custom_command(OUTPUT ${cubin}.gz
      # What it says of registers and spills stays beside the cubin, for tools/kernel_report.
      COMMAND sh -c "'${ROCFORGE_PTXAS}' -v -arch=${target} -O3 '${object}' -o '${cubin}' >'${cubin}.txt' 2>&1 || { cat '${cubin}.txt'; exit 1; }"
      COMMAND sh -c "gzip -9 -n -c '${cubin}' >'${cubin}.gz'"
      DEPENDS ${object} COMMENT "ptxas ${target} ${name}" VERBATIM)
    set(${machine_code} ${cubin}.gz PARENT_SCOPE)
  endif()
endfunction()

# rocforge_gpu_embed(LIBRARY SOURCES ...): compiles the sources for all targets and adds to LIBRARY the table that
# kernels/gpu/launch/code.h declares. With no compiler the table is empty.
function(rocforge_gpu_embed library)
  set(assembly ".section .rodata\n")
  set(declarations "")
  set(rows "")
  set(objects "")
  set(index 0)
  if(ROCFORGE_GPU_ENABLED)
    foreach(source IN LISTS ARGN)
      get_filename_component(name ${source} NAME)
      string(REPLACE ".gpu.cc" "" name ${name})
      foreach(target IN LISTS ROCFORGE_GPU_TARGETS)
        rocforge_gpu_object(object machine_code ${source} ${target})
        foreach(file IN ITEMS ${machine_code} ${object})
          list(APPEND objects ${file})
          set(is_ptx false)
          if(file MATCHES "\\.ptx\\.gz$")
            set(is_ptx true)
          endif()
          string(APPEND assembly ".balign 16\n.global rocforge_code_${index}\nrocforge_code_${index}:\n.incbin \"${file}\"\n"
            ".global rocforge_code_${index}_end\nrocforge_code_${index}_end:\n")
          string(APPEND declarations "extern \"C\" const std::byte rocforge_code_${index}[];\nextern \"C\" const std::byte rocforge_code_${index}_end[];\n")
          string(APPEND rows "    {\"${name}\", \"${target}\", ${is_ptx}, rocforge_code_${index}, rocforge_code_${index}_end},\n")
          math(EXPR index "${index} + 1")
        endforeach()
      endforeach()
    endforeach()
  endif()
  string(APPEND assembly ".section .note.GNU-stack,\"\",%progbits\n")
  set(dir ${PROJECT_BINARY_DIR}/gpu)
  file(CONFIGURE OUTPUT ${dir}/embedded_code.S CONTENT "${assembly}" @ONLY)
  set(ROCFORGE_GPU_DECLARATIONS "${declarations}")
  set(ROCFORGE_GPU_ROWS "${rows}")
  configure_file(${PROJECT_SOURCE_DIR}/cmake/embedded_code.cc.in ${dir}/embedded_code.cc @ONLY)
  set_source_files_properties(${dir}/embedded_code.S PROPERTIES OBJECT_DEPENDS "${objects}")
  set_source_files_properties(${dir}/embedded_code.cc PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  target_sources(${library} PRIVATE ${dir}/embedded_code.S ${dir}/embedded_code.cc)
endfunction()
