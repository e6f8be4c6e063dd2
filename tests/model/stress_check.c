// SPDX-License-Identifier: BSD-3-Clause
// The tables as a killed writer left them: each published entry must be right, whole and unique.
#include "stress.h"

#include <stdio.h>
#include <stdlib.h>

struct check {
	const struct world *w;
	struct shm_tables tables;
	uint8_t *entries; // seen
	uint8_t *buckets;
	unsigned errors;
};

static void error(struct check *c, const char *what, uint32_t bucket, uint32_t entry)
{
	if (c->errors++ < 10)
		fprintf(stderr, "chain check: %s (bucket %u, entry %u)\n", what, bucket, entry);
}

static void entry_check(struct check *c, uint32_t main, uint32_t b, uint32_t i, uint16_t sig)
{
	const struct tp_table *t = &c->tables.table;
	const struct tp_entry *e;
	struct tp_entry copy;
	uint32_t n, object;
	uint64_t hash;

	if (i >= t->n_entries) {
		error(c, "index out of bounds", b, i);
		return;
	}
	if (c->entries[i]++ != 0)
		error(c, "entry published twice", b, i);
	e = &t->entries[i];
	hash = tp_table_hash(t, &e->key);
	if (tp_table_bucket_of(t, hash) != main)
		error(c, "entry in another key's chain", b, i);
	else if (tp_table_sig_of(hash) != sig)
		error(c, "signature is not the key's", b, i);
	else if (tp_table_find(t, &e->key, hash) != i)
		error(c, "another entry has the same key", b, i);
	if (!world_locate(c->w, &e->key, &n, &object)) {
		error(c, "a key that nobody made", b, i);
		return;
	}
	entry_copy(&copy, e);
	if (!world_content_right(&copy, world_expected(c->w, n, object)))
		error(c, "content that is not the key's", b, i);
}

static void chain_check(struct check *c, uint32_t main)
{
	const struct tp_table *t = &c->tables.table;

	for (uint32_t b = main, length = 0;; length++) {
		const struct tp_bucket *bucket = &t->buckets[b];

		if (c->buckets[b]++ != 0) {
			error(c, "bucket in two chains, or a loop", b, 0);
			return;
		}
		for (unsigned s = 0; s < TP_BUCKET_SLOTS; s++) {
			uint32_t i = atomic_load(&bucket->idx[s]);

			if (i != 0)
				entry_check(c, main, b, i, atomic_load(&bucket->sig[s]));
		}
		b = atomic_load(&bucket->next);
		if (b == 0)
			return;
		if (b < c->tables.n_main_buckets || b >= t->n_buckets || length == TP_CHAIN_MAX) {
			error(c, "link out of bounds", b, 0);
			return;
		}
	}
}

static bool object_present(const struct check *c, uint32_t n, uint32_t object)
{
	const struct tp_table *t = &c->tables.table;
	struct tp_key key = world_expected(c->w, n, object)->key;
	const struct tp_key *a = &world_expected(c->w, n, OBJECT_ALLOCATION)->key;

	if (key.kind == TP_KIND_PERMISSION) {
		uint32_t allocation = tp_table_find(t, a, tp_table_hash(t, a));

		key.local_id = (uint16_t)allocation;
		key.selector = (uint16_t)(allocation >> 16);
	}
	return tp_table_find(t, &key, tp_table_hash(t, &key)) != 0;
}

unsigned chains_check(const struct world *w)
{
	struct check c = {.w = w};
	struct shm_error err;

	if (shm_tables_open(&c.tables, &w->place, false, &err) < 0)
		stress_die("check", &err);
	c.entries = calloc(c.tables.table.n_entries, 1);
	c.buckets = calloc(c.tables.table.n_buckets, 1);
	if (c.entries == NULL || c.buckets == NULL)
		stress_die("no memory", NULL);
	for (uint32_t b = 0; b < c.tables.n_main_buckets; b++)
		chain_check(&c, b);
	for (uint32_t n = 0; n < w->n_stable; n++)
		for (uint32_t object = 0; object < OBJECTS; object++)
			if (!object_present(&c, n, object))
				error(&c, "a stable object is not there", n, object);
	free(c.entries);
	free(c.buckets);
	shm_tables_close(&c.tables);
	return c.errors;
}
