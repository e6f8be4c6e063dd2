#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Calls of two browsers, relay-only, with video and bytes over a data channel both ways: how many
of N connect and complete. The lab and its relay run already: narrow_test.sh starts them. Prints a
line for each call with its handshake as the wire had it, and for the first one the relay's view of
its legs; exit status 0 if all were good."""
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
from handshake import Watch  # noqa: E402

POST_QUANTUM = "X25519MLKEM768"


def flush(args):
    """What the hosts have learnt of the path must not count for the next call."""
    for name in args.netns_a, args.netns_b:
        for family in "-4", "-6":
            subprocess.run(["ip", "-n", name, family, "route", "flush", "cache"], check=True,
                           stderr=subprocess.DEVNULL)


def relayctl(args, *words):
    answer = subprocess.run([*args.relayctl.split(), "--json", *words], check=True, timeout=30,
                            stdout=subprocess.PIPE)
    return json.loads(answer.stdout)


def leg(of):
    return "%s (%s)" % (of["mtu"], of["mtu_by"]) if of["mtu"] else "unknown"


def allocations(args):
    return {row["id"]: row for row in relayctl(args, "allocation", "list")} if args.relayctl else {}


def show_legs(args, before):
    """The MTU of each leg of the call under way, and how it is known, as the operator sees it."""
    for row in allocations(args).values():
        if row["id"] in before:
            continue
        shown = relayctl(args, "allocation", "show", row["id"])
        print("  allocation of %s: MTU to the client %s%s" % (
            row["client"], leg(shown),
            "".join(", to %s %s" % (p["peer"], leg(p)) for p in shown["peers"])), flush=True)


def check_group(args, group):
    """A call of Firefox must use POST_QUANTUM if Firefox offers it, and another group if not."""
    if args.browser != "firefox":
        return
    if group is None or (group == POST_QUANTUM) != (args.post_quantum == "yes"):
        raise pair.Failed("group %s, %s %s" % (
            group, POST_QUANTUM, "offered" if args.post_quantum == "yes" else "not offered"))


def one(args, lab, number):
    flush(args)
    before = allocations(args)
    preferences = {"media.webrtc.enable_pq_hybrid_kex": args.post_quantum == "yes"}
    with contextlib.ExitStack() as stack:
        watch = Watch(args.netns_net, args.link_net, args.server)
        stack.callback(watch.stop)
        try:
            pages = [pair.open_page(args.browser, lab, stack, side, namespace, preferences)
                     for side, namespace in (("a", args.netns_a), ("b", args.netns_b))]
            times = pair.call(pages, f"turn:{args.server}:3478?transport=udp", args.user,
                              args.credential, args.bytes, watch.stop)
            if number == 1:
                show_legs(args, before)
            check_group(args, watch.group)
        except (pair.Failed, Gone, RuntimeError, TimeoutError, OSError) as error:
            print(f"call {number}: {error}; {watch.text()}", flush=True)
            return False
    print("call %u: connected after %.1f s, %u bytes both ways in %.1f s; %s" % (
        number, times[0], args.bytes, times[1], watch.text()), flush=True)
    return True


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--lab", required=True)
    p.add_argument("--browser", choices=("chromium", "firefox"), required=True)
    for name in ("server", "user", "password-file", "netns-a", "netns-b", "netns-net", "link-net"):
        p.add_argument("--" + name, required=True)
    p.add_argument("--relayctl", help="its command, where the relay is Turnpike")
    p.add_argument("--calls", type=int, default=5)
    p.add_argument("--bytes", type=int, default=20 << 20, help="each way")
    p.add_argument("--post-quantum", choices=("yes", "no"), default="yes",
                   help=f"of Firefox: whether it offers {POST_QUANTUM}; the call must use it, or not")
    args = p.parse_args()
    args.credential = pathlib.Path(args.password_file).read_text(encoding="utf-8").strip()
    # The browsers and their profiles go with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    lab = Lab(args.lab)
    lab.check_up()
    good = sum(one(args, lab, number) for number in range(1, args.calls + 1))
    print(f"{good} of {args.calls} calls complete")
    return 0 if good == args.calls else 1


if __name__ == "__main__":
    sys.exit(main())
