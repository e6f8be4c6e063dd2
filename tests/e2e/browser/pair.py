# SPDX-License-Identifier: BSD-3-Clause
"""A call of two browsers whose pages run media.js: relay-only, with video and bytes over a data
channel both ways. The driver carries the descriptions from page to page, so signaling needs no way
through the lab's network."""
import json
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tools" / "voicecall"))

from call.chromium import Chromium  # noqa: E402
from firefox import Firefox  # noqa: E402

CONNECT_SECONDS_MAX = 60
# Without progress in either direction.
STALL_SECONDS_MAX = 60
FRAMES_MIN = 10


class Failed(Exception):
    """A call that did not connect or did not complete."""


def open_page(browser, lab, stack, side, namespace, preferences=None):
    """A page of a new browser on that side of the lab, which ends with the stack. `preferences`:
    Firefox's, beside the usual ones."""
    if browser == "chromium":
        process = Chromium(lab, side)
        stack.callback(process.close)
        page = process.open("about:blank")
    else:
        page = Firefox(lab, side, namespace, preferences)
        stack.callback(page.close)
    code = (HERE / "media.js").read_text(encoding="utf-8").partition("globalThis.")[2]
    page.evaluate(f"(globalThis.{code.rstrip().rstrip(';')}, true)")
    return page


def evaluate(page, name, *values):
    """Calls a function of media.js."""
    return page.evaluate("media.%s(%s)" % (name, ", ".join(json.dumps(v) for v in values)))


def wait(pages, done, why):
    """Until it is done, or nothing of the state has changed for long. Returns the last states."""
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


def call(pages, url, user, credential, octets, on_connected=lambda: None):
    """Returns the seconds until both are connected, those of the transfer, and the last states."""
    for page in pages:
        evaluate(page, "begin", url, user, credential)
    answer = evaluate(pages[1], "describe", evaluate(pages[0], "describe", None))
    evaluate(pages[0], "accept", answer)
    begin = time.monotonic()
    wait(pages, lambda s: all(x["channel"] == "open" for x in s), "not connected")
    connected = time.monotonic()
    on_connected()
    for page in pages:
        evaluate(page, "send", octets)
    states = wait(pages, lambda s: all(x["received"] == octets and x["frames"] >= FRAMES_MIN
                                       for x in s), "did not complete")
    return connected - begin, time.monotonic() - connected, states
