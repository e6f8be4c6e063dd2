#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""relaybench compare: Turnpike and coturn in the same lab, in alternating rounds."""

import argparse
import json
import os
import signal
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import alone
import report
import spread
import streams
from host import Failure, Lab, Lock, many_files, run, say, spin
from load import Load
from measure import (DELAY_RATE, LARGE, datachannel_cell, delay_cell, floor_cell, large_cell,
                     rate_cell, silence_cell)
from servers import (CORE, COTURN, KERNEL, REPLAY, TESTPMD, TURNPIKE, Coturn, Kernel, Replay, Testpmd,
                     Turnpike, coturn_settings)

FLOOR_FLOWS = 1000
LAB_PARTS = ("rate", "large", "floor", "delay")
# By name alone: the first has a table of its own, the second needs aiortc, the third takes long.
STREAMS, DATACHANNEL, SILENCE = "streams", "datachannel", "silence"


def arguments():
    p = argparse.ArgumentParser(
        prog="relaybench compare", description=__doc__,
        epilog="Needs root and two cores: the server's is core 1, the generator's core 0. "
        "Exit: 0 measured, 1 something failed, 2 usage.")
    p.add_argument("--coturn", default="turnserver", metavar="PATH", help="coturn's server program")
    p.add_argument("--rounds", type=int, default=5, help="of every figure (5)")
    p.add_argument("--seconds", type=float, default=2, help="of each interval of traffic (2)")
    p.add_argument("--allocations", default="1,100,1000,5000", help="numbers of them")
    p.add_argument("--quick", action="store_true", help="3 rounds, intervals of 0.6 s, and less of the rest")
    p.add_argument("--only", choices=[*LAB_PARTS, STREAMS, DATACHANNEL, SILENCE, *alone.PARTS], action="append",
                   help="parts of it; may be repeated")
    p.add_argument("--streams", action="append", choices=[name for name, *_ in streams.MEASURES],
                   help="with --only streams: parts of it; may be repeated")
    p.add_argument("--idle", type=int, default=2000, help="TLS clients without traffic (2000)")
    p.add_argument("--lock", help="a file to lock while measuring, against other benchmarks")
    p.add_argument("--name", default="compare", help="of the lab (compare)")
    p.add_argument("--report", nargs="?", const="docs", metavar="DIRECTORY",
                   help="re-make the measured tables of DIRECTORY/benchmarks.md and its pictures")
    p.add_argument("--from", dest="source", metavar="FILE",
                   help="measure nothing: report on an earlier --output")
    p.add_argument("-o", "--output", help="JSON to a file")
    p.add_argument("-j", "--json", action="store_true", help="JSON on standard output")
    a = p.parse_args()
    if a.quick:
        a.rounds, a.seconds = 3, 0.6
    if not 1 <= a.rounds <= 50 or not 0.1 <= a.seconds <= 60:
        p.error("--rounds: 1 to 50; --seconds: 0.1 to 60")
    try:
        a.sizes = [int(n) for n in a.allocations.split(",")]
    except ValueError:
        p.error("--allocations: whole numbers with commas")
    # coturn has a port of one address for each.
    if not all(1 <= n <= 16000 for n in a.sizes):
        p.error("--allocations: 1 to 16000 each")
    return a


class Context:
    """Shared by all measurements."""

    def __init__(self, a, lab_tool, build):
        self.a = a
        self.relaybench = build + "/tools/relaybench/relaybench"
        self.build = build
        self.lab = Lab(lab_tool, a.name)
        self.seconds = a.seconds
        self.delay_seconds = max(1.0, a.seconds)
        self.tsc_hz = None
        self.machine = None

    def server(self, name):
        if name == TURNPIKE:
            return Turnpike(self.lab, self.build, self.tsc_hz)
        if name == COTURN:
            return Coturn(self.lab, self.a.coturn)
        return {TESTPMD: Testpmd, REPLAY: Replay, KERNEL: Kernel}[name](self.lab)

    def streams_server(self, name):
        return streams.server_of(self, name)

    def look_at_machine(self):
        with self.server(KERNEL) as kernel:
            with Load(self.relaybench, self.lab, kernel, 1) as load:
                self.machine = load.machine
        self.tsc_hz = self.machine["tsc_ghz"] * 1e9


def cell(context, name, what, measure, *rest):
    """One server, up and down again; a failure leaves a hole, not an end."""
    server = context.streams_server(name) if measure is streams.streams_cell else context.server(name)
    try:
        with Lock(context.a.lock):
            before = spin(CORE)
            # Not a `with`: a half-way start is taken down, too.
            try:
                done = measure(context, server.__enter__(), *rest)
            finally:
                server.__exit__()
            after = spin(CORE)
            done["spin"], done["spin_least"] = max(before, after), min(before, after)
    except (Failure, OSError, KeyError) as e:
        say("%s, %s: left out: %s" % (what, name, e))
        return None
    say("%s, %s: %s" % (what, name, ", ".join(
        "%s %.6g" % (k, v) for k, v in done.items() if isinstance(v, (int, float)))))
    return done


def turn_about(names, round_number):
    return names if round_number % 2 == 0 else list(reversed(names))


def measure_all(context, a):
    wanted = a.only or LAB_PARTS
    parts = {}
    for number in range(a.rounds):
        if "rate" in wanted:
            for n in a.sizes:
                key = "rate %d" % n
                parts.setdefault(key, []).append({
                    name: cell(context, name, "round %d, %s" % (number + 1, key),
                               alone.replay_cell if name == REPLAY else rate_cell, n)
                    for name in turn_about([TURNPIKE, COTURN, REPLAY], number)})
        if "large" in wanted:
            parts.setdefault("large", []).append({
                name: cell(context, name, "round %d, large payloads" % (number + 1), large_cell, FLOOR_FLOWS)
                for name in turn_about([TURNPIKE, COTURN], number)})
        if "floor" in wanted:
            done = {}
            for name in turn_about([TURNPIKE, TESTPMD], number):
                done[name] = cell(context, name, "round %d, floor" % (number + 1),
                                  floor_cell if name == TESTPMD else rate_cell, FLOOR_FLOWS)
            parts.setdefault("floor", []).append(done)
        if "delay" in wanted:
            parts.setdefault("delay", []).append({
                name: cell(context, name, "round %d, delay" % (number + 1), delay_cell)
                for name in turn_about([TURNPIKE, COTURN, KERNEL], number)})
        if SILENCE in wanted:
            parts.setdefault(SILENCE, []).append({
                name: cell(context, name, "round %d, silence" % (number + 1), silence_cell)
                for name in turn_about([TURNPIKE, COTURN, KERNEL], number)})
        if DATACHANNEL in wanted:
            parts.setdefault(DATACHANNEL, []).append({
                name: cell(context, name, "round %d, data channel" % (number + 1), datachannel_cell)
                for name in turn_about([TURNPIKE, COTURN], number)})
        for one in streams.MEASURES if STREAMS in wanted else ():
            if a.streams is None or one[0] in a.streams:
                key = "streams " + one[0]
                parts.setdefault(key, []).append({
                    name: cell(context, name, "round %d, %s" % (number + 1, key), streams.streams_cell, *one)
                    for name in turn_about([TURNPIKE, COTURN], number)})
    for rounds in parts.values():
        spread.settle(rounds)
    return parts


def coturn_version(program):
    words = run(program, "--version", check=False).split()
    return words[0] if words else "unknown"


def measure(a):
    top = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
    build = os.environ.get("RELAYBENCH_BUILD", os.path.join(top, "build"))
    os.environ["TURNPIKE_BUILD"] = build
    if os.geteuid() != 0:
        raise Failure("needs root: the lab is made of namespaces")
    if shutil.which(a.coturn) is None:
        raise Failure("no '%s': install coturn, or --coturn PATH" % a.coturn)
    many_files()
    context = Context(a, os.path.join(top, "tools/lab"), build)
    try:
        context.look_at_machine()
        others = alone.measure(context, a.only or alone.PARTS)
        parts = measure_all(context, a)
    finally:
        context.lab.down()
    return {"tool": "relaybench compare", "command": ["relaybench", "compare"] + sys.argv[1:],
            "machine": context.machine, "coturn": coturn_version(a.coturn),
            "coturn_settings": coturn_settings(a.coturn), "large_payload": LARGE, "seconds": a.seconds, "delay_rate": DELAY_RATE, "parts": parts, **others}


def main():
    a = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        if a.source is not None:
            with open(a.source) as f:
                result = json.load(f)
        else:
            result = measure(a)
    except (Failure, OSError) as e:
        say(str(e))
        return 1
    if a.output is not None:
        with open(a.output, "w") as f:
            json.dump(result, f, indent=1)
            f.write("\n")
    if a.report is not None:
        report.write(result, a.report)
    if a.json:
        json.dump(result, sys.stdout, indent=1)
        print()
    elif any(key.startswith(STREAMS) for key in result["parts"]):
        print(streams.table(result["parts"]))
    else:
        print(report.tables(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
