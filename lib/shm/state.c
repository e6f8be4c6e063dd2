// SPDX-License-Identifier: BSD-3-Clause
// The file `state`: heartbeats, completed grace periods, counters.
#include <shm/segment.h>

#include "fail.h"

#include <errno.h>
#include <string.h>

#define FIRST_ENTRIES 2u // at least, before they are rounded up: a table has no fewer

static uint64_t workers_off(void)
{
	return (sizeof(struct tp_state_header) + TP_CACHE_LINE - 1) / TP_CACHE_LINE * TP_CACHE_LINE;
}

static uint64_t cells_off(uint32_t n_workers)
{
	return workers_off() + n_workers * sizeof(struct tp_worker_stats);
}

static uint64_t limit_cells_off(uint32_t n_workers, uint32_t n_entries)
{
	uint64_t end =
		cells_off(n_workers) + (uint64_t)n_workers * n_entries * sizeof(struct tp_cell);

	return (end + TP_CACHE_LINE - 1) / TP_CACHE_LINE * TP_CACHE_LINE;
}

uint64_t shm_state_size(uint32_t n_workers, uint32_t n_entries, uint32_t n_limits)
{
	return limit_cells_off(n_workers, n_entries) +
	       (uint64_t)n_workers * n_limits * sizeof(struct tp_limit_cell);
}

static uint32_t step_up(uint32_t n_ready, uint32_t n_entries)
{
	uint64_t up = ((uint64_t)n_ready + SHM_CELLS_STEP - 1) / SHM_CELLS_STEP * SHM_CELLS_STEP;

	return up < n_entries ? (uint32_t)up : n_entries;
}

uint64_t shm_state_used(uint32_t n_workers, uint32_t n_entries, uint32_t n_limits, uint32_t n_ready)
{
	uint64_t holes = n_entries - step_up(n_ready, n_entries);

	return shm_state_size(n_workers, n_entries, n_limits) -
	       n_workers * holes * sizeof(struct tp_cell);
}

int shm_state_reserve(
	struct shm_state *s, const struct shm_place *p, uint32_t n_entries, struct shm_error *err)
{
	uint32_t wanted = step_up(n_entries, s->n_entries);
	uint64_t octets;
	int rc = 0;

	if (wanted <= s->n_ready)
		return 0;
	octets = (uint64_t)(wanted - s->n_ready) * sizeof(struct tp_cell);
	for (uint32_t w = 0; w < s->n_workers && rc == 0; w++) {
		const uint8_t *first = (const uint8_t *)shm_state_cell(s, w, s->n_ready);

		rc = shm_file_reserve(&s->file, p,
			(uint64_t)(first - (const uint8_t *)s->file.base), octets, err);
	}
	if (rc == 0)
		s->n_ready = wanted;
	return rc;
}

void shm_state_tell(struct shm_state *s)
{
	atomic_store_explicit(&s->header->cells_ready, s->n_ready, memory_order_release);
}

// Memory of a new file: all but the cells, and the first of these.
static int state_reserve(struct shm_state *s, const struct shm_place *p, const struct shm_tables *t,
	struct shm_error *err)
{
	uint32_t wanted = atomic_load_explicit(&t->header->cells_wanted, memory_order_acquire);
	uint64_t tail = limit_cells_off(s->n_workers, s->n_entries);
	int rc = shm_file_reserve(&s->file, p, 0, cells_off(s->n_workers), err);

	if (rc == 0 && s->n_limits != 0)
		rc = shm_file_reserve(&s->file, p, tail,
			(uint64_t)s->n_workers * s->n_limits * sizeof(struct tp_limit_cell), err);
	if (rc == 0)
		rc = shm_state_reserve(s, p, wanted > 1 ? wanted : FIRST_ENTRIES, err);
	if (rc == 0)
		shm_state_tell(s);
	return rc;
}

static void view_fill(
	struct shm_state *s, uint32_t n_workers, const struct shm_tables *t, uint32_t n_ports)
{
	uint8_t *base = s->file.base;

	s->header = s->file.base;
	s->workers = (struct tp_worker_stats *)(void *)(base + workers_off());
	s->cells = (struct tp_cell *)(void *)(base + cells_off(n_workers));
	s->limit_cells = (struct tp_limit_cell *)(void *)(base + limit_cells_off(n_workers,
									 t->table.n_entries));
	s->n_workers = n_workers;
	s->n_entries = t->table.n_entries;
	s->n_limits = t->n_limits;
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
		shm_state_size(n_workers, t->table.n_entries, t->n_limits), t->pair_id, err);
	if (rc < 0)
		return rc;
	h = s->file.base;
	h->file.n_workers = n_workers;
	h->file.n_entries = t->table.n_entries;
	h->workers_off = workers_off();
	h->cells_off = cells_off(n_workers);
	h->n_limits = t->n_limits;
	h->limit_cells_off = limit_cells_off(n_workers, t->table.n_entries);
	view_fill(s, n_workers, t, 0);
	rc = state_reserve(s, p, t, err);
	if (rc < 0)
		shm_state_close(s);
	return rc;
}

static int header_check(const struct tp_state_header *h, const struct shm_tables *t,
	uint32_t n_workers, const char *path, struct shm_error *err)
{
	if (h->file.pair_id != t->pair_id)
		return shm_fail(err, SHM_OTHER_PAIR, -ESTALE, "%s: goes with other tables", path);
	if (h->file.n_workers == 0 || h->file.n_workers > TP_WORKERS_MAX ||
		h->file.n_entries != t->table.n_entries || h->n_ports > TP_PORTS_MAX ||
		h->workers_off != workers_off() || h->cells_off != cells_off(h->file.n_workers) ||
		h->n_limits != t->n_limits ||
		h->limit_cells_off != limit_cells_off(h->file.n_workers, h->file.n_entries) ||
		h->file.file_size <
			shm_state_size(h->file.n_workers, h->file.n_entries, h->n_limits))
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
	uint32_t ready;
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
	view_fill(s, h.file.n_workers, t, h.n_ports);
	if (!writable)
		return 0;
	ready = shm_state_ready(s);
	rc = shm_state_reserve(s, p, ready > 1 ? ready : FIRST_ENTRIES, err);
	if (rc < 0)
		shm_state_close(s);
	return rc;
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
