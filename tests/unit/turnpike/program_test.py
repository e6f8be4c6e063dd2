#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The program itself, with processes in place of the relay's that record their signals."""
import os
import signal
import subprocess
import sys
import tempfile
import time

# Notes "start ARGUMENTS" and each signal; says that it is ready; ends as the file "end" says.
FAKE = """#!{python}
import os, signal, socket, sys, time
name = os.path.basename(sys.argv[0])
home = os.path.dirname(sys.argv[0])
def note(text):
    with open(os.path.join(home, "notes"), "a") as f:
        f.write(name + " " + text + "\\n")
def on_signal(number, frame):
    note(signal.Signals(number).name)
    if number == signal.SIGTERM:
        sys.exit(0)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, on_signal)
note("start " + " ".join(sys.argv[1:]))
while "--take-over" in sys.argv and os.path.exists(os.path.join(home, "slow")):
    time.sleep(0.02)
path = os.path.join(home, name + ".fail")
if os.path.exists(path):
    sys.exit(int(open(path).read()))
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b"READY=1", "\\0" + os.environ["NOTIFY_SOCKET"][1:])
note("pid %d" % os.getpid())
while True:
    time.sleep(60)
"""

CONFIG = """dataplane: {ports: [{interface: nic0}]}
listeners: [{address: 10.77.0.1}]
secrets: [{id: one, secret_file: one.secret}]
"""


class Failure(Exception):
    pass


class Stand:
    def __init__(self, program, home):
        self.program = program
        self.home = home
        for name in ("turnpike-control", "turnpike-dataplane", "turnpike-edge",
                     "turnpike-directory"):
            self.write(name, FAKE.replace("{python}", sys.executable), 0o755)
        self.write("one.secret", "secret\n", 0o600)
        self.write("turnpike.yaml", CONFIG, 0o644)

    def write(self, name, text, mode):
        path = os.path.join(self.home, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)

    def start(self, *options):
        return subprocess.Popen(
            [self.program, "--config", os.path.join(self.home, "turnpike.yaml"),
             "--programs", self.home, *options],
            stderr=subprocess.PIPE, text=True)

    def notes(self):
        try:
            with open(os.path.join(self.home, "notes")) as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def pids(self, name):
        return [int(n.split()[2]) for n in self.notes() if n.startswith(name + " pid ")]

    def wait(self, what, condition):
        end = time.monotonic() + 300
        while not condition():
            if time.monotonic() > end:
                raise Failure(f"{what}: {self.notes()}")
            time.sleep(0.02)


def expect(what, condition):
    if not condition:
        raise Failure(what)


def both_ready(stand, n=1):
    return (len(stand.pids("turnpike-control")) >= n and len(stand.pids("turnpike-dataplane")) >= 1)


def a_crash_restarts_one(stand):
    p = stand.start("--control=--user=nobody", "--instance", "blue")
    stand.wait("both start", lambda: both_ready(stand))
    expect("options are passed on",
           any(n.startswith("turnpike-control start --config ") and
               n.endswith("--instance blue --user=nobody") for n in stand.notes()))
    if os.geteuid() == 0:
        expect("the data plane has its unit's priority",
               os.getpriority(os.PRIO_PROCESS, stand.pids("turnpike-dataplane")[0]) == -10)
    os.kill(stand.pids("turnpike-control")[0], signal.SIGKILL)
    stand.wait("the control process starts again", lambda: both_ready(stand, 2))
    expect("the data plane goes on", len(stand.pids("turnpike-dataplane")) == 1)
    p.send_signal(signal.SIGHUP)
    stand.wait("HUP is passed on", lambda: sum("SIGHUP" in n for n in stand.notes()) == 2)
    p.send_signal(signal.SIGTERM)
    log = p.communicate(timeout=600)[1]
    expect(f"TERM stops: {p.returncode} {log}", p.returncode == 0)
    expect("both were asked", sum("SIGTERM" in n for n in stand.notes()) == 2)
    expect(f"the log names the crash: {log}", "service_failed" in log and "Killed" in log)


def edge_starts(stand):
    return [n for n in stand.notes() if n.startswith("turnpike-edge start ")]


def an_edge_is_taken_over(stand):
    stand.write("turnpike.yaml", CONFIG.replace(
        "listeners: [{", "listeners: [{transport: tcp, address: 10.77.0.1}, {"), 0o644)
    p = stand.start()
    stand.wait("three start", lambda: both_ready(stand) and stand.pids("turnpike-edge"))
    p.send_signal(signal.SIGUSR2)
    stand.wait("another edge starts", lambda: len(stand.pids("turnpike-edge")) == 2)
    expect(f"it takes over: {stand.notes()}", edge_starts(stand)[1].endswith(" --take-over"))
    expect("nothing else starts again", len(stand.pids("turnpike-control")) == 1)
    # This signal is taken after the notice that the new one is ready.
    p.send_signal(signal.SIGHUP)
    stand.wait("both have it", lambda: stand.notes().count("turnpike-edge SIGHUP") == 2)
    # One that was taken over may end, and nobody misses it.
    os.kill(stand.pids("turnpike-edge")[0], signal.SIGKILL)
    os.kill(stand.pids("turnpike-edge")[1], signal.SIGKILL)
    stand.wait("the new one is started again", lambda: len(stand.pids("turnpike-edge")) == 3)
    expect("as always", not edge_starts(stand)[2].endswith("--take-over"))
    stand.write("turnpike-edge.fail", "1", 0o644)
    p.send_signal(signal.SIGUSR2)
    stand.wait("a third one fails", lambda: len(edge_starts(stand)) == 4)

    def another_starts():
        p.send_signal(signal.SIGUSR2)
        return len(edge_starts(stand)) > 4

    stand.wait("its end is taken: another one may", another_starts)
    p.send_signal(signal.SIGHUP)
    stand.wait("the one before goes on",
               lambda: stand.notes().count("turnpike-edge SIGHUP") >= 3)
    p.send_signal(signal.SIGTERM)
    log = p.communicate(timeout=600)[1]
    expect(f"the log tells: {log}", "has taken over" in log and "goes on" in log)
    expect("none but the first three was ready", len(stand.pids("turnpike-edge")) == 3)


# The first one may have all connections, and just has not said so.
def an_upgrade_is_not_cut_short(stand):
    stand.write("turnpike.yaml", CONFIG.replace(
        "listeners: [{", "listeners: [{transport: tcp, address: 10.77.0.1}, {"), 0o644)
    stand.write("slow", "", 0o644)
    p = stand.start()
    stand.wait("three start", lambda: both_ready(stand) and stand.pids("turnpike-edge"))
    # This signal is taken after the notices that they are ready.
    p.send_signal(signal.SIGHUP)
    stand.wait("all have it", lambda: sum("SIGHUP" in n for n in stand.notes()) == 3)
    p.send_signal(signal.SIGUSR2)
    stand.wait("another edge starts", lambda: len(edge_starts(stand)) == 2)
    p.send_signal(signal.SIGUSR2)
    # The end of a child is taken after that signal.
    os.kill(stand.pids("turnpike-dataplane")[0], signal.SIGKILL)
    stand.wait("it was taken", lambda: len(stand.pids("turnpike-dataplane")) == 2)
    os.unlink(os.path.join(stand.home, "slow"))
    stand.wait("the first one takes over", lambda: len(stand.pids("turnpike-edge")) == 2)
    p.send_signal(signal.SIGTERM)
    log = p.communicate(timeout=600)[1]
    expect(f"it was the only one: {stand.notes()}", len(edge_starts(stand)) == 2)
    expect(f"no edge failed: {log}", not any(
        "service_failed" in line and "turnpike-edge" in line for line in log.splitlines()))


def root_starts_users(stand):
    p = stand.start("--dataplane=--allow-root")
    stand.wait("both start", lambda: both_ready(stand))
    p.send_signal(signal.SIGTERM)
    p.communicate(timeout=600)
    starts = {n.split()[0]: n for n in stand.notes() if " start " in n}
    expect(f"the user of control: {starts}",
           ("--user turnpike-control" in starts["turnpike-control"]) == (os.geteuid() == 0))
    expect(f"an option of one's own wins: {starts}", "--user" not in starts["turnpike-dataplane"])


def the_directory_starts_where_there_are_sources(stand):
    p = stand.start()
    stand.wait("both start", lambda: both_ready(stand))
    p.send_signal(signal.SIGTERM)
    p.communicate(timeout=600)
    expect("no directory without sources", not stand.pids("turnpike-directory"))
    expect("no edge without streams", not stand.pids("turnpike-edge"))
    stand.write("turnpike.yaml",
                CONFIG + "directory: {sources: [{name: a, type: sqlite, path: db}]}\n", 0o644)
    p = stand.start("--directory=--no-sandbox")
    stand.wait("three start", lambda: both_ready(stand) and stand.pids("turnpike-directory"))
    p.send_signal(signal.SIGTERM)
    p.communicate(timeout=600)
    expect("it has its options", any(n.startswith("turnpike-directory start --config ") and
                                     n.endswith("--no-sandbox") for n in stand.notes()))


def the_edge_starts_where_there_are_streams(stand):
    stand.write("turnpike.yaml", CONFIG.replace(
        "[{address: 10.77.0.1}]", "[{address: 10.77.0.1, transport: tcp}]"), 0o644)
    p = stand.start("--edge=--no-sandbox")
    stand.wait("three start", lambda: both_ready(stand) and stand.pids("turnpike-edge"))
    p.send_signal(signal.SIGHUP)
    stand.wait("the edge reads again", lambda: "turnpike-edge SIGHUP" in stand.notes())
    os.kill(stand.pids("turnpike-edge")[0], signal.SIGKILL)
    stand.wait("it starts again", lambda: len(stand.pids("turnpike-edge")) == 2)
    expect("the others go on", len(stand.pids("turnpike-control")) ==
           len(stand.pids("turnpike-dataplane")) == 1)
    p.send_signal(signal.SIGTERM)
    p.communicate(timeout=600)
    expect("it has its options", any(n.startswith("turnpike-edge start --config ") and
                                     n.endswith("--no-sandbox") for n in stand.notes()))
    expect("no directory beside it", not stand.pids("turnpike-directory"))


def a_failed_start_ends_all(stand):
    stand.write("turnpike-dataplane.fail", "1", 0o644)
    p = stand.start()
    log = p.communicate(timeout=600)[1]
    expect(f"its status is the program's: {p.returncode} {log}", p.returncode == 1)
    expect("it was tried once", sum("dataplane start" in n for n in stand.notes()) == 1)


def mistakes_start_nothing(stand):
    stand.write("turnpike.yaml", CONFIG + "nonsense: 1\n", 0o644)
    p = stand.start()
    log = p.communicate(timeout=600)[1]
    expect(f"status 3: {p.returncode}", p.returncode == 3)
    expect(f"the mistake is named once: {log}", log.count("nonsense") == 1)
    expect("nothing was started", stand.notes() == [])


def main():
    program = os.path.abspath(sys.argv[1])
    failed = 0
    for test in (a_crash_restarts_one, an_edge_is_taken_over,
                 an_upgrade_is_not_cut_short, root_starts_users,
                 the_directory_starts_where_there_are_sources,
                 the_edge_starts_where_there_are_streams, a_failed_start_ends_all,
                 mistakes_start_nothing):
        with tempfile.TemporaryDirectory() as home:
            stand = Stand(program, home)
            try:
                test(stand)
                print("ok -", test.__name__)
            except (Failure, subprocess.TimeoutExpired) as e:
                failed += 1
                print("not ok -", test.__name__, e)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
