#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""One call while the peer policy gets rules with ports: by Send, channel, and from the peer.

ports.py peer ADDRESS                     echoes on ports 5000 and 5001; what comes to 5002 goes back
                                          from 5001
ports.py call --server ADDRESS --peer ADDRESS --secret FILE --config FILE RELAYCTL...
"""

import argparse
import json
import select
import socket
import subprocess
import sys
import time

import hostile

SEND, DATA_INDICATION, DATA = 0x16, 0x17, 0x13
PATIENCE_S = 30


def peer(address):
    sockets = []
    for port in (5000, 5001, 5002):
        sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sockets[-1].bind((address, port))
    print("listens", flush=True)
    while True:
        for sock in select.select(sockets, [], [])[0]:
            data, source = sock.recvfrom(2048)
            (sockets[1] if sock is sockets[2] else sock).sendto(data, source)


class Call:
    def __init__(self, a):
        self.a = a
        with open(a.secret, "rb") as file:
            self.client = hostile.Client(a.server, "ports", file.read().strip())
        self.failed = 0

    def relayctl(self, *args):
        out = subprocess.run([*self.a.relayctl, "-j", *args], capture_output=True, check=False)
        if out.returncode != 0:
            sys.exit("relayctl %s: %s" % (" ".join(args), out.stderr.decode()))
        return json.loads(out.stdout)

    def counter(self, name):
        for row in self.relayctl("counter", "show"):
            if row["counter"].endswith(name):
                return row["value"]
        return sum(row["packets"] for row in self.relayctl("drop", "show") if row["reason"] == name)

    def send(self, port):
        self.client.socket.send(hostile.message(SEND, bytes(12), [
            (hostile.PEER, hostile.peer_value(self.a.peer, port)), (DATA, b"port %d" % port)]))

    def answers(self, port, until):
        """Whether the peer's answer comes; without one: until `until` holds."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            self.send(port)
            if select.select([self.client.socket], [], [], 0.2)[0]:
                kind, found = hostile.parse(self.client.socket.recv(2048))
                if kind == DATA_INDICATION and found[DATA] == b"port %d" % port:
                    return True
            if until is not None and until():
                return False
        return False

    def check(self, text, right):
        self.failed += not right
        print("%s - %s" % ("ok" if right else "not ok", text), flush=True)

    def config(self, before, after):
        with open(self.a.config, encoding="utf-8") as file:
            text = file.read()
        with open(self.a.config, "w", encoding="utf-8") as file:
            file.write(text.replace(before, after))
        self.relayctl("config", "reload")

    def rises(self, name):
        before = self.counter(name)
        return lambda: self.counter(name) > before

    def wait(self, until):
        end = time.monotonic() + PATIENCE_S
        while not until() and time.monotonic() < end:
            time.sleep(0.1)
        return until()

    def run(self):
        c = self.client
        self.check("the client allocates", c.allocate() == 0)
        self.check("and gets its permission", c.permit(self.a.peer) == 0)
        self.check("without rules a port answers", self.answers(5000, None))
        self.check("and another", self.answers(5001, None))
        self.check("which a channel may have", c.bind(0x4000, self.a.peer, 5001) == 0)
        ended = self.rises("channels_revoked")
        self.config("peers:\n", "peers:\n    deny: [\"%s:5001\"]\n" % self.a.peer)
        self.check("a rule with its port ends the channel", self.wait(ended))
        self.check("and refuses another", c.bind(0x4001, self.a.peer, 5001) == 403)
        self.check("the permission stays", c.permit(self.a.peer) == 0)
        self.check("the first port answers", self.answers(5000, None))
        self.check("nothing comes of the other, by its name",
                   not self.answers(5001, self.rises("peer_port")))
        self.check("nor from there", not self.answers(5002, self.rises("peer_port")))
        self.config("    deny: [", "    dry_run: true\n    deny: [")
        self.check("under trial it answers", self.answers(5001, None))
        self.check("and is counted", self.counter("port_would_deny") > 0)
        rule = self.relayctl("policy", "explain", self.a.peer + ":5001")
        self.check("and explained", rule["verdict"] == "allowed" and ":5001" in rule["trial"])
        return self.failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server")
    parser.add_argument("--peer")
    parser.add_argument("--secret")
    parser.add_argument("--config")
    parser.add_argument("role", choices=["peer", "call"])
    parser.add_argument("relayctl", nargs="*")
    a = parser.parse_args()
    if a.role == "peer":
        peer(a.relayctl[0])
    sys.exit(Call(a).run() != 0)


main()
