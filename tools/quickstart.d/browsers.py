# SPDX-License-Identifier: BSD-3-Clause
"""A call between two Chromiums in the lab, both by the relay only, while the relay's processes are
killed one after the other. Exit status 0: it lost nothing up to the data plane's kill, and was
heard again after it. The lab's names come from the environment (tools/lab env)."""
import argparse
import contextlib
import sys
import time

from relay import ENV, TOP, Failed, kill_and_start, main, say

VOICECALL = TOP + "/tools/voicecall"
sys.path.insert(0, VOICECALL)

from call.chromium import need_programs  # noqa: E402
from call.devtools import Gone  # noqa: E402
from call.lab import Lab  # noqa: E402
from call.open import find_link  # noqa: E402
from call.visit import Visit, describe_pair  # noqa: E402

CONNECT_S_MAX = 40
HEARD_S_MAX = 20
# Opus in Chromium sends 50 a second.
RATE_MIN = 25
# The two pages are read one after the other, and some packets are under way.
SKEW_PACKETS = 15


class Room:
    """Two browsers in a room; their figures, a line a second."""

    def __init__(self, visits):
        self.visits = visits
        self.last = {}

    def peers(self):
        found = {}
        for side, visit in self.visits.items():
            peers = visit.snapshot()["peers"]
            found[side] = peers[0] if len(peers) == 1 else None
        return found

    def connect(self):
        end = time.monotonic() + CONNECT_S_MAX
        while time.monotonic() < end:
            peers = self.peers()
            if all(p and p["connection"] == "connected" and p.get("pair") for p in peers.values()):
                self.last = peers
                return
            time.sleep(0.2)
        raise Failed("the browsers did not connect in %d s: %s" % (
            CONNECT_S_MAX, [visit.trouble() for visit in self.visits.values()]))

    def second(self):
        """A second later: {side: packets received in it, each a second}, and a line of it."""
        time.sleep(1)
        peers, rates, words = self.peers(), {}, []
        for side, peer in peers.items():
            last = self.last.get(side)
            if not peer or not last or peer["at_ms"] <= last["at_ms"]:
                rates[side] = 0.0
                words.append("%s: nobody there" % side.upper())
                continue
            audio, span_s = peer["audio"], (peer["at_ms"] - last["at_ms"]) / 1e3
            rates[side] = (audio["packetsReceived"] - last["audio"]["packetsReceived"]) / span_s
            words.append("%s hears %3.0f packets/s, %4d lost, %s" % (
                side.upper(), rates[side], audio["packetsLost"], peer["connection"]))
        self.last = {side: peer or self.last.get(side) for side, peer in peers.items()}
        print("  " + "     ".join(words), flush=True)
        return rates

    def watch(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.second()

    def watch_until_heard(self):
        """Seconds until both hear each other again; Failed when they do not."""
        begin = time.monotonic()
        while time.monotonic() < begin + HEARD_S_MAX:
            if all(rate > RATE_MIN for rate in self.second().values()):
                return time.monotonic() - begin
        raise Failed("the browsers do not hear each other %d s after the data plane's restart"
                     % HEARD_S_MAX)

    def missing(self):
        """Sent but not heard. Chromium's own packetsLost leaves long gaps out."""
        return max(0, self.total("packetsSent") - self.total("packetsReceived"))

    def total(self, key):
        return sum(peer["audio"][key] for peer in self.last.values())


def judge(room, before, counted):
    """Returns the faults found, as sentences."""
    faults = []
    if before["lost"] or before["missing"] > SKEW_PACKETS:
        faults.append("before the data plane was killed the browsers lost %d packets, and %d sent "
                      "were not heard" % (before["lost"], before["missing"]))
    for side, peer in room.last.items():
        kind = peer["pair"]["local"]["type"]
        if kind != "relay":
            faults.append("%s's selected candidate is of type %s, not relay" % (side.upper(), kind))
        if not peer["audio"]["totalAudioEnergy"] > 0:
            faults.append("%s heard no sound" % side.upper())
    if counted < before["received"]:
        faults.append("less received at the end than before")
    return faults


def hold(room, seconds):
    room.connect()
    for side, peer in room.last.items():
        print("  %s: %s" % (side.upper(), describe_pair(peer["pair"])))
    room.watch(seconds / 2)
    kill_and_start("control", say)
    room.watch(seconds / 2)
    before = {"lost": room.total("packetsLost"), "received": room.total("packetsReceived"),
              "missing": room.missing()}
    kill_and_start("dataplane", say)
    room.watch_until_heard()
    room.watch(seconds / 2)
    faults = judge(room, before, room.total("packetsReceived"))
    print("  browsers: %d packets heard; %d lost up to and over the control process's kill; about %d "
          "not heard in the data plane's gap" % (
              room.total("packetsReceived"), before["lost"], room.missing() - before["missing"]))
    for fault in faults:
        print("  FAILED: " + fault)
    return 1 if faults else 0


def run():
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=int, required=True)
    seconds = options.parse_args().seconds
    print("\n== a voice call of two Chromiums, and both kills again", flush=True)
    # find_link starts the page's server by this name where none runs.
    sys.argv = [VOICECALL + "/voicecall"]
    try:
        need_programs()
        lab = Lab(ENV["TP_LAB"])
        link = find_link(lab)
        with contextlib.ExitStack() as stack:
            visits = {}
            for side in ("a", "b"):
                visits[side] = Visit(lab, side, link, side.upper())
                stack.callback(visits[side].close)
            return hold(Room(visits), seconds)
    except Gone:
        raise Failed("a browser died") from None
    except (RuntimeError, TimeoutError, ValueError) as error:
        raise Failed(str(error)) from None


if __name__ == "__main__":
    main(run)
