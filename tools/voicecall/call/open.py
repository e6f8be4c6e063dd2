# SPDX-License-Identifier: BSD-3-Clause
"""The command `open`: a browser in the lab, and its page's state on the terminal."""
import json
import os
import subprocess
import sys
import time

from .chromium import has_microphone, need_programs
from .devtools import Gone
from .lab import Lab
from .visit import Visit, describe_pair

SERVER_SECONDS_MAX = 60        # a busy machine
FIGURES_EVERY_S = 5


def find_link(lab):
    """The first room's link. The lab's server is started where none runs; it ends with the lab."""
    if not _server_answers(lab):
        _start_server(lab)
    with open(lab.links_file, encoding="utf-8") as file:
        return next(iter(json.load(file).values()))


def _server_answers(lab):
    if not lab.links_file.exists():
        return False
    probe = "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)"
    return subprocess.run(lab.inside("a", sys.executable, "-c", probe, *lab.server_address),
                          check=False, capture_output=True).returncode == 0


def _start_server(lab):
    lab.links_file.unlink(missing_ok=True)
    with open(lab.log_file, "ab") as log:
        server = subprocess.Popen([sys.executable, sys.argv[0], "serve", "--lab", lab.name],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                                  start_new_session=True)
    deadline = time.monotonic() + SERVER_SECONDS_MAX
    while not _server_answers(lab):
        if server.poll() is not None:
            raise ValueError(why_not_started(lab.log_file, server.returncode))
        if time.monotonic() > deadline:
            raise ValueError(why_not_started(lab.log_file, None))
        time.sleep(0.05)


def why_not_started(log_file, status):
    """The reason for people, which is never empty. `status`: None while the server still runs."""
    lines = log_file.read_text(encoding="utf-8", errors="replace").split("\n")
    said = [line for line in lines if line.strip()][-1:]
    why = f"does not answer after {SERVER_SECONDS_MAX} s; is the machine too busy?" \
        if status is None else f"ended with status {status}"
    return f"the call's server {why}{': ' + said[0].strip() if said else ''} (log: {log_file})"


def lines_of(snapshot):
    """The slowly changing state, one line per other member; printed when it changes."""
    lines = {}
    for peer in snapshot["peers"]:
        muted = ", muted" if peer["muted"] else ""
        lines[peer["id"]] = f"{peer['name']}{muted}: {peer['connection']}, " \
                            f"{describe_pair(peer.get('pair'))}"
    return lines


class Watch:
    """Prints the page's state when it changes, and figures every few seconds."""

    def __init__(self, visit, out):
        self._visit = visit
        self._out = out
        self._shown = {}
        self._state = None
        self._trouble = None
        self._figures = {}
        self._figures_at = time.monotonic()

    def step(self):
        snapshot = self._visit.snapshot()
        if snapshot["state"] != self._state:
            self._state = snapshot["state"]
            room = snapshot["self"]["room"] if snapshot["self"] else "-"
            self._say(f"{self._state}, room {room}, policy {snapshot['policy']}")
        trouble = self._visit.trouble()
        if trouble and trouble != self._trouble:
            self._say(trouble)
        self._trouble = trouble
        lines = lines_of(snapshot)
        for member in self._shown.keys() - lines.keys():
            self._say(f"{self._shown[member].partition(':')[0]}: left")
        for member, line in lines.items():
            if line != self._shown.get(member):
                self._say(line)
        self._shown = lines
        if time.monotonic() - self._figures_at >= FIGURES_EVERY_S:
            self._show_figures(snapshot)

    def _show_figures(self, snapshot):
        for peer in snapshot["peers"]:
            audio, last = peer["audio"], self._figures.get(peer["id"])
            if last:
                seconds = (peer["at_ms"] - last["at_ms"]) / 1000
                rates = [(audio[key] - last["audio"][key]) / seconds
                         for key in ("packetsReceived", "packetsSent")]
                self._say(f"{peer['name']}: {rates[0]:.0f} packets/s received, {rates[1]:.0f} "
                          f"sent, {audio['packetsLost']} lost")
        self._figures = {peer["id"]: peer for peer in snapshot["peers"]}
        self._figures_at = time.monotonic()

    def _say(self, text):
        print(f"{self._visit.name}: {text}", file=self._out, flush=True)


def run(args):
    need_programs()
    lab = Lab(args.lab)
    lab.check_up()
    headless = args.headless or not (os.environ.get("DISPLAY") or
                                     os.environ.get("WAYLAND_DISPLAY"))
    name = args.name or args.client.upper()
    microphone = not headless and not args.generated_microphone and has_microphone()
    link = find_link(lab)
    print(f"{name}: {'headless ' if headless else ''}Chromium in the namespace of {args.client}, "
          f"{'' if microphone else 'generated '}microphone, {link.partition('#')[0]}", flush=True)
    try:
        visit = Visit(lab, args.client, link, name, policy=args.policy, headless=headless,
                      microphone=microphone)
    except RuntimeError as error:
        raise ValueError(str(error)) from None
    try:
        _watch(visit, args.seconds)
    finally:
        visit.close()
    return 0


def _watch(visit, seconds):
    watch = Watch(visit, sys.stdout)
    end = None if seconds is None else time.monotonic() + seconds
    try:
        while end is None or time.monotonic() < end:
            watch.step()
            time.sleep(0.5)
    except Gone:
        print(f"{visit.name}: the window was closed", flush=True)
