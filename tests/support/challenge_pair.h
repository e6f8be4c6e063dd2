// SPDX-License-Identifier: BSD-3-Clause
// A worker and a TURN server of the same configuration, keys and time: a datagram that the worker
// answers 401 must get the same answer of the server, byte by byte.
#pragma once

#include <turn/server.h>

#include "fake_store.h"
#include "relay.h"

#define PAIR_REALM  "pair.example" // of the listeners RELAY_LISTENER4 and RELAY_LISTENER6
#define PAIR_SECOND "second.example"
#define PAIR_ORIGIN "https://second.example"

struct pair_shape {
	bool secure_stun;
	bool two_realms;   // the second one is chosen by REALM or ORIGIN
	const char *realm; // NULL: PAIR_REALM
	uint32_t features; // TP_FEATURE_*
};

struct pair {
	struct relay *r;
	struct turn_server *s;
	struct policy *policy;
	struct fake_store store;
	struct turn_realm_conf realms[2];
	struct turn_listener listeners[2];
	struct turn_relay_address relays[2];
	struct turn_conf conf;
};

struct pair_verdict {
	const char *wrong; // NULL, or the difference between both
	enum tp_drop drop; // the worker's; none: it took the datagram
	bool by_worker;	   // the worker answered 401
	unsigned code;	   // of the server's answer; 0: success, 1: none
	size_t answer_len; // of the worker's
};

void pair_start(struct pair *p, const struct pair_shape *shape);
void pair_stop(struct pair *p);

// A client of IPv4 or IPv6 with this port, and its listener.
struct tp_addr pair_client(bool v6, uint16_t port);

// Gives a datagram of the client to both.
struct pair_verdict pair_compare(
	struct pair *p, const struct tp_addr *client, const uint8_t *msg, size_t len);
