// SPDX-License-Identifier: BSD-3-Clause
// Rings between a worker and the edge's threads: messages in and out, and an edge gone mad.
#include "call.h"

#include <stdlib.h>

#include <entry/template.h>

#define LISTENER_TCP 21u
#define NUMBER	     0x4006u
#define PORT	     50200u
#define THREADS	     2u
#define SLOT	     77u

static const uint64_t connection = 5ull << 32 | TP_EGRESS_STREAM | 1u << 24 | SLOT;

struct edge {
	struct call call;
	struct tp_addr client;
	struct tp_addr relayed;
	struct tp_ring_consumer in[THREADS];
	struct tp_ring_producer out[THREADS];
	struct tp_ring_word words[4][THREADS];
	struct tp_ring_slot *slots; // [2][THREADS][TP_RING_SLOTS]
	struct stage_stream_out stream_out[STAGE_BURST];
};

static void rings_start(struct edge *e)
{
	struct stage_worker *w = e->call.r->worker;

	e->slots = calloc(2 * THREADS * TP_RING_SLOTS, sizeof(*e->slots));
	assert_non_null(e->slots);
	for (unsigned t = 0; t < THREADS; t++) {
		e->in[t] = (struct tp_ring_consumer){.slots = e->slots + t * TP_RING_SLOTS,
			.head = &e->words[0][t].value,
			.tail = &e->words[1][t].value,
			.n_slots = TP_RING_SLOTS};
		e->out[t] =
			(struct tp_ring_producer){.slots = e->slots + (THREADS + t) * TP_RING_SLOTS,
				.head = &e->words[2][t].value,
				.tail = &e->words[3][t].value,
				.n_slots = TP_RING_SLOTS};
	}
	w->edge_in = e->in;
	w->edge_out = e->out;
	w->n_edge = THREADS;
	w->stream_out = e->stream_out;
	w->stream_out_max = STAGE_BURST;
}

static int setup(void **state)
{
	struct edge *e = calloc(1, sizeof(*e));
	uint32_t allocation, channel;
	struct relay *r;
	struct tp_addr at;

	assert_non_null(e);
	call_start(&e->call, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	r = e->call.r;
	at = e->call.listener;
	r->locals[LISTENER_TCP] = (struct tp_local){.addr = at,
		.external = at,
		.role = TP_ROLE_LISTENER,
		.transport = TP_TRANSPORT_TCP};
	relay_locals_change(r);
	e->client = e->call.client;
	allocation = relay_allocation(r, &e->client, LISTENER_TCP,
		call_relayed(TP_FAMILY_IPV4, PORT), (struct tp_entry_relay){0});
	e->relayed = relay_relayed(r, allocation, 0);
	channel = relay_channel(r, allocation, 0, NUMBER, &e->call.peer);
	entry_template_stream_allocation(&r->entries[allocation], connection);
	r->entries[allocation].egress = tp_connection_egress(connection);
	entry_template_stream_channel(&r->entries[channel], &e->relayed, &e->call.peer);
	channel = r->entries[channel].partner;
	entry_template_stream_peer(
		&r->entries[channel], connection, NUMBER, &e->relayed, &e->call.peer);
	r->entries[channel].egress = tp_connection_egress(connection);
	rings_start(e);
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct edge *e = *state;

	free(e->slots);
	call_end(&e->call);
	free(e);
	return 0;
}

// The slot that the edge's thread fills next; it has a right message in it.
static struct tp_ring_slot *fill(struct edge *e, unsigned thread)
{
	uint32_t head = atomic_load(&e->words[0][thread].value);
	struct tp_ring_slot *slot = &e->slots[thread * TP_RING_SLOTS + head % TP_RING_SLOTS];
	struct message m;

	message_channel(&m, NUMBER, "media", 5, 0);
	memset(slot, 0, sizeof(*slot));
	slot->len = m.len;
	slot->local_id = LISTENER_TCP;
	slot->remote = e->client;
	slot->connection = connection;
	memcpy(slot->data, m.data, m.len);
	atomic_store(&e->words[0][thread].value, head + 1);
	return slot;
}

// Runs what waits, in buffers of this test; returns the number used.
static unsigned run(struct edge *e, struct frame frames[], struct stage_pkt pkts[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		pkts[i] = (struct stage_pkt){.data = frame_data(&frames[i]),
			.headroom = FRAME_FRONT,
			.tailroom = FRAME_MAX};
	return stage_edge_run(e->call.r->worker, pkts, n, e->call.r->now_ns);
}

static uint64_t drops(const struct edge *e, enum tp_drop why)
{
	return atomic_load(&e->call.r->stats->drops[why]);
}

static void client_to_peer(void **state)
{
	struct edge *e = *state;
	struct frame frames[4];
	struct stage_pkt pkts[4];
	struct frame_view v;

	assert_int_equal(stage_edge_pending(e->call.r->worker, 4), 0);
	for (unsigned i = 0; i < 3; i++)
		fill(e, 1);
	assert_int_equal(stage_edge_pending(e->call.r->worker, 2), 2);
	assert_int_equal(stage_edge_pending(e->call.r->worker, 4), 3);
	assert_int_equal(run(e, frames, pkts, 2), 2);
	assert_int_equal(run(e, frames, pkts, 4), 1);
	assert_int_equal(run(e, frames, pkts, 4), 0);
	fill(e, 1);
	assert_int_equal(run(e, frames, pkts, 4), 1);
	v = call_read(&pkts[0]);
	call_assert_addr(&v.src, &e->relayed);
	call_assert_addr(&v.dst, &e->call.peer);
	assert_int_equal(v.len, 5);
	assert_memory_equal(v.payload, "media", 5);
	assert_int_equal(atomic_load(&e->call.r->stats->path_packets[TP_PATH_channel_to_peer]), 4);
}

// The worker's list names the packet where it ran; the copy that the test has outlives that.
static void peer_sends(struct edge *e, struct frame *f, struct stage_pkt *pkt)
{
	struct stage_worker *w = e->call.r->worker;

	*pkt = call_send_bytes(&e->call, f, &e->call.peer, &e->relayed, "hello", 5);
	if (w->n_stream_out > 0)
		w->stream_out[w->n_stream_out - 1].pkt = pkt;
}

// The peer's datagram leaves by the ring of the thread that owns the connection.
static void peer_to_client(void **state)
{
	struct edge *e = *state;
	struct stage_worker *w = e->call.r->worker;
	const struct tp_ring_slot *slot = &e->slots[3 * TP_RING_SLOTS];
	struct stage_pkt pkt;
	struct frame f;

	peer_sends(e, &f, &pkt);
	assert_int_equal(pkt.verdict, STAGE_STREAM);
	assert_int_equal(w->n_stream_out, 1);
	stage_edge_give(w, e->call.r->now_ns);
	assert_int_equal(w->n_stream_out, 0);
	assert_int_equal(w->edge_given, 2);
	assert_int_equal(atomic_load(&e->words[2][0].value), 0);
	assert_int_equal(atomic_load(&e->words[2][1].value), 1);
	assert_true(slot->connection == connection && slot->kind == TP_RING_MESSAGE);
	assert_int_equal(slot->len, 9);
	assert_memory_equal(slot->data, "\x40\x06\x00\x05hello", 9);
	assert_int_equal(atomic_load(&w->stats->tx_packets), 1);
	// Nobody takes it: the ring becomes full, and the rest is dropped by name.
	for (unsigned i = 0; i < TP_RING_SLOTS; i++) {
		peer_sends(e, &f, &pkt);
		stage_edge_give(w, e->call.r->now_ns);
	}
	assert_int_equal(drops(e, TP_DROP_edge_full), 1);
	// A thread that the edge of today has not.
	w->n_edge = 1;
	peer_sends(e, &f, &pkt);
	stage_edge_give(w, e->call.r->now_ns);
	assert_int_equal(drops(e, TP_DROP_stale_connection), 1);
	// Without an edge there is no list.
	w->stream_out_max = 0;
	peer_sends(e, &f, &pkt);
	assert_int_equal(pkt.verdict, STAGE_DROP);
	assert_int_equal(drops(e, TP_DROP_edge_full), 2);
}

// How many messages of `n` the ring takes, for the client of the call or for another.
static unsigned taken(struct edge *e, unsigned n, uint8_t another)
{
	struct stage_worker *w = e->call.r->worker;
	uint32_t head = atomic_load(&e->words[2][1].value);
	struct stage_pkt pkt;
	struct frame f;

	for (unsigned i = 0; i < n; i++) {
		peer_sends(e, &f, &pkt);
		w->stream_out[0].owner = (uint8_t)(w->stream_out[0].owner + another);
		stage_edge_give(w, e->call.r->now_ns);
	}
	return atomic_load(&e->words[2][1].value) - head;
}

// Fault: a peer that sends faster than the edge takes, or records of one client, filled the ring,
// and answers to all others were lost.
static void flood_leaves_slots(void **state)
{
	struct edge *e = *state;
	struct stage_worker *w = e->call.r->worker;
	_Atomic uint32_t *head = &e->words[2][1].value, *tail = &e->words[3][1].value;

	w->edge_slots = calloc(THREADS, sizeof(*w->edge_slots));
	assert_non_null(w->edge_slots);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(taken(e, 1000, 0), TP_RING_SLOTS / 4 * 3);
		assert_int_equal(taken(e, 10, 1), 10);
		assert_int_equal(taken(e, 10, 2), 10);
		assert_int_equal(taken(e, 10, 0), 0);
		// The thread has taken some, and these are nobody's.
		atomic_fetch_add(tail, 200);
		assert_in_range(taken(e, 1000, 0), 130, 200);
		assert_int_equal(taken(e, 10, 3), 10);
		atomic_store(tail, atomic_load(head));
	}
	// A tail of a thread gone mad, and one that began anew.
	atomic_store(tail, atomic_load(head) + 7);
	assert_int_equal(taken(e, 10, 0), 0);
	atomic_store(head, 0x80000000u);
	atomic_store(tail, 0x80000000u - 5);
	assert_int_equal(taken(e, 1000, 0), 380);
	assert_int_equal(taken(e, 10, 1), 10);
	free(w->edge_slots);
	w->edge_slots = NULL;
}

// It may say anything: it reaches nothing but allocations of its own connections.
static void edge_gone_mad(void **state)
{
	struct edge *e = *state;
	struct frame frames[8];
	struct stage_pkt pkts[8];

	fill(e, 1)->len = 0;
	fill(e, 1)->len = TP_RING_DATA_MAX + 1;
	fill(e, 1)->kind = 9;
	fill(e, 0); // another thread's connection
	assert_int_equal(run(e, frames, pkts, 8), 0);
	assert_int_equal(drops(e, TP_DROP_edge_bad), 4);
	// A listener of datagrams, a relay address, none.
	fill(e, 1)->local_id = 1;
	fill(e, 1)->local_id = TP_LOCALS_MAX;
	fill(e, 1)->local_id = UINT16_MAX;
	fill(e, 1)->remote.family = 7;
	fill(e, 1)->remote.port_be = 0;
	assert_int_equal(run(e, frames, pkts, 8), 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(pkts[i].verdict, STAGE_DROP);
	assert_int_equal(drops(e, TP_DROP_edge_bad), 9);
	// Handles that are none, and the one of an earlier client of the slot.
	fill(e, 1)->connection = 0;
	fill(e, 1)->connection = connection & UINT32_MAX;
	fill(e, 1)->connection = connection - (1ull << 32);
	assert_int_equal(run(e, frames, pkts, 8), 3);
	assert_int_equal(drops(e, TP_DROP_stale_connection), 3);
	assert_int_equal(atomic_load(&e->call.r->stats->path_packets[TP_PATH_channel_to_peer]), 0);
}

// Bytes that no address has do not make another client of it.
static void unused_bytes_are_cleared(void **state)
{
	struct edge *e = *state;
	struct frame frames[2];
	struct stage_pkt pkts[2];
	struct tp_ring_slot *slot = fill(e, 1);

	memset(slot->remote.ip + 4, 0xee, 12);
	slot->remote.reserved = 0xee;
	assert_int_equal(run(e, frames, pkts, 2), 1);
	assert_int_equal(pkts[0].verdict, STAGE_SEND);
}

static void impossible_distance_is_reset(void **state)
{
	struct edge *e = *state;
	struct frame frames[2];
	struct stage_pkt pkts[2];

	atomic_store(&e->words[0][1].value, 100000);
	assert_true(stage_edge_pending(e->call.r->worker, 2) > 0);
	assert_int_equal(run(e, frames, pkts, 2), 0);
	assert_int_equal(e->in[1].resets, 1);
	assert_int_equal(stage_edge_pending(e->call.r->worker, 2), 0);
	fill(e, 1);
	assert_int_equal(run(e, frames, pkts, 2), 1);
	assert_int_equal(pkts[0].verdict, STAGE_SEND);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(client_to_peer),
		TEST(peer_to_client),
		TEST(flood_leaves_slots),
		TEST(edge_gone_mad),
		TEST(unused_bytes_are_cleared),
		TEST(impossible_distance_is_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
