// SPDX-License-Identifier: BSD-3-Clause
// Loudness for the eye: 0 is silence, 1 is full scale, linear in decibels between.

const FLOOR_DB = -54;

// A linear amplitude (0 to 1) as a share of the meter.
export function meterShare(amplitude) {
    if (!(amplitude > 0))
        return 0;
    const share = 1 - 20 * Math.log10(amplitude) / FLOOR_DB;
    return Math.min(1, Math.max(0, share));
}

// Follows the level of a local stream; close() gives the audio context back.
export class LocalLevel {
    #context = new AudioContext();
    #analyser = this.#context.createAnalyser();
    #samples;

    constructor(stream) {
        this.#analyser.fftSize = 1024;
        this.#samples = new Float32Array(this.#analyser.fftSize);
        this.#context.createMediaStreamSource(stream).connect(this.#analyser);
    }

    read() {
        this.#analyser.getFloatTimeDomainData(this.#samples);
        let sum = 0;
        for (const sample of this.#samples)
            sum += sample * sample;
        return Math.sqrt(2 * sum / this.#samples.length);
    }

    close() {
        this.#context.close();
    }
}

// The level that a receiver plays now, from the last packet's decoded audio.
export function remoteLevel(receiver) {
    const source = receiver?.getSynchronizationSources()[0];
    return source?.audioLevel ?? 0;
}
