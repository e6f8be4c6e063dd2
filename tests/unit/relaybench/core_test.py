#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""relaybench core runs on a hundred channels in memory: every direction, every family, each packet
forwarded and judged, and a report of the promised shape. Nothing here looks at a time."""
import json
import os
import sys

from program import check, run

DIRECTIONS = ["client-to-peer", "peer-to-client", "hairpin", "send", "data", "binding",
              "mix"]
FAMILIES = ["4", "6", "4to6"]
PAYLOADS = [1, 160, 1200]


def check_cell(cell):
    what = f"{cell['direction']} {cell['family']} {cell['payload']}: "
    check(what + "source", cell["source"] == "memory")
    check(what + "label", cell["label"] == "memory, relay logic alone")
    check(what + "channels", cell["channels"] == 100)
    check(what + "rounds", cell["rounds"] == 2 and 0 <= cell["rounds_throttled"] <= 2)
    check(what + "packets", cell["packets_forwarded"] >= 2 * 64 * 32)
    for name in ("relay", "relay_burst_median", "relay_burst_p99"):
        spread = cell["cycles_per_packet"][name]
        check(what + name, 0 < spread["low"] <= spread["median"] <= spread["high"])
    check(what + "random lines", cell["random_line_cycles"]["median"] > 0)
    check(what + "no loop without receive", "loop" not in cell["cycles_per_packet"])


def check_report(relaybench):
    r = run(relaybench, "core", "--source", "memory", "--channels", "100", "--rounds", "2", "--seconds",
            "0.002", "--family", ",".join(FAMILIES), "--payload", ",".join(map(str, PAYLOADS)),
            "--small-pages", "--no-boost", "--seed", "7", "--json")
    check(f"exit {r.returncode}: {r.stderr}", r.returncode == 0)
    j = json.loads(r.stdout)
    for name in ("cpu", "cores", "tsc_ghz", "kernel", "virtual", "memory_mib", "dpdk"):
        check("machine: " + name, name in j["machine"])
    check("command", j["command"] == ["relaybench", *r.args[1:]])
    check("version", j["version"] != "")
    check("seed", j["seed"] == 7)
    check("pages", j["huge_pages"] is False and j["boosted"] is False)
    seen = {(c["direction"], c["family"], c["payload"]) for c in j["cells"]}
    check("every cell once", len(j["cells"]) == len(seen) and seen == {
        (d, f, p) for d in DIRECTIONS for f in FAMILIES for p in PAYLOADS})
    for cell in j["cells"]:
        check_cell(cell)


def check_table(relaybench):
    r = run(relaybench, "core", "--source", "memory", "--channels", "100", "--rounds", "1", "--seconds",
            "0.002", "--direction", "send", "--zipf", "1", "--small-pages", "--no-boost")
    check(f"exit {r.returncode}: {r.stderr}", r.returncode == 0)
    rows = [line.split() for line in r.stdout.splitlines() if line.startswith("memory ")]
    check("one row: " + r.stdout, len(rows) == 1 and rows[0][:5] == [
        "memory", "send", "4", "160", "100"])


def check_lines_bar(relaybench):
    """Of more than a thousand channels, from the same packets over a thousand."""
    r = run(relaybench, "core", "--source", "memory", "--channels", "1000,4000", "--rounds", "1", "--seconds", "0.002",
            "--direction", "send", "--small-pages", "--no-boost", "-j")
    few, many = json.loads(r.stdout)["cells"]
    check("no bar of few", "lines_bar" not in few)
    bar = many["lines_bar"]
    cycles = 1.2 * (few["cycles_per_packet"]["relay"]["median"] + bar["lines"] * many["random_line_cycles"]["median"])
    check(f"bar {bar}, {cycles}", bar["lines"] == 4 and abs(bar["cycles"] - cycles) < 0.1)
    check("ratio", abs(bar["ratio"] - many["cycles_per_packet"]["relay"]["median"] / cycles) < 0.01)


def check_no_testpmd(relaybench):
    """Asked first; the figures that need none are measured."""
    path = os.environ["PATH"]
    os.environ["PATH"] = "/nowhere"
    r = run(relaybench, "core", "--channels", "100", "--rounds", "1", "--seconds", "0.002", "--direction", "send",
            "--small-pages", "--no-boost", "-j")
    check(f"exit {r.returncode}: {r.stderr}", r.returncode == 0)
    check("names the package first: " + r.stderr, "package dpdk-dev" in r.stderr.splitlines()[0])
    check("sources", {c["source"] for c in json.loads(r.stdout)["cells"]} == {"memory", "replay"})
    r = run(relaybench, "core", "--workers", "2", "--small-pages", "--no-boost")
    check(f"workers: exit {r.returncode}", r.returncode == 1 and "package dpdk-dev" in r.stderr)
    os.environ["PATH"] = path


def check_refusals(relaybench):
    for options in (["--direction", "mix", "--channels", "2"], ["--channels", "0"], ["--channels", "3"], ["--direction", "up"],
                    ["--family", "5"], ["--payload", "1500"], ["--rounds", "x"], ["extra"]):
        r = run(relaybench, "core", *options)
        check(f"{options}: exit {r.returncode}", r.returncode == 2)
        check(f"{options}: says which", options[-1] in r.stderr)


def main():
    check_report(sys.argv[1])
    check_table(sys.argv[1])
    check_lines_bar(sys.argv[1])
    if sys.argv[2] == "true":
        check_no_testpmd(sys.argv[1])
    check_refusals(sys.argv[1])


main()
