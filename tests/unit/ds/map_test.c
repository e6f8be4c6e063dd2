// SPDX-License-Identifier: BSD-3-Clause
#include <ds/list.h>
#include <ds/map.h>
#include <ds/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ITEMS 20000u

struct item {
	struct ds_map_node node;
	uint32_t id;
	bool in;
};

static const uint8_t key[16] = {1};

static struct item *item_find(const struct ds_map *m, uint32_t id)
{
	struct ds_map_node *n = ds_map_first(m, ds_map_hash(m, &id, sizeof(id)));

	for (; n != NULL; n = ds_map_next(n)) {
		struct item *item = DS_CONTAINER(n, struct item, node);

		if (item->id == id)
			return item;
	}
	return NULL;
}

// Against an array of the members: each step finds everything that was touched, and nothing else.
static void finds_what_is_in(void **state)
{
	struct item *items = calloc(ITEMS, sizeof(*items));
	struct ds_map m;
	uint32_t x = 1;
	size_t n = 0;

	(void)state;
	assert_non_null(items);
	assert_int_equal(ds_map_init(&m, key), 0);
	for (uint32_t i = 0; i < ITEMS; i++)
		items[i].id = i;
	for (uint32_t step = 0; step < 10 * ITEMS; step++) {
		struct item *item;

		x = x * 1664525 + 1013904223;
		item = &items[(x >> 8) % ITEMS];
		if (item->in) {
			ds_map_del(&m, &item->node);
			n--;
		} else {
			ds_map_add(&m, &item->node, ds_map_hash(&m, &item->id, sizeof(item->id)));
			n++;
		}
		item->in = !item->in;
		assert_ptr_equal(item_find(&m, item->id), item->in ? item : NULL);
		assert_int_equal(m.n, n);
	}
	for (uint32_t i = 0; i < ITEMS; i++)
		assert_ptr_equal(item_find(&m, i), items[i].in ? &items[i] : NULL);
	ds_map_fini(&m);
	free(items);
}

// Chains stay short: buckets follow the number of nodes.
static void grows_with_its_nodes(void **state)
{
	struct item *items = calloc(ITEMS, sizeof(*items));
	struct ds_map m;

	(void)state;
	assert_non_null(items);
	assert_int_equal(ds_map_init(&m, key), 0);
	for (uint32_t i = 0; i < ITEMS; i++) {
		size_t buckets;

		ds_map_add(&m, &items[i].node, ds_map_hash(&m, &i, sizeof(i)));
		buckets = ((size_t)DS_MAP_BASE << m.level) + m.split;
		assert_true(buckets + 1 >= m.n);
	}
	ds_map_fini(&m);
	free(items);
}

// Room that was made beforehand: no node is moved until there are more.
static void reserved_room_is_used(void **state)
{
	static const size_t wants[] = {0, 1, DS_MAP_BASE, DS_MAP_BASE + 1, 5000};
	struct item *items = calloc(ITEMS, sizeof(*items));

	(void)state;
	assert_non_null(items);
	for (size_t k = 0; k < TP_ARRAY_LEN(wants); k++) {
		struct ds_map m;
		uint32_t level;

		assert_int_equal(ds_map_init(&m, key), 0);
		ds_map_reserve(&m, wants[k]);
		level = m.level;
		assert_true((size_t)DS_MAP_BASE << level >= wants[k]);
		assert_true(level == 0 || (size_t)DS_MAP_BASE << (level - 1) < wants[k]);
		for (uint32_t i = 0; i < ITEMS; i++) {
			items[i].id = i;
			ds_map_add(&m, &items[i].node, ds_map_hash(&m, &i, sizeof(i)));
			if (i < wants[k])
				assert_true(m.level == level && m.split == 0);
		}
		// Too late: not a node is lost.
		ds_map_reserve(&m, 4 * ITEMS);
		for (uint32_t i = 0; i < ITEMS; i++)
			assert_ptr_equal(item_find(&m, i), &items[i]);
		ds_map_fini(&m);
	}
	free(items);
}

static void hash_depends_on_key(void **state)
{
	static const uint8_t other[16] = {2};
	struct ds_map a, b;

	(void)state;
	assert_int_equal(ds_map_init(&a, key), 0);
	assert_int_equal(ds_map_init(&b, other), 0);
	assert_true(ds_map_hash(&a, "x", 1) != ds_map_hash(&b, "x", 1));
	ds_map_fini(&a);
	ds_map_fini(&b);
}

// Equal hashes are all handed out, each once.
static void equal_hashes_chain(void **state)
{
	struct item items[5];
	struct ds_map m;
	unsigned n = 0;

	(void)state;
	assert_int_equal(ds_map_init(&m, key), 0);
	for (unsigned i = 0; i < 5; i++)
		ds_map_add(&m, &items[i].node, i == 3 ? 4242 + DS_MAP_BASE : 4242);
	for (struct ds_map_node *at = ds_map_first(&m, 4242); at != NULL; at = ds_map_next(at))
		n++;
	assert_int_equal(n, 4);
	ds_map_fini(&m);
}

static void pool_reuses_zeroed(void **state)
{
	struct ds_pool p;
	uint32_t index[20 * DS_POOL_CHUNK], again;
	uint64_t *objects[20 * DS_POOL_CHUNK];

	(void)state;
	ds_pool_init(&p, 3 * sizeof(uint64_t));
	for (unsigned i = 0; i < TP_ARRAY_LEN(index); i++) {
		objects[i] = ds_pool_take(&p, &index[i]);
		assert_non_null(objects[i]);
		for (unsigned k = 0; k < 3; k++) {
			assert_int_equal(objects[i][k], 0);
			objects[i][k] = index[i];
		}
	}
	// None moved, none overlaps.
	for (unsigned i = 0; i < TP_ARRAY_LEN(index); i++) {
		assert_ptr_equal(ds_pool_at(&p, index[i]), objects[i]);
		assert_int_equal(objects[i][2], index[i]);
	}
	assert_int_equal(p.n_taken, TP_ARRAY_LEN(index));
	ds_pool_return(&p, index[300]);
	assert_ptr_equal(ds_pool_take(&p, &again), objects[300]);
	assert_int_equal(again, index[300]);
	assert_int_equal(objects[300][0], 0);
	assert_int_equal(ds_pool_end(&p), TP_ARRAY_LEN(index));
	ds_pool_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_is_in),
		cmocka_unit_test(grows_with_its_nodes),
		cmocka_unit_test(reserved_room_is_used),
		cmocka_unit_test(hash_depends_on_key),
		cmocka_unit_test(equal_hashes_chain),
		cmocka_unit_test(pool_reuses_zeroed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
