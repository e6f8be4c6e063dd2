#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The evaluation of relaybench compare: the rounds kept, the ratios, page and pictures."""

import os
import sys
import tempfile
import xml.dom.minidom

sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True

import bars
import report
import spread

failed = 0


def check(what, good):
    global failed
    if not good:
        failed += 1
        print("not ok - " + what)


def rate(highest, cpu_ns, spin=5.0):
    return {"highest": highest, "flat_out": highest * 1.1, "cpu_ns": cpu_ns, "spin": spin, "spin_least": spin,
            "generator_bound": False, "set_ups": 5000, "segment_per_place": 900,
            "resident_per_allocation": 300}


def delay(p50, spin=5.0):
    return {"p50": p50, "p99": 2 * p50, "p99_9": 4 * p50, "spin": spin, "spin_least": spin,
            "slots": [[p50 // 2, 500], [p50, 490], [4 * p50, 10]]}


def example():
    rates = [{"turnpike": rate(300e3, 1000), "coturn": rate(100e3, 5000)},
             {"turnpike": rate(500e3, 900), "coturn": rate(100e3, 4500)},
             # One side had the slower core: no ratio, but a figure of each.
             {"turnpike": rate(100e3, 9000, 9.0), "coturn": rate(100e3, 5000)},
             # Next to no core, and one that changed: no figure.
             {"turnpike": rate(1, 9000, 10.1), "coturn": dict(rate(1, 1), spin=5.8)},
             {"turnpike": rate(400e3, 1100), "coturn": None},
             {"turnpike": rate(400e3, 1000), "coturn": rate(100e3, 4000)}]
    delays = [{"turnpike": delay(10000), "coturn": delay(40000), "kernel": delay(3000)}]
    thousand = [{"turnpike": rate(600e3, 1000), "coturn": rate(100e3, 5000)}]
    big = {"turnpike": rate(699e3, 1000), "coturn": rate(100e3, 7500),
           "replay": {"cpu_ns": 50, "spin": 5.0, "spin_least": 5.0}}
    large = [{"turnpike": dict(rate(1, 1), bits=6e9), "coturn": dict(rate(1, 1), bits=2e9)}]
    floor = {"turnpike": rate(180e3, 1000), "testpmd": rate(200e3, 500)}
    parts = {"rate 100": rates, "rate 1000": thousand, "rate 5000": [big], "large": large, "floor": [floor],
             "delay": delays}
    for rounds in parts.values():
        spread.settle(rounds)
    core = [core_cell("client-to-peer", 1000, 0.6, 0.65, 9),
            core_cell("peer-to-client", 1000, 0.61, 0.64, 4), core_cell("send", 1000, 0.9, 0, 4),
            core_cell("data", 1000, 0.91, 0, 4), core_cell("client-to-peer", 1000000, 1.15, 0, 4)]
    memory = [dict(core_cell(way, 1000000, 0, 0, 4), lines_bar={"lines": 4, "cycles": cycles})
              for way, cycles in (("client-to-peer", 100), ("peer-to-client", 99))]
    counted = [{"direction": d, "instructions_per_packet": n} for d, n in (
        ("client-to-peer", 290.0), ("peer-to-client", 320.1), ("send", 470), ("data", 521), ("hairpin", 520))]
    return {"parts": parts, "core": {"cells": core, "command": ["relaybench", "core"],
                                     "machine": {"tsc_ghz": 2.0}},
            "memory": {"cells": memory}, "instructions": {"cells": counted},
            "large_payload": 1200, "coturn_settings": ["multiplex-peer", "udp-gso"],
            "workers": {"cells": [{"direction": "hairpin", "ratio": 0.94,
                                   "rounds": [{"ratio": 0.9}, {"ratio": 0.96}]}]},
            "setup": {"setups_per_second": spread_of(130000), "batches": 5,
                      "memory": {"segment_bytes_per_allocation": 1025}},
            "command": ["relaybench", "compare", "--quick", "--lock", "/here/lock"], "coturn": "4.6.1",
            "machine": {"cpu": "A CPU <&>", "cores": 2, "virtual": True, "tsc_ghz": 2.0,
                        "kernel": "6", "dpdk": "DPDK 22.11"}}


def rounds_are_kept_or_not(result):
    rounds = result["parts"]["rate 100"]
    check("throttled", [r["turnpike"]["throttled"] for r in rounds] == [
        False, False, False, True, False, False])
    check("throttled or changed", rounds[3]["turnpike"]["throttled"] and
          rounds[3]["coturn"]["throttled"])
    ratio = spread.ratio(rounds, "turnpike", "coturn", "highest")
    check("ratios within rounds", ratio == {"median": 4.0, "low": 3.0, "high": 5.0, "n": 3})
    check("figures of one side", spread.figure(rounds, "turnpike", "highest")["n"] == 5)
    slow = [{"turnpike": dict(rate(1, 1), throttled=True)}]
    check("nothing but slow moments: all are kept, and it is told",
          len(spread.kept(slow, "turnpike")) == 1 and not spread.undisturbed(slow, "turnpike"))
    check("no figure", spread.of([None]) is None)


def spread_of(median, low=None, high=None):
    return {"median": median, "low": low or median, "high": high or median}


def core_cell(way, channels, ratio, rate, throttled):
    cycles = {k: spread_of(100) for k in ("relay", "receive", "transmit", "loop", "testpmd_5tswap")}
    return {"source": "replay", "direction": way, "family": "4", "payload": 160,
            "channels": channels, "readdressed": channels > 16384, "rounds": 9, "rounds_throttled": throttled,
            "cycles_per_packet": cycles, "packets_per_second": {"loop": spread_of(1e6)},
            "ratios": {"relay_cycles_to_5tswap_cycles": spread_of(ratio),
                       "loop_rate_to_5tswap_rate": spread_of(rate)}}


def bars_are_judged(result):
    """Each bar from its own figures: just met, then just not."""
    of_figure = {b.figure: b for b in bars.all_of(result)}
    check("nothing measured is nothing met", not of_figure or all(
        b.met() is None for b in bars.all_of({"parts": {}})))
    for start, met in (
            ("relay logic, cycles to those of all of 5tswap: client to peer, 1,000 ", True),
            ("relay logic, cycles to those of all of 5tswap: peer to client, 1,000 ", False),
            ("relay logic, cycles to those of all of 5tswap: Send to datagram", True),
            ("relay logic, cycles to those of all of 5tswap: datagram to Data", False),
            ("instructions per packet: client to peer", True), ("instructions per packet: peer to client", False),
            ("instructions per packet: Send", True), ("instructions per packet: datagram to Data", False),
            ("instructions per packet: hairpin", True),
            ("cycles at 1,000,000 channels to 1.2 times those at 1,000 and four random cache lines: client", True),
            ("cycles at 1,000,000 channels to 1.2 times those at 1,000 and four random cache lines: peer", False),
            ("whole loop, packets to those of 5tswap: client to peer", True),
            ("whole loop, packets to those of 5tswap: peer to client", False),
            ("coturn's CPU time", True), ("AF_XDP on direct veths, to testpmd mac: rate", True),
            ("rate under 0.1 % loss to coturn's, 1,000", True),
            ("rate under 0.1 % loss to coturn's, 5,000", False),
            ("delay above kernel", True), ("delay to coturn's, p99", True),
            ("two workers' gain to that of two testpmd cores: hairpin", False),
            ("full set-ups", True), ("segment per allocation", False)):
        found = [b for f, b in of_figure.items() if f.startswith(start)]
        check("bar: " + start, len(found) == 1 and found[0].met() is met)
    check("rounds of the workers", of_figure[
        "two workers' gain to that of two testpmd cores: hairpin"].seen["high"] == 0.96)
    bound = result["parts"]["floor"][0]
    bound["testpmd"]["generator_bound"] = True
    check("the generator was the limit: CPU is judged",
          bars.floor_seen(result["parts"]["floor"])[1]["median"] == 0.5)
    bound["testpmd"]["generator_bound"] = False


def page_is_remade(result, directory):
    page = directory + "/benchmarks.md"
    with open(page, "w") as f:
        f.write("# Benchmarks\n\nbefore\n\n%s\nold\n%s\n\nafter\n" % (report.BEGIN, report.END))
    report.write(result, directory)
    with open(page) as f:
        first = f.read()
    report.write(result, directory)
    with open(page) as f:
        check("a second time changes nothing", f.read() == first)
    check("text around it stays", first.startswith("# Benchmarks\n\nbefore\n") and
          first.endswith("\n\nafter\n") and "old" not in first)
    check("the median ratio is told", "| 4.00 (3.00 to 5.00) × |" in first)
    check("kept rounds are told", "| 3 of 6 |" in first)
    check("bars are told", "| at least 150.0 × | 150.0 (150.0 to 150.0) × | yes | 1 |" in first and
          "| at most 0.60 × | 0.60 (0.60 to 0.60) × | yes | 0 of 9 |" in first)
    check("figures are told beside another's", "| cycles of relay logic per packet, client to peer, "
          "channels: 1,000 | all of testpmd `5tswap` | 100 | 100 |" in first)
    check("large payloads", "| Gbit/s of 1,200-byte payloads under 0.1 % loss, allocations: 1,000 | coturn | 6.00 | "
          "2.00 | 3.00 (3.00 to 3.00) × | 1 of 1 |" in first)
    check("coturn's settings are told", "coturn 4.6.1 --multiplex-peer --udp-gso;" in first)
    check("replay has its label", "replay, no NIC, no kernel, allocations: 5,000 | coturn |" in first)
    check("the command, without places", "`relaybench compare --quick`" in first)
    check("CPU is told the other way round", "5.00 (4.00 to 5.00) ×" in first)
    for name in ("rate.svg", "cpu.svg", "delay.svg"):
        path = directory + "/images/" + name
        check("picture " + name, os.path.exists(path) and "images/" + name in first)
        xml.dom.minidom.parse(path)


with tempfile.TemporaryDirectory() as place:
    example_result = example()
    rounds_are_kept_or_not(example_result)
    bars_are_judged(example_result)
    page_is_remade(example_result, place)
sys.exit(1 if failed else 0)
