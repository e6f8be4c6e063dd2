#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reads pcapng as JSON: {section, interfaces, packets, statistics}; any damage is an error."""
import json
import struct
import sys


def options(data):
    found = {}
    while data:
        code, length = struct.unpack("=HH", data[:4])
        value = data[4:4 + length]
        if len(value) != length:
            raise ValueError("an option is cut")
        data = data[4 + (length + 3 & ~3):]
        if code == 0:
            if data:
                raise ValueError("something behind the last option")
            return found
        found[code] = value
    raise ValueError("no end of options")


def blocks(data):
    while data:
        kind, length = struct.unpack("=II", data[:8])
        if length % 4 or length < 12 or length > len(data):
            raise ValueError("a block is cut")
        if struct.unpack("=I", data[length - 4:length])[0] != length:
            raise ValueError("a block's two lengths differ")
        yield kind, data[8:length - 4]
        data = data[length:]


def endpoints(frame):
    kind = struct.unpack("!H", frame[12:14])[0]
    if kind != 0x0800:
        return None, None
    ip = frame[14:]
    ports = struct.unpack("!HH", ip[20:24])
    return tuple("%d.%d.%d.%d:%d" % (*ip[at:at + 4], port)
                 for at, port in zip((12, 16), ports))


def packet(body):
    interface, high, low, taken, length = struct.unpack("=IIIII", body[:20])
    frame = body[20:20 + taken]
    extra = options(body[20 + (taken + 3 & ~3):])
    source, target = endpoints(frame)
    protocol = frame[23] if source else None
    payload = frame[34 + (20 if protocol == 6 else 8):]
    return {
        "interface": interface, "time": high << 32 | low, "taken": taken, "len": length,
        "direction": {1: "in", 2: "out"}[struct.unpack("=I", extra[2])[0] & 3],
        "comment": extra.get(1, b"").decode(), "from": source, "to": target,
        "first": frame[42:44].hex(), "protocol": protocol, "payload": payload.hex(),
    }


def read(data):
    out = {"interfaces": [], "packets": [], "statistics": []}
    for kind, body in blocks(data):
        if kind == 0x0A0D0D0A:
            magic, major, minor, length = struct.unpack("=IHHq", body[:16])
            if magic != 0x1A2B3C4D or (major, minor) != (1, 0) or length != -1:
                raise ValueError("no section header of ours")
            extra = options(body[16:])
            out["section"] = {n: extra[c].decode() for c, n in
                              ((2, "hardware"), (3, "os"), (4, "application"))}
        elif kind == 1:
            link, _, snaplen = struct.unpack("=HHI", body[:8])
            extra = options(body[8:])
            out["interfaces"].append({"link": link, "snaplen": snaplen,
                                      "name": extra[2].decode(), "tsresol": extra[9][0]})
        elif kind == 6:
            out["packets"].append(packet(body))
        elif kind == 5:
            interface, = struct.unpack("=I", body[:4])
            extra = options(body[12:])
            out["statistics"].append({"interface": interface,
                                      "received": struct.unpack("=Q", extra[4])[0],
                                      "dropped": struct.unpack("=Q", extra[5])[0]})
        else:
            raise ValueError("a block of kind %#x" % kind)
    if "section" not in out:
        raise ValueError("no section header")
    return out


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as f:
        json.dump(read(f.read()), sys.stdout)
