#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Datagrams that do not fit, with a verdict in counts.

fragments.py matrix --server4 ... [--length N ...]   every way through the relay, DF clear: each
                                                     datagram arrives, byte for byte
fragments.py request --server4 ...                   a CreatePermission in fragments is answered
"""

import argparse
import ctypes
import hashlib
import hmac
import ipaddress
import os
import random
import select
import socket
import struct
import sys
import time

COOKIE = 0x2112a442
PORT = 3478
ALLOCATE, PERMISSION, CHANNEL, SEND, DATA = 3, 8, 9, 0x16, 0x17
USERNAME, INTEGRITY, NUMBER, PEER, VALUE = 6, 8, 0xc, 0x12, 0x13
REALM, NONCE, RELAYED, FAMILY, TRANSPORT = 0x14, 0x15, 0x16, 0x17, 0x19
LENGTHS = (1200, 1400, 1436, 1437, 1452, 1468, 1472, 1473, 2000, 2960, 4000)
WAIT = 2.0  # for a packet that may not come; sent again a few times
TRIES = 5


class Namespace:
    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.set(os.open("/run/netns/" + self.name, os.O_RDONLY))

    def __exit__(self, *_):
        self.set(self.home)

    @staticmethod
    def set(descriptor):
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(descriptor)


def udp_socket(netns, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with Namespace(netns):
        s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET:
        s.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER, never DF
    s.bind((address, 0))
    return s


def receive(s, seconds):
    ready = select.select([s], [], [], seconds)[0]
    return s.recvfrom(65535) if ready else (None, None)


def attribute(kind, value=b""):
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def mask(txid, length):
    return (struct.pack("!I", COOKIE) + txid)[:length]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def address_value(address, txid):
    packed = ipaddress.ip_address(address[0]).packed
    family = 1 if len(packed) == 4 else 2
    return struct.pack("!HH", family, address[1] ^ COOKIE >> 16) + xor(packed, mask(txid, 16))


def address_of(value, txid):
    port = struct.unpack_from("!H", value, 2)[0] ^ COOKIE >> 16
    return str(ipaddress.ip_address(xor(value[4:], mask(txid, len(value) - 4)))), port


def parse(data):
    found, at = {}, 20
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("!HH", data, at)
        found.setdefault(kind, data[at + 4:at + 4 + length])
        at += 4 + (length + 3 & ~3)
    return found


class Client:
    def __init__(self, netns, own, server, password):
        self.socket = udp_socket(netns, own)
        self.server = (server, PORT)
        self.password = password
        self.realm = self.nonce = self.key = None

    def request(self, kind, *attributes, txid=None):
        """The attributes of the answer; None: refused, or none came."""
        txid = txid or os.urandom(12)
        for _ in range(12):
            body = b"".join(attributes)
            if self.key:
                body += attribute(USERNAME, b"demo") + attribute(REALM, self.realm)
                body += attribute(NONCE, self.nonce)
                head = struct.pack("!HHI", kind, len(body) + 24, COOKIE) + txid
                body += attribute(INTEGRITY, hmac.new(self.key, head + body, "sha1").digest())
            self.socket.sendto(struct.pack("!HHI", kind, len(body), COOKIE) + txid + body,
                               self.server)
            answer = self.answer(txid)
            if answer is None:
                continue
            found = parse(answer)
            code = struct.unpack_from("!H", answer)[0] & 0x110
            if code == 0x100:
                return found
            if NONCE not in found:
                return None
            self.realm, self.nonce = found[REALM], found[NONCE]
            text = b"demo:" + self.realm + b":" + self.password.encode()
            self.key = hashlib.md5(text).digest()
            return None
        return None

    def answer(self, txid):
        end = time.monotonic() + WAIT
        while (left := end - time.monotonic()) > 0:
            data, _ = receive(self.socket, left)
            if data and data[8:20] == txid:
                return data
        return None

    def permit(self, *peers):
        txid = os.urandom(12)
        return self.request(PERMISSION, *(attribute(PEER, address_value(p, txid)) for p in peers),
                            txid=txid) is not None

    def bind(self, peer, number):
        txid = os.urandom(12)
        return self.request(CHANNEL, attribute(NUMBER, struct.pack("!HH", number, 0)),
                            attribute(PEER, address_value(peer, txid)), txid=txid) is not None

    def send_channel(self, number, payload):
        self.socket.sendto(struct.pack("!HH", number, len(payload)) + payload, self.server)

    def send_indication(self, peer, payload):
        txid = os.urandom(12)
        body = attribute(PEER, address_value(peer, txid)) + attribute(VALUE, payload)
        self.socket.sendto(struct.pack("!HHI", SEND, len(body), COOKIE) + txid + body, self.server)

    def unwrap(self, data):
        if data is None or data[0] & 0xc0 == 0x40:
            return data and ("channel", data[4:4 + struct.unpack_from("!H", data, 2)[0]])
        return "data", parse(data).get(VALUE)


class Relayed(Client):
    """A client with an allocation; `relayed` is its address."""

    def __init__(self, netns, own, server, password, family):
        super().__init__(netns, own, server, password)
        wanted = (attribute(TRANSPORT, b"\x11\0\0\0"),
                  attribute(FAMILY, bytes([2 if family == 6 else 1, 0, 0, 0])))
        txid = os.urandom(12)
        self.request(ALLOCATE, *wanted)  # refused, with realm and nonce
        found = self.request(ALLOCATE, *wanted, txid=txid)
        if found is None:
            sys.exit("no allocation at %s" % server)
        self.relayed = address_of(found[RELAYED], txid)


def attempt(send, take, payload):
    """How many times it was sent until it arrived; 0: never."""
    for number in range(1, TRIES + 1):
        send()
        end = time.monotonic() + WAIT
        while (left := end - time.monotonic()) > 0:
            data = take(left)
            if data == payload:
                return number
    return 0


class Judge:
    def __init__(self):
        self.right, self.again, self.wrong = 0, 0, []

    def __call__(self, name, length, tries):
        self.right += tries > 0
        self.again += tries > 1
        if tries == 0:
            self.wrong.append("%s %u" % (name, length))

    def end(self):
        print("%u arrived, %u of them not at once, %u never: %s" % (
            self.right, self.again, len(self.wrong), ", ".join(self.wrong) or "-"))
        return 1 if self.wrong or not self.right else 0


def pair(o, near, far):
    """A client over `near` and a peer over `far`: channel to the peer, permission for a visitor."""
    client = Relayed(o.netns_a, o.a6 if near == 6 else o.a4, o.server6 if near == 6 else o.server4,
                     o.password, far)
    peers = [udp_socket(o.netns_b, o.b6 if far == 6 else o.b4) for _ in range(2)]
    if not client.bind(peers[0].getsockname()[:2], 0x4001):
        sys.exit("no channel")
    if not client.permit(peers[1].getsockname()[:2]):
        sys.exit("no permission")
    return client, peers


def take_plain(s):
    return lambda left: receive(s, left)[0]


def take_form(client, form):
    def take(left):
        got = client.unwrap(receive(client.socket, left)[0])
        return got[1] if got and got[0] == form else None
    return take


def run_pair(o, judge, near, far):
    client, (peer, visitor) = pair(o, near, far)
    where = visitor.getsockname()[:2]
    for length in o.length:
        payload = random.randbytes(length)
        ways = (
            ("channel", lambda: client.send_channel(0x4001, payload), take_plain(peer)),
            ("send", lambda: client.send_indication(where, payload), take_plain(visitor)),
            ("to channel", lambda: peer.sendto(payload, client.relayed),
             take_form(client, "channel")),
            ("to data", lambda: visitor.sendto(payload, client.relayed),
             take_form(client, "data")),
        )
        for name, send, take in ways:
            if o.way and name not in o.way:
                continue
            judge("%u to %u %s" % (near, far, name), length, attempt(send, take, payload))


def run_hairpin(o, judge, family):
    own = (o.a6, o.b6) if family == 6 else (o.a4, o.b4)
    server = o.server6 if family == 6 else o.server4
    ends = [Relayed(n, a, server, o.password, family)
            for n, a in zip((o.netns_a, o.netns_b), own)]
    for i in range(2):
        if not ends[i].bind(ends[1 - i].relayed, 0x4001):
            sys.exit("no channel to the other end")
    for length in o.length:
        for i in range(2):
            payload = random.randbytes(length)
            judge("hairpin %u" % family, length,
                  attempt(lambda: ends[i].send_channel(0x4001, payload),
                          take_form(ends[1 - i], "channel"), payload))


def matrix(o):
    judge = Judge()
    for near in (4, 6):
        for far in (4, 6):
            run_pair(o, judge, near, far)
        run_hairpin(o, judge, near)
    return judge.end()


def request(o):
    """As many peers as make a request of more than one packet."""
    judge = Judge()
    for near in (4, 6):
        client, _ = pair(o, near, 4)
        peers = [("10.77.2.%u" % (i + 1), 1000 + i) for i in range(126)]
        judge("request over %u" % near, len(peers), int(client.permit(*peers)))
    return judge.end()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("what", choices=("matrix", "request"))
    for name in ("server4", "server6", "a4", "a6", "b4", "b6", "netns-a", "netns-b",
                 "password-file"):
        p.add_argument("--" + name, required=True)
    p.add_argument("--length", type=int, action="append")
    p.add_argument("--way", action="append")
    o = p.parse_args()
    o.length = o.length or LENGTHS
    with open(o.password_file, encoding="ascii") as f:
        o.password = f.read().strip()
    return {"matrix": matrix, "request": request}[o.what](o)


if __name__ == "__main__":
    sys.exit(main())
