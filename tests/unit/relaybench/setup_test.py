#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""relaybench setup sets two thousand allocations up, reloads, takes them over and ends them, and reports it in
the promised shape. Nothing here looks at a time."""
import json
import sys

from program import check, run


def check_spread(j, name):
    check(name, 0 < j[name]["low"] <= j[name]["median"] <= j[name]["high"])


def check_report(relaybench, credentials, *options):
    r = run(relaybench, "setup", "--allocations", "2000", "--batch", "700", "--small-pages", "--no-boost",
            "--json", *options)
    check(f"exit {r.returncode}: {r.stderr}", r.returncode == 0)
    j = json.loads(r.stdout)
    check("command", j["command"] == ["relaybench", *r.args[1:]])
    check("label", j["label"] == "through the rings, no NIC, no kernel")
    check("batches", j["batches"] == 3 and j["allocations"] == 2000)
    check("credentials", j["credentials"] == credentials)
    for name in ("setups_per_second", "setups_per_cpu_second", "cpu_us_per_setup"):
        check_spread(j, name)
    check("memory", j["memory"]["segment_bytes_per_allocation"] > 4 * 128)
    return j


def check_end(relaybench):
    end = check_report(relaybench, "static", "--end")["end"]
    check("recovery", end["recovery_seconds"] > 0)
    check("steps", end["steps"] > 0 and 0 < end["longest_step_cpu_us"])


def check_reload(relaybench):
    """The tool itself fails where an allocation, a counter or too many permissions are lost."""
    reload = check_report(relaybench, "static", "--reload")["reload"]
    check("some permissions ended, not all", 0 < reload["permissions_revoked"] < 2000)
    check("steps", reload["steps"] > 1 and reload["call_us"] > 0)


def check_refusals(relaybench):
    for options in (["--allocations", "0"], ["--batch", "x"], ["--users", "1.5"], ["extra"]):
        r = run(relaybench, "setup", *options)
        check(f"{options}: exit {r.returncode}", r.returncode == 2)
        check(f"{options}: says which", options[-1] in r.stderr)


def main():
    check_end(sys.argv[1])
    check("not ended", check_report(sys.argv[1], "rest", "--rest")["end"] is None)
    check_reload(sys.argv[1])
    check_refusals(sys.argv[1])


main()
