# SPDX-License-Identifier: BSD-3-Clause
"""Measures one server in one round. Each function returns a cell: plain figures."""

import os
import subprocess
import time

from host import Failure, cpu_ns
from load import Load, highest_rate
from servers import TESTPMD

DELAY_RATE = 10000
SILENCE_S = 10  # without a packet
FIRST_S = 25  # with one packet a second
LARGE = 1200
DELAY_ALLOCATIONS = 100
CHANNEL_OCTETS = 20000000
HERE = os.path.dirname(os.path.abspath(__file__))


def cpu_per_packet(server, load, seconds):
    """Flat out, so that the server has its core full of work."""
    before = server.cpu()
    interval = load.interval(rate=0, seconds=seconds, sink="count")
    after = server.cpu()
    spent = None if before is None else (after - before) / max(1, interval["up"]["arrived"])
    return spent, interval


def rate_cell(context, server, allocations):
    seconds = context.seconds
    memory = server.memory()
    with Load(context.relaybench, context.lab, server, allocations) as load:
        grown = server.memory()
        cpu_ns, flat = cpu_per_packet(server, load, seconds)
        highest, interval, bound = highest_rate(load, seconds)
        cell = {"flat_out": flat["up"]["arrived_per_second"],
                "offered": flat["up"]["sent_per_second"], "highest": highest,
                "generator_bound": bound, "wrong": flat["up"]["wrong"] + interval["up"]["wrong"], "cpu_ns": cpu_ns}
        if load.setup is not None:
            cell["set_ups"] = load.setup["per_second"]
        if memory is not None:
            cell["resident_per_allocation"] = (
                grown["resident"] - memory["resident"]) / allocations
            cell["segment_per_place"] = grown.get("segment_per_place")
    return cell


def large_cell(context, server, allocations):
    """Rates of large payloads, in bits of payload per second."""
    with Load(context.relaybench, context.lab, server, allocations) as load:
        highest, interval, bound = highest_rate(load, context.seconds, payload=LARGE)
    return {"highest": highest, "bits": highest * LARGE * 8, "generator_bound": bound,
            "wrong": interval["up"]["wrong"]}


def floor_cell(context, server, flows):
    """DPDK's forwarder between the same ports: the lower bound for a relay on this path."""
    with Load(context.relaybench, context.lab, server, flows) as load:
        server.begin()
        flat = load.interval(rate=0, seconds=context.seconds, sink="count")
        cycles = server.end()
        server.begin()
        highest, interval, bound = highest_rate(load, context.seconds)
        server.end()
    return {"flat_out": flat["up"]["arrived_per_second"], "offered": flat["up"]["sent_per_second"],
            "highest": highest, "generator_bound": bound,
            "cpu_ns": None if cycles is None else cycles / context.tsc_hz * 1e9}


def delay_cell(context, server):
    with Load(context.relaybench, context.lab, server, DELAY_ALLOCATIONS) as load:
        if server.__class__.__name__.lower() == TESTPMD:
            server.begin()
        load.interval(rate=DELAY_RATE, seconds=0.3)
        interval = load.interval(rate=DELAY_RATE, seconds=context.delay_seconds)
        if server.__class__.__name__.lower() == TESTPMD:
            server.end()
    delay = interval["up"]["delay_ns"]
    return {"p50": delay["p50"], "p99": delay["p99"], "p99_9": delay["p99_9"],
            "least": delay["least"], "slots": delay["slots"], "lost": interval["up"]["lost"]}


def silence_cell(context, server):
    """The CPU time of the packet path without traffic, and the delay of packets that come after a
    second without any. The generator polls."""
    with Load(context.relaybench, context.lab, server, 1) as load:
        load.interval(rate=1, seconds=2)
        part = None
        pid = server.packet_path()
        if pid is not None:
            before = cpu_ns(pid)
            time.sleep(SILENCE_S)
            part = (cpu_ns(pid) - before) / (SILENCE_S * 1e9)
        interval = load.interval(rate=1, seconds=FIRST_S)
    delay = interval["up"]["delay_ns"]
    return {"idle": part, "p50": delay["p50"], "most": delay["p99_9"], "lost": interval["up"]["lost"]}


def datachannel_cell(context, server):
    """Two real endpoints, which share all cores with the server: their round trips set the rate."""
    del server
    with open(context.lab.password_file()) as f:
        password = f.read().strip()
    # The system's Python: aiortc is Debian's.
    words = context.lab.there(context.lab.a, "/usr/bin/python3", HERE + "/datachannel_pair.py",
                              "10.77.0.1", str(CHANNEL_OCTETS))
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=150,
                              env={**os.environ, "RELAYBENCH_PASSWORD": password})
    except subprocess.TimeoutExpired:
        raise Failure("the data channel did not end") from None
    if done.returncode != 0:
        raise Failure("the data channel: " + done.stderr.strip()[-300:])
    return {"bits": CHANNEL_OCTETS * 8 / float(done.stdout)}
