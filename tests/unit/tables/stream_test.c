// SPDX-License-Identifier: BSD-3-Clause
// Clients that came by a connection of the edge: entries that name it, before and after another
// writer takes over.
#include "recovery.h"

#include "private.h"

#define STREAM 4u

static const uint64_t connection = 0x0000000782000009; // thread 2, slot 9, generation 7

// The fifth local: TLS on the UDP listener's own address and port.
static void stream_listener_add(struct fixture *f)
{
	f->locals[STREAM] = f->locals[LISTENER];
	f->locals[STREAM].transport = TP_TRANSPORT_TLS;
	f->n_locals = 5;
	fixture_configure(f);
}

static struct turn_allocation_record stream_record(struct fixture *f)
{
	struct turn_allocation_record rec = fixture_record(f, 0);

	rec.client.listener_id = f->locals[STREAM].id;
	rec.client_transport = TP_TRANSPORT_TLS;
	rec.connection = connection;
	return rec;
}

static uint32_t stream_allocate(struct fixture *f)
{
	struct turn_allocation_record rec = stream_record(f);
	uint32_t ref = 0;

	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), 0);
	return ref;
}

static struct tables_next_hop only_hop(const struct fixture *f)
{
	struct tables_next_hop hop = {.slot = 0};
	uint32_t cursor = 0;

	assert_true(tables_next_hop_next(f->t, &cursor, &hop));
	assert_false(tables_next_hop_next(f->t, &cursor, &(struct tables_next_hop){.slot = 0}));
	return hop;
}

static void entries_name_the_connection(void **state)
{
	struct fixture *f = ((struct world *)*state)->f;
	uint32_t a, p, c;
	const struct tp_entry *e;

	stream_listener_add(f);
	assert_int_not_equal(f->locals[STREAM].id, f->locals[LISTENER].id);
	a = stream_allocate(f);
	p = fixture_permit(f, a, 0);
	c = fixture_bind(f, a, 0x4501, 0);
	e = fixture_entry(f, a);
	assert_int_equal(e->egress, tp_egress_stream(2, 9));
	assert_int_equal(e->stream.connection, connection);
	e = fixture_entry(f, fixture_entry(f, c)->partner);
	assert_int_equal(e->egress, tp_egress_stream(2, 9));
	assert_int_equal(e->stream.connection, connection);
	assert_int_equal(tp_load_be16(e->stream.channel_header), 0x4501);
	// Towards the peer they leave as those of any client: two references.
	assert_int_equal(fixture_entry(f, c)->header[0], 0x45);
	assert_int_equal(fixture_entry(f, c)->egress, only_hop(f).slot);
	assert_int_equal(fixture_entry(f, p)->egress, only_hop(f).slot);
	assert_int_equal(only_hop(f).references, 2);
	// Routes come and go; the connection stays.
	f->ifindex = 0;
	tables_routes_changed(f->t);
	while (tables_deadline(f->t, f->now_ns) <= f->now_ns)
		fixture_grace(f);
	assert_int_equal(fixture_entry(f, a)->egress, tp_egress_stream(2, 9));
	assert_int_equal(fixture_entry(f, c)->egress, 0);
	f->store.allocation_del(f->store.ctx, a);
	fixture_grace(f);
	assert_int_equal(fixture_counts(f).next_hops_used, 0);
}

static void a_handle_belongs_to_a_stream_listener(void **state)
{
	struct fixture *f = ((struct world *)*state)->f;
	struct turn_allocation_record rec;
	uint32_t ref;

	stream_listener_add(f);
	rec = stream_record(f);
	rec.connection = 0;
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), -EINVAL);
	rec.connection = 9;
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), -EINVAL);
	rec = fixture_record(f, 0);
	rec.connection = connection;
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), -EINVAL);
	assert_int_equal(fixture_counts(f).entries_free, fixture_counts(f).entries);
}

static void comes_back(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	struct turn_allocation_record want;
	uint32_t a, c;

	stream_listener_add(f);
	a = stream_allocate(f);
	fixture_permit(f, a, 0);
	c = fixture_bind(f, a, 0x4001, 0);
	want = stream_record(f);
	tables_shm(f->t)->entries[a].egress = 77;
	recover(w);
	assert_int_equal(w->result.removed, 0);
	assert_int_equal(w->result.rebuilt, 0);
	assert_memory_equal(&w->seen.records[0], &want, sizeof(want));
	assert_int_equal(fixture_entry(f, a)->egress, tp_egress_stream(2, 9));
	assert_int_equal(fixture_entry(f, c)->egress, only_hop(f).slot);
	assert_int_equal(only_hop(f).references, 2);
	recover_settled(w, 1, 1, 1);
}

// To the packet path the permission is over; its time is kept beside it.
static void permission_of_tcp_is_for_no_datagram(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	struct turn_allocation_record rec;
	uint32_t ref = 0, p;

	stream_listener_add(f);
	rec = stream_record(f);
	rec.relayed_transport = TP_TRANSPORT_TCP;
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), 0);
	p = fixture_permit(f, ref, 0);
	assert_int_equal(fixture_entry(f, p)->expires_s, 0);
	assert_int_not_equal(fixture_entry(f, p)->other_expires_s, 0);
	f->store.permission_refresh(f->store.ctx, p, 777);
	assert_int_equal(fixture_entry(f, p)->expires_s, 0);
	assert_int_equal(fixture_entry(f, p)->other_expires_s, 777);
	f->store.permission_refresh(f->store.ctx, p, 1300);
	recover(w);
	assert_int_equal(w->result.removed, 0);
	assert_int_equal(fixture_entry(f, p)->other_expires_s, 1300);
}

static void a_listener_of_another_transport_ends_it(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;

	stream_listener_add(f);
	stream_allocate(f);
	f->locals[STREAM].transport = TP_TRANSPORT_TCP;
	recover(w);
	assert_int_equal(w->result.allocations, 0);
	recover_settled(w, 0, 0, 0);
}

// Fields that the tables only keep.
static void every_field_of_a_record_comes_back(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	struct turn_allocation_record rec = fixture_record(f, 0), other = fixture_record(f, 1);
	uint32_t ref;

	rec.key_algorithm = 2;
	rec.client_transport = TP_TRANSPORT_UDP;
	rec.relayed_transport = TP_TRANSPORT_UDP;
	rec.flags = TURN_RECORD_DONT_FRAGMENT | TURN_RECORD_MOBILE;
	rec.identity_kind = 3;
	rec.realm_id = 0x1234;
	rec.secret_id = 0x12345678;
	rec.ticket_id = 0x123456789abcdef0;
	rec.credential_expires_s = 0x1fedcba98;
	rec.username_len = RECORD_NAME_INLINE;
	memset(rec.username, 'u', RECORD_NAME_INLINE);
	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), 0);
	assert_int_equal(f->store.allocation_add(f->store.ctx, &other, &ref), 0);
	recover(w);
	assert_int_equal(w->seen.n_allocations, 2);
	assert_memory_equal(&w->seen.records[0], &rec, sizeof(rec));
	assert_memory_equal(&w->seen.records[1], &other, sizeof(other));
	assert_int_equal(fixture_entry(f, 1)->leg_flags, TP_LEG_DONT_FRAGMENT);
	assert_int_equal(fixture_entry(f, 2)->leg_flags, 0);
}

// Words that change in place stay where they are, within their bounds.
static void path_mtu_stays_and_a_limit_is_clamped(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a = fixture_allocate(f, 0), c = fixture_bind(f, a, 0x4000, 0);

	tables_shm(f->t)->entries[a].path_mtu = 1280;
	tables_shm(f->t)->entries[c].path_mtu = 1400;
	tables_shm(f->t)->entries[c].limit = 1;
	tables_shm(f->t)->entries[c].flags |= TP_ENTRY_LIMITED;
	recover(w);
	assert_int_equal(w->result.rebuilt, 0);
	assert_int_equal(fixture_entry(f, a)->path_mtu, 1280);
	assert_int_equal(fixture_entry(f, c)->path_mtu, 1400);
	assert_int_equal(fixture_entry(f, c)->limit, 0);
	assert_int_equal(fixture_entry(f, c)->flags, 0);
	assert_int_equal(w->seen.client_mtu, 1280);
	assert_int_equal(w->seen.peer_mtu, 1400);
}

// A leg's path MTU stands in each entry that packets of the leg are built from.
static void path_mtu_of_a_leg(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a = fixture_allocate(f, 0), p = fixture_permit(f, a, 0);
	uint32_t c = fixture_bind(f, a, 0x4000, 0), other = fixture_bind(f, a, 0x4001, 256);
	uint32_t stranger = fixture_allocate(f, 1);
	struct tp_addr peer = fixture_peer(0);

	f->store.path_mtu(f->store.ctx, a, NULL, 1280);
	f->store.path_mtu(f->store.ctx, a, &peer, 1400);
	f->store.path_mtu(f->store.ctx, c, &peer, 1300); // no allocation
	assert_int_equal(fixture_entry(f, a)->path_mtu, 1280);
	assert_int_equal(fixture_entry(f, fixture_entry(f, c)->partner)->path_mtu, 1280);
	assert_int_equal(fixture_entry(f, fixture_entry(f, other)->partner)->path_mtu, 1280);
	assert_int_equal(fixture_entry(f, p)->path_mtu, 1400);
	assert_int_equal(fixture_entry(f, c)->path_mtu, 1400);
	assert_int_equal(fixture_entry(f, other)->path_mtu, 0);
	assert_int_equal(fixture_entry(f, stranger)->path_mtu, 0);
	f->store.path_mtu(f->store.ctx, a, &peer, 0);
	assert_int_equal(fixture_entry(f, p)->path_mtu, 0);
	assert_int_equal(fixture_entry(f, c)->path_mtu, 0);
	f->store.path_mtu_least(f->store.ctx, 1280);
	assert_int_equal(tables_shm(f->t)->entries[0].path_mtu, 1280);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, recovery_setup, recovery_teardown)
	const struct CMUnitTest tests[] = {
		TEST(entries_name_the_connection),
		TEST(a_handle_belongs_to_a_stream_listener),
		TEST(comes_back),
		TEST(permission_of_tcp_is_for_no_datagram),
		TEST(a_listener_of_another_transport_ends_it),
		TEST(every_field_of_a_record_comes_back),
		TEST(path_mtu_stays_and_a_limit_is_clamped),
		TEST(path_mtu_of_a_leg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
