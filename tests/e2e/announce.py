#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""announce.py INTERFACE IPV4-ADDRESS: gratuitous ARP, as a host sends it after its MAC changed."""
import socket
import sys

interface, address = sys.argv[1:3]
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind((interface, 0x0806))
mac = link.getsockname()[4]
ip = socket.inet_aton(address)
# Ethernet, IPv4, lengths 6 and 4, operation reply.
arp = b"\0\1\x08\0\6\4\0\2" + mac + ip + b"\xff" * 6 + ip
link.send(b"\xff" * 6 + mac + b"\x08\x06" + arp)
