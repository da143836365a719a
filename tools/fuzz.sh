#!/usr/bin/env bash
# Builds every fuzz target of tests/fuzz and runs each for a bounded time.
#   tools/fuzz.sh [SECONDS_PER_TARGET] [TARGET...]     (30 seconds, all targets)
# Exit 0: nothing found, or skipped, visibly, because no clang with libFuzzer is installed (set
# ROCFORGE_FUZZ_REQUIRED=1 to make that a failure). Exit 1: a finding; the path of the input that shows it is printed.
# What the runs learn is kept in <build>/corpus, so that the next run starts from there.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-30}
shift || true
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: tools/fuzz.sh [SECONDS_PER_TARGET] [TARGET...]" >&2
  exit 2
fi
build=${ROCFORGE_FUZZ_BUILD:-build/asan-ubsan}

if ! cxx=$(tools/sanitizer_clang); then
  echo "SKIPPED: fuzzing needs a clang++ with libFuzzer (Debian: clang-19 and libclang-rt-19-dev); none found" >&2
  [[ ${ROCFORGE_FUZZ_REQUIRED:-0} == 1 ]] && exit 1
  exit 0
fi
# Readable stacks where the symbolizer of that clang is installed.
if symbolizer=$(command -v "${cxx/clang++/llvm-symbolizer}"); then
  export ASAN_SYMBOLIZER_PATH=$symbolizer
fi

cmake --preset asan-ubsan -B "$build" -DROCFORGE_TESTS=ON -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_C_COMPILER="${cxx/clang++/clang}" >/dev/null
if [[ $# -gt 0 ]]; then wanted=("${@/%/_fuzz}"); else wanted=(fuzzers); fi
cmake --build "$build" --target "${wanted[@]}" -- ${ROCFORGE_FUZZ_JOBS:+-j"$ROCFORGE_FUZZ_JOBS"}

targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
  for binary in "$build"/fuzz/*_fuzz; do targets+=("$(basename "$binary" _fuzz)"); done
fi

# fuzz TARGET: runs it; its output goes to the log. Fails when it found something.
fuzz() {
  local target=$1 corpus=$build/corpus/$1 artifacts=$build/findings/$1
  mkdir -p "$corpus" "$artifacts"
  # malloc_limit_mb: inputs of a few KiB that make us ask for more at once are findings.
  local options=(-max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=256
    -print_final_stats=1 -artifact_prefix="$artifacts/")
  [[ -f tests/fuzz/$target.dict ]] && options+=(-dict="tests/fuzz/$target.dict")
  local seeds=()
  [[ -d tests/fuzz/corpus/$target ]] && seeds+=("tests/fuzz/corpus/$target")
  "$build/fuzz/${target}_fuzz" "${options[@]}" "$corpus" ${seeds[@]+"${seeds[@]}"} >"$build/fuzz/$target.log" 2>&1
}

# report TARGET STATUS
report() {
  local target=$1 log=$build/fuzz/$1.log
  echo "fuzz $target: ${seconds} s"
  if [[ $2 -eq 0 ]]; then
    grep -E 'stat::number_of_executed_units|stat::peak_rss_mb' "$log" | sed 's/^/  /'
    return
  fi
  grep -E -A12 '^==|ERROR|runtime error' "$log" | head -n 40 >&2 || true
  echo "FINDING in $target; input: $(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1); log: $log" >&2
  echo "  again: $build/fuzz/${target}_fuzz INPUT" >&2
}

# As many at a time as there are cores.
findings=0
at_once=$(nproc)
for ((first = 0; first < ${#targets[@]}; first += at_once)); do
  group=("${targets[@]:first:at_once}")
  pids=()
  for target in "${group[@]}"; do
    fuzz "$target" &
    pids+=($!)
  done
  for i in "${!group[@]}"; do
    status=0
    wait "${pids[i]}" || status=$?
    [[ $status -eq 0 ]] || findings=$((findings + 1))
    report "${group[i]}" "$status"
  done
done
[[ $findings -eq 0 ]]
