// SPDX-License-Identifier: BSD-3-Clause
// A call whose packets are run as a worker runs them while operators look on.
#pragma once

#include <observe/observe.h>

#include "../stage/call.h"

static struct observe observed;
static bool observed_port_is_full; // sent packets are refused

static inline void observed_start(struct call *c, uint8_t family)
{
	call_start(c, family, family);
	assert_int_equal(observe_init(&observed, 1), 0);
}

static inline void observed_end(struct call *c)
{
	observe_fini(&observed, c->r->now_ns);
	call_end(c);
}

static inline struct stage_pkt observed_run(struct call *c, struct frame *f,
	const struct tp_addr *from, const struct tp_addr *to, const void *payload, uint16_t len)
{
	struct stage_pkt pkt = call_packet(f, from, to, payload, len);
	struct capture_burst burst;

	if (observe_is_on(&observed))
		observe_run(&observed, c->r->worker, &pkt, 1, c->r->now_ns);
	else
		stage_run(c->r->worker, &pkt, 1, c->r->now_ns);
	if (pkt.verdict == STAGE_SEND) {
		observe_capture_leaving(
			&observed.capture, &burst, c->r->worker->id, &pkt, 1, c->r->now_ns);
		observe_capture_left(
			&observed.capture, &burst, c->r->worker->id, observed_port_is_full ? 0 : 1);
	}
	return pkt;
}

// Four octets on a channel, from the client.
static inline struct stage_pkt observed_channel(struct call *c, uint16_t number)
{
	static struct frame f;
	uint8_t data[8] = {(uint8_t)(number >> 8), (uint8_t)number, 0, 4, 'a', 'b', 'c', 'd'};

	return observed_run(c, &f, &c->client, &c->listener, data, sizeof(data));
}

// The same to the relayed address.
static inline struct stage_pkt observed_datagram(struct call *c, const struct tp_addr *from)
{
	static struct frame f;

	return observed_run(c, &f, from, &c->relayed, "abcd", 4);
}
