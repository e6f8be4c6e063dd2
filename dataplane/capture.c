// SPDX-License-Identifier: BSD-3-Clause
#include "capture.h"

#include <errno.h>
#include <stdlib.h>

#include "endpoints.h"

#define SKIP 0u // size of a record that is none: the rest of the ring's end is empty

int capture_init(struct capture *c, unsigned n_workers)
{
	memset(c, 0, sizeof(*c));
	c->rings = aligned_alloc(TP_CACHE_LINE, n_workers * sizeof(*c->rings));
	if (c->rings == NULL)
		return -ENOMEM;
	memset(c->rings, 0, n_workers * sizeof(*c->rings));
	c->n_workers = n_workers;
	return 0;
}

void capture_fini(struct capture *c)
{
	for (unsigned i = 0; i < c->n_workers; i++)
		free(c->rings[i].octets);
	free(c->rings);
	memset(c, 0, sizeof(*c));
}

static bool is_address(const struct tp_addr *a)
{
	return a->family == TP_FAMILY_IPV4 || a->family == TP_FAMILY_IPV6;
}

bool capture_request_is_right(const struct tp_capture_request *r)
{
	if (r->magic != TP_CAPTURE_REQUEST_MAGIC || r->number == 0 || r->frames == 0 ||
		r->frames > TP_CAPTURE_FRAMES_MAX || r->seconds == 0 ||
		r->seconds > TP_CAPTURE_SECONDS_MAX || r->n_relayed > TP_ARRAY_LEN(r->relayed))
		return false;
	for (unsigned i = 0; i < r->n_relayed; i++) {
		if (!is_address(&r->relayed[i]))
			return false;
	}
	return is_address(&r->client) && is_address(&r->listener);
}

// Written once by this thread, so that no worker meets a page that is not there yet.
static int rings_make(struct capture *c)
{
	for (unsigned i = 0; i < c->n_workers; i++) {
		struct capture_ring *ring = &c->rings[i];

		if (ring->octets != NULL)
			continue;
		ring->octets = aligned_alloc(TP_CACHE_LINE, CAPTURE_RING);
		if (ring->octets == NULL)
			return -ENOMEM;
		memset(ring->octets, 0xff, CAPTURE_RING);
	}
	return 0;
}

int capture_arm(struct capture *c, const struct tp_capture_request *r)
{
	struct capture_filter filter = {.snaplen = r->snaplen == 0 ? UINT16_MAX : r->snaplen,
		.n_relayed = r->n_relayed,
		.client = r->client,
		.listener = r->listener,
		.relayed = {r->relayed[0], r->relayed[1]}};
	uint64_t words[TP_ARRAY_LEN(c->filter)];
	int err = rings_make(c);

	if (err != 0)
		return err;
	_Static_assert(sizeof(words) == sizeof(filter), "whole words");
	memcpy(words, &filter, sizeof(words));
	for (unsigned i = 0; i < TP_ARRAY_LEN(words); i++)
		atomic_store_explicit(&c->filter[i], words[i], memory_order_relaxed);
	for (unsigned i = 0; i < c->n_workers; i++)
		for (unsigned p = 0; p < TP_PORTS_MAX; p++)
			c->rings[i].missed_before[p] =
				atomic_load_explicit(&c->rings[i].missed[p], memory_order_relaxed);
	c->number = r->number;
	atomic_store_explicit(&c->left, r->frames, memory_order_relaxed);
	atomic_store_explicit(&c->armed, r->number, memory_order_release);
	return 0;
}

void capture_disarm(struct capture *c)
{
	atomic_store_explicit(&c->armed, 0, memory_order_relaxed);
}

uint64_t capture_missed(const struct capture *c, unsigned port)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < c->n_workers; i++)
		n += atomic_load_explicit(&c->rings[i].missed[port], memory_order_relaxed) -
		     c->rings[i].missed_before[port];
	return n;
}

static struct tp_capture_record *record_at(const struct capture_ring *ring, uint32_t at)
{
	return (struct tp_capture_record *)(ring->octets + at % CAPTURE_RING);
}

// The oldest record of this capture, or NULL. What a worker wrote late for one before is passed
// over.
static struct tp_capture_record *ring_front(const struct capture *c, struct capture_ring *ring)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	while (head != tail) {
		struct tp_capture_record *rec = record_at(ring, tail);

		if (rec->size != SKIP && rec->number == c->number)
			return rec;
		tail += rec->size == SKIP ? CAPTURE_RING - tail % CAPTURE_RING : rec->size;
		atomic_store_explicit(&ring->tail, tail, memory_order_release);
	}
	return NULL;
}

size_t capture_take(struct capture *c, uint8_t *out, size_t room)
{
	size_t len = 0;

	for (;;) {
		const struct tp_capture_record *first = NULL;
		struct capture_ring *from = NULL;

		for (unsigned i = 0; i < c->n_workers; i++) {
			const struct tp_capture_record *rec = ring_front(c, &c->rings[i]);

			if (rec != NULL && (first == NULL || rec->time_ns < first->time_ns)) {
				first = rec;
				from = &c->rings[i];
			}
		}
		if (first == NULL || first->size > room - len)
			return len;
		memcpy(out + len, first, first->size);
		len += first->size;
		atomic_store_explicit(&from->tail,
			atomic_load_explicit(&from->tail, memory_order_relaxed) + first->size,
			memory_order_release);
	}
}

// The worker's side.

static bool is_one_of(const struct capture_filter *f, const struct tp_addr *relayed)
{
	for (unsigned i = 0; i < f->n_relayed; i++) {
		if (tp_addr_equal(&f->relayed[i], relayed))
			return true;
	}
	return false;
}

static bool belongs(const struct capture_filter *f, const struct stage_pkt *pkt, bool sent)
{
	struct tp_addr from, to;
	uint16_t payload;

	if (!endpoints_read(pkt->data, pkt->len, &from, &to, &payload))
		return false;
	if (sent)
		return is_one_of(f, &from) ||
		       (tp_addr_equal(&f->client, &to) && tp_addr_equal(&f->listener, &from));
	return is_one_of(f, &to) ||
	       (tp_addr_equal(&f->client, &from) && tp_addr_equal(&f->listener, &to));
}

// Room for `size` octets in one piece behind `*head`. NULL: there is none.
static struct tp_capture_record *room_make(struct capture_ring *ring, uint32_t *head, uint32_t size)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	uint32_t end = CAPTURE_RING - *head % CAPTURE_RING;
	uint32_t skipped = size > end ? end : 0;

	if (CAPTURE_RING - (*head - tail) < skipped + size)
		return NULL;
	if (skipped != 0)
		record_at(ring, *head)->size = SKIP;
	*head += skipped + size;
	return record_at(ring, *head - size);
}

// False: it was one too many.
static bool left_take(struct capture *c)
{
	uint32_t left = atomic_fetch_sub_explicit(&c->left, 1, memory_order_relaxed);

	if (left <= 1 || left > TP_CAPTURE_FRAMES_MAX)
		capture_disarm(c);
	return left != 0 && left <= TP_CAPTURE_FRAMES_MAX;
}

static struct tp_capture_record *frame_put(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_pkt *pkt, uint8_t port, uint64_t now_ns)
{
	struct capture_ring *ring = &c->rings[w];
	uint16_t taken = pkt->len < b->filter.snaplen ? pkt->len : (uint16_t)b->filter.snaplen;
	uint32_t size = (uint32_t)(sizeof(struct tp_capture_record) + taken + 7) & ~7u;
	struct tp_capture_record *rec;
	uint32_t head = b->head;

	if (port >= TP_PORTS_MAX)
		return NULL;
	rec = room_make(ring, &head, size);
	if (rec == NULL) {
		atomic_store_explicit(&ring->missed[port],
			atomic_load_explicit(&ring->missed[port], memory_order_relaxed) + 1,
			memory_order_relaxed);
		return NULL;
	}
	if (!left_take(c))
		return NULL;
	b->head = head;
	memset((uint8_t *)rec + size - 8, 0, 8);
	*rec = (struct tp_capture_record){.size = size,
		.number = b->number,
		.time_ns = now_ns,
		.len = pkt->len,
		.taken = taken,
		.port = port,
		.worker = w};
	memcpy(rec + 1, pkt->data, taken);
	return rec;
}

// The filter may change while it is read: then it is of another capture, and this burst of none.
static bool filter_read(struct capture *c, struct capture_burst *b)
{
	uint64_t words[TP_ARRAY_LEN(c->filter)];

	b->number = atomic_load_explicit(&c->armed, memory_order_acquire);
	if (b->number == 0)
		return false;
	for (unsigned i = 0; i < TP_ARRAY_LEN(words); i++)
		words[i] = atomic_load_explicit(&c->filter[i], memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&c->armed, memory_order_relaxed) != b->number)
		b->number = 0;
	memcpy(&b->filter, words, sizeof(words));
	return b->number != 0;
}

// Those that belong, not told yet.
static void frames_put(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_pkt *pkts, unsigned n, enum tp_capture_way way, uint64_t now_ns)
{
	b->n_put = 0;
	if (!filter_read(c, b))
		return;
	b->head = atomic_load_explicit(&c->rings[w].head, memory_order_relaxed);
	for (unsigned i = 0; i < n && i < STAGE_BURST; i++) {
		bool sent = way == TP_CAPTURE_SENT;
		struct tp_capture_record *rec;

		if (!belongs(&b->filter, &pkts[i], sent))
			continue;
		rec = frame_put(
			c, b, w, &pkts[i], sent ? pkts[i].tx_port : pkts[i].rx_port, now_ns);
		if (rec == NULL)
			continue;
		rec->way = way;
		b->put[b->n_put].pkt = (uint8_t)i;
		b->put[b->n_put++].at = (uint32_t)((uint8_t *)rec - c->rings[w].octets);
	}
}

static void frames_tell(struct capture *c, const struct capture_burst *b, unsigned w)
{
	if (b->number != 0)
		atomic_store_explicit(&c->rings[w].head, b->head, memory_order_release);
}

void capture_before(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_pkt *pkts, unsigned n, uint64_t now_ns)
{
	frames_put(c, b, w, pkts, n, TP_CAPTURE_RECEIVED, now_ns);
}

void capture_after(
	struct capture *c, struct capture_burst *b, unsigned w, const struct stage_pkt *pkts)
{
	for (unsigned i = 0; i < b->n_put; i++) {
		const struct stage_pkt *pkt = &pkts[b->put[i].pkt];
		struct tp_capture_record *rec = record_at(&c->rings[w], b->put[i].at);

		rec->verdict = pkt->verdict;
		rec->reason = pkt->verdict == STAGE_DROP ? pkt->reason : TP_DROP_none;
	}
	frames_tell(c, b, w);
}

void capture_leaving(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_pkt *pkts, unsigned n, uint64_t now_ns)
{
	frames_put(c, b, w, pkts, n, TP_CAPTURE_SENT, now_ns);
}

void capture_left(struct capture *c, struct capture_burst *b, unsigned w, unsigned sent)
{
	for (unsigned i = 0; i < b->n_put; i++) {
		struct tp_capture_record *rec = record_at(&c->rings[w], b->put[i].at);
		bool left = b->put[i].pkt < sent;

		rec->verdict = left ? STAGE_SEND : STAGE_DROP;
		rec->reason = left ? TP_DROP_none : TP_DROP_tx_full;
	}
	frames_tell(c, b, w);
}
