# SPDX-License-Identifier: BSD-3-Clause
"""An edge without the other processes, and clients of it."""
import os
import socket
import ssl
import subprocess
import time

CONFIG = """instance: test{pid}
runtime_directory: {home}/run
dataplane: {{ports: [{{interface: lo}}]{dataplane}}}
relay: {{addresses: [127.0.0.1], ports: 1100-1103}}
listeners: [{listeners}]
edge:
    certificates: [{{certificate: cert.pem, key: key.pem}}]
    handshake_timeout: 300
    handshake_rate: 100000
    handshake_rate_per_prefix: 100000
    drain: 300
log: {{level: debug}}
secrets: [{{id: one, secret_file: one.secret}}]
"""


class Failure(Exception):
    pass


def expect(what, condition):
    if not condition:
        raise Failure(what)


def wait(what, condition):
    end = time.monotonic() + 300
    while not condition():
        if time.monotonic() > end:
            raise Failure(what)
        time.sleep(0.02)


def ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    found = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return found


class Edge:
    def __init__(self, stand, *options, starts=True):
        root = ["--allow-root"] if os.geteuid() == 0 else []
        self.log = os.path.join(stand.home, f"log{len(stand.edges)}")
        # The search for leaks stops a process by another, which the filter of system calls forbids.
        asan = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [stand.program, "--config", stand.config, *root, *options], stderr=log,
                env={**os.environ, "ASAN_OPTIONS": asan})
        stand.edges.append(self)
        if starts:
            self.started()

    def started(self):
        wait("an edge starts",
             lambda: self.says("process_started") or self.process.poll() is not None)
        expect(f"it runs: {self.text()}", self.process.poll() is None)

    def text(self):
        with open(self.log) as log:
            return log.read()

    def says(self, *words):
        return any(all(w in line for w in words) for line in self.text().splitlines())


class Stand:
    def __init__(self, program, home):
        self.program = program
        self.home = home
        self.config = os.path.join(home, "turnpike.yaml")
        self.edges = []
        self.tls, self.tcp = ports(2)
        os.mkdir(os.path.join(home, "run"), 0o750)
        with open(os.path.join(home, "one.secret"), "w") as f:
            f.write("secret of a test\n")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
                        "/CN=localhost", "-keyout", os.path.join(home, "key.pem"), "-out",
                        os.path.join(home, "cert.pem")], check=True, capture_output=True)
        self.listeners((self.tls, "tls"), (self.tcp, "tcp"))

    def listeners(self, *listeners, dataplane=""):
        with open(self.config, "w") as f:
            f.write(CONFIG.format(pid=os.getpid(), home=self.home, dataplane=dataplane, listeners=", ".join(
                f"{{address: 127.0.0.1, port: {port}, transport: {transport}}}"
                for port, transport in listeners)))

    def path(self, name):
        return os.path.join(self.home, "run", name)

    def stop(self):
        for edge in self.edges:
            if edge.process.poll() is None:
                edge.process.kill()
            edge.process.wait()


class Client:
    """Has begun a handshake of TLS: the process stays with it."""

    def __init__(self, stand):
        self.socket = socket.create_connection(("127.0.0.1", stand.tls))
        self.socket.settimeout(300)
        self.come, self.go = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.tls = context.wrap_bio(self.come, self.go)
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        self.rest = self.go.read()
        self.socket.sendall(self.rest[:5])
        self.rest = self.rest[5:]

    def finish(self):
        self.socket.sendall(self.rest)
        while True:
            try:
                self.tls.do_handshake()
                self.socket.sendall(self.go.read())
                return
            except ssl.SSLWantReadError:
                self.socket.sendall(self.go.read())
                bytes_ = self.socket.recv(65536)
                expect("the handshake goes on", bytes_)
                self.come.write(bytes_)


def begun(stand, edge):
    """A client that the edge has looked at: it reads them in the order in which they come."""
    client = Client(stand)
    after = socket.create_connection(("127.0.0.1", stand.tls))
    after.sendall(b"GET / HTTP/1.1\r\n\r\n")
    wait("the edge reads", lambda: edge.says("connection_closed", "reason=alien"))
    after.close()
    return client
