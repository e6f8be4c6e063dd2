# SPDX-License-Identifier: BSD-3-Clause
"""Packets between a side's browser and the relay's port 443, as the side's interface sees them: when
the network fell silent, whatever a browser shows of it.
"""
import collections
import re
import subprocess

LINE = re.compile(r"^(\d+\.\d+) IP6? \S+\.(\d+) > \S+\.(\d+): tcp (\d+)$")
PORT = "443"


class Wire:
    """Watches from its making on."""

    def __init__(self, lab, side):
        self.child = subprocess.Popen(
            lab.inside(side, "tcpdump", "-i", "eth0", "-s", "128", "-nnqtt", "--immediate-mode",
                       "tcp port " + PORT),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # Its first line: it listens.
        self.child.stderr.readline()

    def close(self):
        """The lines that it wrote."""
        self.child.terminate()
        return self.child.communicate()[0].splitlines()


def arrivals(lines):
    """When the relay sent data by the connection by which it sent most often; seconds since 1970.
    Pages and signaling have connections of their own."""
    times = collections.defaultdict(list)
    for line in lines:
        found = LINE.match(line)
        if found and found[2] == PORT and found[4] != "0":
            times[found[3]].append(float(found[1]))
    return max(times.values(), key=len, default=[])


def silence(times, killed_s):
    """The longest time between two arrivals in ms, and when it was over in ms after `killed_s`.
    None: fewer than two."""
    if len(times) < 2:
        return None
    length, end = max((b - a, b) for a, b in zip(times, times[1:]))
    return 1000 * length, 1000 * (end - killed_s)
