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
	assert_memory_equal(path.nonce_key, tables_secrets(f->t)->nonce_key, 16);
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

// Packets of channels that were bound under a higher limit go on.
static void channel_limit_is_never_lowered(void **state)
{
	struct fixture *f = *state;
	const uint16_t limits[] = {0x4fff, 0x7fff, 0x4fff};
	const uint16_t wanted[] = {0x4fff, 0x7fff, 0x7fff};
	struct tp_local *locals = calloc(TP_LOCALS_MAX, sizeof(*locals));
	struct tp_path_config path;

	for (unsigned i = 0; i < TP_ARRAY_LEN(limits); i++) {
		f->path.channel_max = limits[i];
		assert_int_equal(tables_configure(f->t, f->locals, 4, &f->path, &f->err), 0);
		assert_true(shm_tables_config(tables_shm(f->t), &path, locals) >= 0);
		assert_int_equal(path.channel_max, wanted[i]);
	}
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

	memcpy(more, f->locals, sizeof(more));
	for (unsigned i = 4; i < 6; i++) {
		more[i] = f->locals[RELAY_V4];
		more[i].addr = tp_addr_ipv4(0x0a4d0001 + i, 0);
	}
	assert_int_equal(tables_configure(f->t, more, 6, &f->path, &f->err), -ENOSPC);
	assert_int_equal(f->err.cause, SHM_NO_SPACE);
	assert_int_equal(atomic_load(&tables_shm(f->t)->header->config_seq), seq);
	assert_int_equal(tables_configure(f->t, more, 5, &f->path, &f->err), 0);
}

// ---- one by one -------------------------------------------------------------------------------

static void one_is_added_and_removed(void **state)
{
	struct fixture *f = *state;
	struct tables_local more = f->locals[RELAY_V4];
	struct tp_local others[TP_LOCALS_MAX];
	uint32_t a = fixture_allocate(f, 0);
	uint32_t seq = atomic_load(&tables_shm(f->t)->header->config_seq);
	const struct tp_local *l;

	memcpy(others, tables_shm(f->t)->locals, sizeof(others));
	more.addr = tp_addr_ipv4(0x0a4d0009, 0);
	assert_int_equal(tables_local_add(f->t, &more, &f->err), 0);
	l = &tables_shm(f->t)->locals[more.id];
	assert_int_equal(l->role, TP_ROLE_RELAY);
	assert_int_equal(atomic_load(&tables_shm(f->t)->header->config_seq), seq + 2);
	assert_int_equal(tables_local_remove(f->t, more.id), 0);
	assert_int_equal(l->role, TP_ROLE_RETIRED);
	assert_int_equal(tables_local_remove(f->t, more.id), -ENOENT);
	assert_int_equal(tables_local_remove(f->t, 0), -ENOENT);
	assert_int_equal(tables_local_remove(f->t, TP_LOCALS_MAX), -ENOENT);
	fixture_grace(f);
	assert_int_equal(l->role, TP_ROLE_FREE);
	for (unsigned id = 1; id < TP_LOCALS_MAX; id++)
		if (id != more.id)
			assert_memory_equal(
				&tables_shm(f->t)->locals[id], &others[id], sizeof(others[id]));
	assert_int_equal(fixture_port(f, &f->locals[RELAY_V4].addr), 0);
	assert_int_not_equal(fixture_entry(f, a)->expires_s, 0);
}

static void one_that_is_there_changes(void **state)
{
	struct fixture *f = *state;
	struct tables_local l = f->locals[LISTENER];

	l.realm_id = 7;
	l.flags = TP_LOCAL_DRAINING;
	assert_int_equal(tables_local_add(f->t, &l, &f->err), 0);
	assert_int_equal(l.id, f->locals[LISTENER].id);
	assert_int_equal(tables_shm(f->t)->locals[l.id].realm_id, 7);
	assert_int_equal(tables_shm(f->t)->locals[l.id].flags, TP_LOCAL_DRAINING);
	assert_int_equal(tables_shm(f->t)->locals[l.id].generation, 1);
}

static void a_dtls_listener_is_named_by_its_udp_twin(void **state)
{
	struct fixture *f = *state;
	struct tables_local l = f->locals[LISTENER];
	const struct tp_local *udp = &tables_shm(f->t)->locals[f->locals[LISTENER].id];

	l.transport = TP_TRANSPORT_DTLS;
	assert_int_equal(tables_local_add(f->t, &l, &f->err), 0);
	assert_int_not_equal(l.id, f->locals[LISTENER].id);
	assert_int_equal(udp->dtls_id, l.id);
	assert_int_equal(tables_shm(f->t)->locals[f->locals[LISTENER6].id].dtls_id, 0);
	assert_int_equal(tables_local_remove(f->t, l.id), 0);
	assert_int_equal(udp->dtls_id, 0);
}

// All users of an id are found, in portions.
static void users_are_found(void **state)
{
	struct fixture *f = *state;
	uint16_t id = f->locals[RELAY_V4].id;
	uint32_t refs[20], cursor = 0, n = 0, calls = 0;

	for (uint32_t i = 0; i < 20; i++)
		refs[i] = fixture_allocate(f, i);
	assert_int_equal(tables_local_user(f->t, f->locals[RELAY_V6].id, &cursor, 1000), 0);
	assert_int_equal(cursor, 0);
	assert_int_equal(tables_local_remove(f->t, id), 0);
	do {
		uint32_t ref = tables_local_user(f->t, id, &cursor, 3);

		calls++;
		if (ref == 0)
			continue;
		assert_int_equal(ref, refs[n++]);
		f->store.allocation_del(f->store.ctx, ref);
	} while (cursor != 0);
	assert_int_equal(n, 20);
	assert_true(calls >= 20); // ends with the last user
	fixture_grace(f);
	assert_int_equal(tables_shm(f->t)->locals[id].role, TP_ROLE_FREE);
}

// An entry whose peer is the removed address names its id: the next owner of the id must not get
// its packets.
static void a_hairpin_entry_keeps_the_id_of_its_peer(void **state)
{
	struct fixture *f = *state;
	struct tables_local more = f->locals[RELAY_V4];
	uint32_t a = fixture_allocate(f, 0), c = 0;
	const struct tp_local *l;
	struct tp_addr peer;

	more.addr = tp_addr_ipv4(0x0a4d0009, 0);
	more.external = more.addr;
	assert_int_equal(tables_local_add(f->t, &more, &f->err), 0);
	peer = more.addr;
	peer.port_be = tp_htons(50000);
	assert_int_equal(f->store.channel_add(f->store.ctx, a, 0x4000, &peer, 1600, 1300, &c), 0);
	assert_int_equal(fixture_entry(f, c)->hairpin_relay_id, more.id);
	assert_int_equal(tables_local_remove(f->t, more.id), 0);
	l = &tables_shm(f->t)->locals[more.id];
	fixture_grace(f);
	fixture_grace(f);
	assert_int_equal(l->role, TP_ROLE_RETIRED);
	f->store.channel_del(f->store.ctx, c);
	fixture_grace(f);
	assert_int_equal(l->role, TP_ROLE_FREE);
}

static unsigned n_cooldowns;

static void cooldown_count(void *ctx, uint16_t relay_id, uint16_t port, uint16_t until_s)
{
	(void)ctx;
	(void)relay_id;
	(void)port;
	(void)until_s;
	n_cooldowns++;
}

static unsigned cooldowns_told(struct fixture *f)
{
	const struct tables_visitor v = {.port_cooldown = cooldown_count};
	struct tables_recovery result;

	n_cooldowns = 0;
	fixture_take_over(f);
	assert_int_equal(tables_recover(f->t, &v, &result), 0);
	return n_cooldowns;
}

static void the_next_relay_inherits_no_cooldown(void **state)
{
	struct fixture *f = *state;
	uint16_t id = f->locals[RELAY_V4].id;

	f->store.port_cooldown(f->store.ctx, id, 50000, 1060);
	assert_int_equal(cooldowns_told(f), 1);
	assert_int_equal(tables_local_remove(f->t, id), 0);
	fixture_grace(f);
	f->locals[RELAY_V4].addr = tp_addr_ipv4(0x0a4d0009, 0);
	assert_int_equal(tables_local_add(f->t, &f->locals[RELAY_V4], &f->err), 0);
	assert_int_equal(f->locals[RELAY_V4].id, id);
	assert_int_equal(tables_shm(f->t)->locals[id].generation, 2);
	assert_int_equal(cooldowns_told(f), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(ids_are_in_the_segment),
		TEST(channel_limit_is_never_lowered),
		TEST(another_order_keeps_ids),
		TEST(removed_ids_rest),
		TEST(used_ids_rest_until_nothing_refers_to_them),
		TEST(an_id_that_came_back_stays),
		TEST(too_many_are_refused_as_a_whole),
		TEST(one_is_added_and_removed),
		TEST(one_that_is_there_changes),
		TEST(a_dtls_listener_is_named_by_its_udp_twin),
		TEST(users_are_found),
		TEST(a_hairpin_entry_keeps_the_id_of_its_peer),
		TEST(the_next_relay_inherits_no_cooldown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
