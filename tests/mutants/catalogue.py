# SPDX-License-Identifier: BSD-3-Clause
"""The list of mutants, and its places in docs/conformance.md and docs/faults.md."""
import json
import pathlib
import re
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
PAGE = "docs/conformance.md"
BEGIN, END = "<!-- tests/mutants/mutants.py --write -->", "<!-- end -->"
RFCS = ("8489", "8656")


class Mutant:
    """One clause, or the mend of one fault, disabled: `old`, once in `file`, becomes `new`."""

    def __init__(self, name, row):
        self.name = name
        self.clause, self.fault = row.get("clause"), row.get("fault")
        self.file = row["file"]
        self.old, self.new, self.tests = row["old"], row["new"], row["tests"]

    def apply(self, text):
        return text.replace(self.old, self.new)

    def subject(self):
        return f"RFC {self.clause}" if self.fault is None else f"fault {self.fault}"

    def sections(self):
        """("8489", ["9.2.4", "14.4"]); of a fault (None, [])"""
        if self.clause is None:
            return None, []
        rfc, _, rest = self.clause.partition(" ")
        return rfc, rest.split(", ")


def read():
    found = []
    for path in sorted(HERE.glob("*.toml")):
        with open(path, "rb") as f:
            found += [Mutant(name, row) for name, row in tomllib.load(f).items()]
    return found


def tests_of(build):
    """The tests of a build that are programs, by name."""
    with open(build / "meson-info" / "intro-tests.json", encoding="utf-8") as f:
        return {test["name"]: test for test in json.load(f)}


def faults(top, mutants):
    """Mutants that say nothing, or do not apply."""
    bad = []
    names = [m.name for m in mutants]
    for m in mutants:
        if names.count(m.name) > 1:
            bad.append(f"{m.name}: the name is there twice")
        if (m.clause is None) == (m.fault is None):
            bad.append(f"{m.name}: wants either a clause or a fault")
        elif m.clause and not re.fullmatch(r"\d+ \d+(\.\d+)*(, \d+(\.\d+)*)*", m.clause):
            bad.append(f"{m.name}: no clause '{m.clause}'")
        if m.old == m.new:
            bad.append(f"{m.name}: changes nothing")
        if not (top / m.file).is_file():
            bad.append(f"{m.name}: there is no {m.file}")
            continue
        count = (top / m.file).read_text(encoding="utf-8").count(m.old)
        if count != 1:
            bad.append(f"{m.name}: its old text is {count} times in {m.file}, not once")
    return bad


def untested(mutants, tests):
    """Mutants without a test, or with one that is no program of the build."""
    bad = [f"{m.name}: has no test" for m in mutants if not m.tests]
    for m in mutants:
        bad += [f"{m.name}: there is no test {name}" for name in m.tests if name not in tests]
    return bad


# ---- docs/conformance.md ------------------------------------------------------------------------

def numbers(section):
    return [int(n) for n in section.split(".")]


def table(mutants):
    clauses = {}
    for m in mutants:
        rfc, sections = m.sections()
        for section in sections:
            clauses.setdefault((rfc, section), []).append(f"`{m.name}`")
    lines = ["| RFC | section | mutants |", "|---|---|---|"]
    for rfc, section in sorted(clauses, key=lambda c: (c[0], numbers(c[1]))):
        lines.append(f"| {rfc} | {section} | {', '.join(clauses[rfc, section])} |")
    return "\n".join(lines)


def page_parts(top):
    text = (top / PAGE).read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    middle, end, after = rest.partition(END)
    return (before, middle, after) if begin and end else None


def page_faults(top, mutants):
    parts = page_parts(top)
    if parts is None:
        return [f"{PAGE}: the place of the mutants is not there"]
    if parts[1].strip() != table(mutants):
        return [f"{PAGE}: its mutants are others; tests/mutants/mutants.py --write puts it right"]
    return []


def page_write(top, mutants):
    before, _, after = page_parts(top)
    text = f"{before}{BEGIN}\n{table(mutants)}\n{END}{after}"
    (top / PAGE).write_text(text, encoding="utf-8")
    return 0


def covers(cell, section):
    """Whether the sections of a row ("7.2, 18.7" or "11, 12.4 to 15") hold this one."""
    for item in re.sub(r"RFC \d+ ", "", cell).split(", "):
        first, _, last = item.partition(" to ")
        if not last and (section == first or section.startswith(first + ".")):
            return True
        if last and numbers(first) <= numbers(section) < [numbers(last)[0] + 1]:
            return True
    return False


def rows_without(top, mutants):
    """The rows of the tables of both RFCs, counted, and those whose sections no mutant names."""
    rows, without, rfc = 0, [], None
    for line in (top / PAGE).read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            rfc = line.removeprefix("## RFC ")
        cells = line.strip("| ").split(" | ")
        if rfc not in RFCS or not re.match(r"\| \d", line):
            continue
        rows += 1
        if not any(m.sections()[0] == rfc and covers(cells[0], s)
                   for m in mutants for s in m.sections()[1]):
            without.append(f"RFC {rfc} {cells[0]}: {cells[1]}")
    return rows, without
