# SPDX-License-Identifier: BSD-3-Clause
"""Rounds put together: throttled ones left out, medians and ranges, ratios within a round."""

import statistics

# As in `relaybench core`: a core that is over 15 % slower than at its best in this run.
SLOW = 1.15


def of(values):
    values = [v for v in values if v is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "low": min(values), "high": max(values),
            "n": len(values)}


def settle(rounds):
    """Marks the cells of slow moments."""
    spins = [cell["spin"] for r in rounds for cell in r.values() if cell]
    best = min(spins, default=0)
    for r in rounds:
        for cell in r.values():
            if cell:
                cell["throttled"] = cell["spin"] > best * SLOW


def undisturbed(rounds, *names):
    """The rounds in which all of these cells are there and none was throttled."""
    return [r for r in rounds
            if all(r.get(name) and not r[name]["throttled"] for name in names)]


def kept(rounds, *names):
    """The undisturbed rounds; all, if there is no such round."""
    return undisturbed(rounds, *names) or [
        r for r in rounds if all(r.get(name) for name in names)]


def figure(rounds, name, key):
    return of([r[name].get(key) for r in kept(rounds, name)])


def ratio(rounds, one, other, key):
    """Of one to the other, within each round."""
    pairs = [(r[one].get(key), r[other].get(key)) for r in kept(rounds, one, other)]
    return of([a / b for a, b in pairs if a is not None and b])
