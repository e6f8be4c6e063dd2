# SPDX-License-Identifier: BSD-3-Clause
"""One line per event on standard error: time, level, event, fields. No names, tokens or SDP."""
import datetime
import json
import sys


class Log:
    """Stable event names, fields as key=value; values that could break the line are quoted."""

    def __init__(self, stream=None):
        self._stream = stream or sys.stderr

    def info(self, event, **fields):
        self._write("info", event, fields)

    def warning(self, event, **fields):
        self._write("warning", event, fields)

    def error(self, event, **fields):
        self._write("error", event, fields)

    def _write(self, level, event, fields):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        words = [f"{now}Z", level, event]
        words += [f"{key}={_value(value)}" for key, value in fields.items()]
        print(*words, file=self._stream, flush=True)


def _value(value):
    text = str(value)
    plain = text.isascii() and text.isprintable() and not set(text) & set(' "=')
    return text if text and plain else json.dumps(text)
