# SPDX-License-Identifier: BSD-3-Clause
"""Is this a call? Verdicts over the pages' data, without a browser.

A sample is voicecall.snapshot() of one page (tools/voicecall/page/call.js). A side's samples are
taken at equal distances over the call, the first when both sides were connected.
"""

RATE_MIN = 25.0             # packets received per second, in each interval between two samples
CHANNEL_SHARE_MIN = 0.95    # of the browsers' packets, seen by the data plane as channel packets


def peer_of(sample):
    """The one other member, as the page shows it; None when there is not exactly one."""
    return sample["peers"][0] if len(sample["peers"]) == 1 else None


def rates(samples):
    """Packets received per second, interval by interval."""
    peers = [peer_of(sample) for sample in samples]
    return [(later["audio"]["packetsReceived"] - earlier["audio"]["packetsReceived"])
            / ((later["at_ms"] - earlier["at_ms"]) / 1000)
            for earlier, later in zip(peers, peers[1:])]


def judge_side(samples, local_types, remote_types):
    """Everything wrong with one side of the call, as sentences; empty for a good call.
    The types are those the selected pair's two candidates may have."""
    if len(samples) < 3:
        return ["fewer than three samples: nothing can be said"]
    if any(peer_of(sample) is None for sample in samples):
        return ["the other side was not in the room all the time"]
    faults = []
    for index, sample in enumerate(samples):
        faults += _judge_pair(f"sample {index}", peer_of(sample), local_types, remote_types)
    for index, rate in enumerate(rates(samples)):
        if not rate > RATE_MIN:
            faults.append(f"interval {index}: {rate:.1f} packets/s received, "
                          f"not more than {RATE_MIN:.0f}")
    energies = [peer_of(sample)["audio"]["totalAudioEnergy"] for sample in samples]
    if not energies[-1] > 0:
        faults.append("no audio energy was ever heard")
    elif not energies[-1] > energies[len(energies) // 2]:
        faults.append("no audio energy was heard in the second half")
    return faults


def _judge_pair(when, peer, local_types, remote_types):
    if peer["connection"] != "connected":
        return [f"{when}: {peer['connection']}, not connected"]
    pair = peer["pair"]
    if not pair or not pair["local"] or not pair["remote"]:
        return [f"{when}: no selected candidate pair"]
    faults = []
    for end, allowed in (("local", local_types), ("remote", remote_types)):
        if pair[end]["type"] not in allowed:
            faults.append(f"{when}: the {end} candidate is of type {pair[end]['type']}, "
                          f"not {' or '.join(allowed)}")
    return faults


def channel_packets(last, relayed):
    """Packets (media, RTCP, DTLS) of the selected pair that must have passed the relay inside
    channels: those that this side sent and received, if its own candidate is the relay's. `last`
    is its last sample."""
    pair = peer_of(last)["pair"]
    return pair["packetsSent"] + pair["packetsReceived"] if relayed and pair else 0


def judge_channels(counted, expected):
    """Compares the data plane's channel packets with the browsers' figures."""
    if expected <= 0:
        return ["no side of this call was relayed"]
    if counted < CHANNEL_SHARE_MIN * expected:
        return [f"the data plane counted {counted} channel packets, less than "
                f"{CHANNEL_SHARE_MIN} of the browsers' {expected}"]
    return []


def summarize(samples):
    """One side for the report: the last state, and the worst and mean rate."""
    peer, every = peer_of(samples[-1]), rates(samples)
    return {
        "pair": peer["pair"], "audio": peer["audio"],
        "rate_min": round(min(every), 1), "rate_mean": round(sum(every) / len(every), 1),
    }
