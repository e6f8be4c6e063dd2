#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The relay host's own traffic, with a verdict: TCP with a checksum, DNS from many ports.

traffic.py tcp-server ADDRESS PORT          answers each connection with the SHA-256 of its data
traffic.py tcp-client ADDRESS PORT MEGABYTES
traffic.py dns-server ADDRESS PORT          answers A queries
traffic.py dns-client ADDRESS PORT QUERIES  each query from a port of the kernel's choice
"""
import hashlib
import os
import socket
import struct
import sys
import time

PIECE = 1 << 16


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def tcp_server(address, port):
    listener = socket.socket(family_of(address), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen()
    while True:
        connection, _ = listener.accept()
        digest = hashlib.sha256()
        while piece := connection.recv(PIECE):
            digest.update(piece)
        connection.sendall(digest.digest())
        connection.close()


def connect(address, port):
    """The server was started a moment ago: on a busy machine it may not listen yet."""
    for _ in range(600):
        try:
            return socket.create_connection((address, port), timeout=300)
        except ConnectionRefusedError:
            time.sleep(0.1)
    return socket.create_connection((address, port), timeout=300)


def tcp_client(address, port, megabytes):
    connection = connect(address, port)
    digest = hashlib.sha256()
    block = os.urandom(1 << 20)
    for number in range(megabytes):
        piece = struct.pack("!Q", number) + block[8:]
        digest.update(piece)
        connection.sendall(piece)
    connection.shutdown(socket.SHUT_WR)
    answer = b""
    while piece := connection.recv(64):
        answer += piece
    if answer != digest.digest():
        sys.exit(f"checksum differs after {megabytes} MB")


def dns_server(address, port):
    server = socket.socket(family_of(address), socket.SOCK_DGRAM)
    server.bind((address, port))
    while True:
        query, client = server.recvfrom(512)
        # The question repeated, one A record pointing at it.
        answer = query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:]
        server.sendto(answer + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\x4d\0\x01", client)


def dns_client(address, port, queries):
    answered = 0
    ports = set()
    for number in range(queries):
        with socket.socket(family_of(address), socket.SOCK_DGRAM) as client:
            client.settimeout(60)
            client.connect((address, port))
            ports.add(client.getsockname()[1])
            name = b"".join(bytes([len(part)]) + part for part in (b"q%d" % number, b"lab", b""))
            query = struct.pack("!HHHHHH", number & 0xffff, 0x100, 1, 0, 0, 0) + name + b"\0\1\0\1"
            for _ in range(600):
                client.send(query)
                try:
                    answer = client.recv(512)
                except ConnectionRefusedError:
                    # As with connect(): not there yet, at the first query.
                    if answered > 0:
                        break
                    time.sleep(0.1)
                    continue
                except OSError:
                    break
                answered += answer[:2] == query[:2]
                break
    print(f"{answered} of {queries} answered, from ports {min(ports)} to {max(ports)}")
    if answered != queries:
        sys.exit(1)


def main():
    commands = {
        "tcp-server": tcp_server,
        "tcp-client": tcp_client,
        "dns-server": dns_server,
        "dns-client": dns_client,
    }
    if len(sys.argv) < 4 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](sys.argv[2], *(int(number) for number in sys.argv[3:]))


if __name__ == "__main__":
    main()
