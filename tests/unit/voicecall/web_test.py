# SPDX-License-Identifier: BSD-3-Clause
"""The whole server on a loopback port, talked to as browsers (and others) do."""
import asyncio
import io
import json
import re
import unittest

from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError, web

from call import web as call_web
from call.credentials import SecretMint
from call.hall import Hall
from call.log import Log
from call.messages import MESSAGE_OCTETS_MAX, Refusal

ORIGIN = "https://call.example"
OFFER = {"type": "signal", "description": {"type": "offer", "sdp": "v=0"}}


class ServerCase(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.hall = Hall(["one", "two"], b"k" * 16, members_max=2)
        self.log = io.StringIO()
        self.mint = SecretMint(b"north", ["turn:r.example:3478"], lambda: 0)
        self.server = call_web.Server(self.hall, self.mint, [ORIGIN], Log(self.log), ttl_s=600)
        self.runner = web.AppRunner(self.server.application())
        await self.runner.setup()
        self.addAsyncCleanup(self.runner.cleanup)
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.port = self.runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = ClientSession()
        self.sockets = []
        self.addAsyncCleanup(self.client.close)
        self.addAsyncCleanup(self.close_sockets)

    async def close_sockets(self):
        for socket in self.sockets:
            await socket.close()

    async def connect(self, origin=ORIGIN):
        headers = {"Origin": origin} if origin else {}
        socket = await self.client.ws_connect(self.url + "/ws", headers=headers)
        self.sockets.append(socket)     # an unreferenced one would close
        return socket

    async def join(self, room="one", name="Ada", token=None):
        socket = await self.connect()
        token = self.hall.token(room) if token is None else token
        await socket.send_json({"type": "join", "room": room, "token": token, "name": name,
                                "muted": False})
        return socket

    async def next(self, socket, kind):
        message = await socket.receive(timeout=30)
        self.assertEqual(message.type, WSMsgType.TEXT, message)
        data = json.loads(message.data)
        self.assertEqual(data["type"], kind, data)
        return data

    async def refused(self, socket, code):
        self.assertEqual((await self.next(socket, "error"))["code"], code)
        self.assertEqual((await socket.receive(timeout=30)).type, WSMsgType.CLOSE)


class PageTest(ServerCase):
    async def test_files_and_headers(self):
        for path, kind in (("/", "text/html"), ("/main.js", "text/javascript"),
                           ("/call.css", "text/css"), ("/icon.svg", "image/svg+xml")):
            async with self.client.get(self.url + path) as answer:
                self.assertEqual((answer.status, answer.content_type), (200, kind), path)
                policy = answer.headers["Content-Security-Policy"]
                self.assertIn("default-src 'none'; script-src 'self'; style-src 'self'", policy)
                self.assertIn("wss://call.example", policy)
                self.assertNotIn("unsafe", policy)
                self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
                self.assertEqual(answer.headers["Referrer-Policy"], "no-referrer")

    async def test_nothing_else(self):
        for path in ("/index.html", "/call/web.py", "/../call/web.py", "/%2e%2e/voicecall",
                     "/.", "/..", "/voicecall"):
            answer = await self.get_raw(path)
            self.assertRegex(answer, r"^HTTP/1.1 404 ", path)
            self.assertIn("Content-Security-Policy", answer, path)

    async def get_raw(self, path):
        """As a client that does not tidy up its path first."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer.decode("utf-8")

    async def test_page_runs_no_inline_script(self):
        html = (call_web.PAGE / "index.html").read_text(encoding="utf-8")
        self.assertEqual(re.findall(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|javascript:", html),
                         [])
        for path in call_web.PAGE.glob("*.js"):
            self.assertNotRegex(path.read_text(encoding="utf-8"),
                                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(")


class JoinTest(ServerCase):
    async def test_origin(self):
        for origin in (None, "null", "https://evil.example", ORIGIN + ".evil.example",
                       "http://call.example", ORIGIN + ":8443"):
            with self.subTest(origin), self.assertRaises(WSServerHandshakeError) as caught:
                await self.connect(origin)
            self.assertEqual(caught.exception.status, 403)
        self.assertIn("origin_refused", self.log.getvalue())

    async def test_welcome(self):
        socket = await self.join(name=" <b>Ada</b> ")
        welcome = await self.next(socket, "welcome")
        self.assertEqual(welcome["name"], "<b>Ada</b>")
        self.assertEqual(welcome["policy"], "relay")
        self.assertFalse(welcome["testPages"])
        self.assertEqual(welcome["members"], [])
        self.assertEqual(welcome["ice"], [await self.mint.mint(welcome["id"], 600)])
        self.assertNotIn("Ada", self.log.getvalue())

    async def test_no_token_no_credential(self):
        for token in ("x" * 24, self.hall.token("two")):
            socket = await self.join(token=token)
            await self.refused(socket, "bad-token")
        self.assertEqual(self.hall.count(), 0)
        self.assertNotIn(self.hall.token("two"), self.log.getvalue())

    async def test_join_comes_first(self):
        for message in ({"type": "renew"}, {"to": "x", **OFFER}, {"type": "leave"}):
            socket = await self.connect()
            await socket.send_json(message)
            await self.refused(socket, "bad-message")

    async def test_nobody_waits_forever(self):
        self.addCleanup(setattr, call_web, "JOIN_SECONDS_MAX", call_web.JOIN_SECONDS_MAX)
        call_web.JOIN_SECONDS_MAX = 0.1
        await self.refused(await self.connect(), "too-slow")

    async def test_waiting_browsers_are_bounded(self):
        self.addCleanup(setattr, call_web, "WAITING_MAX", call_web.WAITING_MAX)
        call_web.WAITING_MAX = 2
        sockets = [await self.connect() for _ in range(2)]
        with self.assertRaises(WSServerHandshakeError) as caught:
            await self.connect()
        self.assertEqual(caught.exception.status, 503)
        await sockets[0].close()
        await asyncio.sleep(0.05)
        await self.connect()

    async def test_room_is_bounded(self):
        members = [await self.join() for _ in range(2)]
        for socket in members:
            await self.next(socket, "welcome")
        self.mint.mint = None       # would fail: no credential for whom there is no place
        await self.refused(await self.join(), "room-full")

    async def test_bad_name(self):
        await self.refused(await self.join(name="\u202e"), "bad-name")

    async def test_no_credential(self):
        async def refuse(_user, _ttl_s):
            raise Refusal("no-credential", "no")
        self.mint.mint = refuse
        await self.refused(await self.join(), "no-credential")
        self.assertEqual(self.hall.count(), 0)


class MemberTest(ServerCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.ada = await self.join(name="Ada")
        self.ada_id = (await self.next(self.ada, "welcome"))["id"]
        self.bob = await self.join(name="Bob")
        welcome = await self.next(self.bob, "welcome")
        self.bob_id = welcome["id"]
        self.assertEqual([m["name"] for m in welcome["members"]], ["Ada"])
        self.assertEqual((await self.next(self.ada, "joined"))["member"]["id"], self.bob_id)

    async def test_signal(self):
        await self.bob.send_json({"to": self.ada_id, **OFFER})
        self.assertEqual(await self.next(self.ada, "signal"), {"from": self.bob_id, **OFFER})

    async def test_mute(self):
        await self.bob.send_json({"type": "state", "muted": True})
        self.assertEqual(await self.next(self.ada, "state"),
                         {"type": "state", "id": self.bob_id, "muted": True})

    async def test_leaving(self):
        for end in (self.bob.send_json({"type": "leave"}), self.bob.close()):
            await end
        self.assertEqual((await self.next(self.ada, "left"))["id"], self.bob_id)
        self.assertEqual(self.hall.count(), 1)

    async def test_renew_is_bounded_and_not_fatal(self):
        for _ in range(call_web.RENEWALS_BURST):
            await self.bob.send_json({"type": "renew"})
            self.assertEqual((await self.next(self.bob, "ice"))["ice"],
                             [await self.mint.mint(self.bob_id, 600)])
        await self.bob.send_json({"type": "renew"})
        error = await self.next(self.bob, "error")
        self.assertEqual((error["code"], error["fatal"]), ("too-fast", False))
        await self.bob.send_json({"to": self.ada_id, **OFFER})
        await self.next(self.ada, "signal")

    async def test_too_fast(self):
        for _ in range(call_web.MESSAGES_BURST + 50):
            await self.bob.send_json({"type": "state", "muted": True})
        await self.refused(self.bob, "too-fast")

    async def test_too_large(self):
        await self.bob.send_str("x" * (MESSAGE_OCTETS_MAX + 1))
        message = await self.bob.receive(timeout=30)
        self.assertEqual((message.type, message.data), (WSMsgType.CLOSE, 1009))
        await self.next(self.ada, "left")

    async def test_bad_message_ends_the_session(self):
        await self.bob.send_bytes(b'{"type": "state", "muted": true}')
        await self.refused(self.bob, "bad-message")
        await self.next(self.ada, "left")

    async def test_joining_twice(self):
        await self.bob.send_json({"type": "join", "room": "two", "name": "B", "muted": False,
                                  "token": self.hall.token("two")})
        await self.refused(self.bob, "bad-message")

    async def test_slow_reader_is_let_go(self):
        session = next(m for m in self.hall._rooms["one"].values() if m.id == self.bob_id).channel
        for _ in range(call_web.OUTBOX_MAX + 1):
            session.deliver({"type": "state", "id": "x", "muted": True})
        await self.next(self.ada, "left")
        self.assertIn("session_too_slow", self.log.getvalue())

    async def test_stopping_server_tells_nobody_to_hang_up(self):
        await self.runner.cleanup()
        for socket in (self.ada, self.bob):
            message = await socket.receive(timeout=30)
            self.assertEqual((message.type, message.data), (WSMsgType.CLOSE, 1001))
