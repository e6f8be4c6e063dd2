#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Drives relaybench load through a quiet interval and one of replacement and floods, and judges: no
packet lost that the generator did not lose itself, and residence in the relay hardly longer."""

import argparse
import json
import os
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--relaybench", required=True)
    p.add_argument("--relayctl", required=True, help="command line up to -j")
    p.add_argument("--seconds", type=float, required=True, help="of the interval under load")
    p.add_argument("--quiet", type=float, required=True, help="seconds of the quiet interval")
    p.add_argument("--rate", type=float, required=True, help="packets per second each way")
    p.add_argument("--churn", type=float, required=True)
    p.add_argument("--flood", type=float, required=True, help="Binding and Allocate each")
    p.add_argument("--netns", action="append", default=[],
                   help="namespace whose interfaces may lose packets too")
    p.add_argument("--judge-residence", action="store_true",
                   help="the bar of ten minutes: in a few seconds one pause of the machine decides")
    p.add_argument("--output")
    p.add_argument("load", nargs="+", help="options of relaybench load")
    return p.parse_args()


def ask_relay(relayctl, *words):
    return json.loads(subprocess.run(relayctl.split() + ["-j", *words], capture_output=True,
                                     text=True, check=True).stdout)


def residence(relayctl):
    """Packets by time inside the relay, of all workers."""
    workers = ask_relay(relayctl, "worker", "show")
    return [sum(slots) for slots in zip(*(w["residence_ns"] for w in workers))]


def part_ns(slots, part):
    """Slot n holds 2^n to 2^(n+1) - 1 ns; within a slot as if evenly spread."""
    want, seen = part * sum(slots), 0
    for n, count in enumerate(slots):
        if count and seen + count >= want:
            return 2 ** n * (1 + (want - seen) / count)
        seen += count
    return 0


def kernel_drops():
    """Packets that the kernel's own queues dropped, on any core: no relay has seen them."""
    with open("/proc/net/softnet_stat") as f:
        return sum(int(line.split()[1], 16) for line in f)


def interface_drops(netns):
    """Returns each interface's drops on the way in and out; a veth counts packets that its other
    end had no room for as dropped on the way out."""
    found = {}
    for name in netns:
        out = subprocess.run(["ip", "-n", name, "-j", "-s", "link"], capture_output=True,
                             text=True, check=True).stdout
        for link in json.loads(out):
            for way in ("rx", "tx"):
                what = "%s of %s in %s" % (way, link["ifname"], name)
                found[what] = link["stats64"][way]["dropped"]
    return found


def stolen_ms():
    """Returns how long the host gave the cores of a virtual machine to others."""
    with open("/proc/stat") as f:
        return {"core %s" % line.split()[0][3:]: int(line.split()[8]) * 1000 // TICKS
                for line in f if line.startswith("cpu") and line[3].isdigit()}


def losses(a):
    """Where packets may have been lost, and why a worker may have come late: cause -> count so far."""
    found = {"dropped by the relay, " + d["reason"]: d["packets"]
             for d in ask_relay(a.relayctl, "drop", "show", "all")}
    found["dropped by the kernel's backlog"] = kernel_drops()
    for what, n in interface_drops(a.netns).items():
        found["dropped by an interface, " + what] = n
    for core, ms in stolen_ms().items():
        found["ms taken by the host from " + core] = ms
    for w in ask_relay(a.relayctl, "worker", "show"):
        found["worker %d taken off its core" % w["worker"]] = w["preempted"]
    return found


class Load:
    def __init__(self, words):
        self.child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True, bufsize=1)
        self.setup = self.answer()["setup"]

    def answer(self):
        line = self.child.stdout.readline()
        if not line:
            sys.exit("relaybench load ended")
        return json.loads(line)

    def ask(self, line):
        self.child.stdin.write(line + "\n")
        return self.answer()


def interval(load, a, line):
    before, dropped, lost = residence(a.relayctl), kernel_drops(), losses(a)
    result = load.ask("interval direction=both sink=full rate=%d %s" % (a.rate, line))
    after = residence(a.relayctl)
    slots = [y - x for x, y in zip(before, after)]
    result["residence_ns"] = {"p50": part_ns(slots, 0.5), "p99": part_ns(slots, 0.99),
                              "p99_9": part_ns(slots, 0.999), "slots": slots}
    result["kernel_dropped"] = kernel_drops() - dropped
    # Housekeeping looks at the ports' own counters once a second.
    time.sleep(1.2)
    result["where"] = {k: n - lost[k] for k, n in losses(a).items() if n > lost[k]}
    for direction in ("up", "down"):
        del result[direction]["delay_ns"]["slots"]
    return result


def verdict(what, good):
    print("%s - %s" % ("ok" if good else "not ok", what), flush=True)
    return good


def judge(quiet, loud, setup, judge_residence):
    good = True
    for name, s in (("quiet", quiet), ("under load", loud)):
        for d in ("up", "down"):
            t = s[d]
            excused = t["unread"] + s["kernel_dropped"]
            good &= verdict(
                "%s, %s: %d sent, %d lost (%d dropped by the kernel's own queues), %d wrong" % (
                    name, d, t["sent"], t["lost"], s["kernel_dropped"], t["wrong"]),
                t["sent"] > 0 and t["lost"] <= excused and t["wrong"] == 0)
        for place, n in s["where"].items():
            print("  %s, %s: %d" % (name, place, n), flush=True)
    one, other = (s["residence_ns"]["p99_9"] for s in (quiet, loud))
    what = "residence p99.9: quiet %.1f us, under load %.1f us, %.2f times" % (
        one / 1e3, other / 1e3, other / max(1, one))
    if judge_residence:
        good &= verdict(what, other <= 2 * one)
    else:
        print("  " + what, flush=True)
    good &= verdict("%d allocations replaced, %d failed; floods: %d Binding, %d Allocate, %d "
                    "answers" % (setup["replaced"], setup["failed"], loud["flood_binding"],
                                 loud["flood_allocate"], loud["flood_answers"]),
                    setup["failed"] == 0 and setup["replaced"] > 0 and loud["flood_answers"] > 0)
    return good


def main():
    a = arguments()
    load = Load([a.relaybench, "load", "--interactive", *a.load])
    print("%d allocations in %.1f s" % (load.setup["live"], load.setup["seconds"]), flush=True)
    quiet = interval(load, a, "seconds=%g" % a.quiet)
    loud = interval(load, a, "seconds=%g churn=%g flood_binding=%g flood_allocate=%g" % (
        a.seconds, a.churn, a.flood, a.flood))
    setup = load.ask("setup")
    load.child.stdin.close()
    load.child.wait()
    if a.output:
        with open(a.output, "w") as f:
            json.dump({"setup": setup, "quiet": quiet, "loud": loud}, f, indent=1)
    return 0 if judge(quiet, loud, setup, a.judge_residence) else 1


if __name__ == "__main__":
    sys.exit(main())
