#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Puts an XDP program that passes every frame in another's place, and holds it until it is killed.

foreign_xdp.py INTERFACE
"""
import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import time

SYS_BPF = {"x86_64": 321, "aarch64": 280}
PROG_LOAD, LINK_CREATE = 5, 28
TYPE_XDP, ATTACH_XDP = 6, 37
PASS = bytes.fromhex("b700000002000000" "9500000000000000")  # r0 = XDP_PASS; exit

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    return libc.syscall(SYS_BPF[os.uname().machine], command, buffer, 128)


def load():
    code, licence = ctypes.create_string_buffer(PASS), ctypes.create_string_buffer(b"BSD")
    fd = bpf(PROG_LOAD, struct.pack("=IIQQ", TYPE_XDP, len(PASS) // 8, ctypes.addressof(code),
                                    ctypes.addressof(licence)))
    if fd < 0:
        sys.exit(f"no program: {os.strerror(ctypes.get_errno())}")
    return fd


def main(interface):
    program, index = load(), socket.if_nametoindex(interface)
    # The program that was there comes back within a second: be faster.
    for _ in range(200):
        subprocess.run(["ip", "link", "set", interface, "xdp", "off"], check=False,
                       stderr=subprocess.DEVNULL)
        if bpf(LINK_CREATE, struct.pack("=IIII", program, index, ATTACH_XDP, 0)) >= 0:
            print("held", flush=True)
            signal.pause()
        time.sleep(0.02)
    sys.exit(f"{interface}: {os.strerror(ctypes.get_errno())}")


main(sys.argv[1])
