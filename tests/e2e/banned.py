#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients of one user by each transport, beside a ban: at each line of input every client sends itself a
message through the relay, refreshes its allocation, and another client by its transport asks for one.

banned.py SERVER --ca FILE --password-file FILE: prints a line of "TRANSPORT:DATA:REFRESH:ALLOCATE" for each:
"heard" or "quiet", then error codes, 0 for success.
"""
import argparse
import sys

import transports

QUIET_S = 1  # after a ban nothing comes; before, messages come at once


def code_of(ask):
    try:
        ask()
        return 0
    except OSError as e:
        return str(e).removeprefix("refused: ")


class Banned:
    def __init__(self, transport, args):
        self.transport, self.args = transport, args
        self.client = transports.Client(transport, args)
        self.client.bind(self.client)

    def state(self, patience):
        self.client.data = []
        self.client.say(b"hello")
        self.client.take(patience)
        heard = "heard" if self.client.data else "quiet"
        refresh = code_of(lambda: self.client.ask(transports.REFRESH))
        return f"{self.transport}:{heard}:{refresh}:{code_of(self.another)}"

    def another(self):
        transports.Client(self.transport, self.args).close()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("server")
    p.add_argument("--ca", required=True)
    p.add_argument("--password-file", required=True)
    args = p.parse_args()
    with open(args.password_file, "rb") as f:
        args.password = f.read().strip()
    clients = [Banned(t, args) for t in transports.TRANSPORTS]
    print("ready", flush=True)
    for line in sys.stdin:
        patience = QUIET_S if line.strip() == "banned" else transports.ANSWER_S
        print(*(c.state(patience) for c in clients), flush=True)


if __name__ == "__main__":
    sys.exit(main())
