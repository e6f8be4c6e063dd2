#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The output of relaybench export: right packets in every format, and a capture that the replay of
`relaybench core` counts as its own."""

import ipaddress
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import types

RELAYBENCH, HAVE_REPLAY = sys.argv[1], sys.argv[2] == "true"
SERVER = ["--server", "192.0.2.1:3478", "--client", "198.51.100.7", "--client-addresses", "3",
          "--allocations", "30", "--channels", "2", "--payload", "100"]
SERVER6 = ["--server", "[2001:db8::1]:3478", "--client", "2001:db8:5::ffff:fffc",
           "--client-addresses", "3"] + SERVER[6:]
failed = 0


def check(what, good):
    global failed
    if not good:
        failed += 1
        print("not ok - " + what)


def run(*words):
    return subprocess.run([RELAYBENCH, *words], capture_output=True, text=True)


def export(path, *words):
    done = run("export", "-o", path, *words)
    check("export %s: %s" % (" ".join(words), done.stderr), done.returncode == 0)


def packets(path):
    with open(path, "rb") as f:
        data = f.read()
    check("pcap's magic", data[:4] == struct.pack("=I", 0xA1B2C3D4))
    at, out = 24, []
    while at < len(data):
        _, _, captured, length = struct.unpack_from("=IIII", data, at)
        check("whole packet", captured == length)
        out.append(data[at + 16:at + 16 + captured])
        at += 16 + captured
    return out


def fold(octets):
    total = sum(struct.unpack(">%dH" % (len(octets) // 2), octets[:len(octets) & ~1]))
    total += octets[-1] << 8 if len(octets) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def parse(frame):
    kind = frame[12:14].hex()
    check("Ethernet type", kind in ("0800", "86dd"))
    if kind == "86dd":
        ip, udp, addresses = frame[14:54], frame[54:], frame[22:54]
        check("IPv6 header", ip[0] >> 4 == 6 and ip[6] == 17)
        check("IPv6 length", struct.unpack(">H", ip[4:6])[0] == len(udp))
        check("UDP checksum there", udp[6:8] != bytes(2))
    else:
        ip, udp, addresses = frame[14:34], frame[34:], frame[26:34]
        check("IP checksum", fold(ip) == 0xFFFF)
    pseudo = addresses + struct.pack(">HH", 17, len(udp))
    check("UDP checksum", fold(pseudo + udp) == 0xFFFF)
    sport, dport, length, _ = struct.unpack(">HHHH", udp[:8])
    check("UDP length", length == len(udp))
    half = len(addresses) // 2
    source, destination = (str(ipaddress.ip_address(a)) for a in (addresses[:half], addresses[half:]))
    return source, sport, destination, dport, udp[8:]


def load_formats(directory, options, server, clients):
    pcap = directory + "/a.pcap"
    export(pcap, "--format", "pcap", "--ethernet", "02:00:00:00:00:0a,02:00:00:00:00:0b", *options)
    frames = packets(pcap)
    seen = set()
    for frame in frames:
        source, sport, destination, dport, payload = parse(frame)
        number, length = struct.unpack(">HH", payload[:4])
        check("MAC addresses", frame[:12].hex() == "02000000000a02000000000b")
        check("server", (destination, dport) == (server, 3478))
        check("ChannelData", length == 100 and len(payload) == 104)
        seen.add((source, sport, number))
    check("each channel of each client once", seen == {
        (clients[i % 3], 10000 + i // 3, 0x4000 + c)
        for i in range(30) for c in range(2)} and len(frames) == 60)

    export(directory + "/a.trafgen", "--format", "trafgen", "--ethernet",
           "02:00:00:00:00:0a,02:00:00:00:00:0b", *options)
    with open(directory + "/a.trafgen") as f:
        blocks = re.findall(r"\{([^}]*)\}", f.read())
    check("trafgen has the same packets", [
        bytes(int(word, 16) for word in block.split(",")) for block in blocks] == frames)

    export(directory + "/a.lua", "--format", "pktgen", *options)
    with open(directory + "/a.lua") as f:
        text = f.read()
    check("Pktgen knows the frames' size", "local wire_bits = (%d + 24) * 8" % len(frames[0]) in text)
    check("Pktgen replays the capture beside", directory + "/a.lua.pcap" in text and
          len(packets(directory + "/a.lua.pcap")) == 60)


def trex_run(directory, options):
    """Returns the profile's calls of TRex's interface, by name."""
    path = directory + "/a.py"
    export(path, "--format", "trex", "--rate", "5000", *options)
    calls = []

    class Layer:
        def __init__(self, name, fields):
            self.parts = [(name, fields)]

        def __truediv__(self, other):
            self.parts = self.parts + (other.parts if isinstance(other, Layer) else [other])
            return self

    def recorder(name):
        def make(*words, **fields):
            calls.append((name, words, fields))
            return Layer(name, fields)
        return make

    api = types.ModuleType("trex_stl_lib.api")
    api.struct = struct
    api.CTRexVmInsFixHwCs = types.SimpleNamespace(L4_TYPE_UDP="udp")
    for name in ("Ether", "IP", "IPv6", "STLVmFixChecksumHw", "UDP", "STLScVmRaw", "STLVmTupleGen", "STLVmWrFlowVar",
                 "STLVmFixIpv4", "STLStream", "STLPktBuilder", "STLTXCont"):
        setattr(api, name, recorder(name))
    sys.modules["trex_stl_lib"] = types.ModuleType("trex_stl_lib")
    sys.modules["trex_stl_lib.api"] = api
    with open(path) as f:
        space = {}
        exec(compile(f.read(), path, "exec"), space)
    check("a stream for each channel", len(space["register"]().get_streams()) == 2)
    return lambda name: [fields for n, _, fields in calls if n == name]


def trex_common(made, first, last):
    check("TRex has the clients", made("STLVmTupleGen")[0] == {
        "ip_min": first, "ip_max": last, "port_min": 10000, "port_max": 10009, "name": "client"})
    check("TRex has the rate", [f["pps"] for f in made("STLTXCont")] == [2500, 2500])
    check("TRex has the payloads", [f["pkt"].parts[-1] for f in made("STLPktBuilder")] == [
        struct.pack(">HH", number, 100) + bytes(100) for number in (0x4000, 0x4001)])


def trex(directory):
    made = trex_run(directory, SERVER)
    trex_common(made, "198.51.100.7", "198.51.100.9")
    check("IPv4", made("IP")[0] == {"src": "198.51.100.7", "dst": "192.0.2.1", "flags": "DF"} and
          made("UDP")[0]["chksum"] == 0 and len(made("STLVmFixIpv4")) == 2)
    made = trex_run(directory, SERVER6)
    # The tuple generator counts 32 bits: the address's last ones.
    trex_common(made, "255.255.255.252", "255.255.255.254")
    addresses = {k: str(ipaddress.ip_address(v)) for k, v in made("IPv6")[0].items()}
    check("IPv6", addresses == {"src": "2001:db8:5::ffff:fffc", "dst": "2001:db8::1"})
    check("into the last 32 bits", made("STLVmWrFlowVar")[0] == {
        "fv_name": "client.ip", "pkt_offset": "IPv6.src", "offset_fixup": 12})
    check("a checksum, which IPv6 needs", "chksum" not in made("UDP")[0] and
          made("STLVmFixChecksumHw")[0] == {
              "l3_offset": "IPv6", "l4_offset": "UDP", "l4_type": "udp"} and
          not made("STLVmFixIpv4"))


def other_direction(directory):
    with open(directory + "/map", "w") as f:
        f.write("# heading\n198.51.100.7 10000 192.0.2.9 50000 203.0.113.5 10001 0x4000\n"
                "2001:db8:5:0:0:0:0:7 10000 2001:db8:0:0:0:0:0:9 50002 2001:db8:9:0:0:0:0:5 10003 0x4001\n"
                "198.51.100.7 10000 192.0.2.9 50000 203.0.113.5 10001 0x4000\n")
    export(directory + "/down.pcap", "--format", "pcap", "--map", directory + "/map")
    down = [parse(frame) for frame in packets(directory + "/down.pcap")]
    check("from the peer to the relayed address", [p[:4] for p in down] == [
        ("203.0.113.5", 10001, "192.0.2.9", 50000),
        ("2001:db8:9::5", 10003, "2001:db8::9", 50002),
        ("203.0.113.5", 10001, "192.0.2.9", 50000)])
    check("of the size", all(len(p[4]) == 160 for p in down))
    with open(directory + "/mixed", "w") as f:
        f.write("198.51.100.7 10000 192.0.2.9 50000 2001:db8::5 10001 0x4000\n")
    check("no peer of another family", run("export", "--format", "pcap", "-o", directory + "/x",
                                          "--map", directory + "/mixed").returncode == 1)
    check("no map", run("export", "--format", "pcap", "-o", directory + "/x", "--map",
                        directory + "/a.lua").returncode == 1)


def replayed(directory, exported, direction):
    return run("core", "--capture", exported, "--channels", "200", "--direction", direction,
               "--small-pages", "--no-boost", "--no-testpmd", "--rounds", "1", "--seconds", "0.02",
               "-j")


def core_counts(directory):
    for direction in ("mix", "hairpin", "client-to-peer"):
        path = directory + "/core.pcap"
        export(path, "--format", "pcap", "--core", direction, "--channels", "200", "--packets",
               "2000")
        check("as many as asked for", len(packets(path)) == 2000)
        done = replayed(directory, path, direction)
        good = done.returncode == 0
        cells = json.loads(done.stdout)["cells"] if good else [{}]
        check("the worker counts the export as relaybench core's own, %s: %s" % (
            direction, done.stderr), cells[0].get("packets_forwarded", 0) > 0)
    # Packets of one kind are no mix.
    check("shares are judged", replayed(directory, path, "mix").returncode == 1)
    # Traffic of another population is no traffic of these channels.
    export(path, "--format", "pcap", *SERVER)
    check("a strange capture is refused", replayed(directory, path, "client-to-peer").returncode == 1)


def main():
    check("no format", run("export", "-o", "/dev/null").returncode == 2)
    check("one family", run("export", "--format", "pcap", "-o", "/dev/null", "--server", "192.0.2.1",
                            "--client", "2001:db8::7").returncode == 2)
    check("core as a program", run("export", "--format", "trex", "-o", "/dev/null", "--core",
                                   "send").returncode == 2)
    with tempfile.TemporaryDirectory() as directory:
        load_formats(directory, SERVER, "192.0.2.1", ["198.51.100.%d" % n for n in (7, 8, 9)])
        load_formats(directory, SERVER6, "2001:db8::1",
                     ["2001:db8:5::ffff:fff%s" % n for n in "cde"])
        trex(directory)
        other_direction(directory)
        if HAVE_REPLAY and os.geteuid() == 0:
            core_counts(directory)
    return 1 if failed else 0


sys.exit(main())
