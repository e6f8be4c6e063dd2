#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A page names tests that exist: faults_page.py TOP BUILD [PAGE ROWS], docs/faults.md by default."""
import json
import pathlib
import re
import sys

STEPS = {"qemu"}  # of tools/check --long, with its cases in brackets


def functions(top):
    found = set()
    for pattern, function in (("*.c", r"^static void (\w+)\(void \*\*state\)"),
                              ("*_test.py", r"^def (\w+)\(")):
        for path in (top / "tests").rglob(pattern):
            found.update(re.findall(function, path.read_text(), re.M))
    return found


def wrong(name, cases, tests, known, steps):
    if name in STEPS:
        return [f"{name} ({case})" for case in cases if case not in steps]
    if name not in tests:
        return [name]
    return [f"{name} ({case})" for case in cases if case not in known and f"test_{case}" not in known]


def main():
    top, build = map(pathlib.Path, sys.argv[1:3])
    page, least = sys.argv[3:] or ("docs/faults.md", 50)
    with open(build / "meson-info" / "intro-tests.json") as f:
        tests = {test["name"] for test in json.load(f)}
    known = functions(top)
    steps = re.findall(r"^case_(\w+)\(\)", (top / "tests/qemu/qemu_test.sh").read_text(), re.M)
    rows = bad = 0
    for line in (top / page).read_text().splitlines():
        cells = line.split(" | ")
        if not line.startswith("| ") or len(cells) != 3 or cells[2] == "test |":
            continue
        rows += 1
        named = re.findall(r"`([^`]+)`(?: \(([^)]*)\))?", cells[2])
        if not named and "no test" not in cells[2] and "the suite itself" not in cells[2]:
            print(f"{cells[0]}: no test is named")
            bad += 1
        for name, cases in named:
            if "/" in name:
                found = [] if (top / name).exists() else [name]
            else:
                found = wrong(name, [c for c in cases.split(", ") if c], tests, known, steps)
            for what in found:
                print(f"{cells[0]}: there is no test {what}")
                bad += 1
    print(f"{rows} rows, {bad} names without a test")
    return bad > 0 or rows < int(least)


if __name__ == "__main__":
    sys.exit(main())
