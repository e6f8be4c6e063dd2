# SPDX-License-Identifier: BSD-3-Clause
"""The browser test's verdicts: a good call passes, and each way to be no call is named."""
import copy
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e" / "browser"))

import judge  # noqa: E402

RELAY = {"type": "relay", "protocol": "udp", "address": "10.77.0.1", "port": 50000}
HOST = {"type": "host", "protocol": "udp", "address": "10.77.2.2", "port": 40000}


def sample(index, rate=50):
    packets = 100 + int(2.5 * rate * index)
    return {"peers": [{
        "connection": "connected", "at_ms": 1000 + 2500 * index,
        "pair": {"local": dict(RELAY), "remote": dict(RELAY),
                 "packetsSent": packets + 30, "packetsReceived": packets + 20},
        "audio": {"packetsReceived": packets, "packetsSent": packets,
                  "totalAudioEnergy": 0.1 * (index + 1)},
    }]}


class SideTest(unittest.TestCase):
    def setUp(self):
        self.samples = [sample(index) for index in range(5)]

    def judge(self, local=("relay",), remote=("relay",)):
        return judge.judge_side(self.samples, local, remote)

    def peer(self, index):
        return self.samples[index]["peers"][0]

    def fails(self, words, **types):
        faults = self.judge(**types)
        self.assertTrue(faults)
        self.assertIn(words, faults[0])

    def test_good(self):
        self.assertEqual(self.judge(), [])
        self.assertEqual(judge.rates(self.samples), [50, 50, 50, 50])

    def test_wrong_candidate(self):
        self.fails("local candidate is of type relay", local=("host", "prflx"))
        self.peer(3)["pair"]["remote"] = HOST
        self.fails("sample 3: the remote candidate is of type host, not relay")

    def test_no_pair(self):
        self.peer(2)["pair"] = None
        self.fails("sample 2: no selected candidate pair")

    def test_not_connected(self):
        self.peer(4)["connection"] = "failed"
        self.fails("sample 4: failed")

    def test_too_slow(self):
        self.samples = [sample(index, rate=25) for index in range(5)]
        self.fails("interval 0: 24.8 packets/s")

    def test_stopped(self):
        self.samples[4] = {"peers": [copy.deepcopy(self.peer(3))]}
        self.peer(4)["at_ms"] += 2500
        self.fails("interval 3: 0.0 packets/s")

    def test_silence(self):
        for index in range(5):
            self.peer(index)["audio"]["totalAudioEnergy"] = 0
        self.fails("no audio energy was ever heard")

    def test_silence_later(self):
        for index in (3, 4):
            self.peer(index)["audio"]["totalAudioEnergy"] = 0.3
        self.fails("second half")

    def test_alone(self):
        self.samples[2]["peers"] = []
        self.fails("not in the room")
        self.samples = self.samples[:2]
        self.fails("fewer than three")


class ChannelTest(unittest.TestCase):
    def test_expected(self):
        self.assertEqual(judge.channel_packets(sample(4), True), 2 * 600 + 50)
        self.assertEqual(judge.channel_packets(sample(4), False), 0)

    def test_share(self):
        self.assertEqual(judge.judge_channels(950, 1000), [])
        self.assertIn("949 channel packets", judge.judge_channels(949, 1000)[0])
        self.assertEqual(len(judge.judge_channels(5, 0)), 1)
