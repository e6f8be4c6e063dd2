# SPDX-License-Identifier: BSD-3-Clause
"""The command line."""
import argparse
import signal
import sys

from . import open as opener, screenshot, serve, version
from .messages import ROOM_CHARS_MAX


def build_parser():
    parser = argparse.ArgumentParser(
        prog="voicecall", description="A voice call in the browser, relayed by TURN.",
        epilog="docs/voicecall.md explains it all.")
    parser.add_argument("--version", action="version", version=f"voicecall {version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_open(commands)
    _add_screenshot(commands)
    return parser


def _add_serve(commands):
    parser = commands.add_parser("serve", help="serve the page and the signaling")
    parser.add_argument("--lab", metavar="NAME",
                        help="serve inside the lab of that name (the usual one is called lab), at "
                             "its address, with its certificate and relay")
    parser.add_argument("--listen", metavar="ADDRESS:PORT",
                        help="where to listen (default 127.0.0.1:8080)")
    parser.add_argument("--certificate", metavar="FILE", help="PEM chain: serve HTTPS")
    parser.add_argument("--key", metavar="FILE", help="PEM key of the certificate")
    parser.add_argument("--origin", action="append", default=[], metavar="URL",
                        help="the address people type, as https://call.example.org; may be "
                             "repeated (default: localhost, when that is where we listen)")
    parser.add_argument("--room", action="append", default=[], type=room_name, metavar="NAME",
                        help="a room to offer; may be repeated (default: lounge)")
    parser.add_argument("--key-file", metavar="FILE",
                        help="at least 16 octets the links are made from, so that they outlive a "
                             "restart (default: random links)")
    parser.add_argument("--links-file", metavar="FILE",
                        help="also write the links there, as JSON, readable by the owner only")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--relay-socket", metavar="PATH",
                        help="the relay's operator socket, which mints the credentials "
                             "(default /run/turnpike/default/control.sock)")
    source.add_argument("--secret-file", metavar="FILE",
                        help="the relay's REST secret, to mint credentials without its socket")
    source.add_argument("--no-relay", action="store_true",
                        help="hand out no TURN server at all")
    parser.add_argument("--relayctl", default=None, metavar="PATH",
                        help="the relayctl to mint with (default: the one built here or installed)")
    parser.add_argument("--turn-uri", action="append", default=[], metavar="URI",
                        help="turn:HOST:PORT?transport=udp, as browsers reach the relay; may be "
                             "repeated (default: what the relay says)")
    parser.add_argument("--ttl", type=int, default=3600, metavar="SECONDS",
                        help="life of a credential (default %(default)s)")
    parser.add_argument("--ice-policy", choices=("relay", "all"), default="relay",
                        help="relay: media by the relay only, no address of a caller is shown to "
                             "the other (default); all: direct paths too")
    parser.add_argument("--test-pages", action="store_true",
                        help="let ?policy=host|relay|all in a page's address override that")


def _add_open(commands):
    browser = commands.add_parser(
        "open", help="open the call page in Chromium, inside the lab",
        description="Starts Chromium in the lab's namespace of one client, with a fresh profile "
                    "and the lab's CA, and prints what the page shows. Without a display it runs "
                    "headless; without a sound device the microphone is generated.")
    browser.add_argument("client", choices=("a", "b"), help="which of the lab's clients")
    browser.add_argument("--lab", default="lab", metavar="NAME", help="the lab's name")
    browser.add_argument("--name", help="the name to join with (default: the client's letter)")
    browser.add_argument("--policy", choices=("relay", "host", "all"),
                         help="ICE policy, on a server that was started with --test-pages")
    browser.add_argument("--headless", action="store_true", help="no window, even with a display")
    browser.add_argument("--generated-microphone", action="store_true",
                         help="beeps in place of the machine's microphone")
    browser.add_argument("--seconds", type=float, metavar="N", help="leave after N seconds")


def _add_screenshot(commands):
    parser = commands.add_parser(
        "screenshot", help="a picture of a call between browsers in the lab",
        description="Lets headless browsers in the lab hold a call and writes a picture of the "
                    "page. The font is Inter where it is installed (package fonts-inter).")
    parser.add_argument("file", metavar="FILE", help="the PNG to write")
    parser.add_argument("--lab", default="lab", metavar="NAME", help="the lab's name")
    parser.add_argument("--names", default="Ada Lovelace,Grace Hopper", metavar="NAME,...",
                        help="who talks; the first one's page is shown (default %(default)s)")
    parser.add_argument("--size", default="1280x800", type=page_size, metavar="WxH",
                        help="CSS pixels (default %(default)s)")
    parser.add_argument("--scale", default=2, type=int, choices=(1, 2, 3),
                        help="pixels per CSS pixel (default %(default)s)")
    parser.add_argument("--scheme", default="dark", choices=("dark", "light"))
    parser.add_argument("--seconds", default=62, type=float, metavar="N",
                        help="how long the call lasts before (default %(default)s: a full minute "
                             "in the drawing)")


def page_size(text):
    width, cross, height = text.partition("x")
    if not (cross and width.isdigit() and height.isdigit() and 0 < int(width) < 8000
            and 0 < int(height) < 8000):
        raise argparse.ArgumentTypeError(f"a size is WIDTHxHEIGHT in pixels: {text!r}")
    return text


def room_name(text):
    if not 1 <= len(text) <= ROOM_CHARS_MAX or not text.replace("-", "").isalnum():
        raise argparse.ArgumentTypeError(
            f"a room's name is 1 to {ROOM_CHARS_MAX} letters, digits and dashes: {text!r}")
    return text


def main(argv=None):
    args = build_parser().parse_args(argv)
    # Browsers and their profiles are cleaned up on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return {"serve": serve.run, "open": opener.run,
                "screenshot": screenshot.run}[args.command](args)
    except (OSError, ValueError) as error:
        print(f"voicecall: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
