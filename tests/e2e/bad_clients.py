#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients of streams that misbehave: connections opened and dropped at every stage, handshakes that
are never ended, clients that never read while a peer sends to them. Runs in the clients' namespace;
prints one line when all is done, then holds all that is open until its input ends.

bad_clients.py SERVER PORT PEER --peer-netns NAME --password-file FILE --tls CA
               [--dropped N] [--half-open N] [--unread N] [--packets N]
"""
import argparse
import os
import socket
import ssl
import struct
import sys
import time

import tcp_client
from fragments import Namespace

UDP = b"\x11\0\0\0"
NUMBER = 0x0C
PACKET = 1000
AT_ONCE = 100  # open at the same time
RESET = struct.pack("ii", 1, 0)
PAUSE = 0.001


def hello(context):
    """The bytes of a ClientHello."""
    out = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="relay.lab.turnpike")
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def drop(a, number, begin):
    """Opens one connection, as far as its number says. The caller closes it."""
    s = socket.create_connection((a.server, a.port), 60)
    # Nothing, a part of a ClientHello, all of it, or half a request of STUN.
    s.sendall((b"", begin[:100], begin, struct.pack("!HHI", 3, 100, tcp_client.COOKIE))[number % 4])
    if number % 2:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return s


def drop_all(a, begin):
    held = []
    for number in range(a.dropped):
        held.append(drop(a, number, begin))
        if len(held) == AT_ONCE:
            for s in held:
                s.close()
            held = []
    for s in held:
        s.close()


def half_open(a, begin):
    held = []
    for number in range(a.half_open):
        s = socket.create_connection((a.server, a.port), 60)
        s.sendall(begin[:5 + number % (len(begin) - 5)])
        held.append(s)
    return held


def unread(a, peer):
    """A client with a channel to the peer, and its relayed address."""
    client = tcp_client.Client(a)
    # The kernel reads little ahead.
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    found = client.ask(tcp_client.ALLOCATE, (tcp_client.TRANSPORT, UDP))
    client.ask(tcp_client.CHANNEL, (NUMBER, struct.pack("!HH", 0x4000, 0)),
               (tcp_client.PEER, tcp_client.xor_address(*peer)))
    return client, tcp_client.address_of(found[tcp_client.RELAYED])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("server")
    p.add_argument("port", type=int)
    p.add_argument("peer")
    p.add_argument("--peer-netns", required=True)
    p.add_argument("--password-file", required=True)
    p.add_argument("--tls", required=True)
    for name in ("dropped", "half-open", "unread", "packets"):
        p.add_argument("--" + name, type=int, default=0)
    a = p.parse_args()
    with open(a.password_file, encoding="ascii") as f:
        a.password = f.read().strip()
    with Namespace(a.peer_netns):
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind((a.peer, 0))
    begin = hello(ssl.create_default_context(cafile=a.tls))
    held = half_open(a, begin)
    silent = [unread(a, peer.getsockname()) for _ in range(a.unread)]
    for _ in range(a.packets):
        for _, relayed in silent:
            peer.sendto(os.urandom(PACKET), relayed)
        time.sleep(PAUSE)
    drop_all(a, begin)
    print("%u dropped, %u half open, %u unread" % (a.dropped, len(held), len(silent)), flush=True)
    sys.stdin.read()
    for s in held:
        s.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
