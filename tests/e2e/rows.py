#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The table of docs/coturn.md: rows_test.sh against both servers.

    rows.py            runs the test against each, as root, and prints the table
    rows.py --write    puts it into docs/coturn.md

TURNPIKE_BUILD, TURNPIKE_TEST_LAB and TURNPIKE_TEST_COTURN as for any end-to-end test.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs/coturn.md"
BEGIN, END = "<!-- tests/e2e/rows.py --write -->", "<!-- end -->"
SERVERS = ("turnpike", "coturn")


def run(server):
    """{row: what was seen}"""
    with tempfile.NamedTemporaryFile("r") as rows:
        env = os.environ | {"TURNPIKE_TEST_SERVER": server, "TURNPIKE_TEST_ROWS": rows.name}
        status = subprocess.run([HERE / "rows_test.sh"], env=env, check=False,
                                stdout=sys.stderr).returncode
        if status != 0:
            print(f"rows.py: the test ends with {status} against {server}", file=sys.stderr)
        seen = dict(line.rstrip("\n").split("\t") for line in rows)
    # The table of the page stays as it is.
    if not seen:
        sys.exit(f"rows.py: no rows against {server}")
    return seen


def version():
    turnserver = os.environ.get("TURNPIKE_TEST_COTURN", "turnserver")
    text = subprocess.run([turnserver, "--version"], check=False, capture_output=True,
                          text=True).stdout
    found = re.findall(r"\d+\.\d+\.\d+", text)
    return found[-1] if found else "of unknown version"


def table():
    seen = [run(server) for server in SERVERS]
    lines = [f"| client | Turnpike | coturn {version()} |", "|---|---|---|"]
    for name in seen[0] | seen[1]:
        lines.append(f"| {name} | " + " | ".join(s.get(name, "not run") for s in seen) + " |")
    return "\n".join(lines)


def main():
    made = table()
    if "--write" not in sys.argv[1:]:
        print(made)
        return 0
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        print(f"rows.py: {PAGE} has no place for the table")
        return 1
    PAGE.write_text(f"{before}{BEGIN}\n{made}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
