#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Real servers behind the sources: each source gives the same answers, says when its server is
stopped, silent or gone, and finds it again. Arguments: the program `ask`, then the type."""

import contextlib
import http.server
import json
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

REALM = "users.example"
KEY = "5a12a5b8b0c3a29a8b6e13f4cc1e72d1"
USERS = {"alice": KEY, "sha": bytes(range(32)).hex(), "o'neil": KEY, "broken": "no key"}
PASSWORD = "hunter2"
# Longer than an answer may be.
PAGE = b"<!DOCTYPE html>" + b" " * (1 << 20)
# As KEYS_SQL of users.h.
OTHER = "another.example"
SECRETS = [(REALM, "north o'wind"), (REALM, "south"), (REALM, ""), (OTHER, "foreign")]
TOKEN_KEYS = [("whole", "AQIDBA==", 1000, 0, "A256GCM", REALM),
              ("short", "BQYHCA==", 1000, 3600, "A128GCM", ""),
              ("foreign", "AQIDBA==", 0, 0, "", OTHER),
              ("no key", "?", 0, 0, "", REALM),
              ("no cipher", "AQIDBA==", 0, 0, "RC4", REALM)]


class Failure(Exception):
    pass


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options)


def wait(what, condition):
    end = time.monotonic() + 300
    while not condition():
        if time.monotonic() > end:
            raise Failure(what)
        time.sleep(0.05)


class Ask:
    """The source, opened once."""

    def __init__(self, program, *arguments):
        self.p = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def says(self, check):
        self.p.stdin.write(check + "\n")
        self.p.stdin.flush()
        text = ""
        for line in self.p.stdout:
            if line.startswith("verdict "):
                return line == "verdict ok\n", text
            text += line
        return False, text + "it ended"

    def expect(self, check):
        good, text = self.says(check)
        if not good:
            raise Failure(f"{check}: {text}")
        print("ok -", check)

    def comes_to(self, check):
        wait(check, lambda: self.says(check)[0])
        print("ok -", check)

    def close(self):
        self.p.stdin.close()
        self.p.wait()


class Redis:
    def __init__(self, home):
        self.socket = os.path.join(home, "redis.sock")
        self.command = ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "",
                        "--requirepass", PASSWORD, "--dir", home]
        self.value = f"ip={self.socket} dbname=3 password={PASSWORD}"

    def cli(self, *command):
        return subprocess.run(["redis-cli", "-s", self.socket, "-n", "3", *command],
                              capture_output=True, text=True,
                              env={**os.environ, "REDISCLI_AUTH": PASSWORD}).stdout.strip()

    def start(self):
        self.p = subprocess.Popen(self.command, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        wait("redis starts", lambda: self.cli("PING") == "PONG")
        for name, key in USERS.items():
            self.cli("SET", f"turn/realm/{REALM}/user/{name}/key", key)
        for realm, value in SECRETS:
            self.cli("SADD", f"turn/realm/{realm}/secret", value)
        for kid, key, timestamp, lifetime, algorithm, realm in TOKEN_KEYS:
            self.cli("HMSET", f"turn/oauth/kid/{kid}", "ikm_key", key, "as_rs_alg", algorithm,
                     "timestamp", str(timestamp), "lifetime", str(lifetime), "realm", realm)

    def lie(self):
        """Of one user, and of one key."""
        self.cli("DEL", f"turn/realm/{REALM}/user/alice/key", "turn/oauth/kid/no key")
        self.cli("RPUSH", f"turn/realm/{REALM}/user/alice/key", KEY)
        self.cli("RPUSH", "turn/oauth/kid/a list", "AQIDBA==")

    def repent(self):
        self.cli("SET", f"turn/realm/{REALM}/user/alice/key", KEY)

    def pids(self):
        return [self.p.pid]

    def stop(self):
        self.p.kill()
        self.p.wait()


def sql_values(rows):
    def value(v):
        return str(v) if isinstance(v, int) else "'" + v.replace("'", "''") + "'"
    return ", ".join("(" + ", ".join(map(value, row)) + ")" for row in rows)


def postgresql_programs():
    root = "/usr/lib/postgresql"
    versions = sorted(os.listdir(root), key=float) if os.path.isdir(root) else []
    return os.path.join(root, versions[-1], "bin") if versions else None


class Postgresql:
    """As a user of its own, since the server refuses to be root."""

    def __init__(self, home):
        self.bin = postgresql_programs()
        self.home = home
        self.data = os.path.join(home, "data")
        self.demote = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(home, user.pw_uid, user.pw_gid)
            self.demote = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.value = f"host={home} dbname=turn user=turn password={PASSWORD}"
        self.made = False

    def tool(self, name, *arguments, **options):
        return run(os.path.join(self.bin, name), *arguments, cwd=self.home, **self.demote, **options)

    def make(self):
        secret = os.path.join(self.home, "secret")
        with open(secret, "w") as f:
            f.write(PASSWORD + "\n")
        os.chmod(secret, 0o644)
        self.tool("initdb", "-D", self.data, "-U", "turn", "--pwfile", secret, "-A",
                  "scram-sha-256", "--no-sync")

    def ready(self):
        return subprocess.run([os.path.join(self.bin, "pg_isready"), "-h", self.home],
                              capture_output=True).returncode == 0

    def sql(self, database, text):
        return run("psql", "-q", "-h", self.home, "-U", "turn", database, input=text,
                   env={**os.environ, "PGPASSWORD": PASSWORD})

    def start(self):
        if not self.made:
            self.make()
        self.p = subprocess.Popen(
            [os.path.join(self.bin, "postgres"), "-D", self.data, "-k", self.home, "-h", "", "-F"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.home, **self.demote)
        wait("postgresql starts", self.ready)
        if not self.made:
            self.sql("postgres", "CREATE DATABASE turn;")
            rows = ", ".join("('%s', '%s', '%s')" % (REALM, n.replace("'", "''"), k)
                             for n, k in USERS.items())
            self.sql("turn", "CREATE TABLE turnusers_lt (realm varchar(127) default '', "
                             "name varchar(512), hmackey char(128), PRIMARY KEY (realm, name));"
                             f"INSERT INTO turnusers_lt VALUES {rows};"
                             "CREATE TABLE turn_secret (realm varchar(127) default '', "
                             "value varchar(256), primary key (realm, value));"
                             f"INSERT INTO turn_secret VALUES {sql_values(SECRETS)};"
                             "CREATE TABLE oauth_key (kid varchar(128), ikm_key varchar(256), "
                             "timestamp bigint default 0, lifetime integer default 0, "
                             "as_rs_alg varchar(64) default '', realm varchar(127), "
                             "primary key (kid));"
                             f"INSERT INTO oauth_key VALUES {sql_values(TOKEN_KEYS)};")
        self.made = True

    def lie(self):
        """A view that fails at one user."""
        self.sql("turn", "ALTER TABLE turnusers_lt RENAME TO users; CREATE VIEW turnusers_lt AS "
                         "SELECT realm, name, CASE WHEN name = 'alice' THEN name::int::text "
                         "ELSE hmackey::text END AS hmackey FROM users;")

    def repent(self):
        self.sql("turn", "DROP VIEW turnusers_lt; ALTER TABLE users RENAME TO turnusers_lt;")

    def pids(self):
        children = run("pgrep", "-P", str(self.p.pid)).stdout.split()
        return [self.p.pid, *map(int, children)]

    def stop(self):
        # The server's own way of a crash: its children go with it, and it recovers at the start.
        self.p.send_signal(signal.SIGQUIT)
        self.p.wait()


class Http:
    """The operator's server: TLS with certificates of both sides, and a bearer token."""

    TOKEN = "token-hunter2"

    def __init__(self, home):
        self.home = home
        self.silent = threading.Event()
        self.bad = None
        self.certificates()
        self.port = None

    def certificates(self):
        self.ca, self.cert, self.key = (os.path.join(self.home, n) for n in ("ca", "cert", "key"))
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", self.key, "-out", self.cert, "-subj", "/CN=localhost", "-addext",
            "subjectAltName=IP:127.0.0.1", "-days", "2")
        shutil.copy(self.cert, self.ca)

    @property
    def value(self):
        return f"https://127.0.0.1:{self.port}/turn"

    def handler(self):
        stand = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                stand.silent.wait(0)
                while stand.silent.is_set():
                    time.sleep(0.05)
                code, answer = stand.answer(body, self.headers)
                self.send_response(code)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        return Handler

    def answer(self, body, headers):
        if self.bad:
            return self.bad
        if headers["Authorization"] != "Bearer " + self.TOKEN:
            return 401, b"{}"
        # As a server in C may read it.
        name = body.get("username", "").split("\0")[0]
        if body["realm"] != REALM or name not in USERS:
            return 404, b"{}"
        return 200, json.dumps({"key": USERS[name], "life": 9}).encode()

    def start(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port or 0), self.handler())
        self.server.daemon_threads = True
        # Clients give up here.
        self.server.handle_error = lambda *_: None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        context.load_verify_locations(self.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.bad = (503, b"")
        self.server.shutdown()
        self.server.server_close()

    def arguments(self):
        return [self.value, self.TOKEN, self.ca, self.cert, self.key]


def endless_serve(listener):
    while True:
        connection, _ = listener.accept()
        # One that found the answers too slow comes again.
        with contextlib.suppress(ConnectionError), connection:
            while command := connection.recv(4096):
                connection.sendall(
                    b"*2\r\n$1\r\n7\r\n*0\r\n" if b"SCAN" in command else b"+OK\r\n")


def redis_check(program, kind, server):
    """A database so large that a SCAN finds no end, too."""
    path = server.socket + ".endless"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        threading.Thread(target=endless_serve, args=(listener,), daemon=True).start()
        ask = Ask(program, kind, f"ip={path}")
        ask.comes_to("endless")
        ask.close()
    database_check(program, kind, server)


def silence(server, on):
    for pid in server.pids():
        os.kill(pid, signal.SIGSTOP if on else signal.SIGCONT)


def database_check(program, kind, server):
    server.start()
    ask = Ask(program, kind, server.value)
    ask.expect("users")
    ask.comes_to("keys")
    server.lie()
    ask.expect("refused")
    ask.expect("keys")
    server.repent()
    ask.expect("users")
    silence(server, True)
    ask.expect("down")
    silence(server, False)
    ask.expect("users")
    server.stop()
    ask.expect("down")
    server.start()
    ask.expect("users")
    ask.comes_to("keys")
    ask.close()
    wrong = Ask(program, kind, server.value.replace(PASSWORD, "hunter2-wrong"))
    wrong.expect("down")
    wrong.close()
    broken = Ask(program, kind, server.value + " nonsense")
    broken.expect("down")
    broken.close()
    server.stop()


def http_check(program, kind, server):
    server.start()
    ask = Ask(program, kind, *server.arguments())
    ask.expect("users")
    server.silent.set()
    ask.expect("down")
    server.silent.clear()
    ask.expect("users")
    for bad in ((500, b""), (302, b""), (401, PAGE), (429, b""), (503, PAGE)):
        server.bad = bad
        ask.expect("down")
    # The fault of one name.
    for bad in ((400, b""), (403, PAGE), (413, b""), (422, PAGE), (200, b"{}"),
                (200, b'{"key": 5}'), (200, b"[" * 3000), (200, PAGE), (200, b'{"key": "' + KEY[:-1].encode() + b'"}')):
        server.bad = bad
        ask.expect("refused")
    server.bad = 404, PAGE
    ask.expect("unknown")
    server.bad = None
    ask.expect("users")
    server.stop()
    ask.expect("down")
    server.bad = None
    server.start()
    ask.expect("users")
    ask.close()
    other = Ask(program, kind, server.value, "hunter2-other", *server.arguments()[2:])
    other.expect("down")
    other.close()
    nobody = Ask(program, kind, *server.arguments()[:2])
    nobody.expect("down")
    nobody.close()
    server.stop()


SERVERS = {"redis": (Redis, redis_check, lambda: shutil.which("redis-server")),
           "postgresql": (Postgresql, database_check, postgresql_programs),
           "http": (Http, http_check, lambda: shutil.which("openssl"))}


def main():
    program, kind = sys.argv[1:]
    server, check, there = SERVERS[kind]
    if not there():
        print("skipped: no", kind, "server (tools/packages install lab)")
        return 77
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o755)
        stand = server(home)
        try:
            check(program, kind, stand)
        except Failure as e:
            print("not ok -", e)
            return 1
        finally:
            try:
                silence(stand, False)
                stand.stop()
            except Exception:
                pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
