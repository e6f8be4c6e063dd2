#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two Chromiums hold a call with video by the page of tools/voicecall while a third one loads pages,
or processes of the relay are killed. The lab, its relay, the web server and `voicecall serve
--test-pages` run already: behind443_test.sh starts them.

Prints a line for each part; exit status 0 if all were good. Times are told, not judged, but for one:
a call whose edge was killed is back within 5 s, in one of three attempts. After a kill of the data plane
two things are told: when packets came again by the wire, which the relay answers for, and what a browser
made up of voice meanwhile, which depends on its buffer, too.
"""
import argparse
import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tools" / "voicecall"))

from call.chromium import Chromium  # noqa: E402
from call.devtools import Gone  # noqa: E402
from call.lab import Lab  # noqa: E402
from call.visit import Visit, describe_pair  # noqa: E402
import judge  # noqa: E402
import wire  # noqa: E402

WAIT_SECONDS_MAX = 120
SAMPLE_S = 0.03
# After a longer silence the page looks for another path, as it should.
PATIENCE_MS = 3000
BACK_MS = 5000
DATAPLANE_NICE = -10
SAMPLES_PER_MS = 48             # of Opus
# The goal for the network's packets after a kill of the data plane.
GOAL_MS = 500
# Where others stop the browsers, a call is back later.
ATTEMPTS = 3


class Failed(Exception):
    """Something that the call or the relay did not do."""


class Call:
    """The two visits, and the relay that they use."""

    def __init__(self, args, lab, visits):
        self.args = args
        self.lab = lab
        self.visits = visits
        self.killed_s = None

    def peers(self):
        """side -> its view of the other one."""
        peers = {side: judge.peer_of(visit.snapshot()) for side, visit in self.visits.items()}
        for side, peer in peers.items():
            if peer is None:
                raise Failed(f"{side}: the other side has left the room")
        return peers

    def wait(self, done, why):
        """Until `done` holds for both sides' views. Returns them."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            peers = self.peers()
            # `done` may take notes: it sees each side every time.
            if all([done(peer, side) for side, peer in peers.items()]):
                return peers
            if time.monotonic() > deadline:
                raise Failed(f"{why}: {json.dumps(peers)}")
            time.sleep(SAMPLE_S)

    def flows(self, packets=25):
        """Waits until that many packets of voice and one of video have come on both sides."""
        before = self.peers()
        return self.wait(
            lambda peer, side: peer["connection"] == "connected" and
            peer["audio"]["packetsReceived"] >= before[side]["audio"]["packetsReceived"] + packets
            and peer["video"]["packetsReceived"] > before[side]["video"]["packetsReceived"],
            "nothing comes any more")

    def edge(self):
        """The edge's counters."""
        command = self.lab.inside("relay", self.args.relayctl, "-s", self.args.socket, "-j",
                                  "edge", "show")
        answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        return {row["counter"]: row["value"] for row in answer["counters"]}

    def restart(self, process):
        """Kills it and starts it again at once, as a supervisor does. Returns a command that waits
        until the relay forwards."""
        self.killed_s = respawn(self.lab.directory, process)
        return subprocess.Popen([self.args.lab_command, "--name", self.args.lab, "start", process],
                                stdin=subprocess.DEVNULL)

    @contextlib.contextmanager
    def wires(self):
        """side -> its silence, from the end of the context on."""
        watched = {side: wire.Wire(self.lab, side) for side in self.visits}
        silences = {}
        try:
            yield silences
        finally:
            lines = {side: w.close() for side, w in watched.items()}
        for side in watched:
            silences[side] = wire.silence(wire.arrivals(lines[side]), self.killed_s)


def respawn(directory, name):
    """Kills a process of the lab, and runs its command again when it has ended. The lab takes that
    for its own. Returns when it was killed, seconds since 1970."""
    record = directory / "pids" / name
    pid = int(record.read_text().split()[0])
    proc = pathlib.Path("/proc", str(pid))
    words = (proc / "cmdline").read_bytes().split(b"\0")[:-1]
    space = os.open(proc / "ns" / "net", os.O_RDONLY)
    ended = os.pidfd_open(pid)
    # That of its unit.
    priority = ["nice", "-n", str(DATAPLANE_NICE - os.nice(0))] if name == "dataplane" else []
    with open(directory / f"{name}.log", "ab") as log:
        killed_s = time.time()
        os.kill(pid, signal.SIGKILL)
        select.select([ended], [], [])
        child = subprocess.Popen(
            [*priority, "nsenter", f"--net=/proc/self/fd/{space}", *words],
            stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True, pass_fds=[space],
            env=dict(os.environ, TURNPIKE_LAB=str(directory)))
    os.close(space)
    os.close(ended)
    start = pathlib.Path("/proc", str(child.pid), "stat").read_text().rpartition(") ")[2]
    record.write_text(f"{child.pid} {start.split()[19]}\n")
    return killed_s


def addresses(peers):
    return {side: [(peer["pair"][end]["address"], peer["pair"][end]["port"])
                   for end in ("local", "remote")] for side, peer in peers.items()}


def connect(call):
    peers = call.wait(lambda peer, side: peer["connection"] == "connected" and peer["pair"],
                      "not connected")
    for side, peer in peers.items():
        local = peer["pair"]["local"]
        if local["type"] != "relay" or local["relayProtocol"] != "tls":
            raise Failed(f"{side} leaves by {describe_pair(peer['pair'])}, not by TLS")
    print(f"connected: {describe_pair(peers['a']['pair'])}", flush=True)
    call.flows()


def load_pages(call, stack):
    """A page and its large file, by another browser."""
    if call.args.pages == 0:
        return
    browser = Chromium(call.lab, "a")
    stack.callback(browser.close)
    page = browser.open(call.args.page)
    for number in range(1, call.args.pages + 1):
        size = page.evaluate("fetch('/large', {cache: 'no-store'}).then(r => r.arrayBuffer())"
                             ".then(b => b.byteLength)", WAIT_SECONDS_MAX)
        title = page.evaluate("document.title")
        if not title or size != call.args.large:
            raise Failed(f"page {number}: title {title!r}, {size} bytes")
        page.go(call.args.page)
    call.flows()
    print(f"{call.args.pages} pages, each with {call.args.large} bytes, loaded beside the call",
          flush=True)


def losses(peers):
    return sum(peer[kind]["packetsLost"] for peer in peers.values() for kind in ("audio", "video"))


def kill_control(call):
    if call.args.control == 0:
        return
    before, peers = call.edge(), call.flows()
    for _ in range(call.args.control):
        if call.restart("control").wait() != 0:
            raise Failed("the control process does not start")
        after = call.flows()
    edge = call.edge()
    late = sum(edge[name] - before[name] for name in ("lost_late", "lost_full"))
    lost = losses(after) - losses(peers)
    print(f"control killed {call.args.control} times: {lost} packets lost, {late} of them by a "
          f"browser that read too late", flush=True)
    if addresses(after) != addresses(peers) or edge["accepted"] != before["accepted"]:
        raise Failed("a browser has connected again")
    if lost > late or edge["messages_full"] != before["messages_full"]:
        raise Failed("packets were lost")


def longest_gap(call, process):
    """side -> the longest time between two packets of voice in ms, while it is started again and
    until packets flow; at most a sample's distance too long. Their views as of before and after."""
    before = call.flows()
    times = {side: [peer["audio"]["last_ms"]] for side, peer in before.items()}

    def note(peer, side):
        last = peer["audio"]["last_ms"]
        if last > times[side][-1]:
            times[side].append(last)

    runner = call.restart(process)
    while runner.poll() is None:
        for side, peer in call.peers().items():
            note(peer, side)
        time.sleep(SAMPLE_S)
    if runner.returncode != 0:
        raise Failed(f"{process} does not start")
    ended = {side: peer["audio"]["packetsReceived"] for side, peer in call.peers().items()}

    def flows(peer, side):
        note(peer, side)
        return (peer["connection"] == "connected" and
                peer["audio"]["packetsReceived"] > ended[side] + 50)

    after = call.wait(flows, "nothing comes any more")
    return {side: round(max(b - a for a, b in zip(t, t[1:]))) for side, t in times.items()}, \
        before, after


def both(figures):
    return " and ".join(f"{figures[side]:.0f}" for side in "ab")


def kill_dataplane(call):
    for number in range(1, call.args.dataplane + 1):
        accepted = call.edge()["accepted"]
        with call.wires() as silences:
            gaps, before, after = longest_gap(call, "dataplane")
        if None in silences.values():
            raise Failed("no packets were seen on the wire")
        made_up = {side: (after[side]["audio"]["concealed"] - before[side]["audio"]["concealed"])
                   / SAMPLES_PER_MS for side in gaps}
        print(f"data plane killed, {number}: the wire was silent until "
              f"{both({side: s[1] for side, s in silences.items()})} ms after the kill, for "
              f"{both({side: s[0] for side, s in silences.items()})} ms (goal {GOAL_MS}); browsers "
              f"showed no packet of voice for {both(gaps)} ms and made up {both(made_up)} ms",
              flush=True)
        if max(gaps.values()) > PATIENCE_MS:
            print("the machine is too busy to tell whether the browsers would have waited")
        elif addresses(after) != addresses(before) or call.edge()["accepted"] != accepted:
            raise Failed("a browser has connected again")


def kill_edge_once(call, number):
    """The longest silence in ms."""
    gaps, before, after = longest_gap(call, "edge")
    print(f"edge killed, {number}: nothing came for {gaps['a']} ms at a, {gaps['b']} ms at b",
          flush=True)
    if addresses(after) == addresses(before):
        raise Failed("the old connections are still there")
    return max(gaps.values())


def kill_edge(call):
    for number in range(1, call.args.edge + 1):
        if all(kill_edge_once(call, number) > BACK_MS for _ in range(ATTEMPTS)):
            raise Failed(f"{ATTEMPTS} times the call was not back within {BACK_MS // 1000} s")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    for name in ("lab", "lab-command", "relayctl", "socket", "link"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--page", metavar="URL", help="that the third browser loads")
    parser.add_argument("--large", type=int, help="bytes of the page's large file")
    for name in ("pages", "control", "dataplane", "edge"):
        parser.add_argument("--" + name, type=int, default=0, metavar="N", help="how often")
    return parser.parse_args()


def main():
    args = parse_arguments()
    # The browsers and their profiles go with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    lab = Lab(args.lab)
    lab.check_up()
    try:
        with contextlib.ExitStack() as stack:
            visits = {}
            for side in "ab":
                visits[side] = Visit(lab, side, args.link, side.upper(), picture=True)
                stack.callback(visits[side].close)
            call = Call(args, lab, visits)
            connect(call)
            load_pages(call, stack)
            for part in (kill_control, kill_dataplane, kill_edge):
                part(call)
    except (Failed, Gone, RuntimeError, TimeoutError, OSError,
            subprocess.CalledProcessError) as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
