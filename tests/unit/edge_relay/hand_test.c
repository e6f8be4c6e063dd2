// SPDX-License-Identifier: BSD-3-Clause
// Sockets of TCP allocations that pass from one process to the next.
#include "fixture.h"

static bool on_show(void *ctx, const struct edge_relay_moved *m, int fd)
{
	return edge_relay_adopt(ctx, m, dup(fd));
}

static struct edge_relay *next_make(struct fixture *f)
{
	const struct edge_relay_settings s = {.addresses = f->addresses,
		.n_addresses = 1,
		.port_min = 1024,
		.port_max = 65535,
		.listeners_max = 2,
		.peers_max = PEERS_MAX,
		.ctx = f,
		.join = on_join,
		.part = on_part};
	struct edge_relay *next = edge_relay_create(&s);

	assert_non_null(next);
	return next;
}

// Another process gets the listening socket, and the peers that nobody has joined: one that waits,
// and one that control is about to keep.
static void all_pass_to_the_next(void **state)
{
	struct fixture *f = *state;
	struct tp_session_order keep = {.kind = TP_ORDER_KEEP, .note = {1}};
	struct tp_session_order join = {.kind = TP_ORDER_JOIN, .connection = HANDLE, .data_len = 5};
	struct edge_relay *next = next_make(f);
	uint64_t waits, arrived;
	int fds[3];

	listening(f);
	fds[0] = dial(f);
	keep.key = waits = told_peer(f, TP_PEER_ARRIVED).key;
	assert_true(order(f, keep));
	(void)told_peer(f, TP_PEER_WAITS);
	fds[1] = dial(f);
	arrived = told_peer(f, TP_PEER_ARRIVED).key;
	assert_true(edge_relay_show(f->r, on_show, next));
	edge_relay_leave(f->r);
	edge_relay_destroy(f->r);
	f->r = next;
	nothing_due(f);
	keep.key = arrived;
	assert_true(order(f, keep));
	assert_true(told_peer(f, TP_PEER_WAITS).key == arrived);
	join.key = waits;
	assert_true(order(f, join));
	assert_true(told_peer(f, TP_PEER_JOINED).key == waits);
	// Not the key of one that is there.
	fds[2] = dial(f);
	join.key = told_peer(f, TP_PEER_ARRIVED).key;
	assert_true(join.key != waits && join.key != arrived);
	edge_relay_ended(f->r, waits, 0, 0);
	(void)told_peer(f, TP_PEER_GONE);
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);
}

// The key of a peer connection that is joined; `fd` is the peer's.
static uint64_t join_one(struct fixture *f, int *fd)
{
	struct tp_session_order keep = {.kind = TP_ORDER_KEEP};
	struct tp_session_order join = {.kind = TP_ORDER_JOIN, .connection = HANDLE, .data_len = 5};

	*fd = dial(f);
	join.key = keep.key = told_peer(f, TP_PEER_ARRIVED).key;
	assert_true(order(f, keep));
	(void)told_peer(f, TP_PEER_WAITS);
	assert_true(order(f, join));
	(void)told_peer(f, TP_PEER_JOINED);
	return join.key;
}

static void next_take(struct fixture *f, struct edge_relay *next)
{
	assert_true(edge_relay_show(f->r, on_show, next));
	edge_relay_leave(f->r);
	assert_int_equal(edge_relay_peers(f->r), 0);
	meter_unref(f->meter);
	f->meter = NULL;
	edge_relay_destroy(f->r);
	f->r = next;
}

static void joined_ones_pass_to_the_next(void **state)
{
	struct fixture *f = *state;
	struct tp_session_order close_it = {.kind = TP_ORDER_CLOSE};
	struct edge_relay *next = next_make(f);
	struct meter *meter = NULL;
	struct tp_session_peer gone;
	uint64_t key;
	int fd;

	listening(f);
	key = join_one(f, &fd);
	next_take(f, next);
	assert_true(edge_relay_claim(next, key, &meter));
	assert_non_null(meter);
	// Once alone.
	assert_false(edge_relay_claim(next, key, &meter));
	edge_relay_taken(next);
	nothing_due(f);
	// Both ends are where the next process has them.
	close_it.key = key;
	assert_true(order(f, close_it));
	assert_true(f->parted_key == key);
	edge_relay_ended(next, key, 5, 7);
	gone = told_peer(f, TP_PEER_GONE);
	assert_true(gone.key == key && gone.to_peer == 5 && gone.to_client == 7);
	meter_unref(meter);
	close(fd);
}

// The process before died between the two: control is told the end.
static void one_whose_connection_does_not_come_ends(void **state)
{
	struct fixture *f = *state;
	struct edge_relay *next = next_make(f);
	struct meter *meter;
	uint64_t key;
	int fd;

	listening(f);
	key = join_one(f, &fd);
	next_take(f, next);
	assert_false(edge_relay_claim(next, key + 1, &meter));
	edge_relay_taken(next);
	assert_true(told_peer(f, TP_PEER_GONE).key == key);
	assert_false(edge_relay_claim(next, key, &meter));
	close(fd);
}

// This process was refused between the two: none of its threads has one to end.
static void awaited_ones_end_with_the_process(void **state)
{
	struct fixture *f = *state;
	struct edge_relay *next = next_make(f);
	int fd;

	listening(f);
	(void)join_one(f, &fd);
	next_take(f, next);
	edge_relay_destroy(next);
	f->r = NULL;
	assert_true(f->parted_key == 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_pass_to_the_next, setup, teardown),
		cmocka_unit_test_setup_teardown(joined_ones_pass_to_the_next, setup, teardown),
		cmocka_unit_test_setup_teardown(
			one_whose_connection_does_not_come_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(awaited_ones_end_with_the_process, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
