# SPDX-License-Identifier: BSD-3-Clause
"""The DTLS handshakes of a call between two clients of a relay, read from the wire while the call
connects: lengths of the ClientHello and of its datagrams, and the group of the key exchange."""
import os
import select
import socket
import struct
import threading

from firefox import Namespace

GROUPS = {0x11EC: "X25519MLKEM768", 0x001D: "X25519", 0x0017: "P-256", 0x0018: "P-384"}
CLIENT_HELLO, SERVER_HELLO, SERVER_KEY_EXCHANGE = 1, 2, 12
SUPPORTED_VERSIONS, KEY_SHARE = 43, 51
EVERY_PROTOCOL = 3  # ETH_P_ALL


class Watch:
    """Reads packets to the relay `server` that come in by a link of a namespace, from its making on; IPv4.
    stop() must be called, more often does no harm; the fields are for after it."""

    def __init__(self, namespace, link, server):
        self.hello_len = 0       # of the longest ClientHello
        self.hello_datagrams = 0  # most of one ClientHello
        self.longest = 0         # IP packet, as it would be whole, with records of DTLS
        self.long_df = 0         # packets of more than 1,280 bytes, with DF
        self.long_clear = 0      # the same without it, and first fragments
        self.group = None        # that the servers chose
        self._server = socket.inet_aton(server)
        self._fragments, self._messages = {}, {}
        with Namespace(namespace):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                         socket.htons(EVERY_PROTOCOL))
        self._socket.bind((link, EVERY_PROTOCOL))
        self._ends = os.pipe()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def stop(self):
        if not self._thread.is_alive():
            return
        os.write(self._ends[1], b"x")
        self._thread.join()
        self._socket.close()
        for end in self._ends:
            os.close(end)

    def text(self):
        return "ClientHello of %u bytes in %u datagrams, longest of DTLS %u, group %s, above 1,280 " \
            "%u packets with DF and %u without" % (
                self.hello_len, self.hello_datagrams, self.longest, self.group or "unknown",
                self.long_df, self.long_clear)

    def _read(self):
        while True:
            ready = select.select([self._socket, self._ends[0]], [], [])[0]
            if self._ends[0] in ready:
                return
            packet = self._socket.recv(65536)
            try:
                self._ip(packet)
            except (struct.error, IndexError):
                continue  # none of ours

    def _ip(self, packet):
        if packet[0] != 0x45 or packet[9] != socket.IPPROTO_UDP or packet[16:20] != self._server:
            return
        total, number, word = struct.unpack_from("!HHH", packet, 2)
        data, at = packet[20:total], (word & 0x1FFF) * 8
        self.long_df += total > 1280 and word & 0x4000 != 0
        self.long_clear += (total > 1280 or word & 0x2000 != 0) and word & 0x4000 == 0 and at == 0
        if word & 0x3FFF:
            data = self._whole((packet[12:16], number), at, data, not word & 0x2000)
            if data is None:
                return
        self._datagram(packet[12:16] + data[:2], data[8:])

    def _whole(self, key, at, data, last):
        """The datagram, with its last fragment; they come in order here."""
        have = self._fragments.pop(key, b"")
        if len(have) != at:
            return None
        if last:
            return have + data
        self._fragments[key] = have + data
        return None

    def _datagram(self, source, data):
        length = len(data) + 28
        kind = data[0]
        if 0x40 <= kind <= 0x7F:
            data = data[4:4 + struct.unpack_from("!H", data, 2)[0]]
        elif data[:2] == b"\0\x16":  # Send
            data = _attribute(data, 0x13)
        if not data or not 20 <= data[0] <= 63:
            return
        self.longest = max(self.longest, length)
        while len(data) >= 13 and data[0] < 32:
            size = struct.unpack_from("!H", data, 11)[0]
            if data[0] == 22 and data[3:5] == b"\0\0":
                self._handshake(source, data[13:13 + size])
            data = data[13 + size:]

    def _handshake(self, source, data):
        while len(data) >= 12:
            kind, length, number, at, size = data[0], _number(data[1:4]), data[4:6], \
                _number(data[6:9]), _number(data[9:12])
            key = source, kind, number, length
            parts = self._messages.setdefault(key, {})
            parts[at] = data[12:12 + size]
            data = data[12 + size:]
            whole = b"".join(parts[i] for i in sorted(parts))
            if len(whole) == length:
                self._message(kind, whole, len(parts))

    def _message(self, kind, body, datagrams):
        if kind == CLIENT_HELLO:
            self.hello_len = max(self.hello_len, len(body))
            self.hello_datagrams = max(self.hello_datagrams, datagrams)
        elif kind == SERVER_HELLO:
            at = 35 + body[34] + 3
            share = _extensions(body[at:]).get(KEY_SHARE)
            if share:
                self._chosen(struct.unpack_from("!H", share)[0])
        elif kind == SERVER_KEY_EXCHANGE and body[0] == 3:
            self._chosen(struct.unpack_from("!H", body, 1)[0])

    def _chosen(self, group):
        self.group = GROUPS.get(group, "0x%04x" % group)


def _number(data):
    return int.from_bytes(data, "big")


def _attribute(message, wanted):
    at = 20
    while at + 4 <= len(message):
        kind, length = struct.unpack_from("!HH", message, at)
        if kind == wanted:
            return message[at + 4:at + 4 + length]
        at += 4 + (length + 3 & ~3)
    return b""


def _extensions(data):
    found, at = {}, 2
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("!HH", data, at)
        found[kind] = data[at + 4:at + 4 + length]
        at += 4 + length
    return found
