#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Users of databases: makes them in coturn's schema, and allocates as them.

directory.py sqlite FILE REALM N          a turndb with users u0 to uN-1, password pw-NAME
directory.py sql REALM N                  the same as SQL on standard output
directory.py redis REALM N                the same as commands of Redis
directory.py serve PORT REALM N           the same behind HTTP at 127.0.0.1
directory.py allocate --server A ...      one allocation of each user, released at once; prints counts
directory.py steady --server A ...        allocates as time-limited users until SIGTERM; prints counts"""

import argparse
import collections
import hashlib
import http.server
import json
import os
import signal
import sqlite3
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hostile

SCHEMA = "/usr/share/coturn/schema.sql"


def password(name):
    return "pw-" + name


def key(name, realm):
    return hashlib.md5(f"{name}:{realm}:{password(name)}".encode()).hexdigest()


def rows(realm, n):
    return [(realm, f"u{i}", key(f"u{i}", realm)) for i in range(n)]


def sqlite_make(path, realm, n):
    with open(SCHEMA, encoding="utf-8") as f:
        schema = f.read()
    db = sqlite3.connect(path)
    db.executescript(schema)
    db.executemany("INSERT INTO turnusers_lt (realm, name, hmackey) VALUES (?, ?, ?)", rows(realm, n))
    db.commit()
    db.close()


def serve(port, realm, n):
    keys = {name: k for _, name, k in rows(realm, n)}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            q = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = q["realm"] == realm and q.get("username") in keys
            body = json.dumps({"key": keys[q["username"]]} if found else {}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print("serves, pid", os.getpid(), flush=True)
    server.serve_forever()


class User(hostile.Client):
    """A user of a database."""

    def __init__(self, server, name, secret=None):
        super().__init__(server, name, secret or b"")
        if secret is None:
            self.user, self.password = name, password(name)


def once(server, name, counts, lock, secret=None):
    client = User(server, name, secret)
    try:
        code = client.allocate()
        if code == 0:
            client.refresh(0)
    except OSError as e:
        code = f"error {e.errno}"
    client.socket.close()
    with lock:
        counts["allocated" if code == 0 else str(code)] += 1
        counts["resent"] += client.resent
        counts["most_resent"] = max(counts["most_resent"], client.resent)


def in_threads(n_threads, body):
    threads = [threading.Thread(target=body, args=(i,)) for i in range(n_threads)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def allocate(a):
    counts, lock = collections.Counter(), threading.Lock()
    first, last = (int(x) for x in a.users.split("-"))

    def body(index):
        for i in range(first + index, last + 1, a.threads):
            once(a.server, f"{a.prefix}{i}", counts, lock)

    in_threads(min(a.threads, last - first + 1), body)
    print(json.dumps(counts))
    return 0


def steady(a):
    counts, lock, stop = collections.Counter(), threading.Lock(), threading.Event()
    with open(a.secret_file, "rb") as f:
        secret = f.read().strip()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def body(index):
        n = 0
        while not stop.is_set():
            once(a.server, f"steady{index}-{n}", counts, lock, secret)
            n += 1

    in_threads(a.threads, body)
    print(json.dumps(counts), flush=True)
    return 0


def main():
    if len(sys.argv) > 3 and sys.argv[1] == "sqlite":
        return sqlite_make(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    if len(sys.argv) == 4 and sys.argv[1] == "sql":
        for row in rows(sys.argv[2], int(sys.argv[3])):
            print("INSERT INTO turnusers_lt (realm, name, hmackey) VALUES ('%s', '%s', '%s');" % row)
        return 0
    if len(sys.argv) == 5 and sys.argv[1] == "serve":
        return serve(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    if len(sys.argv) == 4 and sys.argv[1] == "redis":
        for row in rows(sys.argv[2], int(sys.argv[3])):
            print("SET turn/realm/%s/user/%s/key %s" % row)
        return 0
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("command", choices=("allocate", "steady"))
    p.add_argument("--server", required=True)
    p.add_argument("--users", default="0-0")
    p.add_argument("--prefix", default="u")
    p.add_argument("--threads", type=int, default=8)
    p.add_argument("--secret-file")
    a = p.parse_args()
    return allocate(a) if a.command == "allocate" else steady(a)


if __name__ == "__main__":
    sys.exit(main())
