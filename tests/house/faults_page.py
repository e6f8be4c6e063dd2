#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A page names tests that exist: faults_page.py TOP BUILD [PAGE ROWS], docs/faults.md by default.

A case in brackets is a function of the test's own source. A last column "seen failing" has commits
of the history, which is looked at where it is there as a whole, and mutants of tests/mutants.
"""
import json
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mutants"))
import catalogue  # noqa: E402

STEPS = {"qemu"}  # of tools/check --long, with its cases in brackets
HEADS = {"published as", "fault", "kind", "situation", "failure", "#"}  # of tables
FAULTS = range(1, 70)  # of the first review: each has a row


def cases_of(path):
    """The functions of a source that are cases: in Python those named so, or in a list of them."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".c":
        return set(re.findall(r"^static void (\w+)\(void \*\*state\)", text, re.M))
    return {name for name in re.findall(r"^ *def (\w+)\(", text, re.M)
            if name.startswith("test_") or re.search(rf"[\s\[(]{name}[,\])]", text)}


class Tests:
    """The tests of a build, and the cases in their sources."""

    def __init__(self, top, build):
        with open(build / "meson-info" / "intro-tests.json", encoding="utf-8") as f:
            self.commands = [(test["name"], test["cmd"]) for test in json.load(f)]
        with open(build / "meson-info" / "intro-targets.json", encoding="utf-8") as f:
            self.targets = {name: t for t in json.load(f) for name in t["filename"]}
        qemu = (top / "tests/qemu/qemu_test.sh").read_text(encoding="utf-8")
        self.steps = set(re.findall(r"^case_(\w+)\(\)", qemu, re.M))

    def sources(self, word):
        if word not in self.targets:
            return [word]
        return [s for group in self.targets[word]["target_sources"] for s in group.get("sources", [])]

    def cases(self, name):
        """None: there is no such test."""
        found = [words for test, words in self.commands if test == name]
        if name in STEPS:
            return self.steps
        if not found:
            return None
        cases = set()
        for path in (pathlib.Path(s) for words in found for w in words for s in self.sources(w)):
            if path.suffix in (".c", ".py") and path.is_file():
                cases.update(cases_of(path))
        return cases

    def missing(self, name, cases):
        known = self.cases(name)
        if known is None:
            return [name]
        return [f"{name} ({c})" for c in cases if c not in known and f"test_{c}" not in known]


def commits_of(top):
    """The names of all commits; None where the history is not there, or cut off."""
    def git(*words):
        done = subprocess.run(["git", "-C", str(top), *words], check=False, capture_output=True,
                              text=True)
        return done.stdout.split() if done.returncode == 0 else []

    try:
        if git("rev-parse", "--show-toplevel", "--is-shallow-repository") != [str(top), "false"]:
            return None
        return git("rev-list", "HEAD")
    except FileNotFoundError:
        return None


def rows_of(text):
    """The cells of each row with a test, by the heads of its table."""
    heads = None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            heads = None
        elif heads is None:
            heads = cells if "test" in cells and cells[0] in HEADS else []
        elif heads and not cells[0].startswith("-"):
            if len(cells) != len(heads):
                sys.exit(f"not a row of {len(heads)} cells: {line}")
            yield dict(zip(heads, cells))


def tests_missing(top, tests, cell):
    named = re.findall(r"`([^`]+)`(?: \(([^)]*)\))?", cell)
    if not named and "no test" not in cell and "the suite itself" not in cell:
        return ["no test is named"]
    bad = []
    for name, cases in named:
        if "/" in name:
            bad += [] if (top / name).exists() else [f"there is no file {name}"]
        else:
            cases = [c for c in cases.split(", ") if c]
            bad += [f"there is no test {what}" for what in tests.missing(name, cases)]
    return bad


def proofs_missing(row, mutants, commits):
    """The mistakes in the column "seen failing"."""
    bad, proofs = [], re.findall(r"`([^`]+)`", row["seen failing"])
    for name in proofs:
        if re.fullmatch(r"[0-9a-f]{7,40}", name):
            if commits is not None and not any(c.startswith(name) for c in commits):
                bad.append(f"there is no commit {name}")
        elif name not in mutants:
            bad.append(f"there is no mutant {name}")
        elif not any(f"`{test}`" in row["test"] for test in mutants[name].tests):
            bad.append(f"no test of the mutant {name} is named")
    return bad if proofs or row["seen failing"] in ("with it", "–") else bad + ["nothing says how it failed"]


def whole(rows, mutants):
    """Whether each fault has a row, and each of its mutants a place in one."""
    numbers = {int(row["#"]) for row in rows if row["#"].isdigit()}
    named = {(row["#"], name) for row in rows
             for name in re.findall(r"`([^`]+)`", row["seen failing"])}
    return [f"fault {n}: no row" for n in FAULTS if n not in numbers] + \
        [f"{m.name}: no row of fault {m.fault} names it" for m in mutants.values()
         if m.fault is not None and (str(m.fault), m.name) not in named]


def main():
    top, build = (pathlib.Path(arg).resolve() for arg in sys.argv[1:3])
    page, least = sys.argv[3:] or ("docs/faults.md", 50)
    tests, commits = Tests(top, build), commits_of(top)
    mutants = {m.name: m for m in catalogue.read()}
    rows = list(rows_of((top / page).read_text(encoding="utf-8")))
    bad = []
    for row in rows:
        name = next(row[head] for head in HEADS - {"#"} if head in row)
        found = tests_missing(top, tests, row["test"])
        if "seen failing" in row:
            found += proofs_missing(row, mutants, commits)
        bad += [f"{name}: {what}" for what in found]
    proven = [row for row in rows if "seen failing" in row]
    bad += whole(proven, mutants) if proven else []
    print(*bad, sep="\n")
    print(f"{len(rows)} rows, {len(bad)} faults; commits "
          f"{'not looked at' if commits is None else 'looked at'}")
    return bool(bad) or len(rows) < int(least)


if __name__ == "__main__":
    sys.exit(main())
