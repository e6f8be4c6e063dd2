#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Relayed streams in the lab, with live figures and a verdict.

Three streams of two-way packets between tp-a and tp-b, both ends clients of the relay: one
undisturbed, one while the control process is killed, one while the data plane is killed. The lab's
names come from the environment (tools/lab env).
"""
import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ["TURNPIKE_BUILD"]
ENV = os.environ
LIVE = re.compile(r"([\d.]+) s +up (\d+) sent (\d+) arrived (\d+) missing +"
                  r"down (\d+) sent (\d+) arrived (\d+) missing")


def lab(*words):
    done = subprocess.run([TOP + "/tools/lab", "--name", ENV["TP_LAB"], *words],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit("quickstart: tools/lab %s failed:\n%s" % (" ".join(words), done.stderr))


def relay_status():
    """What the relay counts itself, or None while its control process is away."""
    done = subprocess.run([BUILD + "/tools/relayctl/relayctl", "-s", ENV["TP_SOCKET"], "-j", "status"],
                          capture_output=True, text=True, timeout=5)
    return json.loads(done.stdout) if done.returncode == 0 else None


class Stream:
    """A run of tools/stream, its figures printed once a second."""

    def __init__(self, seconds):
        self.last = (0.0, 0, 0, 0, 0, 0, 0)
        self.process = subprocess.Popen(
            [BUILD + "/tools/stream/stream", "run", "--server", ENV["TP_RELAY4"],
             "--user", ENV["TP_USER"], "--password-file", ENV["TP_PASSWORD_FILE"],
             "--netns", ENV["TP_NS_A"], "--peer-netns", ENV["TP_NS_B"], "--peer-relay",
             "--streams", "2", "--rate", "500", "--seconds", str(seconds), "--live"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.started = time.monotonic()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            found = LIVE.search(line)
            if found:
                self.show([float(x) for x in found.groups()])
            else:
                print("   ", line.rstrip())

    def show(self, now):
        span = now[0] - self.last[0]
        up, down = ((now[k] - self.last[k]) / span for k in (2, 5))
        self.last = now
        status = relay_status()
        own = "control process away" if status is None else (
            "%d packets, %d dropped, %d allocations, %.1f %% busy" % (
                status["traffic"]["packets"], status["traffic"]["drops"],
                status["allocations"]["live"], 100 * status["dataplane"]["busy"]))
        print("  %3.0f s   A to B %5.0f/s   B to A %5.0f/s   missing %d   relay: %s" % (
            now[0], up, down, now[3] + now[6], own), flush=True)

    def wait_until(self, seconds):
        time.sleep(max(0.0, self.started + seconds - time.monotonic()))

    def report(self):
        out = self.process.stdout.read()
        self.reader.join()
        if self.process.wait() != 0 or not out:
            raise SystemExit("quickstart: the stream did not run")
        return json.loads(out)


def lost(report):
    return report["up"]["lost"] + report["down"]["lost"]


def sent(report):
    return report["up"]["sent"] + report["down"]["sent"]


def undisturbed(seconds):
    return Stream(seconds).report()


def kill(process, seconds):
    stream = Stream(seconds)
    stream.wait_until(seconds * 0.4)
    lab("kill", process)
    print("  ---- kill -9 of the %s" % process, flush=True)
    time.sleep(1)
    started = time.time()
    lab("start", process)
    print("  ---- %s started again" % process, flush=True)
    report = stream.report()
    report["restarted_at"] = started
    return report


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=int, default=10)
    seconds = options.parse_args().seconds
    bad = []
    print("\n== a relayed stream, undisturbed")
    calm = undisturbed(seconds)
    print("\n== kill -9 of the control process")
    control = kill("control", seconds)
    print("\n== kill -9 of the data plane")
    plane = kill("dataplane", seconds)
    gap = max(plane[d]["gap_ms"] for d in ("up", "down"))
    after = max(plane["started_at"] + (plane[d]["gap_at_ms"] + plane[d]["gap_ms"]) / 1e3
                - plane["restarted_at"] for d in ("up", "down"))
    print("\n== numbers")
    print("  undisturbed              %7d packets, %d lost" % (sent(calm), lost(calm)))
    print("  control process killed   %7d packets, %d lost" % (sent(control), lost(control)))
    print("  data plane killed        %7d packets, %d lost, gap %.0f ms, forwarding %.0f ms after"
          " the start" % (sent(plane), lost(plane), gap, after * 1e3))
    if lost(calm):
        bad.append("packets lost without a reason")
    if lost(control):
        bad.append("packets lost over the kill of the control process")
    if after > 2:
        bad.append("the data plane took more than 2 s to forward again")
    for what in bad:
        print("  FAILED: " + what)
    sys.exit(1 if bad else 0)


main()
