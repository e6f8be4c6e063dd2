# SPDX-License-Identifier: BSD-3-Clause
"""The socket of a take-over, and either end of it without an edge."""
import array
import os
import socket
import struct

from stand import expect

MAGIC = 0x54502D45444745
VERSION = 4
HELLO, WELCOME, SOCKET, GO, LINK, DESCRIPTOR, END, TAKEN, YOURS = 1, 2, 3, 4, 5, 6, 9, 10, 11
REFUSED = 12
ROLE, SESSION, WAKE, TIMER = 0, 1, 3, 4
NAME = "edge-takeover.sock"


def record(kind, body=b"", version=VERSION):
    return struct.pack("=QIIII", MAGIC, version, kind, len(body), 0) + body


def received(s):
    """Version, kind and body of a record, whose head may come before its body."""
    _, version, kind, length, _ = struct.unpack("=QIIII", s.recv(24, socket.MSG_WAITALL))
    return version, kind, s.recv(length, socket.MSG_WAITALL)


def connected(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(300)
    s.connect(path)
    return s


def at_end(s):
    """Waits for the end, also where the other side had not read all."""
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


class Channel:
    def __init__(self, end):
        self.word = None
        self.socket = end
        self.socket.settimeout(300)

    def receive(self):
        head, control, _, _ = self.socket.recvmsg(24, socket.CMSG_SPACE(4))
        fds = [fd for _, _, data in control for fd in array.array("i", data)]
        expect("the channel goes on", len(head) == 24)
        _, _, kind, length, _ = struct.unpack("=QIIII", head)
        if kind == WELCOME and fds:
            self.word = fds.pop()
        for fd in fds:
            os.close(fd)
        body = b""
        while len(body) < length:
            body += self.socket.recv(length - len(body))
        return kind, body, bool(control)


class Before:
    """A process that is taken over, of one thread, with no socket and no connection."""

    def __init__(self, stand):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.settimeout(300)
        self.listener.bind(stand.path(NAME))
        self.listener.listen(1)
        self.lock = stand.path("edge.lock")
        self.channel = None
        self.word = None

    def expect(self, kind):
        found, _, _ = self.channel.receive()
        expect(f"record {kind} comes, not {found}", found == kind)

    def send(self, kind, body=b"", fd=None):
        passed = [] if fd is None else [
            (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        self.channel.socket.sendmsg([record(kind, body)], passed)

    def meet(self):
        self.channel = Channel(self.listener.accept()[0])
        self.expect(HELLO)

    def welcome(self, sockets=0):
        read, self.word = os.pipe2(os.O_NONBLOCK)
        self.send(WELCOME, struct.pack("=IIII", os.getpid(), 1, 16, sockets), read)
        os.close(read)

    def greet(self):
        self.meet()
        self.welcome()
        self.expect(GO)

    def refuse(self, why):
        os.write(self.word, why)
        self.end()

    def end(self):
        """As a dead process."""
        if self.word is not None:
            os.close(self.word)
        self.channel.socket.close()
        self.listener.close()

    def give(self):
        self.send(LINK, struct.pack("=QIIQ", 0, 0, 0, 0))
        for kind in (WAKE, TIMER, ROLE):
            fd = os.eventfd(0) if kind != ROLE else os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o640)
            self.send(DESCRIPTOR, struct.pack("=II", kind, 0), fd)
            os.close(fd)
        self.send(END, struct.pack("=II32s", 0, 0, bytes(32)))

    def hand(self):
        """All of it, until the next process has said that it has taken all."""
        self.greet()
        self.give()
        self.expect(TAKEN)
