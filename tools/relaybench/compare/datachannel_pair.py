#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two WebRTC endpoints (aiortc), each a process, relay-only, and one data channel between them.

    datachannel_pair.py SERVER OCTETS     the password in $RELAYBENCH_PASSWORD

Prints the seconds from the first message sent to the last one received. Signaling is a pipe.
"""

import asyncio
import multiprocessing
import os
import sys
import time

try:
    from aiortc import (RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription)
except ImportError:
    sys.exit("aiortc is missing: apt-get install python3-aiortc")

MESSAGE = 16384
AHEAD = 1 << 20  # of messages in the channel's queue
LIMIT_S = 120


def relayed_only(sdp):
    """The description without candidates of the host and of STUN."""
    return "".join(line for line in sdp.splitlines(keepends=True)
                   if not line.startswith("a=candidate:") or " typ relay" in line)


def connection(server):
    return RTCPeerConnection(RTCConfiguration([RTCIceServer(
        "turn:%s:3478?transport=udp" % server, "demo", os.environ["RELAYBENCH_PASSWORD"])]))


async def describe(pc, pipe, made):
    await pc.setLocalDescription(made)
    pipe.send((pc.localDescription.type, relayed_only(pc.localDescription.sdp)))


async def described(pipe):
    kind, sdp = await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
    return RTCSessionDescription(sdp, kind)


async def send(server, octets, pipe):
    pc = connection(server)
    channel = pc.createDataChannel("load")
    opened = asyncio.Event()
    room = asyncio.Event()
    channel.on("open", opened.set)
    channel.on("bufferedamountlow", room.set)
    channel.bufferedAmountLowThreshold = AHEAD // 2
    await describe(pc, pipe, await pc.createOffer())
    await pc.setRemoteDescription(await described(pipe))
    await opened.wait()
    pipe.send(time.monotonic())
    for _ in range(0, octets, MESSAGE):
        channel.send(bytes(MESSAGE))
        if channel.bufferedAmount > AHEAD:
            room.clear()
            await room.wait()
    await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
    await pc.close()


async def receive(server, octets, pipe):
    pc = connection(server)
    done = asyncio.Event()
    got = 0

    @pc.on("datachannel")
    def on_channel(channel):
        @channel.on("message")
        def on_message(message):
            nonlocal got
            got += len(message)
            if got >= octets:
                done.set()

    await pc.setRemoteDescription(await described(pipe))
    await describe(pc, pipe, await pc.createAnswer())
    begun = await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
    await done.wait()
    print(time.monotonic() - begun, flush=True)
    pipe.send("done")
    await pc.close()


def run(end, *arguments):
    asyncio.run(asyncio.wait_for(end(*arguments), LIMIT_S))


def main():
    server, octets = sys.argv[1], int(sys.argv[2])
    ours, theirs = multiprocessing.Pipe()
    other = multiprocessing.Process(target=run, args=(receive, server, octets, theirs))
    other.start()
    try:
        run(send, server, octets, ours)
    finally:
        other.join(5)
        if other.is_alive():
            other.terminate()
            other.join()
    sys.exit(0 if other.exitcode == 0 else 1)


if __name__ == "__main__":
    main()
