// SPDX-License-Identifier: BSD-3-Clause
// The call: the members of the room, and one Peer for each of them.

import { LocalLevel } from "./levels.js";
import { Noise } from "./noise.js";
import { Peer } from "./peer.js";
import { Signal, signalUrl } from "./signal.js";

const MEASURE_MS = 1000;
const RENEW_MS = 15000;
const RETRY_MS = [1000, 2000, 4000, 8000];
const POLICIES = ["relay", "host", "all"];

// States: idle, joining, joined, lost (the server is gone, we try again), ended.
// Events: "change" (render), "joined"/"left" (detail: the member), "trouble" (detail: a sentence).
export class Call extends EventTarget {
    #signal = null;
    #stream = null;
    #level = null;
    #timer = null;
    #retries = 0;
    #hello = null;
    #renewed_ms = -RENEW_MS;
    #wish;
    #picture;
    #noise = null;
    state = "idle";
    self = null;
    policy = null;
    since_ms = null;
    peers = new Map();

    // Wishes in the page's address, which only a server of tests grants: the policy, and a picture
    // beside the voice.
    constructor({ policy, picture }) {
        super();
        this.#wish = POLICIES.includes(policy) ? policy : null;
        this.#picture = picture;
    }

    // Throws the errors of getUserMedia; later failures arrive as events.
    async join({ room, token, name }) {
        this.#stream = await navigator.mediaDevices.getUserMedia({ audio: true });
        this.#level = new LocalLevel(this.#stream);
        this.#hello = { type: "join", room, token, name, muted: this.muted };
        this.#setState("joining");
        this.#connect();
        this.#timer = setInterval(() => this.#measure(), MEASURE_MS);
    }

    leave() {
        this.#signal?.send({ type: "leave" });
        this.#end("idle");
    }

    get muted() {
        return !(this.#stream?.getAudioTracks()[0]?.enabled ?? true);
    }

    set muted(muted) {
        for (const track of this.#stream?.getAudioTracks() ?? [])
            track.enabled = !muted;
        this.#hello = { ...this.#hello, muted };
        this.#signal?.send({ type: "state", muted });
        this.#changed();
    }

    // How loud we are, 0 to 1.
    get level() {
        return this.muted ? 0 : this.#level?.read() ?? 0;
    }

    // Everything the page shows, measured now, as plain data.
    async snapshot() {
        await Promise.all([...this.peers.values()].map((peer) => peer.measure()));
        return {
            state: this.state, self: this.self, muted: this.muted, policy: this.policy,
            peers: [...this.peers.values()].map((peer) => ({
                ...peer.member, connection: peer.state, level: peer.level, ...peer.stats,
            })),
        };
    }

    #connect() {
        this.#signal = new Signal(signalUrl(location), this.#hello);
        this.#signal.addEventListener("message", ({ detail }) => this.#take(detail));
        this.#signal.addEventListener("close", () => this.#lost());
    }

    #take(message) {
        switch (message.type) {
        case "welcome":
            return this.#welcome(message);
        case "joined":
            this.#add(message.member, message.member.id, false);
            return this.#tell("joined", message.member);
        case "left":
            return this.#remove(message.id);
        case "state":
            if (this.peers.has(message.id))
                this.peers.get(message.id).member.muted = message.muted;
            return this.#changed();
        case "signal":
            return this.peers.get(message.from)?.take(message);
        case "ice":
            this.ice = message.ice;
            return this.peers.forEach((peer) => peer.renew(this.#servers()));
        case "error":
            this.#tell("trouble", message.text);
            return message.fatal ? this.#end("ended") : undefined;
        default:
            return undefined;
        }
    }

    #welcome(message) {
        this.#retries = 0;
        this.#closePeers();
        this.ice = message.ice;
        this.policy = message.testPages && this.#wish ? this.#wish : message.policy;
        if (message.testPages && this.#picture && !this.#noise) {
            this.#noise = new Noise();
            this.#stream.addTrack(this.#noise.track);
        }
        this.self = { id: message.id, name: message.name, room: message.room };
        this.since_ms ??= performance.now();
        for (const member of message.members)
            this.#add(member, member.id, true);
        this.#setState("joined");
    }

    #servers() {
        return this.policy === "host" ? [] : this.ice;
    }

    #add(member, id, offerer) {
        const peer = new Peer({
            member, offerer,
            iceServers: this.#servers(),
            policy: this.policy === "relay" ? "relay" : "all",
            stream: this.#stream,
            send: (signal) => this.#signal?.send({ type: "signal", to: id, ...signal }),
        });
        peer.addEventListener("change", () => this.#changed());
        peer.addEventListener("failed", () => this.#renew());
        peer.addEventListener("unreached", ({ detail }) => this.#unreached(detail));
        this.peers.set(id, peer);
        this.#changed();
    }

    // New credentials, and with them another search for a path; not more often than the server
    // gives any.
    #renew() {
        if (performance.now() - this.#renewed_ms < RENEW_MS)
            return;
        this.#renewed_ms = performance.now();
        this.#signal?.send({ type: "renew" });
    }

    #unreached(reason) {
        const what = this.policy === "host"
            ? "The browser offered no address of its own."
            : "The relay could not be reached, so nobody can hear you.";
        this.#tell("trouble", reason ? `${what} The browser says: ${reason}` : what);
    }

    #remove(id) {
        const peer = this.peers.get(id);
        if (!peer)
            return;
        peer.close();
        this.peers.delete(id);
        this.#tell("left", peer.member);
        this.#changed();
    }

    #lost() {
        this.#signal = null;
        const wait_ms = RETRY_MS[Math.min(this.#retries, RETRY_MS.length - 1)];
        this.#retries += 1;
        this.#setState("lost");
        setTimeout(() => {
            if (this.state === "lost")
                this.#connect();
        }, wait_ms);
    }

    #end(state) {
        clearInterval(this.#timer);
        this.#signal?.close();
        this.#signal = null;
        this.#closePeers();
        this.#level?.close();
        this.#level = null;
        this.#noise?.close();
        this.#noise = null;
        this.#stream?.getTracks().forEach((track) => track.stop());
        this.#stream = null;
        this.since_ms = null;
        this.#retries = 0;
        this.#setState(state);
    }

    #closePeers() {
        this.peers.forEach((peer) => peer.close());
        this.peers.clear();
    }

    async #measure() {
        await Promise.all([...this.peers.values()].map((peer) => peer.measure()));
        if ([...this.peers.values()].some((peer) => peer.state === "failed"))
            this.#renew();
        this.#changed();
    }

    #setState(state) {
        this.state = state;
        this.#changed();
    }

    #changed() {
        this.dispatchEvent(new Event("change"));
    }

    #tell(type, detail) {
        this.dispatchEvent(new CustomEvent(type, { detail }));
    }
}
