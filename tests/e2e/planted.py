#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Secrets of a relay and its clients, and where they may not be. A list of secrets has lines of a name
and a value in hexadecimal.

planted.py text NAME LIST < VALUE      adds a text, and the value where it is hexadecimal
planted.py show LIST NAME FORM         the first secret of that name: raw, hexadecimal or base64
planted.py key FILE LIST               adds the private number of an elliptic key, and its file
planted.py client LIST --server ...    calls by UDP, TCP and TLS; adds the secrets in them
planted.py watch LINK LIST             adds those that pass by a link in UDP, until it is ended
planted.py find LIST FILE...           prints each secret that is in a file, in any form; 1: there is one
planted.py find-raw LIST FILE...       as it is alone"""

import argparse
import base64
import hashlib
import hmac
import os
import re
import socket
import struct
import subprocess
import sys
import time

import hostile
import mobility
from hostile import ALLOCATE, INTEGRITY, REFRESH, TRANSPORT
from mobility import TICKET

SHA256, ACCESS_TOKEN, TOKEN, EVEN_PORT = 0x1c, 0x1b, 0x22, 0x18
NAMES = {INTEGRITY: "integrity", SHA256: "integrity-sha256", ACCESS_TOKEN: "access-token",
         TOKEN: "reservation-token", TICKET: "ticket"}


class List:
    def __init__(self, path):
        self.file = open(path, "a", encoding="ascii")

    def add(self, name, value):
        # Shorter ones are anywhere by chance.
        if len(value) >= 8 and any(value):
            print(name, value.hex(), file=self.file, flush=True)

    def add_message(self, message):
        found = hostile.parse(message)[1]
        for kind, name in NAMES.items():
            if kind in found:
                self.add(name, found[kind])


def read(path):
    with open(path, encoding="ascii") as f:
        rows = dict.fromkeys(tuple(line.split()) for line in f)
    return [(name, bytes.fromhex(value)) for name, value in rows]


# ---- the secrets --------------------------------------------------------------------------------

def text_add(out, name, text):
    out.add(name, text)
    if re.fullmatch(rb"([0-9a-f]{2}){8,}", text):
        out.add(name, bytes.fromhex(text.decode()))


def key_add(path, out):
    text = subprocess.run(["openssl", "ec", "-in", path, "-noout", "-text"], check=True,
                          capture_output=True, text=True).stdout
    number = re.search(r"priv:\s*((?:[0-9a-f]{2}:?\s*)+)", text)[1]
    out.add("tls-key", bytes.fromhex(re.sub(r"[:\s]", "", number)))
    with open(path, "rb") as f:
        out.add("tls-key-file", b"".join(f.read().splitlines()[1:-1])[16:64])


class Path(mobility.Path):
    out = None

    def exchange(self, data):
        self.out.add_message(data)
        answer = super().exchange(data)
        for kind, value in answer[1].items():
            if kind in NAMES:
                self.out.add(NAMES[kind], value)
        if self.key:
            self.out.add("key", self.key)
        return answer


def rest_user(secret):
    user = "%d:planted" % (time.time() + 3600)
    password = base64.b64encode(hmac.new(secret, user.encode(), hashlib.sha1).digest()).decode()
    return user, password


def client(args):
    Path.out = args.out
    paths = []
    for way in ("udp", "tcp", "tls"):
        carrier = mobility.Udp(args) if way == "udp" else mobility.Stream(args, way == "tls")
        path = Path(args, carrier)
        if way != "udp":
            path.user, path.password = rest_user(args.secret)
            args.out.add("rest-password", path.password.encode())
        code, found = path.ask(ALLOCATE, (TRANSPORT, b"\x11\0\0\0"), (TICKET, b""),
                               (EVEN_PORT, b"\x80"))
        if code != 0:
            sys.exit("Allocate by %s: %d" % (way, code))
        port = struct.unpack_from("!H", found[mobility.RELAYED], 2)[0] ^ hostile.COOKIE >> 16
        print("allocated %s:%d" % (args.server, port), flush=True)
        paths.append((path, found[TICKET]))
    for line in sys.stdin:
        # Each line: requests of all kinds, some with a wrong password.
        for path, ticket in paths:
            if path.refresh()[0] != 0:
                sys.exit("Refresh failed")
            path.ask(REFRESH, (TICKET, ticket))
            path.ask(hostile.PERMISSION, (hostile.PEER, hostile.peer_value(args.peer, 9)))
            good, path.key = path.key, hashlib.md5(b"wrong" + path.key).digest()
            path.exchange(hostile.message(REFRESH, os.urandom(12), [
                (hostile.USERNAME, path.user.encode()), (hostile.REALM, path.realm),
                (hostile.NONCE, path.nonce)], path.key))
            path.key = good
            path.channel_data(b"media")
        print("asked", flush=True)


def watch(link, out):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    s.bind((link, 3))
    print("watches", flush=True)
    while True:
        data, (_, protocol, *_) = s.recvfrom(4096)
        if protocol == 0x800 and len(data) > 48 and data[9] == 17:
            data = data[28:]
            if data[0] < 0x40 and data[4:8] == struct.pack("!I", hostile.COOKIE):
                out.add_message(data)


# ---- where it may not be ------------------------------------------------------------------------

def forms(value):
    yield "raw", value
    yield "hexadecimal", value.hex().encode()
    yield "HEXADECIMAL", value.hex().upper().encode()
    yield "base64", base64.b64encode(value).rstrip(b"=")


def find(words, paths, raw):
    """The number of findings."""
    n = 0
    for path in paths:
        with open(path, "rb") as f:
            data = f.read()
        for name, value in words:
            for form, text in forms(value):
                if text in data:
                    print("%s: %s, %s, %d times" % (path, name, form, data.count(text)))
                    n += 1
                if raw:
                    break
    print("%d secrets looked for in %d files, %d found" % (len(words), len(paths), n))
    return n


def main():
    words = sys.argv[1:]
    if words[:1] == ["text"]:
        return text_add(List(words[2]), words[1], sys.stdin.buffer.read().strip())
    if words[:1] == ["show"]:
        value = next(value for name, value in read(words[1]) if name == words[2])
        sys.stdout.buffer.write(dict(forms(value))[words[3]])
        return 0
    if words[:1] == ["key"]:
        return key_add(words[1], List(words[2]))
    if words[:1] == ["watch"]:
        return watch(words[1], List(words[2]))
    if words[:1] in (["find"], ["find-raw"]):
        return find(read(words[1]), words[2:], words[0] == "find-raw") > 0
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("command", choices=["client"])
    p.add_argument("list")
    p.add_argument("--server", required=True)
    p.add_argument("--peer", required=True)
    p.add_argument("--password-file", required=True)
    p.add_argument("--secret-file", required=True)
    p.add_argument("--ca", required=True)
    args = p.parse_args()
    args.out = List(args.list)
    with open(args.password_file, encoding="ascii") as f:
        args.password = f.read().strip()
    with open(args.secret_file, "rb") as f:
        args.secret = f.read().strip()
    return client(args)


if __name__ == "__main__":
    sys.exit(main())
