#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A client that scans the ports of a permitted peer by Send indications, beside a call of its own by
Send indications and another client's by a channel.

scan.py peer ADDRESS                      echoes on ports 5000 and 5001, and prints how many other ports
                                          a datagram of the scan came to, after each
scan.py run --server ADDRESS --peer ADDRESS --secret FILE --config FILE --reached FILE RELAYCTL...
"""

import argparse
import json
import select
import socket
import struct
import subprocess
import sys
import time

import hostile

SEND, DATA = 0x16, 0x13
OWN_PORT, OTHER_PORT, NUMBER = 5000, 5001, 0x4000
PORTS, RATE = 2000, 16
BURST = 8 * RATE
PATIENCE_S = 30


def peer(address):
    sockets = []
    for port in (OWN_PORT, OTHER_PORT):
        sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sockets[-1].bind((address, port))
    # A copy of each datagram that comes, open port or not.
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    reached = set()
    print("listens", flush=True)
    while True:
        for sock in select.select([*sockets, raw], [], [])[0]:
            data, source = sock.recvfrom(2048)
            if sock is not raw:
                sock.sendto(data, source)
                continue
            udp = data[(data[0] & 15) * 4:]
            if udp[8:].startswith(b"scan"):
                reached.add(struct.unpack_from("!H", udp, 2)[0])
                print(len(reached), flush=True)


class Call:
    """Numbered datagrams to the peer's echo, by Send indications or by a channel."""

    def __init__(self, client, peer_address, port, channel):
        self.client, self.peer, self.port, self.channel = client, peer_address, port, channel
        self.sent, self.back = 0, set()

    def send(self):
        data = b"call" + struct.pack("!I", self.sent)
        if self.channel:
            self.client.socket.send(struct.pack("!HH", NUMBER, len(data)) + data)
        else:
            self.client.socket.send(indication(self.peer, self.port, data))
        self.sent += 1

    def receive(self, wait):
        while select.select([self.client.socket], [], [], wait)[0]:
            data = self.client.socket.recv(2048)
            at = data.find(b"call")
            if at >= 0:
                self.back.add(struct.unpack_from("!I", data, at + 4)[0])

    def whole(self):
        end = time.monotonic() + PATIENCE_S
        while len(self.back) < self.sent and time.monotonic() < end:
            self.receive(0.1)
        return len(self.back) == self.sent


def indication(address, port, data):
    return hostile.message(SEND, bytes(12), [
        (hostile.PEER, hostile.peer_value(address, port)), (DATA, data)])


class Run:
    def __init__(self, a):
        self.a = a
        with open(a.secret, "rb") as file:
            secret = file.read().strip()
        self.scanner = hostile.Client(a.server, "scanner", secret)
        self.other = hostile.Client(a.server, "other", secret)
        self.failed = 0

    def relayctl(self, *args):
        out = subprocess.run([*self.a.relayctl, *args], capture_output=True, check=False, text=True)
        if out.returncode != 0:
            sys.exit("relayctl %s: %s" % (" ".join(args), out.stderr))
        return out.stdout

    def drops(self, reason):
        rows = json.loads(self.relayctl("-j", "drop", "show", "all"))
        return sum(row["packets"] for row in rows if row["reason"] == reason)

    def reached(self):
        with open(self.a.reached, encoding="ascii") as file:
            words = file.read().split()
        return int(words[-1]) if words[-1].isdigit() else 0

    def check(self, text, right):
        self.failed += not right
        print("%s - %s" % ("ok" if right else "not ok", text), flush=True)

    def wait(self, until):
        end = time.monotonic() + PATIENCE_S
        while not until() and time.monotonic() < end:
            time.sleep(0.1)
        return until()

    def reload(self, text, *options):
        with open(self.a.config, encoding="utf-8") as file:
            config = [line for line in file if not line.startswith("limits:")]
        with open(self.a.config, "w", encoding="utf-8") as file:
            file.write("".join(config) + text)
        return self.relayctl("config", "reload", *options)

    def scan(self, address, first, calls=()):
        """How long it took. A datagram to each port, about one a millisecond."""
        begin = time.monotonic()
        for i in range(PORTS):
            if i % 5 == 0:
                for call in calls:
                    call.send()
            self.scanner.socket.send(indication(address, first + i, b"scan"))
            while time.monotonic() < begin + i / 1000:
                for call in calls:
                    call.receive(0)
        return time.monotonic() - begin

    def about(self, text, number, seconds):
        """The first port, the tokens, and those that pass as known ones."""
        most = 1 + BURST + RATE * (seconds + 1) + PORTS * 0.03
        print("# %s: %d of %d in %.1f s, at most %d" % (text, number, PORTS, seconds, most))
        self.check(text, BURST <= number <= most)

    def limited(self):
        own = Call(self.scanner, self.a.peer, OWN_PORT, False)
        other = Call(self.other, self.a.peer, OTHER_PORT, True)
        own.send()
        other.send()
        self.check("both calls are heard", own.whole() and other.whole())
        seconds = self.scan(self.a.peer, 10000, (own, other))
        self.check("the scanner's own call by Send lost none of %d" % own.sent, own.whole())
        self.check("nor did another's by a channel, of %d" % other.sent, other.whole())
        self.check("each attempt reached its port or was counted", self.wait(
            lambda: self.drops("port_rate") + self.reached() == PORTS))
        self.about("the scan is cut to the rate", self.reached(), seconds)

    def hairpin(self):
        before = self.drops("port_rate"), self.drops("own_address")
        self.check("a permission for the relay itself", self.scanner.permit(self.a.server) == 0)
        time.sleep(9)  # until all tokens are there again
        seconds = self.scan(self.a.server, 20000)
        self.check("each attempt at the relay's own ports is counted", self.wait(
            lambda: self.drops("port_rate") - before[0] + self.drops("own_address") - before[1]
            == PORTS))
        found = self.drops("own_address") - before[1]
        self.about("a scan of the relay is cut, too", found, seconds)

    def scan_until(self, first, right):
        """Scans other ports until the data plane has taken the change up."""
        for number in range(8):
            before = self.drops("port_rate"), self.reached()
            self.scan(self.a.peer, first + number * PORTS)
            self.wait(lambda: self.drops("port_rate") - before[0] +
                      self.reached() - before[1] == PORTS)
            dropped = self.drops("port_rate") - before[0]
            print("# dropped of %d: %d" % (PORTS, dropped))
            if right(dropped):
                return True
        return False

    def unlimited(self):
        change = "limits: {port_rate: 0}\n"
        self.check("a dry run names the rate",
                   "limits.port_rate" in self.reload(change, "--dry-run"))
        self.reload(change)
        self.check("without a rate all ports are reached",
                   self.scan_until(30000, lambda dropped: dropped == 0))
        self.reload("limits: {port_rate: 1}\n")
        self.check("with another one a scan is cut again",
                   self.scan_until(46000, lambda dropped: dropped > PORTS * 0.95))

    def run(self):
        for client in (self.scanner, self.other):
            self.check("a client allocates", client.allocate() == 0)
            self.check("and gets its permission", client.permit(self.a.peer) == 0)
        self.check("the other one a channel",
                   self.other.bind(NUMBER, self.a.peer, OTHER_PORT) == 0)
        self.limited()
        self.hairpin()
        self.unlimited()
        return self.failed


def main():
    parser = argparse.ArgumentParser()
    for name in ("server", "peer", "secret", "config", "reached"):
        parser.add_argument("--" + name)
    parser.add_argument("role", choices=["peer", "run"])
    parser.add_argument("rest", nargs="*")
    a = parser.parse_args()
    if a.role == "peer":
        peer(a.rest[0])
    a.relayctl = a.rest
    sys.exit(Run(a).run() != 0)


main()
