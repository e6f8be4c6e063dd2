#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Calls of two browsers, relay-only, with video and bytes over a data channel both ways: how many
of N connect and complete. The lab and its relay run already: narrow_test.sh starts them. Prints a
line for each call; exit status 0 if all were good."""
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

from call.chromium import Chromium  # noqa: E402
from call.devtools import Gone  # noqa: E402
from call.lab import Lab  # noqa: E402
from firefox import Firefox  # noqa: E402

CONNECT_SECONDS_MAX = 60
# Without progress in either direction.
STALL_SECONDS_MAX = 60
FRAMES_MIN = 10


class Failed(Exception):
    """A call that did not connect or did not complete."""


def flush(args):
    """What the hosts have learnt of the path must not count for the next call."""
    for name in args.netns_a, args.netns_b:
        for family in "-4", "-6":
            subprocess.run(["ip", "-n", name, family, "route", "flush", "cache"], check=True,
                           stderr=subprocess.DEVNULL)


def evaluate(page, name, *values):
    return page.evaluate("narrow.%s(%s)" % (name, ", ".join(json.dumps(v) for v in values)))


def wait(pages, done, why):
    """Until it is done, or nothing of the state has changed for long."""
    last, changed = None, time.monotonic()
    while True:
        states = [evaluate(page, "state") for page in pages]
        if done(states):
            return states
        if any(s["connection"] == "failed" or s["channel"] == "closed" for s in states):
            raise Failed(f"{why}: {json.dumps(states)}")
        progress = [(s["connection"], s["channel"], s["received"]) for s in states]
        if progress != last:
            last, changed = progress, time.monotonic()
        if time.monotonic() > changed + STALL_SECONDS_MAX:
            raise Failed(f"{why}: {json.dumps(states)}")
        time.sleep(0.5)


def call(args, pages):
    with open(args.password_file, encoding="utf-8") as f:
        credential = f.read().strip()
    for page in pages:
        evaluate(page, "begin", f"turn:{args.server}:3478?transport=udp", args.user, credential)
    answer = evaluate(pages[1], "describe", evaluate(pages[0], "describe", None))
    evaluate(pages[0], "accept", answer)
    begin = time.monotonic()
    wait(pages, lambda s: all(x["channel"] == "open" for x in s), "not connected")
    connected = time.monotonic()
    for page in pages:
        evaluate(page, "send", args.bytes)
    wait(pages, lambda s: all(x["received"] == args.bytes and x["frames"] >= FRAMES_MIN for x in s),
         "did not complete")
    return connected - begin, time.monotonic() - connected


def open_page(args, lab, stack, side):
    if args.browser == "chromium":
        browser = Chromium(lab, side)
        stack.callback(browser.close)
        page = browser.open("about:blank")
    else:
        page = Firefox(lab, side, args.netns_a if side == "a" else args.netns_b)
        stack.callback(page.close)
    page.evaluate((HERE / "narrow.js").read_text(encoding="utf-8").partition("globalThis.")[2]
                  .join(("(globalThis.", "")).rstrip().rstrip(";") + ", true)")
    return page


def one(args, lab, number):
    flush(args)
    with contextlib.ExitStack() as stack:
        try:
            pages = [open_page(args, lab, stack, side) for side in "ab"]
            times = call(args, pages)
        except (Failed, Gone, RuntimeError, TimeoutError, OSError) as error:
            print(f"call {number}: {error}", flush=True)
            return False
    print("call %u: connected after %.1f s, %u bytes both ways in %.1f s" % (
        number, times[0], args.bytes, times[1]), flush=True)
    return True


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--lab", required=True)
    p.add_argument("--browser", choices=("chromium", "firefox"), required=True)
    for name in ("server", "user", "password-file", "netns-a", "netns-b"):
        p.add_argument("--" + name, required=True)
    p.add_argument("--calls", type=int, default=5)
    p.add_argument("--bytes", type=int, default=20 << 20, help="each way")
    args = p.parse_args()
    # The browsers and their profiles go with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    lab = Lab(args.lab)
    lab.check_up()
    good = sum(one(args, lab, number) for number in range(1, args.calls + 1))
    print(f"{good} of {args.calls} calls complete")
    return 0 if good == args.calls else 1


if __name__ == "__main__":
    sys.exit(main())
