# SPDX-License-Identifier: BSD-3-Clause
"""The verdicts of the test that kills the relay's processes during a call, without a browser."""
import contextlib
import io
import pathlib
import sys
import types
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e" / "browser"))

import kill_call  # noqa: E402
import wire  # noqa: E402


class Call:
    """Two pages and the edge; `restarted` is done at each restart."""

    def __init__(self, restarted=lambda call: None, status=0, **how_often):
        self.args = types.SimpleNamespace(**how_often)
        self.counters = {"accepted": 3, "lost_late": 0, "lost_full": 0, "messages_full": 0}
        self.port, self.lost, self.last_ms, self.packets = 50000, 0, 1000, 100
        self.restarted, self.returncode, self.seen = restarted, status, True

    def peers(self):
        pair = {"local": {"address": "10.77.0.1", "port": self.port},
                "remote": {"address": "10.77.0.1", "port": 50002}}
        return {side: {"connection": "connected", "pair": pair, "video": {"packetsLost": 0},
                       "audio": {"packetsLost": self.lost if side == "a" else 0, "concealed": 480,
                                 "last_ms": self.last_ms, "packetsReceived": self.packets}}
                for side in "ab"}

    def flows(self):
        self.last_ms += 20
        self.packets += 100
        return self.peers()

    def wait(self, done, why):
        for _ in range(10):
            peers = self.flows()
            if all([done(peer, side) for side, peer in peers.items()]):
                return peers
        raise kill_call.Failed(why)

    def edge(self):
        return dict(self.counters)

    @contextlib.contextmanager
    def wires(self):
        silences = {}
        yield silences
        silences.update({side: (200, 190) if self.seen else None for side in "ab"})

    def restart(self, _process):
        self.restarted(self)
        return types.SimpleNamespace(wait=lambda: self.returncode, poll=lambda: self.returncode,
                                     returncode=self.returncode)


def connects_again(call):
    call.counters["accepted"] += 1


def moves(call):
    call.port += 1


class KillTest(unittest.TestCase):
    def judge(self, part, call):
        """The failure; None where the part is good."""
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                part(call)
            except kill_call.Failed as failure:
                return str(failure)
        return None

    def control(self, *restarted, **how):
        return self.judge(kill_call.kill_control, Call(*restarted, control=2, **how))

    def test_control(self):
        def loses(call):
            call.lost += 1

        def loses_late(call):
            call.lost += 1
            call.counters["lost_late"] += 1

        def is_full(call):
            call.counters["messages_full"] += 1

        self.assertIsNone(self.control())
        self.assertIsNone(self.control(loses_late))
        self.assertIn("connected again", self.control(connects_again))
        self.assertIn("connected again", self.control(moves))
        self.assertIn("packets were lost", self.control(loses))
        self.assertIn("packets were lost", self.control(is_full))
        self.assertIn("does not start", self.control(status=1))

    def dataplane(self, restarted, status=0):
        return self.judge(kill_call.kill_dataplane, Call(restarted, status, dataplane=1))

    def test_dataplane(self):
        def is_slow(call):
            call.last_ms += kill_call.PATIENCE_MS + 1
            connects_again(call)

        self.assertIsNone(self.dataplane(lambda call: None))
        self.assertIn("connected again", self.dataplane(connects_again))
        self.assertIn("connected again", self.dataplane(moves))
        self.assertIn("does not start", self.dataplane(lambda call: None, 1))
        # The browsers look for another path, as they should.
        self.assertIsNone(self.dataplane(is_slow))

    def test_wire_that_shows_nothing(self):
        call = Call(dataplane=1)
        call.seen = False
        self.assertIn("on the wire", self.judge(kill_call.kill_dataplane, call))

    def test_each_side_is_seen_each_time(self):
        class Waiting(kill_call.Call):
            def peers(self):
                return {"a": 1, "b": 2}

        seen = []

        def done(_peer, side):
            seen.append(side)
            return len(seen) > 2

        Waiting(None, None, {}).wait(done, "never")
        self.assertEqual(seen, ["a", "b", "a", "b"])

    def test_silence_of_the_wire(self):
        def line(at, port, octets, to="10.77.1.2.40000"):
            return f"1000.{at:06} IP 10.77.0.1.{port} > {to}: tcp {octets}"

        lines = [line(0, 443, 200), line(20000, 443, 200), line(30000, 443, 0),
                 line(40000, 5000, 90, "10.77.0.1.443"), line(50000, 443, 99, "10.77.1.2.39999"),
                 line(220000, 443, 200), line(240000, 443, 1448), "no packet"]
        times = wire.arrivals(lines)
        self.assertEqual(times, [1000, 1000.02, 1000.22, 1000.24])
        length, until = wire.silence(times, 1000.03)
        self.assertAlmostEqual(length, 200, places=1)
        self.assertAlmostEqual(until, 190, places=1)
        self.assertIsNone(wire.silence(times[:1], 1000))
        self.assertEqual(wire.arrivals([]), [])

    def edge(self, silences_ms):
        left = iter(silences_ms)

        def is_silent(call):
            moves(call)
            call.last_ms += next(left)

        failure = self.judge(kill_call.kill_edge, Call(is_silent, edge=1))
        return failure, list(left)

    def test_edge(self):
        bar = kill_call.BACK_MS
        self.assertEqual(self.edge([400, 400]), (None, [400]))
        self.assertEqual(self.edge([bar + 1, bar - 20, 400]), (None, [400]))
        failure, left = self.edge([bar + 1] * 4)
        self.assertIn("not back within 5 s", failure)
        self.assertEqual(len(left), 1)
        self.assertIn("old connections", self.judge(kill_call.kill_edge, Call(edge=1)))

    def test_nothing_to_kill(self):
        for part in (kill_call.kill_control, kill_call.kill_dataplane, kill_call.kill_edge):
            self.assertIsNone(self.judge(part, Call(control=0, dataplane=0, edge=0)))


if __name__ == "__main__":
    unittest.main()
