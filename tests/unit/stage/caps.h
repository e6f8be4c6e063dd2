// SPDX-License-Identifier: BSD-3-Clause
// Caps of bandwidth and packet rate: clients with an allocation each, and workers that share the
// caps' fill, at a time that the test makes.
#pragma once

#include "call.h"

#define CAPS_SLOTS	 16u
#define CAPS_WORKERS_MAX 4u
#define CAPS_DATA_LEN	 1000u
#define CAPS_DATA_BITS	 (8u * CAPS_DATA_LEN)
#define MBIT		 1000000ull
#define ECT1		 1u
#define ECT0		 2u
#define CE		 3u

struct caps {
	struct call c;
	struct stage_worker *workers[CAPS_WORKERS_MAX]; // the first is the call's
	struct tp_limit limits[CAPS_SLOTS];
	struct tp_limit_cell cells[CAPS_WORKERS_MAX][CAPS_SLOTS];
	struct stage_cap fill[CAPS_SLOTS];
	struct tp_addr clients[4]; // each with an allocation, and the slot of its number
	struct frame up[4];	   // of each client, to its peer
	struct frame down;	   // of the peer, to the first client
	uint64_t now_ns;
};

static inline struct stage_pkt caps_packet(struct frame *f)
{
	return (struct stage_pkt){.data = frame_data(f),
		.len = f->len,
		.headroom = FRAME_FRONT,
		.tailroom = (uint16_t)(FRAME_MAX - f->len)};
}

static inline void caps_frame(const struct caps *t, unsigned client, uint8_t tos, struct frame *f)
{
	static uint8_t message[4 + CAPS_DATA_LEN];
	struct frame_spec spec = {.src = t->clients[client],
		.dst = t->c.listener,
		.tos = tos,
		.payload = message,
		.len = sizeof(message)};

	tp_store_be16(message, CALL_NUMBER);
	tp_store_be16(message + 2, CAPS_DATA_LEN);
	frame_build(f, &spec);
}

static inline void caps_frame_down(struct caps *t)
{
	static const uint8_t data[CAPS_DATA_LEN];
	struct frame_spec spec = {.src = t->c.peer,
		.dst = t->c.relayed,
		.tos = 0,
		.payload = data,
		.len = sizeof(data)};

	frame_build(&t->down, &spec);
}

static inline void caps_limit(struct caps *t, uint32_t allocation, uint32_t number)
{
	struct tp_entry *entries = t->c.r->entries;

	for (uint32_t i = 1; i < t->c.r->n_entries; i++)
		if (entries[i].allocation == allocation)
			relay_limit(&entries[i], number);
}

static inline void caps_attach(struct caps *t, unsigned i)
{
	struct stage_worker *w = t->workers[i];

	w->limits = t->limits;
	w->limit_cells = t->cells[i];
	w->caps = t->fill;
	w->n_limits = CAPS_SLOTS;
}

// `n` clients at one listener, each with a channel to a peer of its own; one allocation each.
static inline void caps_start_family(
	struct caps *t, unsigned n_clients, unsigned n_workers, uint8_t family)
{
	memset(t, 0, sizeof(*t));
	call_start(&t->c, family, family);
	t->now_ns = t->c.r->now_ns;
	t->clients[0] = t->c.client;
	for (unsigned i = 1; i < n_clients; i++) {
		uint16_t port = (uint16_t)(50001 + i);
		struct tp_addr peer = relay_addr4("10.77.2.2", port);
		uint32_t a;

		t->clients[i] = relay_addr4("10.77.1.2", port);
		a = relay_allocation(t->c.r, &t->clients[i], RELAY_LISTENER4,
			call_relayed(TP_FAMILY_IPV4, (uint16_t)(50000 + 2 * i)),
			(struct tp_entry_relay){0});
		relay_permission(t->c.r, a, 0, &peer);
		relay_channel(t->c.r, a, 0, CALL_NUMBER, &peer);
		caps_limit(t, a, i + 1);
	}
	caps_limit(t, t->c.allocation, 1);
	for (unsigned i = 0; i < 4; i++)
		t->limits[i].kind = TP_LIMIT_ALLOCATION;
	for (unsigned i = 0; i < n_clients; i++)
		caps_frame(t, i, 0, &t->up[i]);
	caps_frame_down(t);
	for (unsigned i = 0; i < n_workers; i++) {
		t->workers[i] = i == 0 ? t->c.r->worker : malloc(sizeof(**t->workers));
		if (i > 0)
			memcpy(t->workers[i], t->workers[0], sizeof(**t->workers));
		caps_attach(t, i);
	}
}

static inline void caps_start(struct caps *t, unsigned n_clients, unsigned n_workers)
{
	caps_start_family(t, n_clients, n_workers, TP_FAMILY_IPV4);
}

static inline void caps_stop(struct caps *t)
{
	for (unsigned i = 1; i < CAPS_WORKERS_MAX; i++)
		free(t->workers[i]);
	call_end(&t->c);
}

static inline void caps_set(struct tp_limit *l, uint64_t bits, uint64_t burst_bits,
	uint32_t packets, uint32_t burst_packets)
{
	atomic_store(&l->bits_per_s, bits);
	atomic_store(&l->burst_bits, burst_bits);
	atomic_store(&l->packets_per_s, packets);
	atomic_store(&l->burst_packets, burst_packets);
}

// A bucket of 40 ms, the default.
static inline void caps_set_bits(struct tp_limit *l, uint64_t bits)
{
	caps_set(l, bits, bits / 25, 0, 0);
}

// A wider cap, in slot `at`, over the one in slot `below`.
static inline void caps_set_over(
	struct caps *t, unsigned below, unsigned at, uint8_t kind, uint32_t sessions)
{
	t->limits[at].kind = kind;
	atomic_store(&t->limits[at].sessions, sessions);
	atomic_store(&t->limits[below].parent, at + 1);
}

// Runs a copy of the frame; the result is valid until the next one.
static inline struct stage_pkt caps_run(struct caps *t, unsigned worker, const struct frame *from)
{
	static struct frame f;
	struct stage_pkt pkt;

	f = *from;
	pkt = caps_packet(&f);
	stage_run(t->workers[worker], &pkt, 1, t->now_ns);
	return pkt;
}

static inline bool caps_passes(struct caps *t, unsigned worker, const struct frame *from)
{
	return caps_run(t, worker, from).verdict == STAGE_SEND;
}

static inline void caps_assert_within(uint64_t got, uint64_t want, unsigned percent)
{
	if (got * 100 < want * (100 - percent) || got * 100 > want * (100 + percent))
		fail_msg("%llu, not within %u %% of %llu", (unsigned long long)got, percent,
			(unsigned long long)want);
}
