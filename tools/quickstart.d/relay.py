# SPDX-License-Identifier: BSD-3-Clause
"""The lab's relay, as the quick start sees it: its own counters, and killing its processes. Names
come from the environment, as `tools/lab env` prints them."""
import json
import os
import signal
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ENV = os.environ
NAMES = {"control": "turnpike-control", "dataplane": "turnpike-dataplane"}
AWAY_S = 1.0


class Failed(Exception):
    """The quick start cannot go on."""


def lab(*words):
    done = subprocess.run([TOP + "/tools/lab", "--name", ENV["TP_LAB"], *words],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed("tools/lab %s: %s" % (" ".join(words), done.stderr.strip()))


def ask(*words):
    """Returns relayctl's answer as data; None while the control process is away."""
    command = [ENV["TP_BUILD"] + "/tools/relayctl/relayctl", "-s", ENV["TP_SOCKET"], "-j", *words]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=3)
        return json.loads(done.stdout) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError):
        return None


class Counters:
    """Rates from the relay's own counters, from one call to the next."""

    def __init__(self):
        self.last = None
        self.at = 0.0

    def line(self):
        status, now = ask("status"), time.monotonic()
        if status is None:
            self.last = None
            return "its control process is away"
        if not status["dataplane"]["running"]:
            self.last = None
            return "its data plane is away"
        traffic = status["traffic"]
        rate = "       -"
        if self.last is not None and traffic["packets"] >= self.last:
            rate = "%8.0f" % ((traffic["packets"] - self.last) / (now - self.at))
        self.last, self.at = traffic["packets"], now
        return "%s %9d %8d %6.1f %%" % (rate, traffic["drops"], status["allocations"]["live"],
                                        100 * status["dataplane"]["busy"])


def kill_and_start(process, say):
    """kill -9, a second away, start: when the start began, and how long until it was done."""
    status = ask("status")
    pid = status[process]["pid"] if status else "?"
    lab("kill", process)
    say("kill -9 %s (pid %s)" % (NAMES[process], pid))
    time.sleep(AWAY_S)
    say("starting a new %s" % NAMES[process])
    started = time.time()
    lab("start", process)
    say("the relay reports that it forwards, %.0f ms after the start"
        % (1e3 * (time.time() - started)))
    return started


def say(text):
    print("  ---- " + text, flush=True)


def follow_parent():
    """A quick start that was killed leaves no streams or browsers behind."""
    parent = os.getppid()

    def watch():
        while os.getppid() == parent:
            time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGTERM)
    threading.Thread(target=watch, daemon=True).start()


def main(run):
    """Runs it and exits with its status; a failure is reported in one line."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    follow_parent()
    try:
        sys.exit(run())
    except Failed as error:
        print("quickstart: %s" % error, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
