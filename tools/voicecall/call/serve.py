# SPDX-License-Identifier: BSD-3-Clause
"""The command `serve`: from arguments to a listening server, with each mistake named first."""
import asyncio
import ipaddress
import json
import os
import pathlib
import secrets
import shutil
import signal
import ssl
import sys
import time
import urllib.parse

from aiohttp import web

from .credentials import RelayMint, SecretMint, is_turn_uri
from .hall import ROOMS_MAX, Hall
from .lab import Lab
from .log import Log
from .web import Server

LISTEN = "127.0.0.1:8080"
RELAY_SOCKET = "/run/turnpike/default/control.sock"
KEY_OCTETS_MIN = 16
SECRET_OCTETS_MAX = 4096


def split_address(text):
    """ADDRESS:PORT or [ADDRESS]:PORT -> (ip_address, port). Names are not resolved."""
    host, colon, port = text.rpartition(":")
    try:
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        address = ipaddress.ip_address(bare)
        if not colon or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
            raise ValueError
    except ValueError:
        raise ValueError(f"--listen {text}: give ADDRESS:PORT or [IPv6]:PORT, as "
                         "127.0.0.1:8080") from None
    return address, int(port)


def choose_origins(given, address, port, https):
    """The origins this page is allowed to be loaded from."""
    for origin in given:
        parts = urllib.parse.urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or \
                origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError(f"--origin {origin}: give scheme, host and port only, as "
                             "https://call.example.org")
    if given:
        return list(given)
    if not address.is_loopback:
        raise ValueError("--origin is missing: the address people type to come here, as "
                         "https://call.example.org")
    scheme = "https" if https else "http"
    host = f"[{address}]" if address.version == 6 else str(address)
    return [f"{scheme}://localhost:{port}", f"{scheme}://{host}:{port}"]


def make_tls(args, address):
    """The TLS context, or None for plain HTTP where browsers take that for secure."""
    if bool(args.certificate) != bool(args.key):
        raise ValueError("--certificate and --key go together")
    if not args.certificate:
        if not address.is_loopback:
            raise ValueError(
                f"--listen {args.listen}: browsers give a microphone to secure pages only; add "
                "--certificate and --key, or listen on 127.0.0.1 behind a proxy that has them")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(args.certificate, args.key)
    except ssl.SSLError as error:
        raise ValueError(f"--certificate {args.certificate}, --key {args.key}: "
                         f"not a PEM chain and its key ({error.reason})") from None
    except OSError as error:
        raise ValueError(f"--certificate {args.certificate}, --key {args.key}: "
                         f"{error.strerror}") from None
    return context


def read_secret(option, path, octets_min):
    """A secret from a file, without the line's end."""
    with open(path, "rb") as file:
        secret = file.read(SECRET_OCTETS_MAX + 1).rstrip(b"\r\n")
    if not octets_min <= len(secret) <= SECRET_OCTETS_MAX:
        raise ValueError(f"{option} {path}: holds {len(secret)} octets; it must be "
                         f"{octets_min} to {SECRET_OCTETS_MAX}")
    return secret


def find_relayctl(given):
    """The given one, the built one, the installed one."""
    root = pathlib.Path(__file__).resolve().parents[3]
    build = pathlib.Path(os.environ.get("TURNPIKE_BUILD", root / "build"))
    for candidate in (given,) if given else (build / "tools/relayctl/relayctl", "relayctl"):
        found = shutil.which(str(candidate))
        if found:
            return found
    raise ValueError("relayctl is not found: build it, name it with --relayctl, or mint with "
                     "--secret-file")


def make_mint(args, log):
    for uri in args.turn_uri:
        if not is_turn_uri(uri):
            raise ValueError(f"--turn-uri {uri}: give turn:HOST:PORT?transport=udp")
    if not 60 <= args.ttl <= 86400:
        raise ValueError(f"--ttl {args.ttl}: give 60 to 86400 seconds")
    if args.no_relay:
        if args.ice_policy == "relay":
            raise ValueError("--no-relay goes with --ice-policy all: nobody could hear anybody")
        return None
    if args.secret_file:
        if not args.turn_uri:
            raise ValueError("--secret-file needs --turn-uri: where the browsers find the relay")
        return SecretMint(read_secret("--secret-file", args.secret_file, 1), args.turn_uri,
                          time.time)
    return RelayMint([find_relayctl(args.relayctl), "-s", args.relay_socket], args.turn_uri, log)


def make_links(hall, origin):
    """Room -> link. The token is in the fragment: it goes to no server and into no log."""
    return {room: f"{origin}/#" + urllib.parse.urlencode({"room": room, "token": hall.token(room)})
            for room in hall.rooms}


def write_links(path, links):
    """In one rename, so that a reader never sees half of it."""
    temporary = f"{path}.{os.getpid()}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(links, file, indent=2)
        file.write("\n")
    os.rename(temporary, path)


async def listen(server, address, port, tls, announce):
    """Serves until SIGTERM or SIGINT; announces once it listens."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(server.application(), access_log=None, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, str(address), port, ssl_context=tls, shutdown_timeout=2)
        await site.start()
        announce()
        await stop.wait()
    finally:
        await runner.cleanup()


def run(args):
    if args.lab:
        lab = Lab(args.lab)
        lab.check_up()
        if not lab.is_inside():
            command = lab.inside("net", sys.executable, os.path.abspath(sys.argv[0]),
                                 *sys.argv[1:])
            os.execv(command[0], command)
        lab.fill(args)
    args.listen = args.listen or LISTEN
    args.relay_socket = args.relay_socket or RELAY_SOCKET
    log = Log()
    address, port = split_address(args.listen)
    rooms = list(dict.fromkeys(args.room)) or ["lounge"]
    if len(rooms) > ROOMS_MAX:
        raise ValueError(f"--room: at most {ROOMS_MAX} rooms")
    tls = make_tls(args, address)
    origins = choose_origins(args.origin, address, port, tls is not None)
    key = read_secret("--key-file", args.key_file, KEY_OCTETS_MIN) if args.key_file \
        else secrets.token_bytes(32)
    hall = Hall(rooms, key)
    server = Server(hall, make_mint(args, log), origins, log, policy=args.ice_policy,
                    ttl_s=args.ttl, test_pages=args.test_pages)
    links = make_links(hall, origins[0])
    written = False

    def announce():
        nonlocal written
        if args.links_file:
            write_links(args.links_file, links)
            written = True
        log.info("listening", address=args.listen, tls=tls is not None, rooms=len(rooms))
        for room, link in links.items():
            print(f"{room}: {link}", flush=True)

    try:
        asyncio.run(listen(server, address, port, tls, announce))
    finally:
        # Not the file of another server, whose address we could not take.
        if written:
            pathlib.Path(args.links_file).unlink(missing_ok=True)
    log.info("stopped")
    return 0
