#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""One call of two browsers that reach the relay by TCP or TLS alone: with video and bytes over a
data channel both ways. The lab and its relay run already: port443_test.sh starts them. Prints one
line; exit status 0 if the call was good."""
import argparse
import contextlib
import json
import pathlib
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tools" / "voicecall"))

from call.devtools import Gone  # noqa: E402
from call.lab import Lab  # noqa: E402
import pair  # noqa: E402

BROWSERS = ("chromium", "firefox")


def judge(states, protocol):
    """The faults of a complete call, as sentences."""
    return [f"side {side} leaves by {json.dumps(state['local'])}, not by a relay over {protocol}"
            for side, state in zip("ab", states)
            if state["local"] != {"type": "relay", "relayProtocol": protocol}]


def hold(args, lab):
    with contextlib.ExitStack() as stack:
        pages = [pair.open_page(browser, lab, stack, side, namespace)
                 for browser, side, namespace in ((args.a, "a", args.netns_a),
                                                  (args.b, "b", args.netns_b))]
        credential = pathlib.Path(args.password_file).read_text(encoding="utf-8").strip()
        connect_s, bytes_s, states = pair.call(pages, args.url, args.user, credential, args.bytes)
        if args.meanwhile:
            subprocess.run(["sh", "-c", args.meanwhile], check=True)
    protocol = "tls" if args.url.startswith("turns:") else "tcp"
    print(f"{args.a} and {args.b} by {args.url}: connected after {connect_s:.1f} s, {args.bytes} "
          f"bytes both ways in {bytes_s:.1f} s, frames of video {[s['frames'] for s in states]}")
    return judge(states, protocol)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--lab", required=True)
    for side in "ab":
        p.add_argument("--" + side, choices=BROWSERS, default="chromium")
    for name in ("url", "user", "password-file", "netns-a", "netns-b"):
        p.add_argument("--" + name, required=True)
    p.add_argument("--bytes", type=int, default=20 << 20, help="each way")
    p.add_argument("--meanwhile", metavar="COMMAND", help="of a shell, before the call ends")
    args = p.parse_args()
    # The browsers and their profiles go with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    lab = Lab(args.lab)
    lab.check_up()
    try:
        faults = hold(args, lab)
    except (pair.Failed, Gone, RuntimeError, TimeoutError, OSError,
            subprocess.CalledProcessError) as error:
        faults = [str(error)]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
