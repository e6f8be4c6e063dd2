// SPDX-License-Identifier: BSD-3-Clause
// The selected candidate pair as the stations a voice passes, in words and in pictures.

function place(candidate) {
    const address = candidate.address ?? "hidden";
    return address.includes(":") ? `[${address}]:${candidate.port}` : `${address}:${candidate.port}`;
}

function upper(protocol) {
    return (protocol ?? "udp").toUpperCase();
}

// pair (as in stats.js) -> {stations: [{kind, title, address}], legs: [protocol], words}.
export function routeOf(pair, name) {
    const { local, remote } = pair;
    const stations = [{
        kind: "person", title: "You",
        address: local.type === "relay" ? "address hidden" : place(local),
    }];
    const legs = [];
    const sameRelay = local.type === "relay" && remote.type === "relay" &&
        local.address === remote.address;
    if (local.type === "relay") {
        legs.push(upper(local.relayProtocol));
        stations.push({
            kind: "relay", title: "Relay",
            address: sameRelay ? `${place(local)} ⇄ ${remote.port}` : place(local),
        });
    }
    if (remote.type === "relay" && !sameRelay) {
        legs.push(upper(local.protocol));
        stations.push({ kind: "relay", title: "Relay", address: place(remote) });
    }
    legs.push(upper(remote.protocol));
    stations.push({
        kind: "person", title: name,
        address: remote.type === "relay" ? "address hidden" : place(remote),
    });
    return { stations, legs, words: `${local.type} to ${remote.type}, ${upper(local.protocol)}` };
}

function clone(id) {
    return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

// Draws the stations into a list; unchanged routes are left alone so that animations run on.
export function drawRoute(list, route) {
    const key = JSON.stringify(route);
    if (list.dataset.key === key)
        return;
    list.dataset.key = key;
    list.replaceChildren();
    route.stations.forEach((station, index) => {
        if (index > 0) {
            const leg = clone("leg-template");
            leg.querySelector(".protocol").textContent = route.legs[index - 1];
            list.append(leg);
        }
        const hop = clone("hop-template");
        hop.dataset.kind = station.kind;
        hop.querySelector("use").setAttribute("href", `#${station.kind}`);
        hop.querySelector("b").textContent = station.title;
        hop.querySelector(".address").textContent = station.address;
        list.append(hop);
    });
}

// The last minute as a line, one value a second, newest at the right.
export function drawSpark(svg, values) {
    const top = Math.max(60, ...values);
    const points = values.map((value, index) => {
        const x = 120 - 2 * (values.length - 1 - index);
        return `${x.toFixed(1)} ${(30 - 27 * value / top).toFixed(1)}`;
    });
    const line = points.length > 1 ? `M${points.join("L")}` : "";
    svg.querySelector(".line").setAttribute("d", line);
    const start = 120 - 2 * (values.length - 1);
    svg.querySelector(".area").setAttribute("d", line ? `${line}L120 32L${start} 32Z` : "");
}
