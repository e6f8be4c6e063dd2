// SPDX-License-Identifier: BSD-3-Clause
// One connection to one other member. The later member offers, so offers never cross.

import { remoteLevel } from "./levels.js";
import { Rates, readStats } from "./stats.js";

const UNREACHED_MS = 6000;
// A search for another path: how often it is looked at, and when an attempt that found addresses is
// given up for the next one.
const SEARCH_MS = 500;
const ATTEMPT_MS = 8000;

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
    #search = null;
    #attempt_ms = 0;
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
        for (const track of stream.getTracks())
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
            if (["disconnected", "failed"].includes(connection.connectionState) && !this.#search) {
                this.#restart();
                this.#search = setInterval(() => this.#searchOn(), SEARCH_MS);
            }
        };
    }

    // An ICE restart: the offerer's, whom the other one asks for it.
    #restart() {
        this.#attempt_ms = performance.now();
        this.#candidates = 0;
        if (this.#offerer)
            this.#connection.restartIce();
        else
            this.#send({ restart: true });
    }

    // A relay that is being started gives no address: then again at once.
    #searchOn() {
        if (["connected", "closed"].includes(this.state)) {
            clearInterval(this.#search);
            this.#search = null;
            return;
        }
        const waited_ms = performance.now() - this.#attempt_ms;
        const nothing = this.#candidates === 0 && waited_ms >= 2 * SEARCH_MS
            && this.#connection.iceGatheringState === "complete";
        if (nothing || waited_ms >= ATTEMPT_MS)
            this.#restart();
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

    async #handle({ description, candidate, restart }) {
        const connection = this.#connection;
        if (restart) {
            if (this.#offerer && performance.now() - this.#attempt_ms >= 2 * SEARCH_MS)
                this.#restart();
            return undefined;
        }
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

    // New credentials for the next gathering.
    renew(iceServers) {
        const policy = this.#connection.getConfiguration().iceTransportPolicy;
        this.#connection.setConfiguration({
            iceServers, iceTransportPolicy: policy, bundlePolicy: "max-bundle",
        });
    }

    async measure() {
        this.stats = await readStats(this.#connection);
        this.rates.add(this.stats);
    }

    close() {
        clearTimeout(this.#gathering);
        clearInterval(this.#search);
        this.#connection.close();
        this.#audio.srcObject = null;
    }
}

function plainCandidate(candidate) {
    const { sdpMid, sdpMLineIndex, usernameFragment } = candidate;
    return { candidate: candidate.candidate, sdpMid, sdpMLineIndex, usernameFragment };
}
