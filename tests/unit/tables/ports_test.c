// SPDX-License-Identifier: BSD-3-Clause
// Permissions with ports: sets are shared, rest before they are used again, and come back after a
// restart.
#include "fixture.h"

static const struct shm_tables_shape shape = {.n_entries = 256,
	.n_next_hops = 32,
	.n_port_indexes = 3,
	.n_allocations = 40,
	.n_port_sets = 4};

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

static struct tp_port_set set_of(uint16_t port)
{
	struct tp_port_set s = {.bits = {0}};

	s.bits[port / 32] = 1u << port % 32;
	return s;
}

static int give(struct fixture *f, uint32_t permission, uint16_t allowed, uint16_t trial)
{
	struct tp_port_set a = set_of(allowed), b = set_of(trial);

	return f->store.permission_ports(
		f->store.ctx, permission, allowed != 0 ? &a : NULL, trial != 0 ? &b : NULL);
}

static void assert_ports(const struct fixture *f, uint32_t permission, uint16_t allowed)
{
	const struct tp_entry *e = fixture_entry(f, permission);
	uint32_t set = tp_ports_allowed(e->partner);

	assert_in_range(set, 1, shape.n_port_sets - 1);
	assert_true(tp_port_set_has(&tables_shm(f->t)->port_sets[set], allowed));
	assert_int_equal(e->expires_s, 0);
	assert_int_equal(e->other_expires_s, 1300);
}

static void a_set_goes_beside_the_expiry(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 0), p = fixture_permit(f, a, 0);
	const struct tp_entry *e = fixture_entry(f, p);

	assert_int_equal(e->expires_s, 1300);
	assert_int_equal(give(f, p, 5000, 0), 0);
	assert_ports(f, p, 5000);
	assert_int_equal(tp_ports_trial(e->partner), 0);
	f->store.permission_refresh(f->store.ctx, p, 1400);
	assert_int_equal(e->expires_s, 0);
	assert_int_equal(e->other_expires_s, 1400);
	assert_int_equal(give(f, p, 0, 0), 0);
	assert_int_equal(e->partner, 0);
	assert_int_equal(e->expires_s, 1400);
	assert_int_equal(give(f, p, 0, 6000), 0);
	assert_int_equal(tp_ports_allowed(e->partner), 0);
	assert_int_not_equal(tp_ports_trial(e->partner), 0);
	assert_int_equal(e->expires_s, 0);
	assert_int_equal(give(f, a, 5000, 0), -EINVAL);
}

static void equal_sets_are_shared(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 0);
	uint32_t p = fixture_permit(f, a, 0), q = fixture_permit(f, a, 256);

	assert_int_equal(give(f, p, 5000, 6000), 0);
	assert_int_equal(give(f, q, 5000, 6000), 0);
	assert_int_equal(fixture_entry(f, p)->partner, fixture_entry(f, q)->partner);
	// One set is left; half of a pair is given back.
	assert_int_equal(give(f, q, 7000, 8000), -ENOSPC);
	assert_ports(f, q, 5000);
	fixture_grace(f);
	assert_int_equal(give(f, q, 7000, 0), 0);
	assert_ports(f, p, 5000);
}

static void sets_rest(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 0), p = fixture_permit(f, a, 0);

	for (uint16_t port = 1; port <= 3; port++)
		assert_int_equal(give(f, p, port, 0), 0);
	assert_int_equal(give(f, p, 4, 0), -ENOSPC);
	assert_ports(f, p, 3);
	fixture_grace(f);
	assert_int_equal(give(f, p, 4, 0), 0);
	assert_ports(f, p, 4);
	// The end of a permission gives its set back, that of the allocation too.
	f->store.permission_del(f->store.ctx, p);
	p = fixture_permit(f, a, 1);
	assert_int_equal(give(f, p, 5, 0), 0);
	f->store.allocation_del(f->store.ctx, a);
	fixture_grace(f);
	a = fixture_allocate(f, 1);
	p = fixture_permit(f, a, 0);
	assert_int_equal(give(f, p, 6, 7), 0);
	assert_int_equal(give(f, fixture_permit(f, a, 256), 8, 0), 0);
}

static int permission_seen(void *ctx, uint32_t allocation, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t ref)
{
	(void)allocation;
	(void)peer;
	(void)ref;
	assert_int_equal(expires_s, 1300);
	++*(unsigned *)ctx;
	return 0;
}

static int allocation_seen(void *ctx, const struct turn_allocation_record *rec, uint32_t ref)
{
	(void)ctx;
	(void)rec;
	(void)ref;
	return 0;
}

static void restart(struct fixture *f, unsigned n_permissions)
{
	unsigned n = 0;
	const struct tables_visitor visitor = {
		.ctx = &n, .allocation = allocation_seen, .permission = permission_seen};
	struct tables_recovery result;

	fixture_take_over(f);
	assert_int_equal(tables_recover(f->t, &visitor, &result), 0);
	assert_int_equal(n, n_permissions);
}

static void a_restart_keeps_them(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 0);
	uint32_t p = fixture_permit(f, a, 0), q = fixture_permit(f, a, 256);

	assert_int_equal(give(f, p, 5000, 0), 0);
	assert_int_equal(give(f, q, 5000, 6000), 0);
	restart(f, 2);
	assert_ports(f, p, 5000);
	assert_ports(f, q, 5000);
	// The same set is found again, the third is at rest.
	assert_int_equal(give(f, q, 5000, 0), 0);
	assert_int_equal(fixture_entry(f, p)->partner, fixture_entry(f, q)->partner);
	assert_int_equal(give(f, q, 7000, 0), -ENOSPC);
	fixture_grace(f);
	assert_int_equal(give(f, q, 7000, 8000), 0);
}

static int permission_expired(void *ctx, uint32_t allocation, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t ref)
{
	(void)ctx;
	(void)allocation;
	(void)peer;
	(void)ref;
	assert_int_equal(expires_s, 0);
	return 0;
}

static void a_word_that_names_no_set_ends_its_permission(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 0), p = fixture_permit(f, a, 0);
	const struct tables_visitor visitor = {
		.allocation = allocation_seen, .permission = permission_expired};
	struct tables_recovery result;

	assert_int_equal(give(f, p, 5000, 0), 0);
	tables_shm(f->t)->entries[p].partner = tp_ports_word(77, 0);
	fixture_take_over(f);
	assert_int_equal(tables_recover(f->t, &visitor, &result), 0);
	assert_int_equal(result.permissions, 1);
	assert_int_equal(fixture_entry(f, p)->partner, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_set_goes_beside_the_expiry, setup, teardown),
		cmocka_unit_test_setup_teardown(equal_sets_are_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(sets_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(a_restart_keeps_them, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_word_that_names_no_set_ends_its_permission, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
