// SPDX-License-Identifier: BSD-3-Clause
#include "tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int memory_init(struct tables *t)
{
	uint32_t n = t->shm.table.n_entries;

	t->slot_state = calloc(n, sizeof(*t->slot_state));
	t->links = calloc(n, sizeof(*t->links));
	if (t->slot_state == NULL || t->links == NULL || pool_init(&t->entries, n - 1) < 0 ||
		pool_init(&t->buckets, t->shm.table.n_buckets - t->shm.n_main_buckets) < 0 ||
		pool_init(&t->records, t->priv.n_records - 1) < 0 ||
		pool_init(&t->names, t->priv.n_names - 1) < 0)
		return -ENOMEM;
	return hop_table_init(&t->hop, t->shm.n_next_hops);
}

// Of new files all slots are free. The lowest come first.
static void pools_fill(struct tables *t)
{
	for (uint32_t i = t->shm.table.n_entries - 1; i >= 1; i--)
		pool_give(&t->entries, i);
	for (uint32_t i = t->shm.table.n_buckets - 1; i >= t->shm.n_main_buckets; i--)
		pool_give(&t->buckets, i);
	for (uint32_t i = t->priv.n_records - 1; i >= 1; i--)
		pool_give(&t->records, i);
	for (uint32_t i = t->priv.n_names - 1; i >= 1; i--)
		pool_give(&t->names, i);
	for (uint32_t i = t->shm.n_next_hops - 1; i >= 1; i--)
		pool_give(&t->hop.pool, i);
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

static int memory_fail(struct tables *t, int rc, struct shm_error *err)
{
	err->cause = SHM_SYSTEM;
	snprintf(err->text, sizeof(err->text), "no memory for %u entries", t->shm.table.n_entries);
	snprintf(err->remedy, sizeof(err->remedy), "lower limits.allocations");
	return rc;
}

int tables_create(struct tables **out, const struct shm_place *place,
	const struct shm_tables_shape *shape, const struct tables_env *env, struct shm_error *err)
{
	struct tables *t = tables_alloc(place, env, err);
	int rc;

	if (t == NULL)
		return -ENOMEM;
	rc = shm_tables_create(&t->shm, place, shape, err);
	if (rc == 0)
		rc = private_create(&t->priv, place, &t->shm, err);
	if (rc < 0)
		goto fail;
	rc = memory_init(t);
	if (rc < 0) {
		rc = memory_fail(t, rc, err);
		goto fail;
	}
	pools_fill(t);
	t->settled = true;
	*out = t;
	return 0;
fail:
	tables_destroy(t);
	return rc;
}

int tables_publish(struct tables *t, struct shm_error *err)
{
	int rc = shm_file_publish(&t->priv.file, &t->place, err);

	// The tables last: who finds them finds the private file with them.
	return rc < 0 ? rc : shm_file_publish(&t->shm.file, &t->place, err);
}

int tables_open(struct tables **out, const struct shm_place *place, const struct tables_env *env,
	struct shm_error *err)
{
	struct tables *t = tables_alloc(place, env, err);
	int rc;

	if (t == NULL)
		return -ENOMEM;
	rc = shm_tables_open(&t->shm, place, true, err);
	if (rc == 0)
		rc = private_open(&t->priv, place, &t->shm, err);
	if (rc < 0)
		goto fail;
	rc = memory_init(t);
	if (rc < 0) {
		rc = memory_fail(t, rc, err);
		goto fail;
	}
	memcpy(t->locals, t->shm.locals, sizeof(t->locals));
	*out = t;
	return 0;
fail:
	tables_destroy(t);
	return rc;
}

void tables_destroy(struct tables *t)
{
	if (t == NULL)
		return;
	hop_table_fini(&t->hop);
	pool_fini(&t->entries);
	pool_fini(&t->buckets);
	pool_fini(&t->records);
	pool_fini(&t->names);
	free(t->slot_state);
	free(t->links);
	private_close(&t->priv);
	shm_tables_close(&t->shm);
	free(t);
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
	return private_size(shape->n_allocations, shape->n_entries, shape->n_port_indexes);
}
