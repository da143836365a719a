#!/usr/bin/env bash
# Runs the GPU code as real AMD machine code on an instruction emulator, through the dlopen path of a user's ROCm.
#   tools/amdsim_check.sh [OPTIONS] kernels            test_kernels_gpu, every test for device "amd"
#   tools/amdsim_check.sh [OPTIONS] models             rocforge generate --device gpu against golden tokens
#   tools/amdsim_check.sh [OPTIONS] run COMMAND...     any command, with the emulator as its libamdhip64
# Options: --build DIR (build/release)  --arch gfx1100,gfx1201,gfx942  --seconds N (per architecture, 900)
#          --filter PATTERN (kernels: a --gtest_filter; models: part of a name)
# It answers "is it correct?", never "how fast?". Needs AMDSIM_TINYGRAD (a checkout of tinygrad, see the README of the
# emulator) and the emulator's sources in AMDSIM_SOURCE (../shared/tools/amdsim). Not part of make test: it takes minutes.
# Exit status: 0 all passed, 1 something failed or did not end in time, 77 the emulator cannot be had here.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
build=$root/build/release
archs=gfx1100,gfx1201,gfx942
seconds=900
filter=
while [[ ${1:-} == --* ]]; do
  case $1 in
    --build) build=$(cd "$2" && pwd) || exit 2 ;;
    --arch) archs=$2 ;;
    --seconds) seconds=$2 ;;
    --filter) filter=$2 ;;
    *) set -- help help ;;
  esac
  shift 2
done
what=${1:-help}
[[ $# -gt 0 ]] && shift
case $what in
  kernels | models | run) ;;
  *)
    sed -n '2,11s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac

sources=${AMDSIM_SOURCE:-$root/../shared/tools/amdsim}
if [[ ! -f ${AMDSIM_TINYGRAD:-}/test/mockgpu/amd/emu.py || ! -f $sources/build.sh ]]; then
  echo "SKIPPED: no AMD emulator: AMDSIM_TINYGRAD must name a tinygrad checkout, AMDSIM_SOURCE the emulator's sources" >&2
  exit 77
fi
emulator=$root/build/amdsim
if [[ $sources/amdsim.cc -nt $emulator/libamdhip64.so.7 || $sources/amdemu.py -nt $emulator/amdemu.py ]]; then
  mkdir -p "$emulator"
  chmod -f u+w "$emulator/amdemu.py"
  "$sources/build.sh" "$emulator" || exit 1
fi

export AMDSIM_TINYGRAD AMDSIM_BASE=$emulator AMDSIM_HOME=$here/amdsim AMDSIM_STRICT=1 PYTHONDONTWRITEBYTECODE=1
export AMDSIM_MEM_MB=${AMDSIM_MEM_MB:-512} LD_LIBRARY_PATH=$emulator${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
log=$(mktemp)
trap 'rm -f "$log" "$log".*' EXIT
red_zones=86 # exit status of AMDSIM_STRICT where something wrote outside its memory

# tests_of: one name a line
tests_of() {
  "$build/bin/test_kernels_gpu" --gtest_list_tests "--gtest_filter=${filter:-*/amd}" |
    awk '/^[^ ]/ {suite = $1} /^ / {print suite $1}'
}

# run_kernels ARCH: fills $log.ARCH with "TEST RESULT MILLISECONDS". A test that ends the process is noted, the others go on.
run_kernels() {
  local arch=$1 left status deadline=$((SECONDS + seconds))
  : >"$log.$arch"
  left=$(ROCFORGE_TEST_DEVICES=amd tests_of)
  while [[ -n $left && $SECONDS -lt $deadline ]]; do
    status=0
    ROCFORGE_TEST_DEVICES=amd AMDSIM_ARCH=$arch nice timeout $((deadline - SECONDS)) "$build/bin/test_kernels_gpu" \
      "--gtest_filter=$(paste -sd: <<<"$left")" >"$log" 2>&1 || status=$?
    awk -v out="$log.$arch" '
      /^\[ RUN/ {running = $NF}
      /^\[ +(OK|FAILED|SKIPPED) +\] .* ms\)$/ {
        result = $2 == "]" ? $1 : $2; gsub(/[][]/, "", result)
        name = $0; sub(/^[^]]*\] /, "", name); ms = name; sub(/[, ].*/, "", name); sub(/.*\(/, "", ms); sub(/ ms.*/, "", ms)
        print name, result, ms >>out; running = ""}
      END {if (running != "") print running, "CRASHED", 0 >>out}' "$log"
    grep -E '^amdsim:|Failure$|^unavailable|Which is|AddressSanitizer' "$log" | sort | uniq -c | sort -rn | head -n 12 >&2
    if [[ $status -eq $red_zones ]]; then echo "(red-zones) FAILED 0" >>"$log.$arch"; fi
    left=$(comm -23 <(sort <<<"$left") <(cut -d' ' -f1 "$log.$arch" | sort))
    [[ $status -eq 124 ]] && sed -i 's/ CRASHED 0$/ TIMEOUT 0/' "$log.$arch"
  done
  [[ -n $left ]] && awk '{print $0, "NOT-RUN", 0}' <<<"$left" >>"$log.$arch"
}

kernels() {
  local bad=0 arch columns=()
  for arch in ${archs//,/ }; do
    echo "== $arch" >&2
    run_kernels "$arch"
    columns+=("$log.$arch")
  done
  awk -v archs="$archs" '
    FNR == 1 {column++}
    {sub(/^Devices\//, "", $1); sub(/\/amd$/, "", $1); result[$1, column] = $2 == "OK" ? "ok " $3 " ms" : $2
     if (!($1 in seen)) {seen[$1] = 1; order[++n] = $1}}
    END {
      split(archs, name, ","); printf "%-58s", "test"; for (c = 1; c <= column; c++) printf " %14s", name[c]; print ""
      for (i = 1; i <= n; i++) {
        printf "%-58s", order[i]
        for (c = 1; c <= column; c++) printf " %14s", ((order[i], c) in result) ? result[order[i], c] : "-"
        print ""}}' "${columns[@]}"
  for arch in ${archs//,/ }; do
    echo "$arch: $(grep -c ' OK ' "$log.$arch") passed, $(grep -c ' SKIPPED ' "$log.$arch") skipped, $(grep -vcE ' (OK|SKIPPED) ' "$log.$arch") failed"
    grep -qvE ' (OK|SKIPPED) ' "$log.$arch" && bad=1
  done
  return $bad
}

case $what in
  kernels) kernels ;;
  models) exec nice python3 "$here/amdsim_models.py" --build "$build" --arch "$archs" --seconds "$seconds" --filter "$filter" ;;
  run)
    export AMDSIM_ARCH=${archs%%,*}
    exec nice timeout "$seconds" "$@"
    ;;
esac
