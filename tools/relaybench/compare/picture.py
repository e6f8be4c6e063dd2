# SPDX-License-Identifier: BSD-3-Clause
"""Pictures in SVG, from the JSON alone: lines over a logarithmic axis."""

import math
import os
import textwrap
from xml.sax.saxutils import escape

import spread
from servers import COTURN, KERNEL, TURNPIKE

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 76, 190, 44, 96
COLOURS = {"Turnpike": "#0b6e4f", "coturn": "#c0392b", "kernel forwarding": "#555555",
           "Turnpike, replay": "#3aa17e"}


class Axis:
    def __init__(self, low, high, log, size, start):
        self.log, self.size, self.start = log, size, start
        self.low, self.high = (math.log10(low), math.log10(high)) if log else (low, high)

    def at(self, v):
        v = math.log10(v) if self.log else v
        return self.start + self.size * (v - self.low) / ((self.high - self.low) or 1)

    def ticks(self):
        if self.log:
            return [10.0 ** e for e in range(math.ceil(self.low - 1e-9),
                                             math.floor(self.high + 1e-9) + 1)]
        step = 10.0 ** math.floor(math.log10(self.high / 4))
        step *= next(m for m in (1, 2, 5, 10) if self.high / (step * m) <= 6)
        return [i * step for i in range(int(self.high / step) + 1)]


def short(v):
    for size, unit in ((1e6, " M"), (1e3, " k")):
        if v >= size:
            return "%g%s" % (v / size, unit)
    return "%g" % v


def draw(path, title, x_name, y_name, series, foot, log_y=True, log_x=True):
    """series: name -> [(x, y, low, high)]."""
    points = [p for line in series.values() for p in line]
    xs, ys = [p[0] for p in points], [v for p in points for v in p[1:] if v is not None]
    if not points:
        return False
    low_y = 10 ** math.floor(math.log10(min(v for v in ys if v > 0))) if log_y else 0
    high_y = 10 ** math.ceil(math.log10(max(ys)) - 1e-9) if log_y else max(ys) * 1.05
    x = Axis(min(xs), max(xs), log_x, WIDTH - LEFT - RIGHT, LEFT)
    y = Axis(low_y, high_y, log_y, -(HEIGHT - TOP - BOTTOM), HEIGHT - BOTTOM)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
           'viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (
               WIDTH, HEIGHT, WIDTH, HEIGHT),
           '<rect width="100%" height="100%" fill="#ffffff"/>',
           '<text x="%d" y="24" font-size="15" font-weight="bold">%s</text>' % (LEFT, escape(title))]
    for v in y.ticks():
        out.append('<path d="M%d %.1fH%d" stroke="#dddddd"/><text x="%d" y="%.1f" '
                   'text-anchor="end">%s</text>' % (LEFT, y.at(v), WIDTH - RIGHT, LEFT - 8,
                                                     y.at(v) + 4, short(v)))
    for v in x.ticks():
        out.append('<path d="M%.1f %dV%d" stroke="#eeeeee"/><text x="%.1f" y="%d" '
                   'text-anchor="middle">%s</text>' % (x.at(v), TOP, HEIGHT - BOTTOM, x.at(v),
                                                        HEIGHT - BOTTOM + 18, short(v)))
    out.append('<text x="%d" y="%d" text-anchor="middle">%s</text>' % (
        (LEFT + WIDTH - RIGHT) // 2, HEIGHT - BOTTOM + 38, escape(x_name)))
    out.append('<text transform="translate(18 %d) rotate(-90)" text-anchor="middle">%s</text>' % (
        (TOP + HEIGHT - BOTTOM) // 2, escape(y_name)))
    for i, (name, line) in enumerate(series.items()):
        out += line_draw(name, line, x, y, i)
    for i, part in enumerate(textwrap.wrap(foot, 118)[:3]):
        out.append('<text x="%d" y="%d" font-size="10" fill="#555555">%s</text>' % (
            LEFT - 60, HEIGHT - 40 + 13 * i, escape(part)))
    out.append("</svg>\n")
    with open(path, "w") as f:
        f.write("\n".join(out))
    return True


def line_draw(name, line, x, y, i):
    colour = next((c for start, c in sorted(COLOURS.items(), reverse=True)
                   if name.startswith(start)), "#000000")
    at = [(x.at(p[0]), y.at(p[1])) for p in line]
    out = ['<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>' % (
        colour, " ".join("%.1f,%.1f" % p for p in at))]
    for p, (px, py) in zip(line, at):
        if p[2] is None:
            continue
        out.append('<path d="M%.1f %.1fV%.1f" stroke="%s"/><circle cx="%.1f" cy="%.1f" r="3" '
                   'fill="%s"/>' % (px, y.at(p[2]), y.at(p[3]), colour, px, py, colour))
    legend = TOP + 8 + 34 * i
    out.append('<path d="M%d %dh18" stroke="%s" stroke-width="3"/>' % (
        WIDTH - RIGHT + 10, legend, colour))
    for j, part in enumerate(textwrap.wrap(name, 22)):
        out.append('<text x="%d" y="%d">%s</text>' % (
            WIDTH - RIGHT + 34, legend + 4 + 13 * j, escape(part)))
    return out


def curve(parts, server, key, scale=1.0):
    line = []
    for name in sorted((k for k in parts if k.startswith("rate ")), key=lambda k: int(k.split()[1])):
        s = spread.figure(parts[name], server, key)
        if s is not None and s["low"] > 0:
            line.append((int(name.split()[1]), *(s[k] / scale for k in ("median", "low", "high"))))
    return line


def replayed(core, group, figure, scale):
    """Client to peer, IPv4, 160 octets, of a `relaybench core` run: (channels, value...)."""
    line = []
    for c in (core or {}).get("cells", []):
        if (c["source"], c["direction"], c["family"], c["payload"]) != (
                "replay", "client-to-peer", "4", 160):
            continue
        s = c.get(group, {}).get(figure)
        if s:
            line.append((c["channels"], *(scale(s[k]) for k in ("median", "low", "high"))))
    return sorted(line)


def distribution(rounds, server):
    """Share of packets that took longer, over the delay in µs."""
    slots, total, gone, line = {}, 0, 0, []
    for r in spread.kept(rounds, server):
        for floor_ns, n in r[server]["slots"]:
            slots[floor_ns] = slots.get(floor_ns, 0) + n
            total += n
    for floor_ns in sorted(slots):
        if gone < total and floor_ns > 0:
            line.append((floor_ns / 1e3, (total - gone) / total, None, None))
        gone += slots[floor_ns]
    return line


def with_lines(series):
    return {name: line for name, line in series.items() if line}


def write_all(result, foot, directory):
    """Returns (file, caption) of those for which there were figures."""
    parts, made, core = result["parts"], [], result.get("core")
    replay = "Turnpike, replay, no NIC, no kernel"
    rate = with_lines({
        "Turnpike, AF_XDP on veth": curve(parts, TURNPIKE, "highest"),
        "coturn, kernel sockets": curve(parts, COTURN, "highest"),
        replay: replayed(core, "packets_per_second", "loop", lambda v: v)})
    cpu = with_lines({
        "Turnpike, AF_XDP on veth": curve(parts, TURNPIKE, "cpu_ns"),
        "coturn, kernel sockets": curve(parts, COTURN, "cpu_ns"),
        replay: replayed(core, "cycles_per_packet", "loop",
                         lambda v: v / (core["machine"]["tsc_ghz"] or 1))})
    delays = with_lines({name: distribution(parts.get("delay", []), key) for name, key in (
        ("Turnpike", TURNPIKE), ("coturn", COTURN), ("kernel forwarding", KERNEL))})
    if draw(os.path.join(directory, "rate.svg"), "Packets per second and core, under 0.1 % loss",
            "channels", "packets per second", rate, foot):
        made.append(("rate.svg", "Packets per second and core against the number of channels"))
    if draw(os.path.join(directory, "cpu.svg"), "CPU time per relayed packet", "channels",
            "nanoseconds", cpu, foot):
        made.append(("cpu.svg", "CPU time per packet against the number of channels"))
    if draw(os.path.join(directory, "delay.svg"), "One-way delay at 10,000 packets per second",
            "µs", "share of packets that took longer", delays, foot):
        made.append(("delay.svg", "Distribution of the one-way delay"))
    return made
