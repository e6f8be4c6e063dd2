#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A client with mobility (RFC 8016) that has both its paths open, and its peer: packets are numbered
and counted by the path that they came by.

mobility.py SERVER PEER --password-file FILE --part PART: runs in the client's namespace, with its
peer in --peer-netns. One line for each check; the exit code is 1 if one failed."""

import argparse
import ctypes
import hashlib
import os
import select
import socket
import ssl
import struct
import sys
import time

import hostile
from hostile import ALLOCATE, CHANNEL, CHANNEL_NUMBER, ERROR, LIFETIME, NONCE, PEER, PERMISSION
from hostile import REALM, REFRESH, TRANSPORT, USERNAME

TICKET, RELAYED, DATA = 0x8030, 0x16, 0x13
SEND_INDICATION, DATA_INDICATION = 0x16, 0x17
NUMBER = 0x4001
# A bound on events, which a busy machine may delay by seconds.
PATIENCE = 60
MANY = 50

failed = 0


def judge(ok, text):
    global failed
    failed += not ok
    print("ok -" if ok else "not ok -", text, flush=True)


def enter(path):
    with open(path) as f:
        if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), 0x40000000) != 0:
            sys.exit("no namespace " + path)


class Udp:
    def __init__(self, args):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((args.server, 3478))

    def send(self, data):
        self.socket.send(data)

    def messages(self):
        """All that are there."""
        while select.select([self.socket], [], [], 0)[0]:
            try:
                yield self.socket.recv(65536)
            except ConnectionRefusedError:
                continue

    def close(self):
        self.socket.close()


class Stream:
    """TCP, or TLS inside it."""

    def __init__(self, args, tls):
        self.socket = socket.create_connection((args.server, 5349 if tls else 3478), PATIENCE)
        if tls:
            context = ssl.create_default_context(cafile=args.ca)
            self.socket = context.wrap_socket(self.socket, server_hostname="relay.lab.turnpike")
        self.socket.setblocking(False)
        self.rest = b""

    def send(self, data):
        self.socket.setblocking(True)
        self.socket.sendall(data + bytes(-len(data) % 4))
        self.socket.setblocking(False)

    def messages(self):
        try:
            while more := self.socket.recv(65536):
                self.rest += more
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        while len(self.rest) >= 4:
            kind, length = struct.unpack_from("!HH", self.rest)
            length += 20 if kind < 0x4000 else 4
            if len(self.rest) < (length + 3 & ~3):
                break
            yield self.rest[:length]
            self.rest = self.rest[length + 3 & ~3:]

    def close(self):
        self.socket.close()


class Path:
    """The client at one 5-tuple. Values of attributes may be functions of the transaction's number."""

    waits = (0.5, 1, 2, 4, 8, 16, 32)  # for an answer, until the request is sent again

    def __init__(self, args, carrier, user="demo"):
        self.user, self.password = user, args.password
        self.carrier = carrier
        self.key, self.realm, self.nonce = None, b"", b""
        self.answers, self.heard, self.resent = {}, [], 0

    def read(self):
        for data in self.carrier.messages():
            kind, length = struct.unpack_from("!HH", data)
            if kind == NUMBER:
                self.heard.append(data[4:4 + length])
            elif kind == DATA_INDICATION:
                # One about an error has no data.
                self.heard += [v for a, v in hostile.parse(data)[1].items() if a == DATA]
            else:
                self.answers[data[8:20]] = hostile.parse(data)

    def exchange(self, data):
        for number, wait in enumerate(self.waits):
            self.resent += number > 0
            self.carrier.send(data)
            end = time.monotonic() + wait
            while time.monotonic() < end:
                self.read()
                if data[8:20] in self.answers:
                    return self.answers.pop(data[8:20])
                time.sleep(0.001)
        sys.exit("not ok - a request was never answered")

    def ask(self, kind, *attributes):
        """The error code, 0 for success, and the attributes of the answer."""
        for _ in range(3):
            txid = os.urandom(12)
            full = [(a, v(txid) if callable(v) else v) for a, v in attributes]
            if self.key:
                full += [(USERNAME, self.user.encode()), (REALM, self.realm), (NONCE, self.nonce)]
            answer = self.exchange(hostile.message(kind, txid, full, self.key))
            found = answer[1]
            if not answer[0] & 0x10:
                return 0, found
            code = found[ERROR][2] * 100 + found[ERROR][3]
            if code != 438 and (code != 401 or self.key):
                return code, found
            self.realm, self.nonce = found[REALM], found[NONCE]
            self.key = hashlib.md5(b":".join(
                (self.user.encode(), self.realm, self.password.encode()))).digest()
        return code, found

    def refresh(self, *more, seconds=600):
        return self.ask(REFRESH, (LIFETIME, struct.pack("!I", seconds)), *more)

    def channel_data(self, data):
        self.carrier.send(struct.pack("!HH", NUMBER, len(data)) + data)

    def indication(self, data, peer):
        self.carrier.send(hostile.message(SEND_INDICATION, os.urandom(12), [
            (PEER, hostile.peer_value(*peer)), (DATA, data)]))


class Call:
    """An allocation with a ticket, a channel and a peer."""

    def __init__(self, args, path):
        self.args, self.path, self.number = args, path, 0
        enter("/run/netns/" + args.peer_netns)
        self.peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.peer.bind((args.peer, 0))
        enter(args.own)
        self.address = self.peer.getsockname()
        code, found = path.ask(ALLOCATE, (TRANSPORT, b"\x11\0\0\0"), (TICKET, b""))
        judge(code == 0 and len(found.get(TICKET, b"")) > 16, "an allocation with a ticket")
        if code != 0:
            sys.exit("not ok - Allocate was answered %d" % code)
        self.ticket = found[TICKET]
        port = struct.unpack_from("!H", found[RELAYED], 2)[0] ^ 0x2112
        self.relayed = (args.server, port)
        peer = (PEER, hostile.peer_value(*self.address))
        code, _ = path.ask(CHANNEL, (CHANNEL_NUMBER, struct.pack("!HH", NUMBER, 0)), peer)
        judge(code == 0, "it has a channel")

    def works(self, path):
        """Sends until a packet has passed each way: the data plane may just have started."""
        end = time.monotonic() + PATIENCE
        passed = False
        while not passed and time.monotonic() < end:
            data = self.next()
            path.channel_data(data)
            passed = self.arrives_at_peer(data, 0.2)
        if not passed:
            return False
        while time.monotonic() < end:
            data = self.next()
            self.peer.sendto(data, self.relayed)
            wait = time.monotonic() + 0.2
            while time.monotonic() < wait:
                path.read()
                if data in path.heard:
                    return True
                time.sleep(0.005)
        return False

    def next(self):
        self.number += 1
        return b"packet %d" % self.number

    def arrives_at_peer(self, data, patience=PATIENCE):
        """What comes before it is passed over."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if select.select([self.peer], [], [], 0.05)[0] and self.peer.recv(2048) == data:
                return True
        return False

    def up(self, path, form="channel"):
        """One packet to the peer."""
        data = self.next()
        if form == "channel":
            path.channel_data(data)
        else:
            path.indication(data, self.address)
        return self.arrives_at_peer(data)

    def down(self, paths):
        """One packet to the client: the path that it came by; None: it was lost."""
        data = self.next()
        self.peer.sendto(data, self.relayed)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for path in paths:
                path.read()
                if data in path.heard:
                    return path
            time.sleep(0.001)
        return None

    def moves(self, path, name):
        code, found = path.refresh((TICKET, self.ticket))
        judge(code == 0 and found.get(TICKET, self.ticket) != self.ticket,
              "%s: the Refresh is answered %d, with a new ticket" % (name, code))
        self.ticket = found.get(TICKET, self.ticket)

    def before(self, name, old, new):
        """Both ways up, one way down."""
        judge(all(self.up(old) for _ in range(MANY)), "%s: the old path goes on up" % name)
        ways = [self.down((old, new)) for _ in range(MANY)]
        judge(ways == [old] * MANY, "%s: and down, nothing lost" % name)

    def after(self, name, old, new, form):
        """The first message decides; each packet down comes by one of both. It is the channel that
        loses none: a Data indication may be lost when the permissions change over."""
        judge(self.up(new, form), "%s: the first message by the new one arrives" % name)
        ways = []
        end = time.monotonic() + PATIENCE
        while (not ways or ways[-1] is old) and time.monotonic() < end:
            ways.append(self.down((old, new)))
        judge(None not in ways and ways[-1] is new,
              "%s: it swaps, nothing lost of %d on the way" % (name, len(ways)))
        ways = [self.down((old, new)) for _ in range(MANY)]
        judge(ways == [new] * MANY, "%s: then all comes by the new one" % name)
        judge(all(self.up(new) for _ in range(MANY)), "%s: and goes by it" % name)

    def over(self, name, old, new):
        """Nothing passes by the old one any more."""
        judge(old.refresh()[0] == 437, "%s: the old one has no allocation" % name)
        data = self.next()
        old.channel_data(data)
        marker = self.next()
        new.channel_data(marker)
        came = []
        end = time.monotonic() + PATIENCE
        while marker not in came and time.monotonic() < end:
            if select.select([self.peer], [], [], 0.05)[0]:
                came.append(self.peer.recv(2048))
        judge(marker in came and data not in came, "%s: nothing passes by it" % name)

    def ends(self, path):
        judge(path.refresh(seconds=0)[0] == 0, "the allocation ends")


def make_before_break(args):
    old, new = Path(args, Udp(args)), Path(args, Udp(args))
    call = Call(args, old)
    judge(call.up(old) and call.down((old,)) is old, "media flows")
    call.moves(new, "another port")
    call.before("another port", old, new)
    call.after("another port", old, new, "channel")
    call.over("another port", old, new)
    # The NAT gives the first port again, for both forms of a first message.
    call.moves(old, "back")
    call.before("back", new, old)
    call.after("back", new, old, "indication")
    call.over("back", new, old)
    # And back before a message was sent.
    call.moves(new, "flip")
    call.moves(old, "flip and back")
    judge(new.refresh()[0] == 437, "flip and back: the second port has nothing")
    judge(call.up(old) and call.down((old, new)) is old, "flip and back: media flows")
    call.ends(old)


def refusals(args):
    old, new = Path(args, Udp(args)), Path(args, Udp(args))
    code, _ = old.ask(ALLOCATE, (TRANSPORT, b"\x11\0\0\0"), (TICKET, b"ticket"))
    judge(code == 400, "a ticket in an Allocate: 400, answered %d" % code)
    call = Call(args, old)
    stranger = Path(args, Udp(args), "second")
    code, _ = stranger.refresh((TICKET, call.ticket))
    judge(code == 441, "another user: 441, answered %d" % code)
    for name, ticket in (("garbage", os.urandom(32)), ("too short", os.urandom(5)),
                         ("too long", call.ticket * 10), ("one bit changed", bytes(
                             (call.ticket[0] ^ 1,)) + call.ticket[1:])):
        code, _ = new.refresh((TICKET, ticket))
        judge(code == 437, "a ticket %s: 437, answered %d" % (name, code))
    first = call.ticket
    call.moves(new, "the right one")
    code, _ = new.refresh((TICKET, first))
    judge(code == 437, "the one before: 437, answered %d" % code)
    judge(call.up(old) and call.down((old, new)) is old, "media flows by the first path")
    call.ends(old)
    code, _ = new.refresh((TICKET, call.ticket))
    judge(code == 437, "of an allocation that ended: 437, answered %d" % code)


def off(args):
    path = Path(args, Udp(args))
    code, _ = path.ask(ALLOCATE, (TRANSPORT, b"\x11\0\0\0"), (TICKET, b""))
    judge(code == 405, "it is off: 405, answered %d" % code)
    code, found = path.ask(ALLOCATE, (TRANSPORT, b"\x11\0\0\0"))
    judge(code == 0 and TICKET not in found, "an allocation without a ticket")
    path.refresh(seconds=0)


def killed(args):
    """The control process is killed while the move is under way."""
    old, new = Path(args, Udp(args)), Path(args, Udp(args))
    call = Call(args, old)
    call.moves(new, "before the kill")
    print("ready", flush=True)
    sys.stdin.readline()
    call.before("after the kill", old, new)
    call.after("after the kill", old, new, "channel")
    call.over("after the kill", old, new)
    print("ready again", flush=True)
    sys.stdin.readline()
    judge(call.works(new), "after the second kill: media flows")
    judge(new.refresh()[0] == 0, "after the second kill: the allocation is there")
    call.moves(old, "after the second kill")
    call.after("after the second kill", new, old, "channel")
    call.ends(old)


def streams(args):
    """From transport to transport, with both paths open."""
    udp, other = Path(args, Udp(args)), Path(args, Udp(args))
    tcp, tls = Path(args, Stream(args, False)), Path(args, Stream(args, True))
    call = Call(args, udp)
    at = udp
    for name, to in (("UDP to TLS", tls), ("TLS to UDP", other), ("UDP to TCP", tcp)):
        call.moves(to, name)
        call.before(name, at, to)
        call.after(name, at, to, "channel")
        at = to
    # A connection that closes leaves the allocation waiting.
    tcp.carrier.close()
    again = Path(args, Stream(args, True))
    call.moves(again, "a closed connection")
    judge(call.down((again,)) is again and call.up(again), "a closed connection: media flows")
    print("ready", flush=True)
    sys.stdin.readline()
    # All connections are gone now.
    last = Path(args, Udp(args))
    call.moves(last, "a killed edge")
    judge(call.down((last,)) is last and call.up(last), "a killed edge: media flows")
    call.ends(last)


PARTS = {"make_before_break": make_before_break, "refusals": refusals, "off": off,
         "killed": killed, "streams": streams}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server")
    parser.add_argument("peer")
    parser.add_argument("--peer-netns", required=True)
    parser.add_argument("--password-file", required=True)
    parser.add_argument("--ca")
    parser.add_argument("--part", choices=PARTS, required=True)
    args = parser.parse_args()
    with open(args.password_file) as f:
        args.password = f.read().strip()
    with open("/proc/self/ns/net") as own:
        args.own = "/proc/self/fd/%d" % own.fileno()
        PARTS[args.part](args)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
