#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Asks a host questions over UDP and prints one word or number; exit 0 if it is the wished-for one.

  probe.py binding ADDRESS PORT [SECONDS]  until a Binding request is answered: milliseconds
  probe.py silent ADDRESS PORT COUNT       no answer, and above all no port-unreachable
  probe.py refused ADDRESS PORT            the kernel says port-unreachable
  probe.py echo ADDRESS PORT               a server: answers until it is killed
  probe.py echo_tcp ADDRESS PORT           likewise, over TCP
  probe.py ask ADDRESS PORT COUNT          each from a fresh ephemeral port: all must be answered
"""
import os
import socket
import sys
import time


def udp(address):
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)


def binding(address, port, seconds="120"):
    start = time.monotonic()
    s = udp(address)
    s.settimeout(0.01)
    # An answer may take longer than the next request.
    asked = set()
    while time.monotonic() - start < float(seconds):
        transaction = os.urandom(12)
        asked.add(transaction)
        s.sendto(b"\0\1\0\0\x21\x12\xa4\x42" + transaction, (address, int(port)))
        try:
            answer = s.recv(2048)
        except OSError:
            continue
        if answer[:2] == b"\1\1" and answer[8:20] in asked:
            print(int((time.monotonic() - start) * 1000))
            return True
    print("none")
    return False


def silent(address, port, count):
    s = udp(address)
    s.connect((address, int(port)))
    s.settimeout(0.02)
    for _ in range(int(count)):
        try:
            s.send(b"\0\1\0\0\x21\x12\xa4\x42" + os.urandom(12))
            s.recv(2048)
        except socket.timeout:
            continue
        except ConnectionRefusedError:
            print("refused")
            return False
        print("answered")
        return False
    print("silent")
    return True


def refused(address, port):
    s = udp(address)
    s.connect((address, int(port)))
    s.settimeout(60)
    try:
        s.send(b"x")
        s.recv(2048)
    except ConnectionRefusedError:
        print("refused")
        return True
    except socket.timeout:
        pass
    print("not refused")
    return False


def echo(address, port):
    s = udp(address)
    s.bind((address, int(port)))
    while True:
        data, sender = s.recvfrom(65536)
        s.sendto(data, sender)


def echo_tcp(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, int(port)), family=family)
    while True:
        connection, _ = listener.accept()
        while data := connection.recv(65536):
            connection.sendall(data)
        connection.close()


def ask(address, port, count):
    answered = 0
    for _ in range(int(count)):
        with udp(address) as s:
            s.settimeout(60)
            s.sendto(b"question", (address, int(port)))
            try:
                answered += s.recv(2048) == b"question"
            except OSError:
                pass
    print(answered)
    return answered == int(count)


if __name__ == "__main__":
    sys.exit(0 if globals()[sys.argv[1]](*sys.argv[2:]) else 1)
