#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the mutants: the code with one clause of an RFC disabled, or with the mend of one fault of
docs/faults.md. A test must notice each.

    mutants.py                 builds and tests them; ends with "N killed, N survived"
    mutants.py --only NAME     this one alone; may be given again
    mutants.py --list          names, clauses or faults, and tests
    mutants.py --check BUILD   whether each applies, has tests in BUILD and is in
                               docs/conformance.md: builds nothing
    mutants.py --write         puts the table of mutants into docs/conformance.md
    --dir DIR                  the copy of the tree and its build (build-check/mutants)
    --jobs N                   of ninja

The files *.toml beside this one are the list. The tree is never changed: everything is done to a
copy. The exit status is 0 only if every mutant applied, was built and was killed.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys

import catalogue

TOP = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 6  # times a test's own time-out: other programs of the machine may stop it
SKIPPED = 77


class Broken(Exception):
    """The copy cannot be built or tested as it is."""


def source_files():
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=TOP,
                            check=False, capture_output=True, text=True)
    if listed.returncode == 0:
        names = listed.stdout.split("\0")
    else:
        names = [os.path.relpath(os.path.join(folder, name), TOP)
                 for folder, _, files in os.walk(TOP) for name in files]
    return sorted(n for n in names if n and (TOP / n).is_file()
                  and not re.match(r"build|\.git(/|$)|.*__pycache__", n))


def tree_copy(tree):
    """Makes `tree` the same as TOP. Files that are already keep their time, for ninja's sake."""
    names = source_files()
    for name in names:
        source, copy = TOP / name, tree / name
        if copy.is_file() and copy.read_bytes() == source.read_bytes():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(source.read_bytes())
        copy.chmod(source.stat().st_mode)
    for path in sorted(tree.rglob("*")):
        if path.is_file() and str(path.relative_to(tree)) not in names:
            path.unlink()


class Build:
    """A build of the copy."""

    def __init__(self, place, jobs):
        self.tree, self.dir, self.log = place / "tree", place / "build", place / "mutants.log"
        self.ninja = ["ninja", "-C", str(self.dir)] + (["-j", str(jobs)] if jobs else [])
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_text("")
        tree_copy(self.tree)
        again = ["--reconfigure"] if (self.dir / "build.ninja").exists() else []
        # A mutant may leave a variable unused. Most of the time goes into compiling.
        options = ["-Dwerror=false", "-Doptimization=0", "-Ddebug=false"]
        if self.run(["meson", "setup", *again, str(self.dir), str(self.tree), *options]):
            raise Broken(f"meson fails, see {self.log}")
        self.tests = catalogue.tests_of(self.dir)

    def run(self, command, **options):
        with open(self.log, "a", encoding="utf-8") as log:
            return subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=subprocess.STDOUT, **options).returncode

    def compile(self, names):
        targets = {os.path.relpath(self.tests[name]["cmd"][0], self.dir) for name in names}
        return self.run(self.ninja + sorted(targets)) == 0

    def test(self, name):
        """How the test ended: "passes", "skipped", "fails" or "times out"."""
        test = self.tests[name]
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(f"== {name}\n")
        try:
            status = self.run(test["cmd"], cwd=test["workdir"] or self.dir,
                              env=os.environ | test["env"], timeout=test["timeout"] * PATIENCE)
        except subprocess.TimeoutExpired:
            return "times out"
        if status == SKIPPED:
            return "skipped"
        return "passes" if status == 0 else "fails"


def baseline_check(build, mutants):
    """Without a mutant all of the tests pass; else their failures would mean nothing."""
    names = sorted({name for m in mutants for name in m.tests})
    if not build.compile(names):
        raise Broken(f"the tree itself does not build, see {build.log}")
    for name in names:
        if build.test(name) != "passes" and build.test(name) != "passes":
            raise Broken(f"{name} does not pass without a mutant, see {build.log}")


def mutant_run(build, mutant):
    """(killed, how)"""
    path = build.tree / mutant.file
    plain = path.read_text(encoding="utf-8")
    try:
        path.write_text(mutant.apply(plain), encoding="utf-8")
        if not build.compile(mutant.tests):
            return False, f"does not build, see {build.log}"
        for name in mutant.tests:
            end = build.test(name)
            if end in ("fails", "times out"):
                return True, f"{name} {end}"
        return False, f"passes {', '.join(mutant.tests)}"
    finally:
        path.write_text(plain, encoding="utf-8")


def run(mutants, place, jobs):
    killed, survived = 0, []
    bad = catalogue.faults(TOP, mutants)
    if bad:
        raise Broken("\n".join(bad))
    build = Build(place, jobs)
    bad = catalogue.untested(mutants, build.tests)
    if bad:
        raise Broken("\n".join(bad))
    baseline_check(build, mutants)
    for mutant in mutants:
        ok, how = mutant_run(build, mutant)
        print(f"{'killed  ' if ok else 'SURVIVED'}  {mutant.name}: {how}", flush=True)
        killed += ok
        if not ok:
            survived.append(mutant.name)
    if survived:
        print(f"survived: {', '.join(survived)}")
    print(f"{killed} killed, {len(survived)} survived")
    return 1 if survived or not killed else 0


def check(mutants, build):
    bad = catalogue.faults(TOP, mutants) + catalogue.untested(mutants, catalogue.tests_of(build))
    bad += catalogue.page_faults(TOP, mutants)
    print(*bad, sep="\n")
    rows, without = catalogue.rows_without(TOP, mutants)
    for row in without:
        print(f"no mutant: {row}")
    print(f"{len(mutants)} mutants, {len(bad)} faults; {rows} rows of docs/conformance.md, "
          f"{len(without)} without a mutant")
    return 1 if bad or not mutants else 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--only", action="append")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--check", type=pathlib.Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--dir", type=pathlib.Path, default=TOP / "build-check" / "mutants")
    parser.add_argument("--jobs", type=int)
    given = parser.parse_args()
    mutants = catalogue.read()
    if given.only:
        unknown = set(given.only) - {m.name for m in mutants}
        if unknown:
            parser.error(f"no mutant {', '.join(sorted(unknown))}")
        mutants = [m for m in mutants if m.name in given.only]
    if given.list:
        for m in mutants:
            print(f"{m.name}: {m.subject()}, {m.file}; {', '.join(m.tests)}")
        return 0
    if given.check:
        return check(mutants, given.check)
    if given.write:
        return catalogue.page_write(TOP, mutants)
    try:
        return run(mutants, given.dir.resolve(), given.jobs)
    except Broken as fault:
        print(f"mutants: {fault}")
        print(f"0 killed, {len(mutants)} survived")
        return 2


if __name__ == "__main__":
    sys.exit(main())
