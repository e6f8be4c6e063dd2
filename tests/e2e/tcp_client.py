#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A client of TCP allocations (RFC 6062) over TCP or TLS: a plain implementation of its own.

tcp_client.py SERVER PORT PEER [--tls CA]: runs in the client's namespace. It starts a peer in
--peer-netns, and prints one line for each check: "ok - ..." or "not ok - ...".
"""
import argparse
import hashlib
import hmac
import os
import socket
import ssl
import struct
import subprocess
import sys
import time

COOKIE = 0x2112A442
ALLOCATE, REFRESH, PERMISSION, CHANNEL = 0x003, 0x004, 0x008, 0x009
CONNECT, BIND, ATTEMPT = 0x00A, 0x00B, 0x001C
USERNAME, ERROR, PEER, REALM, NONCE = 0x06, 0x09, 0x12, 0x14, 0x15
RELAYED, TRANSPORT, LIFETIME, CONNECTION_ID = 0x16, 0x19, 0x0D, 0x2A


class Refused(Exception):
    def __init__(self, code):
        super().__init__(str(code))
        self.code = code


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)


def xor_address(host, port):
    ip = struct.unpack("!I", socket.inet_aton(host))[0] ^ COOKIE
    return struct.pack("!BBHI", 0, 1, port ^ (COOKIE >> 16), ip)


def address_of(value):
    _, _, port, ip = struct.unpack("!BBHI", value)
    return socket.inet_ntoa(struct.pack("!I", ip ^ COOKIE)), port ^ (COOKIE >> 16)


class Client:
    """One connection to the relay."""

    def __init__(self, args, user="demo", password=None):
        self.user = user
        self.password = password or args.password
        self.socket = socket.create_connection((args.server, args.port), 20)
        self.socket.settimeout(60)
        if args.tls:
            context = ssl.create_default_context(cafile=args.tls)
            self.socket = context.wrap_socket(self.socket, server_hostname="relay.lab.turnpike")
        self.realm = self.nonce = None
        self.indications = []
        self.rest = b""

    def exactly(self, n):
        while len(self.rest) < n:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("the relay closed")
            self.rest += more
        out, self.rest = self.rest[:n], self.rest[n:]
        return out

    def message(self):
        head = self.exactly(20)
        kind, length = struct.unpack("!HH", head[:4])
        body = self.exactly(length)
        found, at = {}, 0
        while at < length:
            k, n = struct.unpack("!HH", body[at:at + 4])
            found.setdefault(k, body[at + 4:at + 4 + n])
            at += 4 + n + -n % 4
        return kind, head[8:20], found

    def send(self, method, attributes, txid=None, more=b""):
        txid = txid or os.urandom(12)
        body = b"".join(attribute(k, v) for k, v in attributes)
        if self.nonce:
            body += attribute(USERNAME, self.user.encode()) + attribute(REALM, self.realm)
            body += attribute(NONCE, self.nonce)
            key = hashlib.md5(b":".join((self.user.encode(), self.realm,
                                         self.password.encode()))).digest()
            head = struct.pack("!HHI", method, len(body) + 24, COOKIE) + txid
            body += attribute(0x08, hmac.new(key, head + body, hashlib.sha1).digest())
        head = struct.pack("!HHI", method, len(body), COOKIE) + txid
        self.socket.sendall(head + body + more)
        return txid

    def answer(self, method, txid):
        while True:
            kind, got, found = self.message()
            if kind == ATTEMPT:
                self.indications.append(found)
            elif got == txid and kind == method | 0x100:
                return found
            elif got == txid and kind == method | 0x110:
                code = found[ERROR][2] * 100 + found[ERROR][3]
                if code in (401, 438):
                    self.realm, self.nonce = found[REALM], found[NONCE]
                raise Refused(code)

    def ask(self, method, *attributes, more=b""):
        for _ in range(2):
            try:
                return self.answer(method, self.send(method, attributes, more=more))
            except Refused as r:
                if r.code not in (401, 438) or self.realm is None or \
                        getattr(self, "tried", None) == self.nonce:
                    raise
                self.tried = self.nonce
        return self.answer(method, self.send(method, attributes, more=more))

    def allocate(self):
        found = self.ask(ALLOCATE, (TRANSPORT, b"\6\0\0\0"))
        return address_of(found[RELAYED])

    def attempt(self):
        while not self.indications:
            kind, _, found = self.message()
            if kind == ATTEMPT:
                self.indications.append(found)
        return self.indications.pop(0)

    def connect(self, host, port):
        return self.ask(CONNECT, (PEER, xor_address(host, port)))[CONNECTION_ID]

    def permit(self, host):
        self.ask(PERMISSION, (PEER, xor_address(host, 0)))

    def bind(self, connection_id, more=b""):
        self.ask(BIND, (CONNECTION_ID, connection_id), more=more)


class Checks:
    def __init__(self):
        self.failed = 0

    def check(self, name, right):
        print(("ok - " if right else "not ok - ") + name, flush=True)
        self.failed += not right

    def refused(self, name, code, call, *args):
        try:
            call(*args)
            got = 0
        except Refused as r:
            got = r.code
        self.check("%s: %d, answered %d" % (name, code, got), got == code)


class Peer:
    """Runs in the other namespace: one line asks, one line answers."""

    SOURCE = """
import socket, sys
listening = socket.create_server((sys.argv[1], 0))
print(listening.getsockname()[1], flush=True)
s = None
for line in sys.stdin:
    word, *rest = line.split()
    try:
        if word == "accept":
            s, at = listening.accept()
            print("%s %d" % at[:2], flush=True)
        elif word == "dial":
            s = socket.create_connection((rest[0], int(rest[1])), 60)
            s.settimeout(60)
            print("%s %d" % s.getsockname()[:2], flush=True)
        elif word == "say":
            s.sendall(rest[0].encode())
            print("said", flush=True)
        elif word == "hear":
            print(s.recv(int(rest[0]), socket.MSG_WAITALL).decode() or "end", flush=True)
        elif word == "echo":
            n = 0
            while True:
                data = s.recv(65536)
                if not data:
                    break
                n += len(data)
                s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            print(n, flush=True)
        elif word == "sink":
            left = int(rest[0])
            while left > 0:
                n = len(s.recv(min(left, 65536)))
                if n == 0:
                    break
                left -= n
            print("left %d" % left, flush=True)
        elif word == "finish":
            s.shutdown(socket.SHUT_WR)
            print("finished", flush=True)
    except OSError as e:
        print("error", e, flush=True)
"""

    def __init__(self, args):
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", args.peer_netns, sys.executable, "-c", self.SOURCE, args.peer],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def begin(self, *words):
        print(*words, file=self.process.stdin, flush=True)

    def end(self):
        return self.process.stdout.readline().strip()

    def ask(self, *words):
        self.begin(*words)
        return self.end()


def active(c, args):
    """Connect, then bytes both ways, a large amount and the ends."""
    peer, control = Peer(args), Client(args)
    relayed = control.allocate()
    c.check("a TCP allocation", relayed[0] == args.server)
    peer.begin("accept")
    number = control.connect(args.peer, peer.port)
    c.check("it connects from the relayed address", peer.end() == "%s %d" % relayed)
    c.refused("a second connection to the peer", 446, control.connect, args.peer, peer.port)
    peer.ask("say", "early")
    other = Client(args, "second", args.password)
    c.refused("ConnectionBind by another user", 441, other.bind, number)
    wrong = bytes([number[0] ^ 1]) + number[1:]
    c.refused("a CONNECTION-ID of nobody", 400, Client(args).bind, wrong)
    c.refused("ConnectionBind on the control connection", 400, control.bind, number)
    data = Client(args)
    data.bind(number)
    c.check("what the peer said before is there", data.exactly(5) == b"early")
    data.socket.sendall(b"later")
    c.check("the peer hears the client", peer.ask("hear", 5) == "later")
    echo(c, peer, data)
    peer.begin("accept")
    number = control.connect(args.peer, peer.port)
    c.check("the peer may be connected again", peer.end() == "%s %d" % relayed)
    data = Client(args)
    # A nonce first, so that bytes may follow the request at once.
    c.refused("an unknown CONNECTION-ID", 400, data.bind, wrong)
    data.bind(number, more=b"at once")
    c.check("bytes behind the request reach the peer", peer.ask("hear", 7) == "at once")
    control.ask(REFRESH, (LIFETIME, b"\0\0\0\0"))
    c.check("the peer sees the end of the allocation", peer.ask("hear", 1) == "end")
    c.check("and the client", data.socket.recv(1) == b"")


def echo(c, peer, data):
    """Much more than all buffers, and half-closed ends where the transport can."""
    size, got, sent = 8 << 20, hashlib.sha256(), hashlib.sha256()
    peer.begin("echo")
    block, n = os.urandom(1 << 16), 0
    pid = os.fork()
    if pid == 0:
        for _ in range(size // len(block)):
            data.socket.sendall(block)
        os._exit(0)
    for _ in range(size // len(block)):
        sent.update(block)
    while n < size:
        more = data.socket.recv(65536)
        if not more:
            break
        n += len(more)
        got.update(more)
    os.waitpid(pid, 0)
    c.check("8 MiB there and back", n == size and got.digest() == sent.digest())
    if isinstance(data.socket, ssl.SSLSocket):
        data.socket.close()
    else:
        data.socket.shutdown(socket.SHUT_WR)
        c.check("the end comes back", data.socket.recv(1) == b"")
    c.check("the peer got all", peer.end() == str(size))


def passive(c, args):
    """A peer that comes: with a permission only."""
    peer, control = Peer(args), Client(args)
    relayed = control.allocate()
    peer.ask("dial", *relayed)
    c.check("a peer without permission is closed", peer.ask("hear", 1) == "end")
    control.permit(args.peer)
    at = peer.ask("dial", *relayed)
    peer.ask("say", "hello")
    told = control.attempt()
    c.check("ConnectionAttempt names the peer", "%s %d" % address_of(told[PEER]) == at)
    data = Client(args)
    data.bind(told[CONNECTION_ID])
    c.check("the peer's first bytes", data.exactly(5) == b"hello")
    data.socket.sendall(b"and back")
    c.check("the client's", peer.ask("hear", 8) == "and back")
    control.socket.close()
    c.check("the end of the control connection ends it", data.socket.recv(1) == b"")


def unjoined(c, args):
    """Nobody joins: closed after 30 seconds, however the clock of this machine runs."""
    peer, control = Peer(args), Client(args)
    relayed = control.allocate()
    control.permit(args.peer)
    peer.ask("dial", *relayed)
    control.attempt()
    c.check("a connection that nobody joins is closed", peer.ask("hear", 1) == "end")


def refusals(c, args):
    peer, control = Peer(args), Client(args)
    c.refused("Connect without an allocation", 437, control.connect, args.peer, peer.port)
    control.allocate()
    c.refused("loopback", 403, control.connect, "127.0.0.1", 22)
    c.refused("an address of the relay itself", 403, control.connect, args.server, args.port)
    c.refused("another address of the relay's host", 403, control.connect, "8.8.4.4", 22)
    c.refused("one that the host takes by a local route", 403, control.connect, "8.8.5.5", 22)
    c.refused("the link's own network", 403, control.connect, "169.254.1.1", 80)
    c.refused("a channel", 403, control.ask, CHANNEL, (0x0C, b"\x40\0\0\0"),
              (PEER, xor_address(args.peer, 9)))
    c.refused("a port where nobody listens", 447, control.connect, args.peer, 9)
    other = Client(args)
    there = other.allocate()
    other.permit(args.server)
    number = control.connect(*there)
    a, b = Client(args), Client(args)
    b.bind(other.attempt()[CONNECTION_ID])
    a.bind(number)
    a.socket.sendall(b"between two relayed addresses")
    c.check("from one TCP allocation to another", b.exactly(29) == b"between two relayed addresses")


def killed(c, args):
    """The control process is killed meanwhile, by the lines of the caller."""
    peer, control = Peer(args), Client(args)
    relayed = control.allocate()
    control.permit(args.peer)
    peer.begin("accept")
    number = control.connect(args.peer, peer.port)
    peer.end()
    data = Client(args)
    data.bind(number)
    at = peer.port
    other = Peer(args)
    other.begin("accept")
    waiting = control.connect(args.peer, other.port)
    other.end()
    print("ready", flush=True)
    sys.stdin.readline()
    data.socket.sendall(b"still")
    c.check("the data connection stays", peer.ask("hear", 5) == "still")
    control.ask(REFRESH, (LIFETIME, b"\0\0\2\x58"))
    c.check("the allocation stays", True)
    c.refused("its connection is known", 446, control.connect, args.peer, at)
    late = Client(args)
    late.bind(waiting)
    late.socket.sendall(b"late")
    c.check("one that waited is joined", other.ask("hear", 4) == "late")
    third = Peer(args)
    came = third.ask("dial", *relayed)
    told = control.attempt()
    c.check("the permission stays", "%s %d" % address_of(told[PEER]) == came)
    control.ask(REFRESH, (LIFETIME, b"\0\0\0\0"))
    c.check("and all end with the allocation", peer.ask("hear", 1) == "end" and
            other.ask("hear", 1) == "end")


def joined(args):
    """A peer, the client of an allocation, and the data connection that joins both."""
    peer, control = Peer(args), Client(args)
    control.allocate()
    peer.begin("accept")
    number = control.connect(args.peer, peer.port)
    peer.end()
    data = Client(args)
    data.bind(number)
    return peer, control, data


def moved(c, args):
    """The edge is taken over before each line of the caller."""
    peer, control, data = joined(args)
    print("ready", flush=True)
    n = 0
    for _ in iter(sys.stdin.readline, ""):
        n += 1
        data.socket.sendall(b"there")
        there = peer.ask("hear", 5) == "there"
        peer.ask("say", "back")
        c.check("take-over %d: bytes pass both ways" % n, there and data.exactly(4) == b"back")
        c.refused("take-over %d: the connection is known" % n, 446, control.connect, args.peer,
                  peer.port)
        print("moved", n, flush=True)
    echo(c, peer, data)
    print("to_peer_octets=%d to_client_octets=%d" % ((8 << 20) + 5 * n, (8 << 20) + 4 * n))


def metered(c, args):
    """Bytes that the caller finds in counters, at the rate that the caller sets."""
    peer, control, data = joined(args)
    for line in iter(sys.stdin.readline, ""):
        size, least_s = int(line.split()[0]), float(line.split()[1])
        began = time.monotonic()
        peer.begin("sink", str(size))
        data.socket.sendall(bytes(size))
        whole = peer.end() == "left 0"
        took_s = time.monotonic() - began
        c.check("%d bytes arrive, in %.2f s" % (size, took_s), whole and took_s >= least_s)
        print("sent", flush=True)


def brief(c, args):
    """Thirty allocations that end as soon as 50,000 bytes have passed, in three ways."""
    peer = Peer(args)
    for i in range(30):
        control, data = Client(args), Client(args)
        control.allocate()
        peer.begin("accept")
        number = control.connect(args.peer, peer.port)
        peer.end()
        data.bind(number)
        peer.begin("sink", "50000")
        data.socket.sendall(bytes(50000))
        whole = peer.end() == "left 0"
        if i % 3 == 0:
            control.ask(REFRESH, (LIFETIME, b"\0\0\0\0"))
        elif i % 3 == 1:
            control.socket.close()
        else:
            data.socket.close()
            control.ask(REFRESH, (LIFETIME, b"\0\0\0\0"))
        c.check("the bytes of allocation %d arrive" % i, whole)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("server")
    p.add_argument("port", type=int)
    p.add_argument("peer")
    p.add_argument("--peer-netns", required=True)
    p.add_argument("--password-file", required=True)
    p.add_argument("--tls")
    p.add_argument("--part", action="append", required=True,
                   choices=["active", "passive", "unjoined", "refusals", "killed", "moved", "metered",
                            "brief"])
    args = p.parse_args()
    with open(args.password_file, encoding="ascii") as f:
        args.password = f.read().strip()
    c = Checks()
    for part in args.part:
        globals()[part](c, args)
    sys.exit(c.failed > 0)


if __name__ == "__main__":
    main()
