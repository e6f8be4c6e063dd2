// SPDX-License-Identifier: BSD-3-Clause
// Ids of listeners and relay addresses: matched by address, never renumbered.
#include "fixture.h"

static const struct shm_tables_shape shape = {
	.n_entries = 256, .n_next_hops = 8, .n_port_indexes = 3, .n_allocations = 20};

static int setup(void **state)
{
	*state = fixture_make(&shape);
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static void ids_are_in_the_segment(void **state)
{
	struct fixture *f = *state;
	struct tp_local *locals = calloc(TP_LOCALS_MAX, sizeof(*locals));
	struct tp_path_config path;

	assert_true(shm_tables_config(tables_shm(f->t), &path, locals) >= 0);
	assert_int_equal(path.relay_port_min, 49152);
	assert_memory_equal(path.punt_key, tables_secrets(f->t)->punt_key, 16);
	for (unsigned i = 0; i < 4; i++) {
		const struct tp_local *l = &locals[f->locals[i].id];

		assert_int_not_equal(f->locals[i].id, 0);
		assert_true(tp_addr_equal(&l->addr, &f->locals[i].addr));
		assert_true(tp_addr_equal(&l->external, &f->locals[i].external));
		assert_int_equal(l->role, f->locals[i].role);
	}
	assert_int_not_equal(locals[f->locals[RELAY_V4].id].port_index,
		locals[f->locals[RELAY_V6].id].port_index);
	free(locals);
}

static void another_order_keeps_ids(void **state)
{
	struct fixture *f = *state;
	struct tables_local was[4], swapped[4];

	memcpy(was, f->locals, sizeof(was));
	for (unsigned i = 0; i < 4; i++)
		swapped[i] = was[3 - i];
	swapped[2].external = tp_addr_ipv4(0xcb007109, 0); // that of RELAY_V4
	assert_int_equal(tables_configure(f->t, swapped, 4, &f->path, &f->err), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(swapped[i].id, was[3 - i].id);
	assert_true(tp_addr_equal(
		&tables_shm(f->t)->locals[was[RELAY_V4].id].external, &swapped[2].external));
}

static void removed_ids_rest(void **state)
{
	struct fixture *f = *state;
	uint16_t id = f->locals[RELAY_V6].id;
	struct tables_local other = f->locals[RELAY_V6];
	const struct tp_local *l = &tables_shm(f->t)->locals[id];

	f->locals[RELAY_V6] = f->locals[LISTENER6];
	assert_int_equal(tables_configure(f->t, f->locals, 3, &f->path, &f->err), 0);
	assert_int_equal(l->role, TP_ROLE_RETIRED);
	other.addr = addr6(0, 0x99, 0);
	f->locals[LISTENER6] = other;
	fixture_configure(f);
	assert_int_not_equal(f->locals[LISTENER6].id, id); // not before a grace period
	fixture_grace(f);
	assert_int_equal(l->role, TP_ROLE_FREE);
	f->locals[LISTENER6].addr = addr6(0, 0x9a, 0);
	fixture_configure(f);
	assert_int_equal(f->locals[LISTENER6].id, id);
}

static void used_ids_rest_until_nothing_refers_to_them(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 0);
	uint16_t id = f->locals[RELAY_V4].id;
	const struct tp_local *l = &tables_shm(f->t)->locals[id];
	struct tables_local rest[3] = {
		f->locals[LISTENER], f->locals[RELAY_V6], f->locals[LISTENER6]};

	assert_int_equal(tables_configure(f->t, rest, 3, &f->path, &f->err), 0);
	fixture_grace(f);
	fixture_grace(f);
	assert_int_equal(l->role, TP_ROLE_RETIRED);
	f->store.allocation_del(f->store.ctx, a);
	assert_int_equal(l->role, TP_ROLE_RETIRED);
	fixture_grace(f);
	assert_int_equal(l->role, TP_ROLE_FREE);
}

static void an_id_that_came_back_stays(void **state)
{
	struct fixture *f = *state;
	struct tables_local rest[1] = {f->locals[LISTENER]};
	uint16_t id = f->locals[RELAY_V4].id;

	assert_int_equal(tables_configure(f->t, rest, 1, &f->path, &f->err), 0);
	fixture_configure(f);
	assert_int_equal(f->locals[RELAY_V4].id, id);
	fixture_grace(f);
	assert_int_equal(tables_shm(f->t)->locals[id].role, TP_ROLE_RELAY);
	fixture_allocate(f, 0);
}

static void too_many_are_refused_as_a_whole(void **state)
{
	struct fixture *f = *state;
	struct tables_local more[6];
	uint32_t seq = atomic_load(&tables_shm(f->t)->header->config_seq);

	memcpy(more, f->locals, sizeof(f->locals));
	for (unsigned i = 4; i < 6; i++) {
		more[i] = f->locals[RELAY_V4];
		more[i].addr = tp_addr_ipv4(0x0a4d0001 + i, 0);
	}
	assert_int_equal(tables_configure(f->t, more, 6, &f->path, &f->err), -ENOSPC);
	assert_int_equal(f->err.cause, SHM_NO_SPACE);
	assert_int_equal(atomic_load(&tables_shm(f->t)->header->config_seq), seq);
	assert_int_equal(tables_configure(f->t, more, 5, &f->path, &f->err), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(ids_are_in_the_segment),
		TEST(another_order_keeps_ids),
		TEST(removed_ids_rest),
		TEST(used_ids_rest_until_nothing_refers_to_them),
		TEST(an_id_that_came_back_stays),
		TEST(too_many_are_refused_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
