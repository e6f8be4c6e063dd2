// SPDX-License-Identifier: BSD-3-Clause
// The writer's body: its files, its pools, its life.
#include "tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int memory_init(struct tables *t)
{
	uint32_t n = t->shm.table.n_entries;

	t->slot_state = calloc(n, sizeof(*t->slot_state));
	t->links = calloc(n, sizeof(*t->links));
	if (t->slot_state == NULL || t->links == NULL || tables_pool_init(&t->entries, n - 1) < 0 ||
		tables_pool_init(&t->buckets, t->shm.table.n_buckets - t->shm.n_main_buckets) < 0 ||
		tables_pool_init(&t->records, t->priv.n_records - 1) < 0 ||
		tables_pool_init(&t->names, t->priv.n_names - 1) < 0 ||
		tables_pool_init(&t->reservations, t->priv.n_reservations - 1) < 0 ||
		tables_pool_init(&t->limits, t->shm.n_limits) < 0)
		return -ENOMEM;
	t->limit_bases = calloc((size_t)t->shm.n_limits + 1, sizeof(*t->limit_bases));
	if (t->limit_bases == NULL)
		return -ENOMEM;
	tables_limits_fill(t);
	if (tables_destinations_init(&t->destinations, n) < 0 || tables_port_sets_init(t) < 0)
		return -ENOMEM;
	return tables_hop_table_init(&t->hop, t->shm.n_next_hops, n);
}

// In new files all slots are free. The lowest come first.
static void pools_fill(struct tables *t)
{
	tables_cells_begin(t, 1);
	for (uint32_t i = t->shm.table.n_buckets - 1; i >= t->shm.n_main_buckets; i--)
		tables_pool_give(&t->buckets, i);
	for (uint32_t i = t->priv.n_records - 1; i >= 1; i--)
		tables_pool_give(&t->records, i);
	for (uint32_t i = t->priv.n_names - 1; i >= 1; i--)
		tables_pool_give(&t->names, i);
	for (uint32_t i = t->priv.n_reservations - 1; i >= 1; i--)
		tables_pool_give(&t->reservations, i);
	for (uint32_t i = t->shm.n_next_hops - 1; i >= 1; i--)
		tables_pool_give(&t->hop.pool, i);
	tables_port_sets_fill(t);
}

static struct tables *tables_alloc(
	const struct shm_place *place, const struct tables_env *env, struct shm_error *err)
{
	struct tables *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		err->cause = SHM_SYSTEM;
		snprintf(err->text, sizeof(err->text), "no memory");
		err->remedy[0] = '\0';
		return NULL;
	}
	t->place = *place;
	t->env = *env;
	return t;
}

static void memory_fail(const struct tables *t, struct shm_error *err)
{
	err->cause = SHM_SYSTEM;
	snprintf(err->text, sizeof(err->text), "no memory for %u entries", t->shm.table.n_entries);
	snprintf(err->remedy, sizeof(err->remedy), "lower limits.allocations");
}

// New files of this shape, or those that are there (NULL), and the writer's own memory.
static int files_get(struct tables **out, const struct shm_place *place,
	const struct shm_tables_shape *shape, const struct tables_env *env, struct shm_error *err)
{
	struct tables *t = tables_alloc(place, env, err);
	int rc;

	if (t == NULL)
		return -ENOMEM;
	rc = shape != NULL ? shm_tables_create(&t->shm, place, shape, err)
			   : shm_tables_open(&t->shm, place, true, err);
	if (rc == 0)
		rc = shape != NULL ? tables_private_create(&t->priv, place, &t->shm, err)
				   : tables_private_open(&t->priv, place, &t->shm, err);
	if (rc == 0) {
		rc = memory_init(t);
		if (rc < 0)
			memory_fail(t, err);
	}
	if (rc < 0) {
		tables_destroy(t);
		return rc;
	}
	*out = t;
	return 0;
}

int tables_create(struct tables **out, const struct shm_place *place,
	const struct shm_tables_shape *shape, const struct tables_env *env, struct shm_error *err)
{
	int rc = files_get(out, place, shape, env, err);

	if (rc < 0)
		return rc;
	pools_fill(*out);
	(*out)->settled = true;
	return 0;
}

int tables_publish(struct tables *t, struct shm_error *err)
{
	int rc = shm_file_publish(&t->priv.file, &t->place, err);

	// The tables last: a process that finds them finds the private file with them.
	return rc < 0 ? rc : shm_file_publish(&t->shm.file, &t->place, err);
}

int tables_open(struct tables **out, const struct shm_place *place, const struct tables_env *env,
	struct shm_error *err)
{
	int rc = files_get(out, place, NULL, env, err);

	if (rc == 0)
		memcpy((*out)->locals, (*out)->shm.locals, sizeof((*out)->locals));
	return rc;
}

void tables_destroy(struct tables *t)
{
	if (t == NULL)
		return;
	tables_hop_table_fini(&t->hop);
	tables_destinations_fini(&t->destinations);
	tables_port_sets_fini(t);
	tables_pool_fini(&t->entries);
	tables_pool_fini(&t->buckets);
	tables_pool_fini(&t->records);
	tables_pool_fini(&t->names);
	tables_pool_fini(&t->reservations);
	tables_pool_fini(&t->limits);
	free(t->limit_bases);
	free(t->slot_state);
	free(t->links);
	tables_private_close(&t->priv);
	shm_tables_close(&t->shm);
	free(t);
}

enum shm_fate tables_fate(const struct tables *t)
{
	enum shm_fate a = shm_file_fate(&t->shm.file), b = shm_file_fate(&t->priv.file);

	return a > b ? a : b;
}

const struct shm_tables *tables_shm(const struct tables *t)
{
	return &t->shm;
}

const struct tables_secrets *tables_secrets(const struct tables *t)
{
	return &t->priv.header->secrets;
}

uint64_t tables_private_octets(const struct shm_tables_shape *shape)
{
	return tables_private_size(shape->n_allocations, shape->n_entries, shape->n_port_indexes);
}
