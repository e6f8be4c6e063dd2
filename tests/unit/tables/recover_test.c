// SPDX-License-Identifier: BSD-3-Clause
// A new writer after one that died, at a quiet moment and half-way through each operation. Damage
// is the business of damage_test.c; the remains of a kill at a random instruction, that of
// tests/model/stress.
#include "recovery.h"

#include "private.h"

static void record_state_set(struct world *w, uint32_t allocation, uint32_t state)
{
	struct fixture *f = w->f;
	struct private_file p;
	uint32_t record = fixture_entry(f, allocation)->partner;

	assert_int_equal(tables_private_open(&p, &f->place, tables_shm(f->t), &f->err), 0);
	atomic_store(&p.records[record].state, state);
	tables_private_close(&p);
}

static void everything_comes_back(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t refs[20];

	for (uint32_t i = 0; i < 20; i++) {
		refs[i] = fixture_allocate(f, i);
		fixture_permit(f, refs[i], i);
		fixture_bind(f, refs[i], 0x4000, i);
		fixture_bind(f, refs[i], 0x4001, 100 + i);
	}
	recover(w);
	assert_int_equal(w->result.removed, 0);
	assert_int_equal(w->seen.n_permissions, 20);
	assert_int_equal(w->seen.n_channels, 40);
	assert_int_equal(w->seen.n_allocations, 20);
	for (unsigned k = 0; k < 20; k++) {
		struct turn_allocation_record want = fixture_record(f, 0);
		uint32_t i;

		for (i = 0; i < 20 && refs[i] != w->seen.refs[k]; i++)
			;
		assert_int_not_equal(i, 20);
		want = fixture_record(f, i);
		assert_memory_equal(&w->seen.records[k], &want, sizeof(want));
	}
	recover_settled(w, 20, 20, 40);
	// And goes on as before.
	assert_int_equal(fixture_entry(f, refs[3])->expires_s, 1600);
	f->store.allocation_refresh(f->store.ctx, refs[3], 0, 1999);
	assert_int_equal(fixture_entry(f, refs[3])->expires_s, 1999);
	for (uint32_t i = 0; i < 20; i++)
		f->store.allocation_del(f->store.ctx, refs[i]);
	recover_settled(w, 0, 0, 0);
}

// The key of an allocation that passed to another user, with names of every length.
static void another_user_comes_back(void **state)
{
	static const uint16_t lengths[] = {5, TURN_USERNAME_MAX, 200, TURN_USERNAME_MAX, 1};
	struct world *w = *state;
	struct fixture *f = w->f;
	struct turn_allocation_record rec = fixture_record(f, 1), none;
	uint32_t ref;

	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), 0);
	fixture_permit(f, ref, 100);
	for (size_t i = 0; i < TP_ARRAY_LEN(lengths); i++) {
		rec.username_len = lengths[i];
		memset(rec.username, 0, sizeof(rec.username));
		memset(rec.username, 'a' + (int)i, rec.username_len);
		memset(rec.key, (int)i, rec.key_len);
		rec.secret_id = 77 + (uint32_t)i;
		rec.credential_expires_s = 1000 + i;
		assert_int_equal(f->store.allocation_own(f->store.ctx, ref, &rec), 0);
		recover(w);
		assert_int_equal(w->result.removed, 0);
		assert_int_equal(w->seen.n_allocations, 1);
		assert_int_equal(w->seen.refs[0], ref);
		assert_memory_equal(&w->seen.records[0], &rec, sizeof(rec));
		recover_settled(w, 1, 1, 0);
	}
	none = rec;
	none.username_len = TURN_USERNAME_MAX + 1;
	assert_int_equal(f->store.allocation_own(f->store.ctx, ref, &none), -EINVAL);
	assert_int_equal(f->store.allocation_own(f->store.ctx, ref + 1, &rec), -EINVAL);
	f->store.allocation_del(f->store.ctx, ref);
	recover_settled(w, 0, 0, 0);
}

static void dual_and_long_names_come_back(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	struct turn_allocation_record rec = fixture_record(f, 1);
	uint32_t ref, more;

	rec.relay[1].local = f->locals[RELAY_V6].addr;
	rec.relay[1].local.port_be = tp_htons(50001);
	rec.relay[1].advertised = rec.relay[1].local;
	rec.relay[1].relay_id = f->locals[RELAY_V6].id;
	rec.relay[1].expires_s = 1700;
	rec.username_len = TURN_USERNAME_MAX;
	memset(rec.username, 'n', TURN_USERNAME_MAX);
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), 0);
	recover(w);
	assert_memory_equal(&w->seen.records[0], &rec, sizeof(rec));
	// The block is not handed out twice.
	rec = fixture_record(f, 2);
	rec.username_len = 300;
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &more), 0);
	recover(w);
	assert_int_equal(w->seen.records[0].username_len + w->seen.records[1].username_len,
		TURN_USERNAME_MAX + 300);
	f->store.allocation_del(f->store.ctx, ref);
	recover_settled(w, 1, 0, 0);
}

static void half_a_channel_goes(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a = fixture_allocate(f, 0), c = fixture_bind(f, a, 0x4000, 0),
		 d = fixture_bind(f, a, 0x4001, 1);
	struct tp_addr peer = fixture_peer(0);
	struct tp_key key = tp_key_peer(
		&peer, f->locals[RELAY_V4].id, fixture_record(f, 0).relay[0].local.port_be);

	index_clear(f, c, 0);				 // torn down by half, or made by half
	index_clear(f, fixture_entry(f, d)->partner, 0); // no order leaves this
	recover(w);
	assert_int_equal(w->result.removed, 2);
	assert_int_equal(w->result.channels, 0);
	assert_int_equal(fixture_find(f, &key), 0);
	recover_settled(w, 1, 0, 0);
}

static void a_half_made_allocation_goes(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a = fixture_allocate(f, 0), b = fixture_allocate(f, 1);

	record_state_set(w, a, RECORD_FREE);
	recover(w);
	assert_int_equal(w->result.removed, 1);
	assert_int_equal(w->result.allocations, 1);
	assert_int_equal(w->seen.refs[0], b);
	assert_int_equal(
		fixture_port(f, &(struct tp_addr){.family = 1, .port_be = tp_htons(49152)}), 0);
	recover_settled(w, 1, 0, 0);
}

static void a_tear_down_is_finished(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a = fixture_allocate(f, 0);

	fixture_permit(f, a, 0);
	fixture_bind(f, a, 0x4000, 0);
	record_state_set(w, a, RECORD_CLOSING);
	recover(w);
	assert_int_equal(w->result.removed, 4);
	assert_int_equal(w->seen.n_allocations, 0);
	assert_int_equal(f->n_ended, 0);
	fixture_grace(f);
	assert_int_equal(f->n_ended, 1);
	assert_int_equal(f->ended_ref, a);
	assert_memory_equal(f->ended_record.username, "user 0", 6);
	recover_settled(w, 0, 0, 0);
	assert_int_equal(f->n_ended, 1);
}

static void an_end_is_told_after_a_restart(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a = fixture_allocate(f, 0);

	tp_count(&shm_state_cell(&f->state, 0, a)->packets, 3);
	f->store.allocation_del(f->store.ctx, a);
	tp_count(&shm_state_cell(&f->state, 0, a)->packets, 2);
	recover(w);
	fixture_allocate(f, 1);
	fixture_grace(f);
	assert_int_equal(f->n_ended, 1);
	assert_int_equal(f->ended.to_client_packets, 5);
	recover_settled(w, 1, 0, 0);
	assert_int_equal(f->n_ended, 1);
}

static void objects_of_a_gone_allocation_go(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a = fixture_allocate(f, 0);

	fixture_permit(f, a, 0);
	fixture_bind(f, a, 0x4000, 0);
	index_clear(f, a, 0);
	recover(w);
	assert_int_equal(w->result.removed, 3);
	recover_settled(w, 0, 0, 0);
}

static void ports_are_put_right(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a = fixture_allocate(f, 0), b = fixture_allocate(f, 1);
	const struct shm_tables *s = tables_shm(f->t);
	uint16_t index = s->locals[f->locals[RELAY_V4].id].port_index;

	atomic_store(shm_tables_port(s, index, 49152), 0);
	atomic_store(shm_tables_port(s, index, 60000), a);
	atomic_store(shm_tables_port(s, index, 60001), 0xffffffff);
	atomic_store(shm_tables_port(s, 1 - index, 49153), b);
	recover(w);
	s = tables_shm(f->t);
	assert_int_equal(atomic_load(shm_tables_port(s, index, 49152)), a);
	assert_int_equal(atomic_load(shm_tables_port(s, index, 49153)), b);
	assert_int_equal(atomic_load(shm_tables_port(s, index, 60000)), 0);
	assert_int_equal(atomic_load(shm_tables_port(s, index, 60001)), 0);
	assert_int_equal(atomic_load(shm_tables_port(s, 1 - index, 49153)), 0);
	recover_settled(w, 2, 0, 0);
}

static void unreferenced_slots_rest(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a = fixture_allocate(f, 0), b = fixture_allocate(f, 1);

	index_clear(f, a, 0); // unpublished, a reader may still look
	recover(w);
	assert_int_equal(w->result.retired, 1);
	for (uint32_t i = 2; i < 20; i++)
		assert_int_not_equal(fixture_allocate(f, i), a);
	fixture_grace(f);
	assert_int_equal(fixture_allocate(f, 20), a);
	assert_int_not_equal(a, b);
}

static void half_written_configuration_is_finished(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	struct tp_local *locals = calloc(TP_LOCALS_MAX, sizeof(*locals));
	struct tp_path_config path;

	atomic_store(&tables_shm(f->t)->header->config_seq, 77);
	tables_shm(f->t)->header->path.relay_port_max = 1;
	assert_int_equal(shm_tables_config(tables_shm(f->t), &path, locals), -EAGAIN);
	recover(w);
	assert_int_equal(shm_tables_config(tables_shm(f->t), &path, locals), 78);
	assert_int_equal(path.relay_port_max, 65535);
	free(locals);
}

static void addresses_that_left_take_their_entries(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a = fixture_allocate(f, 0);
	struct tables_local relay = f->locals[RELAY_V4];

	fixture_permit(f, a, 0);
	fixture_bind(f, a, 0x4000, 0);
	f->locals[RELAY_V4].addr = tp_addr_ipv4(0x0a4d0009, 0);
	recover(w);
	assert_int_equal(w->result.removed, 4);
	assert_int_equal(w->result.allocations, 0);
	assert_int_not_equal(f->locals[RELAY_V4].id, relay.id);
	assert_int_equal(tables_shm(f->t)->locals[relay.id].role, TP_ROLE_RETIRED);
	fixture_grace(f);
	assert_int_equal(tables_shm(f->t)->locals[relay.id].role, TP_ROLE_FREE);
}

static void a_new_external_address_makes_hairpins(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a = fixture_allocate(f, 0), ref, was = 0;
	struct tp_addr peer = tp_addr_ipv4(0xcb007102, 50000); // 203.0.113.2, a stranger so far
	struct tp_key ckey = fixture_entry(f, a)->key, pkey = tp_key_permission(&peer, a);
	const struct tp_entry *c, *p;

	assert_int_equal(f->store.channel_add(f->store.ctx, a, 0x4000, &peer, 1600, 1300, &was), 0);
	assert_int_equal(f->store.permission_add(f->store.ctx, a, &peer, 1300, &ref), 0);
	fixture_bind(f, a, 0x4001, 1);
	assert_int_equal(fixture_entry(f, was)->flags, 0);
	tp_count(&shm_state_cell(&f->state, 0, was)->packets, 9);
	f->locals[RELAY_V6].external = addr6(9, 9, 0);
	f->locals[RELAY_V4].external = peer;
	f->locals[RELAY_V4].external.port_be = 0;
	recover(w);
	assert_int_equal(w->result.rebuilt, 2);
	assert_int_equal(w->result.removed, 0);
	assert_int_equal(w->seen.n_channels, 2);
	ckey.kind = TP_KIND_CHANNEL;
	ckey.selector = 0x4000;
	assert_int_not_equal(fixture_find(f, &ckey), was);
	c = fixture_entry(f, fixture_find(f, &ckey));
	p = fixture_entry(f, fixture_find(f, &pkey));
	assert_int_equal(c->flags, TP_ENTRY_HAIRPIN);
	assert_int_equal(p->flags, TP_ENTRY_HAIRPIN);
	assert_int_equal(c->hairpin_relay_id, f->locals[RELAY_V4].id);
	assert_int_equal(c->egress, 0);
	assert_int_equal(fixture_entry(f, c->partner)->partner, fixture_find(f, &ckey));
	assert_int_equal(fixture_entry(f, was)->flags, 0); // the old slot rests untouched
	recover_settled(w, 1, 1, 2);
	{
		struct tables_usage u;

		assert_int_equal(tables_allocation_usage(f->t, a, &u), 0);
		assert_int_equal(u.to_peer_packets, 9);
	}
}

static void bytes_of_data_connections_stay(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a = fixture_allocate(f, 0);
	struct tables_usage u;

	f->store.allocation_octets(f->store.ctx, a, 5000, 300);
	assert_int_equal(tables_charge(f->t, a), 5 << 10);
	recover(w);
	assert_int_equal(tables_allocation_usage(f->t, a, &u), 0);
	assert_true(u.to_peer_octets == 5000 && u.to_client_octets == 300);
	assert_int_equal(tables_charge(f->t, a), 0);
}

static void the_server_may_refuse(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a = fixture_allocate(f, 0), b = fixture_allocate(f, 1);

	fixture_permit(f, a, 0);
	fixture_bind(f, a, 0x4000, 0);
	fixture_permit(f, b, 0);
	w->seen.refuse_permission = fixture_permit(f, b, 256);
	w->seen.refuse_channel = fixture_bind(f, b, 0x4000, 1);
	fixture_bind(f, b, 0x4001, 2);
	w->seen.refuse_allocation = a;
	recover(w);
	assert_int_equal(w->result.allocations, 1);
	assert_int_equal(w->result.permissions, 1);
	assert_int_equal(w->result.channels, 1);
	w->seen.refuse_allocation = w->seen.refuse_permission = w->seen.refuse_channel = 0;
	recover_settled(w, 1, 1, 1);
}

static void next_hops_stay(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a, b, slot;

	f->mac_word = TP_NEXT_HOP_VALID | 3;
	a = fixture_allocate(f, 0);
	slot = fixture_entry(f, a)->egress;
	f->mac_word = 0;
	f->routes_known = false;
	recover(w); // the mirror is not there yet: working hops go on
	assert_int_equal(fixture_entry(f, a)->egress, slot);
	assert_int_equal(atomic_load(&tables_shm(f->t)->next_hops[slot]), TP_NEXT_HOP_VALID | 3);
	f->routes_known = true;
	b = fixture_allocate(f, 1);
	assert_int_equal(fixture_entry(f, b)->egress, slot);
	f->ifindex = 9;
	recover(w);
	assert_int_not_equal(fixture_entry(f, a)->egress, slot);
	assert_int_equal(fixture_counts(f).next_hops_used, 1);
	fixture_grace(f);
	assert_int_equal(atomic_load(&tables_shm(f->t)->next_hops[slot]), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, recovery_setup, recovery_teardown)
	const struct CMUnitTest tests[] = {
		TEST(everything_comes_back),
		TEST(another_user_comes_back),
		TEST(dual_and_long_names_come_back),
		TEST(half_a_channel_goes),
		TEST(a_half_made_allocation_goes),
		TEST(a_tear_down_is_finished),
		TEST(an_end_is_told_after_a_restart),
		TEST(objects_of_a_gone_allocation_go),
		TEST(ports_are_put_right),
		TEST(unreferenced_slots_rest),
		TEST(half_written_configuration_is_finished),
		TEST(addresses_that_left_take_their_entries),
		TEST(a_new_external_address_makes_hairpins),
		TEST(bytes_of_data_connections_stay),
		TEST(the_server_may_refuse),
		TEST(next_hops_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
