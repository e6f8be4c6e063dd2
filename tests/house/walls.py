# SPDX-License-Identifier: BSD-3-Clause
"""The walls between folders: which folder may include the headers of which."""
import os
import re

# Each folder of C code, and the folders whose headers it may include beside its own and the
# contract (include/turnpike). A folder that is not listed here fails the check.
WALLS = {
    "include/turnpike": "",
    "lib/text": "",
    "lib/log": "lib/text",
    "lib/ds": "",
    "lib/fdpass": "",
    "lib/policy": "lib/text",
    "lib/precis": "",
    "lib/conf": "lib/text lib/log lib/policy lib/precis",
    "lib/ctl": "lib/text lib/fdpass",
    "lib/stun": "lib/ds",
    "lib/shm": "lib/text",
    "lib/entry": "",
    "lib/process": "lib/conf lib/fdpass lib/log lib/shm",
    "dataplane/core": "lib/entry lib/stun",
    "dataplane/stage": "lib/entry dataplane/core",
    "dataplane/frag": "lib/entry",
    "dataplane/steer": "lib/log",
    "dataplane/io": "lib/log dataplane/stage dataplane/steer",
    "dataplane/observe": "dataplane/stage",
    "dataplane/worker":
        "lib/fdpass lib/shm dataplane/core dataplane/frag dataplane/stage dataplane/io "
        "dataplane/observe dataplane/steer",
    "dataplane/plane": "lib/* dataplane/*",
    "control/turn": "lib/ds lib/policy lib/stun",
    "control/tables": "lib/entry lib/shm control/turn",
    "control/edge/link": "lib/fdpass lib/log lib/shm",
    "control/lookup": "lib/log control/turn",
    "control/directory/source": "lib/conf lib/process lib/text",
    "control/directory/service": "lib/conf lib/log lib/process control/directory/source",
    "control/directory": "lib/* control/directory/source control/directory/service",
    "control/net": "",
    "control/ctl": "lib/text lib/log lib/fdpass lib/ctl",
    "control/settings": "lib/* control/tables control/turn",
    "control/link": "lib/* control/tables control/turn control/net control/settings",
    "control/operator":
        "lib/* control/tables control/turn control/net control/ctl control/settings control/link "
        "control/lookup",
    "control/plan": "lib/* control/tables control/settings",
    "control/process": "lib/* control/*",
    # The process turnpike-edge. It shares no library with the control process beyond lib/.
    "control/edge/wire": "lib/text",
    "control/edge/bounds": "lib/ds",
    "control/edge/takeover": "lib/fdpass",
    "control/edge/tls": "",
    "control/edge/meter": "lib/ds",
    "control/edge/tcp": "",
    "control/edge/relay": "lib/ds control/edge/meter control/edge/tcp",
    "control/edge/dtls": "control/edge/tls",
    "control/edge":
        "lib/* control/ctl control/edge/serve control/edge/link control/edge/relay "
        "control/edge/meter control/edge/takeover control/edge/tls",
    "control/edge/serve":
        "lib/* control/edge/wire control/edge/bounds control/edge/tls control/edge/dtls "
        "control/edge/link control/edge/meter control/edge/takeover control/edge/tcp",
    "tools/relayctl": "lib/*",
    "tools/options": "",
    "tools/turnclient": "",
    "tools/stream": "tools/turnclient tools/options",
    "tools/relaybench/common": "lib/shm",
    "tools/relaybench/traffic": "lib/entry lib/stun dataplane/core tools/relaybench/common",
    # These two measure from inside the processes; the others see a relay from outside.
    "tools/relaybench/core": "lib/* control/tables dataplane/* tools/options tools/relaybench/*",
    "tools/relaybench/setup":
        "lib/* control/* tools/options tools/turnclient tools/relaybench/common "
        "tools/relaybench/traffic",
    "tools/relaybench/load": "tools/options tools/turnclient tools/relaybench/common",
    "tools/relaybench/streams":
        "tools/options tools/turnclient tools/relaybench/common tools/relaybench/load",
    "tools/relaybench/compare": "tools/relaybench/common",
    "tools/relaybench/export":
        "tools/options tools/relaybench/common tools/relaybench/load tools/relaybench/traffic",
}

# Programs: the main files of the two processes.
ROOTS = {"dataplane": "lib/* dataplane/*", "control": "lib/* control/*"}

# Folders without input, output, clock or threads: nothing but these system headers.
PURE = ("include/turnpike lib/ds lib/entry lib/policy lib/stun dataplane/core "
        "dataplane/frag dataplane/stage "
        "control/turn control/edge/wire control/edge/bounds").split()
PURE_HEADERS = re.compile(
    r"(assert|ctype|[a-z]?mmintrin|endian|errno|inttypes|limits|stdalign|stdarg|stdatomic|stdbool"
    r"|stddef|stdint|stdio|stdlib|string|x86intrin)\.h|openssl/\w+\.h")

# Folders that may include DPDK's headers.
DPDK = ("dataplane/io dataplane/observe dataplane/plane dataplane/worker "
        "tools/relaybench/common tools/relaybench/core").split()

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


class Walls:
    def __init__(self, files):
        self.files = set(files)
        self.code = [f for f in files if f.endswith((".c", ".h"))]
        # "turn/server.h" → "control/turn/include/turn/server.h"
        self.public = {}
        for f in self.code:
            match = re.match(r"(?:.*/)?include/([^/]+/[^/]+\.h)$", f)
            if match:
                self.public.setdefault(match.group(1), f)

    @staticmethod
    def folder(path):
        """The folder of WALLS that a file belongs to; the top folder for a file right in it."""
        parts = path.split("/")
        deep = "/".join(parts[:3])
        if len(parts) > 3 and deep in WALLS:
            return deep
        return "/".join(parts[:2]) if len(parts) > 2 else parts[0]

    def target(self, path, quoted, name):
        """The file of the tree that an #include names, or None for a system header."""
        if quoted:
            near = os.path.normpath(os.path.join(os.path.dirname(path), name))
            if near in self.files:
                return near
            # A subfolder of a library sees the library's own root.
            root = os.path.join(self.folder(path), name)
            return root if root in self.files else None
        return self.public.get(name)

    def includes(self, path):
        with open(path, encoding="utf-8") as file:
            for kind, name in INCLUDE.findall(file.read()):
                yield name, self.target(path, kind == '"', name)


def allowed(folder, other):
    rule = WALLS[folder] if folder in WALLS else ROOTS[folder]
    return any(other == entry or entry.endswith("/*") and other.startswith(entry[:-1])
               for entry in rule.split())


def product(walls):
    """The files to which the walls apply."""
    for path in walls.code:
        if path.split("/")[0] in ("include", "lib", "dataplane", "control"):
            yield path, walls.folder(path)
        elif path.startswith("tools/") and walls.folder(path) in WALLS:
            yield path, walls.folder(path)


def check_arrows(files):
    walls = Walls(files)
    bad = []
    for path, folder in product(walls):
        if folder not in WALLS and folder not in ROOTS:
            bad.append(f"{path}: folder {folder} has no row in tests/house/walls.py")
            continue
        for name, target in walls.includes(path):
            if target is None:
                continue
            other = walls.folder(target)
            if other not in (folder, "include/turnpike") and not allowed(folder, other):
                bad.append(f"{path}: {folder} must not include {name} of {other}")
    return bad


def check_processes(files):
    """Neither process sees the other, and no library sees a process."""
    walls = Walls(files)
    apart = {"control": ("dataplane", "tools"), "dataplane": ("control", "tools"),
             "lib": ("control", "dataplane", "tools"),
             "include": ("lib", "control", "dataplane", "tools")}
    bad = []
    for path in walls.code:
        for name, target in walls.includes(path):
            if target and target.split("/")[0] in apart.get(path.split("/")[0], ()):
                bad.append(f"{path}: includes {name} of {target.split('/')[0]}/")
    return bad


def check_dpdk(files):
    walls = Walls(files)
    return [f"{path}: {folder} must not include {name} of DPDK"
            for path, folder in product(walls) for name, _ in walls.includes(path)
            if name.startswith("rte_") and folder not in DPDK]


def check_pure(files):
    walls = Walls(files)
    return [f"{path}: {folder} does no input or output: no {name}"
            for path, folder in product(walls) if folder in PURE
            for name, target in walls.includes(path)
            if target is None and not PURE_HEADERS.fullmatch(name)]


def check_tree(files):
    """Each folder of the table exists."""
    there = {Walls.folder(path) for path in files}
    return [f"{folder}: there is no such folder" for folder in WALLS if folder not in there]
