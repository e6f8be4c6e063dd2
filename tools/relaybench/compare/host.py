# SPDX-License-Identifier: BSD-3-Clause
"""The machine as a comparison uses it: the lab, processes on their core, the kernel's counters."""

import fcntl
import os
import resource
import subprocess
import sys
import time


def say(text):
    print("relaybench: " + text, file=sys.stderr, flush=True)


class Failure(Exception):
    pass


def run(*words, check=True):
    done = subprocess.run(words, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise Failure("%s: %s" % (" ".join(words), done.stderr.strip() or done.returncode))
    return done.stdout


def boost(pid):
    """The process's session before all others on the machine's cores."""
    try:
        with open("/proc/%d/autogroup" % pid, "w") as f:
            f.write("-20\n")
    except OSError:
        pass


def pin(pid, core):
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            os.sched_setaffinity(int(task), {core})
        except ProcessLookupError:
            pass


def cpu_ns(pid):
    """Time that the process's threads have had a core."""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
                total += int(f.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def resident_octets(pid):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def many_files():
    """Raises the limit of descriptors for a server with a socket per allocation."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


SPIN_STEPS = 20000
SPIN_RUNS = 7


def spin(core):
    """Nanoseconds of CPU time that one step of a loop takes on that core just now: how much of it
    the host leaves us. Taken while no server polls there, whose wake-ups cost the loop as much."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    best = None
    for _ in range(SPIN_RUNS):
        start, x = time.thread_time_ns(), 1
        for _ in range(SPIN_STEPS):
            x = (x * 5 + 1) & 0xFFFF
        span = time.thread_time_ns() - start
        best = span if best is None else min(best, span)
    os.sched_setaffinity(0, allowed)
    return best / SPIN_STEPS


class HugePages:
    """So many of 2 MiB beyond those that are in use, given back at the end."""

    total = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

    def __init__(self, pages):
        before = self.read()
        self.write(before + pages)
        self.added = self.read() - before
        if self.added < pages:
            self.give_back()
            raise Failure("no %d huge pages: memory is in pieces" % pages)

    def read(self):
        with open(self.total) as f:
            return int(f.read())

    def write(self, pages):
        with open(self.total, "w") as f:
            f.write("%d\n" % pages)

    def give_back(self):
        self.write(max(0, self.read() - self.added))


class Lock:
    """Keeps benchmarks of one machine from running side by side; None: no lock."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        if self.path is not None:
            self.file = open(self.path, "a")
            fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *why):
        if self.path is not None:
            self.file.close()


class Lab:
    """tools/lab without its router: client side, relay, peer side."""

    def __init__(self, tool, name):
        self.tool, self.name = tool, name
        prefix = "" if name == "lab" else name + "-"
        self.a, self.b, self.relay = (prefix + "tp-" + side for side in ("a", "b", "relay"))
        self.directory = "/run/turnpike-" + name

    def lab(self, *words, check=True):
        return run(self.tool, "--name", self.name, *words, check=check)

    def up(self, *words):
        self.lab("up", "--direct", *words)

    def down(self):
        self.lab("down", check=False)

    def there(self, namespace, *words):
        return ["ip", "netns", "exec", namespace, *words]

    def password_file(self):
        return self.directory + "/demo.password"

    def offloads(self, state):
        for interface in ("nic0", "nic1"):
            for what in ("tx", "tso", "gso", "gro"):
                run(*self.there(self.relay, "ethtool", "-K", interface, what, state), check=False)
            # A veth would hand joined datagrams on as one, which the sink would count as one.
            run(*self.there(self.relay, "ethtool", "-K", interface, "tx-udp-segmentation", "off"), check=False)

    def segments(self):
        """TCP between clients and server in long segments, as cards make and join them. A client's
        checksums stay its own: its datagrams reach an AF_XDP socket as they are."""
        for namespace, interface, features in ((self.relay, "nic0", ("tx", "tso", "gso", "gro")),
                                               (self.a, "eth0", ("gso", "gro"))):
            for what in features:
                run(*self.there(namespace, "ethtool", "-K", interface, what, "on"), check=False)

    def mac(self, namespace, interface):
        return run(*self.there(namespace, "cat", "/sys/class/net/%s/address" % interface)).strip()


def wait_for(what, seconds, ready):
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise Failure("%s is not ready after %d s" % (what, seconds))
        time.sleep(0.05)
