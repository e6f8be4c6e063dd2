#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Legs that swallow packets above 1,280 bytes, of which no router tells: clients and peers repeat a
long datagram that looks like DTLS with growing waits while short ones pass. Each must be told the
number that fits, and get through with it, also peers of clients by DTLS. One line for each case; the
exit code is 1 if one failed.

black_hole.py healed ...   as above
black_hole.py left ...     nobody is told"""

import argparse
import os
import select
import sys
import time

import path_mtu
from mtu_matrix import PROBE, Hairpin, cases_of, discover
from path_mtu import Call

MTU = 1280
LENGTH = 1380  # of the datagram
FIRST_WAIT_S, LONGEST_WAIT_S = 0.15, 10
PATIENCE_S = 120
FLIGHTS_LEFT = 6


class Sender:
    """Repeats one case's long datagram."""

    def __init__(self, name, case, back):
        self.name, self.case, self.back = name, case, back
        self.data = bytes([22]) + os.urandom(LENGTH - 1)
        self.told = None

    def flight(self):
        short = b"\x80" + os.urandom(20)
        for data in self.data, short:
            path_mtu.send(self.case.sender, self.case.make(data), self.case.to)
        # Something passes the other way, too.
        path_mtu.send(self.back.sender, self.back.make(short), self.back.to)

    def look(self):
        number = path_mtu.told(self.case.sender, 0)
        if number is not None and self.told is None:
            self.told = number
        if any(self.data in got for got in path_mtu.drain(self.case.receiver)):
            sys.exit(self.name + ": a long datagram arrived, the leg is no black hole")


def senders_of(a):
    """Each way has a call of its own, so that none learns from another."""
    calls, senders = [], []
    opposite = {"channel": "to channel", "to channel": "channel", "send": "to data",
                "to data": "send"}
    for near in (4, 6):
        for far in (4, 6):
            for way in opposite:
                call = Call(a, near, far)
                cases = {c.name: c for c in cases_of(call, near, far)}
                senders.append(Sender("%d to %d, %s" % (near, far, way), cases[way],
                                      cases[opposite[way]]))
                calls.append(call)
        hairpin = Hairpin(a, near)
        both = list(hairpin.cases(near))
        senders += [Sender("hairpin %d, %s" % (near, c.name), c, both[1 - i])
                    for i, c in enumerate(both)]
        calls.append(hairpin)
    for sender in senders:
        discover([sender.case], True)
    return calls, senders


def wait(senders, seconds):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        select.select([s.case.receiver for s in senders], [], [], min(left, 0.05))
        for sender in senders:
            sender.look()


def repeat(senders, flights=None):
    """Until all are told, or for so many flights."""
    seconds, end, n = FIRST_WAIT_S, time.monotonic() + PATIENCE_S, 0
    while time.monotonic() < end and (flights is None or n < flights):
        pending = [s for s in senders if s.told is None]
        if not pending:
            return
        for sender in pending:
            sender.flight()
        wait(pending, seconds)
        n += 1
        # A machine that was away for a moment spoils a series of waits: it begins anew.
        seconds = FIRST_WAIT_S if seconds >= LONGEST_WAIT_S else 2 * seconds


def fits(sender, number):
    """Whether a datagram of the length that the sender was told arrives."""
    case, end = sender.case, time.monotonic() + PATIENCE_S
    data = bytes([22]) + os.urandom(LENGTH)
    while case.in_len(len(data)) > number:
        data = data[:-1]
    while time.monotonic() < end:
        path_mtu.send(case.sender, case.make(data), case.to)
        select.select([case.receiver], [], [], 0.5)
        if any(data in got for got in path_mtu.drain(case.receiver)):
            return True
    return False


def dtls_client(a, port):
    """By DTLS over IPv6: routers cut records over IPv4, which have no DF."""
    name = "4 to 6, DTLS at port %d" % port
    client, peer, relayed_port = path_mtu.dtls_call(a, 6, port)
    to, number = (a.relay4, relayed_port), path_mtu.dtls_number(6, MTU)
    data, short = bytes([22]) + os.urandom(LENGTH - 1), b"\x80" + os.urandom(20)
    seconds, end, n, told = FIRST_WAIT_S, time.monotonic() + PATIENCE_S, 0, None
    while told is None and time.monotonic() < end and (a.what == "healed" or n < FLIGHTS_LEFT):
        path_mtu.send(peer, data, to)
        path_mtu.send(peer, short, to)
        client.say(short)
        told = path_mtu.told(peer, seconds)
        client.take(0)
        path_mtu.drain(peer)
        n += 1
        seconds = FIRST_WAIT_S if seconds >= LONGEST_WAIT_S else 2 * seconds
    if any(got[:1000] == data[:1000] for got in client.data):
        sys.exit(name + ": a long datagram arrived, the leg is no black hole")
    if a.what == "left":
        path_mtu.judge(told is None, name + ": its peer is told nothing")
    else:
        path_mtu.judge(told == number and path_mtu.dtls_arrives(client, peer, to, number),
                       "%s: its peer is told %s of %d, which fits" % (name, told, number))
        shown = path_mtu.allocation(a, relayed_port)
        path_mtu.judge(shown["mtu"] == MTU and shown["mtu_by"] == "black_hole",
                       name + ": relayctl shows the leg")
    client.close()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("what", choices=("healed", "left"))
    for name in ("side-a", "side-b", "a4", "a6", "b4", "b6", "relay4", "relay6", "password-file",
                 "relayctl", "ca"):
        p.add_argument("--" + name, required=True)
    a = p.parse_args()
    with open(a.password_file, encoding="utf-8") as f:
        a.password = f.read().strip()
    calls, senders = senders_of(a)
    repeat(senders, None if a.what == "healed" else FLIGHTS_LEFT)
    for sender in senders:
        number = sender.case.number(MTU)
        if a.what == "left":
            path_mtu.judge(sender.told is None, sender.name + ": is told nothing")
        elif sender.told != number:
            path_mtu.judge(False, "%s: told %s instead of %d" % (sender.name, sender.told, number))
        else:
            path_mtu.judge(fits(sender, number), "%s: told %d, which fits" % (sender.name, number))
    for port in (3478, 5349):
        dtls_client(a, port)
    del calls
    return path_mtu.failed > 0


if __name__ == "__main__":
    sys.exit(main())
