// SPDX-License-Identifier: BSD-3-Clause
// Reduces getStats() of one connection to the figures that the page and the tests show.

const HISTORY_MAX = 60;
const INTERVAL_MS_MIN = 500;

function selectedPair(report) {
    for (const entry of report.values())
        if (entry.type === "transport" && entry.selectedCandidatePairId)
            return report.get(entry.selectedCandidatePairId);
    for (const entry of report.values())
        if (entry.type === "candidate-pair" && entry.selected)
            return entry;
    return undefined;
}

function candidate(report, id) {
    const entry = report.get(id);
    if (!entry)
        return null;
    return {
        type: entry.candidateType,
        protocol: entry.protocol,
        relayProtocol: entry.relayProtocol ?? null,
        address: entry.address ?? null,
        port: entry.port,
        url: entry.url ?? null,
    };
}

// {at_ms, pair or null, audio, video}, times on the browser's wall clock. Counters are totals since
// the connection began; the pair's count everything on the wire (media and connectivity checks), the
// others RTP only.
export async function readStats(connection) {
    const report = await connection.getStats();
    const result = {
        // When it was counted; the answer may come much later.
        at_ms: [...report.values()].find((entry) => entry.type === "peer-connection").timestamp,
        pair: null,
        audio: {
            packetsReceived: 0, packetsSent: 0, packetsLost: 0, jitter_ms: null,
            totalAudioEnergy: 0, last_ms: null, concealed: 0,
        },
        video: { packetsReceived: 0, packetsLost: 0 },
    };
    const pair = selectedPair(report);
    if (pair)
        result.pair = {
            local: candidate(report, pair.localCandidateId),
            remote: candidate(report, pair.remoteCandidateId),
            packetsSent: pair.packetsSent ?? null,
            packetsReceived: pair.packetsReceived ?? null,
            roundTrip_ms: pair.currentRoundTripTime === undefined
                ? null : pair.currentRoundTripTime * 1000,
        };
    for (const entry of report.values()) {
        if (entry.kind === "video" && entry.type === "inbound-rtp") {
            result.video.packetsReceived += entry.packetsReceived ?? 0;
            result.video.packetsLost += entry.packetsLost ?? 0;
        }
        if (entry.kind !== "audio")
            continue;
        if (entry.type === "inbound-rtp") {
            result.audio.packetsReceived += entry.packetsReceived ?? 0;
            result.audio.packetsLost += entry.packetsLost ?? 0;
            result.audio.totalAudioEnergy += entry.totalAudioEnergy ?? 0;
            result.audio.last_ms = entry.lastPacketReceivedTimestamp ?? null;
            // Samples that the browser made up because no voice was there in time.
            result.audio.concealed += entry.concealedSamples ?? 0;
            if (entry.jitter !== undefined)
                result.audio.jitter_ms = entry.jitter * 1000;
        } else if (entry.type === "outbound-rtp") {
            result.audio.packetsSent += entry.packetsSent ?? 0;
        }
    }
    return result;
}

// Turns a row of totals into rates, and keeps the last minute for the drawing.
export class Rates {
    #last = null;
    incoming = [];
    inPerSecond = null;
    outPerSecond = null;

    add(stats) {
        const last = this.#last;
        if (last && stats.at_ms - last.at_ms < INTERVAL_MS_MIN)
            return;
        this.#last = stats;
        if (!last)
            return;
        const seconds = (stats.at_ms - last.at_ms) / 1000;
        const rate = (name) =>
            Math.max(0, stats.audio[name] - last.audio[name]) / seconds;
        this.inPerSecond = rate("packetsReceived");
        this.outPerSecond = rate("packetsSent");
        this.incoming.push(this.inPerSecond);
        if (this.incoming.length > HISTORY_MAX)
            this.incoming.shift();
    }
}
