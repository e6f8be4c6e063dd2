# SPDX-License-Identifier: BSD-3-Clause
"""The messages that a browser may send over the WebSocket. All others are refused.

A message is one JSON object in one text frame, with a `type` and exactly the fields of that type.
The SDP and candidates inside are opaque to the server: it checks their form and size and passes
them to the one member they are for.
"""
import json
import unicodedata

MESSAGE_OCTETS_MAX = 16384
NAME_CHARS_MAX = 40
ROOM_CHARS_MAX = 40
TOKEN_CHARS_MAX = 64
SDP_CHARS_MAX = 12288
CANDIDATE_CHARS_MAX = 512


class Refusal(Exception):
    """A message, a join or a mint that is not granted: a stable code, and a sentence for people."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code
        self.text = text


def _text(chars_max, chars_min=1):
    def check(value):
        return isinstance(value, str) and chars_min <= len(value) <= chars_max
    return check


def _bool(value):
    return isinstance(value, bool)


def _true(value):
    return value is True


def _description(value):
    return (isinstance(value, dict) and set(value) == {"type", "sdp"}
            and value["type"] in ("offer", "answer", "rollback")
            and _text(SDP_CHARS_MAX, 0)(value["sdp"]))


def _small_number(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255


def _candidate(value):
    if not isinstance(value, dict) or not set(value) <= set(_CANDIDATE_FIELDS):
        return False
    if "candidate" not in value:
        return False
    return all(value[key] is None or _CANDIDATE_FIELDS[key](value[key]) for key in value)


_CANDIDATE_FIELDS = {
    "candidate": _text(CANDIDATE_CHARS_MAX, 0),
    "sdpMid": _text(64, 0),
    "sdpMLineIndex": _small_number,
    "usernameFragment": _text(256, 0),
}

# type -> (fields that must be there, fields that may)
_TYPES = {
    "join": ({"token": _text(TOKEN_CHARS_MAX), "room": _text(ROOM_CHARS_MAX),
              "name": _text(4 * NAME_CHARS_MAX), "muted": _bool}, {}),
    "signal": ({"to": _text(32)}, {"description": _description, "candidate": _candidate,
                                   "restart": _true}),
    "state": ({"muted": _bool}, {}),
    "renew": ({}, {}),
    "leave": ({}, {}),
}


def clean_name(name):
    """The name as others see it: one line, no control or format characters, never empty."""
    kept = "".join(c for c in unicodedata.normalize("NFC", name)
                   if unicodedata.category(c)[0] != "C")
    kept = " ".join(kept.split())[:NAME_CHARS_MAX].strip()
    if not kept:
        raise Refusal("bad-name", "Please give a name that can be shown.")
    return kept


def parse(text):
    """One frame's text -> the message as a dict. Raises Refusal with the reason."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise Refusal("bad-message", "That was not JSON.") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise Refusal("bad-message", "A message is a JSON object with a type.")
    rules = _TYPES.get(message["type"])
    if rules is None:
        raise Refusal("bad-message", "A message of this type is not known here.")
    needed, optional = rules
    fields = set(message) - {"type"}
    if not set(needed) <= fields <= set(needed) | set(optional):
        raise Refusal("bad-message", f"The fields of {message['type']!r} are not as they must be.")
    for field in sorted(fields):
        if not (needed.get(field) or optional[field])(message[field]):
            raise Refusal("bad-message", f"The field {field!r} of {message['type']!r} is not valid.")
    if message["type"] == "signal" and len(fields) != 2:
        raise Refusal("bad-message", "A signal carries one description, one candidate or "
                      "one request to restart.")
    return message
