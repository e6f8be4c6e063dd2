#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The restart matrix with turnpike-edge as a third process: pairs of which one event at least is the
edge's, under a UDP stream and two clients by TCP and TLS that are each other's peers.

No event of the edge may lose a UDP call. Events of the other processes lose no connection: the clients
go on over those that they have. Where the edge ended it must be back: the clients connect again, and
their old allocations are gone.

restart_matrix_edge.py [options of restart_matrix.py] --client WORD... -- STREAM...
restart_matrix_edge.py clients SERVER --ca FILE --password-file FILE    the clients, in their namespace
"""
import itertools
import json
import os
import signal
import ssl
import struct
import sys
import time

import kill_edge
import restart_matrix as base
import transports

ROLES = base.ROLES + ("edge",)
OWN = ("kill-edge", "term-edge", "start-edge", "reload-edge")
ENDS = ("kill-edge", "term-edge")
TRANSPORTS = ("tcp", "tls")
QUICK = (
    ("kill-edge", "kill-control", "at-once", "edge"),
    ("kill-control", "kill-edge", "settled", "control"),
    ("kill-edge", "kill-dataplane", "at-once", "dataplane"),
    ("term-dataplane", "term-edge", "settled", "edge"),
    ("term-edge", "start-edge", "at-once", "control"),
    ("start-edge", "kill-control", "at-once", "control"),
    ("start-edge", "kill-dataplane", "settled", "dataplane"),
    ("reload-edge", "term-control", "at-once", "edge"),
    ("reload-edge", "term-dataplane", "settled", "dataplane"),
    ("names-lost", "reload-edge", "settled", "control"),
    ("names-lost", "kill-edge", "at-once", "edge"),
    ("reload", "reload-edge", "at-once", "control"),
)


# ---- the clients --------------------------------------------------------------------------------


def at_end(client):
    try:
        client.take(0)
        return False
    except (EOFError, ConnectionError, ssl.SSLError):
        return True


def refresh(client):
    """By the connection that there is. A request may have died with the control process: again."""
    end = time.monotonic() + base.PATIENCE
    while time.monotonic() < end:
        txid, message = client.request(transports.REFRESH, (
            (transports.LIFETIME, struct.pack("!I", 600)),))
        client.way.send(message)
        again = time.monotonic() + 2
        while time.monotonic() < again:
            for got in client.take(0.1):
                if got[8:20] != txid:
                    continue
                found = transports.attributes_of(got)
                if struct.unpack("!H", got[:2])[0] == transports.REFRESH | 0x100:
                    return True
                code = found[transports.ERROR][2] * 100 + found[transports.ERROR][3]
                if code != 438:
                    raise OSError("refused: %d" % code)
                client.nonce = found[transports.NONCE]
    return False


def pass_both_ways(clients):
    """Data that a data plane without its tables yet dropped is sent again."""
    for here, there in (clients, clients[::-1]):
        word, end = os.urandom(16), time.monotonic() + base.PATIENCE
        there.data = []
        while word not in there.data:
            if time.monotonic() > end:
                return False
            here.say(word)
            there.take(0.1)
    return True


def check(args, clients):
    kept, trouble = 0, set()
    for i, transport in enumerate(TRANSPORTS):
        try:
            if at_end(clients[i]):
                raise EOFError("the relay closed")
            kept += refresh(clients[i])
        except (EOFError, OSError) as e:
            if "refused" in str(e):
                trouble.add(str(e))
            clients[i] = kill_edge.come_back(transport, args, trouble)
    if kept == 0:
        for here, there in (clients, clients[::-1]):
            here.bind(there)
    return {"kept": kept, "passes": pass_both_ways(clients), "trouble": sorted(trouble)}


def clients_main():
    args = kill_edge.arguments("command")
    clients = [kill_edge.come_back(t, args, set()) for t in TRANSPORTS]
    for here, there in (clients, clients[::-1]):
        here.bind(there)
    for _ in sys.stdin:
        try:
            print(json.dumps(check(args, clients)), flush=True)
        except (EOFError, OSError) as e:
            print(json.dumps({"kept": -1, "passes": False, "trouble": [str(e)]}), flush=True)


# ---- the walk -----------------------------------------------------------------------------------


class Relay(base.Relay):
    # The clients that come back would get one that the next reload removes.
    MORE_ADDRESSES = ""

    def __init__(self, a):
        super().__init__(a)
        edge = self.roles["edge"]
        edge.command = [w.replace("/edge/", "/control/edge/") for w in edge.command]

    def event(self, name):
        if name != "reload-edge":
            return super().event(name)
        edge = self.roles["edge"]
        offset = edge.log_size()
        process = edge.signal(signal.SIGHUP)
        return lambda: (process is None or process.poll() is not None or
                        edge.logged_since(offset, rb"config_reloaded|config_error"))


class Walk(base.Walk):
    def __init__(self, a):
        super().__init__(a)
        self.relay = Relay(a)
        self.clients = None

    def expected(self):
        return super().expected() + (len(TRANSPORTS) if self.clients else 0)

    def calls_may_end(self, pair):
        return bool(set(ENDS) & set(pair[:2]))

    def clients_check(self, order):
        end = time.monotonic() + 3 * base.PATIENCE
        self.clients.say("check")
        while (answer := self.clients.answer(0.05)) is None:
            self.relay.supervise(order)
            self.relay.check_statuses()
            if time.monotonic() > end:
                raise base.Fault("the clients do not answer")
        if not answer["passes"] or answer["trouble"] and answer["kept"] == 0 and \
                any("refused" in t for t in answer["trouble"]):
            raise base.Fault("clients by streams: %s" % json.dumps(answer))
        return answer["kept"]

    def others_check(self, pair, order):
        kept = self.clients_check(order)
        if kept != (0 if self.calls_may_end(pair) else len(TRANSPORTS)):
            raise base.Fault("%d of %d connections kept" % (kept, len(TRANSPORTS)))

    def stream_start(self):
        super().stream_start()
        self.clients = base.Stream(self.a.client)
        if self.clients_check(ROLES) != len(TRANSPORTS):
            raise base.Fault("the clients' connections ended")

    def begin(self):
        if self.clients:
            self.clients.drop()
            self.clients = None
        super().begin()


def pairs_of(a):
    if a.only or not a.all:
        return base.pairs_of(a)
    others = base.EVENTS + OWN
    both = [p for p in itertools.product(others, others) if set(OWN) & set(p)]
    pairs = [(x, y, pace, ROLES[(i + j) % len(ROLES)])
             for i, pace in enumerate(base.PACES) for j, (x, y) in enumerate(both)]
    n, of = (int(x) for x in a.part.split("/"))
    return pairs[len(pairs) * (n - 1) // of:len(pairs) * n // of]


def main():
    if sys.argv[1:2] == ["clients"]:
        return clients_main()
    base.ROLES, base.QUICK = ROLES, QUICK
    at = sys.argv.index("--client")
    end = sys.argv.index("--", at)
    client, sys.argv[at:end] = sys.argv[at + 1:end], []
    a = base.arguments()
    a.client = client
    walk = Walk(a)
    try:
        return walk.go(pairs_of(a))
    except base.Fault as fault:
        print("not ok - %s" % fault)
        return 1
    finally:
        for child in (walk.stream, walk.clients):
            if child:
                child.drop()


if __name__ == "__main__":
    sys.exit(main())
