// SPDX-License-Identifier: BSD-3-Clause
// One end of a call with video and a data channel, relay-only; the driver carries the descriptions.
globalThis.media = {
    connection: null, channel: null, received: 0, failure: null,

    begin(urls, username, credential) {
        this.close();
        this.received = 0;
        this.failure = null;
        this.connection = new RTCPeerConnection({
            iceServers: [{ urls, username, credential }],
            iceTransportPolicy: "relay", bundlePolicy: "max-bundle",
        });
        const stream = this.picture();
        this.connection.addTrack(stream.getVideoTracks()[0], stream);
        this.channel = this.connection.createDataChannel("bytes", { negotiated: true, id: 0 });
        this.channel.binaryType = "arraybuffer";
        this.channel.onmessage = ({ data }) => { this.received += data.byteLength; };
        return true;
    },

    // Noise, which no codec makes small.
    picture() {
        const canvas = document.createElement("canvas");
        const context = canvas.getContext("2d");
        const image = context.createImageData(canvas.width = 160, canvas.height = 120);
        this.timer = setInterval(() => {
            for (let i = 0; i < image.data.length; i += 4)
                image.data.fill(Math.random() * 256, i, i + 3).fill(255, i + 3, i + 4);
            context.putImageData(image, 0, 0);
        }, 100);
        return canvas.captureStream(10);
    },

    // The description with all candidates; sdp: the other end's offer, or null to make one.
    async describe(sdp) {
        if (sdp)
            await this.connection.setRemoteDescription({ type: "offer", sdp });
        const gathered = new Promise((resolve) => {
            this.connection.onicegatheringstatechange = () => {
                if (this.connection.iceGatheringState === "complete")
                    resolve();
            };
        });
        await this.connection.setLocalDescription();
        if (this.connection.iceGatheringState !== "complete")
            await gathered;
        return this.connection.localDescription.sdp;
    },

    async accept(sdp) {
        await this.connection.setRemoteDescription({ type: "answer", sdp });
        return true;
    },

    // Returns at once; received at the other end tells how far it is.
    send(bytes) {
        const channel = this.channel, block = new Uint8Array(16384);
        const more = () => {
            while (bytes > 0 && channel.bufferedAmount < 1 << 20) {
                channel.send(bytes < block.length ? block.subarray(0, bytes) : block);
                bytes -= Math.min(bytes, block.length);
            }
        };
        channel.bufferedAmountLowThreshold = 1 << 18;
        channel.onbufferedamountlow = more;
        more();
        return true;
    },

    async state() {
        let frames = 0, packets = 0;
        const reports = await this.connection.getStats();
        for (const report of reports.values()) {
            if (report.type === "inbound-rtp" && report.kind === "video") {
                frames += report.framesDecoded ?? 0;
                packets += report.packetsReceived ?? 0;
            }
        }
        return {
            connection: this.connection.connectionState, channel: this.channel.readyState,
            received: this.received, frames, packets, local: this.local(reports),
        };
    },

    // The candidate that the packets leave by; null: there is none yet.
    local(reports) {
        const all = [...reports.values()];
        const chosen = all.find((r) => r.type === "transport")?.selectedCandidatePairId;
        const pair = reports.get(chosen) ?? all.find((r) => r.type === "candidate-pair" && r.selected);
        const found = reports.get(pair?.localCandidateId);
        return found ? { type: found.candidateType, relayProtocol: found.relayProtocol } : null;
    },

    close() {
        clearInterval(this.timer);
        this.connection?.close();
        this.connection = null;
        return true;
    },
};
