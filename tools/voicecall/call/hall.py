# SPDX-License-Identifier: BSD-3-Clause
"""The rooms and their members. No I/O: each call returns the messages to deliver, with addressees.

The rooms are fixed at start, so their number is bounded by the operator; the members of a room
are bounded because the call is a mesh: everybody sends to everybody.
"""
import base64
import hashlib
import hmac

from .messages import Refusal

ROOMS_MAX = 64
MEMBERS_MAX = 6


class Member:
    """One browser in one room. `channel` is the shell's handle to reach it. The id is made
    by the shell from a CSPRNG: it is also the user that its TURN credential is minted for."""

    def __init__(self, member_id, room, name, muted, channel):
        self.id = member_id
        self.room = room
        self.name = name
        self.muted = muted
        self.channel = channel

    def describe(self):
        return {"id": self.id, "name": self.name, "muted": self.muted}


class Hall:
    """All rooms. Deliveries are lists of (Member, message dict)."""

    def __init__(self, rooms, key, members_max=MEMBERS_MAX):
        self._rooms = {room: {} for room in rooms}
        self._key = key
        self._members_max = members_max

    @property
    def rooms(self):
        return tuple(self._rooms)

    def token(self, room):
        """The token that opens this room and no other, as its link carries it."""
        mac = hmac.new(self._key, b"room:" + _octets(room), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(mac[:18]).decode("ascii")

    def admit(self, room, token):
        """Refuses unless the token is this room's. An unknown room and a wrong token look the
        same from outside, and are compared in the same time."""
        right = hmac.compare_digest(self.token(room).encode("ascii"), _octets(token))
        if not right or room not in self._rooms:
            raise Refusal("bad-token", "This link does not open the room. Ask for a new one.")

    def check_place(self, room):
        """Refuses when the room is full."""
        if len(self._rooms[room]) >= self._members_max:
            raise Refusal("room-full", f"The room is full: at most {self._members_max} can talk.")

    def join(self, member):
        """-> (those already there, deliveries). The token was checked by admit()."""
        self.check_place(member.room)
        members = self._rooms[member.room]
        present = list(members.values())
        members[member.id] = member
        news = {"type": "joined", "member": member.describe()}
        return present, [(other, news) for other in present]

    def leave(self, member):
        """Deliveries; leaving twice is leaving once."""
        members = self._rooms[member.room]
        if members.pop(member.id, None) is None:
            return []
        return [(other, {"type": "left", "id": member.id}) for other in members.values()]

    def state(self, member, muted):
        member.muted = muted
        news = {"type": "state", "id": member.id, "muted": muted}
        return [(other, news) for other in self._rooms[member.room].values()
                if other is not member]

    def signal(self, member, message):
        """To one member of the same room; to one that just left, nothing."""
        other = self._rooms[member.room].get(message["to"])
        if other is None or other is member:
            return []
        news = {key: value for key, value in message.items() if key != "to"}
        news["from"] = member.id
        return [(other, news)]

    def count(self):
        return sum(len(members) for members in self._rooms.values())


def _octets(text):
    # JSON may carry lone surrogates; they are just another wrong token.
    return text.encode("utf-8", "surrogatepass")
