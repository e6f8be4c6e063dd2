// SPDX-License-Identifier: BSD-3-Clause
// The worker's ends of the rings to and from the edge's threads. The edge is not trusted: a slot is
// copied once, then the copy is checked; whom a message may name is checked in stream.c.
#include "stream.h"

#define PREFETCH_LINES 4u // of a slot: its head and a short message

unsigned stage_edge_pending(const struct stage_worker *w, unsigned max)
{
	uint32_t n = 0;

	for (unsigned t = 0; t < w->n_edge && n < max; t++) {
		const struct tp_ring_consumer *r = &w->edge_in[t];

		// An impossible distance counts as much as a full ring, and is reset when taken.
		uint32_t waiting = atomic_load_explicit(r->head, memory_order_acquire) -
				   atomic_load_explicit(r->tail, memory_order_relaxed);

		n += waiting < max ? waiting : max;
	}
	return n < max ? n : max;
}

// Prefetches the next slot: it is in another core's cache.
static void slot_prefetch(const struct tp_ring_consumer *r, const struct tp_ring_slot *slot)
{
	const uint8_t *next =
		(const uint8_t *)&r->slots[(size_t)(slot - r->slots + 1) % r->n_slots];

	for (unsigned line = 0; line < PREFETCH_LINES; line++)
		__builtin_prefetch(next + line * TP_CACHE_LINE);
}

static enum tp_drop message_take(const struct tp_ring_slot *slot, unsigned thread,
	struct stage_pkt *pkt, struct stage_message *m)
{
	const uint16_t len = slot->len;
	const uint8_t kind = slot->kind;

	*m = (struct stage_message){.remote = slot->remote,
		.connection = slot->connection,
		.listener_id = slot->local_id,
		.is_records = kind == TP_RING_DTLS,
		.tag = slot->tag};
	// The checks must see the copy: the compiler may not read the slot again.
	atomic_signal_fence(memory_order_seq_cst);
	// Unused bytes of an address are part of keys.
	m->remote.reserved = 0;
	if (m->remote.family == TP_FAMILY_IPV4)
		memset(m->remote.ip + 4, 0, 12);
	if (kind > TP_RING_DTLS || len == 0 || len > TP_RING_DATA_MAX)
		return TP_DROP_edge_bad;
	// No thread speaks for the connections of another.
	if (!m->is_records && tp_connection_valid(m->connection) &&
		tp_egress_thread(tp_connection_egress(m->connection)) != thread)
		return TP_DROP_edge_bad;
	if (pkt->tailroom < len)
		return TP_DROP_no_memory;
	memcpy(pkt->data, slot->data, len);
	pkt->len = len;
	pkt->tailroom = (uint16_t)(pkt->tailroom - len);
	return TP_DROP_none;
}

// The next slot of the threads in turn, or NULL.
static struct tp_ring_consumer *ring_next(struct stage_worker *w, unsigned *thread)
{
	for (unsigned i = 0; i < w->n_edge; i++) {
		*thread = w->edge_next % w->n_edge;
		w->edge_next = *thread + 1;
		if (tp_ring_peek(&w->edge_in[*thread]) != NULL)
			return &w->edge_in[*thread];
	}
	return NULL;
}

unsigned stage_edge_take(
	struct stage_worker *w, struct stage_pkt *pkts, struct stage_message *messages, unsigned n)
{
	unsigned made = 0, thread;

	if (n > STAGE_BURST)
		n = STAGE_BURST;
	// One that is refused uses no buffer, and counts: an edge gone mad holds no worker.
	for (unsigned taken = 0; taken < n; taken++) {
		struct tp_ring_consumer *ring = ring_next(w, &thread);
		const struct tp_ring_slot *slot = ring == NULL ? NULL : tp_ring_peek(ring);
		enum tp_drop why;

		if (slot == NULL)
			break;
		why = message_take(slot, thread, &pkts[made], &messages[made]);
		slot_prefetch(ring, slot);
		tp_ring_release(ring);
		if (why == TP_DROP_none)
			made++;
		else
			stage_drop_count(w, why, 1);
	}
	return made;
}

unsigned stage_edge_run(struct stage_worker *w, struct stage_pkt *pkts, unsigned n, uint64_t now_ns)
{
	struct stage_message messages[STAGE_BURST];
	unsigned made = stage_edge_take(w, pkts, messages, n);

	if (made > 0)
		stage_run_messages(w, pkts, messages, made, now_ns);
	return made;
}

static enum tp_drop give_one(
	struct stage_worker *w, const struct stage_stream_out *out, uint64_t now_ns)
{
	uint32_t egress = tp_connection_egress(out->connection);
	uint32_t thread = tp_egress_thread(egress);
	const struct stage_pkt *pkt = out->pkt;
	struct tp_ring_slot *slot;

	if (thread >= w->n_edge)
		return TP_DROP_stale_connection;
	if (pkt->len > TP_RING_DATA_MAX)
		return TP_DROP_too_big;
	slot = stage_slots_reserve(w, thread, out->owner);
	w->edge_given |= 1ull << thread;
	if (slot == NULL)
		return TP_DROP_edge_full;
	slot->len = pkt->len;
	slot->local_id = 0;
	slot->egress = egress;
	slot->worker = w->id;
	slot->time_ns = now_ns;
	slot->connection = out->connection;
	slot->kind = TP_RING_MESSAGE;
	memcpy(slot->data, pkt->data, pkt->len);
	tp_ring_publish(&w->edge_out[thread]);
	tp_count(&w->stats->tx_packets, 1);
	tp_count(&w->stats->tx_octets, pkt->len);
	return TP_DROP_none;
}

void stage_edge_give(struct stage_worker *w, uint64_t now_ns)
{
	for (uint32_t i = 0; i < w->n_stream_out; i++) {
		enum tp_drop why = give_one(w, &w->stream_out[i], now_ns);

		w->stream_out[i].reason = (uint8_t)why;
		if (why != TP_DROP_none)
			stage_drop_count(w, why, 1);
	}
	w->n_stream_out = 0;
}
