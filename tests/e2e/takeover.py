#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Somebody at the socket by which an edge is taken over who does not take it over.

takeover.py SOCKET LAYOUT HOW: sends garbage, another version, a record that is cut, or (die) all that
the next edge sends until the old one hands over, and dies then. Prints the reason that it was given.
"""
import socket
import struct
import sys

MAGIC = 0x54502D45444745
VERSION = 4
HELLO, SOCKET, GO, REFUSED = 1, 3, 4, 12


def record(kind, body=b"", version=VERSION):
    return struct.pack("=QIIII", MAGIC, version, kind, len(body), 0) + body


def exactly(s, n):
    found = b""
    while len(found) < n:
        more = s.recv(n - len(found))
        if not more:
            raise EOFError
        found += more
    return found


def receive(s):
    _, _, kind, length, _ = struct.unpack("=QIIII", exactly(s, 24))
    return kind, exactly(s, length)


def main():
    path, layout, how = sys.argv[1:]
    hello = struct.pack("=II", int(layout), 1)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(60)
    s.connect(path)
    if how == "garbage":
        s.sendall(b"GET / HTTP/1.1\r\nHost: turnpike-edge\r\n\r\n")
    elif how == "version":
        s.sendall(record(HELLO, hello, VERSION + 1))
    elif how == "cut":
        s.sendall(record(HELLO, hello)[:-1])
        s.shutdown(socket.SHUT_WR)
    else:
        s.sendall(record(HELLO, hello))
        _, welcome = receive(s)
        for _ in range(struct.unpack("=IIII", welcome)[3]):
            assert receive(s)[0] == SOCKET
        s.sendall(record(GO))
        receive(s)
        return
    kind, text = receive(s)
    assert kind == REFUSED
    print(text.decode())


if __name__ == "__main__":
    main()
