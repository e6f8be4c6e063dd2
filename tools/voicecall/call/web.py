# SPDX-License-Identifier: BSD-3-Clause
"""HTTP and WebSocket around the hall: the page's files, the headers, one Session per browser."""
import asyncio
import json
import pathlib
import secrets

from aiohttp import WSCloseCode, WSMsgType, web

from .bucket import Bucket
from .hall import Member
from .messages import MESSAGE_OCTETS_MAX, Refusal, clean_name, parse

JOIN_SECONDS_MAX = 10.0
WAITING_MAX = 64            # browsers that are connected and have not joined yet
OUTBOX_MAX = 256            # messages queued for one slow browser before it is let go
MESSAGES_PER_S, MESSAGES_BURST = 50, 300
RENEWALS_PER_S, RENEWALS_BURST = 0.1, 3
HEARTBEAT_S = 20

PAGE = pathlib.Path(__file__).resolve().parents[1] / "page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript",
         ".svg": "image/svg+xml"}


def page_headers(origins):
    """Headers of every answer. The page runs its own files and nothing else."""
    sockets = " ".join(origin.replace("http", "ws", 1) for origin in origins)
    return {
        "Content-Security-Policy":
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            f"connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'; "
            f"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), display-capture=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-cache",
        "Server": "voicecall",
    }


class Session:
    """One WebSocket, from its upgrade to its end."""

    def __init__(self, server, socket, clock):
        self._server = server
        self._socket = socket
        self._clock = clock
        self._outbox = asyncio.Queue(OUTBOX_MAX)
        self._messages = Bucket(MESSAGES_PER_S, MESSAGES_BURST, clock())
        self._renewals = Bucket(RENEWALS_PER_S, RENEWALS_BURST, clock())
        self._member = None

    async def run(self):
        writer = asyncio.create_task(self._write())
        try:
            await self._join()
            while await self._turn(await self._receive()):
                pass
        except Refusal as refusal:
            self._server.log.warning("session_refused", code=refusal.code,
                                     member=self._member.id if self._member else "-")
            await self._say_goodbye(refusal)
        finally:
            self._leave()
            writer.cancel()
            await self._socket.close(
                code=WSCloseCode.GOING_AWAY if self._server.stopping else WSCloseCode.OK)

    def deliver(self, message):
        """Queues without waiting; a browser that does not read is let go instead."""
        try:
            self._outbox.put_nowait(message)
        except asyncio.QueueFull:
            self._server.log.warning("session_too_slow", member=self._member.id)
            asyncio.ensure_future(self._socket.close(code=WSCloseCode.TRY_AGAIN_LATER))

    async def _write(self):
        while True:
            message = await self._outbox.get()
            try:
                await self._socket.send_str(json.dumps(message))
            except ConnectionError:
                return

    async def _say_goodbye(self, refusal):
        try:
            await self._socket.send_str(json.dumps(
                {"type": "error", "code": refusal.code, "text": refusal.text, "fatal": True}))
            await self._socket.close(code=WSCloseCode.POLICY_VIOLATION)
        except ConnectionError:
            pass

    async def _receive(self):
        """The next message, or None at the end of the connection."""
        frame = await self._socket.receive()
        if frame.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
            return None
        if not self._messages.take(self._clock()):
            raise Refusal("too-fast", "Too many messages in too short a time.")
        if frame.type != WSMsgType.TEXT:
            raise Refusal("bad-message", "Messages are text frames.")
        return parse(frame.data)

    async def _join(self):
        server = self._server
        server.waiting += 1
        try:
            message = await asyncio.wait_for(self._receive(), JOIN_SECONDS_MAX)
        except asyncio.TimeoutError:
            raise Refusal("too-slow", "Nobody joined over this connection in time.") from None
        finally:
            server.waiting -= 1
        if message is None:
            return
        if message["type"] != "join":
            raise Refusal("bad-message", "The first message joins a room.")
        server.hall.admit(message["room"], message["token"])
        server.hall.check_place(message["room"])
        member = Member(secrets.token_hex(8), message["room"], clean_name(message["name"]),
                        message["muted"], self)
        ice = await server.mint(member.id)
        present, deliveries = server.hall.join(member)
        self._member = member
        self.deliver({"type": "welcome", "id": member.id, "name": member.name,
                      "room": member.room, "policy": server.policy,
                      "testPages": server.test_pages, "ice": ice,
                      "members": [other.describe() for other in present]})
        _send_all(deliveries)
        server.log.info("member_joined", member=member.id, room=member.room,
                        present=server.hall.count())

    async def _turn(self, message):
        """One message of a member; False when there will be no more."""
        hall = self._server.hall
        if message is None or message["type"] == "leave" or self._member is None:
            return False
        if message["type"] == "join":
            raise Refusal("bad-message", "This connection has joined already.")
        if message["type"] == "signal":
            _send_all(hall.signal(self._member, message))
        elif message["type"] == "state":
            _send_all(hall.state(self._member, message["muted"]))
        elif message["type"] == "renew":
            await self._renew()
        return True

    async def _renew(self):
        try:
            if not self._renewals.take(self._clock()):
                raise Refusal("too-fast", "Credentials were renewed a moment ago.")
            self.deliver({"type": "ice", "ice": await self._server.mint(self._member.id)})
        except Refusal as refusal:
            self.deliver({"type": "error", "code": refusal.code, "text": refusal.text,
                          "fatal": False})

    def _leave(self):
        if self._member is None:
            return
        deliveries = self._server.hall.leave(self._member)
        # When it is this server that leaves, the members keep their call without it.
        if not self._server.stopping:
            _send_all(deliveries)
        self._server.log.info("member_left", member=self._member.id, room=self._member.room,
                              present=self._server.hall.count())


def _send_all(deliveries):
    for member, message in deliveries:
        member.channel.deliver(message)


class Server:
    """State shared by the sessions."""

    def __init__(self, hall, mint, origins, log, *, policy="relay", ttl_s=3600, test_pages=False):
        self.hall = hall
        self.log = log
        self.policy = policy
        self.test_pages = test_pages
        self.waiting = 0
        self.stopping = False
        self._mint = mint
        self._ttl_s = ttl_s
        self._origins = frozenset(origins)
        self._headers = page_headers(origins)
        self._files = {f"/{path.name}": (path.read_bytes(), TYPES[path.suffix])
                       for path in PAGE.iterdir() if path.suffix in TYPES}
        self._files["/"] = self._files.pop("/index.html")
        self._sockets = set()

    async def mint(self, user):
        """The iceServers of one browser; none where the relay is not used at all."""
        return [await self._mint.mint(user, self._ttl_s)] if self._mint else []

    def application(self):
        app = web.Application()
        app.router.add_get("/ws", self._socket)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/{name:[a-z.]*}", self._file)
        app.on_response_prepare.append(self._add_headers)
        app.on_shutdown.append(self._close_sockets)
        return app

    async def _add_headers(self, _request, response):
        response.headers.update(self._headers)

    async def _health(self, _request):
        return web.Response(text="ok\n")

    async def _file(self, request):
        found = self._files.get(request.path)
        if found is None:
            raise web.HTTPNotFound(text="There is no such page here.\n")
        return web.Response(body=found[0], content_type=found[1], charset="utf-8")

    async def _socket(self, request):
        # A page of another site must not be able to talk here with our visitor's browser.
        if request.headers.get("Origin") not in self._origins:
            self.log.warning("origin_refused", origin=request.headers.get("Origin", "-")[:100])
            raise web.HTTPForbidden(text="This origin is not served here: see --origin.\n")
        if self.waiting >= WAITING_MAX:
            raise web.HTTPServiceUnavailable(text="Too many browsers wait to join.\n")
        socket = web.WebSocketResponse(max_msg_size=MESSAGE_OCTETS_MAX, compress=False,
                                       heartbeat=HEARTBEAT_S)
        if not socket.can_prepare(request).ok:
            raise web.HTTPBadRequest(text="This address speaks WebSocket only.\n")
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            await Session(self, socket, asyncio.get_running_loop().time).run()
        finally:
            self._sockets.discard(socket)
        return socket

    async def _close_sockets(self, _app):
        self.stopping = True
        for socket in set(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"server stops")
