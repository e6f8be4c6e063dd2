#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two clients of the relay that talk without a pause, while a test does something to the relay.

talk.py SERVER --ca FILE --password-file FILE [--transport T] [--port P]: says "ready"; at each line of input both
refresh their allocations, then it says "ready N" with the count of messages so far. At the end of the
input it waits for what is under way, and says "all N" or how many are missing.
"""
import argparse
import os
import select
import sys
import time

import transports

GAP_S = 0.01


class Talk:
    def __init__(self, a, b):
        self.ends = (a, b)
        self.n = 0

    def say(self):
        for here in self.ends:
            here.say(b"%08d" % self.n + os.urandom(160))
        self.n += 1
        # take() returns at once where messages wait.
        end = time.monotonic() + GAP_S
        while True:
            for here in self.ends:
                here.take(GAP_S / 4)
            if time.monotonic() >= end:
                break

    def missing(self):
        """Numbers that did not arrive, and one for each that came twice or changed."""
        lost = 0
        for here in self.ends:
            numbers = [d[:8] for d in here.data]
            lost += len(set(b"%08d" % i for i in range(self.n)) ^ set(numbers))
            lost += len(numbers) - len(set(numbers))
        return lost


def main():
    p = argparse.ArgumentParser()
    p.add_argument("server")
    p.add_argument("--ca", required=True)
    p.add_argument("--password-file", required=True)
    p.add_argument("--port", type=int)
    p.add_argument("--transport", choices=transports.TRANSPORTS, default="tls")
    args = p.parse_args()
    with open(args.password_file, "rb") as f:
        args.password = f.read().strip()
    a, b = (transports.Client(args.transport, args) for _ in range(2))
    a.bind(b)
    b.bind(a)
    talk = Talk(a, b)
    print("ready", flush=True)
    line = "first"
    while line:
        talk.say()
        if not select.select([sys.stdin], [], [], 0)[0]:
            continue
        line = sys.stdin.readline()
        if line:
            for here in talk.ends:
                here.ask(transports.REFRESH, (transports.LIFETIME, b"\0\0\2\x58"))
            print("ready", talk.n, flush=True)
    end = time.monotonic() + transports.ANSWER_S
    while talk.missing() and time.monotonic() < end:
        for here in talk.ends:
            here.take(0.05)
    print("all %d" % talk.n if not talk.missing() else "%d missing of %d" % (
        talk.missing(), 2 * talk.n), flush=True)
    a.close()
    b.close()


if __name__ == "__main__":
    main()
