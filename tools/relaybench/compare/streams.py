# SPDX-License-Identifier: BSD-3-Clause
"""Clients over TCP, TLS and DTLS: both servers with these listeners, and their measurements."""

import json
import os
import tempfile

import spread
from host import boost, pin, run
from servers import CORE, COTURN, TURNPIKE, Coturn, Turnpike, coturn_known

PORTS = {"tcp": 3478, "tls": 5349, "dtls": 5349}
CLIENTS = 100
DELAY_RATE = 2000
# Name, the options of relaybench streams, and the figure that is the cell's: of `up`, or its own.
MEASURES = (
    *(("%s %d %s" % (transport, payload, way),
       ["--transport", transport, "--payload", str(payload), "--direction", way, "--rate", "0",
        "--clients", str(CLIENTS)], way)
      for transport in PORTS for payload in (160, 1200) for way in ("up", "down")),
    # Below what either can carry: nothing is lost, nothing waits.
    ("tls 160 steady", ["--transport", "tls", "--rate", "3000", "--direction", "both", "--clients", str(CLIENTS)],
     "up"),
    ("delay tls", ["--transport", "tls", "--rate", str(DELAY_RATE), "--clients", str(CLIENTS)], "up"),
    *(("handshakes %s%s" % (version, " resumed" if resume else ""),
       ["--measure", "handshakes", "--clients", "128", "--tls", version, *resume], None)
      for version in ("1.2", "1.3") for resume in ([], ["--resume"])),
    ("handshakes dtls", ["--measure", "handshakes", "--clients", "32", "--transport", "dtls"], None),
    ("idle", ["--measure", "idle", "--clients", "IDLE"], None),
)


class StreamsTurnpike(Turnpike):
    """With all listeners, and no limits: coturn has none."""

    def __enter__(self):
        text = self.lab.lab("--direct", "--streams", "config")
        text = text.replace("\nedge:\n", "\nedge:\n    connections: 65536\n    connections_per_prefix: 0\n"
                            "    handshake_rate: 0\n    handshake_rate_per_prefix: 0\n")
        # It shares its core with the edge.
        text = text.replace("\ndataplane:\n", "\ndataplane:\n    priority: normal\n")
        text += "limits:\n    first_contact_rate: 0\n"
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write(text)
            f.flush()
            self.lab.up("--streams", "--config", f.name)
        self.lab.segments()
        status = self.ask("status")
        self.control = status["control"]["pid"]
        self.dataplane = status["dataplane"]["pid"]
        self.edge = self.pid_of("edge")
        for pid in (self.control, self.dataplane, self.edge):
            boost(pid)
        for pid in (self.control, self.edge):
            pin(pid, CORE)
        return self

    def pid_of(self, process):
        for line in self.lab.lab("status").splitlines():
            words = line.split()
            if words[:1] == [process] and words[-2:-1] == ["pid"]:
                return int(words[-1])
        raise KeyError(process)

    def pids(self):
        """The packet path's thread shares the core and sleeps there: all of its time counts."""
        return [self.edge, self.control, self.dataplane]


class StreamsCoturn(Coturn):
    def __enter__(self):
        super().__enter__()
        self.lab.segments()
        return self

    def lines(self, password):
        # All clients have one peer: coturn's shared relay sockets would leave it to the first of them.
        without = ("no-tls", "no-dtls", "no-tcp", "multiplex-peer", "udp-gso")
        return [*(line for line in super().lines(password) if line not in without),
                # Newer ones do not serve it unasked.
                *coturn_known(self.program, "dtls"),
                "tls-listening-port=5349", "cert=%s/relay.pem" % self.lab.directory,
                "pkey=%s/relay.key" % self.lab.directory]

    def pids(self):
        return [self.process.pid]


def measure_one(context, server, words):
    lab = context.lab
    transport = words[words.index("--transport") + 1] if "--transport" in words else "tls"
    words = [str(context.a.idle) if word == "IDLE" else word for word in words]
    with tempfile.TemporaryDirectory() as directory:
        out = os.path.join(directory, "out")
        run(context.relaybench, "streams", "--server", "10.77.0.1:%d" % PORTS[transport], "--peer",
            "10.77.2.2", "--client-netns", lab.a, "--peer-netns", lab.b, "--password-file",
            lab.password_file(), "--core", "0", "--seconds", str(context.seconds), "--server-pid",
            ",".join(map(str, server.pids())), "--burst", "1", *words, "-o", out)
        with open(out) as f:
            return json.load(f)["measured"]


def flat(name, seen, way):
    """The cell of one measurement: rates, CPU for each, delay, memory."""
    if name == "idle":
        return {"resident_each": seen["resident_each"], "proportional_each": seen["proportional_each"],
                "held": seen["held"]}
    cpu = seen["server_cpu"]["seconds"] * 1e9
    if way is None:
        return {"rate": seen["per_second"], "cpu_ns": cpu / max(1, seen["handshakes"]),
                "resumed": seen["resumed"], "version": seen["version"], "p50": seen["p50_ns"], "p99": seen["p99_ns"]}
    there = seen[way]
    return {"rate": there["arrived_per_second"], "sent": there["sent_per_second"], "loss": there["loss"],
            "cpu_ns": cpu / max(1, sum(seen[d]["arrived"] for d in ("up", "down") if d in seen)), "p50": there["delay_ns"]["p50"],
            "p99": there["delay_ns"]["p99"]}


def streams_cell(context, server, name, words, way):
    return flat(name, measure_one(context, server, words), way)


def server_of(context, name):
    if name == TURNPIKE:
        return StreamsTurnpike(context.lab, context.build, context.tsc_hz)
    return StreamsCoturn(context.lab, context.a.coturn)


# Figure, key of a cell, and which side's is the numerator: a ratio above one is in our favour.
FIGURES = (("rate", "rate", TURNPIKE), ("CPU of each", "cpu_ns", COTURN), ("p99", "p99", COTURN),
           ("resident memory of each", "resident_each", COTURN))


def table(parts):
    """Lines of text: the medians of both and the ratio within rounds, from lowest to highest."""
    out = []
    for name, *_ in MEASURES:
        rounds = parts.get("streams " + name, [])
        for what, key, above in FIGURES:
            below = COTURN if above == TURNPIKE else TURNPIKE
            ours, theirs = (spread.figure(rounds, s, key) for s in (TURNPIKE, COTURN))
            ratio = spread.ratio(rounds, above, below, key)
            if ratio and (key != "p99" or name.startswith("delay")):
                out.append("%-22s %-24s %10.0f %10.0f   %.2f (%.2f to %.2f), %d rounds" % (
                    name, what, ours["median"], theirs["median"], ratio["median"], ratio["low"],
                    ratio["high"], ratio["n"]))
    return "\n".join(out)
