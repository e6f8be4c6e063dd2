// SPDX-License-Identifier: BSD-3-Clause
// Ties the page's buttons to the call. The link's fragment carries room and token, so that neither
// reaches a server's log; ?policy= and ?picture are for test servers (voicecall serve --test-pages).

import { Call } from "./call.js";
import { View } from "./view.js";

const LEVELS_MS = 80;

const link = new URLSearchParams(location.hash.slice(1));
const wishes = new URLSearchParams(location.search);
const call = new Call({ policy: wishes.get("policy"), picture: wishes.has("picture") });
const view = new View(call);
const byId = (id) => document.getElementById(id);

function explain(error) {
    switch (error.name) {
    case "NotAllowedError":
        return "The browser did not allow the microphone. Allow it for this page and join again.";
    case "NotFoundError":
        return "This computer has no microphone that the browser can find.";
    case "NotReadableError":
        return "The microphone is busy: another program holds it.";
    default:
        return `The microphone could not be opened (${error.name}).`;
    }
}

async function join(event) {
    event.preventDefault();
    view.trouble(null);
    byId("join").disabled = true;
    try {
        await call.join({
            room: link.get("room"), token: link.get("token"), name: byId("name").value,
        });
    } catch (error) {
        view.trouble(explain(error));
    }
    byId("join").disabled = false;
}

function toggleMute() {
    call.muted = !call.muted;
    view.news(call.muted ? "Your microphone is off." : "Your microphone is on.");
}

async function copyLink() {
    const invitation = new URL(location.href);
    invitation.search = "";
    invitation.hash = new URLSearchParams({ room: link.get("room"), token: link.get("token") });
    try {
        await navigator.clipboard.writeText(invitation.href);
        view.news("The link is copied.");
        byId("copy").querySelector("span").textContent = "Copied";
    } catch {
        view.trouble("The browser did not allow copying. The link is in the address bar.");
    }
}

function prepareDoor() {
    const complete = link.get("room") && link.get("token");
    byId("door-room").textContent = complete ? `Room: ${link.get("room")}` : "";
    byId("join").disabled = !complete;
    if (!complete)
        view.trouble("This address lacks the room's token. Open the whole link you were given.");
    else if (!navigator.mediaDevices)
        view.trouble("Browsers give the microphone to secure pages only: open this page by https " +
            "or on localhost.");
    byId("name").value = link.get("name") ?? "";
    byId("name").focus();
}

byId("door").addEventListener("submit", join);
byId("mute").addEventListener("click", toggleMute);
byId("copy").addEventListener("click", copyLink);
byId("leave-call").addEventListener("click", () => call.leave());
document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement;
    const plain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.repeat;
    if (event.key.toLowerCase() === "m" && plain && !typing && call.state === "joined")
        toggleMute();
});
addEventListener("hashchange", () => location.reload());
addEventListener("pagehide", () => call.leave());

call.addEventListener("change", () => view.draw());
call.addEventListener("joined", ({ detail }) => view.news(`${detail.name} joined.`));
call.addEventListener("left", ({ detail }) => view.news(`${detail.name} left.`));
call.addEventListener("trouble", ({ detail }) => view.trouble(detail));
setInterval(() => view.drawLevels(), LEVELS_MS);

prepareDoor();
view.draw();

// The page's state as data, for programs that drive the page.
globalThis.voicecall = Object.freeze({ snapshot: () => call.snapshot() });
