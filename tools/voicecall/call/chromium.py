# SPDX-License-Identifier: BSD-3-Clause
"""A Chromium of our own: fresh profile, the lab's authority in its store, driven over a pipe."""
import base64
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from .devtools import Gone, Pipe

END_SECONDS_MAX = 5

FLAGS = (
    "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream", "--password-store=basic",
    # A test's page must not be slowed because nobody looks at it.
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
)
HEADLESS_FLAGS = ("--headless=new", "--disable-gpu", "--hide-scrollbars", "--mute-audio")
GENERATED_MICROPHONE = "--use-fake-device-for-media-stream"


def need_programs():
    """Raises with the remedy where Chromium or certutil are not installed."""
    for program, package in (("chromium", "chromium"), ("certutil", "libnss3-tools")):
        if not shutil.which(program):
            raise ValueError(f"{program} is not here; first: apt-get install {package}, or "
                             "tools/packages install browser")


def has_microphone():
    """Whether the machine has a device that records."""
    return any(pathlib.Path("/dev/snd").glob("pcmC*c"))


class Chromium:
    """One browser process and its profile; close() leaves nothing of either. `microphone`: the
    machine's own; else a generated one, which plays audio_file (WAV) or beeps."""

    def __init__(self, lab, side, *, headless=True, microphone=False, audio_file=None,
                 size=(1280, 800)):
        self._home = pathlib.Path(tempfile.mkdtemp(prefix="voicecall-"))
        try:
            self._trust(lab.ca_file)
            flags = [*FLAGS, f"--user-data-dir={self._home / 'profile'}",
                     f"--window-size={size[0]},{size[1]}"]
            if headless:
                flags += HEADLESS_FLAGS
            if not microphone:
                flags.append(GENERATED_MICROPHONE)
            if audio_file:
                flags.append(f"--use-file-for-fake-audio-capture={audio_file}")
            if os.geteuid() == 0:
                flags.append("--no-sandbox")
            self._start(lab.inside(side, "chromium", *flags, "about:blank"))
        except BaseException:
            shutil.rmtree(self._home, ignore_errors=True)
            raise

    def _trust(self, ca_file):
        store = self._home / ".pki" / "nssdb"
        store.mkdir(parents=True)
        for words in (["-N", "--empty-password"],
                      ["-A", "-n", "lab", "-t", "C,,", "-i", ca_file]):
            subprocess.run(["certutil", "-d", f"sql:{store}", *words], check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def _start(self, command):
        # The browser's ends must become 3 and 4, so they start out above both.
        near, far = zip(*(_pipe_ends(write) for write in (True, False)))
        environment = {**os.environ, "HOME": str(self._home)}
        authority = pathlib.Path.home() / ".Xauthority"
        if "DISPLAY" in os.environ and authority.exists():
            environment.setdefault("XAUTHORITY", str(authority))
        with open(self._home / "chromium.log", "wb") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", f'exec "$@" 3<&{far[0]} 4>&{far[1]}', "bash", *command],
                pass_fds=far, env=environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for end in far:
            os.close(end)
        self._pipe = Pipe(*near)

    def open(self, url):
        """The page at url, in the window that is there already."""
        targets = self._pipe.call("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        session = self._pipe.call("Target.attachToTarget",
                                  {"targetId": target, "flatten": True})["sessionId"]
        page = Page(self._pipe, session)
        page.go(url)
        return page

    def log(self):
        """Returns the end of the browser's log, for a message about its failure."""
        text = (self._home / "chromium.log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-10:])

    def close(self):
        try:
            self._pipe.call("Browser.close", timeout_s=END_SECONDS_MAX)
        except (Gone, TimeoutError, RuntimeError):
            pass
        self._pipe.close()
        try:
            self._process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)


class Page:
    """One page of a browser."""

    def __init__(self, pipe, session):
        self._pipe = pipe
        self._session = session

    def go(self, url):
        answer = self._call("Page.navigate", {"url": url})
        if "errorText" in answer:
            raise RuntimeError(f"{url.partition('#')[0]}: {answer['errorText']}")

    def evaluate(self, expression, timeout_s=30):
        """The value of a JavaScript expression, awaited, as plain data."""
        answer = self._call("Runtime.evaluate",
                            {"expression": expression, "awaitPromise": True,
                             "returnByValue": True, "userGesture": True}, timeout_s)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def look(self, *, width, height, scale=1, scheme="dark"):
        """Sets the size and the colour scheme the page is drawn in."""
        self._call("Emulation.setDeviceMetricsOverride",
                   {"width": width, "height": height, "deviceScaleFactor": scale,
                    "mobile": False})
        self._call("Emulation.setEmulatedMedia",
                   {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def screenshot(self, path):
        answer = self._call("Page.captureScreenshot", {"format": "png"})
        pathlib.Path(path).write_bytes(base64.b64decode(answer["data"]))

    def _call(self, method, params, timeout_s=30):
        return self._pipe.call(method, params, self._session, timeout_s)


def _pipe_ends(we_write):
    """(our end, the browser's end) of a new pipe, the latter with a number above 9."""
    reader, writer = os.pipe()
    ours, theirs = (writer, reader) if we_write else (reader, writer)
    high = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(theirs)
    return ours, high
