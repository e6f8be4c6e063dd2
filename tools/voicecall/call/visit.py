# SPDX-License-Identifier: BSD-3-Clause
"""One browser's visit to the call: join through the page's own form, then watch its state."""
import json
import time
import urllib.parse

from .chromium import Chromium

READY = "document.readyState === 'complete' && 'voicecall' in globalThis"
TROUBLE = "document.getElementById('alert').hidden ? null " \
          ": document.getElementById('alert').textContent"


def page_url(link, policy=None, picture=False):
    """The link of a room with the wishes of a test in it, where there are any."""
    parts = urllib.parse.urlsplit(link)
    query = urllib.parse.urlencode({**({"policy": policy} if policy else {}),
                                    **({"picture": ""} if picture else {})})
    return urllib.parse.urlunsplit(parts._replace(query=query))


class Visit:
    """A browser that joined. Raises RuntimeError with the page's own words when it could not."""

    def __init__(self, lab, side, link, name, *, policy=None, picture=False, **browser):
        self.name = name
        self.browser = Chromium(lab, side, **browser)
        try:
            self.page = self.browser.open(page_url(link, policy, picture))
            self._wait(lambda: self.page.evaluate(READY), "the page did not load")
            self.page.evaluate(
                f"document.getElementById('name').value = {json.dumps(name)};"
                "document.getElementById('door').requestSubmit()")
            self._wait(lambda: self.snapshot()["state"] == "joined", "nobody answered the join")
        except BaseException:
            self.browser.close()
            raise

    def snapshot(self):
        """Returns the page's state as data (voicecall.snapshot of main.js)."""
        return self.page.evaluate("voicecall.snapshot()")

    def trouble(self):
        return self.page.evaluate(TROUBLE)

    def close(self):
        self.browser.close()

    def _wait(self, condition, otherwise, seconds_max=20):
        deadline = time.monotonic() + seconds_max
        while not condition():
            trouble = self.page.evaluate(TROUBLE) if self.page.evaluate(READY) else None
            if trouble:
                raise RuntimeError(trouble)
            if time.monotonic() > deadline:
                raise RuntimeError(otherwise)
            time.sleep(0.1)


def describe_pair(pair):
    """The selected candidate pair in one line."""
    if not pair or not pair["local"] or not pair["remote"]:
        return "no path yet"
    words = [_candidate(pair["local"]), "<->", _candidate(pair["remote"])]
    if pair["local"]["relayProtocol"]:
        words.append(f"(relay reached over {pair['local']['relayProtocol']})")
    return " ".join(words)


def _candidate(candidate):
    return f"{candidate['type']} {candidate['protocol']} " \
           f"{candidate['address']}:{candidate['port']}"
