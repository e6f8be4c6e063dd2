// SPDX-License-Identifier: BSD-3-Clause
#include <shm/segment.h>

#include "fail.h"

#include <errno.h>
#include <string.h>

static uint64_t workers_off(void)
{
	return (sizeof(struct tp_state_header) + TP_CACHE_LINE - 1) / TP_CACHE_LINE * TP_CACHE_LINE;
}

static uint64_t cells_off(uint32_t n_workers)
{
	return workers_off() + n_workers * sizeof(struct tp_worker_stats);
}

uint64_t shm_state_size(uint32_t n_workers, uint32_t n_entries)
{
	return cells_off(n_workers) + (uint64_t)n_workers * n_entries * sizeof(struct tp_cell);
}

static void view_fill(struct shm_state *s, uint32_t n_workers, uint32_t n_entries, uint32_t n_ports)
{
	uint8_t *base = s->file.base;

	s->header = s->file.base;
	s->workers = (struct tp_worker_stats *)(void *)(base + workers_off());
	s->cells = (struct tp_cell *)(void *)(base + cells_off(n_workers));
	s->n_workers = n_workers;
	s->n_entries = n_entries;
	s->n_ports = n_ports;
}

int shm_state_create(struct shm_state *s, const struct shm_place *p, const struct shm_tables *t,
	uint32_t n_workers, struct shm_error *err)
{
	struct tp_state_header *h;
	int rc;

	memset(s, 0, sizeof(*s));
	if (n_workers == 0 || n_workers > TP_WORKERS_MAX)
		return shm_fail(err, SHM_SYSTEM, -EINVAL, "%u workers: at most %u", n_workers,
			TP_WORKERS_MAX);
	rc = shm_file_create(&s->file, p, SHM_STATE, sizeof(*h),
		shm_state_size(n_workers, t->table.n_entries), t->pair_id, err);
	if (rc < 0)
		return rc;
	h = s->file.base;
	h->file.n_workers = n_workers;
	h->file.n_entries = t->table.n_entries;
	h->workers_off = workers_off();
	h->cells_off = cells_off(n_workers);
	view_fill(s, n_workers, t->table.n_entries, 0);
	return 0;
}

static int header_check(const struct tp_state_header *h, const struct shm_tables *t,
	uint32_t n_workers, const char *path, struct shm_error *err)
{
	if (h->file.pair_id != t->pair_id)
		return shm_fail(err, SHM_OTHER_PAIR, -ESTALE, "%s: goes with other tables", path);
	if (h->file.n_workers == 0 || h->file.n_workers > TP_WORKERS_MAX ||
		h->file.n_entries != t->table.n_entries || h->n_ports > TP_PORTS_MAX ||
		h->workers_off != workers_off() || h->cells_off != cells_off(h->file.n_workers) ||
		h->file.file_size < shm_state_size(h->file.n_workers, h->file.n_entries))
		return shm_fail(err, SHM_CORRUPT, -EPROTO, "%s: an array is out of bounds", path);
	if (n_workers != 0 && h->file.n_workers != n_workers)
		return shm_fail(err, SHM_OTHER_SHAPE, -ESTALE, "%s: for %u workers, not %u", path,
			h->file.n_workers, n_workers);
	return 0;
}

int shm_state_open(struct shm_state *s, const struct shm_place *p, const struct shm_tables *t,
	uint32_t n_workers, bool writable, struct shm_error *err)
{
	struct shm_file_wish wish = {.kind = SHM_STATE,
		.header_size = sizeof(struct tp_state_header),
		.writable = writable,
		.other_role = NULL};
	struct tp_state_header h;
	int rc;

	memset(s, 0, sizeof(*s));
	rc = shm_file_open(&s->file, p, &wish, &h, sizeof(h), err);
	if (rc < 0)
		return rc;
	rc = header_check(&h, t, n_workers, s->file.path, err);
	if (rc < 0) {
		shm_state_close(s);
		return rc;
	}
	view_fill(s, h.file.n_workers, h.file.n_entries, h.n_ports);
	return 0;
}

void shm_state_close(struct shm_state *s)
{
	shm_file_close(&s->file);
	memset(s, 0, sizeof(*s));
}

void shm_state_adopt(struct shm_state *s, const struct shm_tables *t)
{
	uint32_t asked = atomic_load_explicit(&t->header->gp_req, memory_order_acquire);

	atomic_store_explicit(&s->header->gp_open_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&s->header->gp_done, asked, memory_order_release);
}
