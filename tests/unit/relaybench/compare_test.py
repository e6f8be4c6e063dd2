#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What relaybench compare makes of its rounds: which are kept, the ratios, page and pictures."""

import os
import sys
import tempfile
import xml.dom.minidom

sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True

import report
import spread

failed = 0


def check(what, good):
    global failed
    if not good:
        failed += 1
        print("not ok - " + what)


def rate(highest, cpu_ns, spin=5.0):
    return {"highest": highest, "flat_out": highest * 1.1, "cpu_ns": cpu_ns, "spin": spin,
            "generator_bound": False, "set_ups": 5000, "segment_per_place": 900,
            "resident_per_allocation": 300}


def delay(p50, spin=5.0):
    return {"p50": p50, "p99": 2 * p50, "p99_9": 4 * p50, "spin": spin,
            "slots": [[p50 // 2, 500], [p50, 490], [4 * p50, 10]]}


def example():
    rates = [{"turnpike": rate(300e3, 1000), "coturn": rate(100e3, 5000)},
             {"turnpike": rate(500e3, 900), "coturn": rate(100e3, 4500)},
             # A slow moment of one side takes the round out for both.
             {"turnpike": rate(100e3, 9000, 9.0), "coturn": rate(100e3, 5000)},
             {"turnpike": rate(400e3, 1100), "coturn": None},
             {"turnpike": rate(400e3, 1000), "coturn": rate(100e3, 4000)}]
    delays = [{"turnpike": delay(10000), "coturn": delay(40000), "kernel": delay(3000)}]
    parts = {"rate 100": rates, "rate 1000": rates[:2], "delay": delays}
    for rounds in parts.values():
        spread.settle(rounds)
    return {"parts": parts, "command": ["relaybench", "compare", "--quick", "--lock", "/here/lock"], "coturn": "4.6.1",
            "machine": {"cpu": "A CPU <&>", "cores": 2, "virtual": True, "tsc_ghz": 2.0,
                        "kernel": "6", "dpdk": "DPDK 22.11"}}


def rounds_are_kept_or_not(result):
    rounds = result["parts"]["rate 100"]
    check("throttled", [r["turnpike"]["throttled"] for r in rounds] == [
        False, False, True, False, False])
    ratio = spread.ratio(rounds, "turnpike", "coturn", "highest")
    check("ratios within rounds", ratio == {"median": 4.0, "low": 3.0, "high": 5.0, "n": 3})
    check("figures of one side", spread.figure(rounds, "turnpike", "highest")["n"] == 4)
    slow = [{"turnpike": dict(rate(1, 1), throttled=True)}]
    check("nothing but slow moments: all are kept, and it is told",
          len(spread.kept(slow, "turnpike")) == 1 and not spread.undisturbed(slow, "turnpike"))
    check("no figure", spread.of([None]) is None)


def page_is_remade(result, directory):
    page = directory + "/benchmarks.md"
    with open(page, "w") as f:
        f.write("# Benchmarks\n\nbefore\n\n%s\nold\n%s\n\nafter\n" % (report.BEGIN, report.END))
    report.write(result, None, directory)
    with open(page) as f:
        first = f.read()
    report.write(result, None, directory)
    with open(page) as f:
        check("a second time changes nothing", f.read() == first)
    check("text around it stays", first.startswith("# Benchmarks\n\nbefore\n") and
          first.endswith("\n\nafter\n") and "old" not in first)
    check("the median ratio is told", "| 4.00 (3.00 to 5.00) × |" in first)
    check("kept rounds are told", "| 3 of 5 |" in first)
    check("the command, without places", "`relaybench compare --quick`" in first)
    check("CPU is told the other way round", "5.00 (4.00 to 5.00) ×" in first)
    for name in ("rate.svg", "cpu.svg", "delay.svg"):
        path = directory + "/images/" + name
        check("picture " + name, os.path.exists(path) and "images/" + name in first)
        xml.dom.minidom.parse(path)


with tempfile.TemporaryDirectory() as place:
    example_result = example()
    rounds_are_kept_or_not(example_result)
    page_is_remade(example_result, place)
sys.exit(1 if failed else 0)
