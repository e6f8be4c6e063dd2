// SPDX-License-Identifier: BSD-3-Clause
// The page as a picture of the call. Names and everything else from afar enter as text only.

import { meterShare } from "./levels.js";
import { drawRoute, drawSpark, routeOf } from "./route.js";

const STATES = {
    idle: "Not joined", joining: "Joining", joined: "In the call",
    lost: "Server lost, trying again", ended: "Call ended",
};
const CONNECTIONS = {
    new: "Connecting", connecting: "Connecting", connected: "Connected",
    disconnected: "Interrupted", failed: "No path, trying again", closed: "Gone",
};
const POLICIES = { relay: "Relay only", host: "No relay", all: "Any path" };
const HUES = 6;

const byId = (id) => document.getElementById(id);

function clone(id) {
    return byId(id).content.firstElementChild.cloneNode(true);
}

function initials(name) {
    const words = name.split(" ").filter(Boolean);
    const first = [...words[0]][0];
    const last = words.length > 1 ? [...words.at(-1)][0] : "";
    return (first + last).toUpperCase();
}

function clock(ms) {
    const seconds = Math.floor(ms / 1000);
    const two = (number) => String(number).padStart(2, "0");
    const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    return seconds < 3600 ? rest : `${Math.floor(seconds / 3600)}:${rest}`;
}

function showChip(id, text) {
    const chip = byId(id);
    chip.hidden = !text;
    (chip.querySelector("span") ?? chip).textContent = text ?? "";
}

// One tile or route per key, made when new and removed when gone; others keep their element.
class Rows {
    #list;
    #template;
    #rows = new Map();

    constructor(list, template) {
        this.#list = list;
        this.#template = template;
    }

    get(key) {
        if (!this.#rows.has(key)) {
            this.#rows.set(key, clone(this.#template));
            this.#list.append(this.#rows.get(key));
        }
        return this.#rows.get(key);
    }

    keep(keys) {
        for (const [key, row] of this.#rows)
            if (!keys.has(key)) {
                row.remove();
                this.#rows.delete(key);
            }
    }
}

export class View {
    #call;
    #people = new Rows(byId("people"), "person-template");
    #routes = new Rows(byId("routes"), "route-template");
    #hues = new Map();

    constructor(call) {
        this.#call = call;
    }

    draw() {
        const call = this.#call;
        const inside = ["joining", "joined", "lost"].includes(call.state);
        byId("door").hidden = inside;
        byId("call").hidden = !inside;
        byId("dock").hidden = !inside;
        document.body.dataset.state = call.state;
        showChip("chip-state", STATES[call.state]);
        byId("chip-state").dataset.state = call.state;
        showChip("chip-room", inside && call.self ? call.self.room : null);
        showChip("chip-policy", inside && call.policy ? POLICIES[call.policy] : null);
        showChip("chip-clock", call.since_ms === null
            ? null : clock(performance.now() - call.since_ms));
        this.#drawMute();
        this.#drawPeople();
        this.#drawRoutes();
    }

    // The meters alone, many times a second.
    drawLevels() {
        const call = this.#call;
        if (call.state !== "joined")
            return;
        this.#drawLevel(this.#people.get("self"), call.level);
        for (const [id, peer] of call.peers)
            this.#drawLevel(this.#people.get(id), peer.level);
    }

    #drawLevel(tile, amplitude) {
        tile.style.setProperty("--level", meterShare(amplitude).toFixed(2));
    }

    #drawMute() {
        const button = byId("mute");
        button.setAttribute("aria-pressed", String(this.#call.muted));
        button.querySelector("span").textContent = this.#call.muted ? "Unmute" : "Mute";
    }

    #drawPeople() {
        const call = this.#call;
        const here = new Set(call.peers.keys());
        if (call.self) {
            here.add("self");
            this.#drawPerson("self", call.self.name, call.muted, "");
        }
        for (const [id, peer] of call.peers)
            this.#drawPerson(id, peer.member.name, peer.member.muted, CONNECTIONS[peer.state]);
        this.#people.keep(here);
        for (const key of this.#hues.keys())
            if (!here.has(key))
                this.#hues.delete(key);
    }

    #drawPerson(key, name, muted, doing) {
        const tile = this.#people.get(key);
        tile.classList.toggle("self", key === "self");
        tile.classList.toggle("muted", muted);
        tile.dataset.hue = this.#hue(key);
        tile.querySelector(".initials").textContent = initials(name);
        tile.querySelector(".name").textContent = name;
        tile.querySelector(".doing").textContent = muted ? "Muted" : doing || "Microphone on";
        tile.querySelector(".mute-mark").toggleAttribute("hidden", !muted);
    }

    // The first colour that nobody here wears.
    #hue(key) {
        if (!this.#hues.has(key)) {
            const worn = new Set(this.#hues.values());
            const free = [...Array(HUES).keys()].find((hue) => !worn.has(hue));
            this.#hues.set(key, free ?? this.#hues.size % HUES);
        }
        return this.#hues.get(key);
    }

    #drawRoutes() {
        const call = this.#call;
        byId("alone").hidden = call.peers.size > 0;
        for (const [id, peer] of call.peers) {
            const row = this.#routes.get(id);
            row.dataset.connection = peer.state;
            const pair = peer.stats?.pair;
            const route = pair?.local && pair?.remote
                ? routeOf(pair, peer.member.name)
                : { stations: [{ kind: "person", title: "You", address: "" },
                    { kind: "person", title: peer.member.name, address: "" }],
                legs: [CONNECTIONS[peer.state]], words: "no path yet" };
            row.setAttribute("aria-label", `To ${peer.member.name}: ${route.words}`);
            drawRoute(row.querySelector(".hops"), route);
            this.#drawFigures(row, peer);
        }
        this.#routes.keep(new Set(call.peers.keys()));
    }

    #drawFigures(row, peer) {
        const show = (figure, value, digits = 0) => {
            row.querySelector(`[data-figure=${figure}]`).textContent =
                value === null || value === undefined ? "–" : value.toFixed(digits);
        };
        show("in", peer.rates.inPerSecond);
        show("out", peer.rates.outPerSecond);
        show("rtt", peer.stats?.pair?.roundTrip_ms, 1);
        show("jitter", peer.stats?.audio.jitter_ms, 1);
        show("lost", peer.stats?.audio.packetsLost);
        drawSpark(row.querySelector(".spark"), peer.rates.incoming);
    }

    trouble(text) {
        const alert = byId("alert");
        alert.hidden = !text;
        alert.textContent = text ?? "";
    }

    news(text) {
        byId("news").textContent = text;
    }
}
