#!/usr/bin/env bash
# Sees to it that the distribution packages which Rocforge needs are installed.
#   tools/deps.sh [build|test]      (build: to build and to fetch a model; test: that, and the tools of the tests)
# Installs what is missing where it may (root, or sudo without a password); else prints the line to type and
# exits 1. Where nothing is missing it needs well under a second and no network.
set -euo pipefail

needed=(g++ cmake ninja-build ccache libfmt-dev libspdlog-dev nlohmann-json3-dev libcli11-dev libpcre2-dev
  libcurl4-openssl-dev zlib1g-dev python3 python3-pip ca-certificates)
optional=()
case ${1:-build} in
  build)
    # The GPU kernels' compiler is large: only where there is a GPU for them. Elsewhere `make deps` brings it.
    if [[ -e /dev/kfd || -e /dev/nvidiactl ]]; then optional+=(clang-19 lld-19); fi
    ;;
  test)
    needed+=(libgtest-dev libsqlite3-0 xz-utils)
    # Older distributions lack these; the stages that use them then say so and are skipped.
    optional+=(clang-19 lld-19 llvm-19 libclang-rt-19-dev clang-format-19 clang-tidy-19)
    ;;
  *)
    echo "usage: tools/deps.sh [build|test]" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "note: this is no Debian or Ubuntu; what they call these must be there: ${needed[*]} ${optional[*]}" >&2
  exit 0
fi

# The packages of the arguments that are not installed, one a line.
missing() {
  [[ $# -gt 0 ]] || return 0
  local installed
  # dpkg-query fails when it does not know one of them.
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | awk '$2 == "installed" {print $1}' || true)
  comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"$installed")
}

# Those of the arguments that apt knows, one a line. Asks only the lists on this machine.
available() {
  local package
  for package in "$@"; do
    if apt-cache show --no-all-versions "$package" >/dev/null 2>&1; then echo "$package"; fi
  done
}

mapfile -t absent < <(missing "${needed[@]}")
mapfile -t wished < <(missing ${optional[@]+"${optional[@]}"})
if [[ ${#absent[@]} -eq 0 && ${#wished[@]} -gt 0 ]]; then
  # Without lists everything is unknown; then the update below has to be made first.
  if apt-cache show --no-all-versions bash >/dev/null 2>&1; then
    mapfile -t found < <(available "${wished[@]}")
    if [[ ${#found[@]} -eq 0 ]]; then
      echo "note: not to be had here, the tests that use them are skipped: ${wished[*]}" >&2
    fi
    wished=(${found[@]+"${found[@]}"})
  fi
fi
[[ ${#absent[@]} -eq 0 && ${#wished[@]} -eq 0 ]] && exit 0

if [[ $(id -u) -eq 0 ]]; then
  as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo -n)
else
  echo "These packages are missing. Install them, then run the same command again:" >&2
  echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${absent[*]} ${wished[*]}" >&2
  exit 1
fi
echo "installing: ${absent[*]} ${wished[*]}" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# apt's chatter is shown only when it fails.
run_apt() {
  if ! ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 "$@" </dev/null >"$log" 2>&1; then
    cat "$log" >&2
    echo "apt-get $1 failed; see above" >&2
    exit 1
  fi
}
run_apt update
mapfile -t found < <(available ${wished[@]+"${wished[@]}"})
if [[ ${#found[@]} -lt ${#wished[@]} ]]; then
  echo "note: some of these are not to be had here, the tests that use them are skipped: ${wished[*]}" >&2
fi
run_apt install -y --no-install-recommends ${absent[@]+"${absent[@]}"} ${found[@]+"${found[@]}"}
