# SPDX-License-Identifier: BSD-3-Clause
import io
import json
import os
import pathlib
import tempfile
import unittest

from call import credentials
from call.credentials import RelayMint, SecretMint, is_turn_uri, rest_credential
from call.log import Log
from call.messages import Refusal

URI = "turn:relay.example:3478?transport=udp"


class UriTest(unittest.TestCase):
    def test_good(self):
        for uri in (URI, "turn:192.0.2.1", "turn:[2001:db8::1]:3478", "turns:relay.example:443"
                    "?transport=tcp"):
            self.assertTrue(is_turn_uri(uri), uri)

    def test_bad(self):
        for uri in ("stun:relay.example", "turn:", "turn:user@relay.example", "turn://relay",
                    "turn:relay?transport=sctp", "turn:relay x", "turn:r" + "e" * 300, None, 7):
            self.assertFalse(is_turn_uri(uri), uri)


class SecretMintTest(unittest.IsolatedAsyncioTestCase):
    def test_known_answer(self):
        # printf 1700000000:ada | openssl dgst -sha1 -hmac north -binary | base64
        self.assertEqual(rest_credential(b"north", "ada", 1700000000),
                         ("1700000000:ada", "ndZ88ryT1whVxdkcRLepT9D1MpM="))

    async def test_entry(self):
        mint = SecretMint(b"north", [URI], lambda: 1699996400.9)
        self.assertEqual(await mint.mint("ada", 3600),
                         {"urls": [URI], "username": "1700000000:ada",
                          "credential": "ndZ88ryT1whVxdkcRLepT9D1MpM="})


class RelayMintTest(unittest.IsolatedAsyncioTestCase):
    """A second relayctl: a shell script that answers as told and notes its arguments."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.program = os.path.join(self.folder.name, "relayctl")
        self.log = io.StringIO()

    def mint(self, body, uris=()):
        pathlib.Path(self.program).write_text(
            f'#!/bin/sh\necho "$@" >"$0.args"\n{body}\n', encoding="utf-8")
        os.chmod(self.program, 0o700)
        return RelayMint([self.program, "-s", "/sock"], uris, Log(self.log)).mint("ada", 600)

    async def refused(self, body, word):
        with self.assertRaises(Refusal) as caught:
            await self.mint(body)
        self.assertEqual(caught.exception.code, "no-credential")
        self.assertIn("mint_failed", self.log.getvalue())
        self.assertIn(word, self.log.getvalue())

    async def test_entry(self):
        answer = '{"username":"9:ada","password":"pw","ttl":600,"uris":["%s"]}' % URI
        entry = await self.mint(f"echo '{answer}'")
        self.assertEqual(entry, {"urls": [URI], "username": "9:ada", "credential": "pw"})
        said = pathlib.Path(self.program + ".args").read_text(encoding="utf-8")
        self.assertEqual(said, "-s /sock credential mint --user ada --ttl 600 -j\n")

    async def test_given_uri_wins(self):
        entry = await self.mint("""echo '{"username":"9:ada","password":"pw","uris":[]}'""",
                                ["turn:other:3478"])
        self.assertEqual(entry["urls"], ["turn:other:3478"])

    async def test_many_listeners(self):
        uris = [f"turns:relay.example:{port}?transport=tcp" for port in range(5000, 5020)]
        answer = json.dumps({"username": "9:ada", "password": "pw", "uris": uris})
        self.assertEqual((await self.mint(f"echo '{answer}'"))["urls"], uris[:credentials.URIS_MAX])

    async def test_refusals(self):
        await self.refused("printf 'the relay is away\\n  next: start it\\n' >&2; exit 3",
                           "the relay is away; next: start it")
        await self.refused("exit 2", "exit status 2")
        await self.refused("echo hello", "not the JSON")
        await self.refused("""echo '{"username":"9:ada"}'""", "not the JSON")
        await self.refused("""echo '{"username":"9:ada","password":"p","uris":["http://x"]}'""",
                           "no usable turn")
        await self.refused("""echo '{"username":"9:ada","password":"p","uris":[]}'""",
                           "no usable turn")

    async def test_too_slow(self):
        self.addCleanup(setattr, credentials, "MINT_SECONDS_MAX", credentials.MINT_SECONDS_MAX)
        credentials.MINT_SECONDS_MAX = 0.2
        await self.refused("exec sleep 30", "no answer within")

    async def test_no_relayctl(self):
        with self.assertRaises(Refusal):
            await RelayMint([self.program + ".none"], [], Log(self.log)).mint("ada", 600)
        self.assertIn("No such file", self.log.getvalue())
