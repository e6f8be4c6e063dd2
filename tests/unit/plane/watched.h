// SPDX-License-Identifier: BSD-3-Clause
// A call whose packets are run as a worker runs them while operators look on.
#pragma once

#include <watch.h>

#include "../stage/call.h"

static struct watch watch;
static bool watched_port_is_full; // what is sent is refused

static inline void watched_start(struct call *c, uint8_t family)
{
	memset(&watch, 0, sizeof(watch));
	call_start(c, family, family);
	assert_int_equal(watch_init(&watch, 1), 0);
}

static inline void watched_end(struct call *c)
{
	watch_fini(&watch);
	call_end(c);
}

static inline struct stage_pkt watched_run(struct call *c, struct frame *f,
	const struct tp_addr *from, const struct tp_addr *to, const void *payload, uint16_t len)
{
	struct stage_pkt pkt = call_packet(f, from, to, payload, len);
	struct capture_burst burst;

	if (watch_is_on(&watch))
		watch_run(&watch, c->r->worker, &pkt, 1, c->r->now_ns);
	else
		stage_run(c->r->worker, &pkt, 1, c->r->now_ns);
	if (pkt.verdict == STAGE_SEND) {
		capture_leaving(&watch.capture, &burst, c->r->worker->id, &pkt, 1, c->r->now_ns);
		capture_left(
			&watch.capture, &burst, c->r->worker->id, watched_port_is_full ? 0 : 1);
	}
	return pkt;
}

// Four octets on a channel, from the client.
static inline struct stage_pkt watched_channel(struct call *c, uint16_t number)
{
	static struct frame f;
	uint8_t data[8] = {(uint8_t)(number >> 8), (uint8_t)number, 0, 4, 'a', 'b', 'c', 'd'};

	return watched_run(c, &f, &c->client, &c->listener, data, sizeof(data));
}

// The same to the relayed address.
static inline struct stage_pkt watched_datagram(struct call *c, const struct tp_addr *from)
{
	static struct frame f;

	return watched_run(c, &f, from, &c->relayed, "abcd", 4);
}
