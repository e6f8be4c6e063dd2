// SPDX-License-Identifier: BSD-3-Clause
// Next hops: one slot per neighbour, wanted while entries or leases refer to it, followed in place.
#include "fixture.h"

static const struct shm_tables_shape shape = {
	.n_entries = 4096, .n_next_hops = 2000, .n_port_indexes = 2, .n_allocations = 200};

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

static uint32_t gateway_slot(const struct fixture *f)
{
	struct tp_addr gateway = tp_addr_ipv4(GATEWAY_V4, 0);

	return tables_next_hop_find(f->t, &gateway, 2);
}

static bool wanted(const struct fixture *f, uint32_t slot)
{
	return atomic_load(&tables_shm(f->t)->next_hop_infos[slot].wanted) != 0;
}

static uint64_t word(const struct fixture *f, uint32_t slot)
{
	return atomic_load(&tables_shm(f->t)->next_hops[slot]);
}

static void one_slot_serves_all(void **state)
{
	struct fixture *f = *state;
	uint32_t a, c, slot, seq = atomic_load(&tables_shm(f->t)->header->next_hop_seq);
	struct tables_next_hop hop;
	uint32_t cursor = 0;

	assert_int_equal(gateway_slot(f), 0);
	f->mac_word = TP_NEXT_HOP_VALID | 7;
	a = fixture_allocate(f, 0);
	c = fixture_bind(f, a, 0x4000, 0);
	slot = gateway_slot(f);
	assert_int_not_equal(slot, 0);
	assert_int_equal(fixture_entry(f, a)->next_hop, slot);
	assert_int_equal(fixture_entry(f, c)->next_hop, slot);
	assert_int_equal(fixture_entry(f, fixture_entry(f, c)->partner)->next_hop, slot);
	assert_true(wanted(f, slot));
	assert_int_equal(word(f, slot), TP_NEXT_HOP_VALID | 7);
	assert_int_not_equal(atomic_load(&tables_shm(f->t)->header->next_hop_seq), seq);
	tables_next_hop_set(f->t, slot, TP_NEXT_HOP_VALID | 8);
	assert_int_equal(word(f, slot), TP_NEXT_HOP_VALID | 8);

	assert_true(tables_next_hop_next(f->t, &cursor, &hop));
	assert_int_equal(hop.references, 3);
	assert_int_equal(hop.slot, slot);
	assert_false(tables_next_hop_next(f->t, &cursor, &hop));

	f->store.allocation_del(f->store.ctx, a);
	assert_int_equal(gateway_slot(f), 0);
	assert_false(wanted(f, slot));
	assert_int_equal(word(f, slot), TP_NEXT_HOP_VALID | 8); // bursts under way still use it
	fixture_grace(f);
	assert_int_equal(word(f, slot), 0);
	assert_int_equal(fixture_counts(f).next_hops_used, 0);
}

static void neighbours_have_their_own(void **state)
{
	struct fixture *f = *state;
	struct tp_addr near = tp_addr_ipv4(0x0a4d0042, 0), near6 = addr6(0, 0x42, 0);
	uint32_t a = fixture_allocate(f, 0), ref;

	assert_int_equal(f->store.permission_add(f->store.ctx, a, &near, 1, &ref), 0);
	assert_int_equal(fixture_entry(f, ref)->next_hop, tables_next_hop_find(f->t, &near, 2));
	assert_int_not_equal(fixture_entry(f, ref)->next_hop, gateway_slot(f));
	assert_int_equal(tables_next_hop_find(f->t, &near, 3), 0);
	assert_int_equal(tables_next_hop_find(f->t, &near6, 2), 0);
	f->store.permission_del(f->store.ctx, ref);
	assert_int_equal(tables_next_hop_find(f->t, &near, 2), 0);
}

static void changed_routes_are_followed(void **state)
{
	struct fixture *f = *state;
	uint32_t refs[100], was = 0, now;

	for (uint32_t i = 0; i < 100; i++)
		refs[i] = fixture_allocate(f, i);
	was = gateway_slot(f);
	f->ifindex = 5;
	tables_routes_changed(f->t);
	assert_int_equal(tables_deadline(f->t, f->now_ns), f->now_ns);
	for (unsigned i = 0; i < 4; i++)
		tables_advance(f->t, f->now_ns);
	now = fixture_entry(f, refs[0])->next_hop;
	assert_int_not_equal(now, was);
	assert_int_equal(tables_shm(f->t)->next_hop_infos[now].ifindex, 5);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(fixture_entry(f, refs[i])->next_hop, now);
	assert_false(wanted(f, was));

	f->ifindex = 0; // the route goes
	tables_routes_changed(f->t);
	for (unsigned i = 0; i < 4; i++)
		tables_advance(f->t, f->now_ns);
	assert_int_equal(fixture_entry(f, refs[99])->next_hop, 0);
	f->ifindex = 2; // and comes back while the walk is under way
	tables_routes_changed(f->t);
	tables_advance(f->t, f->now_ns);
	f->ifindex = 5;
	tables_routes_changed(f->t);
	for (unsigned i = 0; i < 8; i++)
		tables_advance(f->t, f->now_ns);
	for (uint32_t i = 0; i < 100; i++) {
		now = fixture_entry(f, refs[i])->next_hop;
		assert_int_not_equal(now, 0);
		assert_int_equal(tables_shm(f->t)->next_hop_infos[now].ifindex, 5);
	}
	assert_int_equal(fixture_counts(f).next_hops_used, 1);
}

static void unknown_routes_are_asked_again(void **state)
{
	struct fixture *f = *state;
	uint32_t a;

	f->routes_known = false;
	a = fixture_allocate(f, 0);
	assert_int_equal(fixture_entry(f, a)->next_hop, 0);
	f->routes_known = true;
	tables_routes_changed(f->t);
	for (unsigned i = 0; i < 4; i++)
		tables_advance(f->t, f->now_ns);
	assert_int_equal(fixture_entry(f, a)->next_hop, gateway_slot(f));
	f->routes_known = false; // the mirror lost its place: what there is stays
	tables_routes_changed(f->t);
	for (unsigned i = 0; i < 4; i++)
		tables_advance(f->t, f->now_ns);
	assert_int_equal(fixture_entry(f, a)->next_hop, gateway_slot(f));
	assert_int_not_equal(gateway_slot(f), 0);
}

static void leases_end(void **state)
{
	struct fixture *f = *state;
	struct tp_addr client = tp_addr_ipv4(0x0a4d0300, 0), near = tp_addr_ipv4(0x0a4d0042, 0);
	uint32_t slot = tables_next_hop_lease(f->t, f->now_ns, &client), a;

	assert_int_equal(slot, gateway_slot(f));
	assert_true(wanted(f, slot));
	assert_int_equal(tables_deadline(f->t, f->now_ns), f->now_ns + 30 * TP_NS_PER_S);
	f->now_ns += 29 * TP_NS_PER_S;
	assert_int_equal(tables_next_hop_lease(f->t, f->now_ns, &client), slot); // prolonged
	assert_int_not_equal(tables_next_hop_lease(f->t, f->now_ns, &near), slot);
	a = fixture_allocate(f, 0);
	tables_advance(f->t, f->now_ns += 31 * TP_NS_PER_S);
	assert_true(wanted(f, slot)); // an entry refers to it
	assert_int_equal(tables_next_hop_find(f->t, &near, 2), 0);
	assert_int_equal(tables_next_hop_lease(f->t, f->now_ns, &client), slot);
	f->store.allocation_del(f->store.ctx, a);
	assert_true(wanted(f, slot)); // the lease does
	tables_advance(f->t, f->now_ns += 31 * TP_NS_PER_S);
	assert_false(wanted(f, slot));
	f->ifindex = 0;
	assert_int_equal(tables_next_hop_lease(f->t, f->now_ns, &client), 0);
}

// A flood with addresses of the link: at most so many neighbours are asked for.
static void strangers_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct tp_addr client = tp_addr_ipv4(0x0a4d0300, 0);
	uint32_t given = 0;

	fixture_allocate(f, 0);
	for (uint32_t i = 0; i < 1500; i++) {
		struct tp_addr stranger = addr6(0, 0x1000 + i, 0);

		given += tables_next_hop_lease(f->t, f->now_ns, &stranger) != 0;
	}
	assert_int_equal(given, 1024);
	assert_int_equal(tables_next_hop_lease(f->t, f->now_ns, &client), gateway_slot(f));
	tables_advance(f->t, f->now_ns += 31 * TP_NS_PER_S);
	assert_int_equal(fixture_counts(f).next_hops_used, 1);
}

static void no_slot_left_is_no_next_hop(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 0), without = 0, ref;

	for (uint32_t i = 0; i < 254 * 10; i++) {
		struct tp_addr peer = addr6(0, 0x1000 + i, 0);
		struct turn_allocation_record rec;

		if (i == 0) {
			rec = fixture_record(f, 1);
			rec.relay[1].local = f->locals[RELAY_V6].addr;
			rec.relay[1].local.port_be = tp_htons(50000);
			rec.relay[1].relay_id = f->locals[RELAY_V6].id;
			rec.relay[1].expires_s = 1;
			assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &a), 0);
		}
		assert_int_equal(f->store.permission_add(f->store.ctx, a, &peer, 1, &ref), 0);
		without += fixture_entry(f, ref)->next_hop == 0;
	}
	assert_int_equal(without, 2540 - (1999 - 1));
	f->store.allocation_del(f->store.ctx, a);
	fixture_grace(f);
	assert_int_equal(fixture_counts(f).next_hops_used, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_slot_serves_all),
		TEST(neighbours_have_their_own),
		TEST(changed_routes_are_followed),
		TEST(unknown_routes_are_asked_again),
		TEST(leases_end),
		TEST(strangers_are_bounded),
		TEST(no_slot_left_is_no_next_hop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
