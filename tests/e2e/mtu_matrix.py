#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every way through the relay beside a leg that takes less than its port: both families on both
sides, ChannelData, Send and Data indications, hairpins; lengths up to 4,000 bytes; DF set and clear.
Each datagram must arrive whole, or its sender be told the number with which the same data would fit.
Nothing may vanish. Prints a line for each combination; the exit code is 1 if one failed."""

import argparse
import os
import select
import struct
import sys
import time

import path_mtu
from path_mtu import Call, Client, NUMBER, enter, ip_len, wrap

LENGTHS = (1200, 1220, 1228, 1240, 1252, 1280, 1300, 1340, 1372, 1400, 1436, 1452, 1468, 1472, 1500,
           2000, 2900, 2960, 4000)
PORT_MTU = 3000  # of every link
PATIENCE_S = 60  # all waits are for events
AGAIN_S = 0.5
FRONT = {4: 36, 6: 48}  # of an indication with a peer of that family
DONT, PROBE = 0, 3


class Case:
    """One datagram's way: sender, destination, wrapping, and the leg by which it leaves."""

    def __init__(self, name, sender, to, make, receiver, in_family, out_family, in_front,
                 out_front, leg):
        self.name, self.sender, self.to, self.make, self.receiver = name, sender, to, make, receiver
        self.in_family, self.out_family = in_family, out_family
        self.in_front, self.out_front, self.leg = in_front, out_front, leg

    def in_len(self, length):
        pad = -length % 4 if self.in_front > 4 else 0
        return ip_len(self.in_family) + 8 + self.in_front + length + pad

    def fits(self, length, mtu):
        pad = -length % 4 if self.out_front > 4 else 0
        return ip_len(self.out_family) + 8 + self.out_front + length + pad <= mtu

    def number(self, mtu):
        """The longest packet of the sender whose data fits."""
        room = mtu - ip_len(self.out_family) - 8 - self.out_front
        if max(self.in_front, self.out_front) > 4:
            room &= ~3
        number = ip_len(self.in_family) + 8 + self.in_front + room
        return max(number, 1280) if self.in_family == 6 else number


def attempt(case, data, heeds):
    """"arrived", or the number that the sender was told if it heeds that; None: neither in a long
    time."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        path_mtu.send(case.sender, case.make(data), case.to)
        again = time.monotonic() + AGAIN_S
        while time.monotonic() < again:
            select.select([case.receiver], [], [case.sender], 0.02)
            if any(data in got for got in path_mtu.drain(case.receiver)):
                return "arrived"
            number = path_mtu.told(case.sender, 0)
            if number is not None and heeds:
                return number
    return None


def judge(case, length, mtu, df):
    """The reason why the case is wrong, or None."""
    # A sender that leaves the cutting to its kernel need not look; one whose packets fit may be told
    # of those before.
    passes = not df or case.fits(length, mtu) or (
        case.in_family == 6 and case.in_len(length) <= 1280)
    path_mtu.drain(case.receiver)
    while path_mtu.told(case.sender, 0) is not None:
        pass
    got = attempt(case, os.urandom(length), not passes)
    wanted = "arrived" if passes else case.number(mtu)
    return None if got == wanted else "%s instead of %s" % (got or "vanished", wanted)


def cases_of(call, near, far):
    def make(way):
        return lambda data: wrap(way, data, call.targets[way])
    client = call.client.socket
    relay = call.relay
    yield Case("channel", client, None, make("channel"), call.peer, near, far, 4, 0, "peer")
    yield Case("send", client, None, make("send"), call.visitor, near, far, FRONT[far], 0, "peer")
    yield Case("to channel", call.peer, relay, bytes, client, far, near, 0, 4, "client")
    yield Case("to data", call.visitor, relay, bytes, client, far, near, 0, FRONT[far], "client")


class Hairpin:
    """Two clients of one family that are each other's peer, by channels."""

    def __init__(self, a, family):
        relay = a.relay4 if family == 4 else a.relay6
        self.clients, ports = [], []
        for side, address in ((a.side_a, a.a4 if family == 4 else a.a6),
                              (a.side_b, a.b4 if family == 4 else a.b6)):
            enter(side)
            client = Client(path_mtu.udp(family, address), relay, a.password)
            if client.request(9) not in (400, 437):
                sys.exit("the relay does not answer")
            self.clients.append(client)
            ports.append(client.relayed(family))
        for i in range(2):
            if not self.clients[i].about(9, relay, ports[1 - i], (
                    path_mtu.CHANNEL_NUMBER, struct.pack("!HH", NUMBER, 0))):
                sys.exit("no channel to the other client")

    def cases(self, family):
        for i, leg in enumerate(("peer", "client")):
            yield Case("hairpin to " + "ba"[i], self.clients[i].socket, None,
                       lambda data: wrap("channel", data, None), self.clients[1 - i].socket,
                       family, family, 4, 4, leg)

    def close(self):
        for client in self.clients:
            end(client)


def end(client):
    # Errors about packets of before may still come.
    for _ in range(5):
        path_mtu.drain(client.socket)
        try:
            client.refresh(0)
            return
        except OSError:
            continue


def discover(cases, df):
    for case in cases:
        level, option, _ = path_mtu.OPTIONS[case.in_family]
        case.sender.setsockopt(level, option, PROBE if df else DONT)


def run(name, cases, lengths, narrow, mtu, df):
    """Returns how many cases were judged."""
    cases, wrong, n = list(cases), [], 0
    discover(cases, df)
    for case in cases:
        for length in lengths:
            if df and case.in_len(length) > PORT_MTU:
                continue  # the sender's own link does not take it
            # In the other direction the leg is as wide as the port.
            why = judge(case, length, mtu if case.leg == narrow else PORT_MTU, df)
            n += 1
            if why:
                wrong.append("%s %d: %s" % (case.name, length, why))
    path_mtu.judge(not wrong, "%s, DF %s, leg to the %s of %d: %s" % (
        name, "set" if df else "clear", narrow, mtu, "; ".join(wrong) or "%d cases" % n))
    return n


def main():
    p = argparse.ArgumentParser(description=__doc__)
    for name in ("side-a", "side-b", "net", "a4", "a6", "b4", "b6", "relay4", "relay6",
                 "password-file"):
        p.add_argument("--" + name, required=True)
    p.add_argument("--mtu", type=int, action="append")
    p.add_argument("--length", type=int, action="append")
    a = p.parse_args()
    with open(a.password_file, encoding="utf-8") as f:
        a.password = f.read().strip()
    lengths, total = a.length or LENGTHS, 0
    for mtu in a.mtu or (1280, 1400, 1500, 3000):
        for narrow in ("client", "peer"):
            path_mtu.route_mtu(a, narrow, mtu)
            for df in (True, False):
                for near in (4, 6):
                    for far in (4, 6):
                        call = Call(a, near, far)
                        total += run("%d to %d" % (near, far), cases_of(call, near, far), lengths,
                                     narrow, mtu, df)
                        end(call.client)
                    hairpin = Hairpin(a, near)
                    total += run("hairpin %d" % near, hairpin.cases(near), lengths, narrow, mtu, df)
                    hairpin.close()
            path_mtu.route_mtu(a, narrow, PORT_MTU)
    print("%d cases" % total)
    return path_mtu.failed > 0


if __name__ == "__main__":
    sys.exit(main())
