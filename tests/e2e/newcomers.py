#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Many new time-limited users, each with an allocation of its own, at a rate.

newcomers.py SERVER --secret-file FILE --rate N --seconds S: runs in the clients' namespace, whose
interface gets 100 more addresses, since one address has a share of requests. Prints counts as JSON:
"allocated", error codes, "most_resent" of one request, and "behind", the most by which this program
was late.
"""
import argparse
import base64
import collections
import hashlib
import heapq
import hmac
import json
import os
import resource
import select
import socket
import subprocess
import sys
import time

import hostile

ADDRESSES = [f"10.77.1.{i}" for i in range(20, 120)]
FIRST_PORT = 20000
RTO_S, SENT_MAX = 0.5, 7  # RFC 8489 6.2.1
ALLOCATE, TRANSPORT_UDP = 0x003, (0x19, b"\x11\0\0\0")
USERNAME, ERROR, REALM, NONCE = 0x06, 0x09, 0x14, 0x15


class Newcomer:
    """One client; its socket is closed when it has its allocation."""

    def __init__(self, n, server):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ADDRESSES[n % len(ADDRESSES)], FIRST_PORT + n // len(ADDRESSES)))
        self.socket.connect((server, 3478))
        self.socket.setblocking(False)
        self.n = n
        self.answers = 0

    def request(self, *attributes, key=None):
        self.txid = os.urandom(12)
        self.message = hostile.message(ALLOCATE, self.txid, [TRANSPORT_UDP, *attributes], key)
        self.sent = 0

    def sign(self, found, secret, expiry):
        user = f"{expiry}:newcomer{self.n}".encode()
        password = base64.b64encode(hmac.new(secret, user, hashlib.sha1).digest())
        key = hashlib.md5(b":".join((user, found[REALM], password))).digest()
        self.request((USERNAME, user), (REALM, found[REALM]), (NONCE, found[NONCE]), key=key)


class Crowd:
    def __init__(self, args, secret):
        self.args, self.secret = args, secret
        self.expiry = int(time.time()) + 3600
        self.epoll = select.epoll()
        self.here, self.timers = {}, []
        self.counts = collections.Counter(allocated=0, most_resent=0, behind=0)

    def send(self, c):
        c.sent += 1
        self.counts["most_resent"] = max(self.counts["most_resent"], c.sent - 1)
        c.due = time.monotonic() + RTO_S * 2 ** (c.sent - 1)
        heapq.heappush(self.timers, (c.due, c.n, c.socket.fileno()))
        c.socket.send(c.message)

    def come(self, n):
        c = Newcomer(n, self.args.server)
        self.here[c.socket.fileno()] = c
        self.epoll.register(c.socket.fileno(), select.EPOLLIN)
        c.request()
        self.send(c)

    def leave(self, c, how):
        self.counts[how] += 1
        del self.here[c.socket.fileno()]
        self.epoll.unregister(c.socket.fileno())
        c.socket.close()

    def read(self, c):
        data = c.socket.recv(2048)
        if data[8:20] != c.txid:
            return
        kind, found = hostile.parse(data)
        c.answers += 1
        if kind == ALLOCATE | 0x100:
            self.leave(c, "allocated")
        elif c.answers < 3 and found[ERROR][2:4] in (b"\4\1", b"\4\x26"):
            c.sign(found, self.secret, self.expiry)
            self.send(c)
        else:
            self.leave(c, str(found[ERROR][2] * 100 + found[ERROR][3]))

    def wait(self):
        for fd, _ in self.epoll.poll(0.002, 512):
            if fd in self.here:
                self.read(self.here[fd])
        now = time.monotonic()
        while self.timers and self.timers[0][0] <= now:
            due, n, fd = heapq.heappop(self.timers)
            c = self.here.get(fd)
            if c is None or c.n != n or c.due != due:
                continue
            if c.sent < SENT_MAX:
                self.send(c)
            else:
                self.leave(c, "silent")

    def run(self):
        begun, n = time.monotonic(), 0
        total = int(self.args.rate * self.args.seconds)
        while n < total or self.here:
            wanted = min(int((time.monotonic() - begun) * self.args.rate), total)
            self.counts["behind"] = max(self.counts["behind"], wanted - n)
            for n in range(n, wanted):
                self.come(n)
            n = wanted
            self.wait()
        print(json.dumps(self.counts), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("server")
    p.add_argument("--secret-file", required=True)
    p.add_argument("--rate", type=float, default=2000)
    p.add_argument("--seconds", type=float, default=5)
    args = p.parse_args()
    with open(args.secret_file, "rb") as f:
        secret = f.read().strip()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for address in ADDRESSES:
        subprocess.run(["ip", "addr", "replace", address + "/24", "dev", "eth0"], check=True)
    Crowd(args, secret).run()


if __name__ == "__main__":
    sys.exit(main())
