// SPDX-License-Identifier: BSD-3-Clause
// The link passes from one process to the next.
#include "stand.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct heard {
	uint64_t connections[8];
	uint8_t first[8];
	unsigned n;
};

static void on_message(void *ctx, void *owner, uint64_t connection, const uint8_t *data, size_t len)
{
	struct heard *h = ctx;

	(void)owner;
	assert_true(h->n < 8 && len > 0);
	h->connections[h->n] = connection;
	h->first[h->n++] = data[0];
}

static void put(struct stand *s, unsigned worker, uint64_t connection, uint8_t first)
{
	struct tp_ring_slot m = {.connection = connection, .len = 1, .kind = TP_RING_MESSAGE};

	m.data[0] = first;
	stand_worker_put(s, worker, &m);
}

// As descriptors that came over a socket.
static void parts_copy(struct edge_link_parts *p)
{
	p->session_fd = p->session_fd < 0 ? -1 : dup(p->session_fd);
	p->waking_fd = p->waking_fd < 0 ? -1 : dup(p->waking_fd);
	p->wake_fd = dup(p->wake_fd);
	for (unsigned i = 0; i < p->n_threads; i++)
		p->timer_fds[i] = dup(p->timer_fds[i]);
}

static struct edge_link *next_take(struct stand *s, struct edge_link_parts *parts)
{
	const struct edge_link_settings settings = {.place = &s->place,
		.n_workers = 2,
		.n_threads = parts->n_threads,
		.connections_max = parts->connections_max};
	struct edge_link *next = edge_link_create(&settings);

	assert_non_null(next);
	parts_copy(parts);
	assert_int_equal(edge_link_take(next, parts), 0);
	return next;
}

static void nobody_notices(void **state)
{
	static struct edge_link_parts parts;
	struct stand *s = *state;
	struct tp_addr third = stand_remote(1003);
	struct edge_link_thread *t;
	struct stand_message m;
	struct tp_ring_slot out;
	struct edge_link *next;
	struct heard h = {.n = 0};
	const struct edge_link_receiver r = {.ctx = &h, .message = on_message};
	uint64_t a, b, c, d;

	stand_start(s, 2);
	t = edge_link_thread(s->link, 0);
	a = stand_open(s, 0, 1001);
	b = stand_open(s, 0, 1002);
	c = stand_open(s, 0, 1003);
	edge_link_close(t, b);
	edge_link_flush(t);
	while (stand_told(s, &m))
		;
	// The first message is in the ring when the process changes.
	put(s, 0, a, 1);
	assert_true(edge_link_hand(s->link, &parts));
	next = next_take(s, &parts);
	edge_link_leave(s->link);
	edge_link_destroy(s->link);
	s->link = next;
	t = edge_link_thread(next, 0);
	assert_true(edge_link_adopt(t, c, LISTENER, &third, 0, &stand_owner));
	third = stand_remote(1001);
	assert_true(edge_link_adopt(t, a, LISTENER, &third, 0, &stand_owner));
	assert_false(edge_link_adopt(t, a, LISTENER, &third, 0, &stand_owner));
	assert_false(edge_link_adopt(t, a | 0x01000000, LISTENER, &third, 0, &stand_owner));
	edge_link_taken(next, false);
	assert_true(edge_link_is_up(next).control && edge_link_is_up(next).dataplane);
	assert_int_equal(edge_link_listener(next, &(struct tp_addr){0}, 0), 0);
	put(s, 0, a, 2);
	assert_int_equal(edge_link_poll(t, 8, &r), 2);
	assert_true(h.n == 2 && h.first[0] == 1 && h.first[1] == 2 && h.connections[1] == a);
	assert_int_equal(edge_link_send(t, c, "x", 1), 0);
	edge_link_flush(t);
	assert_true(stand_worker_take(s, 0, &out) || stand_worker_take(s, 1, &out));
	assert_true(out.connection == c && out.local_id == LISTENER);
	// Not a word to control, until something happens.
	stand_turn(s);
	assert_false(stand_told(s, &m));
	d = stand_open(s, 0, 1004);
	assert_true(d != 0 && d != b && d != a && d != c);
	stand_assert_told(s, TP_SESSION_OPENED, d, 1004);
	edge_link_close(t, a);
	stand_assert_told(s, TP_SESSION_CLOSED, a, 1001);
	// Four slots, as before.
	assert_true(stand_open(s, 0, 1005) != 0 && stand_open(s, 0, 1006) != 0);
	assert_int_equal(stand_open(s, 0, 1007), 0);
}

// A control process that comes later is told of all of them.
static void without_control_all_is_told_later(void **state)
{
	static struct edge_link_parts parts;
	struct stand *s = *state;
	struct tp_addr remote = stand_remote(1001);
	struct edge_link *next;
	uint64_t a;

	stand_start(s, 2);
	a = stand_open(s, 0, 1001);
	stand_control_kill(s);
	stand_turn(s);
	assert_true(edge_link_hand(s->link, &parts));
	assert_int_equal(parts.session_fd, -1);
	next = next_take(s, &parts);
	edge_link_leave(s->link);
	edge_link_destroy(s->link);
	s->link = next;
	assert_true(
		edge_link_adopt(edge_link_thread(next, 0), a, LISTENER, &remote, 0, &stand_owner));
	edge_link_taken(next, false);
	stand_control(s);
	stand_turn(s);
	stand_listeners(s, STAND_PAIR, LISTENER);
	stand_turn(s);
	stand_assert_told(s, TP_SESSION_OPENED, a, 1001);
	stand_assert_synced(s);
}

// It has told nobody of those that it did not hand over.
static void a_death_is_followed_by_all_reports(void **state)
{
	static struct edge_link_parts parts;
	struct stand *s = *state;
	struct tp_addr remote = stand_remote(1002);
	struct stand_message m;
	struct edge_link *next;
	uint64_t a, b;

	stand_start(s, 2);
	a = stand_open(s, 0, 1001);
	stand_assert_told(s, TP_SESSION_OPENED, a, 1001);
	b = stand_open(s, 0, 1002);
	stand_assert_told(s, TP_SESSION_OPENED, b, 1002);
	assert_true(edge_link_hand(s->link, &parts));
	next = next_take(s, &parts);
	edge_link_destroy(s->link);
	s->link = next;
	assert_true(
		edge_link_adopt(edge_link_thread(next, 0), b, LISTENER, &remote, 0, &stand_owner));
	edge_link_taken(next, true);
	stand_turn(s);
	assert_true(stand_told(s, &m));
	assert_true(m.head.kind == TP_SESSION_AGAIN && m.head.n == 0);
	stand_assert_told(s, TP_SESSION_OPENED, b, 1002);
	stand_assert_synced(s);
	// Once.
	edge_link_close(edge_link_thread(next, 0), b);
	stand_assert_told(s, TP_SESSION_CLOSED, b, 1002);
}

static bool is_due(void *ctx, struct edge_link_report *report)
{
	*report = (struct edge_link_report){.kind = TP_SESSION_PEER};
	return *(bool *)ctx;
}

static void on_call(void *ctx)
{
	(void)ctx;
}

// The next process would not report what this one could not: it stays.
static void a_control_that_does_not_read_is_waited_for(void **state)
{
	bool due = false;
	const struct edge_link_relay relay = {
		.ctx = &due, .begin = on_call, .due = is_due, .told = on_call};
	static struct edge_link_parts parts;
	struct stand *s = *state;

	s->relay = &relay;
	stand_start(s, 2);
	assert_true(edge_link_hand(s->link, &parts));
	// More than the socket takes.
	due = true;
	assert_false(edge_link_hand(s->link, &parts));
	s->relay = NULL;
	stand_edge_kill(s);
}

#define REPORTS 4000u // more than the socket takes

static bool are_due(void *ctx, struct edge_link_report *report)
{
	*report = (struct edge_link_report){.kind = TP_SESSION_PEER};
	return *(unsigned *)ctx > 0;
}

static void on_told(void *ctx)
{
	(*(unsigned *)ctx)--;
}

static void *control_reads(void *arg)
{
	const struct stand *s = arg;
	uint8_t bytes[256];

	for (unsigned n = 0; n < REPORTS;)
		n += recv(s->control_fd, bytes, sizeof(bytes), 0) > 0;
	return NULL;
}

// Its last reports, in one go: nobody tells the rest.
static void a_control_that_reads_is_told_all(void **state)
{
	unsigned due = 0;
	const struct edge_link_relay relay = {
		.ctx = &due, .begin = on_call, .due = are_due, .told = on_told};
	struct stand *s = *state;
	pthread_t control;

	s->relay = &relay;
	stand_start(s, 2);
	due = REPORTS;
	assert_false(edge_link_tell(s->link, 20));
	assert_true(due > 0);
	assert_int_equal(pthread_create(&control, NULL, control_reads, s), 0);
	assert_true(edge_link_tell(s->link, 60000));
	assert_int_equal(due, 0);
	pthread_join(control, NULL);
	// One that has died is not waited for.
	stand_control_kill(s);
	due = REPORTS;
	assert_false(edge_link_tell(s->link, UINT32_MAX / 2));
	s->relay = NULL;
	stand_edge_kill(s);
}

static void parts_that_do_not_fit_are_refused(void **state)
{
	static struct edge_link_parts parts;
	struct stand *s = *state;

	stand_start(s, 2);
	assert_true(edge_link_hand(s->link, &parts));
	parts.connections_max = 5;
	stand_edge_kill(s);
	stand_edge(s, 2, 1, 4);
	assert_int_equal(edge_link_take(s->link, &parts), -22);
	parts.connections_max = 4;
	parts.n_threads = 2;
	assert_int_equal(edge_link_take(s->link, &parts), -22);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_notices, stand_setup, stand_teardown),
		cmocka_unit_test_setup_teardown(
			without_control_all_is_told_later, stand_setup, stand_teardown),
		cmocka_unit_test_setup_teardown(
			a_death_is_followed_by_all_reports, stand_setup, stand_teardown),
		cmocka_unit_test_setup_teardown(
			a_control_that_does_not_read_is_waited_for, stand_setup, stand_teardown),
		cmocka_unit_test_setup_teardown(
			a_control_that_reads_is_told_all, stand_setup, stand_teardown),
		cmocka_unit_test_setup_teardown(
			parts_that_do_not_fit_are_refused, stand_setup, stand_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
