// SPDX-License-Identifier: BSD-3-Clause
// The files `edge` and `stream`: rings between the workers of the data plane and the threads of the
// edge.
#include <shm/segment.h>

#include "fail.h"

#include <errno.h>
#include <string.h>

static uint64_t pages(uint64_t n)
{
	return (n + 4095) / 4096 * 4096;
}

static uint64_t pairs_off(void)
{
	return pages(sizeof(struct tp_streams_header));
}

static uint64_t slots_off(uint32_t n_workers, uint32_t n_threads)
{
	return pairs_off() +
	       pages((uint64_t)n_workers * n_threads * sizeof(struct tp_streams_pair));
}

uint32_t shm_streams_slots(enum shm_kind kind, uint32_t n_workers, uint32_t n_threads)
{
	return tp_streams_slots(kind == SHM_STREAM, n_workers, n_threads);
}

uint64_t shm_streams_size(enum shm_kind kind, uint32_t n_workers, uint32_t n_threads)
{
	uint64_t rings = (uint64_t)n_workers * n_threads;

	return slots_off(n_workers, n_threads) +
	       rings * shm_streams_slots(kind, n_workers, n_threads) * TP_RING_SLOT_SIZE;
}

static bool shape_right(uint32_t n_workers, uint32_t n_threads)
{
	return n_workers > 0 && n_workers <= TP_WORKERS_MAX && n_threads > 0 &&
	       n_threads <= TP_EDGE_THREADS_MAX;
}

static void view_fill(struct shm_streams *r, uint32_t n_workers, uint32_t n_threads)
{
	uint8_t *base = r->file.base;

	r->header = r->file.base;
	r->pairs = (struct tp_streams_pair *)(void *)(base + pairs_off());
	r->slots = (struct tp_ring_slot *)(void *)(base + slots_off(n_workers, n_threads));
	r->n_workers = n_workers;
	r->n_threads = n_threads;
	r->n_slots = shm_streams_slots(r->file.kind, n_workers, n_threads);
}

int shm_streams_create(struct shm_streams *r, const struct shm_place *p, enum shm_kind kind,
	uint64_t pair_id, uint32_t n_workers, uint32_t n_threads, struct shm_error *err)
{
	int rc;

	memset(r, 0, sizeof(*r));
	if (!shape_right(n_workers, n_threads))
		return shm_fail(err, SHM_SYSTEM, -EINVAL,
			"rings for %u workers and %u edge threads: at most %u and %u", n_workers,
			n_threads, TP_WORKERS_MAX, TP_EDGE_THREADS_MAX);
	rc = shm_file_create(&r->file, p, kind, sizeof(*r->header),
		shm_streams_size(kind, n_workers, n_threads), pair_id, err);
	if (rc < 0)
		return rc;
	view_fill(r, n_workers, n_threads);
	r->header->file.n_workers = n_workers;
	r->header->file.n_edge_threads = n_threads;
	r->header->pairs_off = pairs_off();
	r->header->slots_off = slots_off(n_workers, n_threads);
	return 0;
}

static int header_check(const struct tp_streams_header *h, enum shm_kind kind, uint64_t pair_id,
	uint32_t n_workers, uint32_t n_threads, const char *path, struct shm_error *err)
{
	uint32_t workers = h->file.n_workers, threads = h->file.n_edge_threads;

	if (h->file.pair_id != pair_id)
		return shm_fail(err, SHM_OTHER_PAIR, -ESTALE, "%s: goes with other tables", path);
	if (!shape_right(workers, threads) || h->pairs_off != pairs_off() ||
		h->slots_off != slots_off(workers, threads) ||
		h->file.file_size < shm_streams_size(kind, workers, threads))
		return shm_fail(err, SHM_CORRUPT, -EPROTO, "%s: an array is out of bounds", path);
	if ((n_workers != 0 && workers != n_workers) || (n_threads != 0 && threads != n_threads))
		return shm_fail(err, SHM_OTHER_SHAPE, -ESTALE,
			"%s: for %u workers and %u edge threads, not %u and %u", path, workers,
			threads, n_workers, n_threads);
	return 0;
}

int shm_streams_open(struct shm_streams *r, const struct shm_place *p, enum shm_kind kind,
	uint64_t pair_id, uint32_t n_workers, uint32_t n_threads, bool writable,
	struct shm_error *err)
{
	struct shm_file_wish wish = {.kind = kind,
		.header_size = sizeof(struct tp_streams_header),
		.writable = writable};
	struct tp_streams_header h;
	int rc;

	memset(r, 0, sizeof(*r));
	rc = shm_file_open(&r->file, p, &wish, &h, sizeof(h), err);
	if (rc < 0)
		return rc;
	rc = header_check(&h, kind, pair_id, n_workers, n_threads, r->file.path, err);
	if (rc < 0) {
		shm_streams_close(r);
		return rc;
	}
	view_fill(r, h.file.n_workers, h.file.n_edge_threads);
	return 0;
}

void shm_streams_close(struct shm_streams *r)
{
	shm_file_close(&r->file);
	memset(r, 0, sizeof(*r));
}

static struct tp_streams_pair *pair_of(
	const struct shm_streams *r, uint32_t worker, uint32_t thread)
{
	return &r->pairs[(size_t)worker * r->n_threads + thread];
}

static struct tp_ring_slot *slots_of(const struct shm_streams *r, uint32_t worker, uint32_t thread)
{
	return r->slots + ((size_t)worker * r->n_threads + thread) * r->n_slots;
}

struct tp_ring_producer shm_streams_producer(const struct shm_streams *mine,
	const struct shm_streams *other, uint32_t worker, uint32_t thread)
{
	return (struct tp_ring_producer){
		.slots = slots_of(mine, worker, thread),
		.head = &pair_of(mine, worker, thread)->head.value,
		.tail = &pair_of(other, worker, thread)->tail.value,
		.n_slots = mine->n_slots,
	};
}

struct tp_ring_consumer shm_streams_consumer(const struct shm_streams *mine,
	const struct shm_streams *other, uint32_t worker, uint32_t thread)
{
	return (struct tp_ring_consumer){
		.slots = slots_of(other, worker, thread),
		.head = &pair_of(other, worker, thread)->head.value,
		.tail = &pair_of(mine, worker, thread)->tail.value,
		.n_slots = other->n_slots,
	};
}
