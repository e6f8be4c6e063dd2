# SPDX-License-Identifier: BSD-3-Clause
"""Rounds put together: throttled ones left out, medians and ranges, ratios within a round."""

import statistics

# As in `relaybench core`: sides whose cores differ by over 15 % are unlike things, and a core that
# is twice as slow as at its best in this run was all but gone.
UNEVEN, THROTTLED = 1.15, 2.0


def of(values):
    values = [v for v in values if v is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "low": min(values), "high": max(values),
            "n": len(values)}


def settle(rounds):
    """Marks the cells whose core was not the same all the time, or all but gone."""
    best = min((cell["spin_least"] for r in rounds for cell in r.values() if cell), default=0)
    for r in rounds:
        for cell in r.values():
            if cell:
                cell["throttled"] = (cell["spin"] > cell["spin_least"] * UNEVEN or
                                     cell["spin"] > best * THROTTLED)


def undisturbed(rounds, *names):
    """The rounds in which all of these cells are there, none was throttled, and all had the like of
    a core."""
    return [r for r in rounds
            if all(r.get(name) and not r[name]["throttled"] for name in names) and
            max(r[name]["spin"] for name in names) <= UNEVEN * min(
                r[name]["spin_least"] for name in names)]


def kept(rounds, *names):
    """The undisturbed rounds; all, if there is no such round."""
    return undisturbed(rounds, *names) or [
        r for r in rounds if all(r.get(name) for name in names)]


def figure(rounds, name, key):
    return of([r[name].get(key) for r in kept(rounds, name)])


def ratio(rounds, one, other, key):
    """The ratio of one to the other, within each round."""
    pairs = [(r[one].get(key), r[other].get(key)) for r in kept(rounds, one, other)]
    return of([a / b for a, b in pairs if a is not None and b])
