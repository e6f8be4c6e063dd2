// SPDX-License-Identifier: BSD-3-Clause
// The private file: made, mapped and checked.
#include "private.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

// One allocation in so many has a user name that is too long for its record.
#define NAMES_SHARE	   32u
#define NAMES_LEAST	   64u
// So many tombstones at a restart, and a least number.
#define TOMBSTONES_SHARE   16u
#define TOMBSTONES_LEAST   64u
// One allocation in so many holds a reservation, each for less than a minute.
#define RESERVATIONS_SHARE 64u
#define RESERVATIONS_LEAST 64u

static uint64_t align_64(uint64_t n)
{
	return (n + 63) / 64 * 64;
}

// Offsets, from the tables' capacities.
static uint64_t plan_make(struct private_header *h, const struct shm_tables *tables)
{
	uint32_t n_entries = tables->table.n_entries;

	h->n_records = tables->n_allocations + RECORDS_SPARE + 1;
	h->n_names = tables->n_allocations / NAMES_SHARE + NAMES_LEAST + RECORDS_SPARE;
	h->n_tombstones = tables->n_allocations / TOMBSTONES_SHARE + TOMBSTONES_LEAST;
	h->n_reservations = tables->n_allocations / RESERVATIONS_SHARE + RESERVATIONS_LEAST;
	h->records_off = sizeof(*h);
	h->names_off = h->records_off + (uint64_t)h->n_records * sizeof(struct record);
	h->bases_off = align_64(h->names_off + (uint64_t)h->n_names * NAME_BLOCK_SIZE);
	h->cooldowns_off = align_64(h->bases_off + (uint64_t)n_entries * sizeof(struct usage_base));
	h->tombstones_off = align_64(
		h->cooldowns_off + (uint64_t)tables->n_port_indexes * 65536 * sizeof(uint16_t));
	h->reservations_off =
		align_64(h->tombstones_off + (uint64_t)h->n_tombstones * sizeof(struct tombstone));
	return h->reservations_off + (uint64_t)h->n_reservations * sizeof(struct reservation);
}

static void plan_copy(struct private_header *to, const struct private_header *plan)
{
	to->n_records = plan->n_records;
	to->n_names = plan->n_names;
	to->n_tombstones = plan->n_tombstones;
	to->records_off = plan->records_off;
	to->names_off = plan->names_off;
	to->bases_off = plan->bases_off;
	to->cooldowns_off = plan->cooldowns_off;
	to->tombstones_off = plan->tombstones_off;
	to->n_reservations = plan->n_reservations;
	to->reservations_off = plan->reservations_off;
}

static bool plan_same(const struct private_header *a, const struct private_header *b)
{
	return a->n_records == b->n_records && a->n_names == b->n_names &&
	       a->n_tombstones == b->n_tombstones && a->records_off == b->records_off &&
	       a->names_off == b->names_off && a->bases_off == b->bases_off &&
	       a->cooldowns_off == b->cooldowns_off && a->tombstones_off == b->tombstones_off &&
	       a->n_reservations == b->n_reservations && a->reservations_off == b->reservations_off;
}

static void view_fill(
	struct private_file *f, const struct private_header *h, const struct shm_tables *tables)
{
	uint8_t *base = f->file.base;

	f->header = f->file.base;
	f->records = (struct record *)(void *)(base + h->records_off);
	f->names = base + h->names_off;
	f->bases = (struct usage_base *)(void *)(base + h->bases_off);
	f->cooldowns = (_Atomic uint16_t *)(void *)(base + h->cooldowns_off);
	f->tombstones = (struct tombstone *)(void *)(base + h->tombstones_off);
	f->reservations = (struct reservation *)(void *)(base + h->reservations_off);
	f->n_reservations = h->n_reservations;
	f->n_records = h->n_records;
	f->n_names = h->n_names;
	f->n_tombstones = h->n_tombstones;
	f->n_port_indexes = tables->n_port_indexes;
}

uint64_t tables_private_size(uint32_t n_allocations, uint32_t n_entries, uint32_t n_port_indexes)
{
	const struct shm_tables tables = {.table.n_entries = n_entries,
		.n_allocations = n_allocations,
		.n_port_indexes = n_port_indexes};
	struct private_header plan;

	return plan_make(&plan, &tables);
}

int tables_private_create(struct private_file *f, const struct shm_place *p,
	const struct shm_tables *tables, struct shm_error *err)
{
	struct private_header plan;
	uint64_t size = plan_make(&plan, tables);
	struct private_header *h;
	int rc;

	memset(f, 0, sizeof(*f));
	rc = shm_file_create(&f->file, p, SHM_PRIVATE, sizeof(*h), size, tables->pair_id, err);
	if (rc < 0)
		return rc;
	h = f->file.base;
	if (getrandom(&h->secrets, sizeof(h->secrets), 0) != sizeof(h->secrets)) {
		tables_private_close(f);
		err->cause = SHM_SYSTEM;
		snprintf(err->text, sizeof(err->text), "no random octets");
		err->remedy[0] = '\0';
		return -EIO;
	}
	h->file.n_entries = tables->table.n_entries;
	plan_copy(h, &plan);
	view_fill(f, &plan, tables);
	return 0;
}

int tables_private_open(struct private_file *f, const struct shm_place *p,
	const struct shm_tables *tables, struct shm_error *err)
{
	struct shm_file_wish wish = {.kind = SHM_PRIVATE,
		.header_size = sizeof(struct private_header),
		.writable = true};
	struct private_header h, plan;
	uint64_t size;
	int rc;

	memset(f, 0, sizeof(*f));
	rc = shm_file_open(&f->file, p, &wish, &h, sizeof(h), err);
	if (rc < 0)
		return rc;
	size = plan_make(&plan, tables);
	if (h.file.pair_id != tables->pair_id) {
		err->cause = SHM_OTHER_PAIR;
		rc = -ESTALE;
	} else if (!plan_same(&h, &plan) || h.file.file_size < size) {
		err->cause = SHM_CORRUPT;
		rc = -EPROTO;
	}
	explicit_bzero(&h, sizeof(h));
	if (rc < 0) {
		snprintf(err->text, sizeof(err->text), "%.240s: does not go with the tables",
			f->file.path);
		err->remedy[0] = '\0';
		tables_private_close(f);
		return rc;
	}
	view_fill(f, &plan, tables);
	return 0;
}

void tables_private_close(struct private_file *f)
{
	shm_file_close(&f->file);
	memset(f, 0, sizeof(*f));
}
