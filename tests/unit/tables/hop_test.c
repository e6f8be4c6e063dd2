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
	assert_int_equal(fixture_entry(f, a)->egress, slot);
	assert_int_equal(fixture_entry(f, c)->egress, slot);
	assert_int_equal(fixture_entry(f, fixture_entry(f, c)->partner)->egress, slot);
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
	assert_int_equal(fixture_entry(f, ref)->egress, tables_next_hop_find(f->t, &near, 2));
	assert_int_not_equal(fixture_entry(f, ref)->egress, gateway_slot(f));
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
	now = fixture_entry(f, refs[0])->egress;
	assert_int_not_equal(now, was);
	assert_int_equal(tables_shm(f->t)->next_hop_infos[now].ifindex, 5);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(fixture_entry(f, refs[i])->egress, now);
	assert_false(wanted(f, was));

	f->ifindex = 0; // the route goes
	tables_routes_changed(f->t);
	for (unsigned i = 0; i < 4; i++)
		tables_advance(f->t, f->now_ns);
	assert_int_equal(fixture_entry(f, refs[99])->egress, 0);
	f->ifindex = 2; // and comes back while the walk is under way
	tables_routes_changed(f->t);
	tables_advance(f->t, f->now_ns);
	f->ifindex = 5;
	tables_routes_changed(f->t);
	for (unsigned i = 0; i < 8; i++)
		tables_advance(f->t, f->now_ns);
	for (uint32_t i = 0; i < 100; i++) {
		now = fixture_entry(f, refs[i])->egress;
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
	assert_int_equal(fixture_entry(f, a)->egress, 0);
	f->routes_known = true;
	tables_routes_changed(f->t);
	for (unsigned i = 0; i < 4; i++)
		tables_advance(f->t, f->now_ns);
	assert_int_equal(fixture_entry(f, a)->egress, gateway_slot(f));
	f->routes_known = false; // the mirror lost its place: existing hops stay
	tables_routes_changed(f->t);
	for (unsigned i = 0; i < 4; i++)
		tables_advance(f->t, f->now_ns);
	assert_int_equal(fixture_entry(f, a)->egress, gateway_slot(f));
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

// A changed route is asked for by the entries in its prefix, and by no others.
static void one_route_concerns_its_prefix(void **state)
{
	static const struct {
		uint32_t ip;
		uint8_t len;
		unsigned asked, moved;
	} rows[] = {
		{0x0a4d0200, 24, 2, 100},	// 50 peers each of two addresses
		{0x0a4d0201, 32, 1, 50},	// one of them
		{0x0a4d0200, 31, 2, 100},	// both
		{0x0a4d0200, 23, 2, 100},	// and a network beside
		{0x0a4d0380, 25, 0, 0},		// nobody's
		{0x0a000000, 16, 0, 0},		// likewise, 256 networks
		{0x00000000, 0, UINT32_MAX, 0}, // all
	};
	struct fixture *f = *state;
	uint32_t refs[100], other = fixture_allocate(f, 0);
	struct tp_addr v6 = {.family = TP_FAMILY_IPV6};

	for (uint32_t i = 0; i < 100; i++) {
		struct tp_addr peer = tp_addr_ipv4(0x0a4d0200 + i % 2, 0);

		assert_int_equal(f->store.permission_add(f->store.ctx, fixture_allocate(f, 1 + i),
					 &peer, 1, &refs[i]),
			0);
	}
	for (unsigned r = 0; r < TP_ARRAY_LEN(rows); r++) {
		struct tp_addr prefix = tp_addr_ipv4(rows[r].ip, 0);
		unsigned moved = 0;

		f->ifindex++;
		f->n_asked = 0;
		tables_route_changed(f->t, &prefix, rows[r].len);
		if (rows[r].asked == UINT32_MAX) {
			assert_true(tables_deadline(f->t, f->now_ns) <= f->now_ns);
			continue;
		}
		assert_int_equal(f->n_asked, rows[r].asked);
		// No walk over the others is left for later.
		tables_advance(f->t, f->now_ns);
		assert_int_equal(f->n_asked, rows[r].asked);
		for (uint32_t i = 0; i < 100; i++)
			moved += fixture_entry(f, refs[i])->egress ==
				 tables_next_hop_find(f->t,
					 &(struct tp_addr){
						 .ip = {10, 77, 0, 254}, .family = TP_FAMILY_IPV4},
					 f->ifindex);
		assert_int_equal(moved, rows[r].moved == 0 ? 0 : rows[r].moved);
		assert_int_equal(fixture_entry(f, other)->egress, gateway_slot(f));
	}
	f->n_asked = 0;
	tables_route_changed(f->t, &v6, 64);
	assert_int_equal(f->n_asked, 0);
	for (uint32_t i = 0; i < 100; i += 2)
		f->store.permission_del(f->store.ctx, refs[i]);
	tables_route_changed(
		f->t, &(struct tp_addr){.ip = {10, 77, 2, 0}, .family = TP_FAMILY_IPV4}, 32);
	assert_int_equal(f->n_asked, 0);
}

// ---- bounds -------------------------------------------------------------------------------------

#define EACH	 16u // PENDING_PER_ALLOCATION
#define PER_USER 128u

// A dual allocation of a user of its own, or of user 0.
static uint32_t dual(struct fixture *f, uint32_t n, bool own_user)
{
	struct turn_allocation_record rec = fixture_record(f, n);
	uint32_t ref = 0;

	rec.relay[1].local = f->locals[RELAY_V6].addr;
	rec.relay[1].local.port_be = tp_htons((uint16_t)(50000 + n));
	rec.relay[1].relay_id = f->locals[RELAY_V6].id;
	rec.relay[1].expires_s = 1600;
	rec.username_len = (uint16_t)snprintf(
		(char *)rec.username, sizeof(rec.username), "user %u", own_user ? n : 0);
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), 0);
	return ref;
}

// Permits on-link peers until one is refused; returns how many were taken.
static unsigned permit_all(
	struct fixture *f, uint32_t a, uint32_t first, unsigned n, uint32_t *refs)
{
	for (unsigned i = 0; i < n; i++) {
		struct tp_addr peer = addr6(0, 0x1000 + first + i, 0);
		uint32_t ref;
		int rc = f->store.permission_add(f->store.ctx, a, &peer, 1, &ref);

		if (rc < 0) {
			assert_int_equal(rc, -ENOSPC);
			return i;
		}
		assert_int_not_equal(fixture_entry(f, ref)->egress, 0);
		if (refs != NULL)
			refs[i] = ref;
	}
	return n;
}

static void one_allocation_is_bounded(void **state)
{
	struct fixture *f = *state;
	uint32_t a = dual(f, 0, true), refs[EACH], free, ref;
	struct tp_addr peer = addr6(0, 0x1001, 0);

	assert_int_equal(permit_all(f, a, 0, 100, refs), EACH);
	free = fixture_counts(f).entries_free;
	assert_int_equal(permit_all(f, a, EACH, 1, NULL), 0);
	assert_int_equal(fixture_counts(f).entries_free, free);
	// Peers behind the gateway, and those who have a slot already, are no burden.
	fixture_permit(f, a, 0);
	assert_int_equal(f->store.channel_add(f->store.ctx, a, 0x4000,
				 &(struct tp_addr){.ip = {0xfd, 0x77, [14] = 0x10, [15] = 1},
					 .port_be = 1,
					 .family = TP_FAMILY_IPV6},
				 1, 1, &ref),
		0);
	// One answers, one goes: room for two.
	tables_next_hop_set(f->t, tables_next_hop_find(f->t, &peer, 2), TP_NEXT_HOP_VALID | 9);
	f->store.permission_del(f->store.ctx, refs[5]);
	assert_int_equal(permit_all(f, a, EACH, 100, NULL), 2);
	// Another allocation's slot of the same number begins anew.
	f->store.allocation_del(f->store.ctx, a);
	fixture_grace(f);
	assert_int_equal(dual(f, 1, true), a);
	assert_int_equal(permit_all(f, a, 0, 100, NULL), EACH);
}

static void one_user_is_bounded(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	for (unsigned i = 0; i < 20; i++)
		n += permit_all(f, dual(f, i, false), 100 * i, 100, NULL);
	assert_int_equal(n, PER_USER);
	assert_int_equal(permit_all(f, dual(f, 20, true), 5000, 100, NULL), EACH);
}

static void all_users_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct tp_addr near = tp_addr_ipv4(0x0a4d0042, 5000);
	struct turn_allocation_record rec = fixture_record(f, 100);
	uint32_t ref;
	unsigned n = 0;

	for (unsigned i = 0; i < 50; i++)
		n += permit_all(f, dual(f, i, true), 100 * i, 100, NULL);
	assert_int_equal(n, 2000 / 4);
	// A client on the link is no peer.
	rec.client.remote = near;
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), 0);
	assert_int_not_equal(fixture_entry(f, ref)->egress, 0);
}

// Neighbours that answer count no more, but the last slots are for clients.
static void peers_leave_slots_for_clients(void **state)
{
	struct fixture *f = *state;
	struct turn_allocation_record rec = fixture_record(f, 190);
	unsigned n = 0;
	uint32_t ref;

	f->mac_word = TP_NEXT_HOP_VALID | 8;
	for (unsigned i = 0; i < 20; i++)
		n += permit_all(f, dual(f, i, true), 100 * i, 100, NULL);
	assert_in_range(n, 1999 * 7 / 8 - 2, 1999 * 7 / 8 + 1);
	rec.client.remote = tp_addr_ipv4(0x0a4d0042, 5000);
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), 0);
	assert_int_not_equal(fixture_entry(f, ref)->egress, 0);
}

static void failed_ones_make_room(void **state)
{
	struct fixture *f = *state;
	uint32_t a = dual(f, 0, true), refs[EACH];
	struct tp_addr peer = addr6(0, 0x1003, 0);

	assert_int_equal(permit_all(f, a, 0, EACH, refs), EACH);
	tables_next_hop_failed(f->t, 0);
	tables_next_hop_failed(f->t, UINT32_MAX);
	tables_next_hop_failed(f->t, tables_next_hop_find(f->t, &peer, 2));
	tables_next_hop_failed(f->t, tables_next_hop_find(f->t, &peer, 2));
	// It stays until its place is needed.
	assert_int_not_equal(fixture_entry(f, refs[3])->egress, 0);
	assert_int_equal(permit_all(f, a, EACH, 100, NULL), 1);
	assert_int_equal(fixture_entry(f, refs[3])->egress, 0);
	assert_int_equal(tables_next_hop_find(f->t, &peer, 2), 0);
	// A Refresh asks again, in vain while there is no room.
	f->store.permission_refresh(f->store.ctx, refs[3], 2);
	assert_int_equal(fixture_entry(f, refs[3])->egress, 0);
	f->store.permission_del(f->store.ctx, refs[4]);
	f->store.permission_refresh(f->store.ctx, refs[3], 3);
	assert_int_equal(fixture_entry(f, refs[3])->egress, tables_next_hop_find(f->t, &peer, 2));
	assert_int_not_equal(fixture_entry(f, refs[3])->egress, 0);
	f->store.allocation_del(f->store.ctx, a);
	fixture_grace(f);
	assert_int_equal(fixture_counts(f).next_hops_used, 0);
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
		TEST(one_route_concerns_its_prefix),
		TEST(one_allocation_is_bounded),
		TEST(one_user_is_bounded),
		TEST(all_users_are_bounded),
		TEST(peers_leave_slots_for_clients),
		TEST(failed_ones_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
