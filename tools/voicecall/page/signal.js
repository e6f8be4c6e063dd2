// SPDX-License-Identifier: BSD-3-Clause
// The WebSocket to the signaling server: JSON in, JSON out, and when it ended.

// Events: "message" (detail: the message), "close" (detail: {clean}).
export class Signal extends EventTarget {
    #socket;

    constructor(url, hello) {
        super();
        this.#socket = new WebSocket(url);
        this.#socket.onopen = () => this.send(hello);
        this.#socket.onmessage = (event) => this.#tell("message", JSON.parse(event.data));
        this.#socket.onclose = (event) => this.#tell("close", { clean: event.wasClean });
    }

    send(message) {
        if (this.#socket.readyState === WebSocket.OPEN)
            this.#socket.send(JSON.stringify(message));
    }

    close() {
        this.#socket.onmessage = null;
        this.#socket.onclose = null;
        this.#socket.close();
    }

    #tell(type, detail) {
        this.dispatchEvent(new CustomEvent(type, { detail }));
    }
}

// The server's WebSocket beside the page's own address.
export function signalUrl(location) {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    return `${scheme}//${location.host}/ws`;
}
