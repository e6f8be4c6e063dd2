#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Walks pairs of events of the relay's two processes under a running stream.

After each pair both processes run again, as a supervisor would start them. Then every allocation,
permission and channel of the stream must still be known, packets must pass both ways again, and
there must be no other allocation. A pair loses its calls only if both processes left in order. The
time from the data plane's start to the first packets of all flows is shown, not judged.
"""
import argparse
import glob
import itertools
import json
import os
import re
import select
import signal
import subprocess
import sys
import time

STREAMS = 4
PATIENCE = 60
ROLES = ("control", "dataplane")
EVENTS = ("kill-control", "term-control", "start-control", "kill-dataplane", "term-dataplane",
          "start-dataplane", "reload", "names-lost", "workers")
PACES = ("settled", "at-once")
# The short selection: one pair of each kind that has lost calls or answers before.
QUICK = (
    ("kill-control", "names-lost", "settled", "control"),
    ("names-lost", "kill-control", "at-once", "control"),
    ("names-lost", "kill-dataplane", "at-once", "dataplane"),
    ("kill-dataplane", "term-control", "settled", "dataplane"),
    ("kill-control", "term-dataplane", "settled", "control"),
    ("term-control", "kill-dataplane", "at-once", "control"),
    ("term-control", "start-control", "at-once", "control"),
    ("term-dataplane", "start-dataplane", "at-once", "dataplane"),
    ("kill-dataplane", "reload", "settled", "dataplane"),
    ("reload", "kill-control", "at-once", "control"),
    ("workers", "kill-dataplane", "settled", "dataplane"),
    ("workers", "kill-control", "settled", "control"),
    ("start-control", "kill-dataplane", "at-once", "dataplane"),
    ("kill-control", "kill-dataplane", "at-once", "dataplane"),
    ("term-control", "term-dataplane", "settled", "control"),
)


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", required=True)
    p.add_argument("--lab-dir", required=True)
    p.add_argument("--netns", required=True, help="of the relay")
    p.add_argument("--interface", required=True, help="of the relay")
    p.add_argument("--config", required=True, help="rewritten by some events")
    p.add_argument("--segment", required=True)
    p.add_argument("--socket", required=True)
    p.add_argument("--all", action="store_true", help="all pairs, at both paces")
    p.add_argument("--only", action="append", default=[], metavar="EVENT,EVENT[,PACE[,FIRST]]")
    p.add_argument("--part", default="1/1", metavar="N/OF")
    p.add_argument("stream", nargs="+", help="the stream's command")
    return p.parse_args()


def wait_for(what, condition, patience=PATIENCE):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise Fault("not within %d s: %s" % (patience, what))
        time.sleep(0.005)


class Fault(Exception):
    pass


class Role:
    """A process of the relay. More than one lives only while the older ends."""

    def __init__(self, a, name):
        self.command = ["ip", "netns", "exec", a.netns, "%s/%s/turnpike-%s" % (a.build, name, name),
                        "--config", a.config, "--user", "turnpike-" + name]
        self.name = name
        self.log = "%s/%s.log" % (a.lab_dir, name)
        self.environment = dict(os.environ, TURNPIKE_LAB=a.lab_dir)
        self.processes = []
        self.started = 0
        self.ended = []  # exit statuses, in order

    def alive(self):
        for p in list(self.processes):
            if p.poll() is not None:
                self.processes.remove(p)
                self.ended.append(p.returncode)
        return self.processes

    def start(self):
        with open(self.log, "ab") as log:
            self.processes.append(subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment, start_new_session=True))
        self.started = time.monotonic()

    def signal(self, number):
        """To the one that plays the role: the oldest."""
        if self.alive():
            self.processes[0].send_signal(number)
        return self.processes[0] if self.processes else None

    def log_size(self):
        return os.path.getsize(self.log) if os.path.exists(self.log) else 0

    def logged_since(self, offset, pattern):
        with open(self.log, "rb") as f:
            f.seek(offset)
            return re.search(pattern, f.read()) is not None


class Stream:
    def __init__(self, command):
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.buffer = b""

    def say(self, line):
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def answer(self, patience):
        """One line of JSON; None: not there yet."""
        end = time.monotonic() + patience
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left < 0 or not select.select([self.child.stdout], [], [], left)[0]:
                return None
            piece = os.read(self.child.stdout.fileno(), 65536)
            if not piece:
                raise Fault("the stream ended: %s" % self.child.wait())
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def mark(self):
        self.say("mark")
        if self.answer(PATIENCE) is None:
            raise Fault("the stream does not answer")

    def end(self):
        """Its report."""
        self.child.stdin.close()
        return json.loads(self.buffer + self.child.stdout.read())

    def drop(self):
        self.child.kill()
        self.child.wait()


class Relay:
    MORE_ADDRESSES = "        - \"10.77.0.2\"\n"  # of a reload

    def __init__(self, a):
        self.a = a
        self.roles = {name: Role(a, name) for name in ROLES}
        with open(a.config) as f:
            self.config = f.read()
        self.workers = 1
        self.by_packet_sockets = False
        self.more = False

    def config_write(self):
        text = re.sub(r"workers: \d+", "workers: %d" % self.workers, self.config)
        if self.by_packet_sockets:
            text = re.sub(r"- \{device: .*", "- {device: net_af_packet0, interface: %s}" %
                          self.a.interface, text)
        if self.more:
            text = text.replace("relay:\n    addresses:\n",
                                "    - {transport: udp, address: \"10.77.0.1\", port: 3480}\n"
                                "relay:\n    addresses:\n" + self.MORE_ADDRESSES, 1)
        with open(self.a.config + ".new", "w") as f:
            f.write(text)
        os.rename(self.a.config + ".new", self.a.config)

    def files(self):
        return glob.glob(glob.escape(self.a.segment) + "/turnpike-*")

    # ---- events: each returns a condition that holds when the event has had its effect

    def end(self, role, number):
        process = role.signal(number)
        return lambda: process is None or process.poll() is not None

    def start(self, role):
        offset = role.log_size()
        role.start()
        process = role.processes[-1]
        return lambda: (process.poll() is not None or
                        role.logged_since(offset, rb"process_started|worker_started"))

    def reload(self):
        self.more = not self.more
        self.config_write()
        control = self.roles["control"]
        offset = control.log_size()
        process = control.signal(signal.SIGHUP)
        return lambda: (process is None or process.poll() is not None or
                        control.logged_since(offset, rb"config_reloaded|config_error"))

    def names_lost(self):
        for path in self.files():
            if not path.endswith(".second"):
                os.unlink(path)
        return lambda: True

    def workers_change(self):
        self.workers = 3 - self.workers
        self.config_write()
        return lambda: True

    def event(self, name):
        if name == "reload":
            return self.reload()
        if name == "names-lost":
            return self.names_lost()
        if name == "workers":
            return self.workers_change()
        verb, role = name.split("-")
        if verb == "start":
            return self.start(self.roles[role])
        return self.end(self.roles[role], signal.SIGKILL if verb == "kill" else signal.SIGTERM)

    # ---- between the pairs

    def supervise(self, order):
        """Starts those that do not run."""
        for name in order:
            if not self.roles[name].alive():
                self.roles[name].start()

    def check_statuses(self):
        """Nothing may end but by our signals, in order, or as the second of its role."""
        for role in self.roles.values():
            role.alive()
            for status in role.ended:
                if status not in (0, -signal.SIGKILL, -signal.SIGTERM, 4):
                    raise Fault("turnpike-%s ended with status %d" % (role.name, status))
            role.ended.clear()

    def allocations(self):
        """How many there are; -1: no answer."""
        r = subprocess.run([self.a.build + "/tools/relayctl/relayctl", "-s", self.a.socket, "-j",
                            "allocation", "list"], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL)
        if r.returncode != 0:
            return -1
        return len(json.loads(r.stdout))

    def both_end(self):
        """In order, so that nothing is left of this instance."""
        for name in ROLES:
            self.roles[name].signal(signal.SIGTERM)
        wait_for("both end", lambda: not any(r.alive() for r in self.roles.values()))


def both_left(pair):
    return set(pair[:2]) == {"term-control", "term-dataplane"}


class Walk:
    def __init__(self, a):
        self.a = a
        self.relay = Relay(a)
        self.stream = None
        self.failed = self.passed = 0
        self.to_forward = []

    def stream_check(self, order):
        """Asks the stream, and keeps both processes running meanwhile."""
        end = time.monotonic() + PATIENCE
        self.stream.say("check %d" % PATIENCE)
        while True:
            self.relay.supervise(order)
            self.relay.check_statuses()
            answer = self.stream.answer(0.05)
            if answer is not None:
                return answer
            if time.monotonic() > end + 5:
                raise Fault("the stream does not answer")

    def stream_start(self):
        self.stream = Stream(self.a.stream + ["--streams", str(STREAMS), "--interactive"])
        self.stream_judge(self.stream_check(ROLES))

    def stream_judge(self, answer):
        if answer["succeeded"] != 3 * STREAMS or answer["silent"] != [0, 0]:
            raise Fault("calls are lost: %s" % json.dumps(answer))
        # The client's own view is not enough: an allocation must not be there twice.
        wait_for("%d allocations" % self.expected(),
                 lambda: self.relay.allocations() == self.expected())

    # ---- where a walk with more processes and clients differs

    def expected(self):
        """How many allocations there are."""
        return STREAMS

    def calls_may_end(self, pair):
        return False

    def others_check(self, pair, order):
        pass

    def stream_end(self):
        report = self.stream.end()
        if report["strange"] or report["other_source"] or report["up"]["corrupt"] or \
                report["down"]["corrupt"] or report["up"]["duplicated"] or \
                report["down"]["duplicated"]:
            raise Fault("packets are wrong: %s" % json.dumps(report))

    def begin(self):
        if self.stream:
            self.stream.drop()
            self.stream = None
        self.relay.both_end()
        for role in self.relay.roles.values():
            role.ended.clear()
        self.start_clean()

    def lost_in_order(self):
        """Both left: nothing is there any more, and the next start is a clean one."""
        wait_for("both end", lambda: not any(r.alive() for r in self.relay.roles.values()))
        if self.relay.files():
            raise Fault("both left in order, and files stay: %s" % self.relay.files())
        self.stream.drop()
        self.start_clean()

    def start_clean(self):
        """With the addresses that never leave: new calls must not get one that a reload removes."""
        self.relay.more = False
        self.relay.config_write()
        self.relay.supervise(ROLES)
        self.stream_start()

    def settle(self, order, conditions):
        """Keeps both running until the events have had their effect: one that still stops is no
        start for the next pair."""
        def settled():
            self.relay.supervise(order)
            self.relay.check_statuses()
            return all(c() for c in conditions)
        wait_for("the events' effect", settled)

    def pair(self, pair):
        first, second, pace, starts_first = pair
        order = (starts_first,) + tuple(r for r in ROLES if r != starts_first)
        dataplane = self.relay.roles["dataplane"]
        started = dataplane.started
        control = self.relay.roles["control"]
        log_size = control.log_size()
        self.stream.mark()
        conditions = []
        for event in (first, second):
            conditions.append(self.relay.event(event))
            if pace == "settled":
                wait_for(event, conditions[-1])
        if both_left(pair):
            return self.lost_in_order()
        self.settle(order, conditions)
        self.others_check(pair, order)
        answer = self.stream_check(order)
        self.stream_judge(answer)
        self.relay.check_statuses()
        if not self.calls_may_end(pair) and control.logged_since(log_size, rb"allocation_ended"):
            raise Fault("the log has calls end that were kept")
        until = max(answer["up"]["until"], answer["down"]["until"])
        if dataplane.started > started and until > dataplane.started:
            self.to_forward.append(until - dataplane.started)
            return "forwards %.0f ms after the start" % (1e3 * self.to_forward[-1])
        return "silent for %.0f ms" % max(answer["up"]["silent_ms"], answer["down"]["silent_ms"])

    def verdict(self, pair):
        name = "%s, %s; %s, %s first" % pair
        try:
            note = self.pair(pair)
            print("ok - %s%s" % (name, ": " + note if note else ": both left, new calls pass"),
                  flush=True)
            self.passed += 1
        except Fault as fault:
            print("not ok - %s: %s" % (name, fault), flush=True)
            self.failed += 1
            for role in self.relay.roles.values():
                with open(role.log, errors="replace") as f:
                    print("--- the end of %s\n%s" % (role.log, "".join(f.readlines()[-15:])))
            self.begin()

    def go(self, pairs):
        # A veth has one AF_XDP queue, so one worker; packet sockets serve more.
        self.begin()
        for pair in (p for p in pairs if "workers" not in p):
            self.verdict(pair)
        self.relay.by_packet_sockets = True
        self.begin()
        for pair in (p for p in pairs if "workers" in p):
            self.verdict(pair)
        try:
            self.stream_end()
            print("ok - the stream's packets were all its own and unchanged", flush=True)
            self.passed += 1
        except Fault as fault:
            print("not ok - %s" % fault)
            self.failed += 1
        self.relay.both_end()
        if self.to_forward:
            t = sorted(self.to_forward)
            print("time from the data plane's start to packets of all flows: median %.0f ms, "
                  "longest %.0f ms of %d" % (1e3 * t[len(t) // 2], 1e3 * t[-1], len(t)))
        return 0 if self.failed == 0 and self.passed > 0 else 1


def pairs_of(a):
    if a.only:
        rest = ("settled", "control")
        words = [tuple(o.split(",")) for o in a.only]
        return [w + rest[len(w) - 2:] for w in words]
    if not a.all:
        pairs = list(QUICK)
    else:
        # Both orders of the restart come by turns, at the other pace in the other order.
        pairs = [(x, y, pace, ROLES[(i + j) % 2])
                 for i, pace in enumerate(PACES)
                 for j, (x, y) in enumerate(itertools.product(EVENTS, EVENTS))]
    n, of = (int(x) for x in a.part.split("/"))
    return pairs[len(pairs) * (n - 1) // of:len(pairs) * n // of]


def main():
    a = arguments()
    walk = Walk(a)
    try:
        return walk.go(pairs_of(a))
    except Fault as fault:
        print("not ok - %s" % fault)
        return 1
    finally:
        if walk.stream:
            walk.stream.drop()


if __name__ == "__main__":
    sys.exit(main())
