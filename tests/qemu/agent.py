#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The host's side of the emulated machine.

agent.py run SOCKET PID CONSOLE SECONDS < COMMANDS    for the agent in it; its output and status
agent.py boot SOCKET PID                              waits for the agent; 1: the machine stands still
agent.py monitor SOCKET PID COMMAND                   for QEMU itself
"""
import base64
import os
import socket
import sys
import time

MONITOR_S = 900
BOOT_S = 3600
STILL_S = 40
# So many periods without work, one after another, are no wait for a disk.
STILL_PERIODS = 3


def connect(path, pid, seconds):
    """The port of the machine; the socket is there when QEMU is."""
    while os.path.exists(f"/proc/{pid}"):
        try:
            s = socket.socket(socket.AF_UNIX)
            s.connect(path)
            s.settimeout(seconds)
            return s
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the machine is gone")


def until(s, end):
    data = b""
    while not data.endswith(end):
        more = s.recv(65536)
        if not more:
            raise SystemExit("the machine closed its port")
        data += more
    return data


def run(path, pid, console, seconds):
    s = connect(path, pid, int(seconds))
    try:
        s.sendall(base64.b64encode(sys.stdin.buffer.read()) + b"\n")
        status, _, output = until(s, b"\n").decode().strip().partition(" ")
    except socket.timeout:
        with open(console, "rb") as f:
            sys.stderr.write(f.read()[-3000:].decode(errors="replace"))
        raise SystemExit("the machine does not answer")
    sys.stdout.write(base64.b64decode(output).decode(errors="replace"))
    return int(status)


def wanted(pid):
    """Seconds that each of the machine's threads has run, or waited for a core of this one."""
    seconds = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
                seconds[thread] = sum(map(int, f.read().split()[:2])) / 1e9
        except OSError:
            # Those that read files end when there is nothing to read, with all their seconds.
            pass
    return seconds


def increase(now, before):
    return sum(max(s - before.get(thread, 0), 0) for thread, s in now.items())


def boot(path, pid):
    s = connect(path, pid, STILL_S)
    s.sendall(base64.b64encode(b"true") + b"\n")
    before, still = {}, 0
    for _ in range(BOOT_S // STILL_S):
        try:
            until(s, b"\n")
            return 0
        except socket.timeout:
            now = wanted(pid)
            still = still + 1 if increase(now, before) < STILL_S / 10 else 0
            if still == STILL_PERIODS:
                return 1
            before = now
    return 1


def monitor(path, pid, command):
    s = connect(path, pid, MONITOR_S)
    until(s, b"(qemu) ")
    s.sendall(command.encode() + b"\n")
    # The line is echoed; then its output and a new prompt.
    until(s, b"\r\n(qemu) ")
    return 0


sys.exit({"run": run, "boot": boot, "monitor": monitor}[sys.argv[1]](*sys.argv[2:]))
