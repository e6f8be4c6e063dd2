# SPDX-License-Identifier: BSD-3-Clause
"""Chromium's DevTools protocol over its pipe: descriptors 3 and 4, JSON with a NUL after each.

The pipe needs no port and passes through `ip netns exec`, so the driver sits outside the lab.
"""
import json
import os
import select
import time


class Gone(Exception):
    """The browser closed the pipe: its window was closed, or it died."""


class Pipe:
    """Requests and their answers, one at a time. Events are dropped: the page is asked instead."""

    def __init__(self, to_browser, from_browser):
        self._to_browser = to_browser
        self._from_browser = from_browser
        self._rest = b""
        self._last_id = 0

    def call(self, method, params=None, session=None, timeout_s=30):
        """The result of one method. Raises Gone, TimeoutError, or RuntimeError with its error."""
        self._last_id += 1
        request = {"id": self._last_id, "method": method, "params": params or {}}
        if session:
            request["sessionId"] = session
        self._write(json.dumps(request).encode("utf-8") + b"\0")
        deadline = time.monotonic() + timeout_s
        while True:
            answer = self._read(deadline, method)
            if answer.get("id") != self._last_id:
                continue
            if "error" in answer:
                raise RuntimeError(f"{method}: {answer['error'].get('message')}")
            return answer["result"]

    def close(self):
        os.close(self._to_browser)
        os.close(self._from_browser)

    def _write(self, data):
        try:
            while data:
                data = data[os.write(self._to_browser, data):]
        except BrokenPipeError:
            raise Gone from None

    def _read(self, deadline, method):
        while b"\0" not in self._rest:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not select.select([self._from_browser], [], [], left_s)[0]:
                raise TimeoutError(f"the browser did not answer {method} in time")
            octets = os.read(self._from_browser, 1 << 20)
            if not octets:
                raise Gone
            self._rest += octets
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)
