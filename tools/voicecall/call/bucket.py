# SPDX-License-Identifier: BSD-3-Clause
"""A token bucket: how often something may happen, with the time handed in."""


class Bucket:
    """Allows `burst` at once and `rate` per second after that. Times are seconds of one clock."""

    def __init__(self, rate, burst, now):
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._then = now

    def take(self, now):
        """True and one token less, or False and nothing changed but the clock."""
        self._level = min(self._burst, self._level + (now - self._then) * self._rate)
        self._then = now
        if self._level < 1:
            return False
        self._level -= 1
        return True
