// SPDX-License-Identifier: BSD-3-Clause
#include "private.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

static uint64_t align_64(uint64_t n)
{
	return (n + 63) / 64 * 64;
}

// Offsets, from the two capacities and the tables' number of entries.
static uint64_t plan_make(struct private_header *h, uint32_t n_allocations, uint32_t n_entries)
{
	h->n_records = n_allocations + 1;
	h->n_names = n_allocations / 32 + 64;
	h->records_off = sizeof(*h);
	h->names_off = h->records_off + (uint64_t)h->n_records * sizeof(struct record);
	h->bases_off = align_64(h->names_off + (uint64_t)h->n_names * NAME_BLOCK_SIZE);
	return h->bases_off + (uint64_t)n_entries * sizeof(struct usage_base);
}

uint64_t tables_private_size(uint32_t n_allocations, uint32_t n_entries)
{
	struct private_header plan;

	return plan_make(&plan, n_allocations, n_entries);
}

static void view_fill(struct private_file *f, const struct private_header *h)
{
	uint8_t *base = f->file.base;

	f->header = f->file.base;
	f->records = (struct record *)(void *)(base + h->records_off);
	f->names = base + h->names_off;
	f->bases = (struct usage_base *)(void *)(base + h->bases_off);
	f->n_records = h->n_records;
	f->n_names = h->n_names;
}

int private_create(struct private_file *f, const struct shm_place *p,
	const struct shm_tables *tables, struct shm_error *err)
{
	struct private_header plan;
	uint64_t size = plan_make(&plan, tables->n_allocations, tables->table.n_entries);
	struct private_header *h;
	int rc;

	memset(f, 0, sizeof(*f));
	rc = shm_file_create(&f->file, p, SHM_PRIVATE, sizeof(*h), size, tables->pair_id, err);
	if (rc < 0)
		return rc;
	h = f->file.base;
	if (getrandom(&h->secrets, sizeof(h->secrets), 0) != sizeof(h->secrets)) {
		private_close(f);
		err->cause = SHM_SYSTEM;
		snprintf(err->text, sizeof(err->text), "no random octets");
		err->remedy[0] = '\0';
		return -EIO;
	}
	h->file.n_entries = tables->table.n_entries;
	h->records_off = plan.records_off;
	h->names_off = plan.names_off;
	h->bases_off = plan.bases_off;
	h->n_records = plan.n_records;
	h->n_names = plan.n_names;
	view_fill(f, &plan);
	return 0;
}

int private_open(struct private_file *f, const struct shm_place *p, const struct shm_tables *tables,
	struct shm_error *err)
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
	size = plan_make(&plan, tables->n_allocations, tables->table.n_entries);
	if (h.file.pair_id != tables->pair_id) {
		err->cause = SHM_OTHER_PAIR;
		rc = -ESTALE;
	} else if (h.n_records != plan.n_records || h.n_names != plan.n_names ||
		   h.records_off != plan.records_off || h.names_off != plan.names_off ||
		   h.bases_off != plan.bases_off || h.file.file_size < size) {
		err->cause = SHM_CORRUPT;
		rc = -EPROTO;
	}
	explicit_bzero(&h, sizeof(h));
	if (rc < 0) {
		snprintf(err->text, sizeof(err->text), "%.240s: does not go with the tables",
			f->file.path);
		err->remedy[0] = '\0';
		private_close(f);
		return rc;
	}
	view_fill(f, &plan);
	return 0;
}

void private_close(struct private_file *f)
{
	shm_file_close(&f->file);
	memset(f, 0, sizeof(*f));
}
