# SPDX-License-Identifier: BSD-3-Clause
"""The command line."""
import argparse
import sys

from . import serve, version
from .messages import ROOM_CHARS_MAX


def build_parser():
    parser = argparse.ArgumentParser(
        prog="voicecall", description="A voice call in the browser, relayed by TURN.",
        epilog="docs/voicecall.md explains it all.")
    parser.add_argument("--version", action="version", version=f"voicecall {version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve(commands)
    return parser


def _add_serve(commands):
    parser = commands.add_parser("serve", help="serve the page and the signaling")
    parser.add_argument("--listen", default="127.0.0.1:8080", metavar="ADDRESS:PORT",
                       help="where to listen (default %(default)s)")
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
                        default="/run/turnpike/default/control.sock",
                        help="the relay's operator socket, which mints the credentials "
                             "(default %(default)s)")
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


def room_name(text):
    if not 1 <= len(text) <= ROOM_CHARS_MAX or not text.replace("-", "").isalnum():
        raise argparse.ArgumentTypeError(
            f"a room's name is 1 to {ROOM_CHARS_MAX} letters, digits and dashes: {text!r}")
    return text


def main(argv=None):
    args = build_parser().parse_args(argv)
    try:
        return serve.run(args)
    except (OSError, ValueError) as error:
        print(f"voicecall: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
