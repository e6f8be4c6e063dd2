#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients by TCP, TLS and DTLS that come back: for the test that kills the edge.

kill_edge.py SERVER --ca FILE --password-file FILE: makes an allocation by each transport, each with
a channel to the next, and says "ready". At each line of input it makes connections and allocations
anew, until they are there, and says "ready" again with what went wrong meanwhile. At the end of the
input it deletes all of them.
"""
import argparse
import socket
import ssl
import sys
import time

import transports

PATIENCE_S = 60


def saw_end(client):
    """Whether the kernel told a client of TCP or TLS that the edge is gone."""
    try:
        while True:
            client.way.messages()
    except (EOFError, ConnectionError, ssl.SSLError):
        return True
    except socket.timeout:
        return False


def come_back(transport, args, trouble):
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return transports.Client(transport, args)
        except (OSError, EOFError) as e:
            trouble.add(type(e).__name__ if not str(e).startswith("refused") else str(e))
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def begin(args, trouble):
    clients = [come_back(t, args, trouble) for t in ("tcp", "tls", "dtls")]
    for i, here in enumerate(clients):
        here.bind(clients[i - 1])
    return clients


def works(clients):
    """Each sends to the one before it, which has no channel to it: by an indication."""
    end = time.monotonic() + PATIENCE_S
    for i, here in enumerate(clients):
        here.say(b"%d" % i)
    for i, here in enumerate(clients):
        there = clients[i - 1]
        while not there.data and time.monotonic() < end:
            there.take(0.05)
        if there.data != [b"%d" % i]:
            return False
    return True


def arguments(*before):
    p = argparse.ArgumentParser()
    for name in before:
        p.add_argument(name)
    p.add_argument("server")
    p.add_argument("--ca", required=True)
    p.add_argument("--password-file", required=True)
    args = p.parse_args()
    with open(args.password_file, "rb") as f:
        args.password = f.read().strip()
    return args


def main():
    args = arguments()
    clients = begin(args, set())
    print("ready" if works(clients) else "silent", flush=True)
    for _ in sys.stdin:
        trouble = set()
        ended = all(saw_end(c) for c in clients[:2])
        # s_client takes half a second to end.
        clients, old = begin(args, trouble), clients
        old[2].way.close()
        print("ready" if ended and works(clients) else "silent", sorted(trouble), flush=True)
    for client in clients:
        client.close()


if __name__ == "__main__":
    main()
