# SPDX-License-Identifier: BSD-3-Clause
"""The command `screenshot`: a call between real browsers in the lab, as a picture."""
import contextlib
import os
import pathlib
import tempfile
import time

from . import tone
from .chromium import need_programs
from .devtools import Gone
from .lab import Lab
from .open import find_link
from .visit import Visit, describe_pair

LOUD_ENOUGH = 0.05
LOUD_SECONDS_MAX = 15


def run(args):
    need_programs()
    lab = Lab(args.lab)
    lab.check_up()
    link = find_link(lab)
    names = args.names.split(",")
    with tempfile.TemporaryDirectory(prefix="voicecall-") as folder, \
            contextlib.ExitStack() as browsers:
        audio_file = pathlib.Path(folder) / "voice.wav"
        tone.write(audio_file)
        try:
            visits = [_join(browsers, lab, link, index, name, audio_file)
                      for index, name in enumerate(names)]
            _take(visits[0], args)
        except (RuntimeError, TimeoutError) as error:
            raise ValueError(f"no picture: {error}") from None
        except Gone:
            raise ValueError("no picture: a browser ended by itself; is there memory left?") \
                from None
    return 0


def _join(browsers, lab, link, index, name, audio_file):
    visit = Visit(lab, "ab"[index % 2], link, name.strip(), audio_file=audio_file)
    browsers.callback(visit.close)
    return visit


def _take(visit, args):
    width, height = (int(number) for number in args.size.split("x"))
    visit.page.look(width=width, height=height, scale=args.scale, scheme=args.scheme)
    time.sleep(args.seconds)
    _wait_for_sound(visit)
    snapshot = visit.snapshot()
    connected = [peer for peer in snapshot["peers"] if peer["connection"] == "connected"]
    if not connected:
        raise ValueError(f"there is no call to show: {visit.trouble() or 'nobody connected'}")
    os.makedirs(os.path.dirname(args.file) or ".", exist_ok=True)
    visit.page.screenshot(args.file)
    for peer in connected:
        print(f"{peer['name']}: {describe_pair(peer['pair'])}")
    print(f"written: {args.file}")


def _wait_for_sound(visit):
    """A picture between two syllables would show idle meters."""
    deadline = time.monotonic() + LOUD_SECONDS_MAX
    while time.monotonic() < deadline:
        if any(peer["level"] > LOUD_ENOUGH for peer in visit.snapshot()["peers"]):
            return
