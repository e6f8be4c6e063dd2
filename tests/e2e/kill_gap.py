#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Kills the data plane again and again under calls by TLS and by UDP, and tells for how long nothing
came. `turnpike` runs already: it starts the next data plane.

A line for each kill; exit status 0: every call went on, by the connection that it had. Times are told,
not judged: the goal is 500 ms.

With --clients it is the clients, in their namespace: pairs of one transport that send each other a
message every 10 ms. At each line of input they print when messages came since the last one.
"""
import argparse
import json
import os
import select
import signal
import statistics
import subprocess
import sys
import time

import transports

TRANSPORTS = ("tls", "udp")
GAP_S = 0.01
GOAL_MS = 500
# `turnpike` starts a process again at once that has run for five seconds.
STEADY_S = 6
PATIENCE_S = 60


# ---- the clients --------------------------------------------------------------------------------


class Pair:
    def __init__(self, transport, args):
        self.ends = [transports.Client(transport, args) for _ in range(2)]
        for here, there in (self.ends, self.ends[::-1]):
            here.bind(there)
        self.came = ([], [])

    def say(self):
        for here in self.ends:
            here.say(os.urandom(160))

    def take(self, ready):
        for here, came in zip(self.ends, self.came):
            if here.way not in ready:
                continue
            here.take(0)
            came.extend(time.monotonic() for _ in here.data)
            here.data = []


def clients_main(args):
    with open(args.password_file, "rb") as f:
        args.password = f.read().strip()
    pairs = {t: Pair(t, args) for t in TRANSPORTS}
    ways = [end.way for pair in pairs.values() for end in pair.ends]
    due = time.monotonic()
    while True:
        ready = select.select([*ways, sys.stdin], [], [], max(0, due - time.monotonic()))[0]
        for pair in pairs.values():
            pair.take(ready)
            if time.monotonic() >= due:
                pair.say()
        if time.monotonic() >= due:
            due = time.monotonic() + GAP_S
        if sys.stdin in ready:
            if not sys.stdin.readline():
                return 0
            print(json.dumps({t: pair.came for t, pair in pairs.items()}), flush=True)
            for pair in pairs.values():
                pair.came = ([], [])


# ---- the kills ----------------------------------------------------------------------------------


class Failed(Exception):
    pass


class Clients:
    def __init__(self, args):
        self.child = subprocess.Popen(
            ["ip", "netns", "exec", args.netns, sys.executable, *sys.argv, "--clients"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def came(self):
        """transport -> for each direction, when messages came since the last time."""
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise Failed("a connection ended: the clients exit with %s" % self.child.wait())
        return json.loads(line)

    def flow(self):
        """Until messages come in all directions."""
        end = time.monotonic() + PATIENCE_S
        while not all(direction for both in self.came().values() for direction in both):
            if time.monotonic() > end:
                raise Failed("messages do not come")
            time.sleep(0.1)

    def come_again(self, since):
        """As came(), once messages have come after `since` in all directions."""
        end = time.monotonic() + PATIENCE_S
        came = {t: [[], []] for t in TRANSPORTS}
        while True:
            for transport, both in self.came().items():
                for direction, times in zip(came[transport], both):
                    direction += times
            silent = [t for t, both in came.items()
                      if any(not d or d[-1] < since for d in both)]
            if not silent:
                return came
            if time.monotonic() > end:
                raise Failed("nothing comes by %s" % ", ".join(silent))
            time.sleep(0.1)


def silence(times, killed):
    """The longest one, and when it ended after the kill, in ms."""
    length, end = max((b - a, b) for a, b in zip(times, times[1:]))
    return 1000 * length, 1000 * (end - killed)


def pid_read(args):
    answer = subprocess.run([args.relayctl, "-s", args.socket, "-j", "status"], check=True,
                            capture_output=True)
    return json.loads(answer.stdout)["dataplane"]["pid"]


def kill_once(args, clients, number, back):
    clients.flow()
    time.sleep(STEADY_S)
    pid = pid_read(args)
    clients.came()
    time.sleep(0.1)
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    words = []
    for transport, both in clients.come_again(killed + 1).items():
        figures = [silence(direction, killed) for direction in both]
        back[transport] += [end for _, end in figures]
        words.append("%s: silent for %.0f and %.0f ms, until %.0f and %.0f ms after the kill" % (
            transport, *(f[0] for f in figures), *(f[1] for f in figures)))
    print("kill %d: %s" % (number, "; ".join(words)), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    p.add_argument("server")
    for name in ("ca", "password-file", "netns", "relayctl", "socket"):
        p.add_argument("--" + name, required=True)
    p.add_argument("--kills", type=int, default=3)
    p.add_argument("--clients", action="store_true")
    args = p.parse_args()
    if args.clients:
        return clients_main(args)
    back = {t: [] for t in TRANSPORTS}
    clients = Clients(args)
    try:
        for number in range(1, args.kills + 1):
            kill_once(args, clients, number, back)
    except (Failed, OSError, subprocess.CalledProcessError) as e:
        print(e)
        return 1
    finally:
        clients.child.stdin.close()
        clients.child.wait()
    for transport, ms in back.items():
        print("%s: messages come again after the kill: median %.0f ms, longest %.0f ms of %d "
              "(goal %d)" % (transport, statistics.median(ms), max(ms), len(ms), GOAL_MS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
