# SPDX-License-Identifier: BSD-3-Clause
import unittest

from call.hall import Hall, Member
from call.messages import Refusal

KEY = b"0123456789abcdef"


def join(hall, room, member_id):
    member = Member(member_id, room, member_id.upper(), False, None)
    present, deliveries = hall.join(member)
    return member, present, deliveries


class TokenTest(unittest.TestCase):
    def test_opens_its_room_only(self):
        hall = Hall(["one", "two"], KEY)
        hall.admit("one", hall.token("one"))
        for room, token in (("two", hall.token("one")), ("one", ""), ("one", "x" * 24),
                            ("one", hall.token("one") + "A"), ("one", "\ud800"),
                            ("\ud800", "x"), ("three", hall.token("three"))):
            with self.subTest(room=room, token=token), self.assertRaises(Refusal) as caught:
                hall.admit(room, token)
            self.assertEqual(caught.exception.code, "bad-token")

    def test_made_from_the_key(self):
        self.assertEqual(Hall(["one"], KEY).token("one"), Hall(["one"], KEY).token("one"))
        self.assertNotEqual(Hall(["one"], KEY).token("one"), Hall(["one"], b"x" * 16).token("one"))
        self.assertGreaterEqual(len(Hall(["one"], KEY).token("one")), 22)


class RoomTest(unittest.TestCase):
    def setUp(self):
        self.hall = Hall(["one", "two"], KEY, members_max=3)

    def test_join_tells_those_present(self):
        ada, present, deliveries = join(self.hall, "one", "ada")
        self.assertEqual((present, deliveries), ([], []))
        join(self.hall, "two", "eve")
        bob, present, deliveries = join(self.hall, "one", "bob")
        self.assertEqual(present, [ada])
        self.assertEqual(deliveries, [(ada, {"type": "joined", "member": bob.describe()})])

    def test_full(self):
        for member_id in ("a", "b", "c"):
            join(self.hall, "one", member_id)
        with self.assertRaises(Refusal) as caught:
            join(self.hall, "one", "d")
        self.assertEqual(caught.exception.code, "room-full")
        join(self.hall, "two", "d")
        self.assertEqual(self.hall.count(), 4)

    def test_leave(self):
        ada = join(self.hall, "one", "ada")[0]
        bob = join(self.hall, "one", "bob")[0]
        self.assertEqual(self.hall.leave(ada), [(bob, {"type": "left", "id": "ada"})])
        self.assertEqual(self.hall.leave(ada), [])
        self.assertEqual(self.hall.leave(bob), [])
        self.assertEqual(self.hall.count(), 0)

    def test_signal_reaches_one_of_the_same_room(self):
        ada = join(self.hall, "one", "ada")[0]
        bob = join(self.hall, "one", "bob")[0]
        join(self.hall, "one", "cyd")
        join(self.hall, "two", "eve")
        offer = {"type": "signal", "to": "bob", "description": {"type": "offer", "sdp": ""}}
        self.assertEqual(self.hall.signal(ada, offer),
                         [(bob, {"type": "signal", "from": "ada",
                                 "description": offer["description"]})])
        for to in ("eve", "ada", "nobody"):
            self.assertEqual(self.hall.signal(ada, {**offer, "to": to}), [])

    def test_state(self):
        ada = join(self.hall, "one", "ada")[0]
        bob = join(self.hall, "one", "bob")[0]
        self.assertEqual(self.hall.state(bob, True),
                         [(ada, {"type": "state", "id": "bob", "muted": True})])
        present = join(self.hall, "one", "cyd")[1]
        self.assertEqual([other.describe()["muted"] for other in present], [False, True])
