# SPDX-License-Identifier: BSD-3-Clause
"""relaybench load as a child that runs intervals on demand."""

import json
import subprocess

from host import Failure

CORE = 0
LOSS = 0.001


class Load:
    def __init__(self, program, lab, server, allocations, channels=1):
        self.words = [program, "load", "--interactive", "--peer", "10.77.2.2",
                      "--client-netns", lab.a, "--peer-netns", lab.b,
                      "--allocations", str(allocations), "--channels", str(channels),
                      "--core", str(CORE)]
        if server.plain:
            self.words += ["--plain"]
        else:
            self.words += ["--server", "10.77.0.1", "--password-file", lab.password_file()]

    def __enter__(self):
        self.process = subprocess.Popen(self.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, bufsize=1)
        first = self.answer()
        self.setup, self.machine = first["setup"], first["machine"]
        return self

    def answer(self):
        line = self.process.stdout.readline()
        if line == "":
            raise Failure("relaybench load: " + self.process.stderr.read()[-500:])
        return json.loads(line)

    def interval(self, **settings):
        words = " ".join("%s=%s" % item for item in settings.items())
        self.process.stdin.write("interval " + words + "\n")
        answer = self.answer()
        if "error" in answer:
            raise Failure("relaybench load: " + answer["error"])
        return answer

    def __exit__(self, *why):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()


def highest_rate(load, seconds, steps=5, **settings):
    """The highest rate with less than LOSS lost, by halving; the interval at it, and whether the
    generator was what set the limit."""
    flat = load.interval(rate=0, seconds=seconds, sink="count", **settings)
    if flat["up"]["loss"] < LOSS:
        return flat["up"]["arrived_per_second"], flat, True
    arrived = flat["up"]["arrived_per_second"]
    low, high, best = 0.0, arrived * 1.1, None
    rate = arrived * 0.8
    for _ in range(steps):
        interval = load.interval(rate=int(rate), seconds=seconds, sink="count", **settings)
        if interval["up"]["loss"] < LOSS and interval["up"]["sent_per_second"] > 0.97 * rate:
            low, best = rate, interval
        else:
            high = rate
        rate = (low + high) / 2 if low > 0 else rate / 2
    return low, best or flat, False
