# SPDX-License-Identifier: BSD-3-Clause
"""The measured tables of docs/benchmarks.md, and its pictures."""

import os
import re

import bars
import picture
import spread
from servers import COTURN, KERNEL, REPLAY, TESTPMD, TURNPIKE

BEGIN = "<!-- relaybench compare: begin. Re-made by --report; edits here are lost. -->"
END = "<!-- relaybench compare: end -->"


def text(s, scale=1.0, digits=0):
    """`median (low to high)`."""
    if s is None:
        return "-"
    one = "{:,.%df}" % digits
    return "%s (%s to %s)" % tuple(one.format(s[k] / scale) for k in ("median", "low", "high"))


def times(s, digits=2):
    return text(s, 1, digits) + (" ×" if s else "")


def row(*columns):
    return "| " + " | ".join(columns) + " |"


def table(head, rows):
    return "\n".join([row(*head), row(*["---"] * len(head)), *rows])


def rate_keys(parts):
    return sorted((k for k in parts if k.startswith("rate ")), key=lambda k: int(k.split()[1]))


def inverse(rounds, name):
    return spread.ratio(rounds, COTURN, name, "cpu_ns")


def rates(parts):
    rows = []
    for key in rate_keys(parts):
        rounds = parts[key]
        bound = all(r[TURNPIKE]["generator_bound"] for r in spread.kept(rounds, TURNPIKE))
        rows.append(row(
            "{:,}".format(int(key.split()[1])),
            text(spread.figure(rounds, TURNPIKE, "highest"), 1e3) + (" †" if bound else ""),
            text(spread.figure(rounds, COTURN, "highest"), 1e3),
            times(spread.ratio(rounds, TURNPIKE, COTURN, "highest")),
            times(spread.ratio(rounds, TURNPIKE, COTURN, "flat_out")),
            "%d of %d" % (len(spread.undisturbed(rounds, TURNPIKE, COTURN)), len(rounds))))
    return table(["allocations", "Turnpike, kpps under 0.1 % loss", "coturn, kpps",
                  "Turnpike / coturn", "the same flat out", "undisturbed rounds"], rows)


def cpu(parts):
    rows = []
    for key in rate_keys(parts):
        rounds = parts[key]
        rows.append(row("{:,}".format(int(key.split()[1])),
                        text(spread.figure(rounds, TURNPIKE, "cpu_ns")),
                        text(spread.figure(rounds, COTURN, "cpu_ns")),
                        times(inverse(rounds, TURNPIKE)),
                        text(spread.figure(rounds, REPLAY, "cpu_ns")),
                        times(inverse(rounds, REPLAY), 1)))
    return table(["allocations", "Turnpike, ns of CPU per packet", "coturn, ns", "coturn / Turnpike",
                  "Turnpike, replay, no NIC, no kernel, ns", "coturn / replay"], rows)


def set_ups(parts):
    rows = []
    for key in rate_keys(parts):
        n = int(key.split()[1])
        # Of fewer there are too few to time.
        if n < 1000:
            continue
        rounds = parts[key]
        rows.append(row(
            "{:,}".format(n), text(spread.figure(rounds, TURNPIKE, "set_ups")),
            text(spread.figure(rounds, COTURN, "set_ups")),
            times(spread.ratio(rounds, TURNPIKE, COTURN, "set_ups")),
            text(spread.figure(rounds, TURNPIKE, "segment_per_place"), 1024, 2),
            text(spread.figure(rounds, TURNPIKE, "resident_per_allocation"), 1024, 2),
            text(spread.figure(rounds, COTURN, "resident_per_allocation"), 1024, 1)))
    return table(["allocations", "Turnpike, full set-ups per second", "coturn", "Turnpike / coturn",
                  "Turnpike: KiB of segment per place", "KiB grown per allocation",
                  "coturn: KiB grown per allocation (and a socket)"], rows)


def floor(parts):
    rounds = parts["floor"]
    rows = [row(name, text(spread.figure(rounds, key, "highest"), 1e3),
                text(spread.figure(rounds, key, "flat_out"), 1e3),
                text(spread.figure(rounds, key, "cpu_ns")))
            for name, key in (("Turnpike", TURNPIKE), ("testpmd `mac`", TESTPMD))]
    rows.append(row("Turnpike / testpmd", times(spread.ratio(rounds, TURNPIKE, TESTPMD, "highest")),
                    times(spread.ratio(rounds, TURNPIKE, TESTPMD, "flat_out")),
                    times(spread.ratio(rounds, TURNPIKE, TESTPMD, "cpu_ns"))))
    return table(["1,000 flows over AF_XDP", "kpps under 0.1 % loss", "kpps flat out",
                  "ns of CPU per packet"], rows)


def delay(parts):
    rounds = parts["delay"]
    rows = [row(name, *(text(spread.figure(rounds, key, k), 1e3, 1) for k in ("p50", "p99", "p99_9")))
            for name, key in (("Turnpike", TURNPIKE), ("coturn", COTURN),
                              ("kernel forwarding, no relay", KERNEL))]
    rows.append(row("Turnpike / coturn", *(times(spread.ratio(rounds, TURNPIKE, COTURN, k))
                                           for k in ("p50", "p99", "p99_9"))))
    return table(["one way, µs", "p50", "p99", "p99.9"], rows)


def every_bar(result):
    rows = []
    for b in bars.all_of(result):
        seen, met = "not measured", "-"
        if b.seen is not None:
            seen = text(b.seen, 1, b.digits) + b.unit
            met = "yes" if b.met() else "**no**"
        of = "" if b.seen is None else "%d" % b.seen["n"] + (
            " of %d" % b.seen["of"] if "of" in b.seen else "")
        rows.append(row(b.figure, b.goal(), seen, met, of))
    return table(["figure", "bar", "seen", "met", "rounds"], rows)


def replayed(core):
    rows = []
    for c in core["cells"]:
        cycles, ratios = c["cycles_per_packet"], c["ratios"]
        rows.append(row(
            bars.WAYS[c["direction"]],
            "{:,}".format(c["channels"]) + (" ‡" if c["readdressed"] else ""),
            *(text(cycles.get(k)) for k in ("relay", "receive", "transmit", "loop",
                                            "testpmd_5tswap")),
            times(ratios.get("relay_cycles_to_5tswap_cycles")),
            times(ratios.get("loop_rate_to_5tswap_rate")),
            "%d of %d" % (c["rounds"] - c["rounds_throttled"], c["rounds"])))
    return table(["replay, no NIC, no kernel; cycles per packet", "channels", "relay logic",
                  "receive", "transmit", "whole loop", "5tswap", "relay logic / 5tswap",
                  "rate / 5tswap's", "undisturbed rounds"], rows)


def command(words):
    """What another machine would have to be told: no names and places of this one."""
    out, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("--lock", "--name", "-o", "--output", "--report", "--from"):
            skip = True
        elif word not in ("-j", "--json"):
            out.append(os.path.basename(word))
    return " ".join(out)


def caption(result):
    m = result["machine"]
    return ("%s, %d cores%s, time stamp counter %.3f GHz, kernel %s, DPDK %s, coturn %s; `%s`" % (
        m["cpu"], m["cores"], ", virtual machine" if m["virtual"] else "", m["tsc_ghz"],
        m["kernel"], m["dpdk"].replace("DPDK ", ""), result["coturn"], command(result["command"])))


def tables(result):
    parts = result["parts"]
    out = ["Machine and command: " + caption(result) + ".",
           "Every bar of section 9 of the design but the one on TLS: medians, lowest and highest of "
           "the rounds that the spin loop found undisturbed (of all, where it found none); ratios "
           "are of rounds in which both sides were undisturbed, or else of all.",
           every_bar(result)]
    if result.get("core"):
        out += [replayed(result["core"]), "`%s`" % command(result["core"]["command"]),
                "‡ more channels than the capture has packets: receive, the whole loop and its rate "
                "contain giving each packet another channel's addresses, which is the generator's "
                "work; testpmd has none of it."]
    if parts:
        out.append("The rest on direct veths, one core for each server and one for the generator "
                   "with the sink; 160 octets, client to peer.")
    if rate_keys(parts):
        out += [rates(parts), "† nothing was lost: the generator offered no more.", cpu(parts),
                "Flat out. Turnpike: counter cycles of bursts that carried packets, system calls and "
                "the peer's receive path in them included, plus the control process; coturn: run "
                "time of its threads.", set_ups(parts)]
    if parts.get("floor"):
        out.append(floor(parts))
    if parts.get("delay"):
        out += [delay(parts), "10,000 packets per second over 100 allocations."]
    return "\n\n".join(out)


def write(result, directory):
    page = os.path.join(directory, "benchmarks.md")
    images = os.path.join(directory, "images")
    os.makedirs(images, exist_ok=True)
    names = picture.write_all(result, caption(result), images)
    body = tables(result) + "".join("\n\n![%s](images/%s)" % (what, name) for name, what in names)
    block = "%s\n\n%s\n\n%s" % (BEGIN, body, END)
    with open(page) as f:
        old = f.read()
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.S)
    new = pattern.sub(lambda _: block, old) if pattern.search(old) else (
        old.rstrip("\n") + "\n\n## Beside coturn\n\n" + block + "\n")
    with open(page, "w") as f:
        f.write(new)
