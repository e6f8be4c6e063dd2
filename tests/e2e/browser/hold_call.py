#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Lets two Chromiums in a lab hold a call, and judges it. The lab, its relay and `voicecall serve
--test-pages` run already: browser_test.sh starts them.

Prints one JSON object; exit status 0 for a good call, 1 for a bad one (the faults are in it).
"""
import argparse
import contextlib
import json
import pathlib
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tools" / "voicecall"))

from call.devtools import Gone  # noqa: E402
from call.lab import Lab  # noqa: E402
from call.open import find_link  # noqa: E402
from call.visit import Visit  # noqa: E402
import judge  # noqa: E402

CONNECT_SECONDS_MAX = 30
# A host seen through the relay before its own candidate was told is "peer reflexive".
TYPES = {"relay": ("relay",), "host": ("host", "prflx")}


class Failed(Exception):
    """The call could not even begin."""


def read_counter(command):
    """The data plane's channel packets so far: the number that a shell command prints."""
    if not command:
        return None
    answer = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True)
    return int(answer.stdout)


def connect(visits):
    """Waits until each side shows the other as connected."""
    deadline = time.monotonic() + CONNECT_SECONDS_MAX
    while True:
        peers = [judge.peer_of(visit.snapshot()) for visit in visits.values()]
        if all(peer and peer["connection"] == "connected" and peer["pair"] for peer in peers):
            return
        if time.monotonic() > deadline:
            shown = {side: (visit.trouble(), judge.peer_of(visit.snapshot()))
                     for side, visit in visits.items()}
            raise Failed(f"not connected after {CONNECT_SECONDS_MAX} s: {json.dumps(shown)}")
        time.sleep(0.2)


def watch(visits, seconds, interval_s):
    """side -> samples, the first now and the last after so many seconds."""
    samples = {side: [] for side in visits}
    begin = time.monotonic()
    for step in range(int(seconds / interval_s) + 1):
        time.sleep(max(0, begin + step * interval_s - time.monotonic()))
        for side, visit in visits.items():
            samples[side].append(visit.snapshot())
    return samples


def fail_to_connect(visits):
    """The other way round: without the relay these two must not reach each other."""
    try:
        connect(visits)
    except Failed:
        return
    raise Failed("they connected, though nothing relays between them: the lab's firewall is open")


def hold_call(args, policies):
    lab = Lab(args.lab)
    lab.check_up()
    link = find_link(lab)
    before = read_counter(args.counter)
    with contextlib.ExitStack() as stack:
        visits = {}
        for side, policy in policies.items():
            visits[side] = Visit(lab, side, link, side.upper(), policy=policy)
            stack.callback(visits[side].close)
        if args.no_call:
            return fail_to_connect(visits)
        connect(visits)
        samples = watch(visits, args.seconds, args.interval)
    time.sleep(1)
    after = read_counter(args.counter)
    return samples, None if before is None else after - before


def report(args, policies, held):
    if held is None:
        return {"policies": policies, "faults": []}
    samples, counted = held
    result = {"policies": policies, "seconds": args.seconds, "sides": {}, "faults": []}
    expected = 0
    for side, other in (("a", "b"), ("b", "a")):
        faults = judge.judge_side(samples[side], TYPES[policies[side]], TYPES[policies[other]])
        result["faults"] += [f"{side}: {fault}" for fault in faults]
        if not faults:
            result["sides"][side] = judge.summarize(samples[side])
        if judge.peer_of(samples[side][-1]):
            expected += judge.channel_packets(samples[side][-1], policies[side] == "relay")
    result["channel_packets"] = {"browsers": expected, "dataplane": counted}
    if counted is not None:
        result["faults"] += judge.judge_channels(counted, expected)
    return result


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--lab", default="lab", metavar="NAME")
    for side in "ab":
        parser.add_argument(f"--{side}", default="relay", choices=TYPES, help="its ICE policy")
    parser.add_argument("--seconds", type=float, default=10, help="length of the call")
    parser.add_argument("--interval", type=float, default=2.5, help="between two samples")
    parser.add_argument("--no-call", action="store_true",
                        help="a good end is that the two cannot connect")
    parser.add_argument("--counter", metavar="COMMAND",
                        help="shell command that prints the data plane's channel packets")
    return parser.parse_args()


def main():
    args = parse_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    policies = {"a": args.a, "b": args.b}
    try:
        result = report(args, policies, hold_call(args, policies))
    except (Failed, RuntimeError, TimeoutError, ValueError) as error:
        result = {"policies": policies, "faults": [str(error)]}
    except Gone:
        result = {"policies": policies, "faults": ["a browser died"]}
    print(json.dumps(result, indent=2))
    return 1 if result["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
