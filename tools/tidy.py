#!/usr/bin/env python3
"""Runs clang-tidy on the sources of src/ and apps/, as .clang-tidy says, and remembers what was clean.

usage: tools/tidy.py [--build DIR] [--seconds N] [--jobs N] [FILE...]

A file is checked again only if it, a header of ours that it includes, its compile command or .clang-tidy has
changed; the memory is DIR/tidy-cache.json. Files of a unity build are checked together, as they are compiled. No new file is begun after N seconds (0: no limit): the rest is named and
left to the next run. Files not yet remembered come in the order of their last change, newest first.
Exit 0: nothing found; 1: findings; 77: clang-tidy 19 is not installed.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), ".."))
TIDY = "clang-tidy-19"


def headers_of(build):
    """object file -> our own files that it was made from, as ninja recorded them."""
    text = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    deps = {}
    current = None
    for line in text.splitlines():
        if line.startswith("    ") and current is not None:
            path = os.path.realpath(os.path.join(build, line.strip()))
            if path.startswith(ROOT + os.sep):
                current.append(path)
        elif ": #deps" in line:
            current = deps.setdefault(line.split(":")[0], [])
    return deps


def digest(path, memo={}):
    if path not in memo:
        with open(path, "rb") as file:
            memo[path] = hashlib.sha256(file.read()).hexdigest()
    return memo[path]


def key_of(entry, headers, version):
    parts = [version, digest(os.path.join(ROOT, ".clang-tidy")), entry["command"]]
    parts += [path + digest(path) for path in sorted(set(headers + entry["sources"])) if os.path.exists(path)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def check(entry, build):
    command = [TIDY, "-p", build, "--quiet", "--extra-arg=-Wno-unknown-warning-option",
               # std::stable_sort of GCC's library.
               "--extra-arg=-Wno-deprecated-declarations", entry["file"]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, stdin=subprocess.DEVNULL)
    return done.returncode == 0, done.stdout + (done.stderr if done.returncode != 0 and not done.stdout else "")


def without_repeats(text, shown):
    """A finding in a header comes with every file that includes it; once is enough."""
    kept = []
    keep = True
    for line in text.splitlines():
        if re.match(r"\S+:\d+:\d+: (error|warning):", line):
            keep = line not in shown
            shown.add(line)
        if keep:
            kept.append(line)
    return "\n".join(kept)


def sources_of(path):
    """The sources that a compiler is given: those that a unity file of CMake includes, else the file itself."""
    if "/Unity/unity_" not in path:
        return [path]
    with open(path, encoding="utf-8") as file:
        return [os.path.realpath(name) for name in re.findall(r'#include "(.+)"', file.read())]


def wanted_entries(build, files):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    wanted = {os.path.realpath(path) for path in files}
    for entry in entries:
        entry["file"] = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
        entry["sources"] = sources_of(entry["file"])
        inside = any(os.path.relpath(source, ROOT).split(os.sep)[0] in ("src", "apps") for source in entry["sources"])
        if wanted & set(entry["sources"]) or (not wanted and inside):
            yield entry


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    if shutil.which(TIDY) is None:
        print(f"{TIDY} is not installed", file=sys.stderr)
        return 77
    build = os.path.realpath(args.build)
    cache_path = os.path.join(build, "tidy-cache.json")
    try:
        with open(cache_path, encoding="utf-8") as file:
            clean = json.load(file)
    except (OSError, ValueError):
        clean = {}
    version = subprocess.run([TIDY, "--version"], capture_output=True, text=True, check=True).stdout
    deps = headers_of(build)
    todo = []
    total = 0
    for entry in wanted_entries(build, args.files):
        total += 1
        key = key_of(entry, deps.get(entry["output"], []) if "output" in entry else [], version)
        if clean.get(entry["file"]) != key:
            todo.append((entry, key))
    todo.sort(key=lambda item: -max(map(os.path.getmtime, item[0]["sources"])))

    deadline = time.monotonic() + args.seconds if args.seconds > 0 else float("inf")
    findings = 0
    skipped = []
    shown = set()

    def work(item):
        if time.monotonic() > deadline:
            return None
        return check(item[0], build)

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for (entry, key), result in zip(todo, pool.map(work, todo)):
            name = os.path.relpath(entry["file"], ROOT)
            if result is None:
                skipped.append(name)
            elif result[0]:
                clean[entry["file"]] = key
            else:
                findings += 1
                print(f"{name}:\n{without_repeats(result[1], shown)}")
    with open(cache_path + ".new", "w", encoding="utf-8") as file:
        json.dump(clean, file, indent=0)
    os.replace(cache_path + ".new", cache_path)
    print(f"clang-tidy: {total} compilations, {len(todo) - len(skipped)} checked now, {findings} with findings, "
          f"{total - len(todo)} known clean" + (f", {len(skipped)} left for the next run" if skipped else ""))
    return 1 if findings else 0


sys.exit(main())
