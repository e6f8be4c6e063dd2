// SPDX-License-Identifier: BSD-3-Clause
// The control process's end of the punt and inject rings. A slot is copied before it is checked.
#include <link/rings.h>

#include <errno.h>

#include <turnpike/entry.h>

// Messages of each class in a round.
static const unsigned class_shares[TP_PUNT_CLASSES] = {
	[TP_PUNT_LIVE] = 16, [TP_PUNT_NONCE] = 4, [TP_PUNT_FIRST] = 1};

// Slots of an inject ring that answers of a class leave free.
static const unsigned class_reserves[TP_PUNT_CLASSES] = {[TP_PUNT_LIVE] = 0,
	[TP_PUNT_NONCE] = TP_RING_SLOTS / 4,
	[TP_PUNT_FIRST] = TP_RING_SLOTS / 2};

#define PREFETCH_LINES 4u // of a slot: its head and a request of 192 octets

void link_rings_attach(
	struct link_rings *r, const struct shm_inject *inject, const struct shm_punt *punt)
{
	unsigned n = punt->n_workers < TP_WORKERS_MAX ? punt->n_workers : TP_WORKERS_MAX;

	link_rings_detach(r);
	for (unsigned w = 0; w < n; w++) {
		for (unsigned cls = 0; cls < TP_PUNT_CLASSES; cls++)
			r->punt[cls][w] = shm_punt_consumer(inject, punt, w, cls);
		if (w < inject->n_workers)
			r->inject[w] = shm_inject_producer(inject, punt, w);
	}
	r->sleeping = &inject->header->sleeping;
	r->n_workers = n;
	r->n_answering = inject->n_workers < n ? inject->n_workers : n;
}

static uint64_t resets_of(const struct link_rings *r)
{
	uint64_t n = 0;

	for (unsigned w = 0; w < r->n_workers; w++) {
		for (unsigned cls = 0; cls < TP_PUNT_CLASSES; cls++)
			n += r->punt[cls][w].resets;
		if (w < r->n_answering)
			n += r->inject[w].resets;
	}
	return n;
}

void link_rings_detach(struct link_rings *r)
{
	r->counters.resets += resets_of(r);
	r->n_workers = r->n_answering = 0;
}

uint64_t link_rings_resets(const struct link_rings *r)
{
	return r->counters.resets + resets_of(r);
}

// The address as this process makes them: the slot's writer may have left any value in the unused
// bytes.
static bool addr_take(struct tp_addr *out, const struct tp_addr *in)
{
	*out = (struct tp_addr){.port_be = in->port_be, .family = in->family};
	if (in->family != TP_FAMILY_IPV4 && in->family != TP_FAMILY_IPV6)
		return false;
	memcpy(out->ip, in->ip, tp_family_ip_len(in->family));
	return true;
}

// Copies first, then looks at the copy: the slot may change under us.
static bool message_take(struct link_rings *r, const struct tp_ring_slot *slot, uint64_t now_ns)
{
	struct link_message *m = &r->message;
	struct tp_ring_slot head;

	memcpy(&head, slot, offsetof(struct tp_ring_slot, data));
	if (head.len > TP_RING_DATA_MAX || head.local_id >= TP_LOCALS_MAX ||
		!addr_take(&m->remote, &head.remote)) {
		r->counters.bad++;
		return false;
	}
	if (now_ns > head.time_ns && now_ns - head.time_ns > LINK_STALE_NS) {
		r->counters.stale++;
		return false;
	}
	memcpy(m->data, slot->data, head.len);
	m->len = head.len;
	m->connection = head.connection;
	m->local_id = head.local_id;
	m->kind = head.kind;
	return true;
}

// Prefetch the next slot: it is in another core's cache.
static void slot_prefetch(const struct tp_ring_slot *slots, const struct tp_ring_slot *slot)
{
	const uint8_t *next = (const uint8_t *)&slots[(size_t)(slot - slots + 1) % TP_RING_SLOTS];

	for (unsigned line = 0; line < PREFETCH_LINES; line++)
		__builtin_prefetch(next + line * TP_CACHE_LINE);
}

static void slot_prefetch_write(struct tp_ring_slot *slots, struct tp_ring_slot *slot)
{
	uint8_t *next = (uint8_t *)&slots[(size_t)(slot - slots + 1) % TP_RING_SLOTS];

	for (unsigned line = 0; line < PREFETCH_LINES; line++)
		__builtin_prefetch(next + line * TP_CACHE_LINE, 1);
}

// The next message of a class, of the workers in turn. False: there is none.
static bool class_next(struct link_rings *r, unsigned cls, uint64_t now_ns, bool *good)
{
	for (unsigned i = 0; i < r->n_workers; i++) {
		unsigned w = (r->next[cls] + i) % r->n_workers;
		const struct tp_ring_slot *slot = tp_ring_peek(&r->punt[cls][w]);

		if (slot == NULL)
			continue;
		r->next[cls] = w + 1;
		r->message.worker = w;
		r->message.cls = cls;
		*good = message_take(r, slot, now_ns);
		slot_prefetch(r->punt[cls][w].slots, slot);
		tp_ring_release(&r->punt[cls][w]);
		return true;
	}
	return false;
}

static bool credited_next(struct link_rings *r, uint64_t now_ns, bool *good)
{
	for (unsigned cls = 0; cls < TP_PUNT_CLASSES; cls++) {
		if (r->credit[cls] > 0 && class_next(r, cls, now_ns, good)) {
			r->credit[cls]--;
			return true;
		}
	}
	return false;
}

// The next message of the most urgent class that has not had its share; when all that have messages
// have had it, the shares begin anew. False: all rings are empty.
static bool message_next(struct link_rings *r, uint64_t now_ns, bool *good)
{
	if (credited_next(r, now_ns, good))
		return true;
	memcpy(r->credit, class_shares, sizeof(r->credit));
	return credited_next(r, now_ns, good);
}

unsigned link_rings_poll(
	struct link_rings *r, uint64_t now_ns, unsigned budget, link_message_fn fn, void *ctx)
{
	unsigned n = 0;
	bool good;

	while (n < budget && message_next(r, now_ns, &good)) {
		n++;
		if (!good)
			continue;
		r->counters.received[r->message.cls]++;
		fn(ctx, &r->message);
	}
	return n;
}

static bool any_pending(struct link_rings *r)
{
	for (unsigned cls = 0; cls < TP_PUNT_CLASSES; cls++) {
		for (unsigned w = 0; w < r->n_workers; w++) {
			if (tp_ring_peek(&r->punt[cls][w]) != NULL)
				return true;
		}
	}
	return false;
}

bool link_rings_sleep(struct link_rings *r)
{
	if (r->n_workers == 0)
		return true;
	// A worker publishes, then reads this word; we write this word, then look at the rings. One
	// of the two sees the other.
	atomic_store_explicit(r->sleeping, 1, memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
	if (!any_pending(r))
		return true;
	link_rings_wake(r);
	return false;
}

void link_rings_wake(struct link_rings *r)
{
	if (r->n_workers > 0)
		atomic_store_explicit(r->sleeping, 0, memory_order_relaxed);
}

// A slot of the ring, unless the class must leave what is free to others.
static struct tp_ring_slot *slot_reserve(struct tp_ring_producer *ring, uint32_t cls)
{
	unsigned reserve = class_reserves[cls < TP_PUNT_CLASSES ? cls : TP_PUNT_FIRST];

	return tp_ring_free(ring) <= reserve ? NULL : tp_ring_reserve(ring);
}

// `connection` 0: to a datagram's client.
static int send(struct link_rings *r, uint64_t now_ns, const struct link_origin *origin,
	uint16_t local_id, const struct tp_addr *remote, uint64_t connection, uint32_t egress,
	const void *data, size_t len)
{
	struct tp_ring_producer *ring;
	struct tp_ring_slot *slot;

	if (r->n_answering == 0)
		return -ENOTCONN;
	if (len > TP_RING_DATA_MAX)
		return -EMSGSIZE;
	ring = &r->inject[origin->worker % r->n_answering];
	slot = slot_reserve(ring, origin->cls);
	if (slot == NULL) {
		r->counters.full++;
		return -ENOBUFS;
	}
	slot->len = (uint16_t)len;
	slot->local_id = local_id;
	slot->egress = egress;
	slot->connection = connection;
	slot->kind = TP_RING_MESSAGE;
	slot->remote = *remote;
	slot->worker = 0;
	slot->time_ns = now_ns;
	memcpy(slot->data, data, len);
	slot_prefetch_write(ring->slots, slot);
	tp_ring_publish(ring);
	r->counters.sent++;
	return 0;
}

int link_rings_send(struct link_rings *r, uint64_t now_ns, const struct link_origin *origin,
	uint16_t local_id, const struct tp_addr *remote, uint32_t next_hop, const void *data,
	size_t len)
{
	return send(r, now_ns, origin, local_id, remote, 0, next_hop, data, len);
}

int link_rings_send_stream(struct link_rings *r, uint64_t now_ns, const struct link_origin *origin,
	uint16_t local_id, const struct tp_addr *remote, uint64_t connection, const void *data,
	size_t len)
{
	return send(r, now_ns, origin, local_id, remote, connection,
		tp_connection_egress(connection), data, len);
}
