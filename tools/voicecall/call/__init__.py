# SPDX-License-Identifier: BSD-3-Clause
"""The voice call's server side.

Serving:
  messages     the messages of the WebSocket, checked field by field
  hall         rooms and their members (no I/O: calls in, deliveries out)
  bucket       a rate limit with the time as argument
  credentials  TURN credentials, from the relay's operator socket or from a REST secret
  web          HTTP and WebSocket: headers, origin, token, one session per browser
  serve        the command: arguments to a listening server
  log          events on standard error

Visiting, in the lab:
  lab          tools/lab's names, and how to run something inside
  devtools     Chromium's pipe
  chromium     a browser with a fresh profile that trusts the lab
  visit        join through the page's own form, and read its state
  tone         a generated voice
  open, screenshot  the commands
"""
import pathlib
import re


def version():
    """The project's version, from the one place that states it."""
    build = pathlib.Path(__file__).resolve().parents[3] / "meson.build"
    found = re.search(r"^\s*version: '([^']+)'", build.read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else "unknown"
