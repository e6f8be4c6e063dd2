#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Calls between two clients of the relay over every pair of transports: a plain client of its own.

transports.py SERVER --ca FILE --password-file FILE [--messages N] [--move]

Each pair has two allocations, each of which is the other's peer: what one client sends by its
channel leaves the relay by the other client's allocation, on the relay itself. With --move the
second transport is another way of the same client, to which its allocation moves (RFC 8016), and
back; the peer stays. Prints one line for each pair: "ok - ..." or "not ok - ...". TLS is Python's,
DTLS that of openssl s_client.
"""
import argparse
import hashlib
import hmac
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import time

COOKIE = 0x2112A442
ALLOCATE, REFRESH, CHANNEL = 0x003, 0x004, 0x009
USERNAME, ERROR, CHANNEL_NUMBER, LIFETIME, PEER = 0x06, 0x09, 0x0C, 0x0D, 0x12
DATA, REALM, NONCE, RELAYED, TRANSPORT = 0x13, 0x14, 0x15, 0x16, 0x19
TICKET, DATA_INDICATION = 0x8030, 0x017
NUMBER = 0x4000
TRANSPORTS = ("udp", "tcp", "tls", "dtls")
PORTS = {"udp": 3478, "tcp": 3478, "tls": 5349, "dtls": 5349}
HANDSHAKE_S = 60  # all waits are for events; these only end a test that hangs
ANSWER_S = 60
AGAIN_S = 0.5  # a request that UDP or DTLS may have lost


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)


def attributes_of(message):
    found, at = {}, 20
    while at < len(message):
        kind, length = struct.unpack("!HH", message[at:at + 4])
        found.setdefault(kind, message[at + 4:at + 4 + length])
        at += 4 + length + -length % 4
    return found


class Datagrams:
    """A connected UDP socket, or the ends of s_client, which makes a record of each of its reads.

    s_client takes R, Q, B, k and K at the beginning of one for commands; no message begins so.
    """

    lossy = True

    def __init__(self, server, port, ca=None):
        self.child = None
        if ca is None:
            self.out = self.into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.out.connect((server, port))
            return
        self.out, stdin = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.into, stdout = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.child = subprocess.Popen(
            ["openssl", "s_client", "-brief", "-dtls1_2", "-connect", "%s:%d" % (server, port),
             "-CAfile", ca, "-verify_return_error", "-verify_hostname", "relay.lab.turnpike"],
            stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL)
        stdin.close()
        stdout.close()

    def fileno(self):
        return self.into.fileno()

    def send(self, message):
        self.out.send(message)

    def messages(self):
        return [self.into.recv(65536)]

    def close(self):
        self.out.close()
        if self.child:
            # It says goodbye to the relay.
            self.child.wait(ANSWER_S)
        self.into.close()


class Stream:
    """TCP or TLS: messages are cut out of the stream, ChannelData is padded."""

    lossy = False

    def __init__(self, server, port, ca=None):
        self.socket = socket.create_connection((server, port), HANDSHAKE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if ca:
            context = ssl.create_default_context(cafile=ca)
            self.socket = context.wrap_socket(self.socket, server_hostname="relay.lab.turnpike")
        self.socket.settimeout(ANSWER_S)
        self.rest = b""

    def fileno(self):
        return self.socket.fileno()

    def send(self, message):
        self.socket.sendall(message + b"\0" * (-len(message) % 4))

    def messages(self):
        more = self.socket.recv(65536)
        if not more:
            raise EOFError("the relay closed")
        self.rest += more
        while isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            self.rest += self.socket.recv(65536)
        found = []
        while len(self.rest) >= 4:
            kind, length = struct.unpack("!HH", self.rest[:4])
            length += 20 if kind < 0x4000 else 4
            padded = length + -length % 4
            if len(self.rest) < padded:
                break
            found.append(self.rest[:length])
            self.rest = self.rest[padded:]
        return found

    def close(self):
        self.socket.close()


class Client:
    """An allocation with one channel. `moved`: the client whose allocation it takes by a ticket."""

    def __init__(self, transport, args, mobile=False, moved=None):
        way = Stream if transport in ("tcp", "tls") else Datagrams
        ca = args.ca if transport in ("tls", "dtls") else None
        self.way = way(args.server, getattr(args, "port", None) or PORTS[transport], ca)
        self.password = args.password
        self.realm = self.nonce = None
        self.data = []
        if moved:
            found = self.ask(REFRESH, (TICKET, moved.ticket))
            self.relayed = moved.relayed
        else:
            ticket = ((TICKET, b""),) if mobile else ()
            found = self.ask(ALLOCATE, (TRANSPORT, b"\x11\0\0\0"), *ticket)
            self.relayed = found[RELAYED]
        self.ticket = found.get(TICKET)

    def request(self, method, attributes):
        txid = os.urandom(12)
        body = b"".join(attribute(k, v) for k, v in attributes)
        if self.nonce:
            body += attribute(USERNAME, b"demo") + attribute(REALM, self.realm)
            body += attribute(NONCE, self.nonce)
            key = hashlib.md5(b":".join((b"demo", self.realm, self.password))).digest()
            head = struct.pack("!HHI", method, len(body) + 24, COOKIE) + txid
            body += attribute(0x08, hmac.new(key, head + body, hashlib.sha1).digest())
        return txid, struct.pack("!HHI", method, len(body), COOKIE) + txid + body

    def take(self, seconds):
        """Reads what is there: data is kept, the others are returned."""
        found = []
        if not select.select([self.way], [], [], seconds)[0]:
            return found
        for message in self.way.messages():
            if message[0] & 0xC0:
                number, length = struct.unpack("!HH", message[:4])
                if number == NUMBER:
                    self.data.append(message[4:4 + length])
            elif struct.unpack("!H", message[:2])[0] == DATA_INDICATION:
                self.data.append(attributes_of(message)[DATA])
            else:
                found.append(message)
        return found

    def answer(self, txid, message):
        end = time.monotonic() + ANSWER_S
        again = 0
        while time.monotonic() < end:
            if time.monotonic() >= again:
                if again == 0 or self.way.lossy:
                    self.way.send(message)
                again = time.monotonic() + AGAIN_S
            for got in self.take(AGAIN_S):
                if got[8:20] == txid:
                    return got
        raise TimeoutError("no answer")

    def ask(self, method, *attributes):
        for _ in range(3):
            got = self.answer(*self.request(method, attributes))
            found = attributes_of(got)
            if struct.unpack("!H", got[:2])[0] == method | 0x100:
                return found
            code = found[ERROR][2] * 100 + found[ERROR][3]
            if code not in (401, 438):
                raise OSError("refused: %d" % code)
            self.realm, self.nonce = found[REALM], found[NONCE]
        raise OSError("refused: 401")

    def bind(self, other):
        # XOR of addresses of IPv4 has no transaction id in it.
        self.ask(CHANNEL, (CHANNEL_NUMBER, struct.pack("!HH", NUMBER, 0)), (PEER, other.relayed))

    def say(self, data):
        self.way.send(struct.pack("!HH", NUMBER, len(data)) + data)

    def close(self):
        self.ask(REFRESH, (LIFETIME, b"\0\0\0\0"))
        self.way.close()


def call(a, b, n):
    """N messages each way, of every length up to a packet's; each must arrive once."""
    a.data, b.data = [], []
    sent = {a: [], b: []}
    end = time.monotonic() + ANSWER_S
    for i in range(n):
        for here in (a, b):
            data = struct.pack("!I", i) + os.urandom((i * 37) % 1000)
            sent[here].append(data)
            here.say(data)
        # Few are under way: a full socket buffer on a busy machine is no loss of the relay's.
        while min(len(a.data), len(b.data)) < i - 8 and time.monotonic() < end:
            a.take(0.05)
            b.take(0.05)
    while (len(a.data) < n or len(b.data) < n) and time.monotonic() < end:
        a.take(0.05)
        b.take(0.05)
    return sorted(a.data) == sorted(sent[b]) and sorted(b.data) == sorted(sent[a])


def arrives(client, peer):
    """Sends both ways until the peer is heard here: what it sent before came by the other way."""
    end = time.monotonic() + ANSWER_S
    client.data = []
    while not client.data and time.monotonic() < end:
        client.say(b"here")
        peer.say(b"there")
        client.take(0.1)
        peer.take(0.01)
    # The rest of these, so that they do not count as the call's.
    n = -1
    while n != len(client.data) + len(peer.data):
        n = len(client.data) + len(peer.data)
        client.take(0.3)
        peer.take(0.3)
    return bool(client.data)


def move(first, second, args):
    """From one transport to the other and back, with a call after each move."""
    peer, client = Client("udp", args), Client(first, args, mobile=True)
    client.bind(peer)
    peer.bind(client)
    right = call(client, peer, args.messages)
    for transport in (second, first):
        there = Client(transport, args, moved=client)
        right = arrives(there, peer) and right
        # The relay has left it: its end takes nothing along.
        client.way.close()
        right = call(there, peer, args.messages) and right
        client = there
    client.close()
    peer.close()
    print("%s - from %s to %s and back" % ("ok" if right else "not ok", first, second), flush=True)
    return not right


def main():
    p = argparse.ArgumentParser()
    p.add_argument("server")
    p.add_argument("--ca", required=True)
    p.add_argument("--password-file", required=True)
    p.add_argument("--messages", type=int, default=50)
    p.add_argument("--move", action="store_true")
    args = p.parse_args()
    with open(args.password_file, "rb") as f:
        args.password = f.read().strip()
    failed = 0
    for first in TRANSPORTS:
        for second in TRANSPORTS:
            if args.move:
                failed += move(first, second, args)
                continue
            a, b = Client(first, args), Client(second, args)
            a.bind(b)
            b.bind(a)
            right = call(a, b, args.messages)
            print("%s - %s and %s: %d and %d of %d" % (
                "ok" if right else "not ok", first, second, len(b.data), len(a.data),
                args.messages), flush=True)
            failed += not right
            a.close()
            b.close()
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
