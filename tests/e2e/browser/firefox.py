# SPDX-License-Identifier: BSD-3-Clause
"""A Firefox of our own, with the lab's authority in its store, driven by Marionette: JSON with its
length before it, over TCP."""
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PORT = 2828
START_SECONDS_MAX = 120
PREFERENCES = {
    "marionette.port": PORT,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "media.autoplay.default": 0,
    "media.webrtc.enable_pq_hybrid_kex": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.trr.mode": 5,  # names by the system alone
    "toolkit.telemetry.enabled": False,
    # A page that nobody looks at is as quick as another.
    "dom.min_background_timeout_value": 10,
    "dom.timeout.enable_budget_timer_throttling": False,
}


class Firefox:
    """One browser process and its profile; close() leaves nothing of either."""

    def __init__(self, lab, side, namespace, preferences=None):
        self._preferences = {**PREFERENCES, **(preferences or {})}
        self._home = pathlib.Path(tempfile.mkdtemp(prefix="firefox-"))
        try:
            self._start(lab, side)
            self._socket = self._connect(namespace)
            self._rest, self._last = b"", 0
            self._read(time.monotonic() + START_SECONDS_MAX)  # its greeting
            self._call("WebDriver:NewSession", {}, START_SECONDS_MAX)
        except BaseException:
            self._end()
            raise

    def _start(self, lab, side):
        profile = self._home / "profile"
        profile.mkdir()
        (profile / "user.js").write_text("".join(
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in self._preferences.items()), encoding="utf-8")
        for words in (["-N", "--empty-password"],
                      ["-A", "-n", "lab", "-t", "C,,", "-i", lab.ca_file]):
            subprocess.run(["certutil", "-d", f"sql:{profile}", *words], check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        environment = {**os.environ, "HOME": str(self._home), "MOZ_HEADLESS": "1"}
        command = lab.inside(side, "firefox-esr", "--marionette", "--no-remote",
                             "--profile", profile, "about:blank")
        with open(self._home / "firefox.log", "wb") as log:
            self._process = subprocess.Popen(
                command, env=environment, start_new_session=True, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)

    def _connect(self, namespace):
        """A socket keeps the namespace in which it was made."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                with Namespace(namespace):
                    return socket.create_connection(("127.0.0.1", PORT), 5)
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError(f"Firefox does not start: {self.log()}") from None
                time.sleep(0.2)

    def evaluate(self, expression, timeout_s=60):
        """The value of a JavaScript expression of the page, awaited, as plain data."""
        # By an element of the page: Marionette's own scripts see the page's objects from outside.
        self._last += 1
        name = f"answer{self._last}"
        script = ("const s = document.createElement('script'); s.textContent = arguments[0];"
                  "document.documentElement.append(s); s.remove();")
        code = (f"(async () => ({expression}))().then(v => ({{value: v}}), e => ({{error: `${{e}}`}}))"
                f".then(v => {{ document.documentElement.dataset.{name} = JSON.stringify(v); }});")
        deadline = time.monotonic() + timeout_s
        self._call("WebDriver:ExecuteScript", {"script": script, "args": [code]}, timeout_s)
        while True:
            text = self._call("WebDriver:ExecuteScript", {
                "script": f"return document.documentElement.dataset.{name} || null;",
                "args": []}, timeout_s)["value"]
            if text is not None:
                break
            if time.monotonic() > deadline:
                raise TimeoutError("the page did not answer in time")
            time.sleep(0.1)
        answer = json.loads(text)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer.get("value")

    def log(self):
        """Returns the end of the browser's log, for a message about its failure."""
        text = (self._home / "firefox.log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-10:])

    def _call(self, name, parameters, timeout_s=60):
        self._last += 1
        text = json.dumps([0, self._last, name, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        deadline = time.monotonic() + timeout_s
        while True:
            kind, number, error, result = self._read(deadline)
            if kind == 1 and number == self._last:
                break
        if error:
            raise RuntimeError(f"{name}: {error.get('message')}")
        return result

    def _read(self, deadline):
        while True:
            length, colon, rest = self._rest.partition(b":")
            if colon and len(rest) >= int(length):
                self._rest = rest[int(length):]
                return json.loads(rest[:int(length)])
            self._socket.settimeout(max(0.1, deadline - time.monotonic()))
            data = self._socket.recv(1 << 20)
            if not data:
                raise RuntimeError(f"Firefox is gone: {self.log()}")
            self._rest += data

    def close(self):
        self._socket.close()
        self._end()

    def _end(self):
        if hasattr(self, "_process"):
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)


class Namespace:
    """The thread is in the network namespace of this name while inside."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._set(os.open("/run/netns/" + self.name, os.O_RDONLY))

    def __exit__(self, *_):
        self._set(self.home)

    @staticmethod
    def _set(descriptor):
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(descriptor)
