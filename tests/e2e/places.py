#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Places closed to clients: addresses, and programs that notice a packet for one.

places.py listen PORT...              prints a line for each datagram and connection that arrives
places.py watch LINK ALLOWED...       prints a line for each UDP or TCP packet that arrives by LINK for
                                      an address that is not in the list
places.py probe PORT WORD ADDRESS...  sends WORD to each address: the two above must notice it
places.py addresses allow|default     the unicast addresses that no client may reach"""

import ipaddress
import select
import socket
import sys

# Never to be opened, and closed unless the configuration names them.
NEVER4 = ("0.0.0.0", "0.0.0.1", "127.0.0.1", "127.255.255.254", "224.0.0.1", "239.255.255.250",
          "255.255.255.255", "10.77.0.255")
SPECIAL4 = ("10.1.2.3", "100.64.0.1", "169.254.1.1", "169.254.169.254", "172.16.0.1", "192.0.0.1",
            "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
            "240.0.0.1")
NEVER6 = ("::", "::1", "ff02::1", "ff05::2", "ff0e::1")
SPECIAL6 = ("100::1", "2001:db8::1", "2001:10::1", "2001:20::1", "3fff::1", "5f00::1", "4000::1",
            "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1")
# IPv4 addresses that others hide in: a loopback, a service of a cloud, the relay itself and a peer
# that the list allows as it is, but not inside another address.
HIDDEN = ("127.0.0.1", "169.254.169.254", "192.168.1.1", "10.77.0.1", "10.77.0.2", "10.77.2.2")


def embedded(address):
    """IPv6 addresses that hold an IPv4 address, without the IPv4-mapped one."""
    n = int(ipaddress.IPv4Address(address))
    high, low = "%x:%x" % (n >> 16, n & 0xffff), "%x:%x" % (~n >> 16 & 0xffff, ~n & 0xffff)
    return ["::" + high, "::ffff:0:" + high, "64:ff9b::" + high, "64:ff9b:1::" + high,
            "2002:%s::1" % high, "2001:0:%s::1" % high, "2001:0:102:304:0:0:" + low]


# In NAT64, in 6to4, and as a client of Teredo.


def in_transition(address):
    return [a for a in embedded(address) if a.startswith(("64:ff9b::", "2002:", "2001:0:102:304:"))]


def forbidden(mode):
    """Every spelling."""
    found = [*NEVER4, *SPECIAL4, *NEVER6, *SPECIAL6, "10.77.0.2", "fd77::2", "::ffff:10.77.0.2"]
    found += ["::ffff:" + a for a in NEVER4 + SPECIAL4]
    for a in HIDDEN:
        found += embedded(a)
    if mode == "default":
        found += ["10.77.2.2", "::ffff:10.77.2.2", "fd77:2::2"]
    return list(dict.fromkeys(str(ipaddress.ip_address(a)) for a in found))


def unicast(mode):
    """Those that a host can have: the router gets them."""
    out = []
    for text in forbidden(mode):
        a = ipaddress.ip_address(text)
        inside = getattr(a, "ipv4_mapped", None)
        if inside or a.is_multicast or a.is_loopback or a.is_unspecified or text.startswith("10.77.") \
                or text.startswith("fd77:") or text in NEVER4 or a in ipaddress.ip_network("fe80::/10") \
                or a.version == 6 and a in ipaddress.ip_network("::/64"):
            continue
        out.append(text)
    return out


# ---- places that stay silent ------------------------------------------------------------------

def listen(ports):
    udp, tcp = [], []
    for port in ports:
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(("::", port))
        udp.append(s)
        tcp.append(socket.create_server(("::", port), family=socket.AF_INET6,
                                        dualstack_ipv6=True))
    print("listens", flush=True)
    while True:
        for s in select.select(udp + tcp, [], [])[0]:
            if s in udp:
                data, source = s.recvfrom(2048)
                print("udp", s.getsockname()[1], source[0], data, flush=True)
            else:
                connection, source = s.accept()
                print("tcp", s.getsockname()[1], source[0], flush=True)
                connection.close()


def watch(link, allowed):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    s.bind((link, 3))
    allowed = {ipaddress.ip_address(a) for a in allowed}
    print("watches", flush=True)
    while True:
        data, (_, protocol, kind, *_) = s.recvfrom(2048)
        if kind == 4:  # leaves by the link
            continue
        if protocol == 0x800 and len(data) >= 20:
            protocol_of, to = data[9], ipaddress.ip_address(data[16:20])
        elif protocol == 0x86dd and len(data) >= 40:
            protocol_of, to = data[6], ipaddress.ip_address(data[24:40])
        else:
            continue
        if protocol_of in (6, 17) and to not in allowed:
            print("astray", protocol_of, to, flush=True)


def probe(port, word, addresses):
    for text in addresses:
        # A link-local one has its link behind it.
        at = socket.getaddrinfo(text, int(port), type=socket.SOCK_DGRAM)[0]
        with socket.socket(at[0], socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            s.sendto(("%s %s" % (word, text)).encode(), at[4])


def main():
    words = sys.argv[2:]
    if sys.argv[1] == "listen":
        listen([int(w) for w in words])
    elif sys.argv[1] == "watch":
        watch(words[0], words[1:])
    elif sys.argv[1] == "probe":
        probe(words[0], words[1], words[2:])
    elif sys.argv[1] == "addresses":
        print(*unicast(words[0]))


if __name__ == "__main__":
    main()
