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
# The folders exist in every checkout; build/ is not among them.
mapfile -t files < <(find apps include src tests -name '*.h' -o -name '*.cc' | sort)
if [[ ${1:-} == --check ]]; then
  # The names suffice: "make format" shows and mends the rest.
  bad=$(clang-format-19 --dry-run "${files[@]}" 2>&1 | sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: warning: code should be.*/\1/p' | sort -u)
  if [[ -n $bad ]]; then
    sed "s/^/not formatted: /" <<<"$bad" >&2
    exit 1
  fi
else
  clang-format-19 -i "${files[@]}"
fi
