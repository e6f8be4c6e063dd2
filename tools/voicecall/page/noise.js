// SPDX-License-Identifier: BSD-3-Clause
// A picture for tests: noise, which no codec makes small.

const WIDTH = 160;
const HEIGHT = 120;
const FRAME_MS = 100;

export class Noise {
    #timer;
    track;

    constructor() {
        const canvas = document.createElement("canvas");
        const context = canvas.getContext("2d");
        const image = context.createImageData(canvas.width = WIDTH, canvas.height = HEIGHT);
        this.#timer = setInterval(() => {
            for (let i = 0; i < image.data.length; i += 4)
                image.data.fill(Math.random() * 256, i, i + 3).fill(255, i + 3, i + 4);
            context.putImageData(image, 0, 0);
        }, FRAME_MS);
        [this.track] = canvas.captureStream(1000 / FRAME_MS).getVideoTracks();
    }

    close() {
        clearInterval(this.#timer);
        this.track.stop();
    }
}
