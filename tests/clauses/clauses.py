#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The clauses of RFC 8489 and RFC 8656 for a server, and the tests that check them.

    clauses.py --check BUILD   whether each clause has a test in BUILD, or a reason for none, and
                               docs/conformance.md is as made from them
    clauses.py --write         puts the tables into docs/conformance.md
    clauses.py --list          clauses, tests and mutants

clauses.toml beside this file lists the clauses. A test names those that it checks in a comment above
its function (C), or above its e2e_check (shell):

    // Clauses: 8489 9.2.4-1, 9.2.4-5; 8656 7.2-1

A clause's number is its section and its place among the clauses of that section.
"""
import argparse
import pathlib
import re
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
PAGE = "docs/conformance.md"
END = "<!-- end -->"
RFCS = ("8489", "8656")
LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "RECOMMENDED")

sys.path.insert(0, str(HERE.parent / "mutants"))
import catalogue  # noqa: E402


class Clause:
    def __init__(self, name, row):
        self.name = name
        self.rfc, self.number = name.split(" ")
        self.level, self.text = row["level"], row["text"]
        self.mutants = row.get("mutants", [])
        self.deviation, self.untested = row.get("deviation"), row.get("untested")
        self.tests = {}  # name of a test: cases in it


def program_of(path):
    """The name of the test that a source file makes: "turn auth" of unit/turn/auth_test.c."""
    folder, name = path.parent.name, re.sub(r"_test$", "", path.stem)
    return name if folder in (name, "e2e") else f"{folder} {name}"


def annotations(path):
    """[(line, clause, case)]: `case` is None where nothing follows that could be one."""
    found, waiting = [], []
    comment = "#" if path.suffix == ".sh" else "//"
    case_is = re.compile(r'e2e_check "([^"]+)"' if path.suffix == ".sh" else
                         r"static void (\w+)\(void \*\*state\)")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith(comment + " Clauses: "):
            rfc = None
            for part in re.split(r"[;,]", line.partition(": ")[2]):
                words = part.split()
                rfc = words[0] if len(words) == 2 else rfc
                waiting.append((number, f"{rfc} {words[-1]}"))
        elif not line.startswith(comment) and waiting:
            case = case_is.match(line)
            found += [(n, clause, case and case[1]) for n, clause in waiting]
            waiting = []
    return found


def read():
    """The clauses with their tests, and the faults found."""
    with open(HERE / "clauses.toml", "rb") as f:
        clauses = {name: Clause(name, row) for name, row in tomllib.load(f).items()}
    bad = []
    for path in sorted([*HERE.parent.rglob("*_test.c"), *HERE.parent.glob("e2e/*_test.sh")]):
        for line, name, case in annotations(path):
            where = f"{path.relative_to(TOP)}:{line}"
            if name not in clauses:
                bad.append(f"{where}: clauses.toml has no clause {name}")
            elif case is None:
                bad.append(f"{where}: no test follows the clause {name}")
            else:
                clauses[name].tests.setdefault(program_of(path), []).append(case)
    return list(clauses.values()), bad


def faults(clauses, programs):
    """Clauses without a test, and mutants that no test of their clause would notice."""
    mutants = {m.name: m for m in catalogue.read()}
    bad = []
    for c in clauses:
        if c.level not in LEVELS or c.rfc not in RFCS or not re.fullmatch(r"[\d.]+-\d+", c.number):
            bad.append(f"{c.name}: not a number and a level")
        if not c.tests and not c.untested:
            bad.append(f"{c.name}: no test names it, and `untested` gives no reason")
        if c.tests and c.untested:
            bad.append(f"{c.name}: has tests, and a reason for none")
        bad += [f"{c.name}: there is no test {p}" for p in c.tests if p not in programs]
        for name in c.mutants:
            if name not in mutants:
                bad.append(f"{c.name}: there is no mutant {name}")
            elif not any(t == p or t.startswith(p + " without")
                         for t in mutants[name].tests for p in c.tests):
                bad.append(f"{c.name}: none of its tests is one that notices {name}")
    return bad


def begin(rfc):
    return f"<!-- tests/clauses/clauses.py --write {rfc} -->"


def table(clauses, rfc):
    lines = ["| clause | level | requirement | tests | mutants |", "|---|---|---|---|---|"]
    for c in clauses:
        if c.rfc != rfc:
            continue
        text = c.text + (f". **Deviation: {c.deviation}**" if c.deviation else "")
        tests = "; ".join(f"`{p}` ({', '.join(cases)})" for p, cases in sorted(c.tests.items()))
        mutants = ", ".join(f"`{name}`" for name in c.mutants)
        lines.append(f"| {c.number} | {c.level} | {text} | {tests or 'none: ' + c.untested} | "
                     f"{mutants} |")
    return "\n".join(lines)


def page_made(clauses, text):
    for rfc in RFCS:
        before, mark, rest = text.partition(begin(rfc))
        _, end, after = rest.partition(END)
        if not mark or not end:
            return None
        text = f"{before}{mark}\n{table(clauses, rfc)}\n{END}{after}"
    return text


def summary(clauses):
    tested = sum(bool(c.tests) for c in clauses)
    return (f"{len(clauses)} clauses, {tested} with a test, "
            f"{sum(bool(c.mutants) for c in clauses)} with a mutant, "
            f"{sum(bool(c.deviation) for c in clauses)} with a deviation")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--check", type=pathlib.Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    clauses, bad = read()
    page = TOP / PAGE
    text = page.read_text(encoding="utf-8")
    made = page_made(clauses, text)
    if made is None:
        bad.append(f"{PAGE}: the places of the clauses are not there")
    elif given.write:
        page.write_text(made, encoding="utf-8")
    elif made != text:
        bad.append(f"{PAGE}: its clauses are others; tests/clauses/clauses.py --write puts it right")
    if given.check:
        bad += faults(clauses, catalogue.tests_of(given.check))
    if given.list:
        for c in clauses:
            print(f"{c.name} {c.level}: {', '.join(c.tests) or 'no test'}; "
                  f"{', '.join(c.mutants) or 'no mutant'}")
    if bad:
        print(*bad, sep="\n")
    print(f"{summary(clauses)}; {len(bad)} faults")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
