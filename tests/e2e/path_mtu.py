#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Legs that take less than their port: a client in one namespace and its peers in another send
packets with DF that a router on the way refuses. Judged is the number that the sender is told, and
whether packets of that length arrive. One line for each case; the exit code is 1 if one failed."""

import argparse
import ctypes
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time

import hostile
import transports
from hostile import COOKIE, CHANNEL_NUMBER, PEER, TRANSPORT

FAMILY, ICMP, DATA, DATA_INDICATION = 0x17, 0x8004, 0x13, 0x17
SEND_INDICATION, DONT_FRAGMENT = 0x16, 0x1A
NUMBER = 0x4001
PATIENCE = 30
# Linux: discover, receive errors, and of the error queue.
PROBE, ERRQUEUE, EMSGSIZE = 3, 0x2000, 90
OPTIONS = {4: (socket.IPPROTO_IP, 10, 11), 6: (socket.IPPROTO_IPV6, 23, 25)}

failed = 0


def enter(name):
    with open("/run/netns/" + name) as f:
        if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), 0x40000000) != 0:
            sys.exit("no namespace " + name)


def judge(ok, text):
    global failed
    failed += not ok
    print("ok -" if ok else "not ok -", text, flush=True)


def udp(family, address):
    sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    level, discover, errors = OPTIONS[family]
    # DF on each packet, of any length; errors of all destinations.
    sock.setsockopt(level, discover, PROBE)
    sock.setsockopt(level, errors, 1)
    sock.bind((address, 0))
    return sock


def xor_address(text, port, txid):
    if ":" not in text:
        return hostile.peer_value(text, port)
    mask = struct.pack("!I", COOKIE) + txid
    ip = bytes(a ^ b for a, b in zip(socket.inet_pton(socket.AF_INET6, text), mask))
    return struct.pack("!HH", 2, port ^ COOKIE >> 16) + ip


class Client(hostile.Client):
    """As that one, of either family, with a password and a socket of its own."""

    def __init__(self, sock, server, password):
        self.user, self.password = "demo", password
        self.socket = sock
        sock.connect((server, hostile.PORT))
        self.key, self.realm, self.nonce, self.resent = None, b"", b"", 0

    def about(self, kind, address, port, *attributes):
        """A request with a peer; its address is masked with the transaction id."""
        txid = os.urandom(12)
        answer = self.exchange(self.signed(
            kind, [(PEER, xor_address(address, port, txid)), *attributes], txid))
        return answer is not None and answer[0] & 0x110 == 0x100

    def relayed(self, family):
        for _ in range(3):
            answer = self.exchange(self.signed(3, [
                (TRANSPORT, b"\x11\0\0\0"), (FAMILY, bytes((1 if family == 4 else 2, 0, 0, 0)))]))
            if answer and answer[0] & 0x110 == 0x100:
                value = answer[1][0x16]
                port = struct.unpack_from("!H", value, 2)[0] ^ COOKIE >> 16
                return port
        sys.exit("no allocation")


def told(sock, seconds=0.3):
    """The MTU of an error that says a packet was too long; other errors are passed over."""
    end = time.monotonic() + seconds
    while True:
        try:
            _, control, _, _ = sock.recvmsg(2048, 512, ERRQUEUE)
        except BlockingIOError:
            if time.monotonic() >= end:
                return None
            select.select([], [], [sock], 0.05)
            continue
        for _, _, data in control:
            errno, _, _, _, _, info = struct.unpack_from("=IBBBBI", data)
            if errno == EMSGSIZE:
                return info


def drain(sock):
    got = []
    sock.setblocking(False)
    while True:
        try:
            got.append(sock.recv(65536))
        except BlockingIOError:
            return got
        except OSError:
            continue


def send(sock, data, to):
    try:
        sock.sendto(data, to) if to else sock.send(data)
    except OSError:
        pass  # an error of the packet before


def wrap(way, data, peer):
    if way == "channel":
        return struct.pack("!HH", NUMBER, len(data)) + data
    txid = os.urandom(12)
    return hostile.message(SEND_INDICATION, txid,
                           [(PEER, xor_address(*peer, txid)), (DATA, data)])


def probe(sock, to, make, arrived, around, number):
    """Sends what is too long until the sender is told; then what fits until it arrives."""
    end = time.monotonic() + PATIENCE
    mtu = None
    sock.setblocking(False)
    while mtu is None and time.monotonic() < end:
        # A little more than fits: the relay's own port takes it.
        send(sock, make(bytes(number + 16 - around)), to)
        mtu = told(sock)
    if mtu is None:
        return "the sender is told nothing"
    if mtu != number:
        return "the sender is told %d instead of %d" % (mtu, number)
    data = os.urandom(number - around)
    while time.monotonic() < end:
        send(sock, make(data), to)
        select.select([arrived[0]], [], [], 0.3)
        if any(data in got for got in drain(arrived[0])):
            return None
    return "packets of %d bytes do not arrive" % number


def stream_client(a):
    """By TCP, whose datagrams leave without DF unless a Send asks for it: errors about them reach
    the client by the ICMP attribute, too."""
    enter(a.side_b)
    peer = udp(4, a.b4)
    port = peer.getsockname()[1]
    enter(a.side_a)
    client = transports.Client("tcp", argparse.Namespace(
        server=a.relay4, password=a.password.encode()))
    client.ask(8, (PEER, xor_address(a.b4, 0, bytes(12))))
    for name, data, to, wanted in (
            ("too long", bytes(1400), port, (3, 4, 1280)),
            ("to a closed port", b"x", port ^ 1, (3, 3, 0))):
        txid = os.urandom(12)
        indication = hostile.message(SEND_INDICATION, txid, [
            (DONT_FRAGMENT, b""), (PEER, xor_address(a.b4, to, txid)), (DATA, data)])
        end, got = time.monotonic() + PATIENCE, None
        while got is None and time.monotonic() < end:
            client.way.send(indication)
            if not select.select([client.way], [], [], 0.3)[0]:
                continue
            for message in client.way.messages():
                found = hostile.parse(message)[1]
                if ICMP in found and PEER in found:
                    got = struct.unpack("!2xBBI", found[ICMP])
        judge(got == wanted, "a client by TCP, %s: ICMP attribute %s" % (name, got))
    client.close()


def error_about_record(a, client, port):
    """Records over IPv4 have no DF, so routers fragment them; this is one that does not."""
    address, client_port = client.rsplit(":", 1)
    quote = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1428, 0, 0, 63, 17, 0,
                        socket.inet_aton(a.relay4), socket.inet_aton(address))
    quote += struct.pack("!HHHH", port, int(client_port), 1408, 0)
    quote += struct.pack("!BHHHIH", 23, 0xfefd, 1, 0, 9, 1387)
    body = struct.pack("!BBHHH", 3, 4, 0, 0, 1280) + quote
    enter(a.net)
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    raw.sendto(body[:2] + struct.pack("!H", ones(body)) + body[4:], (a.relay4, 0))


def dtls_call(a, near, port):
    """A client by DTLS with a channel to a peer, the peer's socket and the relayed port."""
    enter(a.side_b)
    peer = udp(4, a.b4)
    enter(a.side_a)
    client = transports.Client("dtls", argparse.Namespace(
        server=a.relay4 if near == 4 else "[%s]" % a.relay6, port=port,
        password=a.password.encode(), ca=a.ca))
    client.ask(9, (CHANNEL_NUMBER, struct.pack("!HH", transports.NUMBER, 0)),
               (PEER, xor_address(a.b4, peer.getsockname()[1], bytes(12))))
    peer.setblocking(False)
    return client, peer, struct.unpack_from("!H", client.relayed, 2)[0] ^ COOKIE >> 16


def dtls_number(near, mtu):
    """The longest packet of its peer, over IPv4, that fits. Header of a record, nonce and tag;
    channel."""
    return 28 + mtu - ip_len(near) - 8 - 37 - 4


def dtls_arrives(client, peer, to, number):
    data, end = os.urandom(number - 28), time.monotonic() + PATIENCE
    # s_client reads 1,024 bytes at once.
    while data[:1020] not in client.data and time.monotonic() < end:
        send(peer, data, to)
        client.take(0.3)
    return data[:1020] in client.data


def dtls_client(a, near, port):
    """By DTLS over a leg of 1,280: its peer is told the length that fits beside what DTLS adds."""
    name = "4 to %d, DTLS at port %d, leg to the client of 1280" % (near, port)
    client, peer, relayed_port = dtls_call(a, near, port)
    to = (a.relay4, relayed_port)
    if near == 4:
        error_about_record(a, allocation(a, relayed_port)["client"], port)
    number = dtls_number(near, 1280)
    end, mtu = time.monotonic() + PATIENCE, None
    while mtu is None and time.monotonic() < end:
        send(peer, bytes(number + 16 - 28), to)
        mtu = told(peer)
    judge(mtu == number, name + ": told %s" % mtu)
    judge(dtls_arrives(client, peer, to, number), name + ": packets of %d bytes arrive" % number)
    shown = allocation(a, relayed_port)
    judge(shown["mtu"] == 1280 and shown["mtu_by"] == "icmp", name + ": relayctl shows the leg")
    client.close()


def icmp_attribute(messages, mtu):
    for m in messages:
        if len(m) < 20 or struct.unpack_from("!H", m)[0] != DATA_INDICATION:
            continue
        found = hostile.parse(m)[1]
        if ICMP in found and struct.unpack("!I", found[ICMP][4:])[0] == mtu and PEER in found:
            return True
    return False


def allocation(a, port):
    def ctl(*words):
        return json.loads(subprocess.run([*a.relayctl.split(), "--json", *words], check=True,
                                         stdout=subprocess.PIPE).stdout)
    for row in ctl("allocation", "list"):
        if any(r.endswith(":%d" % port) for r in row["relayed"]):
            return ctl("allocation", "show", row["id"])
    sys.exit("relayctl shows no allocation with port %d" % port)


def route_mtu(a, leg, mtu):
    device = {"client": "a0", "peer": "b0"}[leg]
    side = {"client": 1, "peer": 2}[leg]
    for line in (["route", "change", "10.77.%d.0/24" % side, "dev", device, "proto", "kernel",
                  "scope", "link", "src", "10.77.%d.1" % side],
                 ["-6", "route", "change", "fd77:%d::/64" % side, "dev", device, "proto", "kernel",
                  "metric", "256"]):
        subprocess.run(["ip", "-n", a.net, *line, "mtu", str(mtu)], check=True)


class Call:
    """A client with a channel to one peer and a permission for another port of it."""

    def __init__(self, a, near, far):
        self.near, self.far = near, far
        enter(a.side_a)
        self.client = Client(udp(near, a.a4 if near == 4 else a.a6),
                             a.relay4 if near == 4 else a.relay6, a.password)
        enter(a.side_b)
        self.address = a.b4 if far == 4 else a.b6
        self.peer, self.visitor = udp(far, self.address), udp(far, self.address)
        c = self.client
        if c.request(9) not in (400, 437):  # a nonce
            sys.exit("the relay does not answer")
        self.port = c.relayed(far)
        self.relay = (a.relay4 if far == 4 else a.relay6, self.port)
        port = self.peer.getsockname()[1]
        if not c.about(8, self.address, 0) or \
                not c.about(9, self.address, port, (CHANNEL_NUMBER, struct.pack("!HH", NUMBER, 0))):
            sys.exit("no permission or channel")
        self.targets = {"channel": (self.address, port),
                        "send": (self.address, self.visitor.getsockname()[1])}


def ip_len(family):
    return 20 if family == 4 else 40


def peer_leg(a, near, far, way, mtu):
    call = Call(a, near, far)
    name = "%d to %d, %s, leg to the peer of %d" % (near, far, way, mtu)
    front = 4 if way == "channel" else 36 if far == 4 else 48
    around = ip_len(near) + 8 + front
    number = around + (mtu - ip_len(far) - 8 if way == "channel"
                       else mtu - ip_len(far) - 8 & ~3)
    target = call.targets[way]
    arrived = call.peer if way == "channel" else call.visitor
    why = probe(call.client.socket, None, lambda d: wrap(way, d, target), [arrived], around, number)
    judge(why is None, name + (": " + why if why else ": told %d" % number))
    shown = allocation(a, call.port)
    judge(any(p["mtu"] == mtu and p["mtu_by"] == "icmp" for p in shown["peers"]),
          name + ": relayctl shows the leg")
    judge(icmp_attribute(drain(call.client.socket), mtu),
          name + ": the client has the ICMP attribute")
    call.client.refresh(0)


def client_leg(a, near, far, way, mtu):
    call = Call(a, near, far)
    name = "%d to %d, %s, leg to the client of %d" % (far, near, way, mtu)
    sock = call.peer if way == "channel" else call.visitor
    front = 4 if way == "channel" else 36 if far == 4 else 48
    room = mtu - ip_len(near) - 8 - front
    number = ip_len(far) + 8 + (room if way == "channel" else room & ~3)
    if far == 6 and number < 1280:
        call.client.refresh(0)
        return  # IPv6 knows none so small
    why = probe(sock, call.relay, lambda d: d, [call.client.socket], ip_len(far) + 8, number)
    judge(why is None, name + (": " + why if why else ": told %d" % number))
    shown = allocation(a, call.port)
    judge(shown["mtu"] == mtu and shown["mtu_by"] == "icmp", name + ": relayctl shows the leg")
    call.client.refresh(0)


def ones(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def forged(a):
    """ICMP errors that do not fit: another port, another peer, wrong lengths, a wrong checksum."""
    call = Call(a, 4, 4)
    enter(a.side_b)
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    peer = call.targets["channel"]

    def error(src_port, dst, dst_port, length, udp_length, damage=0):
        quote = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0x4000, 63, 17, 0,
                            socket.inet_aton(a.relay4), socket.inet_aton(dst))
        quote += struct.pack("!HHHH", src_port, dst_port, udp_length, 0)
        body = struct.pack("!BBHHH", 3, 4, 0, 0, 600) + quote
        raw.sendto(body[:2] + struct.pack("!H", ones(body) ^ damage) + body[4:], (a.relay4, 0))

    for _ in range(5):
        error(call.port ^ 1, peer[0], peer[1], 1428, 1408)
        error(call.port, "10.77.2.77", peer[1], 1428, 1408)
        error(call.port, peer[0], peer[1], 1428, 1407)
        error(call.port, peer[0], peer[1], 590, 570)
        error(call.port, peer[0], peer[1], 1428, 1408, 1)
    time.sleep(0.5)
    shown = allocation(a, call.port)
    judge(shown["mtu_by"] == "port" and all(p["mtu_by"] == "port" for p in shown["peers"]),
          "forged errors change no leg")
    drops = subprocess.run([*a.relayctl.split(), "drop", "show"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
    judge("icmp_stale" in drops and "icmp_bad" in drops, "forged errors are dropped by name")
    judge(not any(ICMP in hostile.parse(m)[1] for m in drain(call.client.socket)
                  if len(m) >= 20), "the client hears nothing of them")


def main():
    p = argparse.ArgumentParser()
    for name in ("side-a", "side-b", "net", "a4", "a6", "b4", "b6", "relay4", "relay6",
                 "password-file", "relayctl", "ca"):
        p.add_argument("--" + name, required=True)
    a = p.parse_args()
    with open(a.password_file) as f:
        a.password = f.read().strip()
    forged(a)
    for mtu in (1280, 1400):
        route_mtu(a, "peer", mtu)
        if mtu == 1280:
            stream_client(a)
        for near in (4, 6):
            for far in (4, 6):
                for way in ("channel", "send"):
                    peer_leg(a, near, far, way, mtu)
        route_mtu(a, "peer", 1500)
        route_mtu(a, "client", mtu)
        if mtu == 1280:
            for near in (4, 6):
                for port in (3478, 5349):
                    dtls_client(a, near, port)
        for near in (4, 6):
            for far in (4, 6):
                for way in ("channel", "data"):
                    client_leg(a, near, far, way, mtu)
        route_mtu(a, "client", 1500)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
