#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""One client against all others behind the same address, with a verdict in counts: requests that a
second user had to send again, and packets of media that did not come back.

hostile.py echo ADDRESS PORT              sends each datagram back
hostile.py judge --server ... [KIND...]   runs attacks one by one, and the second user beside each
hostile.py attack KIND --server ...       an attack by itself, until it is ended"""

import argparse
import base64
import ctypes
import hashlib
import hmac
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

COOKIE = 0x2112a442
ALLOCATE, REFRESH, PERMISSION, CHANNEL = 3, 4, 8, 9
USERNAME, INTEGRITY, ERROR, CHANNEL_NUMBER, LIFETIME, PEER = 6, 8, 9, 0xc, 0xd, 0x12
REALM, NONCE, TRANSPORT = 0x14, 0x15, 0x19
PORT = 3478
# Waits of a request before it is sent again (RFC 8489 6.2.1).
WAITS = (0.5, 1, 2, 4, 8)


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def message(kind, txid, attributes, key=None):
    body = b"".join(attribute(*a) for a in attributes)
    if key is None:
        return struct.pack("!HHI", kind, len(body), COOKIE) + txid + body
    covered = struct.pack("!HHI", kind, len(body) + 24, COOKIE) + txid + body
    return covered + attribute(INTEGRITY, hmac.new(key, covered, hashlib.sha1).digest())


def parse(data):
    """The type and the first attribute of each kind."""
    found, at = {}, 20
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("!HH", data, at)
        found.setdefault(kind, data[at + 4:at + 4 + length])
        at += 4 + (length + 3 & ~3)
    return struct.unpack_from("!H", data)[0], found


def peer_value(address, port):
    ip = struct.unpack("!I", socket.inet_aton(address))[0]
    return struct.pack("!HHI", 1, port ^ COOKIE >> 16, ip ^ COOKIE)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Client:
    """A user of the relay at a port of its own."""

    def __init__(self, server, name, secret):
        self.user = "%d:%s" % (time.time() + 3600, name)
        self.password = base64.b64encode(
            hmac.new(secret, self.user.encode(), hashlib.sha1).digest()).decode()
        self.socket = socket.socket(family_of(server), socket.SOCK_DGRAM)
        self.socket.connect((server, PORT))
        self.key, self.realm, self.nonce = None, b"", b""
        self.resent = 0

    def signed(self, kind, attributes, txid=None):
        return message(kind, txid or os.urandom(12), [
            *attributes, (USERNAME, self.user.encode()), (REALM, self.realm),
            (NONCE, self.nonce)], self.key)

    def exchange(self, data):
        """The answer to a request; None: none came."""
        for number, wait in enumerate(WAITS):
            self.resent += number > 0
            self.socket.send(data)
            end = time.monotonic() + wait
            while (left := end - time.monotonic()) > 0:
                if not select.select([self.socket], [], [], left)[0]:
                    break
                answer = self.socket.recv(2048)
                if len(answer) >= 20 and answer[4:20] == data[4:20]:
                    return parse(answer)
        return None

    def request(self, kind, *attributes):
        """The error code, 0 for success, -1 for silence."""
        for _ in range(3):
            answer = self.exchange(self.signed(kind, attributes) if self.key else
                                   message(kind, os.urandom(12), attributes))
            if answer is None:
                return -1
            found = answer[1]
            if not answer[0] & 0x10:
                return 0
            code = found[ERROR][2] * 100 + found[ERROR][3]
            if code != 438 and (code != 401 or self.key):
                return code
            self.realm, self.nonce = found[REALM], found[NONCE]
            self.key = hashlib.md5(b":".join(
                (self.user.encode(), self.realm, self.password.encode()))).digest()
        return code

    def allocate(self):
        return self.request(ALLOCATE, (TRANSPORT, b"\x11\0\0\0"))

    def refresh(self, seconds=600):
        return self.request(REFRESH, (LIFETIME, struct.pack("!I", seconds)))

    def permit(self, *addresses):
        return self.request(PERMISSION, *((PEER, peer_value(a, 9)) for a in addresses))

    def bind(self, number, address, port):
        return self.request(CHANNEL, (CHANNEL_NUMBER, struct.pack("!HH", number, 0)),
                            (PEER, peer_value(address, port)))


# ---- attacks ------------------------------------------------------------------------------------

LIBC = ctypes.CDLL(None, use_errno=True)


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("len", ctypes.c_size_t)]


class Msghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32),
                ("iov", ctypes.POINTER(Iovec)), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int)]


class Mmsghdr(ctypes.Structure):
    _fields_ = [("hdr", Msghdr), ("len", ctypes.c_uint)]


class Batch:
    """Datagrams that one call sends."""

    def __init__(self, datagrams):
        self.iovecs = (Iovec * len(datagrams))(*(Iovec(d, len(d)) for d in datagrams))
        self.headers = (Mmsghdr * len(datagrams))()
        for header, iovec in zip(self.headers, self.iovecs):
            header.hdr.iov, header.hdr.iovlen = ctypes.pointer(iovec), 1

    def send(self, sock):
        """How many left; none where there is no room."""
        return max(LIBC.sendmmsg(sock.fileno(), self.headers, len(self.headers), 0), 0)


def flood(sock, datagrams, rate):
    """Sends the datagrams over and over, many by one call."""
    batch = Batch(datagrams)
    start, sent = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - start) * rate) - sent
        if due < len(datagrams):
            time.sleep(0.0005)
            continue
        sent += batch.send(sock)
        if due > rate / 10:
            # The machine does not give more: no debt.
            start, sent = time.monotonic(), 0


def live(a, name="mallory"):
    client = Client(a.server, name, a.secret)
    if client.allocate() != 0:
        sys.exit("the hostile client has no allocation")
    return client


def attack_unsigned(a):
    client = live(a)
    yield
    flood(client.socket, [message(REFRESH, os.urandom(12), [(LIFETIME, bytes(4))])
                          for _ in range(64)], a.rate or 100000)


def attack_signed(a):
    client = live(a)
    yield
    flood(client.socket, [client.signed(REFRESH, [(LIFETIME, b"\0\0\2\0")])
                          for _ in range(64)], a.rate or 50000)


def attack_forged(a):
    client = live(a)
    good, client.key = client.key, b"a wrong key"
    yield good
    flood(client.socket, [client.signed(REFRESH, [(LIFETIME, bytes(4))])
                          for _ in range(64)], a.rate or 50000)


def attack_nonces(a):
    """Many ports with a nonce and without an allocation."""
    clients = [Client(a.server, "mallory", a.secret) for _ in range(64)]
    for client in clients:
        client.request(REFRESH, (LIFETIME, bytes(4)))
        client.key = b"a wrong key"
    requests = [(c.socket, c.signed(ALLOCATE, [(TRANSPORT, b"\x11\0\0\0")])) for c in clients]
    yield
    while True:
        for sock, data in requests:
            sock.send(data)


def words_sum(data):
    data += bytes(len(data) % 2)
    return sum(struct.unpack("!%dH" % (len(data) // 2), data))


def spoofed4(source, target, data):
    """A function that makes the packet from a port."""
    # The kernel fills in length, id and checksum of the IP header; UDP goes without one.
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, 17, 0, source, target)
    return lambda port: ip + struct.pack("!HHHH", port, PORT, 8 + len(data), 0) + data


def spoofed6(source, target, data):
    length = 8 + len(data)
    ip = struct.pack("!IHBB16s16s", 6 << 28, length, 17, 64, source, target)
    known = words_sum(source + target + data) + 2 * length + 17 + PORT

    def packet(port):
        total = known + port
        while total > 0xffff:
            total = (total & 0xffff) + (total >> 16)
        return ip + struct.pack("!HHHH", port, PORT, length, ~total & 0xffff or 0xffff) + data
    return packet


def spoof(a, datagrams, rate):
    """From any port of the second user's address, by a raw socket."""
    family = family_of(a.own)
    source, target = (socket.inet_pton(family, address) for address in (a.own, a.server))
    raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    make = spoofed6 if family == socket.AF_INET6 else spoofed4
    packets = [make(source, target, data) for data in datagrams]
    start, sent = time.monotonic(), 0
    while True:
        if sent > (time.monotonic() - start) * rate:
            time.sleep(0.001)
            continue
        for packet in packets:
            raw.sendto(packet(random.randrange(1024, 32768)), (a.server, 0))
        sent += len(datagrams)


def attack_spoofed(a):
    yield
    spoof(a, [message(ALLOCATE, os.urandom(12), [(TRANSPORT, b"\x11\0\0\0")])
              for _ in range(8)], a.rate or 5000)


def attack_spoofed_forged(a):
    yield
    spoof(a, [message(ALLOCATE, os.urandom(12), [
        (TRANSPORT, b"\x11\0\0\0"), (USERNAME, b"mallory"), (REALM, b"lab.turnpike"),
        (NONCE, b"none of yours")], b"any key") for _ in range(8)], a.rate or 5000)


def attack_ports(a):
    clients = [Client(a.server, "mallory", a.secret) for _ in range(32)]
    yield
    while True:
        for client in clients:
            client.allocate()
            client.refresh(0)


def attack_entries(a):
    clients = [live(a) for _ in range(4)]
    yield
    while True:
        for net in range(256):
            for client in clients:
                client.permit(*("10.77.%d.%d" % (64 + net % 64, host) for host in range(1, 40)))
                client.bind(0x4000 + net, "10.77.200.%d" % (1 + net % 250), 1000 + net)


def attack_hops(a):
    """Peers on the relay's own link, each of which wants a next hop."""
    client = live(a)
    yield
    while True:
        for host in range(20, 250, 10):
            client.permit(*("10.77.0.%d" % n for n in range(host, host + 10)))


ATTACKS = {name[7:].replace("_", "-"): f for name, f in list(globals().items())
           if name.startswith("attack_")}


def attack(a):
    for _ in ATTACKS[a.kinds[0]](a):
        print("begins", flush=True)


# ---- the second user ----------------------------------------------------------------------------

class Victim:
    ROUNDS = 10
    MEDIA = 20

    def __init__(self, a):
        self.a = a
        self.peer_address, self.peer_port = a.peer, a.peer_port
        self.client = Client(a.server, "victim", a.secret)
        if (self.client.allocate(), self.client.permit(a.peer),
                self.client.bind(0x4000, a.peer, a.peer_port)) != (0, 0, 0):
            sys.exit("the second user has no call without an attack")

    def media(self):
        """Packets that did not come back from the peer."""
        tag = os.urandom(8)
        want = set(range(self.MEDIA))
        for number in range(self.MEDIA):
            data = tag + struct.pack("!I", number) + bytes(148)
            self.client.socket.send(struct.pack("!HH", 0x4000, len(data)) + data)
            time.sleep(0.001)
        while want and select.select([self.client.socket], [], [], 1)[0]:
            data = self.client.socket.recv(2048)
            if data[:1] == b"\x40" and data[4:12] == tag:
                want.discard(struct.unpack_from("!I", data, 12)[0])
        return len(want)

    def counted(self, call):
        before = self.client.resent
        if call() != 0:
            return 1000
        return self.client.resent - before

    def newcomer(self):
        client = Client(self.a.server, "victim", self.a.secret)
        if client.allocate() != 0:
            return 1000
        resent = client.resent
        client.refresh(0)
        client.socket.close()
        return resent

    def measure(self):
        counts = {"refresh": 0, "permission": 0, "media": 0, "newcomer": 0}
        for number in range(self.ROUNDS):
            counts["refresh"] += self.counted(self.client.refresh)
            counts["permission"] += self.counted(
                lambda: self.client.permit("10.77.2.%d" % (50 + number)))
            counts["media"] += self.media()
            counts["newcomer"] = max(counts["newcomer"], self.newcomer())
        return counts


# Reasons and places by which the machine, not the relay, loses packets.
MACHINE = ("port_missed", "xdp_ring_full", "tx_full", "no_memory")


def machine_losses(a):
    drops = json.loads(subprocess.run([*a.relayctl.split(), "-j", "drop", "show", "all"],
                                      capture_output=True, text=True, check=True).stdout)
    lost = sum(d["packets"] for d in drops if d["reason"] in MACHINE)
    with open("/proc/net/softnet_stat") as f:
        lost += sum(int(line.split()[1], 16) for line in f)
    for name in a.netns:
        links = json.loads(subprocess.run(["ip", "-n", name, "-j", "-s", "link"], check=True,
                                          capture_output=True, text=True).stdout)
        lost += sum(link["stats64"][way]["dropped"] for link in links for way in ("rx", "tx"))
    return lost


def beside(a, kind, victim):
    """Counts of the second user beside an attack, and how many packets the machine lost."""
    words = [sys.executable, __file__, "attack", kind, "--server", a.server, "--own", a.own,
             "--secret-file", a.secret_file]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        if child.stdout.readline() != "begins\n":
            sys.exit("the attack did not begin: " + kind)
        before = machine_losses(a)
        counts = victim.measure()
        # The ports' own counters are a second old.
        time.sleep(1.2)
        lost = machine_losses(a) - before
        if child.poll() is not None:
            sys.exit("the attack ended early: " + kind)
    finally:
        child.kill()
        child.wait()
    return counts, lost


def judge(a):
    good, victim = True, Victim(a)
    for kind in a.kinds or ATTACKS:
        # Where the machine lost packets a repetition may be its own: once more.
        for _ in range(3):
            counts, lost = beside(a, kind, victim)
            fine = (counts["refresh"] == counts["permission"] == counts["media"] == 0 and
                    counts["newcomer"] <= 1)
            if fine or lost == 0:
                break
        excused = not fine and lost > 0 and counts["newcomer"] < 1000
        good &= fine or excused
        print("%s - beside %s: repeated %d of %d Refreshes, %d of %d permissions, at most %d "
              "requests of a new client; %d of %d packets of media lost%s" % (
                  "ok" if fine or excused else "not ok", kind, counts["refresh"], victim.ROUNDS,
                  counts["permission"], victim.ROUNDS, counts["newcomer"], counts["media"],
                  victim.ROUNDS * victim.MEDIA,
                  "; the machine lost %d packets" % lost if lost else ""), flush=True)
    return 0 if good else 1


def echo(address, port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, int(port)))
    print("listens", flush=True)
    while True:
        data, source = sock.recvfrom(2048)
        sock.sendto(data, source)


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "echo":
        echo(*sys.argv[2:])
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("command", choices=("judge", "attack"))
    p.add_argument("kinds", nargs="*", choices=[[], *ATTACKS])
    p.add_argument("--server", required=True)
    p.add_argument("--own", required=True, help="the address of both clients")
    p.add_argument("--secret-file", required=True)
    p.add_argument("--peer")
    p.add_argument("--peer-port", type=int)
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
