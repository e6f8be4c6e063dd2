#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients with valid credentials that try to reach places closed to them, by UDP, TCP and TLS: forbidden
addresses in every spelling, the relay's own services, other clients' allocations. Each attempt must
be refused or dropped, and counted."""

import argparse
import ipaddress
import json
import os
import socket
import struct
import subprocess
import sys
import time

import hostile
import mobility
import places
from hostile import ALLOCATE, CHANNEL, CHANNEL_NUMBER, ERROR, LIFETIME, PEER, PERMISSION, REFRESH
from hostile import TRANSPORT
from mobility import DATA, RELAYED, SEND_INDICATION, TICKET, judge

CONNECT, EVEN_PORT, TOKEN, FAMILY, ADDITIONAL = 0x0a, 0x18, 0x22, 0x17, 0x8000
UDP, TCP = b"\x11\0\0\0", b"\6\0\0\0"
COOKIE_BYTES = struct.pack("!I", hostile.COOKIE)
PATIENCE = 120
# Where the listeners are: a service of the relay's host, ssh, Redis.
PORTS = (7000, 22, 6379)

# ---- clients ------------------------------------------------------------------------------------

def xor_value(address, port, txid):
    a = ipaddress.ip_address(address)
    key = COOKIE_BYTES + txid
    return struct.pack("!HH", 1 if a.version == 4 else 2, port ^ hostile.COOKIE >> 16) + bytes(
        x ^ y for x, y in zip(a.packed, key))


class Client(mobility.Path):
    """One 5-tuple, whose requests are sent again late: the relay counts a second copy as well."""

    waits = (10,) * (PATIENCE // 10)

    def __init__(self, args, way, user="demo"):
        carrier = mobility.Udp(args) if way == "udp" else mobility.Stream(args, way == "tls")
        super().__init__(args, carrier, user)
        self.args, self.way = args, way

    def allocate(self, *more, transport=UDP):
        code, found = self.ask(ALLOCATE, (TRANSPORT, transport), *more)
        if code == 0:
            self.port = struct.unpack_from("!H", found[RELAYED], 2)[0] ^ hostile.COOKIE >> 16
        return code, found

    def permit(self, *addresses):
        return self.ask(PERMISSION, *((PEER, lambda t, a=a: xor_value(a, 9, t))
                                      for a in addresses))[0]

    def bind(self, number, address, port):
        return self.ask(CHANNEL, (CHANNEL_NUMBER, struct.pack("!HH", number, 0)),
                        (PEER, lambda t: xor_value(address, port, t)))[0]

    def connect(self, address, port):
        return self.ask(CONNECT, (PEER, lambda t: xor_value(address, port, t)))[0]

    def indicate(self, address, port, data):
        txid = os.urandom(12)
        self.carrier.send(hostile.message(SEND_INDICATION, txid, [
            (PEER, xor_value(address, port, txid)), (DATA, data)]))

    def channel_data(self, data, number=mobility.NUMBER):
        self.carrier.send(struct.pack("!HH", number, len(data)) + data)

    def refresh0(self):
        return self.refresh(seconds=0)[0]


class Count:
    """Counters of the relay since a moment."""

    def __init__(self, args):
        self.args = args
        self.base = self.read()

    def read(self):
        ctl = self.args.relayctl.split()
        drops = json.loads(subprocess.check_output([*ctl, "-j", "drop", "show", "all"]))
        counters = json.loads(subprocess.check_output([*ctl, "-j", "counter", "show"]))
        now = {row["counter"]: row["value"] for row in counters}
        now.update(("drop_" + row["reason"], row["packets"]) for row in drops)
        return now

    def grown(self, names):
        now = self.read()
        return {name: now[name] - self.base[name] for name in names}

    def judge(self, text, spare=0, **expected):
        """Waits for the last packets; more must not come. `spare`: requests that were sent again."""
        end = time.monotonic() + PATIENCE
        while True:
            got = self.grown(expected)
            if all(got[k] >= v for k, v in expected.items()) or time.monotonic() > end:
                break
            time.sleep(0.1)
        good = all(v <= got[k] <= v + spare for k, v in expected.items())
        judge(good, "%s: counted %s%s" % (text, got, "" if good else ", expected %s" % expected))
        self.base = self.read()


# ---- attempts -----------------------------------------------------------------------------------

def spellings(args, way):
    """Each forbidden address by CreatePermission, ChannelBind, Send, ChannelData and Connect."""
    client, all_of = Client(args, way), places.forbidden(args.peers)
    code, _ = client.allocate((ADDITIONAL, b"\2\0\0\0"))
    judge(code == 0, "%s: an allocation of both families" % way)
    count, before = Count(args), client.resent
    codes = [client.permit(a) for a in all_of]
    judge(set(codes) == {403}, "%s: CreatePermission: %d spellings, %s" % (
        way, len(all_of), passed(all_of, codes)))
    codes = [client.bind(0x4000 + i, a, PORTS[0]) for i, a in enumerate(all_of)]
    judge(set(codes) == {403}, "%s: ChannelBind: %s" % (way, passed(all_of, codes)))
    for i, a in enumerate(all_of):
        client.indicate(a, PORTS[0], b"abuse by Send")
        client.channel_data(b"abuse by ChannelData", 0x4000 + i)
        if i % 16 == 15:
            client.refresh()
    n = len(all_of)
    count.judge("%s: forbidden addresses" % way, client.resent - before, permissions_denied=2 * n,
                error_403=2 * n, drop_no_permission=n, drop_no_channel=n)
    if way != "udp":
        for family, of in ((b"\1\0\0\0", 4), (b"\2\0\0\0", 6)):
            stream = Client(args, way)
            code, _ = stream.allocate((FAMILY, family), transport=TCP)
            judge(code == 0, "%s: a TCP allocation of IPv%d" % (way, of))
            mine = [a for a in all_of if family_of(a) == of]
            codes = [stream.connect(a, PORTS[0]) for a in mine]
            judge(set(codes) == {403}, "%s: Connect: %d of IPv%d, %s" % (
                way, len(mine), of, passed(mine, codes)))
            count.judge("%s: Connect" % way, permissions_denied=len(mine), error_403=len(mine),
                        data_connects=0)
            stream.refresh0()
    client.refresh0()


def family_of(text):
    a = ipaddress.ip_address(text)
    return 4 if a.version == 4 or a.ipv4_mapped else 6


def passed(names, codes):
    rest = ["%s: %d" % (a, c) for a, c in zip(names, codes) if c != 403]
    return "all answered 403" if not rest else ", ".join(rest)


def own_services(args, way):
    """Ports of the relay's own addresses: ssh, Redis, its listeners, by all ways. A permission for
    the relay's address is nothing bad: relayed addresses are peers."""
    for own, second, family in ((args.server, args.server2, b"\1\0\0\0"),
                                (args.server6, args.server6_2, b"\2\0\0\0")):
        client, victim = Client(args, way), Client(args, "udp", "second")
        ports = (*PORTS, 1, 80, 443, 3478, 3479, 5349)
        client.allocate((FAMILY, family))
        victim.allocate((FAMILY, family))
        dead = victim.port ^ 1 if (victim.port ^ 1) != client.port else victim.port ^ 3
        judge(client.permit(own) == 0, "%s: a permission for %s" % (way, own))
        count, before = Count(args), client.resent
        codes = [client.bind(0x4000 + i, own, port) for i, port in enumerate(ports)]
        judge(set(codes) == {403}, "%s: channels to ports of %s: %s" % (
            way, own, passed(ports, codes)))
        for port in (*ports, dead):
            client.indicate(own, port, b"abuse of an own address")
        judge(client.bind(0x5000, own, dead) == 0, "%s: a channel to a relayed port" % way)
        client.channel_data(b"abuse by hairpin", 0x5000)
        count.judge("%s: %s" % (way, own), client.resent - before, error_403=len(ports),
                    permissions_denied=len(ports), drop_own_address=len(ports) + 2)
        # Another client's allocation has no permission for this one.
        victim.heard.clear()
        client.bind(0x5001, own, victim.port)
        client.channel_data(b"abuse of another client", 0x5001)
        client.indicate(own, victim.port, b"abuse of another client")
        client.indicate(second, victim.port, b"abuse of another client")
        count.judge("%s: another client's allocation" % way, drop_no_permission=3)
        victim.refresh()
        judge(victim.heard == [], "%s: it hears nothing" % way)
        victim.permit(own)
        client.channel_data(b"a word", 0x5001)
        judge(hears(victim, b"a word"), "%s: but does once it has one" % way)
        count.judge("%s: that is no drop" % way, drop_no_permission=0, drop_own_address=0)
        if way != "udp":
            connect_own(args, way, own, family, ports)
        client.refresh0()
        victim.refresh0()


def connect_own(args, way, own, family, ports):
    stream = Client(args, way)
    stream.allocate((FAMILY, family), transport=TCP)
    count = Count(args)
    codes = [stream.connect(own, port) for port in (*ports, stream.port)]
    judge(set(codes) == {403}, "%s: Connect to ports of %s: %s" % (way, own, passed(ports, codes)))
    count.judge("%s: Connect to %s" % (way, own), error_403=len(codes), data_connects=0)
    stream.refresh0()


def hears(client, data):
    end = time.monotonic() + PATIENCE
    while data not in client.heard and time.monotonic() < end:
        client.read()
        time.sleep(0.01)
    return data in client.heard


def tricks(args, way):
    """Permissions and channels that contradict each other or the range; strangers at a relayed port."""
    client = Client(args, way)
    client.allocate()
    peer = args.peer
    count, before = Count(args), client.resent
    judge(client.permit(peer, "127.0.0.1") == 403, "%s: one forbidden peer of two" % way)
    client.indicate(peer, PORTS[0], b"abuse of half a permission")
    count.judge("%s: all or none" % way, client.resent - before, drop_no_permission=1,
                permissions_denied=1)
    judge(client.permit("fd77:2::2") == 443, "%s: a peer of the other family" % way)
    judge(client.ask(PERMISSION)[0] == 400, "%s: no peer" % way)
    judge(client.ask(PERMISSION, (PEER, b"\0\7\0\0\0\0\0\0"))[0] == 400, "%s: no family" % way)
    for number in (0, 0x3fff, 0x8000, 0xffff):
        judge(client.bind(number, peer, 9) == 400, "%s: channel %#x" % (way, number))
    judge(client.bind(0x4000, peer, 0) == 403, "%s: a channel to port 0" % way)
    judge(client.bind(0x4000, peer, 9) == 0, "%s: a channel" % way)
    judge(client.bind(0x4000, peer, 10) == 400, "%s: for a second peer" % way)
    judge(client.bind(0x4001, peer, 9) == 400, "%s: a second one for its peer" % way)
    count = Count(args)
    # The router is a stranger: its address has no permission.
    subprocess.check_call(["ip", "netns", "exec", args.stranger_netns, sys.executable, places.__file__,
                           "probe", str(client.port), "abuse", args.server])
    count.judge("%s: a stranger at the relayed port" % way, drop_no_permission=1)
    client.refresh()
    judge(client.heard == [], "%s: the client hears nothing of it" % way)
    client.refresh0()
    count.judge("%s: the end" % way, drop_no_channel=0)
    client.indicate(peer, PORTS[0], b"abuse of an ended allocation")
    client.channel_data(b"abuse of an ended channel", 0x4000)
    count.judge("%s: an ended allocation" % way, drop_no_allocation=1, drop_no_channel=1)


def foreign_sources(args, way):
    """ChannelData, Send and replayed requests from other 5-tuples than the allocation's."""
    victim = Client(args, way)
    victim.allocate((TICKET, b""))
    victim.bind(mobility.NUMBER, args.peer, PORTS[0])
    own = victim.carrier.socket.getsockname()
    data = struct.pack("!HH", mobility.NUMBER, 8) + b"foreign!"
    count = Count(args)
    sources = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    # Another port; for a stream client also its own port by UDP.
    sources[0].sendto(data, (args.server, 3478))
    if way == "udp":
        # Its own socket to other listeners: another 5-tuple.
        sources[1].bind((own[0], 0))
    else:
        sources[1].bind(own)
    targets = [(args.server, 3478), (args.server, 3479), (args.server2, 3478)]
    for target in targets:
        sources[1].sendto(data, target)
    # From the other side of the router, with the same port.
    subprocess.check_call(["ip", "netns", "exec", args.peer_netns, sys.executable, "-c",
                           "import socket, sys\n"
                           "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                           "s.bind(('', int(sys.argv[1])))\n"
                           "s.sendto(bytes.fromhex(sys.argv[2]), (sys.argv[3], 3478))",
                           str(own[1]), data.hex(), args.server])
    others = [Client(args, w) for w in ("udp", "tcp", "tls")]
    for other in others:
        # A connection that does not begin with STUN is closed.
        judge(other.refresh()[0] == 437, "%s: a client by %s without an allocation" % (
            way, other.way))
        other.carrier.send(data)
        other.indicate(args.peer, PORTS[0], b"abuse from a foreign 5-tuple")
    count.judge("%s: foreign 5-tuples" % way, drop_no_channel=5 + len(others),
                drop_no_allocation=len(others))
    # A request with the victim's integrity, seen on the wire.
    replay = hostile.message(REFRESH, os.urandom(12), [
        (LIFETIME, bytes(4)), (hostile.USERNAME, b"demo"), (hostile.REALM, victim.realm),
        (hostile.NONCE, victim.nonce)], victim.key)
    for other in others:
        found = other.exchange(replay)[1]
        judge(found[ERROR][2:4] == b"\4\x26", "%s: a replay by %s: 438" % (way, other.way))
    judge(victim.refresh()[0] == 0, "%s: the allocation is there" % way)
    victim.refresh0()


def tickets(args, way):
    """Mobility tickets that were made up, changed, used before or are another user's."""
    victim = Client(args, "udp", "second")
    ticket = victim.allocate((TICKET, b""))[1][TICKET]
    victim.bind(mobility.NUMBER, args.peer, PORTS[0])
    thief, count = Client(args, way), Count(args)
    forged = [os.urandom(len(ticket)) for _ in range(8)]
    forged += [ticket[:i] + bytes((ticket[i] ^ 1,)) + ticket[i + 1:] for i in range(len(ticket))]
    forged += [ticket[:-1], ticket + b"\0", bytes(len(ticket)), b""]
    codes = [thief.refresh((TICKET, t))[0] for t in forged]
    judge(set(codes) <= {437, 400}, "%s: %d forged tickets: %s" % (way, len(forged), set(codes)))
    count.judge("%s: forged tickets" % way, thief.resent, tickets_refused=codes.count(437),
                moves_begun=0)
    judge(codes.count(437) >= len(forged) - 4, "%s: nearly all by their seal" % way)
    judge(thief.refresh((TICKET, ticket))[0] == 441, "%s: another user's ticket: 441" % way)
    thief.channel_data(b"abuse of a stolen ticket")
    count.judge("%s: which opens nothing" % way, drop_no_channel=1, moves_begun=0)
    victim.refresh0()


def tokens(args, way):
    """Reservation tokens that were guessed, changed, used before or are another user's."""
    owner = Client(args, way)
    code, found = owner.allocate((EVEN_PORT, b"\x80"))
    judge(code == 0 and len(found[TOKEN]) == 8, "%s: a reservation" % way)
    token, count = found[TOKEN], Count(args)
    thief, other = Client(args, way, "second"), Client(args, way)
    forged = [os.urandom(8) for _ in range(8)]
    forged += [token[:i] + bytes((token[i] ^ 1,)) + token[i + 1:] for i in range(8)]
    codes = [thief.allocate((TOKEN, t))[0] for t in [*forged, token]]
    judge(set(codes) == {508}, "%s: %d forged tokens and a stolen one: %s" % (
        way, len(forged), set(codes)))
    judge([thief.allocate((TOKEN, t))[0] for t in (token[:7], token + b"\0", b"")] == [400] * 3,
          "%s: tokens of other lengths" % way)
    count.judge("%s: forged tokens" % way, thief.resent, error_508=len(codes), error_400=3,
                reservations_used=0)
    judge(other.allocate((TOKEN, token))[0] == 0 and other.port == owner.port + 1,
          "%s: its owner has the port" % way)
    again = Client(args, way)
    judge(again.allocate((TOKEN, token))[0] == 508, "%s: once" % way)
    count.judge("%s: used once" % way, again.resent, reservations_used=1, error_508=1)
    other.refresh0()
    owner.refresh0()


def exhaustion(args, way):
    """One user takes pairs of ports up to its quota, in which a reserved port counts: others still get
    theirs."""
    count, held, codes = Count(args), [], []
    for _ in range(args.quota // 2 + 8):
        client = Client(args, way)
        codes.append(client.allocate((EVEN_PORT, b"\x80"))[0])
        held.append(client)
    judge(codes == [0] * (args.quota // 2) + [486] * 8, "%s: pairs of ports: %d given, then %s" % (
        way, codes.count(0), set(codes[args.quota // 2:])))
    count.judge("%s: pairs" % way, sum(c.resent for c in held), reservations_made=args.quota // 2,
                allocations_opened=args.quota // 2, error_486=8)
    others = [Client(args, way, "second") for _ in range(4)]
    judge([c.allocate()[0] for c in others] == [0] * 4, "%s: another user allocates" % way)
    for client in [*held, *others]:
        if client in others or codes[held.index(client)] == 0:
            client.refresh0()
        client.carrier.close()


def share(args, way):
    """Without a quota one user takes pairs of ports until the relay refuses: others still get theirs."""
    count, held, code = Count(args), [], 0
    while code == 0 and len(held) < args.ports:
        held.append(Client(args, way))
        code = held[-1].allocate((EVEN_PORT, b"\x80"))[0]
    held.pop().carrier.close()
    # Seven eighths; less while ports reserved before are in use.
    judge(code == 508 and 0.7 < 2 * len(held) / args.ports <= 7 / 8,
          "%s: %d pairs of %d ports, then %d" % (way, len(held), args.ports, code))
    others = [Client(args, way, "second") for _ in range(8)]
    codes = [c.allocate(*more)[0] for c, more in zip(others, [[], [(EVEN_PORT, b"\x80")]] * 4)]
    judge(codes == [0] * 8, "%s: another user allocates: %s" % (way, codes))
    count.judge("%s: of the relay" % way, allocations_opened=len(held) + 8, error_486=0)
    for client in [*held, *others]:
        client.refresh0()
        client.carrier.close()


def opened(args, way):
    """The configuration names these addresses."""
    client = Client(args, way)
    client.allocate((ADDITIONAL, b"\2\0\0\0"))
    peers = ("192.168.1.1", "fc00::1")
    judge(client.permit(*peers) == 0, "%s: permissions" % way)
    for peer in peers:
        client.indicate(peer, PORTS[0], b"a word")
    # An open range of IPv6 opens no address of IPv4 in it.
    for hidden in places.HIDDEN:
        codes = [client.permit(a) for a in places.in_transition(hidden)]
        wanted = 0 if hidden == peers[0] else 403
        judge(codes == [wanted] * 3, "%s: %s in IPv6: %s" % (way, hidden, codes))
    client.refresh0()


def run(args):
    parts = {"allow": (spellings, own_services, tricks, foreign_sources, tickets, tokens),
             "default": (spellings, own_services), "open": (opened,)}[args.peers]
    for way in args.ways or ("udp", "tcp", "tls"):
        for part in parts:
            part(args, way)
    if args.peers == "allow":
        exhaustion(args, "udp")
    if args.peers == "default":
        share(args, "udp")
    return mobility.failed > 0


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("ways", nargs="*", choices=[[], "udp", "tcp", "tls"])
    p.add_argument("--peers", choices=["allow", "default", "open"], required=True)
    p.add_argument("--server", required=True)
    p.add_argument("--server2", required=True)
    p.add_argument("--server6", required=True)
    p.add_argument("--server6-2", required=True)
    p.add_argument("--peer", required=True)
    p.add_argument("--peer-netns", required=True)
    p.add_argument("--stranger-netns", required=True)
    p.add_argument("--password-file", required=True)
    p.add_argument("--ca", required=True)
    p.add_argument("--relayctl", required=True, help="command line up to -j")
    p.add_argument("--quota", type=int, help="limits.user_quota, an even number")
    p.add_argument("--ports", type=int, help="relayed ports of IPv4")
    args = p.parse_args()
    with open(args.password_file, encoding="ascii") as f:
        args.password = f.read().strip()
    return run(args)


if __name__ == "__main__":
    sys.exit(main())
