// SPDX-License-Identifier: BSD-3-Clause
#include "rings.h"

#include <errno.h>

#define PREFETCH_LINES 4u // of a slot: its head and a request of 192 octets

void io_rings_attach(
	struct io_rings *r, const struct shm_inject *inject, const struct shm_punt *punt)
{
	unsigned n = inject->n_workers < punt->n_workers ? inject->n_workers : punt->n_workers;

	io_rings_detach(r);
	if (n > TP_WORKERS_MAX)
		n = TP_WORKERS_MAX;
	for (unsigned w = 0; w < n; w++) {
		for (unsigned cls = 0; cls < TP_PUNT_CLASSES; cls++)
			r->punt[cls][w] = shm_punt_consumer(inject, punt, w, cls);
		r->inject[w] = shm_inject_producer(inject, punt, w);
	}
	r->sleeping = &inject->header->sleeping;
	r->n_workers = n;
}

static uint64_t resets_of(const struct io_rings *r)
{
	uint64_t n = 0;

	for (unsigned w = 0; w < r->n_workers; w++) {
		for (unsigned cls = 0; cls < TP_PUNT_CLASSES; cls++)
			n += r->punt[cls][w].resets;
		n += r->inject[w].resets;
	}
	return n;
}

void io_rings_detach(struct io_rings *r)
{
	r->counters.resets += resets_of(r);
	r->n_workers = 0;
}

uint64_t io_rings_resets(const struct io_rings *r)
{
	return r->counters.resets + resets_of(r);
}

// The address as this process makes them: whoever wrote the slot may have left anything in the
// octets that do not count.
static bool addr_take(struct tp_addr *out, const struct tp_addr *in)
{
	*out = (struct tp_addr){.port_be = in->port_be, .family = in->family};
	if (in->family != TP_FAMILY_IPV4 && in->family != TP_FAMILY_IPV6)
		return false;
	memcpy(out->ip, in->ip, tp_family_ip_len(in->family));
	return true;
}

// Copies first, then looks at the copy: the slot may change under us.
static bool message_take(struct io_rings *r, const struct tp_ring_slot *slot, uint64_t now_ns)
{
	struct io_message *m = &r->message;
	struct tp_ring_slot head;

	memcpy(&head, slot, offsetof(struct tp_ring_slot, data));
	if (head.len > TP_RING_DATA_MAX || head.local_id >= TP_LOCALS_MAX ||
		!addr_take(&m->remote, &head.remote)) {
		r->counters.bad++;
		return false;
	}
	if (now_ns > head.time_ns && now_ns - head.time_ns > IO_STALE_NS) {
		r->counters.stale++;
		return false;
	}
	memcpy(m->data, slot->data, head.len);
	m->len = head.len;
	m->local_id = head.local_id;
	return true;
}

// Of what is behind a slot in its ring, when its turn comes: it lies in another core's cache.
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

// The next message of the most urgent ring that has one. False: all are empty.
static bool message_next(struct io_rings *r, uint64_t now_ns, bool *good)
{
	for (unsigned cls = 0; cls < TP_PUNT_CLASSES; cls++) {
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
	}
	return false;
}

unsigned io_rings_poll(
	struct io_rings *r, uint64_t now_ns, unsigned budget, io_message_fn fn, void *ctx)
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

static bool any_pending(struct io_rings *r)
{
	for (unsigned cls = 0; cls < TP_PUNT_CLASSES; cls++) {
		for (unsigned w = 0; w < r->n_workers; w++) {
			if (tp_ring_peek(&r->punt[cls][w]) != NULL)
				return true;
		}
	}
	return false;
}

bool io_rings_sleep(struct io_rings *r)
{
	if (r->n_workers == 0)
		return true;
	// A worker publishes, then reads this word; we write this word, then look at the rings. One
	// of the two sees the other.
	atomic_store_explicit(r->sleeping, 1, memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
	if (!any_pending(r))
		return true;
	io_rings_wake(r);
	return false;
}

void io_rings_wake(struct io_rings *r)
{
	if (r->n_workers > 0)
		atomic_store_explicit(r->sleeping, 0, memory_order_relaxed);
}

int io_rings_send(struct io_rings *r, uint64_t now_ns, uint32_t worker, uint16_t local_id,
	const struct tp_addr *remote, uint32_t next_hop, const void *data, size_t len)
{
	struct tp_ring_producer *ring;
	struct tp_ring_slot *slot;

	if (r->n_workers == 0)
		return -ENOTCONN;
	if (len > TP_RING_DATA_MAX)
		return -EMSGSIZE;
	ring = &r->inject[worker % r->n_workers];
	slot = tp_ring_reserve(ring);
	if (slot == NULL) {
		r->counters.full++;
		return -ENOBUFS;
	}
	slot->len = (uint16_t)len;
	slot->local_id = local_id;
	slot->next_hop = next_hop;
	slot->remote = *remote;
	slot->worker = 0;
	slot->time_ns = now_ns;
	memcpy(slot->data, data, len);
	slot_prefetch_write(ring->slots, slot);
	tp_ring_publish(ring);
	r->counters.sent++;
	return 0;
}
