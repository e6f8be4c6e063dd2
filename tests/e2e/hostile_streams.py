#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""One client by TCP, TLS and DTLS against all others, with a verdict in counts. The client has
credentials and one address; the second user another, and calls by UDP, TCP and TLS. Attacks end
after a minute.

hostile_streams.py judge --server ... [KIND...]   runs attacks one by one, and the calls beside each
hostile_streams.py attack KIND --server ...       an attack by itself"""

import argparse
import os
import random
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time

import hostile

PORTS = {"udp": 3478, "tcp": 3478, "tls": 5349}
WAYS = tuple(PORTS)
RELAYED = 0x16
ANSWER_S = sum(hostile.WAITS)
LIFE_S = 60
FLOODS = 24   # connections that flood
BATCH = 32    # messages of one write


def dial(a, way, own, verify=True):
    """A connected socket from the address."""
    if way == "udp":
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((own, 0))
        sock.connect((a.server, PORTS[way]))
        return sock
    sock = socket.create_connection((a.server, PORTS[way]), ANSWER_S, (own, 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if way == "tls":
        context = ssl.create_default_context(cafile=a.ca)
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        sock = context.wrap_socket(sock, server_hostname="relay.lab.turnpike")
    return sock


class Client(hostile.Client):
    """A user of the relay by UDP, TCP or TLS."""

    def __init__(self, a, way, name, own):
        super().__init__(a.server, name, a.secret)
        self.socket.close()
        self.socket = dial(a, way, own, name != "mallory")
        self.way, self.rest = way, b""

    def cut(self):
        """The whole messages of the bytes that came."""
        found = []
        while len(self.rest) >= 4:
            kind, length = struct.unpack_from("!HH", self.rest)
            length += 20 if kind < 0x4000 else 4
            padded = length + -length % 4
            if len(self.rest) < padded:
                break
            found.append(self.rest[:length])
            self.rest = self.rest[padded:]
        return found

    def take(self, wait):
        """Messages that came; none: nothing did in time."""
        pending = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()
        if not pending and not select.select([self.socket], [], [], max(wait, 0))[0]:
            return []
        if self.way == "udp":
            return [self.socket.recv(2048)]
        self.socket.settimeout(ANSWER_S)
        more = self.socket.recv(65536)
        if not more:
            raise EOFError("the relay closed")
        self.rest += more
        return self.cut() or [b""]

    def exchange(self, data):
        answer = super().exchange(data) if self.way == "udp" else self.ask(data)
        value = answer[1].get(RELAYED) if answer else None
        if value:
            port, ip = struct.unpack_from("!HI", value, 2)
            self.relayed = (socket.inet_ntoa(struct.pack("!I", ip ^ hostile.COOKIE)),
                            port ^ hostile.COOKIE >> 16)
        return answer

    def ask(self, data):
        self.socket.sendall(data)
        end = time.monotonic() + ANSWER_S
        while (left := end - time.monotonic()) > 0:
            for answer in self.take(left):
                if len(answer) >= 20 and answer[4:20] == data[4:20]:
                    return hostile.parse(answer)
        return None


class Victim(hostile.Victim):
    """The second user's call. Its clients fail by an exception where the relay ends them."""

    def __init__(self, a, way):
        self.a, self.way = a, way
        self.client = Client(a, way, "victim", a.second)
        if (self.client.allocate(), self.client.permit(a.peer),
                self.client.bind(0x4000, a.peer, a.peer_port)) != (0, 0, 0):
            sys.exit("the second user has no call without an attack: " + way)

    def media(self):
        tag = os.urandom(8)
        want = set(range(self.MEDIA))
        for number in range(self.MEDIA):
            data = tag + struct.pack("!I", number) + bytes(148)
            self.client.socket.send(struct.pack("!HH", 0x4000, len(data)) + data)
            time.sleep(0.001)
        while want and (messages := self.client.take(1)):
            for data in messages:
                if data[:1] == b"\x40" and data[4:12] == tag:
                    want.discard(struct.unpack_from("!I", data, 12)[0])
        return len(want)

    def newcomer(self):
        client = Client(self.a, self.way, "victim", self.a.second)
        if client.allocate() != 0:
            return 1000
        client.refresh(0)
        client.socket.close()
        return client.resent


# ---- attacks ------------------------------------------------------------------------------------


class Flood:
    """A connection that writes the same bytes over and over and never reads."""

    def __init__(self, a, way, make):
        self.a, self.way, self.make = a, way, make
        self.begin()

    def begin(self):
        self.client = Client(self.a, self.way, "mallory", self.a.own)
        if self.client.allocate() != 0:
            raise OSError("no allocation")
        self.bytes = self.make(self.client)
        self.rest = b""
        self.client.socket.setblocking(False)

    def write(self):
        """Whether the relay took a whole batch."""
        # A write of TLS is tried again with the same bytes.
        self.rest = self.rest or self.bytes
        try:
            self.rest = self.rest[self.client.socket.send(self.rest):]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return False
        return not self.rest


def flood(a, way, make, rate):
    floods = [Flood(a, way, make) for _ in range(FLOODS)]
    yield
    start, sent = time.monotonic(), 0
    while True:
        busy = False
        for f in floods:
            if sent > (time.monotonic() - start) * rate:
                break
            try:
                if f.write():
                    sent += BATCH
                    busy = True
            except OSError:
                # The relay has closed it: answers that nobody reads.
                f.client.socket.close()
                time.sleep(0.01)
                try:
                    f.begin()
                except (OSError, EOFError):
                    pass
        if not busy:
            time.sleep(0.001)
            start += 0.001


def unsigned(_):
    return b"".join(hostile.message(hostile.REFRESH, os.urandom(12),
                                    [(hostile.LIFETIME, bytes(4))]) for _ in range(BATCH))


def signed(client):
    return b"".join(client.signed(hostile.REFRESH, [(hostile.LIFETIME, b"\0\0\2\0")])
                    for _ in range(BATCH))


def forged(client):
    client.key = b"a wrong key"
    return signed(client)


def attack_unsigned_tcp(a):
    yield from flood(a, "tcp", unsigned, a.rate or 50000)


def attack_signed_tcp(a):
    yield from flood(a, "tcp", signed, a.rate or 30000)


def attack_signed_tls(a):
    yield from flood(a, "tls", signed, a.rate or 30000)


def attack_forged_tls(a):
    yield from flood(a, "tls", forged, a.rate or 30000)


def attack_unread_tls(a):
    """Media that come back to clients that do not read."""
    def calls(client):
        if client.permit(a.peer) != 0 or client.bind(0x4000, a.peer, a.peer_port + 1) != 0:
            raise OSError("no call")
        return (struct.pack("!HH", 0x4000, 800) + bytes(800)) * BATCH
    yield from flood(a, "tls", calls, a.rate or 3000)


def attack_flood_down(a):
    """Media from the client's own other allocation, faster than anybody could read it."""
    sink, source = (Client(a, way, "mallory", a.own) for way in ("tcp", "udp"))
    if (sink.allocate(), source.allocate()) != (0, 0):
        sys.exit("the hostile client has no allocations")
    (here, at), (there, _) = sink.relayed, source.relayed
    if (sink.permit(there), source.bind(0x4000, here, at)) != (0, 0):
        sys.exit("the hostile client has no call")
    yield
    hostile.flood(source.socket, [struct.pack("!HH", 0x4000, 200) + bytes(200)] * 64,
                  a.rate or 200000)


def attack_half_open(a):
    """Handshakes that are never ended, until none more is taken."""
    held = []
    yield
    while True:
        try:
            sock = socket.create_connection((a.server, PORTS["tls"]), 1, (a.own, 0))
            sock.send(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[:random.randrange(12)])
            held.append(sock)
        except OSError:
            time.sleep(0.02)
        if len(held) > 2000:
            held.pop(random.randrange(len(held))).close()
        time.sleep(0.002)


def attack_garbage(a):
    """Bytes that are no messages, messages longer than any, and records that are no TLS."""
    made = [os.urandom(200), b"\0\1\xff\xfc" + os.urandom(2000), b"\x40\0\xff\xff" + bytes(3000),
            b"\x16\x03\x03\x40\0" + os.urandom(3000), b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 500]
    yield
    while True:
        try:
            sock = socket.create_connection(
                (a.server, random.choice((PORTS["tcp"], PORTS["tls"], 443))), 1, (a.own, 0))
            for _ in range(8):
                sock.sendall(random.choice(made))
            sock.close()
        except OSError:
            time.sleep(0.005)


def attack_hellos(a):
    """ClientHellos of DTLS without a cookie, from many ports."""
    body = b"\xfe\xfd" + bytes(32) + b"\0\0\0\2\xc0\x2b\1\0"
    shake = b"\1" + struct.pack("!I", len(body))[1:] + bytes(5) + \
        struct.pack("!I", len(body))[1:] + body
    hello = b"\x16\xfe\xfd" + bytes(8) + struct.pack("!H", len(shake)) + shake
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(64)]
    for sock in socks:
        sock.bind((a.own, 0))
        sock.connect((a.server, PORTS["tls"]))
    yield
    while True:
        for sock in socks:
            try:
                sock.send(hello)
            except OSError:
                pass
        time.sleep(0.01)


ATTACKS = {name[7:].replace("_", "-"): f for name, f in list(globals().items())
           if name.startswith("attack_")}


def attack(a):
    signal.alarm(LIFE_S)
    for _ in ATTACKS[a.kinds[0]](a):
        print("begins", flush=True)


# ---- the verdict --------------------------------------------------------------------------------


def measured(victim):
    try:
        return victim.measure()
    except (OSError, EOFError) as e:
        print("# %s: %s" % (victim.way, e), flush=True)
        return {"refresh": 1000, "permission": 1000, "media": 1000, "newcomer": 1000}


def beside(a, kind):
    """Counts of the second user's calls beside an attack, and how many packets the machine lost."""
    victims = [Victim(a, way) for way in WAYS]
    words = [sys.executable, __file__, "attack", kind, "--server", a.server, "--own", a.own,
             "--second", a.second, "--secret-file", a.secret_file, "--ca", a.ca, "--peer", a.peer,
             "--peer-port", str(a.peer_port)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        if child.stdout.readline() != "begins\n":
            sys.exit("the attack did not begin: " + kind)
        before = hostile.machine_losses(a)
        counts = [measured(v) for v in victims]
        # The ports' own counters are a second old.
        time.sleep(1.2)
        lost = hostile.machine_losses(a) - before
        if child.poll() is not None:
            sys.exit("the attack ended early: " + kind)
    finally:
        child.kill()
        child.wait()
        for victim in victims:
            victim.client.socket.close()
    return counts, lost


def is_fine(counts):
    return counts["refresh"] == counts["permission"] == counts["media"] == 0 and \
        counts["newcomer"] <= 1


def is_excused(way, counts):
    """Whether packets that the machine lost may be the reason. It loses no request by TCP, and an
    error is no loss."""
    if way == "udp":
        return max(counts["refresh"], counts["permission"], counts["newcomer"]) < 1000
    return counts["refresh"] == counts["permission"] == 0 and counts["newcomer"] <= 1


def judge(a):
    good = True
    for kind in a.kinds or ATTACKS:
        # Where the machine lost packets of UDP a repetition may be its own: once more.
        for _ in range(3):
            counts, lost = beside(a, kind)
            fine = all(is_fine(c) for c in counts)
            if fine or lost == 0:
                break
        excused = not fine and lost > 0 and all(
            is_fine(c) or is_excused(way, c) for way, c in zip(WAYS, counts))
        good &= fine or excused
        for way, c in zip(WAYS, counts):
            print("%s - beside %s, by %s: repeated %d of %d Refreshes, %d of %d permissions, at "
                  "most %d requests of a new client; %d of %d packets of media lost%s" % (
                      "ok" if is_fine(c) or excused else "not ok", kind, way, c["refresh"],
                      Victim.ROUNDS, c["permission"], Victim.ROUNDS, c["newcomer"], c["media"],
                      Victim.ROUNDS * Victim.MEDIA,
                      "; the machine lost %d packets" % lost if lost else ""), flush=True)
    return 0 if good else 1


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("command", choices=("judge", "attack"))
    p.add_argument("kinds", nargs="*", choices=[[], *ATTACKS])
    p.add_argument("--server", required=True)
    p.add_argument("--own", required=True, help="the hostile client's address")
    p.add_argument("--second", required=True, help="the second user's")
    p.add_argument("--secret-file", required=True)
    p.add_argument("--ca", required=True)
    p.add_argument("--peer")
    p.add_argument("--peer-port", type=int, help="of the second user's peer; the next one is the other's")
    p.add_argument("--relayctl", help="command line up to -j")
    p.add_argument("--netns", action="append", default=[],
                   help="namespace whose interfaces may lose packets")
    p.add_argument("--rate", type=float, help="of a flood, instead of its own")
    a = p.parse_args()
    with open(a.secret_file, "rb") as f:
        a.secret = f.read().strip()
    return judge(a) if a.command == "judge" else attack(a)


if __name__ == "__main__":
    sys.exit(main())
