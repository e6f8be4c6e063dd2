#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A browser's call to Janus's echo, relay-only: exit status 0 if its video came back from a port
of the media server. janus_test.sh starts the lab and the server."""
import argparse
import json
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tools" / "voicecall"))

from call.chromium import Chromium  # noqa: E402
from call.lab import Lab  # noqa: E402

SECONDS_MAX = 300
FRAMES_MIN = 20

PAIR = """(async () => {
    const all = await media.connection.getStats();
    for (const pair of all.values())
        if (pair.type === "candidate-pair" && pair.nominated && pair.state === "succeeded") {
            const own = all.get(pair.localCandidateId), other = all.get(pair.remoteCandidateId);
            return {type: own.candidateType, address: other.address, port: other.port};
        }
    return null;
})()"""


class Janus:
    """A session of the server's echo, over its HTTP interface."""

    def __init__(self, lab, url):
        self._lab = lab
        self._session = f"{url}/{self._post(url, janus='create')['data']['id']}"
        attached = self._post(self._session, janus="attach", plugin="janus.plugin.echotest")
        self._handle = f"{self._session}/{attached['data']['id']}"

    def echo(self, offer):
        """The description that answers the offer."""
        self._post(self._handle, janus="message", body={"audio": False, "video": True},
                   jsep={"type": "offer", "sdp": offer})
        end = time.monotonic() + SECONDS_MAX
        while time.monotonic() < end:
            event = self._curl(f"{self._session}?maxev=1")
            if "jsep" in event:
                return event["jsep"]["sdp"]
            if event.get("janus") not in ("event", "keepalive", "ack"):
                raise RuntimeError(f"Janus: {event}")
        raise RuntimeError("Janus does not answer the offer")

    def _post(self, url, **fields):
        answer = self._curl(url, "--data-binary",
                            json.dumps({**fields, "transaction": "echo"}))
        if answer["janus"] not in ("success", "ack"):
            raise RuntimeError(f"Janus: {answer}")
        return answer

    def _curl(self, url, *options):
        done = subprocess.run(self._lab.inside("a", "curl", "-s", "-m", SECONDS_MAX, *options, url),
                              check=True, capture_output=True, text=True)
        return json.loads(done.stdout)


def wait(page):
    """Returns the pair of candidates that the video took."""
    end = time.monotonic() + SECONDS_MAX
    while time.monotonic() < end:
        state = page.evaluate("media.state()")
        if state["frames"] >= FRAMES_MIN:
            return page.evaluate(PAIR)
        if state["connection"] == "failed":
            break
        time.sleep(0.5)
    raise RuntimeError(f"no video: {json.dumps(state)}")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    for name in ("lab", "server", "user", "password-file", "media"):
        p.add_argument("--" + name, required=True)
    args = p.parse_args()
    lab = Lab(args.lab)
    lab.check_up()
    credential = pathlib.Path(args.password_file).read_text(encoding="utf-8").strip()
    browser = Chromium(lab, "a")
    try:
        page = browser.open("about:blank")
        script = (HERE / "media.js").read_text(encoding="utf-8").partition("globalThis.")[2]
        page.evaluate(f"(globalThis.{script.rstrip().rstrip(';')}, true)")
        page.evaluate("media.begin(%s)" % ", ".join(json.dumps(value) for value in (
            f"turn:{args.server}:3478?transport=udp", args.user, credential)))
        offer = page.evaluate("media.describe(null)", SECONDS_MAX)
        page.evaluate("media.accept(%s)" % json.dumps(Janus(lab, args.media).echo(offer)))
        pair = wait(page)
    finally:
        browser.close()
    print(json.dumps(pair))
    if not (pair["type"] == "relay" and pair["address"] == args.server and
            20000 <= pair["port"] <= 20099):
        raise RuntimeError("not the media server's port")


try:
    main()
except (OSError, RuntimeError, TimeoutError, subprocess.CalledProcessError) as error:
    sys.exit(f"{sys.argv[0]}: {error}")
