// SPDX-License-Identifier: BSD-3-Clause
#include <shm/segment.h>

#include "fail.h"

#include <errno.h>
#include <string.h>

// The part that both ring files have in common.
struct shape {
	enum shm_kind kind;
	size_t header_size;
	uint32_t rings; // per worker
};

static const struct shape punt_shape = {SHM_PUNT, sizeof(struct tp_punt_header), TP_PUNT_CLASSES};
static const struct shape inject_shape = {SHM_INJECT, sizeof(struct tp_inject_header), 1};

// Both headers begin alike.
struct head {
	struct tp_file_header file;
	uint64_t slots_off;
};
_Static_assert(offsetof(struct head, slots_off) == offsetof(struct tp_punt_header, slots_off), "");
_Static_assert(
	offsetof(struct head, slots_off) == offsetof(struct tp_inject_header, slots_off), "");

static uint64_t shape_slots_off(const struct shape *shape)
{
	return (shape->header_size + 4095) / 4096 * 4096;
}

static uint64_t shape_size(const struct shape *shape, uint32_t n_workers)
{
	return shape_slots_off(shape) +
	       (uint64_t)n_workers * shape->rings * TP_RING_SLOTS * TP_RING_SLOT_SIZE;
}

uint64_t shm_punt_size(uint32_t n_workers)
{
	return shape_size(&punt_shape, n_workers);
}

uint64_t shm_inject_size(uint32_t n_workers)
{
	return shape_size(&inject_shape, n_workers);
}

static int rings_create(struct shm_file *f, const struct shape *shape, const struct shm_place *p,
	const struct shm_tables *t, uint32_t n_workers, struct shm_error *err)
{
	struct head *h;
	int rc;

	if (n_workers == 0 || n_workers > TP_WORKERS_MAX)
		return shm_fail(err, SHM_SYSTEM, -EINVAL, "%u workers: at most %u", n_workers,
			TP_WORKERS_MAX);
	rc = shm_file_create(f, p, shape->kind, shape->header_size, shape_size(shape, n_workers),
		t->pair_id, err);
	if (rc < 0)
		return rc;
	h = f->base;
	h->file.n_workers = n_workers;
	h->file.n_entries = t->table.n_entries;
	h->slots_off = shape_slots_off(shape);
	return 0;
}

// Returns the number of workers it was made for.
static int rings_open(struct shm_file *f, const struct shape *shape, const struct shm_place *p,
	const struct shm_tables *t, uint32_t n_workers, bool writable, struct shm_error *err)
{
	struct shm_file_wish wish = {.kind = shape->kind,
		.header_size = shape->header_size,
		.writable = writable,
		.other_role = NULL};
	struct head h;
	uint32_t n;
	int rc;

	rc = shm_file_open(f, p, &wish, &h, sizeof(h), err);
	if (rc < 0)
		return rc;
	n = h.file.n_workers;
	if (h.file.pair_id != t->pair_id)
		rc = shm_fail(err, SHM_OTHER_PAIR, -ESTALE, "%s: goes with other tables", f->path);
	else if (n == 0 || n > TP_WORKERS_MAX || h.slots_off != shape_slots_off(shape) ||
		 h.file.file_size < shape_size(shape, n))
		rc = shm_fail(err, SHM_CORRUPT, -EPROTO, "%s: an array is out of bounds", f->path);
	else if (n_workers != 0 && n != n_workers)
		rc = shm_fail(err, SHM_OTHER_SHAPE, -ESTALE, "%s: for %u workers, not %u", f->path,
			n, n_workers);
	if (rc < 0) {
		shm_file_close(f);
		return rc;
	}
	return (int)n;
}

static struct tp_ring_slot *slots_of(const struct shm_file *f, const struct shape *shape)
{
	return (struct tp_ring_slot *)(void *)((uint8_t *)f->base + shape_slots_off(shape));
}

int shm_punt_create(struct shm_punt *r, const struct shm_place *p, const struct shm_tables *t,
	uint32_t n_workers, struct shm_error *err)
{
	int rc;

	memset(r, 0, sizeof(*r));
	rc = rings_create(&r->file, &punt_shape, p, t, n_workers, err);
	if (rc < 0)
		return rc;
	r->header = r->file.base;
	r->slots = slots_of(&r->file, &punt_shape);
	r->n_workers = n_workers;
	return 0;
}

int shm_punt_open(struct shm_punt *r, const struct shm_place *p, const struct shm_tables *t,
	uint32_t n_workers, bool writable, struct shm_error *err)
{
	int rc;

	memset(r, 0, sizeof(*r));
	rc = rings_open(&r->file, &punt_shape, p, t, n_workers, writable, err);
	if (rc < 0)
		return rc;
	r->header = r->file.base;
	r->slots = slots_of(&r->file, &punt_shape);
	r->n_workers = (uint32_t)rc;
	return 0;
}

void shm_punt_close(struct shm_punt *r)
{
	shm_file_close(&r->file);
	memset(r, 0, sizeof(*r));
}

int shm_inject_create(struct shm_inject *r, const struct shm_place *p, const struct shm_tables *t,
	uint32_t n_workers, struct shm_error *err)
{
	int rc;

	memset(r, 0, sizeof(*r));
	rc = rings_create(&r->file, &inject_shape, p, t, n_workers, err);
	if (rc < 0)
		return rc;
	r->header = r->file.base;
	r->slots = slots_of(&r->file, &inject_shape);
	r->n_workers = n_workers;
	return 0;
}

int shm_inject_open(struct shm_inject *r, const struct shm_place *p, const struct shm_tables *t,
	uint32_t n_workers, bool writable, struct shm_error *err)
{
	int rc;

	memset(r, 0, sizeof(*r));
	rc = rings_open(&r->file, &inject_shape, p, t, n_workers, writable, err);
	if (rc < 0)
		return rc;
	r->header = r->file.base;
	r->slots = slots_of(&r->file, &inject_shape);
	r->n_workers = (uint32_t)rc;
	return 0;
}

void shm_inject_close(struct shm_inject *r)
{
	shm_file_close(&r->file);
	memset(r, 0, sizeof(*r));
}

static struct tp_ring_slot *punt_slots(const struct shm_punt *r, uint32_t worker, uint32_t cls)
{
	return r->slots + ((size_t)worker * TP_PUNT_CLASSES + cls) * TP_RING_SLOTS;
}

struct tp_ring_producer shm_punt_producer(
	const struct shm_punt *mine, const struct shm_inject *other, uint32_t worker, uint32_t cls)
{
	return (struct tp_ring_producer){
		.slots = punt_slots(mine, worker, cls),
		.head = &mine->header->workers[worker].head[cls].value,
		.tail = &other->header->workers[worker].punt_tail[cls].value,
		.n_slots = TP_RING_SLOTS,
	};
}

struct tp_ring_consumer shm_punt_consumer(
	const struct shm_inject *mine, const struct shm_punt *other, uint32_t worker, uint32_t cls)
{
	return (struct tp_ring_consumer){
		.slots = punt_slots(other, worker, cls),
		.head = &other->header->workers[worker].head[cls].value,
		.tail = &mine->header->workers[worker].punt_tail[cls].value,
		.n_slots = TP_RING_SLOTS,
	};
}

struct tp_ring_producer shm_inject_producer(
	const struct shm_inject *mine, const struct shm_punt *other, uint32_t worker)
{
	return (struct tp_ring_producer){
		.slots = mine->slots + (size_t)worker * TP_RING_SLOTS,
		.head = &mine->header->workers[worker].head.value,
		.tail = &other->header->workers[worker].inject_tail.value,
		.n_slots = TP_RING_SLOTS,
	};
}

struct tp_ring_consumer shm_inject_consumer(
	const struct shm_punt *mine, const struct shm_inject *other, uint32_t worker)
{
	return (struct tp_ring_consumer){
		.slots = other->slots + (size_t)worker * TP_RING_SLOTS,
		.head = &other->header->workers[worker].head.value,
		.tail = &mine->header->workers[worker].inject_tail.value,
		.n_slots = TP_RING_SLOTS,
	};
}
