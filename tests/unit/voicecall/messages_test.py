# SPDX-License-Identifier: BSD-3-Clause
import json
import unittest

from call.bucket import Bucket
from call.messages import NAME_CHARS_MAX, SDP_CHARS_MAX, Refusal, clean_name, parse

JOIN = {"type": "join", "token": "t", "room": "r", "name": "Ada", "muted": False}
OFFER = {"type": "offer", "sdp": "v=0\r\n"}
CANDIDATE = {"candidate": "candidate:1 1 udp 1 10.0.0.1 9 typ relay", "sdpMid": "0",
             "sdpMLineIndex": 0, "usernameFragment": "abcd"}

GOOD = {
    "join": JOIN,
    "offer": {"type": "signal", "to": "x", "description": OFFER},
    "candidate": {"type": "signal", "to": "x", "candidate": CANDIDATE},
    "end of candidates": {"type": "signal", "to": "x", "candidate": {"candidate": ""}},
    "restart": {"type": "signal", "to": "x", "restart": True},
    "null fields": {"type": "signal", "to": "x",
                    "candidate": {**CANDIDATE, "usernameFragment": None}},
    "state": {"type": "state", "muted": True},
    "renew": {"type": "renew"},
    "leave": {"type": "leave"},
}

BAD = {
    "not JSON": "{",
    "deep": "[" * 6000,
    "a list": "[]",
    "no type": {},
    "type not a string": {"type": ["join"]},
    "unknown type": {"type": "welcome"},
    "a field too few": {key: JOIN[key] for key in JOIN if key != "token"},
    "a field too many": {**JOIN, "admin": True},
    "token a number": {**JOIN, "token": 1},
    "token too long": {**JOIN, "token": "t" * 65},
    "token empty": {**JOIN, "token": ""},
    "name an object": {**JOIN, "name": {}},
    "muted a number": {**JOIN, "muted": 1},
    "signal of nothing": {"type": "signal", "to": "x"},
    "signal of both": {"type": "signal", "to": "x", "description": OFFER, "candidate": CANDIDATE},
    "restart of nothing": {"type": "signal", "to": "x", "restart": False},
    "restart and offer": {"type": "signal", "to": "x", "restart": True, "description": OFFER},
    "sdp too long": {"type": "signal", "to": "x",
                     "description": {"type": "offer", "sdp": "v" * (SDP_CHARS_MAX + 1)}},
    "sdp of another type": {"type": "signal", "to": "x",
                            "description": {"type": "run", "sdp": ""}},
    "description with more": {"type": "signal", "to": "x", "description": {**OFFER, "x": 1}},
    "candidate null": {"type": "signal", "to": "x", "candidate": None},
    "candidate with more": {"type": "signal", "to": "x", "candidate": {**CANDIDATE, "x": 1}},
    "candidate without itself": {"type": "signal", "to": "x", "candidate": {"sdpMid": "0"}},
    "candidate too long": {"type": "signal", "to": "x", "candidate": {"candidate": "c" * 513}},
    "line index true": {"type": "signal", "to": "x",
                        "candidate": {**CANDIDATE, "sdpMLineIndex": True}},
    "line index negative": {"type": "signal", "to": "x",
                            "candidate": {**CANDIDATE, "sdpMLineIndex": -1}},
}


class ParseTest(unittest.TestCase):
    def test_good(self):
        for what, message in GOOD.items():
            with self.subTest(what):
                self.assertEqual(parse(json.dumps(message)), message)

    def test_bad(self):
        for what, message in BAD.items():
            text = message if isinstance(message, str) else json.dumps(message)
            with self.subTest(what), self.assertRaises(Refusal) as caught:
                parse(text)
            self.assertEqual(caught.exception.code, "bad-message")


class NameTest(unittest.TestCase):
    def test_kept(self):
        for name in ("Ada", "Ada Lovelace", "Grace <b>", "Ænne Ö", "王"):
            self.assertEqual(clean_name(name), name)

    def test_cleaned(self):
        self.assertEqual(clean_name("  A\n\tda \u202e\u200b\0 "), "Ada")
        self.assertEqual(clean_name("e\u0301"), "é")
        self.assertEqual(clean_name("A\ud800B"), "AB")
        self.assertEqual(len(clean_name("x" * 160)), NAME_CHARS_MAX)

    def test_nothing_left(self):
        for name in ("", "   ", "\u202e\u200b", "\x00\x07"):
            with self.subTest(repr(name)), self.assertRaises(Refusal) as caught:
                clean_name(name)
            self.assertEqual(caught.exception.code, "bad-name")


class BucketTest(unittest.TestCase):
    def test_burst_then_rate(self):
        bucket = Bucket(rate=2, burst=3, now=100.0)
        self.assertEqual([bucket.take(100.0) for _ in range(4)], [True, True, True, False])
        self.assertFalse(bucket.take(100.4))
        self.assertTrue(bucket.take(100.6))
        self.assertEqual([bucket.take(500.0) for _ in range(4)], [True, True, True, False])
