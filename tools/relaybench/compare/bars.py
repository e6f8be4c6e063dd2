# SPDX-License-Identifier: BSD-3-Clause
"""The bars of docs/benchmarks.md: the goal, the figure measured, and whether it is met."""

import spread
from servers import COTURN, KERNEL, REPLAY, TESTPMD, TURNPIKE

CHANNELS = ("client-to-peer", "peer-to-client")
INDICATIONS = ("send", "data")
WAYS = {"client-to-peer": "client to peer", "peer-to-client": "peer to client",
        "send": "Send to datagram", "data": "datagram to Data indication", "hairpin": "hairpin",
        "binding": "Binding", "mix": "mix"}


INSTRUCTIONS = {"client-to-peer": 290, "peer-to-client": 320, "send": 470, "data": 520, "hairpin": 520}


class Bar:
    """`seen` is a spread, or None where nothing was measured."""

    def __init__(self, figure, most=None, least=None, unit=" ×", digits=2):
        self.figure, self.most, self.least = figure, most, least
        self.unit, self.digits = unit, digits
        self.seen = None

    def see(self, seen):
        self.seen = seen
        return self

    def text(self, v):
        return ("{:,.%df}%s" % (self.digits, self.unit)).format(v)

    def goal(self):
        return "at most " + self.text(self.most) if self.least is None else (
            "at least " + self.text(self.least))

    def met(self):
        """Judged by the median; None: not measured."""
        if self.seen is None:
            return None
        m = self.seen["median"]
        return m >= self.least if self.most is None else m <= self.most


def core_cell(core, way, channels):
    for c in (core or {}).get("cells", []):
        if (c["source"], c["direction"], c["family"], c["payload"], c["channels"]) == (
                "replay", way, "4", 160, channels):
            return c
    return None


def core_ratio(core, way, channels, key):
    c = core_cell(core, way, channels)
    seen = c and c.get("ratios", {}).get(key)
    # Without any undisturbed round, the figure is of all rounds.
    return seen and dict(seen, n=c["rounds"] - c["rounds_throttled"], of=c["rounds"])


def of_core(core):
    out = []
    for ways, most in ((CHANNELS, 0.6), (INDICATIONS, 0.9)):
        for way in ways:
            out.append(Bar("relay logic, cycles to those of all of 5tswap: %s, 1,000 channels" % WAYS[way],
                           most=most).see(core_ratio(core, way, 1000, "relay_cycles_to_5tswap_cycles")))
    for way in CHANNELS:
        out.append(Bar("whole loop, packets to those of 5tswap: %s, 1,000 channels" % WAYS[way],
                       least=0.65).see(core_ratio(core, way, 1000, "loop_rate_to_5tswap_rate")))
    return out


def of_instructions(instructions):
    seen = {c["direction"]: c["instructions_per_packet"] for c in (instructions or {}).get("cells", [])}
    return [Bar("instructions per packet: " + WAYS[way], most=most, unit="", digits=0).see(
        spread.of([seen.get(way)])) for way, most in INSTRUCTIONS.items()]


def of_lines(memory):
    """Cycles at a million channels to the bar that `relaybench core` makes of this machine's lines."""
    out = []
    for way in CHANNELS:
        bar = Bar("cycles at 1,000,000 channels to 1.2 times those at 1,000 and four random cache lines: " +
                  WAYS[way], most=1)
        for c in (memory or {}).get("cells", []):
            if c["direction"] == way and "lines_bar" in c:
                relay = c["cycles_per_packet"]["relay"]
                bar.see({k: relay[k] / c["lines_bar"]["cycles"] for k in ("median", "low", "high")})
                bar.seen.update(n=c["rounds"] - c["rounds_throttled"], of=c["rounds"])
        out.append(bar)
    return out


def floor_seen(rounds):
    """Where the generator was the limit, CPU per packet says more than the rate."""
    pairs = spread.kept(rounds, TURNPIKE, TESTPMD)
    if any(r[name]["generator_bound"] for r in pairs for name in (TURNPIKE, TESTPMD)):
        return "CPU per packet", spread.ratio(rounds, TESTPMD, TURNPIKE, "cpu_ns")
    return "rate", spread.ratio(rounds, TURNPIKE, TESTPMD, "highest")


def above(rounds):
    """The median delay beyond that of kernel forwarding, in µs."""
    return spread.of([(r[TURNPIKE]["p50"] - r[KERNEL]["p50"]) / 1e3
                      for r in spread.kept(rounds, TURNPIKE, KERNEL)])


def of_lab(parts):
    what, seen = floor_seen(parts.get("floor", []))
    delays = parts.get("delay", [])
    out = [Bar("coturn's CPU time per packet to ours in replay, 5,000 flows", least=150, digits=1)
           .see(spread.ratio(parts.get("rate 5000", []), COTURN, REPLAY, "cpu_ns")),
           Bar("AF_XDP on direct veths, to testpmd mac: " + what, least=0.9).see(seen)]
    for n, least in ((1000, 6), (5000, 7)):
        out.append(Bar("rate under 0.1 %% loss to coturn's, %s allocations" % "{:,}".format(n),
                       least=least).see(spread.ratio(parts.get("rate %d" % n, []), TURNPIKE,
                                                     COTURN, "highest")))
    silences = parts.get("silence", [])
    return out + [
        Bar("delay above kernel forwarding, p50", most=10, unit=" µs", digits=1).see(above(delays)),
        Bar("first packet after a second of silence, above kernel forwarding", most=100, unit=" µs",
            digits=1).see(above(silences)),
        Bar("a core's time that the data plane takes without traffic", most=1, unit=" %").see(
            spread.of([100 * r[TURNPIKE]["idle"] for r in spread.kept(silences, TURNPIKE, TURNPIKE)])),
        Bar("delay to coturn's, p99", most=0.6).see(
            spread.ratio(delays, TURNPIKE, COTURN, "p99")),
        Bar("a data channel's rate to that through coturn", least=1.0).see(
            spread.ratio(parts.get("datachannel", []), TURNPIKE, COTURN, "bits"))]


def of_workers(workers):
    out = []
    for c in (workers or {}).get("cells", []):
        ratios = [r["ratio"] for r in c["rounds"]]
        out.append(Bar("two workers' gain to that of two testpmd cores: " + WAYS[c["direction"]],
                       least=0.95).see(dict(spread.of(ratios), median=c["ratio"])))
    return out or [Bar("two workers' gain to that of two testpmd cores", least=0.95)]


def of_setup(setup):
    rate = setup and dict(setup["setups_per_second"], n=setup["batches"])
    octets = setup and spread.of([setup["memory"]["segment_bytes_per_allocation"]])
    return [Bar("full set-ups through the rings, one control thread", least=130000,
                unit=" per second", digits=0).see(rate),
            Bar("segment per allocation with a permission and a channel", most=1024,
                unit=" bytes", digits=0).see(octets)]


def all_of(result):
    return (of_instructions(result.get("instructions")) + of_core(result.get("core")) +
            of_lines(result.get("memory")) + of_lab(result["parts"]) +
            of_workers(result.get("workers")) + of_setup(result.get("setup")))
