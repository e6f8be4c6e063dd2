// SPDX-License-Identifier: BSD-3-Clause
// The rings between a worker and the edge, with DTLS. The first bytes are the differences between a
// slot that the data plane gave and the one that the edge gives back: a datagram leaves by the way
// that was signed, or not at all. The rest is a datagram of a client.
#include <stdio.h>
#include <stdlib.h>

#include <core/records.h>

#include "frame.h"
#include "relay.h"

#define LISTENER  20u
#define HEAD	  offsetof(struct tp_ring_slot, data)
#define DIFFERENT (HEAD + 2u) // and two bytes of the datagram
#define PAYLOAD	  1400u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct relay *r;
	struct tp_addr client;
	struct tp_addr listener;
	struct tp_ring_consumer in;
	struct tp_ring_producer out;
	struct tp_ring_word words[4];
	struct tp_ring_slot in_slots[TP_RING_SLOTS];
	struct tp_ring_slot out_slots[TP_RING_SLOTS];
	struct stage_stream_out stream_out[STAGE_BURST];
	struct stage_slots slots;
};

static void require(bool ok, const char *text)
{
	if (ok)
		return;
	fprintf(stderr, "edge_ring: %s\n", text);
	abort();
}

static struct world *world_make(void)
{
	struct world *w = calloc(1, sizeof(*w));

	if (w == NULL)
		abort();
	w->r = relay_create(16, TP_HASH_KIND_SIPHASH);
	w->client = relay_addr4("10.77.1.2", 50001);
	w->listener = relay_addr4("10.77.0.1", 5349);
	w->r->locals[LISTENER] = (struct tp_local){.addr = w->listener,
		.external = w->listener,
		.role = TP_ROLE_LISTENER,
		.transport = TP_TRANSPORT_DTLS};
	relay_locals_change(w->r);
	w->in = (struct tp_ring_consumer){.slots = w->in_slots,
		.head = &w->words[0].value,
		.tail = &w->words[1].value,
		.n_slots = TP_RING_SLOTS};
	w->out = (struct tp_ring_producer){.slots = w->out_slots,
		.head = &w->words[2].value,
		.tail = &w->words[3].value,
		.n_slots = TP_RING_SLOTS};
	w->r->worker->edge_in = &w->in;
	w->r->worker->edge_out = &w->out;
	w->r->worker->edge_slots = &w->slots;
	w->r->worker->n_edge = 1;
	w->r->worker->stream_out = w->stream_out;
	w->r->worker->stream_out_max = STAGE_BURST;
	return w;
}

// True: it has come to the ring, which is empty again.
static bool arrive(struct world *w, const void *payload, uint16_t len)
{
	struct frame_spec spec = {
		.src = w->client, .dst = w->listener, .payload = payload, .len = len};
	uint32_t before = atomic_load(&w->words[2].value);
	struct frame f;

	frame_build(&f, &spec);
	relay_run(w->r, &f);
	atomic_store(&w->words[3].value, atomic_load(&w->words[2].value));
	return atomic_load(&w->words[2].value) != before;
}

static bool leave(struct world *w, const struct tp_ring_slot *slot)
{
	const _Atomic uint64_t *sent = &w->r->stats->path_packets[TP_PATH_dtls_out];
	uint32_t head = atomic_load(&w->words[0].value);
	uint64_t before = atomic_load(sent);
	struct frame f;
	struct stage_pkt pkt = {
		.data = frame_data(&f), .headroom = FRAME_FRONT, .tailroom = FRAME_MAX};
	struct frame_view v;

	w->in_slots[head % TP_RING_SLOTS] = *slot;
	atomic_store(&w->words[0].value, head + 1);
	(void)stage_edge_run(w->r->worker, &pkt, 1, w->r->now_ns);
	require(stage_edge_pending(w->r->worker, 1) == 0, "a slot that stays");
	if (atomic_load(sent) == before)
		return false;
	require(pkt.verdict == STAGE_SEND || pkt.verdict == STAGE_CUT, "sent, and not sent");
	if (pkt.verdict == STAGE_SEND)
		require(frame_read(pkt.data, pkt.len, &v) == NULL, "a frame with a fault");
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t record[] = {23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 9};
	static struct world *w;
	struct tp_ring_slot slot, right;
	size_t n = size < DIFFERENT ? size : DIFFERENT;
	size_t rest = size - n < PAYLOAD ? size - n : PAYLOAD;

	if (w == NULL)
		w = world_make();
	// Another second each time, so that no limit is reached.
	w->r->now_ns += TP_NS_PER_S;
	require(arrive(w, record, sizeof(record)), "a record does not arrive");
	right = slot = w->out_slots[(atomic_load(&w->words[2].value) - 1) % TP_RING_SLOTS];
	for (size_t i = 0; i < n; i++)
		((uint8_t *)&slot)[i] ^= data[i];
	if (leave(w, &slot))
		require(slot.tag == right.tag && slot.connection == right.connection &&
				slot.local_id == right.local_id &&
				slot.remote.family == right.remote.family &&
				// Bytes behind an IPv4 address count for nothing.
				memcmp(slot.remote.ip, right.remote.ip, 4) == 0 &&
				slot.remote.port_be == right.remote.port_be,
			"a datagram to where none came from");
	require(arrive(w, data + n, (uint16_t)rest) ==
			(core_records_read(data + n, rest) != CORE_RECORDS_BAD),
		"records are not told from the rest");
	return 0;
}
