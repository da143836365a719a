#!/usr/bin/env bash
# Does the speed gate see what it should? In a scratch clone of this commit it makes one kernel of the CPU 15 % slower
# (of a Q6_K product with one row three of twenty outputs are computed twice), and asks for that kernel by name; then it
# compares a build with itself again and again, which must never fail.
#   tools/speed_gate_proof.sh [RUNS [FOLDER]]      RUNS with itself: default 20. About ten minutes, and two builds.
# FOLDER: keeps the two builds there (plain, slow), and uses those that it has.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-20}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
builds=${2:-$scratch}
mkdir -p "$builds"
export CCACHE_BASEDIR="$scratch/source" CCACHE_NOHASHDIR=1

build() {
  # Where build/release lies in any clone: what the compiler cache has of those serves here.
  cmake -S "$scratch/source" -B "$scratch/source/build/release" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DROCFORGE_TESTS=OFF -DROCFORGE_GPU=OFF >/dev/null
  nice ninja -C "$scratch/source/build/release" rocforge >"$scratch/log" || { tail -n 30 "$scratch/log"; exit 1; }
  cp "$scratch/source/build/release/bin/rocforge" "$builds/$1"
}
if [[ ! -x $builds/plain || ! -x $builds/slow ]]; then
  git clone -q . "$scratch/source"
  build plain
  python3 - "$scratch/source/src/kernels/cpu/common/matmul.cc" <<'PATCH'
import sys
path = sys.argv[1]
text = open(path).read()
call = "    w.dot(rows, row_bytes, n, x, static_cast<int>(m), job.k, y, kMaxTileRows);\n"
assert text.count(call) == 1
slow = "    if (desc.dtype == DType::kQ6_K && m == 1)\n" + call.replace(" n,", " n * 3 / 20,")
open(path, "w").write(text.replace(call, slow + call))
PATCH
  build slow
fi

cases=(bench matmul --device cpu --threads 1 --cached --types Q4_K,Q6_K,Q8_0,F16 --shapes 1024x1024 --batch 1,8 --min-time 0.05)
echo "== one kernel 15 % slower"
if "$builds/slow" "${cases[@]}" --against "$builds/plain" --rounds 10 >"$scratch/table" 2>"$scratch/error"; then
  cat "$scratch/table"
  echo "FAILED: the slow kernel was not seen"
  exit 1
fi
cat "$scratch/table" "$scratch/error"
if ! grep -qx "error: slower than the other build: cpu Q6_K 1024x1024 b1" "$scratch/error"; then
  echo "FAILED: another case was named"
  exit 1
fi
echo "== $runs times against itself"
alarms=0
for ((i = 1; i <= runs; ++i)); do
  if ! "$builds/plain" "${cases[@]}" --against "$builds/plain" --rounds 10 >"$scratch/table" 2>"$scratch/error"; then
    alarms=$((alarms + 1))
    cat "$scratch/table" "$scratch/error"
  fi
done
echo "$alarms false alarms in $runs runs of 8 cases"
[[ $alarms -eq 0 ]]
