#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A TURN client in a WebSocket, without JavaScript: a Binding request, an allocation, a ping.

    websocket.py ADDRESS PORT PATH [--tls CA-FILE] [--name NAME] [--origin ORIGIN]
                 [--user USER --password PASSWORD]

Prints one line for each step; exit status 0: all were answered."""
import argparse
import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
import sys

COOKIE = 0x2112A442
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WebSocket:
    def __init__(self, stream, path, host, origin):
        self.stream = stream
        self.bytes = b""
        key = base64.b64encode(os.urandom(16))
        lines = [b"GET " + path.encode() + b" HTTP/1.1", b"Host: " + host.encode(),
                 b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13",
                 b"Sec-WebSocket-Key: " + key]
        if origin:
            lines.append(b"Origin: " + origin.encode())
        stream.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        while b"\r\n\r\n" not in self.bytes:
            self.more()
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        self.status = head.split(b"\r\n")[0].decode()
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        self.is_open = b" 101 " in head and b"Sec-WebSocket-Accept: " + accept in head

    def more(self):
        got = self.stream.recv(65536)
        if not got:
            sys.exit("the connection ended")
        self.bytes += got

    def take(self, n):
        while len(self.bytes) < n:
            self.more()
        got, self.bytes = self.bytes[:n], self.bytes[n:]
        return got

    def send(self, opcode, payload, final=True):
        mask = os.urandom(4)
        head = bytes([opcode | (0x80 if final else 0)])
        if len(payload) < 126:
            head += bytes([0x80 | len(payload)])
        else:
            head += bytes([0x80 | 126]) + struct.pack(">H", len(payload))
        self.stream.sendall(head + mask + bytes(c ^ mask[i & 3] for i, c in enumerate(payload)))

    def receive(self):
        """Opcode and payload of one frame, which has no mask."""
        first, length = self.take(2)
        if length == 126:
            length = struct.unpack(">H", self.take(2))[0]
        return first & 15, self.take(length)


def attribute(kind, value):
    return struct.pack(">HH", kind, len(value)) + value + bytes(-len(value) % 4)


def message(kind, attributes=b"", key=None):
    transaction = os.urandom(12)
    length = len(attributes) + (24 if key else 0)
    out = struct.pack(">HHI", kind, length, COOKIE) + transaction + attributes
    if key:
        out += attribute(0x0008, hmac.new(key, out, hashlib.sha1).digest())
    return out


def attributes_of(answer):
    found, at = {}, 20
    while at < len(answer):
        kind, length = struct.unpack_from(">HH", answer, at)
        found[kind] = answer[at + 4:at + 4 + length]
        at += 4 + length + (-length % 4)
    return found


def ask(web, request, in_fragments=False):
    if in_fragments:
        web.send(2, request[:5], final=False)
        web.send(9, b"between")
        web.send(0, request[5:])
        if web.receive() != (10, b"between"):
            sys.exit("no pong")
    else:
        web.send(2, request)
    opcode, answer = web.receive()
    if opcode != 2 or answer[8:20] != request[8:20]:
        sys.exit("no answer to the request")
    return struct.unpack(">H", answer[:2])[0], attributes_of(answer)


def allocate(web, user, password):
    transport = attribute(0x0019, bytes([17, 0, 0, 0]))
    kind, found = ask(web, message(0x0003, transport))
    if kind != 0x0113:
        sys.exit(f"an answer {kind:#x} instead of 401")
    realm, nonce = found[0x0014], found[0x0015]
    key = hashlib.md5(b":".join([user.encode(), realm, password.encode()])).digest()
    fields = transport + attribute(0x0006, user.encode()) + attribute(0x0014, realm) + \
        attribute(0x0015, nonce)
    kind, found = ask(web, message(0x0003, fields, key))
    if kind != 0x0103:
        sys.exit(f"no allocation: {found.get(9)}")
    port = struct.unpack(">H", found[0x0016][2:4])[0] ^ (COOKIE >> 16)
    print(f"allocated, relayed port {port}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("--tls")
    parser.add_argument("--name")
    parser.add_argument("--origin")
    parser.add_argument("--user")
    parser.add_argument("--password")
    o = parser.parse_args()
    stream = socket.create_connection((o.address, o.port), timeout=60)
    if o.tls:
        context = ssl.create_default_context(cafile=o.tls)
        context.set_alpn_protocols(["http/1.1"])
        stream = context.wrap_socket(stream, server_hostname=o.name or o.address)
    web = WebSocket(stream, o.path, o.name or o.address, o.origin)
    print(web.status)
    if not web.is_open:
        sys.exit(1)
    kind, found = ask(web, message(0x0001), in_fragments=True)
    if kind != 0x0101 or 0x0020 not in found:
        sys.exit("no answer to Binding")
    print("Binding answered")
    if o.user:
        allocate(web, o.user, o.password)
    web.send(8, struct.pack(">H", 1000))
    if web.receive() != (8, struct.pack(">H", 1000)):
        sys.exit("no close")
    print("closed")


main()
