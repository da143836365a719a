#!/usr/bin/env bash
# clang-format over all C++ sources, in place.
#   tools/format.sh [--check]     (--check: changes nothing, exit 1 if a file is not formatted)
# Exit 77: clang-format 19 is not installed (other versions format differently).
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v clang-format-19 >/dev/null; then
  echo "clang-format-19 is not installed" >&2
  exit 77
fi
mode=(-i)
[[ ${1:-} == --check ]] && mode=(--dry-run --Werror)
# The folders exist in every checkout; build/ is not among them.
find apps include src tests -name '*.h' -o -name '*.cc' | sort | xargs clang-format-19 "${mode[@]}"
