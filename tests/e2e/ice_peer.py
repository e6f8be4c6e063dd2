#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""One side of a relay-only call by an ICE library, with its other side behind a Unix socket.

    ice_peer.py aioice|libnice|webrtcbin offer|answer SOCKET RELAY

Both gather relayed candidates alone from the relay, as user demo. The one that offers sends MESSAGES
messages and prints "N of MESSAGES messages" for those that came back, or what failed. The interpreter is
Debian's: the bindings are packages of Debian.
"""
import asyncio
import ctypes
import functools
import json
import os
import socket
import sys
import time

MESSAGES = 20
PATIENCE_S = 90
USER, PASSWORD = "demo", "demo-password"


class Line:
    """The way to the other side: lines of JSON."""

    def __init__(self, path, is_offer):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if is_offer:
            s.bind(path)
            s.listen(1)
            s.settimeout(PATIENCE_S)
            s = s.accept()[0]
        else:
            end = time.monotonic() + PATIENCE_S
            while s.connect_ex(path) != 0:
                if time.monotonic() > end:
                    raise TimeoutError("the other side is not there")
                time.sleep(0.1)
        s.settimeout(PATIENCE_S)
        self.file = s.makefile("rw")

    def swap(self, mine):
        self.put(mine)
        return self.take()

    def put(self, mine):
        self.file.write(json.dumps(mine) + "\n")
        self.file.flush()

    def take(self):
        text = self.file.readline()
        if text == "":
            raise ConnectionError("the other side has ended")
        return json.loads(text)


# ---- aioice -------------------------------------------------------------------------------------

async def aioice_call(line, is_offer, relay):
    import aioice

    c = aioice.Connection(ice_controlling=is_offer, turn_server=(relay, 3478), turn_username=USER,
                          turn_password=PASSWORD, transport_policy=aioice.TransportPolicy.RELAY)
    await c.gather_candidates()
    # Its datagrams leave in tasks, which a call that blocks would hold up.
    swap = functools.partial(asyncio.to_thread, line.swap)
    theirs = await swap({"user": c.local_username, "password": c.local_password,
                         "candidates": [x.to_sdp() for x in c.local_candidates]})
    c.remote_username, c.remote_password = theirs["user"], theirs["password"]
    for text in theirs["candidates"]:
        await c.add_remote_candidate(aioice.Candidate.from_sdp(text))
    await c.add_remote_candidate(None)
    await c.connect()
    came = 0
    for n in range(MESSAGES):
        if is_offer:
            await c.send(b"message %d" % n)
        try:
            text = await asyncio.wait_for(c.recv(), 10)
        except asyncio.TimeoutError:
            break
        came += 1
        if not is_offer:
            await c.send(text)
    # The other side may close once both are done.
    await swap("done")
    await c.close()
    return came


# ---- libnice and webrtcbin: GLib's loop ---------------------------------------------------------

class Loop:
    """GLib's main loop, until something is so."""

    def __init__(self):
        from gi.repository import GLib

        self.context = GLib.MainContext.default()

    def until(self, done, seconds=PATIENCE_S):
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                return False
            if not self.context.iteration(False):
                time.sleep(0.005)
        return True

    def must(self, what, done):
        if not self.until(done):
            raise TimeoutError(what)


def require(**versions):
    import gi

    try:
        for name, version in versions.items():
            gi.require_version(name, version)
    except ValueError as fault:
        raise ImportError(str(fault)) from fault


def libnice_call(line, is_offer, relay):
    require(Nice="0.1")
    from gi.repository import Nice

    loop, seen, came = Loop(), set(), []
    agent = Nice.Agent.new(loop.context, Nice.Compatibility.RFC5245)
    for name, value in (("controlling-mode", is_offer), ("force-relay", True), ("upnp", False)):
        agent.set_property(name, value)
    stream = agent.add_stream(1)
    agent.set_stream_name(stream, "application")
    agent.set_relay_info(stream, 1, relay, 3478, USER, PASSWORD, Nice.RelayType.UDP)

    # The binding leaves this function out. No context is the default one.
    @ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint,
                      ctypes.POINTER(ctypes.c_char), ctypes.c_void_p)
    def on_data(_agent, _stream, _component, length, data, _):
        came.append(length)
        if not is_offer:
            agent.send(stream, 1, length, data[:length].decode())

    ctypes.CDLL("libnice.so.10").nice_agent_attach_recv(
        ctypes.c_void_p(hash(agent)), stream, 1, None, on_data, None)
    agent.connect("candidate-gathering-done", lambda *_: seen.add("gathered"))
    agent.connect("component-state-changed",
                  lambda _a, _s, _c, state: seen.add(Nice.component_state_to_string(state)))
    agent.gather_candidates(stream)
    loop.must("no candidates", lambda: "gathered" in seen)
    theirs = line.swap(agent.generate_local_sdp())
    agent.parse_remote_sdp(theirs)
    loop.must("not ready", lambda: seen & {"ready", "failed"})
    if "ready" not in seen:
        raise ConnectionError("libnice: failed")
    line.swap("ready")
    if is_offer:
        for n in range(MESSAGES):
            text = f"message {n}"
            agent.send(stream, 1, len(text), text)
            loop.until(lambda n=n: len(came) > n, 10)
        line.put("done")
        return len(came)
    loop.until(lambda: len(came) >= MESSAGES)
    line.take()
    return len(came)


class Descriptions:
    """Session descriptions of webrtcbin. The binding loses what is in them, so they pass by address."""

    class Struct(ctypes.Structure):
        _fields_ = [("kind", ctypes.c_int), ("sdp", ctypes.c_void_p)]

    def __init__(self, element):
        self.element = ctypes.c_void_p(hash(element))
        self.gst = ctypes.CDLL("libgstreamer-1.0.so.0")
        self.gobject = ctypes.CDLL("libgobject-2.0.so.0")
        self.sdp, self.webrtc = (ctypes.CDLL(f"libgst{n}-1.0.so.0") for n in ("sdp", "webrtc"))
        for f in (self.gst.gst_structure_get_value, self.gobject.g_value_get_boxed,
                  self.webrtc.gst_webrtc_session_description_new):
            f.restype = ctypes.c_void_p
        self.sdp.gst_sdp_message_as_text.restype = ctypes.c_char_p

    def set(self, side, description):
        self.gobject.g_signal_emit_by_name(self.element, f"set-{side}-description".encode(),
                                           ctypes.c_void_p(description), None)

    def take(self, reply, key):
        """Sets the description in a reply as the local one. Returns its text."""
        value = self.gst.gst_structure_get_value(ctypes.c_void_p(hash(reply)), key.encode())
        description = self.gobject.g_value_get_boxed(ctypes.c_void_p(value))
        self.set("local", description)
        sdp = self.Struct.from_address(description).sdp
        return self.sdp.gst_sdp_message_as_text(ctypes.c_void_p(sdp)).decode()

    def put(self, text, kind):
        """Sets a text as the remote description."""
        sdp = ctypes.c_void_p()
        self.sdp.gst_sdp_message_new_from_text(text.encode(), ctypes.byref(sdp))
        self.set("remote", self.webrtc.gst_webrtc_session_description_new(int(kind), sdp))


def webrtcbin_call(line, is_offer, relay):
    require(Gst="1.0", GstWebRTC="1.0")
    from gi.repository import Gst, GstWebRTC

    Gst.init(None)
    loop, came, made, candidates, channels = Loop(), [], [], [], []
    pipe, w = Gst.Pipeline.new(None), Gst.ElementFactory.make("webrtcbin", None)
    if w is None:
        raise ImportError("no webrtcbin")
    for name, value in (("bundle-policy", "max-bundle"), ("ice-transport-policy", "relay"),
                        ("turn-server", f"turn://{USER}:{PASSWORD}@{relay}:3478")):
        Gst.util_set_object_arg(w, name, value)
    pipe.add(w)
    descriptions = Descriptions(w)
    w.connect("on-ice-candidate", lambda _w, m, text: candidates.append((m, text)))

    def on_text(channel, text):
        came.append(text)
        if not is_offer:
            channel.emit("send-string", text)

    def channel_note(channel):
        channel.connect("on-message-string", on_text)
        channels.append(channel)

    def ask(key):
        w.emit(f"create-{key}", None, Gst.Promise.new_with_change_func(
            lambda promise, *_: made.append(descriptions.take(promise.get_reply(), key))))
        loop.must(f"no {key}", lambda: made)
        return made.pop()

    def gathered():
        return w.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE

    w.connect("on-data-channel", lambda _w, channel: channel_note(channel))
    pipe.set_state(Gst.State.READY)
    if is_offer:
        channel_note(w.emit("create-data-channel", "data", None))
    pipe.set_state(Gst.State.PLAYING)
    if is_offer:
        line.put(ask("offer"))
        descriptions.put(line.take(), GstWebRTC.WebRTCSDPType.ANSWER)
    else:
        descriptions.put(line.take(), GstWebRTC.WebRTCSDPType.OFFER)
        line.put(ask("answer"))
    loop.must("no candidates", gathered)
    for m, text in line.swap(candidates):
        w.emit("add-ice-candidate", m, text)
    loop.must("no channel", lambda: channels and channels[0].get_property("ready-state") ==
              GstWebRTC.WebRTCDataChannelState.OPEN)
    line.swap("open")
    if is_offer:
        for n in range(MESSAGES):
            channels[0].emit("send-string", f"message {n}")
        loop.until(lambda: len(came) >= MESSAGES, 20)
        line.put("done")
    else:
        loop.until(lambda: len(came) >= MESSAGES)
        line.take()
    pipe.set_state(Gst.State.NULL)
    return len(came)


def main():
    kind, side, path, relay = sys.argv[1:]
    is_offer = side == "offer"
    try:
        line = Line(path, is_offer)
        if kind == "aioice":
            came = asyncio.run(asyncio.wait_for(aioice_call(line, is_offer, relay), PATIENCE_S))
        else:
            calls = {"libnice": libnice_call, "webrtcbin": webrtcbin_call}
            came = calls[kind](line, is_offer, relay)
    except ImportError as fault:
        print(f"not installed: {fault}")
        return 77
    except (OSError, asyncio.TimeoutError, TimeoutError) as fault:
        print(f"no call: {type(fault).__name__} {fault}")
        return 1
    print(f"{came} of {MESSAGES} messages")
    return 0 if came == MESSAGES else 1


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # Not through the libraries' own ends: objects that passed by address are nobody's.
    os._exit(status)
