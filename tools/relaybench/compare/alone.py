# SPDX-License-Identifier: BSD-3-Clause
"""Measurements without a lab, by relaybench itself: no NIC, no kernel."""

import json
import subprocess

from host import Failure, say
from servers import CORE

# Short intervals and many of them: the host changes its core's speed more often than once in a second.
CORE_ROUNDS, CORE_SECONDS = 21, 0.08


def answer(context, *words):
    words = [context.relaybench, *words, "--core", str(CORE), "--json"]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failure("%s: %s" % (" ".join(words[1:]), done.stderr.strip()[-500:]))
    return json.loads(done.stdout)


def replay_cell(context, server, channels):
    """The worker from a capture to nowhere: its rate with an infinitely fast card."""
    r = answer(context, "core", "--source", "replay", "--no-testpmd", "--direction",
               "client-to-peer", "--channels", str(max(2, channels)),
               "--rounds", "5", "--seconds", "0.1")
    loop = r["cells"][0]["cycles_per_packet"]["loop"]["median"]
    return {"cpu_ns": loop / r["machine"]["tsc_ghz"],
            "flat_out": r["cells"][0]["packets_per_second"]["loop"]["median"]}


def core(context):
    quick = context.a.quick
    return answer(context, "core", "--source", "replay",
                  "--channels", "1000,1000000" if quick else "1000,100000,1000000",
                  "--rounds", str(9 if quick else CORE_ROUNDS), "--seconds", str(CORE_SECONDS))


def memory(context):
    """The packet path alone, beside random cache lines of the same tables."""
    return answer(context, "core", "--source", "memory", "--channels", "1000,1000000",
                  "--direction", "client-to-peer,peer-to-client",
                  "--rounds", str(9 if context.a.quick else CORE_ROUNDS), "--seconds", str(CORE_SECONDS))


def instructions(context):
    return answer(context, "core", "--instructions")


def workers(context):
    return answer(context, "core", "--workers", "2", "--channels", "1000", "--direction",
                  "client-to-peer,peer-to-client,hairpin",
                  "--rounds", str(5 if context.a.quick else 21), "--seconds", "0.1")


def setup(context):
    return answer(context, "setup", "--allocations", str(50000 if context.a.quick else 250000))


PARTS = {"core": core, "memory": memory, "instructions": instructions, "workers": workers, "setup": setup}


def measure(context, wanted):
    """Its JSON by name; a failure leaves a hole, not an end."""
    done = {}
    for name in (n for n in PARTS if n in wanted):
        say(name)
        try:
            done[name] = PARTS[name](context)
        except (Failure, ValueError) as e:
            say("%s: left out: %s" % (name, e))
    return done
