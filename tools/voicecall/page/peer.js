// SPDX-License-Identifier: BSD-3-Clause
// One connection to one other member. The later member offers, so offers never cross.

import { remoteLevel } from "./levels.js";
import { Rates, readStats } from "./stats.js";

const UNREACHED_MS = 6000;

// Events: "change" when the state changed, "failed" when the path is gone, "unreached" when no
// address of ours was found to offer (detail: the browser's reason or null).
export class Peer extends EventTarget {
    #connection;
    #offerer;
    #send;
    #queue = Promise.resolve();
    #audio = new Audio();
    #candidates = 0;
    #reason = null;
    #gathering = null;
    rates = new Rates();
    stats = null;

    // member: {id, name, muted} as the server says; send: takes {description} or {candidate}.
    constructor({ member, offerer, iceServers, policy, stream, send }) {
        super();
        this.member = member;
        this.#offerer = offerer;
        this.#send = send;
        this.#connection = new RTCPeerConnection({
            iceServers, iceTransportPolicy: policy, bundlePolicy: "max-bundle",
        });
        this.#listen();
        for (const track of stream.getAudioTracks())
            this.#connection.addTrack(track, stream);
    }

    #listen() {
        const connection = this.#connection;
        connection.onnegotiationneeded = () => this.#offer();
        connection.onicecandidate = ({ candidate }) => {
            if (!candidate?.candidate)
                return;
            this.#candidates += 1;
            this.#send({ candidate: plainCandidate(candidate) });
        };
        connection.onicecandidateerror = ({ errorText }) => {
            this.#reason = errorText || null;
        };
        connection.onicegatheringstatechange = () => {
            // A silent relay lets browsers gather for much longer than people wait.
            if (connection.iceGatheringState === "gathering")
                this.#gathering ??= setTimeout(() => this.#checkCandidates(), UNREACHED_MS);
            else if (connection.iceGatheringState === "complete")
                this.#checkCandidates();
        };
        connection.ontrack = ({ streams, track }) => {
            this.#audio.srcObject = streams[0] ?? new MediaStream([track]);
            // Refused only without a user's gesture; joining was one.
            this.#audio.play().catch(() => {});
        };
        connection.onconnectionstatechange = () => {
            this.dispatchEvent(new Event("change"));
            if (connection.connectionState === "failed")
                this.dispatchEvent(new Event("failed"));
        };
    }

    #checkCandidates() {
        clearTimeout(this.#gathering);
        if (this.#candidates === 0 && this.state !== "closed")
            this.dispatchEvent(new CustomEvent("unreached", { detail: this.#reason }));
    }

    get state() {
        return this.#connection.connectionState;
    }

    get level() {
        return remoteLevel(this.#connection.getReceivers()[0]);
    }

    // Signals are handled one after the other, in the order they came.
    take(message) {
        this.#queue = this.#queue.then(() => this.#handle(message)).catch((error) => {
            console.warn("signal not usable:", error.message);
        });
    }

    async #handle({ description, candidate }) {
        const connection = this.#connection;
        if (candidate)
            return connection.addIceCandidate(candidate);
        await connection.setRemoteDescription(description);
        if (description.type !== "offer")
            return undefined;
        await connection.setLocalDescription();
        return this.#sendDescription();
    }

    async #offer() {
        if (!this.#offerer)
            return;
        await this.#connection.setLocalDescription();
        this.#sendDescription();
    }

    #sendDescription() {
        const { type, sdp } = this.#connection.localDescription;
        this.#send({ description: { type, sdp } });
    }

    // New credentials for the next gathering; a path that is gone is looked for again.
    renew(iceServers) {
        const policy = this.#connection.getConfiguration().iceTransportPolicy;
        this.#connection.setConfiguration({
            iceServers, iceTransportPolicy: policy, bundlePolicy: "max-bundle",
        });
        if (this.#offerer && this.state === "failed")
            this.#connection.restartIce();
    }

    async measure() {
        this.stats = await readStats(this.#connection);
        this.rates.add(this.stats);
    }

    close() {
        clearTimeout(this.#gathering);
        this.#connection.close();
        this.#audio.srcObject = null;
    }
}

function plainCandidate(candidate) {
    const { sdpMid, sdpMLineIndex, usernameFragment } = candidate;
    return { candidate: candidate.candidate, sdpMid, sdpMLineIndex, usernameFragment };
}
