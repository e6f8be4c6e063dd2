#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Kills one of two edges while one takes over from the other, at any record that passes between them.

Both talk through this program, which counts the records and passes them on, descriptors too. A row
names the victim, the record at which it is killed, and whether that record is lost, cut or passed on.
After each row some edge serves new clients; those that there are go on or see an end; allocations
without a connection are gone; and the process that was not killed holds no descriptor more.

kill_takeover.py --edge PROGRAM --lab-dir DIR --netns RELAY --config FILE --relayctl WORD... --client WORD...
kill_takeover.py clients SERVER --ca FILE --password-file FILE    the clients, in their namespace
"""
import argparse
import array
import json
import os
import random
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

import kill_edge
import restart_matrix_edge as matrix
import transports

HEAD = struct.Struct("=QIIII")
GO, TAKEN, YOURS = 4, 10, 11
NAME = "edge-takeover.sock"
STYLES = ("lost", "cut", "passed")
VICTIMS = ("before", "after")
SERVES_S = 2.0
PATIENCE_S = 60
HELD = 40  # connections without an allocation


class Fault(Exception):
    pass


def wait(what, condition, seconds=PATIENCE_S):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Fault(what)
        time.sleep(0.02)


# ---- the clients --------------------------------------------------------------------------------


def binding(server, port=3478, seconds=PATIENCE_S):
    """A connection that was answered once."""
    s = socket.create_connection((server, port), seconds)
    s.settimeout(seconds)
    answered(s)
    return s


def answered(s):
    s.sendall(struct.pack("!HHI", 1, 0, transports.COOKIE) + os.urandom(12))
    got = s.recv(4096)
    if not got:
        raise EOFError("the relay closed")
    return got[:2] == b"\1\1"


def serves(server):
    """Seconds until a new client is answered, and those for which this machine kept nobody running."""
    begin, stalled, done = time.monotonic(), [0.0], threading.Event()

    def watch():
        while not done.is_set():
            at = time.monotonic()
            time.sleep(0.01)
            stalled[0] += max(0.0, time.monotonic() - at - 0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        while True:
            try:
                binding(server, seconds=1).close()
                return time.monotonic() - begin, stalled[0]
            except (OSError, EOFError):
                if time.monotonic() > begin + PATIENCE_S:
                    return PATIENCE_S, stalled[0]
                time.sleep(0.02)
    finally:
        done.set()
        watcher.join()


def begin(args):
    clients = [kill_edge.come_back(t, args, set()) for t in matrix.TRANSPORTS]
    for here, there in (clients, clients[::-1]):
        here.bind(there)
    return clients


def goes_on(client):
    try:
        if matrix.at_end(client):
            return False
        if matrix.refresh(client):
            return True
    except (EOFError, ConnectionError, ssl.SSLError):
        return False
    raise OSError("a connection neither goes on nor ends")


def talkers_check(args, clients):
    """One whose connection ended begins anew, and with it its peer."""
    kept = sum(goes_on(c) for c in clients)
    if kept < len(clients):
        for c in clients:
            try:
                c.close()
            except (OSError, EOFError):
                pass
        clients[:] = begin(args)
    return {"kept": kept, "passes": matrix.pass_both_ways(clients)}


def held_check(args, held):
    """How many go on. One that neither answers nor ends is an error."""
    kept = 0
    for i, s in enumerate(held):
        try:
            answered(s)
            kept += 1
        except (EOFError, ConnectionError):
            s.close()
            held[i] = binding(args.server)
    return kept


def clients_main():
    args = kill_edge.arguments("command")
    clients = begin(args)
    held = [binding(args.server) for _ in range(HELD)]
    for line in sys.stdin:
        try:
            if line.strip() == "serve":
                took, stalled = serves(args.server)
                answer = {"took": took, "stalled": stalled}
            else:
                answer = talkers_check(args, clients)
                answer["held"] = held_check(args, held)
        except (EOFError, OSError) as e:
            answer = {"error": repr(e)}
        print(json.dumps(answer), flush=True)


class Clients:
    def __init__(self, words):
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def ask(self, word):
        print(word, file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline() or '{"error": "the clients ended"}')
        if "error" in answer:
            raise Fault("clients: %s" % answer["error"])
        return answer

    def end(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)


# ---- between both -------------------------------------------------------------------------------


class Between(threading.Thread):
    """Stands at the name of the socket. `point`: (number of the record, style, kill), or None."""

    def __init__(self, directory, point):
        super().__init__(daemon=True)
        self.path = os.path.join(directory, NAME)
        self.real = self.path + ".real"
        self.point = point
        self.kinds = []
        self.killed = threading.Event()
        os.rename(self.path, self.real)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.own = os.stat(self.path).st_ino
        self.listener.listen(1)
        self.start()

    def run(self):
        after = self.listener.accept()[0]
        before = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before.connect(self.real)
        try:
            while self.turn(before, after):
                pass
        except (OSError, EOFError):
            pass
        before.close()
        after.close()

    def turn(self, before, after):
        for one in select.select([before, after], [], [])[0]:
            if not self.record(one, after if one is before else before):
                return False
        return True

    def record(self, one, other):
        head, control, _, _ = one.recvmsg(HEAD.size, socket.CMSG_SPACE(4), socket.MSG_WAITALL)
        if len(head) < HEAD.size:
            return False
        fds = [fd for _, _, data in control for fd in array.array("i", data)]
        _, _, kind, length, _ = HEAD.unpack(head)
        body = one.recv(length, socket.MSG_WAITALL) if length else b""
        self.kinds.append(kind)
        number, style, kill = self.point or (0, None, None)
        here = len(self.kinds) == number
        bytes_ = head + body
        if here and style != "passed":
            bytes_ = bytes_[:len(bytes_) // 2] if style == "cut" else b""
        if bytes_:
            passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            sent = other.sendmsg([bytes_], passed)
            other.sendall(bytes_[sent:])
        for fd in fds:
            os.close(fd)
        if here:
            kill()
            self.killed.set()
        return not here

    def away(self):
        """The name is that of the edge again whose it is: the one before, or the next one by now."""
        self.listener.close()
        if os.path.exists(self.path) and os.stat(self.path).st_ino == self.own:
            os.rename(self.real, self.path)
        else:
            os.unlink(self.real)


# ---- the walk -----------------------------------------------------------------------------------


class Edge:
    def __init__(self, a, *options):
        self.log = os.path.join(a.lab_dir, "edge.log")
        self.offset = os.path.getsize(self.log)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", a.netns, a.edge, "--config", a.config, "--user",
                 "turnpike-edge", *options], stdout=log, stderr=log)

    def alive(self):
        return self.process.poll() is None

    def logged(self, word, offset):
        with open(self.log, "rb") as log:
            log.seek(offset)
            return word in log.read()

    def started(self):
        return self.logged(b"process_started", self.offset)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))


class Walk:
    def __init__(self, a):
        self.a = a
        self.edge = Edge(a)
        self.runs()
        self.least = self.edge.descriptors()
        self.clients = Clients(a.client)
        self.check(0)

    def relayctl(self, *words):
        done = subprocess.run([*self.a.relayctl, "-j", *words], capture_output=True, text=True)
        try:
            return json.loads(done.stdout)
        except ValueError:
            return None

    def runs(self):
        wait("an edge starts", lambda: self.edge.started() or not self.edge.alive())
        wait("both others know it", lambda: (self.relayctl("edge", "show") or {}).get("pid") ==
             self.edge.process.pid)

    def check(self, least):
        answer = self.clients.ask("check")
        kept = answer["kept"] + answer["held"]
        if not answer["passes"]:
            raise Fault("clients: %s" % json.dumps(answer))
        if kept < least:
            raise Fault("%d of %d connections went on: %s" % (kept, least, json.dumps(answer)))
        return kept

    def take_over(self, row=None):
        """The kinds of records that passed."""
        before, after = self.edge, None
        ready = threading.Event()

        def kill():
            ready.wait(PATIENCE_S)
            (before if row[0] == "before" else after).kill()

        between = Between(self.a.lab_dir, (row[1], row[2], kill) if row else None)
        after = Edge(self.a, "--take-over")
        ready.set()
        if row:
            if not between.killed.wait(PATIENCE_S):
                raise Fault("record %d does not come" % row[1])
        else:
            wait("it is taken over", lambda: YOURS in between.kinds and after.started())
        self.settle(before, after, row, between)
        return between.kinds

    def settle(self, before, after, row, between):
        """Finds out which process serves."""
        if row is None or row[0] == "before":
            self.edge = after
            wait("the next edge serves", lambda: after.started() or not after.alive())
        elif TAKEN in between.kinds:
            # The one before has let go and ends, so that a supervisor starts another, unless it saw
            # the end first.
            stays = lambda: before.logged(b"goes on as before", after.offset)
            wait("the edge before decides", lambda: stays() or not before.alive())
            self.edge = before if stays() else Edge(self.a)
            wait("an edge serves", lambda: self.edge.started() or not self.edge.alive()
                 or self.edge is before)
        else:
            self.edge = before
        if not self.edge.alive():
            raise Fault("no edge is left")
        between.away()

    def row(self, victim, number, style):
        before, held = self.edge, self.edge.descriptors()
        kinds = self.take_over((victim, number, style))
        serves = self.clients.ask("serve")
        # A machine that ran nobody is no fault of an edge.
        if serves["took"] > SERVES_S + 2 * serves["stalled"]:
            raise Fault("a new client waits %.2f s, of which the machine stood still %.2f s" %
                        (serves["took"], serves["stalled"]))
        stays = self.edge is before
        kept = self.check(HELD + 2 if stays else 0)
        wait("as many allocations as clients", lambda: len(self.relayctl("allocation", "list")
                                                           or ()) == 2)
        if stays:
            wait("the edge holds %d descriptors, %d before" % (before.descriptors(), held),
                 lambda: before.descriptors() == held)
        print("ok - %s killed at record %d (%s, kind %d): a new client waits %.2f s, %d of %d "
              "connections went on" % (victim, number, style, kinds[-1], serves["took"], kept,
                                       HELD + 2), flush=True)

    def rows(self, n, seed):
        """Where much is at stake, and others by chance."""
        kinds = self.take_over()
        self.check(HELD + 2)
        go, taken = kinds.index(GO) + 1, kinds.index(TAKEN) + 1
        print("%d records, GO the %dth, TAKEN the %dth; seed %d" % (len(kinds), go, taken, seed))
        chance = random.Random(seed)
        rows = [("before", 1, "lost"), ("after", go, "passed"), ("before", go + 1, "cut"),
                ("before", taken, "lost"), ("before", taken, "passed"),
                ("after", taken, "passed"), ("before", taken + 1, "lost")]
        return rows + [(chance.choice(VICTIMS), chance.randint(chance.choice((1, go)), taken),
                        chance.choice(STYLES)) for _ in range(n)]

    def end(self):
        self.clients.end()
        wait("all allocations end", lambda: self.relayctl("allocation", "list") == [])
        self.take_over()
        wait("an edge without clients holds %d descriptors, the first one %d" %
             (self.edge.descriptors(), self.least), lambda: self.edge.descriptors() <= self.least)
        self.edge.process.terminate()


def main():
    if sys.argv[1:2] == ["clients"]:
        return clients_main()
    p = argparse.ArgumentParser()
    for name in ("edge", "lab-dir", "netns", "config"):
        p.add_argument("--" + name, required=True)
    for name in ("relayctl", "client"):
        p.add_argument("--" + name, required=True, type=str.split)
    p.add_argument("--rows", type=int, default=13)
    p.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    a = p.parse_args()
    try:
        walk = Walk(a)
        for row in walk.rows(a.rows, a.seed):
            try:
                walk.row(*row)
            except Fault as fault:
                raise Fault("%s killed at record %d (%s), seed %d: %s" % (*row, a.seed, fault))
        walk.end()
        print("ok - no descriptor is left")
    except Fault as fault:
        print("not ok - %s" % fault)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
