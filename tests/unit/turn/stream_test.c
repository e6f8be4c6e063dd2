// SPDX-License-Identifier: BSD-3-Clause
// Clients of streams: an allocation lives as long as its connection.
#include "harness.h"

#include <connection.h>
#include <errno.h>

static void stream_init(struct fixture *f)
{
	harness_init(&f->h);
	f->h.listeners[1].transport = TP_TRANSPORT_UDP + 1;
	fixture_start(f);
	f->c.tuple.listener_id = LISTENER6_ID;
	f->c.tuple.connection = 0x100000001;
}

static int opened(struct fixture *f)
{
	int rc = turn_stream_opened(f->h.s, f->h.now_ns, &f->c.tuple, false);

	harness_drain(&f->h);
	return rc;
}

static int closed(struct fixture *f)
{
	int rc = turn_stream_closed(f->h.s, f->h.now_ns, &f->c.tuple);

	harness_drain(&f->h);
	return rc;
}

// Clauses: 8489 6.2.2-4
static void reply_names_its_connection(void **state)
{
	struct fixture f;

	(void)state;
	stream_init(&f);
	assert_int_equal(opened(&f), 0);
	assert_int_equal(opened(&f), 0);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	assert_true(f.h.to.connection == f.c.tuple.connection);
	assert_int_equal(f.h.record.client_transport, TP_TRANSPORT_UDP + 1);
	assert_true(f.h.record.connection == f.c.tuple.connection);
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	harness_stop(&f.h);
}

static void allocation_ends_with_its_connection(void **state)
{
	struct fixture f;

	(void)state;
	stream_init(&f);
	assert_int_equal(opened(&f), 0);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	assert_int_equal(closed(&f), 0);
	assert_int_equal(f.h.n_closed, 1);
	assert_int_equal(f.h.reason, TURN_CLOSE_CONNECTION);
	assert_int_equal(f.h.store.live_allocations, 0);
	assert_int_equal(closed(&f), -ENOENT);
	harness_stop(&f.h);
}

static unsigned binding(struct fixture *f)
{
	struct msg m;

	client_start(&f->c, &m, MSG_BINDING);
	return client_send(&f->h, &f->c, &m);
}

// Before it opens, after it closed, under another handle, or none where there must be one.
// Clauses: 8489 6.2.2-4
static void only_open_connections_are_heard(void **state)
{
	struct fixture f;

	(void)state;
	stream_init(&f);
	assert_int_equal(binding(&f), 1);
	assert_int_equal(opened(&f), 0);
	assert_int_equal(binding(&f), 0);
	f.c.tuple.connection++;
	assert_int_equal(binding(&f), 1);
	assert_int_equal(closed(&f), -ENOENT);
	f.c.tuple.connection = 0;
	assert_int_equal(binding(&f), 1);
	assert_int_equal(opened(&f), -EINVAL);
	f.c.tuple.connection = 0x100000001;
	assert_int_equal(closed(&f), 0);
	assert_int_equal(binding(&f), 1);
	assert_int_equal(turn_get_counters(f.h.s)->streams_unknown, 5);
	// And no datagram's client has one.
	f.c.tuple.listener_id = LISTENER_ID;
	assert_int_equal(binding(&f), 1);
	assert_int_equal(opened(&f), -EINVAL);
	f.c.tuple.connection = 0;
	assert_int_equal(binding(&f), 0);
	harness_stop(&f.h);
}

// The report of the end was lost: the next connection of the 5-tuple ends the old allocation.
static void next_connection_ends_the_last(void **state)
{
	struct fixture f;

	(void)state;
	stream_init(&f);
	assert_int_equal(opened(&f), 0);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	f.c.tuple.connection += 0x100000000;
	assert_int_equal(opened(&f), 0);
	assert_int_equal(f.h.reason, TURN_CLOSE_CONNECTION);
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 437);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	harness_stop(&f.h);
}

// The process that held the connections died: all end, but for those that are reported again.
static void lost_connections_end(void **state)
{
	struct fixture f;

	(void)state;
	stream_init(&f);
	assert_int_equal(opened(&f), 0);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	turn_streams_lost(f.h.s, f.h.now_ns);
	assert_int_equal(opened(&f), 0);
	turn_advance(f.h.s, f.h.now_ns, 10);
	harness_drain(&f.h);
	assert_int_equal(f.h.n_closed, 0);
	turn_streams_lost(f.h.s, f.h.now_ns);
	turn_advance(f.h.s, f.h.now_ns, 10);
	harness_drain(&f.h);
	assert_int_equal(f.h.n_closed, 1);
	assert_int_equal(f.h.reason, TURN_CLOSE_CONNECTION);
	assert_false(turn_stream_is_open(f.h.s, &f.c.tuple));
	harness_stop(&f.h);
}

// A part of them may have gone with a process that died.
static void those_not_reported_again_end(void **state)
{
	(void)state;
	for (unsigned confirmed = 0; confirmed < 2; confirmed++) {
		struct fixture f;

		stream_init(&f);
		assert_int_equal(opened(&f), 0);
		assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
		turn_streams_again(f.h.s, f.h.now_ns);
		if (confirmed)
			assert_int_equal(opened(&f), 0);
		harness_sleep(&f.h, (TURN_CONNECTION_CONFIRM_S - 1) * SECOND);
		assert_int_equal(f.h.n_closed, 0);
		harness_sleep(&f.h, 3 * SECOND);
		assert_int_equal(f.h.n_closed, 1 - confirmed);
		assert_true(turn_stream_is_open(f.h.s, &f.c.tuple) == (confirmed == 1));
		harness_stop(&f.h);
	}
}

static void restart_asks_for_confirmation(void **state)
{
	(void)state;
	for (unsigned confirmed = 0; confirmed < 2; confirmed++) {
		struct fixture f;

		stream_init(&f);
		assert_int_equal(opened(&f), 0);
		assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
		harness_restart(&f.h);
		assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
		harness_sleep(&f.h, (TURN_CONNECTION_CONFIRM_S - 1) * SECOND);
		assert_int_equal(f.h.n_closed, 0);
		if (confirmed)
			assert_int_equal(opened(&f), 0);
		harness_sleep(&f.h, 3 * SECOND);
		assert_int_equal(f.h.n_closed, 1 - confirmed);
		assert_int_equal(f.h.store.live_allocations, confirmed);
		harness_stop(&f.h);
	}
}

// A request that waits for the directory goes with its connection.
static void closed_connection_waits_for_nothing(void **state)
{
	const struct turn_answer unknown = {.status = TURN_ANSWER_UNKNOWN};
	struct fixture f;
	unsigned replies;

	(void)state;
	stream_init(&f);
	turn_destroy(f.h.s);
	f.h.realms[0].directory = true;
	harness_start(&f.h);
	assert_int_equal(opened(&f), 0);
	client_user(&f.c, "dora", "explorer");
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 1);
	assert_int_equal(closed(&f), 0);
	assert_int_equal(turn_get_counters(f.h.s)->pending_dropped, 1);
	replies = f.h.n_replies;
	assert_int_equal(turn_answer(f.h.s, f.h.now_ns, f.h.lookup.ticket, &unknown), 0);
	harness_drain(&f.h);
	assert_int_equal(f.h.n_replies, replies);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reply_names_its_connection),
		cmocka_unit_test(allocation_ends_with_its_connection),
		cmocka_unit_test(only_open_connections_are_heard),
		cmocka_unit_test(next_connection_ends_the_last),
		cmocka_unit_test(lost_connections_end),
		cmocka_unit_test(those_not_reported_again_end),
		cmocka_unit_test(restart_asks_for_confirmation),
		cmocka_unit_test(closed_connection_waits_for_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
