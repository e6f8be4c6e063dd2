# SPDX-License-Identifier: BSD-3-Clause
"""The call's interface to tools/lab: its names, and how to run a command inside."""
import os
import pathlib
import subprocess

TOOLS = pathlib.Path(__file__).resolve().parents[2]
PORT = "8443"


class Lab:
    """One lab by its name. Asks `tools/lab env`, the lab's own list of names and addresses."""

    def __init__(self, name):
        self.name = name
        answer = subprocess.run([TOOLS / "lab", "--name", name, "env"], check=False,
                                capture_output=True, text=True)
        if answer.returncode != 0:
            raise ValueError(answer.stderr.strip() or "tools/lab env failed")
        self._names = dict(line.split("=", 1) for line in answer.stdout.splitlines())
        self.directory = pathlib.Path(self._names["TP_LAB_DIR"])
        self.links_file = self.directory / "voicecall.json"
        self.log_file = self.directory / "voicecall.log"
        self.server_address = (self._names["TP_NET4"], PORT)
        self.ca_file = self._names["TP_CA"]
        self.secret_file = self._names["TP_SECRET_FILE"]

    def check_up(self):
        if not self.directory.is_dir():
            option = "" if self.name == "lab" else f" --name {self.name}"
            raise ValueError(f"the lab is down; first: tools/lab up{option}")

    def inside(self, side, *command):
        """The command's arguments, to be run in the namespace of a, b, relay or net."""
        return [str(TOOLS / "lab"), "--name", self.name, "run", side, "--", *map(str, command)]

    def is_inside(self):
        """Whether `tools/lab run` started this process."""
        return os.environ.get("TURNPIKE_LAB") == str(self.directory)

    def fill(self, args):
        """The arguments of `serve` as the lab wants them, where they were not given."""
        args.listen = args.listen or ":".join(self.server_address)
        args.certificate = args.certificate or str(self.directory / "call.pem")
        args.key = args.key or str(self.directory / "call.key")
        args.origin = args.origin or [f"https://{self._names['TP_CALL_NAME']}:{PORT}"]
        args.links_file = args.links_file or str(self.links_file)
        args.relay_socket = args.relay_socket or self._names["TP_SOCKET"]
        built = pathlib.Path(self._names["TP_BUILD"]) / "tools/relayctl/relayctl"
        args.relayctl = args.relayctl or (str(built) if built.exists() else None)
