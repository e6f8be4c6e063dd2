# SPDX-License-Identifier: BSD-3-Clause
"""Relayed streams in the lab, with live figures and a verdict.

Three streams of numbered packets go both ways between tp-a and tp-b, each end a client of the
relay, as in a call of two browsers: one undisturbed, one while the control process is killed, one
while the data plane is killed. Exit status 0: only the last one lost packets, and only in its gap.
"""
import argparse
import json
import re
import subprocess
import threading
import time

from relay import ENV, Counters, Failed, ask, kill_and_start, main, say

# Two streams of 500 packets a second: a gap is seen to 2 ms.
STREAMS, RATE = 2, 500
KILL_AT = 0.4       # of the stream's length
AGAIN_S_MAX = 2.0   # from the new data plane's start to the first packet
LIVE = re.compile(r" *([\d.]+) s" + 2 * r" +\w+ (\d+) sent (\d+) arrived (\d+) missing (\d+) ms gap")
HEAD = """\
           A to B              B to A           relay's own
  time  packets/s lost gap   packets/s lost gap   packets/s   dropped  allocs    busy"""


class Stream:
    """One run of tools/stream, its figures printed every second."""

    def __init__(self, seconds, *options):
        self.counters = Counters()
        self.counters.line()
        self.last_s, self.last_arrived = 0.0, (0, 0)
        print(HEAD, flush=True)
        self.process = subprocess.Popen(
            [ENV["TP_BUILD"] + "/tools/stream/stream", "run", "--server", ENV["TP_RELAY4"],
             "--user", ENV["TP_USER"], "--password-file", ENV["TP_PASSWORD_FILE"],
             "--netns", ENV["TP_NS_A"], "--peer-netns", ENV["TP_NS_B"], "--peer-relay",
             "--streams", str(STREAMS), "--rate", str(RATE), "--seconds", str(seconds), "--live",
             *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.started = time.monotonic()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def wait_until(self, seconds):
        """Until so long after the start; raises Failed when the stream ended before."""
        while time.monotonic() < self.started + seconds:
            if self.process.poll() is not None:
                raise Failed("the stream ended early")
            time.sleep(0.02)

    def report(self):
        out = self.process.stdout.read()
        self.process.wait()
        self.reader.join()
        if self.process.returncode != 0 or not out:
            raise Failed("the stream did not run")
        return json.loads(out)

    def end(self):
        self.process.kill()
        self.process.wait()

    def _read(self):
        for line in self.process.stderr:
            found = LIVE.match(line)
            if found:
                self._show([float(number) for number in found.groups()])
            else:
                print("   ", line.rstrip(), flush=True)

    def _show(self, figures):
        at_s, ways = figures[0], (figures[1:5], figures[5:9])
        arrived = tuple(way[1] for way in ways)
        words = ["%5.0f s" % at_s]
        for k, (_, _, missing, gap_ms) in enumerate(ways):
            rate = (arrived[k] - self.last_arrived[k]) / (at_s - self.last_s)
            words.append("%8.0f %5d %4d  " % (rate, missing, gap_ms))
        self.last_s, self.last_arrived = at_s, arrived
        print(" ".join(words), self.counters.line(), flush=True)


def both(report, key):
    return report["up"][key] + report["down"][key]


def run_stream(seconds, *options, process=None):
    """A stream, and in it the kill of a process: the report, with `restarted_at`."""
    stream = Stream(seconds, *options)
    try:
        started = None
        if process:
            stream.wait_until(seconds * KILL_AT)
            started = kill_and_start(process, say)
        report = stream.report()
    finally:
        stream.end()
    return dict(report, restarted_at=started)


def calm(seconds, faults):
    print("\n== a call through the relay: %d relayed packets a second each way" % (STREAMS * RATE))
    report = run_stream(seconds)
    if both(report, "lost"):
        faults.append("%d packets lost, with nothing in their way" % both(report, "lost"))
    return report


def control_killed(seconds, faults):
    print("\n== the same, and kill -9 of the control process")
    # Asked for while nobody is there to answer; the client repeats, as clients do.
    at_ms = int(seconds * KILL_AT * 1000) + 500
    asked = ("refresh", "permission", "channel", "allocate-again")
    options = [word for k, what in enumerate(asked)
               for word in ("--at", "%d:%s" % (at_ms + 20 * k, what))]
    report = run_stream(seconds, *options, process="control")
    report["asked"] = len(asked)
    report["answered"] = sum(q["answer"] == "success" for q in report["requests"])
    if both(report, "lost"):
        faults.append("%d packets lost over the kill of the control process"
                      % both(report, "lost"))
    if report["answered"] != report["asked"]:
        faults.append("%d of %d requests were not answered after the control process's restart"
                      % (report["asked"] - report["answered"], report["asked"]))
    return report


def again_s(report):
    """From the start of the new data plane to the packet that ended the longest silence."""
    return max(report["started_at"] + (report[way]["gap_at_ms"] + report[way]["gap_ms"]) / 1e3
               - report["restarted_at"] for way in ("up", "down"))


def dataplane_killed(seconds, faults):
    print("\n== the same, and kill -9 of the data plane")
    report = run_stream(seconds, process="dataplane")
    errors = sum(report["icmp_errors"][end]["count"] for end in ("client", "peer"))
    for way in ("up", "down"):
        # Numbers lost outside the one gap would be lost for no reason.
        beside = report[way]["lost"] - report[way]["gap_ms"] / 1e3 * STREAMS * RATE
        if beside > 0.05 * STREAMS * RATE:
            faults.append("%d packets lost outside the data plane's gap" % beside)
    if not both(report, "received"):
        faults.append("nothing arrived")
    if again_s(report) > AGAIN_S_MAX:
        faults.append("the new data plane took %.1f s to forward, more than %.0f"
                      % (again_s(report), AGAIN_S_MAX))
    if errors:
        faults.append("%d ICMP errors told the clients of the gap" % errors)
    return report


def delay_text(report):
    delays = [report[way]["delay_us"] for way in ("up", "down")]
    if not all(delays):
        return "-"
    return "%.2f ms" % (max(d["p50"] for d in delays) / 1e3)


def print_numbers(reports):
    print("\n== numbers")
    print("  %-26s %9s %9s %6s %9s   %s" % ("stream", "sent", "arrived", "lost", "gap", "delay p50"))
    for name, report in zip(("undisturbed", "control process killed", "data plane killed"),
                            reports):
        print("  %-26s %9d %9d %6d %6.0f ms   %s" % (
            name, both(report, "sent"), both(report, "received"), both(report, "lost"),
            max(report["up"]["gap_ms"], report["down"]["gap_ms"]), delay_text(report)))
    control, plane = reports[1:]
    print("  control process: %d of %d requests sent while it was away answered after its restart"
          % (control["answered"], control["asked"]))
    print("  data plane: forwarding again %.0f ms after the new one's start; the clients did nothing"
          % (1e3 * again_s(plane)))
    print_relay()


def print_relay():
    """Prints the relay's own figures since its data plane's last start."""
    workers, drops = ask("worker", "show"), ask("drop", "show")
    if not workers or drops is None:
        return
    print("  relay, receive to transmit: p50 below %.0f us, p99 below %.0f us; dropped: %s" % (
        max(w["residence_p50_ns"] for w in workers) / 1e3,
        max(w["residence_p99_ns"] for w in workers) / 1e3,
        ", ".join("%d %s" % (d["packets"], d["reason"]) for d in drops) or "nothing"))


def run():
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=int, required=True)
    seconds = options.parse_args().seconds
    faults = []
    reports = [part(seconds, faults) for part in (calm, control_killed, dataplane_killed)]
    print_numbers(reports)
    for fault in faults:
        print("  FAILED: " + fault)
    return 1 if faults else 0


if __name__ == "__main__":
    main(run)
