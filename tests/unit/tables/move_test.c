// SPDX-License-Identifier: BSD-3-Clause
// An allocation that moves to another 5-tuple: entries of both, before and after, and over a new
// writer.
#include "recovery.h"

#include "tables.h"

struct moving {
	struct world *w;
	struct fixture *f;
	uint32_t a, p, c; // of the first 5-tuple
	uint32_t successor;
	struct turn_tuple next;
};

static struct turn_tuple next_tuple(struct fixture *f)
{
	return (struct turn_tuple){
		.remote = tp_addr_ipv4(0x0a4d0305, 777), .listener_id = f->locals[LISTENER].id};
}

static void moving_start(struct moving *m, struct world *w)
{
	*m = (struct moving){.w = w, .f = w->f, .next = next_tuple(w->f)};
	m->a = fixture_allocate(m->f, 0);
	m->p = fixture_permit(m->f, m->a, 1);
	m->c = fixture_bind(m->f, m->a, 0x4001, 1);
	assert_int_equal(m->f->store.move_begin(m->f->store.ctx, m->a, &m->next, &m->successor), 0);
	assert_int_not_equal(m->successor, 0);
}

static const struct tp_entry *found(const struct moving *m, struct tp_key key)
{
	uint32_t i = fixture_find(m->f, &key);

	return i != 0 ? fixture_entry(m->f, i) : NULL;
}

static struct tp_addr peer_ip(uint32_t n)
{
	struct tp_addr peer = fixture_peer(n);

	peer.port_be = 0;
	return peer;
}

static const struct tp_entry *peer_entry(const struct moving *m)
{
	struct turn_allocation_record rec = fixture_record(m->f, 0);
	struct tp_addr peer = fixture_peer(1);

	return found(m, tp_key_peer(&peer, rec.relay[0].relay_id, rec.relay[0].local.port_be));
}

static uint32_t port_holder(const struct moving *m)
{
	struct turn_allocation_record rec = fixture_record(m->f, 0);

	return fixture_port(m->f, &rec.relay[0].local);
}

// All entries of a 5-tuple, or none.
static void assert_tuple(
	const struct moving *m, const struct tp_addr *client, uint32_t a, bool there, uint8_t flags)
{
	uint16_t listener = m->f->locals[LISTENER].id;
	struct tp_addr peer = peer_ip(1);
	const struct tp_entry *channel = found(m, tp_key_channel(client, listener, 0x4001));
	const struct tp_entry *permission = found(m, tp_key_permission(&peer, a));

	assert_true((found(m, tp_key_allocation(client, listener)) != NULL) == there);
	assert_true((channel != NULL) == there);
	assert_true((permission != NULL) == there);
	if (!there)
		return;
	assert_int_equal(channel->allocation, a);
	assert_int_equal(channel->flags, flags);
	assert_int_equal(channel->expires_s, 1600);
	assert_int_equal(channel->other_expires_s, 1300);
	assert_int_equal(permission->flags, flags);
	assert_int_equal(permission->expires_s, 1300);
}

static struct tp_addr first_client(const struct moving *m)
{
	return fixture_record(m->f, 0).client.remote;
}

// Nothing is left of anything, in memory and for a new writer.
static void assert_empty(struct moving *m)
{
	fixture_grace(m->f);
	assert_int_equal(fixture_counts(m->f).allocations, 0);
	assert_int_equal(fixture_counts(m->f).permissions, 0);
	assert_int_equal(fixture_counts(m->f).channels, 0);
	assert_int_equal(fixture_counts(m->f).entries_free, 511);
	assert_int_equal(fixture_counts(m->f).next_hops_used, 0);
	recover_settled(m->w, 0, 0, 0);
}

static void both_tuples_have_entries(void **state)
{
	struct moving m;
	struct tp_addr first;

	moving_start(&m, *state);
	first = first_client(&m);
	assert_tuple(&m, &first, m.a, true, 0);
	assert_tuple(&m, &m.next.remote, m.successor, true, TP_ENTRY_MOVING);
	// Packets for the client have one way.
	assert_int_equal(port_holder(&m), m.a);
	assert_memory_equal(peer_entry(&m)->header + 16, first.ip, 4);
	assert_int_equal(fixture_counts(m.f).allocations, 1);
	assert_int_equal(fixture_counts(m.f).permissions, 1);
	assert_int_equal(fixture_counts(m.f).channels, 1);
	m.f->store.allocation_del(m.f->store.ctx, m.a);
	assert_int_equal(fixture_counts(m.f).channels, 0);
	assert_tuple(&m, &m.next.remote, m.successor, false, 0);
	fixture_grace(m.f);
	assert_int_equal(m.f->n_ended, 1);
	assert_empty(&m);
}

static void finished_move_has_the_second(void **state)
{
	struct moving m;
	struct tp_addr first;
	uint32_t p, c;

	moving_start(&m, *state);
	first = first_client(&m);
	p = m.f->store.move_ref(m.f->store.ctx, m.p);
	c = m.f->store.move_ref(m.f->store.ctx, m.c);
	m.f->store.move_finish(m.f->store.ctx, m.a);
	assert_tuple(&m, &first, m.a, false, 0);
	assert_tuple(&m, &m.next.remote, m.successor, true, 0);
	assert_int_equal(port_holder(&m), m.successor);
	assert_memory_equal(peer_entry(&m)->header + 16, m.next.remote.ip, 4);
	assert_int_equal(peer_entry(&m)->allocation, m.successor);
	assert_int_equal(peer_entry(&m)->partner, c);
	assert_ptr_equal(fixture_entry(m.f, fixture_entry(m.f, c)->partner), peer_entry(&m));
	fixture_grace(m.f);
	assert_int_equal(m.f->n_ended, 0);
	assert_int_equal(fixture_counts(m.f).entries_free, 511 - 4);
	// The new references are good.
	m.f->store.permission_refresh(m.f->store.ctx, p, 1310);
	assert_int_equal(fixture_entry(m.f, p)->expires_s, 1310);
	m.f->store.channel_refresh(m.f->store.ctx, c, 1700, 1310);
	assert_int_equal(peer_entry(&m)->other_expires_s, 1700);
	m.f->store.channel_refresh(m.f->store.ctx, c, 1600, 1300);
	m.f->store.permission_refresh(m.f->store.ctx, p, 1300);
	recover_settled(m.w, 1, 1, 1);
	assert_true(tp_addr_equal(&m.w->seen.records[0].client.remote, &m.next.remote));
	m.f->store.allocation_del(m.f->store.ctx, m.successor);
	fixture_grace(m.f);
	assert_int_equal(m.f->n_ended, 1);
	assert_empty(&m);
}

// A reload removes the listener before the move is finished.
static void removed_listener_leaves_no_half(void **state)
{
	struct moving m;
	uint32_t c;

	moving_start(&m, *state);
	c = m.f->store.move_ref(m.f->store.ctx, m.c);
	assert_int_equal(tables_local_remove(m.f->t, m.next.listener_id), 0);
	m.f->store.move_finish(m.f->store.ctx, m.a);
	assert_int_equal(port_holder(&m), m.successor);
	assert_int_equal(peer_entry(&m)->allocation, m.successor);
	assert_int_equal(peer_entry(&m)->partner, c);
	assert_ptr_equal(fixture_entry(m.f, fixture_entry(m.f, c)->partner), peer_entry(&m));
	assert_memory_equal(peer_entry(&m)->header + 16, m.next.remote.ip, 4);
	m.f->store.allocation_del(m.f->store.ctx, m.successor);
	fixture_grace(m.f);
	assert_int_equal(m.f->n_ended, 1);
	assert_int_equal(fixture_counts(m.f).channels, 0);
	assert_int_equal(fixture_counts(m.f).entries_free, 511);
	assert_int_equal(fixture_counts(m.f).next_hops_used, 0);
}

static void cancelled_move_leaves_the_first(void **state)
{
	struct moving m;
	struct tp_addr first;

	moving_start(&m, *state);
	first = first_client(&m);
	m.f->store.move_cancel(m.f->store.ctx, m.a);
	assert_tuple(&m, &first, m.a, true, 0);
	assert_tuple(&m, &m.next.remote, m.successor, false, 0);
	fixture_grace(m.f);
	assert_int_equal(m.f->n_ended, 0);
	recover_settled(m.w, 1, 1, 1);
	m.f->store.allocation_del(m.f->store.ctx, m.a);
	assert_empty(&m);
}

// Changes while it moves are for both.
static void changes_are_for_both(void **state)
{
	struct tp_addr other = peer_ip(300);
	struct moving m;
	struct turn_store *s;
	uint32_t p, c;

	moving_start(&m, *state);
	s = &m.f->store;
	p = fixture_permit(m.f, m.a, 300);
	c = fixture_bind(m.f, m.a, 0x4002, 300);
	assert_non_null(found(&m, tp_key_permission(&other, m.successor)));
	s->permission_refresh(s->ctx, p, 1400);
	assert_int_equal(found(&m, tp_key_permission(&other, m.successor))->expires_s, 1400);
	s->channel_refresh(s->ctx, m.c, 1650, 1350);
	assert_int_equal(
		found(&m, tp_key_channel(&m.next.remote, m.next.listener_id, 0x4001))->expires_s,
		1650);
	s->allocation_refresh(s->ctx, m.a, 0, 2000);
	assert_int_equal(fixture_entry(m.f, m.successor)->expires_s, 2000);
	s->permission_del(s->ctx, p);
	s->channel_del(s->ctx, c);
	assert_null(found(&m, tp_key_permission(&other, m.successor)));
	assert_null(found(&m, tp_key_channel(&m.next.remote, m.next.listener_id, 0x4002)));
	s->move_finish(s->ctx, m.a);
	assert_int_equal(fixture_counts(m.f).channels, 1);
	s->allocation_del(s->ctx, m.successor);
	assert_empty(&m);
}

static void taken_tuple_is_refused(void **state)
{
	struct moving m;
	struct turn_tuple first;
	uint32_t other, ref;

	moving_start(&m, *state);
	first = (struct turn_tuple){.remote = first_client(&m), .listener_id = m.next.listener_id};
	other = fixture_allocate(m.f, 7);
	assert_int_equal(m.f->store.move_begin(m.f->store.ctx, other, &first, &ref), -EEXIST);
	assert_int_equal(m.f->store.move_begin(m.f->store.ctx, other, &m.next, &ref), -EEXIST);
	m.next.listener_id = 1000;
	assert_int_equal(m.f->store.move_begin(m.f->store.ctx, other, &m.next, &ref), -EINVAL);
	m.f->store.allocation_del(m.f->store.ctx, m.a);
	m.f->store.allocation_del(m.f->store.ctx, other);
	assert_empty(&m);
}

// A move without room leaves nothing behind.
static void full_tables_leave_the_first(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	struct turn_tuple next = next_tuple(f);
	uint32_t a = fixture_allocate(f, 0), n = 0, ref, free_before;

	for (; n < 40; n++) {
		fixture_permit(f, a, n << 8);
		fixture_bind(f, a, (uint16_t)(0x4000 + n), n << 8);
	}
	while (fixture_counts(f).entries_free > 0) {
		struct tp_addr peer = tp_addr_ipv4(0x0a4e0000 + n++, 0);

		assert_int_equal(f->store.permission_add(f->store.ctx, a, &peer, 1300, &ref), 0);
		if (fixture_counts(f).entries_free > 300)
			continue;
		free_before = fixture_counts(f).entries_free;
		if (f->store.move_begin(f->store.ctx, a, &next, &ref) == 0)
			f->store.move_cancel(f->store.ctx, a);
		fixture_grace(f);
		assert_int_equal(fixture_counts(f).entries_free, free_before);
	}
	assert_int_equal(f->store.move_begin(f->store.ctx, a, &next, &ref), -ENOSPC);
	f->store.allocation_del(f->store.ctx, a);
	// More slots than are freed at once.
	for (unsigned i = 0; i < 3; i++)
		fixture_grace(f);
	assert_int_equal(fixture_counts(f).entries_free, 511);
}

static uint32_t port_references(const struct moving *m)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i < m->f->t->shm.n_port_sets; i++)
		n += m->f->t->port_sets.references[i];
	return n;
}

// The ports that a permission is for are the twin's too, before and after the move and a change.
static void ports_move_along(void **state)
{
	struct tp_port_set some, others;
	struct tp_addr peer = peer_ip(1);
	const struct tp_entry *twin;
	struct moving m;
	struct turn_store *s;

	memset(&some, 1, sizeof(some));
	memset(&others, 2, sizeof(others));
	m = (struct moving){.w = *state, .f = ((struct world *)*state)->f};
	m.next = next_tuple(m.f);
	s = &m.f->store;
	m.a = fixture_allocate(m.f, 0);
	m.p = fixture_permit(m.f, m.a, 1);
	assert_int_equal(s->permission_ports(s->ctx, m.p, &some, NULL), 0);
	assert_int_equal(s->move_begin(s->ctx, m.a, &m.next, &m.successor), 0);
	twin = found(&m, tp_key_permission(&peer, m.successor));
	assert_int_equal(twin->partner, fixture_entry(m.f, m.p)->partner);
	assert_int_equal(twin->expires_s, 0);
	assert_int_equal(twin->other_expires_s, 1300);
	assert_int_equal(port_references(&m), 2);
	assert_int_equal(s->permission_ports(s->ctx, m.p, &others, &some), 0);
	assert_int_equal(twin->partner, fixture_entry(m.f, m.p)->partner);
	s->permission_refresh(s->ctx, m.p, 1400);
	assert_int_equal(twin->expires_s, 0);
	assert_int_equal(twin->other_expires_s, 1400);
	assert_int_equal(port_references(&m), 4);
	s->move_finish(s->ctx, m.a);
	assert_int_equal(twin->other_expires_s, 1400);
	assert_int_equal(port_references(&m), 2);
	m.a = m.successor;
	m.next.remote.port_be ^= tp_htons(1);
	assert_int_equal(s->move_begin(s->ctx, m.a, &m.next, &m.successor), 0);
	assert_int_equal(port_references(&m), 4);
	s->move_cancel(s->ctx, m.a);
	assert_int_equal(port_references(&m), 2);
	s->allocation_del(s->ctx, m.a);
	assert_int_equal(port_references(&m), 0);
	assert_empty(&m);
}

static void count(struct fixture *f, uint32_t entry, uint64_t n)
{
	struct tp_cell *cell = shm_state_cell(&f->state, 0, entry);

	tp_count(&cell->packets, n);
	tp_count(&cell->octets, 100 * n);
}

// Packets by both 5-tuples are one allocation's, also those that the readers counted late.
static void usage_moves_along(void **state)
{
	struct tables_usage usage;
	struct moving m;
	uint32_t c;

	moving_start(&m, *state);
	c = m.f->store.move_ref(m.f->store.ctx, m.c);
	count(m.f, m.c, 1);
	count(m.f, fixture_entry(m.f, m.c)->partner, 2);
	count(m.f, c, 4);
	assert_int_equal(tables_allocation_usage(m.f->t, m.a, &usage), 0);
	assert_int_equal(usage.to_peer_packets, 5);
	assert_int_equal(usage.to_client_packets, 2);
	m.f->store.move_finish(m.f->store.ctx, m.a);
	count(m.f, m.c, 8);
	fixture_grace(m.f);
	count(m.f, fixture_entry(m.f, c)->partner, 16);
	assert_int_equal(tables_allocation_usage(m.f->t, m.successor, &usage), 0);
	assert_int_equal(usage.to_peer_packets, 13);
	assert_int_equal(usage.to_client_packets, 18);
	m.f->store.allocation_del(m.f->store.ctx, m.successor);
	fixture_grace(m.f);
	assert_int_equal(m.f->n_ended, 1);
	assert_int_equal(m.f->ended.to_peer_packets, 13);
	assert_int_equal(m.f->ended.to_client_packets, 18);
	assert_empty(&m);
}

// A new writer is told of the move, and begins it anew.
static void new_writer_begins_it_anew(void **state)
{
	static const uint8_t txid[12] = "the refresh!";
	struct moving m;
	struct tp_addr first;

	moving_start(&m, *state);
	first = first_client(&m);
	m.f->store.ticket_set(m.f->store.ctx, m.a, 0x1234567800000002, txid);
	recover(m.w);
	assert_int_equal(m.w->seen.n_allocations, 1);
	assert_int_equal(m.w->seen.n_moves, 1);
	assert_int_equal(m.w->seen.moving, m.a);
	assert_true(tp_addr_equal(&m.w->seen.next.remote, &m.next.remote));
	assert_int_equal(m.w->seen.next.listener_id, m.next.listener_id);
	assert_true(m.w->seen.records[0].ticket_id == 0x1234567800000002);
	assert_memory_equal(m.w->seen.records[0].txid, txid, 12);
	assert_tuple(&m, &first, m.a, true, 0);
	assert_tuple(&m, &m.next.remote, m.successor, false, 0);
	assert_int_equal(m.f->store.move_begin(m.f->store.ctx, m.a, &m.next, &m.successor), 0);
	m.f->store.move_finish(m.f->store.ctx, m.a);
	assert_tuple(&m, &m.next.remote, m.successor, true, 0);
	recover_settled(m.w, 1, 1, 1);
	assert_int_equal(m.w->seen.n_moves, 0);
	m.f->store.allocation_del(m.f->store.ctx, m.successor);
	assert_empty(&m);
}

// The writer died when the second 5-tuple had won and before it had changed anything else; then in
// the middle of the changes.
static void new_writer_ends_what_had_arrived(void **state)
{
	struct moving m;
	struct tp_addr first;

	moving_start(&m, *state);
	first = first_client(&m);
	record_of(m.f->t, m.a)->used.to_peer_packets = 7;
	record_of(m.f->t, m.successor)->state = RECORD_ARRIVED;
	recover(m.w);
	assert_int_equal(m.w->seen.n_moves, 0);
	assert_int_equal(m.w->result.allocations, 1);
	assert_int_equal(m.w->result.permissions, 1);
	assert_int_equal(m.w->result.channels, 1);
	assert_true(tp_addr_equal(&m.w->seen.records[0].client.remote, &m.next.remote));
	assert_tuple(&m, &first, m.a, false, 0);
	assert_tuple(&m, &m.next.remote, m.successor, true, 0);
	assert_int_equal(port_holder(&m), m.successor);
	assert_memory_equal(peer_entry(&m)->header + 16, m.next.remote.ip, 4);
	assert_int_equal(record_of(m.f->t, m.successor)->used.to_peer_packets, 7);
	recover_settled(m.w, 1, 1, 1);
	m.f->store.allocation_del(m.f->store.ctx, m.successor);
	assert_empty(&m);
}

static void new_writer_ends_half_a_finish(void **state)
{
	struct moving m;

	moving_start(&m, *state);
	m.f->store.move_finish(m.f->store.ctx, m.a);
	// As if the last two stores were missing.
	record_of(m.f->t, m.successor)->other = m.a;
	record_of(m.f->t, m.successor)->state = RECORD_ARRIVED;
	recover(m.w);
	assert_int_equal(m.w->result.channels, 1);
	assert_tuple(&m, &m.next.remote, m.successor, true, 0);
	recover_settled(m.w, 1, 1, 1);
	m.f->store.allocation_del(m.f->store.ctx, m.successor);
	assert_empty(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define MOVE_TEST(name) cmocka_unit_test_setup_teardown(name, recovery_setup, recovery_teardown)
		MOVE_TEST(both_tuples_have_entries),
		MOVE_TEST(finished_move_has_the_second),
		MOVE_TEST(removed_listener_leaves_no_half),
		MOVE_TEST(cancelled_move_leaves_the_first),
		MOVE_TEST(changes_are_for_both),
		MOVE_TEST(taken_tuple_is_refused),
		MOVE_TEST(full_tables_leave_the_first),
		MOVE_TEST(ports_move_along),
		MOVE_TEST(usage_moves_along),
		MOVE_TEST(new_writer_begins_it_anew),
		MOVE_TEST(new_writer_ends_what_had_arrived),
		MOVE_TEST(new_writer_ends_half_a_finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
