// SPDX-License-Identifier: BSD-3-Clause
// Mobility (RFC 8016) of clients by streams: allocations that wait for their client when its
// connection ends, and mobility switched off.
#include "mobile.h"

#include <errno.h>
#include <mobility.h>

static void opened(struct world *w, const struct client *c)
{
	assert_int_equal(turn_stream_opened(w->f.h.s, w->f.h.now_ns, &c->tuple, false), 0);
	harness_drain(&w->f.h);
}

static void closed(struct world *w, const struct client *c)
{
	assert_int_equal(turn_stream_closed(w->f.h.s, w->f.h.now_ns, &c->tuple), 0);
	harness_drain(&w->f.h);
}

// The second listener is one of streams; both clients come by it.
static void stream_allocate(struct world *w)
{
	mobile_init(w);
	turn_destroy(w->f.h.s);
	w->f.h.listeners[1].transport = TP_TRANSPORT_UDP + 1;
	harness_start(&w->f.h);
	w->f.c.tuple.listener_id = w->b.tuple.listener_id = LISTENER6_ID;
	w->f.c.tuple.connection = 0x100000001;
	w->b.tuple.connection = 0x100000002;
	opened(w, &w->f.c);
	assert_int_equal(mobile_ask(w, &w->f.c, NULL, 0), 0);
}

static void by_udp(struct client *c)
{
	c->tuple = (struct turn_tuple){.remote = c->tuple.remote, .listener_id = LISTENER_ID};
}

static void closed_connection_leaves_it_waiting(void **state)
{
	struct world w;

	(void)state;
	stream_allocate(&w);
	closed(&w, &w.f.c);
	assert_int_equal(w.f.h.n_closed, 0);
	assert_int_equal(turn_get_counters(w.f.h.s)->allocations_held, 1);
	opened(&w, &w.b);
	// It is in the quota.
	assert_int_equal(mobile_ask(&w, &w.b, NULL, 0), 486);
	mobile_ticket_take(&w);
	harness_sleep(&w.f.h, 3600 * SECOND);
	assert_int_equal(w.f.h.n_closed, 1);
	assert_int_equal(w.f.h.reason, TURN_CLOSE_EXPIRED);
	mobile_end(&w, NULL);
}

// Nobody hears by the first connection: the move is finished at once.
static void another_connection_resumes_it(void **state)
{
	struct world w;

	(void)state;
	stream_allocate(&w);
	closed(&w, &w.f.c);
	opened(&w, &w.b);
	assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
	assert_int_equal(w.f.h.store.live_moves, 0);
	assert_true(client_allocation(&w.f.h, &w.b)->rec.connection == 0x100000002);
	mobile_end(&w, &w.b);
}

static void connection_of_the_same_tuple_resumes_it(void **state)
{
	struct world w;

	(void)state;
	stream_allocate(&w);
	closed(&w, &w.f.c);
	w.f.c.tuple.connection += 0x100000000;
	opened(&w, &w.f.c);
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 437);
	assert_int_equal(mobile_move(&w, &w.f.c, 600), 0);
	assert_true(client_allocation(&w.f.h, &w.f.c)->rec.connection == 0x200000001);
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 0);
	mobile_end(&w, &w.f.c);
}

// A client that begins anew from the same 5-tuple has no use for the old one.
static void new_allocation_of_the_tuple_takes_its_place(void **state)
{
	struct world w;

	(void)state;
	stream_allocate(&w);
	closed(&w, &w.f.c);
	w.f.c.tuple.connection += 0x100000000;
	opened(&w, &w.f.c);
	client_user(&w.f.c, "bob", "builder");
	assert_int_equal(client_allocate(&w.f.h, &w.f.c, 0), 0);
	assert_int_equal(w.f.h.n_closed, 1);
	mobile_end(&w, &w.f.c);
}

// Nor has one that moves there, of another user too.
static void a_move_to_the_tuple_takes_its_place(void **state)
{
	struct client bob, there;
	struct world w;

	(void)state;
	stream_allocate(&w);
	client_init(&bob, 0xc6336403, 7000);
	client_user(&bob, "bob", "builder");
	assert_int_equal(mobile_ask(&w, &bob, NULL, 0), 0);
	closed(&w, &w.f.c);
	there = bob;
	there.tuple = w.f.c.tuple;
	there.tuple.connection += 0x100000000;
	opened(&w, &there);
	assert_int_equal(mobile_challenge_move(&w, &there), 0);
	harness_drain(&w.f.h);
	assert_int_equal(w.f.h.n_closed, 1);
	assert_int_equal(w.f.h.store.live_allocations, 1);
	mobile_end(&w, &there);
}

static void connections_go_while_it_moves(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 2; first++) {
		struct world w;

		stream_allocate(&w);
		opened(&w, &w.b);
		assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
		assert_int_equal(w.f.h.store.live_moves, 1);
		closed(&w, first ? &w.f.c : &w.b);
		assert_int_equal(w.f.h.store.live_moves, 0);
		assert_int_equal(w.f.h.n_closed, 0);
		assert_int_equal(client_refresh(&w.f.h, first ? &w.b : &w.f.c, 600), 0);
		mobile_end(&w, first ? &w.b : &w.f.c);
	}
}

// The first connection closes between a reload without the second one's listener and the sweep.
static void removed_listener_leaves_it_waiting(void **state)
{
	struct world w;

	(void)state;
	stream_allocate(&w);
	by_udp(&w.b);
	assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
	mobile_reconfigure(&w, w.f.h.listeners + 1, 1);
	closed(&w, &w.f.c);
	assert_int_equal(w.f.h.store.live_moves, 0);
	assert_int_equal(turn_get_counters(w.f.h.s)->allocations_held, 1);
	mobile_sweep(&w);
	assert_int_equal(w.f.h.n_closed, 0);
	w.f.c.tuple.connection += 0x100000000;
	opened(&w, &w.f.c);
	assert_int_equal(mobile_move(&w, &w.f.c, 600), 0);
	mobile_reconfigure(&w, w.f.h.listeners, 2);
	mobile_end(&w, &w.f.c);
}

static void switch_off(struct world *w)
{
	w->f.h.conf.mobility = false;
	assert_int_equal(turn_reconfigure(w->f.h.s, &w->f.h.conf), 0);
}

// Switched off while it moves: its second connection goes before the sweep, or its move is swept.
static void switched_off_leaves_the_first(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 2; way++) {
		struct world w;

		stream_allocate(&w);
		opened(&w, &w.b);
		assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
		switch_off(&w);
		if (way == 0)
			closed(&w, &w.b);
		else
			mobile_sweep(&w);
		assert_int_equal(w.f.h.store.live_moves, 0);
		assert_int_equal(turn_get_counters(w.f.h.s)->moves_abandoned, 1);
		mobile_sweep(&w);
		assert_int_equal(w.f.h.n_closed, 0);
		mobile_end(&w, &w.f.c);
	}
}

static void switched_off_ends_what_waits(void **state)
{
	struct world w;

	(void)state;
	stream_allocate(&w);
	closed(&w, &w.f.c);
	switch_off(&w);
	mobile_sweep(&w);
	assert_int_equal(w.f.h.n_closed, 1);
	assert_int_equal(w.f.h.reason, TURN_CLOSE_CONFIG);
	mobile_end(&w, NULL);
}

static void switched_off_begins_no_move_anew(void **state)
{
	struct world w;
	uint32_t ref;

	(void)state;
	mobile_allocate(&w);
	ref = client_allocation(&w.f.h, &w.f.c)->ref;
	switch_off(&w);
	assert_int_equal(turn_restore_move(w.f.h.s, w.f.h.now_ns, ref, &w.b.tuple), -EINVAL);
	assert_int_equal(w.f.h.store.live_moves, 0);
	mobile_end(&w, &w.f.c);
}

// All connections are lost, then the process too.
static void lost_edge_leaves_it_waiting(void **state)
{
	struct world w;

	(void)state;
	stream_allocate(&w);
	turn_streams_lost(w.f.h.s, w.f.h.now_ns);
	turn_advance(w.f.h.s, w.f.h.now_ns, 10);
	harness_drain(&w.f.h);
	assert_int_equal(w.f.h.n_closed, 0);
	harness_restart(&w.f.h);
	harness_sleep(&w.f.h, 15 * SECOND);
	assert_int_equal(w.f.h.n_closed, 0);
	by_udp(&w.b);
	assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
	assert_int_equal(w.f.h.store.live_moves, 0);
	mobile_end(&w, &w.b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closed_connection_leaves_it_waiting),
		cmocka_unit_test(another_connection_resumes_it),
		cmocka_unit_test(connection_of_the_same_tuple_resumes_it),
		cmocka_unit_test(new_allocation_of_the_tuple_takes_its_place),
		cmocka_unit_test(a_move_to_the_tuple_takes_its_place),
		cmocka_unit_test(connections_go_while_it_moves),
		cmocka_unit_test(removed_listener_leaves_it_waiting),
		cmocka_unit_test(switched_off_leaves_the_first),
		cmocka_unit_test(switched_off_ends_what_waits),
		cmocka_unit_test(switched_off_begins_no_move_anew),
		cmocka_unit_test(lost_edge_leaves_it_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
