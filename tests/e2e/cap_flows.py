#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Flows through capped allocations, judged by counts of packets, never by times.

cap_flows.py mark SERVER PEER ...    an ECN-capable flow is marked before it loses; another is never
cap_flows.py share SERVER PEER ...   two sessions, one of which offers ten times as much, get the same

Runs in the clients' namespace and receives in --peer-netns. Prints "ok - ..." or "not ok - ..."."""

import argparse
import select
import socket
import struct
import sys
import time

import mobility
from mobility import judge

IP_RECVTOS, CE, ECT0 = 13, 3, 2
PATIENCE = 300


class Flow:
    """An allocation with a channel, and its peer's socket."""

    def __init__(self, args):
        self.path = mobility.Path(args, mobility.Udp(args))
        self.call = mobility.Call(args, self.path)
        self.peer = self.call.peer
        self.peer.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sent, self.got = 0, []  # [(number, ECN)]

    def send(self, size):
        self.path.channel_data(struct.pack("!I", self.sent) + bytes(size - 4))
        self.sent += 1

    def receive(self):
        while select.select([self.peer], [], [], 0)[0]:
            data, extra, *_ = self.peer.recvmsg(2048, 64)
            tos = [v[0] for level, kind, v in extra if level == socket.IPPROTO_IP]
            self.got.append((struct.unpack_from("!I", data)[0], (tos or [0])[0] & 3))


def mark(args):
    for name, ecn in (("ECN-capable", ECT0), ("not ECN-capable", 0)):
        flow = Flow(args)
        flow.path.carrier.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0xb8 | ecn)
        end = time.monotonic() + PATIENCE
        # Faster and faster, until hundreds are lost.
        while time.monotonic() < end and flow.sent - len(flow.got) < 300:
            for _ in range(1 + flow.sent // 200):
                flow.send(500)
            time.sleep(0.01)
            flow.receive()
        time.sleep(1)
        flow.receive()
        numbers = {n for n, _ in flow.got}
        lost = [n for n in range(flow.sent) if n not in numbers]
        marked = [n for n, e in flow.got if e == CE]
        print("%s: %d sent, %d lost, the first is %s; %d marked, the first is %s" % (
            name, flow.sent, len(lost), lost[:1], len(marked), marked[:1]))
        judge(len(lost) > 100, "%s: it goes beyond the cap" % name)
        if ecn:
            judge(len(marked) > 10 and marked[0] < lost[0], "%s: marked before it loses" % name)
        judge({e for _, e in flow.got} <= {ecn, CE if ecn else 0}, "%s: no other codepoint" % name)
        flow.path.refresh(seconds=0)


def share(args):
    modest, greedy = Flow(args), Flow(args)
    start = last = time.monotonic()
    began = None
    while last < start + PATIENCE and min(len(modest.got), len(greedy.got)) < args.packets:
        now = time.monotonic()
        # Where the machine stopped this program for long, its debt is forgotten.
        for _ in range(min(int((now - last) * args.rate), 2)):
            modest.send(500)
            for _ in range(10):
                greedy.send(500)
            last = now
        time.sleep(0.002)
        modest.receive()
        greedy.receive()
        if began is None and len(greedy.got) + len(modest.got) > 200:
            # The burst at the beginning is past.
            began = len(modest.got), len(greedy.got)
    if began is None:
        judge(False, "packets arrive")
        return
    a, b = len(modest.got) - began[0], len(greedy.got) - began[1]
    print("offered %d and %d, got %d and %d: 1 : %.3f" % (modest.sent, greedy.sent, a, b, b / a))
    judge(modest.sent > 1.5 * len(modest.got), "both offer more than their share")
    judge(abs(b / a - 1) <= 0.1, "they share 1:1 within 10 %")
    for flow in (modest, greedy):
        flow.path.refresh(seconds=0)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("part", choices=["mark", "share"])
    p.add_argument("server")
    p.add_argument("peer")
    p.add_argument("--peer-netns", required=True)
    p.add_argument("--password-file", required=True)
    p.add_argument("--packets", type=int, default=500)
    p.add_argument("--rate", type=float, default=150, help="of the modest one, per second")
    args = p.parse_args()
    with open(args.password_file, encoding="ascii") as f:
        args.password = f.read().strip()
    with open("/proc/self/ns/net", "rb") as own:
        args.own = "/proc/self/fd/%d" % own.fileno()
        {"mark": mark, "share": share}[args.part](args)
    return mobility.failed > 0


if __name__ == "__main__":
    sys.exit(main())
