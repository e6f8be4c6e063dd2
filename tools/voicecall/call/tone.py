# SPDX-License-Identifier: BSD-3-Clause
"""A generated voice: syllables of a humming tone, so that meters move in a picture of a call."""
import math
import struct
import wave

RATE = 48000
PITCHES_HZ = (118, 131, 124, 147, 139, 112, 128, 121)
SYLLABLE_S = 0.24


def _sample(index):
    at_s = index / RATE
    syllable, phase = divmod(at_s, SYLLABLE_S)
    pitch = PITCHES_HZ[int(syllable) % len(PITCHES_HZ)]
    if int(syllable) % len(PITCHES_HZ) == len(PITCHES_HZ) - 1:
        return 0.0
    swell = math.sin(math.pi * phase / SYLLABLE_S) ** 0.6
    voice = sum(math.sin(2 * math.pi * pitch * n * at_s) / n for n in range(1, 9))
    return 0.45 * swell * voice / 2


def write(path):
    """Two rounds of the melody as a mono WAV file."""
    count = int(2 * len(PITCHES_HZ) * SYLLABLE_S * RATE)
    samples = (int(32767 * max(-1.0, min(1.0, _sample(index)))) for index in range(count))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(struct.pack(f"<{count}h", *samples))
