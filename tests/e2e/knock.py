#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients that connect one after the other, while a test does something to the relay.

knock.py SERVER --ca FILE: connects by TCP and TLS in turn, asks for a Binding and closes, until the
end of its input. Says "ready" after the first two, and at the end "all N" or how many failed, and how.
"""
import argparse
import os
import select
import sys

import transports

BINDING = 0x001


def knock(transport, args):
    way = transports.Stream(args.server, transports.PORTS[transport],
                            args.ca if transport == "tls" else None)
    try:
        message = transports.struct.pack("!HHI", BINDING, 0, transports.COOKIE) + os.urandom(12)
        way.send(message)
        while not any(m[8:20] == message[8:20] for m in way.messages()):
            pass
    finally:
        way.close()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("server")
    p.add_argument("--ca", required=True)
    args = p.parse_args()
    n, failures = 0, []
    while not select.select([sys.stdin], [], [], 0.005)[0] or n < 2:
        transport = ("tcp", "tls")[n % 2]
        try:
            knock(transport, args)
        except (OSError, EOFError) as e:
            failures.append("%s: %s" % (transport, e))
        n += 1
        if n == 2:
            print("ready", flush=True)
    print("all %d" % n if not failures else "%d failed of %d %s" % (
        len(failures), n, sorted(set(failures))), flush=True)


if __name__ == "__main__":
    main()
