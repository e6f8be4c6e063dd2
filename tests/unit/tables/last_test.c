// SPDX-License-Identifier: BSD-3-Clause
// The last bytes of TCP allocations, which the edge tells when all connections are over.
#include "recovery.h"

static uint32_t allocate_tcp(struct fixture *f, uint32_t n)
{
	struct turn_allocation_record rec = fixture_record(f, n);
	uint32_t ref = 0;

	rec.relayed_transport = TP_TRANSPORT_TCP;
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), 0);
	return ref;
}

static void tell_last(struct fixture *f, uint32_t ref, uint32_t n, uint64_t to_peer)
{
	const struct tp_addr local = fixture_record(f, n).relay[0].local;

	f->store.allocation_last(f->store.ctx, ref, &local, to_peer, 24);
}

static void end(struct fixture *f, uint32_t ref)
{
	f->store.allocation_del(f->store.ctx, ref);
	tables_closed(f->t, ref, 3);
}

static void assert_ended(const struct fixture *f, unsigned n, uint32_t ref, uint64_t to_peer)
{
	assert_int_equal(f->n_ended, n);
	assert_int_equal(f->ended_ref, ref);
	assert_int_equal(f->ended.to_peer_octets, to_peer);
	assert_int_equal(f->ended_reason, 3);
}

static void they_are_awaited(void **state)
{
	struct fixture *f = ((struct world *)*state)->f;
	uint32_t a = allocate_tcp(f, 0);

	f->store.allocation_octets(f->store.ctx, a, 3000, 24);
	assert_int_equal(tables_charge(f->t, a), 2048);
	end(f, a);
	fixture_grace(f);
	assert_int_equal(f->n_ended, 0);
	// Of another, and of none.
	tell_last(f, a, 1, 9000);
	tell_last(f, a + 1, 0, 9000);
	tell_last(f, 0, 0, 9000);
	tell_last(f, UINT32_MAX, 0, 9000);
	assert_int_equal(f->n_ended, 0);
	tell_last(f, a, 0, 5000);
	assert_ended(f, 1, a, 5000);
	assert_int_equal(f->rest, 5024 - 2048);
	tell_last(f, a, 0, 9000);
	assert_int_equal(f->n_ended, 1);
	// The slot is free, and not twice.
	assert_int_equal(allocate_tcp(f, 1), a);
	assert_int_not_equal(allocate_tcp(f, 2), a);
	tell_last(f, a, 1, 9000);
	assert_int_equal(f->n_ended, 1);
}

static void they_may_come_early(void **state)
{
	struct fixture *f = ((struct world *)*state)->f;
	uint32_t a = allocate_tcp(f, 0);

	end(f, a);
	tell_last(f, a, 0, 5000);
	assert_int_equal(f->n_ended, 0);
	fixture_grace(f);
	assert_ended(f, 1, a, 5000);
}

static void they_come_in_any_order(void **state)
{
	static const uint32_t order[] = {1, 3, 0, 2};
	struct fixture *f = ((struct world *)*state)->f;
	uint32_t refs[TP_ARRAY_LEN(order)];

	for (uint32_t i = 0; i < TP_ARRAY_LEN(refs); i++)
		refs[i] = allocate_tcp(f, i);
	for (uint32_t i = 0; i < TP_ARRAY_LEN(refs); i++)
		end(f, refs[i]);
	fixture_grace(f);
	for (uint32_t i = 0; i < TP_ARRAY_LEN(order); i++) {
		tell_last(f, refs[order[i]], order[i], 100 + i);
		assert_ended(f, i + 1, refs[order[i]], 100 + i);
	}
}

static void they_are_not_awaited_for_ever(void **state)
{
	struct fixture *f = ((struct world *)*state)->f;
	uint32_t a = allocate_tcp(f, 0), b = allocate_tcp(f, 1);

	f->store.allocation_octets(f->store.ctx, a, 3000, 24);
	end(f, a);
	fixture_grace(f);
	f->now_ns += 2 * TP_NS_PER_S;
	tables_advance(f->t, f->now_ns);
	assert_int_equal(f->n_ended, 0);
	for (unsigned i = 0; i < 3 && f->n_ended == 0; i++) {
		f->now_ns = tables_deadline(f->t, f->now_ns);
		tables_advance(f->t, f->now_ns);
	}
	assert_ended(f, 1, a, 3000);
	assert_true(f->now_ns < 1010 * TP_NS_PER_S);
	// At the end of the process nobody waits.
	end(f, b);
	tables_end_all(f->t);
	assert_ended(f, 2, b, 0);
}

// Fault: ended ones, of which the edge told nothing, had all room for seconds.
static void they_keep_nobody_out(void **state)
{
	struct fixture *f = ((struct world *)*state)->f;
	uint32_t n = recovery_shape.n_allocations, refs[64];

	assert_true(n <= TP_ARRAY_LEN(refs));
	for (uint32_t i = 0; i < n; i++)
		refs[i] = allocate_tcp(f, i);
	for (uint32_t i = 0; i < n; i++)
		end(f, refs[i]);
	fixture_grace(f);
	assert_int_equal(f->n_ended, 0);
	// No more than there has to be room for.
	for (uint32_t i = 0; i < n; i++) {
		allocate_tcp(f, n + i);
		assert_int_equal(f->n_ended, i + 1);
	}
}

static void they_may_come_after_a_restart(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a = allocate_tcp(f, 0);

	f->store.allocation_octets(f->store.ctx, a, 3000, 24);
	assert_int_equal(tables_charge(f->t, a), 2048);
	end(f, a);
	fixture_grace(f);
	recover(w);
	fixture_grace(f);
	assert_int_equal(f->n_ended, 0);
	tell_last(f, a, 0, 5000);
	assert_ended(f, 1, a, 5000);
	assert_int_equal(f->rest, 5024 - 2048);
	recover_settled(w, 0, 0, 0);
	assert_int_equal(f->n_ended, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, recovery_setup, recovery_teardown)
	const struct CMUnitTest tests[] = {
		TEST(they_are_awaited),
		TEST(they_may_come_early),
		TEST(they_come_in_any_order),
		TEST(they_are_not_awaited_for_ever),
		TEST(they_keep_nobody_out),
		TEST(they_may_come_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
