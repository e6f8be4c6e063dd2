// SPDX-License-Identifier: BSD-3-Clause
// The effect of the TURN server's calls on the tables.
#include <errno.h>

#include <entry/csum.h>

#include "fixture.h"

static const struct shm_tables_shape shape = {
	.n_entries = 256, .n_next_hops = 32, .n_port_indexes = 2, .n_allocations = 40};

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

static void allocation_is_found_both_ways(void **state)
{
	struct fixture *f = *state;
	struct turn_allocation_record rec = fixture_record(f, 5);
	uint32_t ref = fixture_allocate(f, 5);
	const struct tp_entry *e = fixture_entry(f, ref);
	struct tp_key key = tp_key_allocation(&rec.client.remote, rec.client.listener_id);

	assert_int_equal(fixture_find(f, &key), ref);
	assert_int_equal(fixture_port(f, &rec.relay[0].local), ref);
	assert_int_equal(e->expires_s, 1600);
	assert_int_equal(e->allocation, ref);
	assert_int_equal(e->relay[0].relay_id, rec.relay[0].relay_id);
	assert_int_equal(e->relay[0].port_be, rec.relay[0].local.port_be);
	assert_int_equal(e->relay[1].relay_id, 0);
	assert_int_equal(e->header[0], 0x45);
	assert_memory_equal(e->header + 12, f->locals[LISTENER].addr.ip, 4);
	assert_memory_equal(e->header + 16, rec.client.remote.ip, 4);
	assert_int_equal(tp_load_be16(e->header + 20), 3478);
	assert_int_equal(tp_load_be16(e->header + 22), tp_addr_port(&rec.client.remote));

	f->store.allocation_refresh(f->store.ctx, ref, 0, 2000);
	assert_int_equal(e->expires_s, 2000);
	f->store.allocation_del(f->store.ctx, ref);
	assert_int_equal(fixture_find(f, &key), 0);
	assert_int_equal(fixture_port(f, &rec.relay[0].local), 0);
	f->store.allocation_del(f->store.ctx, ref); // a stale reference does nothing
	assert_int_equal(fixture_counts(f).allocations, 0);
}

static void dual_allocation_has_two_ports(void **state)
{
	struct fixture *f = *state;
	struct turn_allocation_record rec = fixture_record(f, 1);
	uint32_t ref;

	rec.relay[1].local = f->locals[RELAY_V6].addr;
	rec.relay[1].local.port_be = tp_htons(50001);
	rec.relay[1].advertised = rec.relay[1].local;
	rec.relay[1].relay_id = f->locals[RELAY_V6].id;
	rec.relay[1].expires_s = 1700;
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), 0);
	assert_int_equal(fixture_port(f, &rec.relay[0].local), ref);
	assert_int_equal(fixture_port(f, &rec.relay[1].local), ref);
	assert_int_equal(fixture_entry(f, ref)->other_expires_s, 1700);
	f->store.allocation_refresh(f->store.ctx, ref, 1, 0);
	assert_int_equal(fixture_port(f, &rec.relay[0].local), ref);
	assert_int_equal(fixture_port(f, &rec.relay[1].local), 0);
	f->store.allocation_del(f->store.ctx, ref);
	assert_int_equal(fixture_port(f, &rec.relay[0].local), 0);
}

static void bad_allocations_are_refused(void **state)
{
	struct fixture *f = *state;
	struct turn_allocation_record rec = fixture_record(f, 1);
	struct tables_counts before, after;
	uint32_t ref = fixture_allocate(f, 1);

	before = fixture_counts(f);
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), -EEXIST);
	rec.client.remote.port_be ^= 1; // another client, the same relayed address
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), -EEXIST);
	rec = fixture_record(f, 1);
	rec.relay[0].local.port_be ^= 1; // the same client, another relayed address
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), -EEXIST);

	rec = fixture_record(f, 2);
	rec.client.listener_id = f->locals[RELAY_V4].id;
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), -EINVAL);
	rec = fixture_record(f, 2);
	rec.relay[0].relay_id = 1023;
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), -EINVAL);
	rec = fixture_record(f, 2);
	rec.relay[0].local.ip[3] ^= 1;
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), -EINVAL);
	rec = fixture_record(f, 2);
	rec.client.listener_id = f->locals[LISTENER6].id; // families differ
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), -EINVAL);
	after = fixture_counts(f);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void channel_has_two_entries(void **state)
{
	struct fixture *f = *state;
	struct turn_allocation_record rec = fixture_record(f, 0);
	struct tp_addr peer = fixture_peer(3);
	uint32_t a = fixture_allocate(f, 0), ref = fixture_bind(f, a, 0x4001, 3), other;
	struct tp_key ckey = tp_key_channel(&rec.client.remote, rec.client.listener_id, 0x4001);
	struct tp_key pkey = tp_key_peer(&peer, rec.relay[0].relay_id, rec.relay[0].local.port_be);
	uint32_t c = fixture_find(f, &ckey), p = fixture_find(f, &pkey);
	const struct tp_entry *ce = fixture_entry(f, c), *pe = fixture_entry(f, p);

	assert_int_equal(c, ref);
	assert_int_not_equal(p, 0);
	assert_int_equal(ce->partner, p);
	assert_int_equal(pe->partner, c);
	assert_int_equal(ce->allocation, a);
	assert_int_equal(pe->allocation, a);
	assert_int_equal(ce->expires_s, 1600);
	assert_int_equal(ce->other_expires_s, 1300);
	assert_int_equal(pe->expires_s, 1300);
	assert_int_equal(pe->other_expires_s, 1600);
	assert_memory_equal(ce->header + 16, peer.ip, 4);
	assert_memory_equal(pe->header + 16, rec.client.remote.ip, 4);
	assert_int_equal(pe->header_len, 32);
	assert_int_equal(tp_load_be16(pe->header + 28), 0x4001);

	f->store.channel_refresh(f->store.ctx, ref, 2200, 1900);
	assert_int_equal(ce->expires_s, 2200);
	assert_int_equal(ce->other_expires_s, 1900);
	assert_int_equal(pe->expires_s, 1900);
	assert_int_equal(pe->other_expires_s, 2200);

	assert_int_equal(
		f->store.channel_add(f->store.ctx, a, 0x4001, &peer, 1, 1, &other), -EEXIST);
	assert_int_equal( // the peer has a channel
		f->store.channel_add(f->store.ctx, a, 0x4002, &peer, 1, 1, &other), -EEXIST);
	f->store.channel_del(f->store.ctx, ref);
	assert_int_equal(fixture_find(f, &ckey), 0);
	assert_int_equal(fixture_find(f, &pkey), 0);
	assert_int_not_equal(fixture_bind(f, a, 0x4002, 3), 0);
}

static void permission_is_by_address(void **state)
{
	struct fixture *f = *state;
	struct tp_addr peer = fixture_peer(9);
	uint32_t a = fixture_allocate(f, 0), b = fixture_allocate(f, 1), again;
	uint32_t ref = fixture_permit(f, a, 9);
	struct tp_key key = tp_key_permission(&peer, a);
	const struct tp_entry *e = fixture_entry(f, ref);

	assert_int_equal(fixture_find(f, &key), ref);
	assert_int_equal(e->expires_s, 1300);
	assert_int_equal(e->relay_id, f->locals[RELAY_V4].id);
	assert_int_equal(e->port_be, tp_htons(49152));
	assert_int_equal(f->store.permission_add(f->store.ctx, a, &peer, 1300, &again), -EEXIST);
	assert_int_not_equal(fixture_permit(f, b, 9), ref);
	f->store.permission_refresh(f->store.ctx, ref, 1444);
	assert_int_equal(e->expires_s, 1444);
	f->store.permission_del(f->store.ctx, ref);
	assert_int_equal(fixture_find(f, &key), 0);

	peer = addr6(2, 2, 0); // the allocation has no IPv6 address
	assert_int_equal(f->store.permission_add(f->store.ctx, a, &peer, 1300, &again), -EINVAL);
	assert_int_equal(f->store.permission_add(f->store.ctx, ref, &peer, 1300, &again), -EINVAL);
	assert_int_equal(
		f->store.permission_add(f->store.ctx, 0xffffffff, &peer, 1300, &again), -EINVAL);
}

static void own_addresses_are_hairpins(void **state)
{
	static const struct {
		uint32_t ip;
		bool own, relay;
	} rows[] = {
		{0x0a4d0001, true, true}, // of listener and relay
		{0xcb007101, true, true}, // the relay's external address
		{0x0a4d0002, false, false},
	};
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 0);

	for (unsigned i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct tp_addr peer = tp_addr_ipv4(rows[i].ip, 50000);
		const struct tp_entry *c, *p;
		uint32_t channel, permission;

		assert_int_equal(f->store.channel_add(f->store.ctx, a, (uint16_t)(0x4000 + i),
					 &peer, 1600, 1300, &channel),
			0);
		assert_int_equal(
			f->store.permission_add(f->store.ctx, a, &peer, 1300, &permission), 0);
		c = fixture_entry(f, channel);
		p = fixture_entry(f, permission);
		assert_int_equal(c->flags, rows[i].own ? TP_ENTRY_HAIRPIN : 0);
		assert_int_equal(p->flags, rows[i].own ? TP_ENTRY_HAIRPIN : 0);
		assert_int_equal(c->hairpin_relay_id, rows[i].relay ? f->locals[RELAY_V4].id : 0);
		assert_int_equal(p->hairpin_relay_id, rows[i].relay ? f->locals[RELAY_V4].id : 0);
		assert_int_equal(c->egress == 0, rows[i].own);
		assert_int_not_equal(fixture_entry(f, c->partner)->egress, 0);
	}
}

static void permissions_name_their_realm(void **state)
{
	struct fixture *f = *state;
	struct turn_allocation_record rec = fixture_record(f, 0);
	struct tp_addr peer = tp_addr_ipv4(0x0a4d0202, 0);
	uint32_t a, permission;

	rec.realm_id = 0x1234;
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &a), 0);
	assert_int_equal(f->store.permission_add(f->store.ctx, a, &peer, 1300, &permission), 0);
	assert_int_equal(fixture_entry(f, permission)->realm_id, 0x1234);
}

static void deleting_takes_everything_along(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 0), b = fixture_allocate(f, 1);
	struct tables_counts c;

	for (uint32_t i = 0; i < 10; i++) {
		fixture_permit(f, a, 256 * i);
		fixture_bind(f, a, (uint16_t)(0x4000 + i), i);
	}
	fixture_bind(f, b, 0x4000, 0);
	c = fixture_counts(f);
	assert_int_equal(c.permissions, 10);
	assert_int_equal(c.channels, 11);
	f->store.allocation_del(f->store.ctx, a);
	c = fixture_counts(f);
	assert_int_equal(c.allocations, 1);
	assert_int_equal(c.permissions, 0);
	assert_int_equal(c.channels, 1);
	assert_int_equal(c.entries_retired, 31);
	fixture_grace(f);
	c = fixture_counts(f);
	assert_int_equal(c.entries_retired, 0);
	assert_int_equal(c.entries_free, 255 - 3);
}

// All allocations there may be: each may still have another owner, with a name of any length, also
// while one moves.
static void full_tables_take_new_owners(void **state)
{
	struct fixture *f = *state;
	const struct turn_tuple next = {
		.remote = tp_addr_ipv4(0x0a4d0999, 4000), .listener_id = f->locals[LISTENER].id};
	struct turn_allocation_record rec = fixture_record(f, 40);
	uint32_t refs[40], ref;

	for (uint32_t i = 0; i < 40; i++)
		refs[i] = fixture_allocate(f, i);
	rec.username_len = TURN_USERNAME_MAX;
	memset(rec.username, 'a', rec.username_len);
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), -ENOSPC);
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(f->store.allocation_own(f->store.ctx, refs[i], &rec), 0);
	assert_int_equal(f->store.move_begin(f->store.ctx, refs[7], &next, &ref), 0);
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(f->store.allocation_own(f->store.ctx, refs[i], &rec), 0);
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), -ENOSPC);
}

static void pools_run_dry_without_a_trace(void **state)
{
	struct fixture *f = *state;
	struct tp_addr peer = fixture_peer(99999);
	struct turn_allocation_record rec = fixture_record(f, 100);
	uint32_t a = fixture_allocate(f, 0), ref, n = 0;
	struct tp_key key;

	for (uint32_t i = 1; i < 40; i++)
		fixture_allocate(f, i);
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), -ENOSPC); // records
	key = tp_key_allocation(&rec.client.remote, rec.client.listener_id);
	assert_int_equal(fixture_find(f, &key), 0);
	assert_int_equal(fixture_port(f, &rec.relay[0].local), 0);

	while (fixture_counts(f).entries_free > 1)
		fixture_permit(f, a, 256 * n++);
	assert_int_equal( // needs two
		f->store.channel_add(f->store.ctx, a, 0x4000, &peer, 1, 1, &ref), -ENOSPC);
	assert_int_equal(fixture_counts(f).entries_free, 1);
	fixture_permit(f, a, 256 * n++);
	assert_int_equal(f->store.permission_add(f->store.ctx, a, &peer, 1, &ref), -ENOSPC);
	assert_int_equal(fixture_counts(f).full, 3);
	f->store.allocation_del(f->store.ctx, a);
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), -ENOSPC);
	fixture_grace(f);
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), 0);
}

static void count(struct fixture *f, uint32_t worker, uint32_t entry, uint64_t n)
{
	struct tp_cell *cell = shm_state_cell(&f->state, worker, entry);

	tp_count(&cell->packets, n);
	tp_count(&cell->octets, 100 * n);
}

static void usage_is_summed_and_closed(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 7), c = fixture_bind(f, a, 0x4000, 0),
		 p = fixture_permit(f, a, 0), peer = fixture_entry(f, c)->partner;
	struct tables_usage u;

	count(f, 0, a, 1);    // Data indications: to the client
	count(f, 0, c, 10);   // to the peer
	count(f, 1, c, 100);  // by another worker
	count(f, 1, peer, 5); // to the client
	count(f, 0, p, 1000); // Send indications
	assert_int_equal(tables_allocation_usage(f->t, a, &u), 0);
	assert_int_equal(u.to_peer_packets, 1110);
	assert_int_equal(u.to_peer_octets, 111000);
	assert_int_equal(u.to_client_packets, 6);
	assert_int_equal(u.to_client_octets, 600);
	assert_int_equal(tables_object_usage(f->t, c, &u), 0);
	assert_int_equal(u.to_peer_packets, 110);
	assert_int_equal(u.to_client_packets, 5);
	assert_int_equal(tables_object_usage(f->t, peer, &u), -ENOENT);

	f->store.channel_del(f->store.ctx, c);
	count(f, 0, c, 2); // a burst that was under way
	fixture_grace(f);
	tables_allocation_usage(f->t, a, &u);
	assert_int_equal(u.to_peer_packets, 1112);
	c = fixture_bind(f, a, 0x4000, 0); // the same slots, from zero
	tables_object_usage(f->t, c, &u);
	assert_int_equal(u.to_peer_packets + u.to_client_packets, 0);
	count(f, 0, c, 3);

	f->store.allocation_del(f->store.ctx, a);
	count(f, 1, a, 4);
	assert_int_equal(f->n_ended, 0);
	fixture_grace(f);
	assert_int_equal(f->n_ended, 1);
	assert_int_equal(f->ended_ref, a);
	assert_int_equal(f->ended.to_peer_packets, 1115);
	assert_int_equal(f->ended.to_client_packets, 10);
	assert_int_equal(f->ended_record.relay[0].local.port_be, tp_htons(49159));
	assert_int_equal(f->ended_record.username_len, 6);
	assert_memory_equal(f->ended_record.username, "user 7", 6);
}

static void bytes_of_data_connections_are_usage(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 7), p = fixture_permit(f, a, 0);
	struct tables_usage u;

	f->store.allocation_octets(f->store.ctx, a, 5000, 300);
	assert_int_equal(tables_allocation_usage(f->t, a, &u), 0);
	assert_true(u.to_peer_octets == 5000 && u.to_client_octets == 300);
	// An edge that begins anew takes nothing away, and a report may come twice.
	f->store.allocation_octets(f->store.ctx, a, 20, 20);
	assert_int_equal(tables_allocation_usage(f->t, a, &u), 0);
	assert_true(u.to_peer_octets == 5000 && u.to_client_octets == 300);
	f->store.allocation_octets(f->store.ctx, a, 5000, 7300);
	f->store.allocation_octets(f->store.ctx, a, 5000, 7300);
	f->store.allocation_octets(f->store.ctx, p, 1, 1);
	f->store.allocation_octets(f->store.ctx, 0, 1, 1);
	assert_int_equal(tables_charge(f->t, a), 12 << 10);
	assert_int_equal(tables_charge(f->t, a), 0);
	f->store.allocation_del(f->store.ctx, a);
	fixture_grace(f);
	assert_int_equal(f->n_ended, 1);
	assert_true(f->ended.to_peer_octets == 5000 && f->ended.to_client_octets == 7300);
}

// Each octet is charged once: in whole KiB, of ended channels too, and the rest after the end.
static void usage_is_charged_once(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 7), c = fixture_bind(f, a, 0x4000, 0);

	count(f, 0, c, 11);
	assert_int_equal(tables_charge(f->t, a), 1024);
	assert_int_equal(tables_charge(f->t, a), 0);
	count(f, 1, a, 30);
	f->store.channel_del(f->store.ctx, c);
	fixture_grace(f);
	assert_int_equal(tables_charge(f->t, a), 3072);
	assert_int_equal(tables_charge(f->t, c), 0);
	count(f, 0, a, 50);
	f->store.allocation_del(f->store.ctx, a);
	fixture_grace(f);
	assert_int_equal(f->n_ended, 1);
	assert_int_equal(f->rest, 9100 - 4096);
}

// Octets from before a budget are left out, however many: differences of charges are of 32 bits.
static void usage_before_a_budget_is_skipped(void **state)
{
	static const uint64_t tib[] = {1, 3, 5, 7};
	struct fixture *f = *state;

	assert_false(tables_is_charging(f->t));
	for (size_t i = 0; i < TP_ARRAY_LEN(tib); i++) {
		uint32_t a = fixture_allocate(f, (uint32_t)i);

		tp_count(&shm_state_cell(&f->state, 0, a)->octets, tib[i] << 40);
		tables_charge_skip(f->t, a);
		assert_int_equal(tables_charge(f->t, a), 0);
		count(f, 0, a, 1024);
		assert_int_equal(tables_charge(f->t, a), 102400);
	}
	tables_charging_set(f->t, true);
	fixture_take_over(f);
	assert_true(tables_is_charging(f->t));
}

// A data plane with fresh counters: nothing that was counted is lost or counted twice.
static void usage_survives_a_new_state(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 7), c = fixture_bind(f, a, 0x4000, 0);
	struct shm_state old;
	struct tables_usage u;

	count(f, 0, c, 10);
	old = f->state;
	fixture_state_make(f, 1);
	shm_state_close(&old);
	tables_allocation_usage(f->t, a, &u);
	assert_int_equal(u.to_peer_packets, 10);
	count(f, 0, c, 5);
	tables_allocation_usage(f->t, a, &u);
	assert_int_equal(u.to_peer_packets, 15);
	tables_attach_state(f->t, NULL);
	count(f, 0, c, 7); // nobody looks
	tables_allocation_usage(f->t, a, &u);
	assert_int_equal(u.to_peer_packets, 15);
	tables_attach_state(f->t, &f->state);
	tables_allocation_usage(f->t, a, &u);
	assert_int_equal(u.to_peer_packets, 22);
	atomic_store(&shm_state_cell(&f->state, 0, c)->packets, 0); // it went mad
	tables_allocation_usage(f->t, a, &u);
	assert_int_equal(u.to_peer_packets, 15);
	f->store.channel_del(f->store.ctx, c);
	fixture_grace(f);
	tables_allocation_usage(f->t, a, &u);
	assert_int_equal(u.to_peer_packets, 15);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(allocation_is_found_both_ways),
		TEST(dual_allocation_has_two_ports),
		TEST(bad_allocations_are_refused),
		TEST(channel_has_two_entries),
		TEST(permission_is_by_address),
		TEST(own_addresses_are_hairpins),
		TEST(permissions_name_their_realm),
		TEST(deleting_takes_everything_along),
		TEST(full_tables_take_new_owners),
		TEST(pools_run_dry_without_a_trace),
		TEST(usage_is_summed_and_closed),
		TEST(bytes_of_data_connections_are_usage),
		TEST(usage_is_charged_once),
		TEST(usage_before_a_budget_is_skipped),
		TEST(usage_survives_a_new_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
