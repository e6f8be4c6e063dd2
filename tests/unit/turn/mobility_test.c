// SPDX-License-Identifier: BSD-3-Clause
// Mobility (RFC 8016): tickets, and allocations that follow their client.
#include "mobile.h"

#include <mobility.h>
#include <ticket.h>

static void off_is_405(void **state)
{
	struct world w;

	(void)state;
	mobile_init(&w);
	turn_destroy(w.f.h.s);
	w.f.h.conf.mobility = false;
	harness_start(&w.f.h);
	assert_int_equal(mobile_ask(&w, &w.f.c, NULL, 0), 405);
	assert_int_equal(turn_get_counters(w.f.h.s)->error_405, 1);
	assert_int_equal(client_allocate(&w.f.h, &w.f.c, 0), 0);
	assert_false(reply_has(&w.f.h, ATTR_TICKET));
	w.ticket_len = TURN_TICKET_LEN;
	assert_int_equal(mobile_move(&w, &w.f.c, 600), 405);
	mobile_end(&w, &w.f.c);
}

static void ticket_is_given_to_those_who_ask(void **state)
{
	struct world w;

	(void)state;
	mobile_init(&w);
	assert_int_equal(mobile_ask(&w, &w.f.c, "x", 1), 400);
	assert_int_equal(client_allocate(&w.f.h, &w.f.c, 0), 0);
	assert_false(reply_has(&w.f.h, ATTR_TICKET));
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 0), 0);
	assert_int_equal(mobile_ask(&w, &w.b, NULL, 0), 0);
	assert_int_equal(w.ticket_len, TURN_TICKET_LEN);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 0);
	assert_false(reply_has(&w.f.h, ATTR_TICKET));
	mobile_end(&w, &w.b);
}

static void first_message_moves_it(void **state)
{
	struct world w;
	const struct fake_allocation *a;
	uint32_t first, second;

	(void)state;
	mobile_allocate(&w);
	first = client_allocation(&w.f.h, &w.f.c)->ref;
	assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
	// Both 5-tuples are the allocation's; the store's first one is the old one.
	second = mobile_successor(&w, &w.f.c);
	assert_int_not_equal(second, 0);
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 0);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 0);
	assert_false(mobile_report(&w, &w.b, first));
	assert_false(mobile_report(&w, &w.f.c, second));
	assert_true(mobile_report(&w, &w.b, second));
	assert_null(client_allocation(&w.f.h, &w.f.c));
	a = client_allocation(&w.f.h, &w.b);
	assert_int_equal(a->ref, second);
	assert_non_null(fake_store_channel(&w.f.h.store, second, 0x4001));
	assert_false(mobile_report(&w, &w.b, second));
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 437);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 0);
	assert_int_equal(turn_get_counters(w.f.h.s)->moves, 1);
	mobile_end(&w, &w.b);
}

// New permissions and channels while it moves, by either 5-tuple, and their ends.
static void both_tuples_ask_while_it_moves(void **state)
{
	struct tp_addr three = mobile_peer(3000), other = tp_addr_ipv4(MOBILE_PEER + 1, 1);
	struct world w;

	(void)state;
	mobile_allocate(&w);
	assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
	assert_int_equal(client_bind(&w.f.h, &w.b, 0x4002, &three), 0);
	assert_int_equal(client_permit(&w.f.h, &w.f.c, &other), 0);
	harness_sleep(&w.f.h, 20 * SECOND);
	assert_true(mobile_report(&w, &w.b, mobile_successor(&w, &w.f.c)));
	assert_int_equal(client_bind(&w.f.h, &w.b, 0x4002, &three), 0);
	assert_int_equal(client_permit(&w.f.h, &w.b, &other), 0);
	assert_int_equal(w.f.h.store.live_channels, 3);
	harness_sleep(&w.f.h, 3600 * SECOND);
	mobile_end(&w, NULL);
}

static void move_without_a_message_is_given_up(void **state)
{
	struct world w;

	(void)state;
	mobile_allocate(&w);
	assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
	harness_sleep(&w.f.h, (TURN_MOVE_S - 1) * SECOND);
	assert_int_equal(w.f.h.store.live_moves, 1);
	harness_sleep(&w.f.h, 3 * SECOND);
	assert_int_equal(w.f.h.store.live_moves, 0);
	assert_int_equal(turn_get_counters(w.f.h.s)->moves_abandoned, 1);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 437);
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 0);
	// Its ticket is good for the next one.
	assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
	mobile_end(&w, &w.f.c);
}

static void allocation_ends_while_it_moves(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 3; way++) {
		struct world w;

		mobile_allocate(&w);
		assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
		if (way == 0)
			assert_int_equal(client_refresh(&w.f.h, &w.b, 0), 0);
		else if (way == 1)
			assert_int_equal(turn_kill(w.f.h.s, w.f.h.now_ns,
						 client_allocation(&w.f.h, &w.f.c)->ref),
				0);
		else
			assert_int_equal(mobile_move(&w, &w.b, 0), 0);
		harness_drain(&w.f.h);
		mobile_end(&w, NULL);
	}
}

// A new one each time; the one before for the same request again, and nothing else.
static void old_ticket_is_for_a_retransmission(void **state)
{
	uint8_t old[TURN_TICKET_LEN];
	struct world w;
	struct client again, elsewhere, later;

	(void)state;
	mobile_allocate(&w);
	memcpy(old, w.ticket, sizeof(old));
	client_init(&elsewhere, 0xc6336403, 40000);
	client_challenge(&w.f.h, &elsewhere);
	client_challenge(&w.f.h, &w.b);
	again = w.b;
	memcpy(elsewhere.txid, w.b.txid, sizeof(elsewhere.txid));
	assert_int_equal(mobile_move(&w, &w.b, 600), 0);
	assert_memory_not_equal(old, w.ticket, sizeof(old));
	memcpy(w.ticket, old, sizeof(old));
	// By the same client in another transaction; by another one in the same.
	later = w.b;
	assert_int_equal(mobile_move(&w, &later, 600), 437);
	assert_int_equal(mobile_move(&w, &elsewhere, 600), 437);
	assert_int_equal(turn_get_counters(w.f.h.s)->tickets_refused, 2);
	assert_int_equal(mobile_move(&w, &again, 600), 0); // the same transaction id
	assert_int_equal(turn_get_counters(w.f.h.s)->retransmissions, 1);
	// The answer has the ticket in force.
	assert_int_equal(mobile_move(&w, &w.b, 600), 0);
	memcpy(w.ticket, old, sizeof(old));
	assert_int_equal(mobile_move(&w, &w.b, 600), 437);
	assert_int_equal(turn_get_counters(w.f.h.s)->tickets_refused, 3);
	mobile_end(&w, &w.f.c);
}

static void forged_tickets_are_refused(void **state)
{
	struct world w;

	(void)state;
	mobile_allocate(&w);
	client_challenge(&w.f.h, &w.b);
	for (size_t i = 0; i < TURN_TICKET_LEN; i++) {
		w.ticket[i] ^= 1;
		assert_int_equal(mobile_move(&w, &w.b, 600), 437);
		w.ticket[i] ^= 1;
	}
	w.ticket_len = TURN_TICKET_LEN - 1;
	assert_int_equal(mobile_move(&w, &w.b, 600), 437);
	w.ticket_len = 0;
	assert_int_equal(mobile_move(&w, &w.b, 600), 400);
	w.ticket_len = TURN_TICKET_LEN;
	client_user(&w.b, "bob", "builder");
	assert_int_equal(mobile_move(&w, &w.b, 600), 441);
	assert_int_equal(w.f.h.store.live_moves, 0);
	mobile_end(&w, &w.f.c);
}

// RFC 8656 21.4: nor does one come there by a move.
// Clauses: 8656 21.4-1
static void tunnels_are_not_moved_to(void **state)
{
	static const uint8_t tunnelled[][16] = {{0x20, 0x01, 0, 0, 1}, {0x20, 0x02, 1}};
	struct world w;

	(void)state;
	mobile_allocate(&w);
	for (size_t i = 0; i < TP_ARRAY_LEN(tunnelled); i++) {
		w.b.tuple.listener_id = LISTENER6_ID;
		w.b.tuple.remote = tp_addr_ipv6(tunnelled[i], 5000);
		assert_int_equal(mobile_challenge_move(&w, &w.b), 403);
		assert_int_equal(w.f.h.refusal.cause, TURN_REFUSED_TUNNEL);
	}
	assert_int_equal(w.f.h.store.live_moves, 0);
	client_init(&w.b, 0xc6336402, 40000);
	assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
	mobile_end(&w, &w.f.c);
}

// Its time is over, though nobody has looked at the clock yet.
static void an_ended_allocation_does_not_move(void **state)
{
	struct world w;

	(void)state;
	mobile_allocate(&w);
	client_challenge(&w.f.h, &w.b);
	w.f.h.now_ns += 700 * SECOND;
	assert_int_equal(mobile_move(&w, &w.b, 600), 437);
	assert_int_equal(w.f.h.store.live_allocations, 0);
	harness_drain(&w.f.h);
	mobile_end(&w, NULL);
}

// The 5-tuple of another allocation is not free.
static void place_is_taken(void **state)
{
	struct world w;

	(void)state;
	mobile_allocate(&w);
	client_user(&w.b, "bob", "builder");
	assert_int_equal(client_allocate(&w.f.h, &w.b, 0), 0);
	client_user(&w.b, USER, PASSWORD);
	assert_int_equal(mobile_move(&w, &w.b, 600), 437);
	assert_int_equal(w.f.h.store.live_moves, 0);
	client_user(&w.b, "bob", "builder");
	assert_int_equal(client_refresh(&w.f.h, &w.b, 0), 0);
	mobile_end(&w, &w.f.c);
}

// A NAT gives the client another port, and the first one again.
static void nat_flips_its_port_and_back(void **state)
{
	struct world w;

	(void)state;
	mobile_allocate(&w);
	assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
	// Back before a message: the move is over.
	assert_int_equal(mobile_move(&w, &w.f.c, 600), 0);
	assert_int_equal(w.f.h.store.live_moves, 0);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 437);
	// And back after it.
	assert_int_equal(mobile_move(&w, &w.b, 600), 0);
	assert_true(mobile_report(&w, &w.b, mobile_successor(&w, &w.f.c)));
	assert_int_equal(mobile_move(&w, &w.f.c, 600), 0);
	assert_true(mobile_report(&w, &w.f.c, mobile_successor(&w, &w.b)));
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 0);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 437);
	mobile_end(&w, &w.f.c);
}

static void third_tuple_takes_over(void **state)
{
	struct world w;
	struct client third;

	(void)state;
	mobile_allocate(&w);
	client_init(&third, 0xc6336403, 50000);
	assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
	assert_int_equal(mobile_challenge_move(&w, &third), 0);
	assert_int_equal(w.f.h.store.live_moves, 1);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 437);
	assert_true(mobile_report(&w, &third, mobile_successor(&w, &w.f.c)));
	mobile_end(&w, &third);
}

// Begins moves to and fro until one is refused.
static unsigned moves_until_refused(struct world *w)
{
	unsigned n = 0;

	while (mobile_move(w, n % 2 == 0 ? &w->b : &w->f.c, 600) == 0 && n < 100)
		n++;
	return n;
}

// Each one is work for all entries of the allocation.
static void moves_have_a_rate(void **state)
{
	struct world w;
	unsigned n;

	(void)state;
	mobile_allocate(&w);
	client_challenge(&w.f.h, &w.b);
	n = moves_until_refused(&w);
	// Every second one is a return, which begins none.
	assert_in_range(n, 2 * TURN_MOVES_AT_ONCE, 2 * TURN_MOVES_AT_ONCE + 2);
	assert_int_equal(w.f.h.refusal.cause, TURN_REFUSED_MOVES);
	assert_int_equal(w.f.h.refusal.code, 508);
	assert_int_equal(turn_get_counters(w.f.h.s)->moves_refused, 1);
	assert_int_equal(w.f.h.store.live_moves, 0);
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 0);
	// The same ticket is good a second later.
	harness_sleep(&w.f.h, SECOND);
	assert_int_equal(moves_until_refused(&w), 2);
	mobile_end(&w, &w.f.c);
}

static void full_tables_refuse_the_move(void **state)
{
	struct world w;

	(void)state;
	mobile_allocate(&w);
	w.f.h.store.max_moves = 0;
	assert_int_equal(mobile_challenge_move(&w, &w.b), 508);
	w.f.h.store.max_moves = 1;
	assert_int_equal(mobile_move(&w, &w.b, 600), 0);
	mobile_end(&w, &w.b);
}

// Another process takes over in the middle, and after the end.
static void restart_goes_on(void **state)
{
	struct world w;

	(void)state;
	mobile_allocate(&w);
	assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
	harness_restart(&w.f.h);
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 0);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 0);
	assert_true(mobile_report(&w, &w.b, mobile_successor(&w, &w.f.c)));
	harness_restart(&w.f.h);
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 437);
	assert_int_equal(mobile_move(&w, &w.f.c, 600), 0);
	harness_sleep(&w.f.h, (TURN_MOVE_S + 2) * SECOND);
	assert_int_equal(w.f.h.store.live_moves, 0);
	mobile_end(&w, &w.b);
}

// A reload takes the second 5-tuple's listener away, and the client's message comes before the
// sweep.
static void removed_listener_is_not_moved_to(void **state)
{
	struct world w;
	uint32_t second;

	(void)state;
	mobile_allocate(&w);
	w.b.tuple.listener_id = LISTENER6_ID;
	assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
	second = mobile_successor(&w, &w.f.c);
	mobile_reconfigure(&w, w.f.h.listeners, 1);
	assert_true(mobile_report(&w, &w.b, second));
	assert_int_equal(w.f.h.store.live_moves, 0);
	assert_non_null(client_allocation(&w.f.h, &w.f.c));
	assert_int_equal(turn_get_counters(w.f.h.s)->moves_abandoned, 1);
	mobile_sweep(&w);
	assert_int_equal(w.f.h.n_closed, 0);
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 0);
	mobile_end(&w, &w.f.c);
}

// A reload takes the first 5-tuple's listener away: the second one is good.
static void removed_first_listener_finishes_it(void **state)
{
	struct world w;

	(void)state;
	mobile_allocate(&w);
	w.b.tuple.listener_id = LISTENER6_ID;
	assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
	mobile_reconfigure(&w, w.f.h.listeners + 1, 1);
	mobile_sweep(&w);
	assert_int_equal(w.f.h.n_closed, 0);
	assert_int_equal(w.f.h.store.live_moves, 0);
	assert_int_equal(turn_get_counters(w.f.h.s)->moves, 1);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 0);
	mobile_reconfigure(&w, w.f.h.listeners, 2);
	mobile_end(&w, &w.b);
}

static void without_both_listeners_it_ends(void **state)
{
	struct turn_listener other;
	struct world w;

	(void)state;
	mobile_allocate(&w);
	assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
	other = w.f.h.listeners[1];
	mobile_reconfigure(&w, &other, 1);
	mobile_sweep(&w);
	assert_int_equal(w.f.h.n_closed, 1);
	assert_int_equal(w.f.h.reason, TURN_CLOSE_CONFIG);
	mobile_reconfigure(&w, w.f.h.listeners, 2);
	mobile_end(&w, NULL);
}

static void ban(struct world *w, const struct client *c)
{
	struct turn_ban ban = {.kind = TURN_BAN_PREFIX,
		.until_s = w->f.h.wall_s + 100,
		.prefix = text_cidr_make(&c->tuple.remote, 32)};
	uint32_t index;

	assert_int_equal(turn_ban_add(w->f.h.s, w->f.h.now_ns, w->f.h.wall_s, &ban, &index), 0);
}

// A ban of the second address ends the move, and the call with it where the first one's listener
// is gone.
static void banned_second_address_is_given_up(void **state)
{
	(void)state;
	for (unsigned removed = 0; removed < 2; removed++) {
		struct world w;

		mobile_allocate(&w);
		w.b.tuple.listener_id = LISTENER6_ID;
		assert_int_equal(mobile_challenge_move(&w, &w.b), 0);
		ban(&w, &w.b);
		if (removed)
			mobile_reconfigure(&w, w.f.h.listeners + 1, 1);
		mobile_sweep(&w);
		assert_int_equal(w.f.h.store.live_moves, 0);
		assert_int_equal(turn_get_counters(w.f.h.s)->moves_abandoned, 1);
		assert_int_equal(w.f.h.n_closed, removed);
		if (removed)
			mobile_reconfigure(&w, w.f.h.listeners, 2);
		mobile_end(&w, removed ? NULL : &w.f.c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_is_405),
		cmocka_unit_test(ticket_is_given_to_those_who_ask),
		cmocka_unit_test(first_message_moves_it),
		cmocka_unit_test(both_tuples_ask_while_it_moves),
		cmocka_unit_test(move_without_a_message_is_given_up),
		cmocka_unit_test(allocation_ends_while_it_moves),
		cmocka_unit_test(old_ticket_is_for_a_retransmission),
		cmocka_unit_test(forged_tickets_are_refused),
		cmocka_unit_test(tunnels_are_not_moved_to),
		cmocka_unit_test(an_ended_allocation_does_not_move),
		cmocka_unit_test(place_is_taken),
		cmocka_unit_test(nat_flips_its_port_and_back),
		cmocka_unit_test(third_tuple_takes_over),
		cmocka_unit_test(moves_have_a_rate),
		cmocka_unit_test(full_tables_refuse_the_move),
		cmocka_unit_test(restart_goes_on),
		cmocka_unit_test(removed_listener_is_not_moved_to),
		cmocka_unit_test(removed_first_listener_finishes_it),
		cmocka_unit_test(without_both_listeners_it_ends),
		cmocka_unit_test(banned_second_address_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
