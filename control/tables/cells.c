// SPDX-License-Identifier: BSD-3-Clause
// Entries are used from the lowest on, and the data plane makes memory for their counters ahead of
// that: this side says how far it will get, and never takes an entry whose cells are not ready.
// Any state file, one made by a later data plane too, has cells for all below cells_wanted, which
// only grows.
#include "tables.h"

#define LEAD (2 * SHM_CELLS_STEP) // so that nobody waits for the data plane

static uint32_t ahead_of(uint32_t fresh, uint32_t n_entries)
{
	uint64_t ahead = (((uint64_t)fresh + LEAD) / SHM_CELLS_STEP + 1) * SHM_CELLS_STEP;

	return ahead < n_entries ? (uint32_t)ahead : n_entries;
}

uint32_t tables_cells_first(uint32_t n_entries)
{
	return ahead_of(1, n_entries);
}

static void want(struct tables *t)
{
	uint32_t ahead = ahead_of(t->entries.fresh, t->shm.table.n_entries);
	_Atomic uint32_t *wanted = &t->shm.header->cells_wanted;

	if (ahead > atomic_load_explicit(wanted, memory_order_relaxed))
		atomic_store_explicit(wanted, ahead, memory_order_release);
}

void tables_cells_begin(struct tables *t, uint32_t fresh)
{
	uint32_t wanted = atomic_load_explicit(&t->shm.header->cells_wanted, memory_order_relaxed);

	t->entries.fresh = fresh;
	want(t);
	// Nobody has seen new tables. Those of another writer may be in a data plane's hands that
	// knows of no later wish than that writer's.
	if (wanted == 0 && fresh == 1)
		wanted = atomic_load_explicit(&t->shm.header->cells_wanted, memory_order_relaxed);
	if (wanted > t->shm.table.n_entries)
		wanted = t->shm.table.n_entries;
	t->entries.end = wanted > fresh ? wanted : fresh;
	tables_cells_look(t);
}

void tables_cells_look(struct tables *t)
{
	uint32_t ready;

	if (t->entries.fresh == 0) // not recovered yet
		return;
	want(t);
	if (t->state == NULL)
		return;
	ready = shm_state_ready(t->state);
	t->entries.end = ready > t->entries.fresh ? ready : t->entries.fresh;
}

void tables_cells_all(struct tables *t)
{
	atomic_store_explicit(
		&t->shm.header->cells_wanted, t->shm.table.n_entries, memory_order_release);
	t->entries.end = t->shm.table.n_entries;
}
