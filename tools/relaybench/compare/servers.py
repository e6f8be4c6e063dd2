# SPDX-License-Identifier: BSD-3-Clause
"""The servers compared: each a context that is forwarding inside, on one core."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import tempfile
import time

from host import Failure, HugePages, boost, cpu_ns, many_files, pin, resident_octets, run, wait_for

CORE = 1
TURNPIKE, COTURN, TESTPMD, KERNEL = "turnpike", "coturn", "testpmd", "kernel"
REPLAY = "replay"


class Server:
    plain = False  # datagrams go through as they are; no TURN

    def __init__(self, lab):
        self.lab = lab

    def __exit__(self, *why):
        self.lab.down()

    def cpu(self):
        """A mark: nanoseconds of CPU time so far, or None where polling hides it."""
        return None

    def memory(self):
        return None

    def packet_path(self):
        """The process that forwards; None: the kernel."""
        return None


class Turnpike(Server):
    def __init__(self, lab, build, tsc_hz):
        super().__init__(lab)
        self.build, self.tsc_hz = build, tsc_hz

    def __enter__(self):
        text = self.lab.lab("--direct", "config")
        # Strangers come by the thousand from one address here; coturn has no such limit.
        text += "limits:\n    first_contact_rate: 0\n"
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write(text)
            f.flush()
            self.lab.up("--config", f.name)
        status = self.ask("status")
        self.control = status["control"]["pid"]
        self.dataplane = status["dataplane"]["pid"]
        for pid in (self.control, self.dataplane):
            boost(pid)
        # One core for all of the server, as coturn has it.
        pin(self.control, CORE)
        return self

    def ask(self, *words):
        relayctl = self.build + "/tools/relayctl/relayctl"
        socket = self.lab.directory + "/control.sock"
        return json.loads(run(*self.lab.there(self.lab.relay, relayctl, "-s", socket, "-j", *words)))

    def cpu(self):
        cycles = sum(w["busy_cycles"] for w in self.ask("worker", "show"))
        return cycles / self.tsc_hz * 1e9 + cpu_ns(self.control)

    def packet_path(self):
        return self.dataplane

    def memory(self):
        status = self.ask("status")
        directory = status["segment"]["directory"]
        octets = sum(e.stat().st_size for e in os.scandir(directory) if e.is_file())
        return {"resident": resident_octets(self.control),
                "segment_per_place": octets / status["allocations"]["limit"]}


def coturn_known(program, *names):
    """Those of the settings that this build knows."""
    # Its usage goes to either output, by version.
    known = subprocess.run([program, "-h"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    return [name for name in names if "--" + name in known]


def coturn_settings(program):
    """Those of its fastest settings that this build knows; none before 4.13."""
    return coturn_known(program, "multiplex-peer", "udp-gso")


class Coturn(Server):
    def __init__(self, lab, program):
        super().__init__(lab)
        self.program, self.process, self.files = program, None, None
        self.settings = coturn_settings(program)

    def lines(self, password):
        """Of its configuration file."""
        place = self.files.name
        return ["listening-ip=10.77.0.1", "relay-ip=10.77.0.1", "realm=lab.turnpike", "lt-cred-mech",
                "user=demo:" + password, "min-port=49152", "max-port=65535",
                "allowed-peer-ip=10.77.2.2", "relay-threads=1", "no-cli", "no-tls", "no-dtls",
                "no-tcp", "simple-log", "log-file=%s/log" % place, "pidfile=%s/pid" % place,
                "userdb=%s/db" % place, *self.settings]

    def __enter__(self):
        self.lab.up("--no-relay")
        self.lab.offloads("on")
        self.files = tempfile.TemporaryDirectory()
        with open(self.lab.password_file()) as f:
            password = f.read().strip()
        conf = os.path.join(self.files.name, "turnserver.conf")
        with open(os.open(conf, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
            f.write("".join(line + "\n" for line in self.lines(password)))
        words = self.lab.there(self.lab.relay, "taskset", "-c", str(CORE), self.program, "-c", conf)
        self.process = subprocess.Popen(words, preexec_fn=many_files, start_new_session=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        boost(self.process.pid)
        ask = self.lab.there(self.lab.relay, "ss", "-Hlun", "sport", "=", ":3478")
        wait_for("coturn", 15, lambda: run(*ask).strip() != "")
        time.sleep(0.5)
        return self

    def __exit__(self, *why):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.files is not None:
            self.files.cleanup()
        super().__exit__(*why)

    def cpu(self):
        return cpu_ns(self.process.pid)

    def packet_path(self):
        return self.process.pid

    def memory(self):
        return {"resident": resident_octets(self.process.pid)}


class Replay(Server):
    """Our worker without NIC and kernel: nothing to start."""

    def __enter__(self):
        return self

    def __exit__(self, *why):
        pass


class Kernel(Server):
    plain = True

    def __enter__(self):
        self.lab.up("--no-relay")
        run(*self.lab.there(self.lab.relay, "sysctl", "-qw", "net.ipv4.ip_forward=1"))
        return self


class Testpmd(Server):
    """DPDK's own forwarder between the same two AF_XDP ports: the floor of that path."""

    plain = True
    prompt = "testpmd> "
    pid = pages = None

    def __enter__(self):
        lab = self.lab
        lab.up("--no-relay")
        # It answers no ARP: the client's side must know already whom to send to.
        run("ip", "-n", lab.a, "neighbour", "replace", "10.77.1.1", "lladdr",
            lab.mac(lab.relay, "nic0"), "dev", "eth0", "nud", "permanent")
        self.pages = HugePages(100)
        words = lab.there(
            lab.relay, "dpdk-testpmd", "--main-lcore=0", "--no-pci", "--no-telemetry",
            "--in-memory", "--iova-mode=va", "-m", "160",
            "--file-prefix=" + lab.name, "--lcores=0@0,1@%d" % CORE, "--vdev",
            "net_af_xdp0,iface=nic0", "--vdev", "net_af_xdp1,iface=nic1", "--", "-i",
            "--forward-mode=mac", "--record-core-cycles", "--total-num-mbufs=32768",
            "--eth-peer=0," + lab.mac(lab.a, "eth0"), "--eth-peer=1," + lab.mac(lab.b, "eth0"))
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(words[0], words)
        self.wait_text(self.prompt, 20)
        # Its main thread polls the prompt without a pause: the idle time of core 0 is enough.
        os.sched_setscheduler(self.pid, os.SCHED_IDLE, os.sched_param(0))
        boost(self.pid)
        return self

    def __exit__(self, *why):
        if self.pid is not None:
            try:
                os.write(self.fd, b"quit\n")
                self.wait_text("Bye", 5)
            except (Failure, OSError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.fd)
        if self.pages is not None:
            self.pages.give_back()
        super().__exit__(*why)

    def wait_text(self, mark, seconds):
        text, end = "", time.monotonic() + seconds
        while mark not in text:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise Failure("dpdk-testpmd: no '%s' in: ...%s" % (mark, text[-300:]))
            try:
                text += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                raise Failure("dpdk-testpmd ended: ...%s" % text[-300:]) from None
        return text

    def say(self, line, mark=None):
        os.write(self.fd, line.encode() + b"\n")
        return self.wait_text(mark or self.prompt, 10)

    def begin(self):
        self.say("start")

    def end(self):
        """Cycles per packet by its own account, polling left out."""
        found = re.search(r"CPU cycles/packet=([0-9.]+)", self.say("stop", "Done."))
        return float(found.group(1)) if found else None
