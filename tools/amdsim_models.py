"""Whole models on emulated AMD devices: `rocforge generate --device gpu` against golden tokens. Started by
tools/amdsim_check.sh, which sets up the emulator.

Golden tokens come from ../shared/testdata (a first difference where the reference itself was undecided, by less than
the tolerance, ends the comparison without a failure). The answer of SmolLM2 is compared with that of --device cpu."""
import argparse
import json
import os
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
DATA = os.path.join(ROOT, "../shared/testdata")
# Name, tokens to generate, logit tolerance (activations are rounded to 8 bits where weights are quantised).
GOLDEN = (("stories260K-f32", 24, 0.002), ("stories260K-q8_0", 16, 0.1), ("stories260K-q4_0", 16, 0.1),
          ("stories15M-q8_0", 12, 0.1))
# Types of the KV cache, and the least tolerance with it: 8 bits turn a margin of 0.11 over on the CPU too.
CACHES = (("f16", 0), ("q8_0", 0.15))
# On the CPU the best token leads by at least 1.2 in log-probability at each of these ten steps (--logprobs 2). The first
# step of "What is the capital of France?" is led by 0.085 only, and rounding the last row to 8 bits moves that by 0.06 to 0.14.
QUESTION, ANSWER_TOKENS = "Count from 1 to 10.", 10


def smollm2():
    for path in (os.environ.get("ROCFORGE_TEST_MODEL", ""),
                 os.path.join(os.environ.get("ROCFORGE_CACHE", os.path.expanduser("~/.cache/rocforge")), "models/smollm2.gguf")):
        if path and os.path.exists(path):
            return path
    return None


def generate(binary, arch, device, arguments, seconds):
    """(JSON of the run, or None and why not)"""
    command = [binary, "generate", "--device", device, "--temperature", "0", "--json", "--no-stats", "--ctx", "128"]
    environment = {**os.environ, "AMDSIM_ARCH": arch}
    try:
        done = subprocess.run(command + arguments, env=environment, capture_output=True, text=True, timeout=max(1, seconds),
                              check=False)
    except subprocess.TimeoutExpired:
        return None, f"not done in {seconds:.0f} s"
    if done.returncode != 0:
        return None, f"exit status {done.returncode}: " + " | ".join(done.stderr.strip().splitlines()[-3:])
    return json.loads(done.stdout), ""


def difference(got, wanted, margins, tolerance):
    """(how many tokens agree, '' or what differs first). Without a text where they end at an undecided step."""
    for step, (g, w) in enumerate(zip(got, wanted)):
        if g != w:
            if margins and margins[step] < tolerance:
                return step, ""
            return step, f"token {step} is {g}, expected {w}" + (f" (margin {margins[step]:.3f})" if margins else "")
    return len(got), "" if len(got) == len(wanted) else f"{len(got)} tokens, expected {len(wanted)}"


def golden_case(binary, arch, name, cache, n, tolerance, seconds):
    model = os.path.join(DATA, "models", name + ".gguf")
    reference = os.path.join(DATA, "golden", name + ".json")
    if not os.path.exists(model) or not os.path.exists(reference):
        return "SKIPPED", "no " + os.path.relpath(model)
    with open(reference, encoding="utf-8") as file:
        prompt = json.load(file)["prompts"][0]
    arguments = ["-m", model, "--prompt-ids", ",".join(map(str, prompt["ids"])), "-n", str(n), "--ignore-eos",
                 "--kv-type", cache]
    run, why = generate(binary, arch, "gpu", arguments, seconds)
    if run is None:
        return "FAILED", why
    same, wrong = difference(run["ids"], prompt["greedy_ref"][:n], prompt["greedy_ref_margin"], tolerance)
    undecided = "" if same == n else " (then an undecided one)"
    return ("FAILED", wrong) if wrong else ("ok", f"{same} tokens as the reference{undecided}, on {run['stats']['device']}")


def answer_case(binary, arch, seconds):
    model = smollm2()
    if model is None:
        return "SKIPPED", "no smollm2 (rocforge pull smollm2, or ROCFORGE_TEST_MODEL)"
    arguments = ["-m", model, "-p", QUESTION, "-n", str(ANSWER_TOKENS)]
    wanted, why = generate(binary, arch, "cpu", arguments, 120)
    if wanted is None:
        return "FAILED", "on the CPU: " + why
    run, why = generate(binary, arch, "gpu", arguments, seconds)
    if run is None:
        return "FAILED", why
    _, wrong = difference(run["ids"], wanted["ids"], None, 0)
    return ("FAILED", f"{wrong}: {run['text']!r}, on the CPU {wanted['text']!r}") if wrong else ("ok", repr(run["text"]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--arch", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--filter", default="")
    options = parser.parse_args()
    binary = os.path.join(options.build, "bin/rocforge")
    failed = 0
    for arch in options.arch.split(","):
        deadline = time.monotonic() + options.seconds
        cases = [(f"{name}, {cache} cache", lambda left, a=(name, cache, n, max(t, least)): golden_case(binary, arch, *a, left))
                 for name, n, t in GOLDEN for cache, least in CACHES]
        cases.append(("smollm2", lambda left, a=arch: answer_case(binary, a, left)))
        for name, case in cases:
            if options.filter not in name:
                continue
            begun = time.monotonic()
            result, text = case(deadline - begun) if deadline > begun else ("FAILED", "no time left (--seconds)")
            failed += result == "FAILED"
            print(f"{arch:10} {name:28} {result:8} {time.monotonic() - begun:6.0f} s  {text}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
