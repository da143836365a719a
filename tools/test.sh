#!/usr/bin/env bash
# Everything that must hold before a change goes in.
#   tools/test.sh [STAGE...]     (all stages: rules format release kernels asan tsan fuzz tidy)
# The last line is "N passed, N failed, N skipped"; exit 1 if anything failed. A failing stage does not stop the
# others. Time limits of the open-ended stages: ROCFORGE_FUZZ_SECONDS (per target, 10), ROCFORGE_TIDY_SECONDS (30).
set -uo pipefail
cd "$(dirname "$0")/.." || exit

all_stages=(rules format release kernels asan tsan fuzz tidy)
# Which suites (folders of tests/) run how. Compiling is most of the time, so a suite runs where it shows most: logic
# and parsers under the address and undefined-behaviour sanitizers, arithmetic and the whole program at full
# optimisation, kernels both ways, and what shares data between threads under the thread sanitizer.
# `ctest` in a build folder runs everything that is built there.
release_suites=(kernels/op kernels/cpu kernels/gpu quant graph exec model engine apps golden e2e)
asan_suites=(base prof tensor gguf quant device kernels/op kernels/cpu kernels/gpu graph exec kv engine sample text session
  apps/terminal apps/pull)
tsan_suites=(base exec)
jobs=$(nproc)
passed=0 failed=0 skipped=0
summary=()

case ${1:-} in
  -h | --help)
    sed -n '2,5s/^# //p' "$0"
    exit 0
    ;;
esac

count() {
  passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# check NAME COMMAND...: one check; exit status 77 means that it could not be made here.
check() {
  local name=$1 status=0
  shift
  "$@" || status=$?
  case $status in
    0) count 1 0 0 ;;
    77)
      echo "SKIPPED: $name" >&2
      count 0 0 1
      ;;
    *)
      echo "FAILED: $name" >&2
      count 0 1 0
      ;;
  esac
}

# build PRESET [TARGET...]
build() {
  local preset=$1
  shift
  local targets=() compiler=() cxx
  for target in "$@"; do targets+=(--target "$target"); done
  # What the sanitizers check, clang compiles in three quarters of GCC's time, and the fuzzers share its objects.
  if [[ $preset != release ]] && cxx=$(tools/sanitizer_clang); then
    compiler=(-DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_C_COMPILER="${cxx/clang++/clang}")
  fi
  # The log of a build that works is of no interest.
  local log=build/$preset.log
  mkdir -p build
  if ! { cmake --preset "$preset" -DROCFORGE_TESTS=ON "${compiler[@]}" && cmake --build "build/$preset" "${targets[@]}"; } >"$log" 2>&1; then
    grep -E -A20 'FAILED|error|Error' "$log" | head -n 60 >&2
    echo "FAILED: build of $preset (log: $log)" >&2
    return 1
  fi
}

# run_tests PRESET [CTEST ARGUMENTS...]
run_tests() {
  local preset=$1
  shift
  local results=build/$preset/ctest.xml
  rm -f "$results"
  ctest --test-dir "build/$preset" -j "$jobs" --output-on-failure --output-junit "$PWD/$results" "$@" >"build/$preset/ctest.log" 2>&1
  local numbers
  # On stdout the three numbers; on stderr what failed and what was skipped, and why.
  if numbers=$(python3 tools/ctest_summary.py "$results"); then
    # shellcheck disable=SC2086
    count $numbers
  else
    echo "FAILED: ctest of $preset gave no results (log: build/$preset/ctest.log)" >&2
    count 0 1 0
  fi
}

stage_rules() {
  check "check_includes self-test" tools/check_includes --self-test
  check "check_includes" tools/check_includes
  check "check_sizes self-test" tools/check_sizes --self-test
  check "check_sizes" tools/check_sizes
  check "speed_gate self-test" tools/speed_gate --self-test
}

stage_format() { check "clang-format" tools/format.sh --check; }

# suites PRESET WITHOUT SUITE...: builds and runs these, without the tests that match the expression.
suites() {
  local preset=$1 without=$2
  shift 2
  local targets=("${@//\//_}")
  # Everything else that users or developers run must at least compile.
  local extra=()
  if [[ $preset == release ]]; then extra=(rocforge bench_gpu_kernels); fi
  if build "$preset" "${targets[@]/#/test_}" "${extra[@]}"; then
    run_tests "$preset" -R "^($(IFS='|' && echo "$*"))/" -E "$without"
  else
    count 0 1 0
  fi
}

stage_release() { suites release '^$' "${release_suites[@]}"; }
# Of the simulated GPUs one: the waves of 64 run in the release build.
stage_asan() { UBSAN_OPTIONS=print_stacktrace=1 suites asan-ubsan '/sim64( |$)' "${asan_suites[@]}"; }
# A simulated GPU is fibers of one thread, and the thread sanitizer loses count of their stacks: its kernels are not built.
stage_tsan() { suites tsan '/sim(32|64)( |$)|/GpuExecutorFaults' "${tsan_suites[@]}"; }

# What the GPU compilers made of the kernels, read from the objects of the release build.
stage_kernels() {
  check "kernel_report self-test" tools/kernel_report --self-test
  check "kernel_report" tools/kernel_report --check --build build/release
}

fuzz() {
  local log=build/fuzz.log status=0
  tools/fuzz.sh "${ROCFORGE_FUZZ_SECONDS:-10}" >"$log" 2>&1 || status=$?
  grep -E '^(fuzz|  |FINDING|SKIPPED|==)|ERROR|error:' "$log" | head -n 60
  if [[ $status -eq 0 ]] && grep -q '^SKIPPED' "$log"; then status=77; fi
  return $status
}
stage_fuzz() { check "fuzzing" fuzz; }

stage_tidy() {
  if [[ ! -f build/release/compile_commands.json ]] && ! cmake --preset release -DROCFORGE_TESTS=ON >/dev/null; then
    count 0 1 0
    return
  fi
  check "clang-tidy" tools/tidy.py --build build/release --seconds "${ROCFORGE_TIDY_SECONDS:-30}"
}

stages=("$@")
[[ ${#stages[@]} -eq 0 ]] && stages=("${all_stages[@]}")
for stage in "${stages[@]}"; do
  if ! declare -F "stage_$stage" >/dev/null; then
    echo "no stage '$stage'; there are: ${all_stages[*]}" >&2
    exit 2
  fi
done
tools/deps.sh test || exit 1
# What a user has set must not decide a test.
unset ROCFORGE_MODEL ROCMFORGE_MODEL ROCFORGE_DEVICE ROCMFORGE_DEVICE ROCFORGE_LOG_LEVEL ROCMFORGE_LOG_LEVEL

mkdir -p build
started=$SECONDS
for stage in "${stages[@]}"; do
  echo "== $stage"
  before=("$passed" "$failed" "$skipped")
  begun=$SECONDS
  "stage_$stage"
  summary+=("$(printf '%-8s %5d s  %5d passed  %3d failed  %3d skipped' "$stage" $((SECONDS - begun)) \
    $((passed - before[0])) $((failed - before[1])) $((skipped - before[2])))")
  echo "${summary[-1]}"
done
echo
echo "== summary ($((SECONDS - started)) s)"
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed -eq 0 ]]
