# SPDX-License-Identifier: BSD-3-Clause
import ipaddress
import json
import os
import subprocess
import tempfile
import unittest
from unittest import mock

from call.cli import build_parser, room_name
from call.credentials import SecretMint
from call.hall import Hall
from call.lab import Lab
from call.serve import (choose_origins, make_links, make_mint, make_tls, read_secret,
                        split_address, write_links)

LOOPBACK = ipaddress.ip_address("127.0.0.1")
OUTSIDE = ipaddress.ip_address("192.0.2.1")


def serve(*words):
    return build_parser().parse_args(["serve", *words])


class ArgumentsTest(unittest.TestCase):
    def test_address(self):
        self.assertEqual(split_address("127.0.0.1:80"), (LOOPBACK, 80))
        self.assertEqual(split_address("[::1]:8443"), (ipaddress.ip_address("::1"), 8443))
        for text in ("localhost:80", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:0",
                     "127.0.0.1:65536", "127.0.0.1:8a", "[::1:80"):
            with self.subTest(text), self.assertRaisesRegex(ValueError, "ADDRESS:PORT"):
                split_address(text)

    def test_origins(self):
        self.assertEqual(choose_origins([], LOOPBACK, 8080, False),
                         ["http://localhost:8080", "http://127.0.0.1:8080"])
        self.assertEqual(choose_origins([], ipaddress.ip_address("::1"), 443, True),
                         ["https://localhost:443", "https://[::1]:443"])
        self.assertEqual(choose_origins(["https://a.example"], OUTSIDE, 443, True),
                         ["https://a.example"])
        for origin in ("a.example", "https://a.example/", "ftp://a.example", "https://", "*",
                       "https://a.example?x"):
            with self.subTest(origin), self.assertRaisesRegex(ValueError, "--origin"):
                choose_origins([origin], LOOPBACK, 80, False)
        with self.assertRaisesRegex(ValueError, "--origin is missing"):
            choose_origins([], OUTSIDE, 443, True)

    def test_plain_http_on_loopback_only(self):
        self.assertIsNone(make_tls(serve("--listen", "127.0.0.1:80"), LOOPBACK))
        with self.assertRaisesRegex(ValueError, "secure pages only"):
            make_tls(serve("--listen", "192.0.2.1:80"), OUTSIDE)
        with self.assertRaisesRegex(ValueError, "go together"):
            make_tls(serve("--certificate", "x"), LOOPBACK)
        with self.assertRaisesRegex(ValueError, "No such file"):
            make_tls(serve("--certificate", "/nowhere", "--key", "/nowhere"), LOOPBACK)
        with self.assertRaisesRegex(ValueError, "not a PEM chain"):
            make_tls(serve("--certificate", __file__, "--key", __file__), LOOPBACK)

    def test_room_names(self):
        self.assertEqual(room_name("team-7"), "team-7")
        for name in ("", "a b", "<b>", "x" * 41):
            with self.subTest(name), self.assertRaises(Exception):
                room_name(name)


LAB_NAMES = """TP_LAB_DIR=/run/turnpike-unit
TP_BUILD=/nowhere
TP_NET4=10.77.0.254
TP_CALL_NAME=call.lab.turnpike
TP_CA=/run/turnpike-unit/ca.pem
TP_SECRET_FILE=/run/turnpike-unit/secret
TP_SOCKET=/run/turnpike-unit/control.sock
"""


def lab_that_is_up(name):
    """A lab whose `tools/lab env` answered, without one."""
    answer = subprocess.CompletedProcess([], 0, stdout=LAB_NAMES, stderr="")
    with mock.patch("call.lab.subprocess.run", return_value=answer):
        return Lab(name)


class LabTest(unittest.TestCase):
    def test_fills_what_was_not_given(self):
        args = serve("--lab", "unit")
        lab_that_is_up("unit").fill(args)
        self.assertEqual(args.listen, "10.77.0.254:8443")
        self.assertEqual(args.certificate, "/run/turnpike-unit/call.pem")
        self.assertEqual(args.origin, ["https://call.lab.turnpike:8443"])
        self.assertEqual(args.relay_socket, "/run/turnpike-unit/control.sock")
        self.assertEqual(args.links_file, "/run/turnpike-unit/voicecall.json")

    def test_keeps_what_was_given(self):
        args = serve("--lab", "unit", "--listen", "127.0.0.1:1", "--origin", "https://o",
                     "--relay-socket", "/s", "--links-file", "/l")
        lab_that_is_up("unit").fill(args)
        self.assertEqual((args.listen, args.origin, args.relay_socket, args.links_file),
                         ("127.0.0.1:1", ["https://o"], "/s", "/l"))

    def test_needs_the_lab(self):
        with self.assertRaisesRegex(ValueError, "first: tools/lab up --name unit"):
            Lab("unit").check_up()
        with self.assertRaisesRegex(ValueError, "--name"):
            Lab("No Lab")


class FilesTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name, content=None):
        path = os.path.join(self.folder.name, name)
        if content is not None:
            with open(path, "wb") as file:
                file.write(content)
        return path

    def test_secret(self):
        self.assertEqual(read_secret("--x", self.path("s", b"north star\n"), 1), b"north star")
        with self.assertRaisesRegex(ValueError, "holds 0 octets"):
            read_secret("--x", self.path("empty", b"\n"), 1)
        with self.assertRaisesRegex(ValueError, "must be 16"):
            read_secret("--x", self.path("short", b"short"), 16)
        with self.assertRaisesRegex(ValueError, "octets"):
            read_secret("--x", self.path("long", b"x" * 5000), 1)

    def test_mint_choice(self):
        secret = self.path("s", b"north")
        self.assertIsInstance(
            make_mint(serve("--secret-file", secret, "--turn-uri", "turn:r:1"), None), SecretMint)
        self.assertIsNone(make_mint(serve("--no-relay", "--ice-policy", "all"), None))
        for words, reason in (
                (["--secret-file", secret], "needs --turn-uri"),
                (["--secret-file", secret, "--turn-uri", "http://r"], "--turn-uri http"),
                (["--no-relay"], "--ice-policy all"),
                (["--ttl", "5"], "60 to 86400"),
                (["--relayctl", self.path("none")], "relayctl is not found")):
            with self.subTest(words), self.assertRaisesRegex(ValueError, reason):
                make_mint(serve(*words), None)

    def test_links(self):
        hall = Hall(["one"], b"k" * 16)
        links = make_links(hall, "https://c.example")
        self.assertEqual(links, {"one": f"https://c.example/#room=one&token={hall.token('one')}"})
        path = self.path("links.json")
        write_links(path, links)
        write_links(path, links)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(json.load(file), links)
        self.assertEqual(os.listdir(self.folder.name), ["links.json"])
