#!/usr/bin/env python3
"""Sums up a JUnit file of ctest: "PASSED FAILED SKIPPED" on stdout; on stderr the output of what failed and, by
reason, what was skipped.

usage: tools/ctest_summary.py RESULTS.xml     exit 1 if the file is missing or holds no test
"""
import collections
import re
import sys
import xml.etree.ElementTree as ElementTree


def skip_reason(output):
    """GoogleTest prints "file:line: Skipped", then the reason in the next line."""
    lines = output.splitlines()
    for number, line in enumerate(lines):
        if line.endswith(": Skipped") and number + 1 < len(lines):
            return lines[number + 1].strip()
    return "no reason given"


def main():
    try:
        suite = ElementTree.parse(sys.argv[1]).getroot()
    except (OSError, ElementTree.ParseError) as error:
        sys.exit(f"{sys.argv[1]}: {error}")
    passed = failed = 0
    skipped = collections.defaultdict(list)
    for case in suite.iter("testcase"):
        name = case.get("name")
        output = case.findtext("system-out") or ""
        if case.get("status") == "run":
            passed += 1
        elif case.get("status") in ("disabled", "notrun") and case.find("failure") is None:
            skipped[skip_reason(output)].append(name)
        else:
            failed += 1
            print(f"FAILED: {name}\n{output}", file=sys.stderr)
    for reason, names in sorted(skipped.items()):
        # The same reason often holds for many files: "reference data not found: a, b, c".
        shown = re.sub(r"\s+", " ", reason)
        print(f"SKIPPED: {len(names)} x {shown} (first: {names[0]})", file=sys.stderr)
    number_skipped = sum(len(names) for names in skipped.values())
    if passed + failed + number_skipped == 0:
        sys.exit(f"{sys.argv[1]}: no test was run")
    print(passed, failed, number_skipped)


main()
