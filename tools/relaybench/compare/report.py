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


def middle(s, scale=1.0, digits=0):
    """The median alone."""
    return "-" if s is None else ("{:,.%df}" % digits).format(s["median"] / scale)


def of_rounds(rounds, *names):
    return "%d of %d" % (len(spread.undisturbed(rounds, *names)), len(rounds))


def load_figures(key, rounds):
    """One number of allocations: rate, CPU time, and set-ups with their memory."""
    n = "{:,}".format(int(key.split()[1]))
    of = of_rounds(rounds, TURNPIKE, COTURN)
    bound = all(r[TURNPIKE]["generator_bound"] for r in spread.kept(rounds, TURNPIKE))

    def beside(figure, name, ratio, scale=1.0, digits=0, mark=""):
        return row("%s, allocations: %s" % (figure, n), "coturn",
                   middle(spread.figure(rounds, TURNPIKE, name), scale, digits) + mark,
                   middle(spread.figure(rounds, COTURN, name), scale, digits), times(ratio), of)

    rows = [beside("thousand packets per second under 0.1 % loss", "highest",
                   spread.ratio(rounds, TURNPIKE, COTURN, "highest"), 1e3,
                   mark=" †" if bound else ""),
            beside("ns of CPU per packet, flat out", "cpu_ns", inverse(rounds, TURNPIKE))]
    replay = spread.figure(rounds, REPLAY, "cpu_ns")
    if replay:
        rows.append(row("ns of CPU per packet, replay, no NIC, no kernel, allocations: " + n, "coturn",
                        middle(replay), middle(spread.figure(rounds, COTURN, "cpu_ns")),
                        times(inverse(rounds, REPLAY), 1), of))
    # Fewer allocations are set up too quickly to time.
    if int(key.split()[1]) >= 1000:
        rows.append(beside("full set-ups per second", "set_ups",
                           spread.ratio(rounds, TURNPIKE, COTURN, "set_ups")))
        rows.append(beside("KiB of memory grown per allocation", "resident_per_allocation",
                           spread.ratio(rounds, COTURN, TURNPIKE, "resident_per_allocation"),
                           1024, 1))
    return rows


def large_figures(rounds, payload):
    return [row("Gbit/s of %s-byte payloads under 0.1 %% loss, allocations: 1,000" % "{:,}".format(payload), "coturn",
                *(middle(spread.figure(rounds, name, "bits"), 1e9, 2) for name in (TURNPIKE, COTURN)),
                times(spread.ratio(rounds, TURNPIKE, COTURN, "bits")), of_rounds(rounds, TURNPIKE, COTURN))]


def floor_figures(rounds):
    of = of_rounds(rounds, TURNPIKE, TESTPMD)
    return [row(figure + ", 1,000 flows over AF_XDP", "testpmd `mac`",
                *(middle(spread.figure(rounds, name, key), scale) for name in (TURNPIKE, TESTPMD)),
                times(spread.ratio(rounds, TURNPIKE, TESTPMD, key)), of)
            for figure, key, scale in (("thousand packets per second flat out", "flat_out", 1e3),
                                       ("ns of CPU per packet", "cpu_ns", 1.0))]


def delay_figures(rounds):
    rows = []
    for other, name in ((COTURN, "coturn"), (KERNEL, "kernel forwarding, no relay")):
        of = of_rounds(rounds, TURNPIKE, other)
        for figure, key in (("median", "p50"), ("p99", "p99"), ("p99.9", "p99_9")):
            rows.append(row("µs of one-way delay, " + figure, name,
                            *(middle(spread.figure(rounds, n, key), 1e3, 1)
                              for n in (TURNPIKE, other)),
                            times(spread.ratio(rounds, TURNPIKE, other, key)), of))
    return rows


def core_figures(core):
    """Relay logic in replay, for the smallest and the largest number of channels."""
    cells = core["cells"]
    shown = {f(c["channels"] for c in cells) for f in (min, max)}
    rows = []
    for c in cells:
        if c["channels"] not in shown:
            continue
        rows.append(row(
            "cycles of relay logic per packet, %s, channels: %s" % (
                bars.WAYS[c["direction"]], "{:,}".format(c["channels"])),
            "all of testpmd `5tswap`",
            middle(c["cycles_per_packet"].get("relay")),
            middle(c["cycles_per_packet"].get("testpmd_5tswap")),
            times(c["ratios"].get("relay_cycles_to_5tswap_cycles")),
            "%d of %d" % (c["rounds"] - c["rounds_throttled"], c["rounds"])))
    return rows


def figures(result):
    """One table: each figure of Turnpike beside one of another program."""
    parts = result["parts"]
    rows = [r for key in rate_keys(parts) for r in load_figures(key, parts[key])]
    if parts.get("large"):
        rows += large_figures(parts["large"], result["large_payload"])
    if parts.get("floor"):
        rows += floor_figures(parts["floor"])
    if parts.get("delay"):
        rows += delay_figures(parts["delay"])
    if parts.get("datachannel"):
        rows += [row("Mbit/s of a data channel, 20 MB, both ends relayed", "coturn",
                     *(middle(spread.figure(parts["datachannel"], n, "bits"), 1e6, 1)
                       for n in (TURNPIKE, COTURN)),
                     times(spread.ratio(parts["datachannel"], TURNPIKE, COTURN, "bits")),
                     of_rounds(parts["datachannel"], TURNPIKE, COTURN))]
    if result.get("core"):
        rows += core_figures(result["core"])
    return table(["figure", "compared with", "Turnpike", "the other", "ratio", "undisturbed rounds"], rows)


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


def command(words):
    """The command as another machine needs it: without names and places of this one."""
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
        m["kernel"], m["dpdk"].replace("DPDK ", ""),
        " ".join([result["coturn"]] + ["--" + name for name in result.get("coturn_settings", [])]), command(result["command"])))


def tables(result):
    return "\n\n".join([
        "Machine and command: " + caption(result) + ".",
        "## Bars",
        "Median, lowest and highest of the rounds that the spin loop found undisturbed, or of all "
        "where it found none. A ratio is of rounds in which both sides were undisturbed.",
        every_bar(result),
        "## Figures",
        "Medians; the ratio with its lowest and highest round. Payload 160 bytes, client to peer, "
        "on direct veths with one core for each server, except for replay, which has no NIC and no "
        "kernel. Delay is at 10,000 packets per second over 100 allocations. † Nothing was lost: "
        "the generator offered no more.",
        figures(result)])


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
