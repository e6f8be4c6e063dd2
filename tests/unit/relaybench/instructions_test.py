#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""relaybench core --instructions counts all five directions, and the same ones in each run. Without
valgrind it says so before anything is measured."""
import json
import os
import shutil
import sys

from program import check, run

DIRECTIONS = ["client-to-peer", "peer-to-client", "hairpin", "send", "data"]


def counted(relaybench, *options):
    r = run(relaybench, "core", "--instructions", "--channels", "100", "--small-pages", "--no-boost", "-j", *options)
    check(f"exit {r.returncode}: {r.stderr}", r.returncode == 0)
    return {c["direction"]: c["instructions_per_packet"] for c in json.loads(r.stdout)["cells"]}


def check_missing(relaybench):
    path = os.environ["PATH"]
    os.environ["PATH"] = "/nowhere"
    r = run(relaybench, "core", "--instructions")
    os.environ["PATH"] = path
    check(f"without valgrind: exit {r.returncode}", r.returncode == 1)
    check("names package and remedy: " + r.stderr, "package valgrind" in r.stderr and "tools/packages" in r.stderr)


def main():
    check_missing(sys.argv[1])
    if shutil.which("valgrind") is None:
        sys.exit(77)
    first = counted(sys.argv[1])
    check(f"directions {list(first)}", list(first) == DIRECTIONS)
    check(f"plausible {first}", all(100 < n < 5000 for n in first.values()))
    # A hairpin is both a packet of a client and one to a client.
    check(f"hairpin {first}", first["hairpin"] > max(first["client-to-peer"], first["peer-to-client"]))
    # The fast path takes both families: the slow one needs about twice as many, or more.
    ip6 = counted(sys.argv[1], "--family", "6", "--direction", "hairpin,send,data")
    check(f"IPv4 {first}, IPv6 {ip6}", all(n < 1.4 * first[d] for d, n in ip6.items()) and len(ip6) == 3)
    again = counted(sys.argv[1], "--direction", "client-to-peer,data")
    check(f"{first}, then {again}", again == {d: first[d] for d in again} and len(again) == 2)


main()
