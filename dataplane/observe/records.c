// SPDX-License-Identifier: BSD-3-Clause
#include <observe/records.h>

#include <errno.h>
#include <stdlib.h>

#define SKIP	  0u	     // size of a record that is none: the rest of the ring's end is empty
#define COUNT_MAX (1u << 30) // of an observation; above it `left` has wrapped

int observe_records_init(struct records *r, unsigned n_workers, uint32_t ring_size)
{
	memset(r, 0, sizeof(*r));
	r->rings = aligned_alloc(TP_CACHE_LINE, n_workers * sizeof(*r->rings));
	if (r->rings == NULL)
		return -ENOMEM;
	memset(r->rings, 0, n_workers * sizeof(*r->rings));
	r->n_workers = n_workers;
	r->ring_size = ring_size;
	return 0;
}

void observe_records_fini(struct records *r)
{
	for (unsigned i = 0; i < r->n_workers; i++)
		free(r->rings[i].bytes);
	free(r->rings);
	memset(r, 0, sizeof(*r));
}

// Written once by this thread, so that no worker meets a page that is not there yet.
static int rings_make(struct records *r)
{
	for (unsigned i = 0; i < r->n_workers; i++) {
		struct record_ring *ring = &r->rings[i];

		if (ring->bytes != NULL)
			continue;
		ring->bytes = aligned_alloc(TP_CACHE_LINE, r->ring_size);
		if (ring->bytes == NULL)
			return -ENOMEM;
		memset(ring->bytes, 0xff, r->ring_size);
	}
	return 0;
}

int observe_records_arm(struct records *r, uint32_t number, uint32_t count)
{
	int err = rings_make(r);

	if (err != 0)
		return err;
	for (unsigned i = 0; i < r->n_workers; i++)
		for (unsigned p = 0; p < TP_OBSERVE_SOURCES; p++)
			r->rings[i].missed_before[p] =
				atomic_load_explicit(&r->rings[i].missed[p], memory_order_relaxed);
	r->number = number;
	atomic_store_explicit(&r->left, count, memory_order_relaxed);
	atomic_store_explicit(&r->armed, number, memory_order_release);
	return 0;
}

void observe_records_disarm(struct records *r)
{
	atomic_store_explicit(&r->armed, 0, memory_order_relaxed);
}

uint64_t observe_records_missed(const struct records *r, unsigned source)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < r->n_workers; i++)
		n += atomic_load_explicit(&r->rings[i].missed[source], memory_order_relaxed) -
		     r->rings[i].missed_before[source];
	return n;
}

static struct tp_observe_record *record_at(
	const struct records *r, const struct record_ring *ring, uint32_t at)
{
	return (struct tp_observe_record *)(ring->bytes + at % r->ring_size);
}

// The oldest record of this observation, or NULL. Those that a worker wrote late for one before are
// passed over.
static struct tp_observe_record *ring_front(const struct records *r, struct record_ring *ring)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	while (head != tail) {
		struct tp_observe_record *rec = record_at(r, ring, tail);

		if (rec->size != SKIP && rec->number == r->number)
			return rec;
		tail += rec->size == SKIP ? r->ring_size - tail % r->ring_size : rec->size;
		atomic_store_explicit(&ring->tail, tail, memory_order_release);
	}
	return NULL;
}

size_t observe_records_take(struct records *r, uint8_t *out, size_t room)
{
	size_t len = 0;

	for (;;) {
		const struct tp_observe_record *first = NULL;
		struct record_ring *from = NULL;

		for (unsigned i = 0; i < r->n_workers; i++) {
			const struct tp_observe_record *rec = ring_front(r, &r->rings[i]);

			if (rec != NULL && (first == NULL || rec->time_ns < first->time_ns)) {
				first = rec;
				from = &r->rings[i];
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

// Room for `size` bytes in one piece behind `*head`. NULL: there is none.
static void *room_make(
	const struct records *r, struct record_ring *ring, uint32_t *head, uint32_t size)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	uint32_t end = r->ring_size - *head % r->ring_size;
	uint32_t skipped = size > end ? end : 0;

	if (r->ring_size - (*head - tail) < skipped + size)
		return NULL;
	if (skipped != 0)
		record_at(r, ring, *head)->size = SKIP;
	*head += skipped + size;
	return record_at(r, ring, *head - size);
}

// False: it was one too many.
static bool left_take(struct records *r)
{
	uint32_t left = atomic_fetch_sub_explicit(&r->left, 1, memory_order_relaxed);

	if (left <= 1 || left > COUNT_MAX)
		observe_records_disarm(r);
	return left != 0 && left <= COUNT_MAX;
}

void *observe_records_reserve(
	struct records *r, unsigned w, uint32_t *head, uint32_t size, unsigned source)
{
	struct record_ring *ring = &r->rings[w];
	uint32_t behind = *head;
	void *rec;

	if (source >= TP_OBSERVE_SOURCES)
		return NULL;
	rec = room_make(r, ring, &behind, size);
	if (rec == NULL) {
		atomic_store_explicit(&ring->missed[source],
			atomic_load_explicit(&ring->missed[source], memory_order_relaxed) + 1,
			memory_order_relaxed);
		return NULL;
	}
	if (!left_take(r))
		return NULL;
	*head = behind;
	return rec;
}
