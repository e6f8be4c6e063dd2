#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each key of docs/configuration.md: its change is named by a reload, which says right when it takes
effect. Arguments: the program `show`, then the page."""

import copy
import json
import os
import re
import subprocess
import sys
import tempfile

CONTROL, START, EDGE, EDGE_START, DIRECTORY = "control", "start", "edge", "edge-start", "directory"

BACKEND = {"address": "10.0.0.9", "port": 1}
BASE = {
    "dataplane": {"ports": [{"interface": "lo"}]},
    "listeners": [{"address": "10.0.0.1"},
                  {"address": "10.0.0.1", "port": 3480, "transport": "tls", "backends": [BACKEND],
                   "websocket": {"path": "/turn", "origins": ["a"]}},
                  *({"address": a, "port": p} for a, p in (
                      ("10.0.0.1", 3481), ("10.0.0.2", 3478), ("10.0.0.2", 3481)))],
    "relay": {"addresses": ["10.0.0.1"],
              "external": [{"private": "10.0.0.1", "public": "192.0.2.1"}]},
    "edge": {"certificates": [{"certificate": "a"}], "ticket_key_file": "secret-a"},
    "users": [{"name": "alice", "password_file": "secret-a"}],
    "secrets": [{"id": "one", "secret_file": "secret-a"}],
    "tokens": {"server_name": "turn", "keys": [{"id": "one", "key_file": "token-a"}]},
    "realms": [{"name": "other", "secrets": [{"id": "one", "secret_file": "secret-a"}],
                "users": [{"name": "alice", "password_file": "secret-a"}],
                "tokens": {"server_name": "turn", "keys": [{"id": "one", "key_file": "token-a"}]},
                "policies": [{"name": "a", "users": ["alice"]}]}],
    "directory": {"sources": [
        {"name": "a", "type": "sqlite", "path": "a", "realms": ["turnpike"]},
        {"name": "b", "type": "redis", "connection_file": "secret-a", "realms": ["b"]},
        {"name": "c", "type": "http", "url": "https://a", "bearer_file": "secret-a",
         "certificate": "a", "key_file": "a", "realms": ["c"]}]},
    "policies": [{"name": "a", "users": ["alice"]}],
    "protocol": {"tls_alternate_servers": ["10.0.0.8:5349"]},
}
FILES = {"secret-a": "0123456789abcdef0123456789abcdef\n",
         "secret-b": "fedcba9876543210fedcba9876543210\n",
         "key": "5a12a5b8b0c3a29a8b6e13f4cc1e72d1\n",
         "users": "bob:5a12a5b8b0c3a29a8b6e13f4cc1e72d1\n",
         "token-a": "MDEyMzQ1Njc4OWFiY2RlZg==\n", "token-b": "ZmVkY2JhOTg3NjU0MzIxMA==\n"}

# Values that do not follow from the page.
VALUES = {
    "instance": "other", "realm": "elsewhere", "users_file": "users",
    "dataplane.ports": [{"device": "net_null0"}], "dataplane.cores": [1],
    "dataplane.mbufs": 8192, "listeners[].address": "10.0.0.4", "listeners[].realm": "other",
    "listeners[].transport": "tcp", "listeners[].client_ca": "b", "listeners[].names": ["a"],
    "listeners[].proxies": ["10.1.0.0/16"], "listeners[].backends[].names": ["a"],
    "listeners[].backends[].address": "10.0.0.8", "listeners[].backends[].port": 2,
    "listeners[].websocket.path": "/b", "listeners[].websocket.origins": ["*"],
    "relay.addresses": ["10.0.0.3"], "relay.ports": "50000-50100", "relay.external[].private": None,
    "relay.external[].public": "192.0.2.2", "edge.connections": 20000,
    "users[].name": "carol", "secrets[].id": "two", "tokens.keys[].id": "two",
    "origins": ["a"], "peers.allow": ["10.0.0.0/8"], "peers.deny": ["0.0.0.0/0:25"],
    "peers.local": ["10.0.0.1:20000"], "users": ["bob"], "allow": ["10.0.0.0/8"],
    "deny": ["8.8.8.8/32"], "limits.allocations": 2000, "limits.entries": 200000,
    "protocol.alternate_servers": ["10.0.0.9:3478"],
    "protocol.tls_alternate_servers": ["10.0.0.9:5349"],
    "protocol.credential_separator": "|",
    "directory.sources[].type": "postgresql", "directory.sources[].realms": ["d"],
    "limits.max_lifetime": 7200, "protocol.channel_max": 0x7fff, "protocol.default_family": "keep",
    "directory.sources[].name": "z", "directory.sources[].url": "https://b", "connections": 9, "queue": 999,
}
FILE_VALUES = {"password_file": "secret-b", "secret_file": "secret-b", "bearer_file": "secret-b",
               "connection_file": "secret-b", "ticket_key_file": "secret-b"}
# The element of a list, if it is not the first; keys that leave with the change, and keys that come.
PLACES = {r"listeners\[\]\.(transport|certificate|client_ca|proxies|names|backends|websocket)": 1,
          r"directory\.sources\[\]\.(type|connection_file)": 1,
          r"directory\.sources\[\]\.(url|bearer_file|ca_file|certificate|key_file)": 2}
WITHOUT = {"dataplane.ports[].kernel": "interface", "dataplane.ports[].mtu": "interface",
           "dataplane.ports[].device": "interface", "users[].key_file": "password_file",
           "listeners[].transport": "backends"}
WITH = {"dataplane.ports[].kernel": {"device": "net_null0"},
        "dataplane.ports[].mtu": {"device": "net_null0", "kernel": "tap0"}}
# When each takes effect, by the first expression that fits.
EFFECTS = [
    (r"(instance|runtime_directory|relay\.ports|peers\.local|log\.format)$", START),
    (r"(dataplane|segment|control)\.", START),
    (r"limits\.(allocations|entries)$", START),
    (r"relay\.external|realms\[\]\.name$", START),
    (r"relay\.addresses$", EDGE),
    (r"edge\.(threads|connections)$", EDGE_START),
    (r"edge\.", EDGE),
    (r"listeners\[\]\.(proxies|names|backends|websocket)", EDGE_START),
    (r"listeners\[\]\.(transport|certificate|client_ca)", EDGE),
    (r"directory\.", DIRECTORY),
    (r"", CONTROL),
]


def keys_of(page):
    """(path, the column of values, the default) of each key that has no keys of its own."""
    section = ""
    with open(page, encoding="utf-8") as f:
        for line in f:
            if line.startswith("## `"):
                section = line.split("`")[1] + "."
            cells = [c.strip() for c in line.split("|")[1:-1]]
            if len(cells) == 4 and cells[0].startswith("`") and "keys" not in cells[1]:
                yield section + cells[0].strip("`"), cells[1], cells[2].strip("`")


def value_of(path, kind, default):
    name = path.rpartition(".")[2]
    for key in (path, path.replace("realms[].", "", 1), name if path.startswith(
            ("realms[]", "policies[]", "directory")) else None):
        if key in VALUES:
            return VALUES[key]
    if name in FILE_VALUES:
        return FILE_VALUES[name]
    if name == "key_file" and "users" in path:
        return "key"
    if name == "key_file" and "tokens" in path:
        return "token-b"
    if "`true`" in kind:
        return default != "true"
    if kind.startswith("`"):
        return next(c for c in re.findall(r"`(.*?)`", kind) if c != default)
    if found := re.match(r"(0x\w+|\d+) to (0x\w+|\d+)", kind):
        low, high = (int(n, 0) for n in found.groups())
        return low if str(low) != default and default not in ("", "none") else high
    if kind.startswith("number"):
        return 77
    if kind == "time in UTC":
        return "2026-01-01" if "before" in path else "2096-01-01"
    return "/b" if kind == "path" else "b"


def place(conf, path):
    """The map that holds the key of the path."""
    at = conf
    done = ""
    for part in path.split(".")[:-1]:
        done += part
        at = at.setdefault(part.removesuffix("[]"), [{}] if part.endswith("[]") else {})
        if part.endswith("[]"):
            rest = path[len(done) + 1:]
            index = next((i for expression, i in PLACES.items()
                          if part in expression.replace("\\", "") and
                          re.match(expression, f"{done}.{rest}")), 0)
            at = at[index]
        done += "."
    return at


def change(path, kind, default):
    conf = copy.deepcopy(BASE)
    at = place(conf, path)
    name = path.rpartition(".")[2]
    value = value_of(path, kind, default)
    if path == "relay.external[].private":
        conf["relay"]["external"] = []
    else:
        at[name] = value
    if path in WITHOUT or path.removeprefix("realms[].") in WITHOUT:
        at.pop(WITHOUT.get(path) or WITHOUT[path.removeprefix("realms[].")], None)
    at.update(WITH.get(path, {}))
    return conf


def named_as(path):
    """The key of the change: that of the list, or of the realm, where it is in one."""
    return "users" if path == "users_file" else path.split("[]")[0]


class Stand:
    def __init__(self, program, home):
        self.program, self.home = program, home
        for name, text in FILES.items():
            with open(os.path.join(home, name), "w", encoding="utf-8") as f:
                f.write(text)
            os.chmod(os.path.join(home, name), 0o600)

    def show(self, to):
        paths = []
        for name, conf in (("from", BASE), ("to", to)):
            paths.append(os.path.join(self.home, name + ".yaml"))
            with open(paths[-1], "w", encoding="utf-8") as f:
                json.dump(conf, f)
        done = subprocess.run([self.program, *paths], capture_output=True, text=True)
        if done.returncode != 0:
            return done.stdout + done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]


def judge(path, shown):
    effect = next(e for expression, e in EFFECTS if re.match(expression, path))
    if isinstance(shown, str):
        return shown.strip()
    if not any(key == named_as(path) for key, _, _ in shown):
        return f"not named: {shown}"
    # A listener or a pair that is changed may be two changes.
    if not any(key == named_as(path) and e == effect for key, e, _ in shown):
        return f"not {effect}: {shown}"
    if any(secret.strip() in text for secret in FILES.values() for _, _, text in shown):
        return f"a secret shows: {shown}"
    return None


def main():
    program, page = sys.argv[1:]
    failed = n = 0
    with tempfile.TemporaryDirectory() as home:
        stand = Stand(program, home)
        for path, kind, default in keys_of(page):
            problem = judge(path, stand.show(change(path, kind, default)))
            failed += problem is not None
            n += 1
            if problem:
                print(f"not ok - {path}: {problem}")
        same = stand.show(BASE)
        if same:
            failed += 1
            print("not ok - nothing changes:", same)
    print(f"{n} keys, {failed} failed")
    return failed > 0 or n < 150


if __name__ == "__main__":
    sys.exit(main())
