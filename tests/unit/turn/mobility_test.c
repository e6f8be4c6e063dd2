// SPDX-License-Identifier: BSD-3-Clause
// Mobility (RFC 8016): tickets, and allocations that follow their client.
#include "harness.h"

#include <mobility.h>
#include <errno.h>
#include <ticket.h>

#define ATTR_TICKET 0x8030u
#define PEER	    0x08080808u

struct world {
	struct fixture f;
	struct client b; // the same user at another address
	uint8_t ticket[64];
	uint16_t ticket_len; // of the last answer
};

static void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	harness_init(&w->f.h);
	w->f.h.conf.mobility = true;
	w->f.h.conf.nonce_lifetime_s = 3600;
	memset(w->f.h.conf.ticket_key, 0x5a, sizeof(w->f.h.conf.ticket_key));
	w->f.h.realms[0].user_quota = 1;
	fixture_start(&w->f);
	client_init(&w->b, 0xc6336402, 40000);
}

static void ticket_take(struct world *w)
{
	const struct harness *h = &w->f.h;
	const uint8_t *ticket = reply_attr(h->reply, h->reply_len, ATTR_TICKET, 0, &w->ticket_len);

	if (ticket == NULL)
		w->ticket_len = 0;
	else
		memcpy(w->ticket, ticket, w->ticket_len);
}

// An Allocate that carries a ticket of `len` bytes.
static unsigned ask(struct world *w, struct client *c, const void *ticket, size_t len)
{
	struct msg m;
	unsigned code;

	client_challenge(&w->f.h, c);
	client_start(c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	msg_attr(&m, ATTR_TICKET, ticket, len);
	code = client_finish(&w->f.h, c, &m);
	if (code == 0)
		ticket_take(w);
	return code;
}

// Refreshes with the world's ticket, by a client with a nonce of its own.
static unsigned move(struct world *w, struct client *c, uint32_t lifetime_s)
{
	struct msg m;
	unsigned code;

	client_start(c, &m, MSG_REFRESH);
	msg_u32(&m, ATTR_LIFETIME, lifetime_s);
	msg_attr(&m, ATTR_TICKET, w->ticket, w->ticket_len);
	code = client_finish(&w->f.h, c, &m);
	if (code == 0)
		ticket_take(w);
	return code;
}

static unsigned challenge_move(struct world *w, struct client *c)
{
	client_challenge(&w->f.h, c);
	return move(w, c, 600);
}

static struct tp_addr peer_addr(uint16_t port)
{
	return tp_addr_ipv4(PEER, port);
}

// An allocation with a ticket, a permission and two channels.
static void world_allocate(struct world *w)
{
	struct tp_addr one = peer_addr(1000), two = peer_addr(2000);

	world_init(w);
	assert_int_equal(ask(w, &w->f.c, NULL, 0), 0);
	assert_int_equal(w->ticket_len, TURN_TICKET_LEN);
	assert_int_equal(client_permit(&w->f.h, &w->f.c, &one), 0);
	assert_int_equal(client_bind(&w->f.h, &w->f.c, 0x4000, &one), 0);
	assert_int_equal(client_bind(&w->f.h, &w->f.c, 0x4001, &two), 0);
}

// The packet path tells of the client's first message.
static bool report(struct world *w, const struct client *c, uint32_t ref)
{
	const struct turn_report r = {.allocation = ref,
		.remote = c->tuple.remote,
		.local_id = c->tuple.listener_id,
		.type = TP_REPORT_MOVED};
	bool known = turn_report(w->f.h.s, w->f.h.now_ns, &r);

	harness_drain(&w->f.h);
	return known;
}

static uint32_t successor(const struct world *w, const struct client *c)
{
	return client_allocation(&w->f.h, c)->successor;
}

// Nothing is left of anything, and the quota of one allocation is free.
static void world_end(struct world *w, const struct client *c)
{
	struct turn_server *s = w->f.h.s;
	struct client fresh;

	if (c != NULL)
		assert_int_equal(client_refresh(&w->f.h, (struct client *)c, 0), 0);
	assert_int_equal(w->f.h.store.live_allocations, 0);
	assert_int_equal(w->f.h.store.live_permissions, 0);
	assert_int_equal(w->f.h.store.live_channels, 0);
	assert_int_equal(w->f.h.store.live_moves, 0);
	assert_int_equal(s->n_entries, 0);
	assert_int_equal(s->move_pool.n_taken, 0);
	assert_int_equal(s->moves_by_tuple.n, 0);
	assert_int_equal(s->by_ticket.n, 0);
	client_init(&fresh, 0xc6336499, 9999);
	assert_int_equal(client_allocate(&w->f.h, &fresh, 0), 0);
	harness_stop(&w->f.h);
}

static void off_is_405(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	turn_destroy(w.f.h.s);
	w.f.h.conf.mobility = false;
	harness_start(&w.f.h);
	assert_int_equal(ask(&w, &w.f.c, NULL, 0), 405);
	assert_int_equal(turn_get_counters(w.f.h.s)->error_405, 1);
	assert_int_equal(client_allocate(&w.f.h, &w.f.c, 0), 0);
	assert_false(reply_has(&w.f.h, ATTR_TICKET));
	w.ticket_len = TURN_TICKET_LEN;
	assert_int_equal(move(&w, &w.f.c, 600), 405);
	world_end(&w, &w.f.c);
}

static void ticket_is_given_to_those_who_ask(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(ask(&w, &w.f.c, "x", 1), 400);
	assert_int_equal(client_allocate(&w.f.h, &w.f.c, 0), 0);
	assert_false(reply_has(&w.f.h, ATTR_TICKET));
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 0), 0);
	assert_int_equal(ask(&w, &w.b, NULL, 0), 0);
	assert_int_equal(w.ticket_len, TURN_TICKET_LEN);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 0);
	assert_false(reply_has(&w.f.h, ATTR_TICKET));
	world_end(&w, &w.b);
}

static void first_message_moves_it(void **state)
{
	struct world w;
	const struct fake_allocation *a;
	uint32_t first, second;

	(void)state;
	world_allocate(&w);
	first = client_allocation(&w.f.h, &w.f.c)->ref;
	assert_int_equal(challenge_move(&w, &w.b), 0);
	// Both 5-tuples are the allocation's; the store's first one is the old one.
	second = successor(&w, &w.f.c);
	assert_int_not_equal(second, 0);
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 0);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 0);
	assert_false(report(&w, &w.b, first));
	assert_false(report(&w, &w.f.c, second));
	assert_true(report(&w, &w.b, second));
	assert_null(client_allocation(&w.f.h, &w.f.c));
	a = client_allocation(&w.f.h, &w.b);
	assert_int_equal(a->ref, second);
	assert_non_null(fake_store_channel(&w.f.h.store, second, 0x4001));
	assert_false(report(&w, &w.b, second));
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 437);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 0);
	assert_int_equal(turn_get_counters(w.f.h.s)->moves, 1);
	world_end(&w, &w.b);
}

// New permissions and channels while it moves, by either 5-tuple, and their ends.
static void both_tuples_ask_while_it_moves(void **state)
{
	struct tp_addr three = peer_addr(3000), other = tp_addr_ipv4(PEER + 1, 1);
	struct world w;

	(void)state;
	world_allocate(&w);
	assert_int_equal(challenge_move(&w, &w.b), 0);
	assert_int_equal(client_bind(&w.f.h, &w.b, 0x4002, &three), 0);
	assert_int_equal(client_permit(&w.f.h, &w.f.c, &other), 0);
	harness_sleep(&w.f.h, 20 * SECOND);
	assert_true(report(&w, &w.b, successor(&w, &w.f.c)));
	assert_int_equal(client_bind(&w.f.h, &w.b, 0x4002, &three), 0);
	assert_int_equal(client_permit(&w.f.h, &w.b, &other), 0);
	assert_int_equal(w.f.h.store.live_channels, 3);
	harness_sleep(&w.f.h, 3600 * SECOND);
	world_end(&w, NULL);
}

static void move_without_a_message_is_given_up(void **state)
{
	struct world w;

	(void)state;
	world_allocate(&w);
	assert_int_equal(challenge_move(&w, &w.b), 0);
	harness_sleep(&w.f.h, (TURN_MOVE_S - 1) * SECOND);
	assert_int_equal(w.f.h.store.live_moves, 1);
	harness_sleep(&w.f.h, 3 * SECOND);
	assert_int_equal(w.f.h.store.live_moves, 0);
	assert_int_equal(turn_get_counters(w.f.h.s)->moves_abandoned, 1);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 437);
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 0);
	// Its ticket is good for the next one.
	assert_int_equal(challenge_move(&w, &w.b), 0);
	world_end(&w, &w.f.c);
}

static void allocation_ends_while_it_moves(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 3; way++) {
		struct world w;

		world_allocate(&w);
		assert_int_equal(challenge_move(&w, &w.b), 0);
		if (way == 0)
			assert_int_equal(client_refresh(&w.f.h, &w.b, 0), 0);
		else if (way == 1)
			assert_int_equal(turn_kill(w.f.h.s, w.f.h.now_ns,
						 client_allocation(&w.f.h, &w.f.c)->ref),
				0);
		else
			assert_int_equal(move(&w, &w.b, 0), 0);
		harness_drain(&w.f.h);
		world_end(&w, NULL);
	}
}

// A new one each time; the one before for the same request again, and nothing else.
static void old_ticket_is_for_a_retransmission(void **state)
{
	uint8_t old[TURN_TICKET_LEN];
	struct world w;
	struct client again;

	(void)state;
	world_allocate(&w);
	memcpy(old, w.ticket, sizeof(old));
	client_challenge(&w.f.h, &w.b);
	again = w.b;
	assert_int_equal(move(&w, &w.b, 600), 0);
	assert_memory_not_equal(old, w.ticket, sizeof(old));
	memcpy(w.ticket, old, sizeof(old));
	assert_int_equal(move(&w, &again, 600), 0); // the same transaction id
	assert_int_equal(turn_get_counters(w.f.h.s)->retransmissions, 1);
	// The answer has the ticket in force.
	assert_int_equal(move(&w, &w.b, 600), 0);
	memcpy(w.ticket, old, sizeof(old));
	assert_int_equal(move(&w, &w.b, 600), 437);
	assert_int_equal(turn_get_counters(w.f.h.s)->tickets_refused, 1);
	world_end(&w, &w.f.c);
}

static void forged_tickets_are_refused(void **state)
{
	struct world w;

	(void)state;
	world_allocate(&w);
	client_challenge(&w.f.h, &w.b);
	for (size_t i = 0; i < TURN_TICKET_LEN; i++) {
		w.ticket[i] ^= 1;
		assert_int_equal(move(&w, &w.b, 600), 437);
		w.ticket[i] ^= 1;
	}
	w.ticket_len = TURN_TICKET_LEN - 1;
	assert_int_equal(move(&w, &w.b, 600), 437);
	w.ticket_len = 0;
	assert_int_equal(move(&w, &w.b, 600), 400);
	w.ticket_len = TURN_TICKET_LEN;
	client_user(&w.b, "bob", "builder");
	assert_int_equal(move(&w, &w.b, 600), 441);
	assert_int_equal(w.f.h.store.live_moves, 0);
	world_end(&w, &w.f.c);
}

// The 5-tuple of another allocation is not free.
static void place_is_taken(void **state)
{
	struct world w;

	(void)state;
	world_allocate(&w);
	client_user(&w.b, "bob", "builder");
	assert_int_equal(client_allocate(&w.f.h, &w.b, 0), 0);
	client_user(&w.b, USER, PASSWORD);
	assert_int_equal(move(&w, &w.b, 600), 437);
	assert_int_equal(w.f.h.store.live_moves, 0);
	client_user(&w.b, "bob", "builder");
	assert_int_equal(client_refresh(&w.f.h, &w.b, 0), 0);
	world_end(&w, &w.f.c);
}

// A NAT gives the client another port, and the first one again.
static void nat_flips_its_port_and_back(void **state)
{
	struct world w;

	(void)state;
	world_allocate(&w);
	assert_int_equal(challenge_move(&w, &w.b), 0);
	// Back before a message: the move is over.
	assert_int_equal(move(&w, &w.f.c, 600), 0);
	assert_int_equal(w.f.h.store.live_moves, 0);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 437);
	// And back after it.
	assert_int_equal(move(&w, &w.b, 600), 0);
	assert_true(report(&w, &w.b, successor(&w, &w.f.c)));
	assert_int_equal(move(&w, &w.f.c, 600), 0);
	assert_true(report(&w, &w.f.c, successor(&w, &w.b)));
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 0);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 437);
	world_end(&w, &w.f.c);
}

static void third_tuple_takes_over(void **state)
{
	struct world w;
	struct client third;

	(void)state;
	world_allocate(&w);
	client_init(&third, 0xc6336403, 50000);
	assert_int_equal(challenge_move(&w, &w.b), 0);
	assert_int_equal(challenge_move(&w, &third), 0);
	assert_int_equal(w.f.h.store.live_moves, 1);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 437);
	assert_true(report(&w, &third, successor(&w, &w.f.c)));
	world_end(&w, &third);
}

// Begins moves to and fro until one is refused.
static unsigned moves_until_refused(struct world *w)
{
	unsigned n = 0;

	while (move(w, n % 2 == 0 ? &w->b : &w->f.c, 600) == 0 && n < 100)
		n++;
	return n;
}

// Each one is work for all entries of the allocation.
static void moves_have_a_rate(void **state)
{
	struct world w;
	unsigned n;

	(void)state;
	world_allocate(&w);
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
	world_end(&w, &w.f.c);
}

static void full_tables_refuse_the_move(void **state)
{
	struct world w;

	(void)state;
	world_allocate(&w);
	w.f.h.store.max_moves = 0;
	assert_int_equal(challenge_move(&w, &w.b), 508);
	w.f.h.store.max_moves = 1;
	assert_int_equal(move(&w, &w.b, 600), 0);
	world_end(&w, &w.b);
}

// Another process takes over in the middle, and after the end.
static void restart_goes_on(void **state)
{
	struct world w;

	(void)state;
	world_allocate(&w);
	assert_int_equal(challenge_move(&w, &w.b), 0);
	harness_restart(&w.f.h);
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 0);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 0);
	assert_true(report(&w, &w.b, successor(&w, &w.f.c)));
	harness_restart(&w.f.h);
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 437);
	assert_int_equal(move(&w, &w.f.c, 600), 0);
	harness_sleep(&w.f.h, (TURN_MOVE_S + 2) * SECOND);
	assert_int_equal(w.f.h.store.live_moves, 0);
	world_end(&w, &w.b);
}

// Another configuration, for `listeners`; nothing is swept yet.
static void reconfigure(struct world *w, struct turn_listener *listeners, size_t n)
{
	w->f.h.conf.listeners = listeners;
	w->f.h.conf.n_listeners = n;
	assert_int_equal(turn_reconfigure(w->f.h.s, &w->f.h.conf), 0);
}

static void sweep(struct world *w)
{
	while (turn_deadline(w->f.h.s) == 0) {
		turn_advance(w->f.h.s, w->f.h.now_ns, 4);
		harness_drain(&w->f.h);
	}
}

// A reload takes the second 5-tuple's listener away, and the client's message comes before the
// sweep.
static void removed_listener_is_not_moved_to(void **state)
{
	struct world w;
	uint32_t second;

	(void)state;
	world_allocate(&w);
	w.b.tuple.listener_id = LISTENER6_ID;
	assert_int_equal(challenge_move(&w, &w.b), 0);
	second = successor(&w, &w.f.c);
	reconfigure(&w, w.f.h.listeners, 1);
	assert_true(report(&w, &w.b, second));
	assert_int_equal(w.f.h.store.live_moves, 0);
	assert_non_null(client_allocation(&w.f.h, &w.f.c));
	assert_int_equal(turn_get_counters(w.f.h.s)->moves_abandoned, 1);
	sweep(&w);
	assert_int_equal(w.f.h.n_closed, 0);
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 0);
	world_end(&w, &w.f.c);
}

// A reload takes the first 5-tuple's listener away: the second one is good.
static void removed_first_listener_finishes_it(void **state)
{
	struct world w;

	(void)state;
	world_allocate(&w);
	w.b.tuple.listener_id = LISTENER6_ID;
	assert_int_equal(challenge_move(&w, &w.b), 0);
	reconfigure(&w, w.f.h.listeners + 1, 1);
	sweep(&w);
	assert_int_equal(w.f.h.n_closed, 0);
	assert_int_equal(w.f.h.store.live_moves, 0);
	assert_int_equal(turn_get_counters(w.f.h.s)->moves, 1);
	assert_int_equal(client_refresh(&w.f.h, &w.b, 600), 0);
	reconfigure(&w, w.f.h.listeners, 2);
	world_end(&w, &w.b);
}

static void without_both_listeners_it_ends(void **state)
{
	struct turn_listener other;
	struct world w;

	(void)state;
	world_allocate(&w);
	assert_int_equal(challenge_move(&w, &w.b), 0);
	other = w.f.h.listeners[1];
	reconfigure(&w, &other, 1);
	sweep(&w);
	assert_int_equal(w.f.h.n_closed, 1);
	assert_int_equal(w.f.h.reason, TURN_CLOSE_CONFIG);
	reconfigure(&w, w.f.h.listeners, 2);
	world_end(&w, NULL);
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

		world_allocate(&w);
		w.b.tuple.listener_id = LISTENER6_ID;
		assert_int_equal(challenge_move(&w, &w.b), 0);
		ban(&w, &w.b);
		if (removed)
			reconfigure(&w, w.f.h.listeners + 1, 1);
		sweep(&w);
		assert_int_equal(w.f.h.store.live_moves, 0);
		assert_int_equal(turn_get_counters(w.f.h.s)->moves_abandoned, 1);
		assert_int_equal(w.f.h.n_closed, removed);
		if (removed)
			reconfigure(&w, w.f.h.listeners, 2);
		world_end(&w, removed ? NULL : &w.f.c);
	}
}

// ---- streams ------------------------------------------------------------------------------------

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
	world_init(w);
	turn_destroy(w->f.h.s);
	w->f.h.listeners[1].transport = TP_TRANSPORT_UDP + 1;
	harness_start(&w->f.h);
	w->f.c.tuple.listener_id = w->b.tuple.listener_id = LISTENER6_ID;
	w->f.c.tuple.connection = 0x100000001;
	w->b.tuple.connection = 0x100000002;
	opened(w, &w->f.c);
	assert_int_equal(ask(w, &w->f.c, NULL, 0), 0);
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
	assert_int_equal(ask(&w, &w.b, NULL, 0), 486);
	ticket_take(&w);
	harness_sleep(&w.f.h, 3600 * SECOND);
	assert_int_equal(w.f.h.n_closed, 1);
	assert_int_equal(w.f.h.reason, TURN_CLOSE_EXPIRED);
	world_end(&w, NULL);
}

// Nobody hears by the first connection: the move is finished at once.
static void another_connection_resumes_it(void **state)
{
	struct world w;

	(void)state;
	stream_allocate(&w);
	closed(&w, &w.f.c);
	opened(&w, &w.b);
	assert_int_equal(challenge_move(&w, &w.b), 0);
	assert_int_equal(w.f.h.store.live_moves, 0);
	assert_true(client_allocation(&w.f.h, &w.b)->rec.connection == 0x100000002);
	world_end(&w, &w.b);
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
	assert_int_equal(move(&w, &w.f.c, 600), 0);
	assert_true(client_allocation(&w.f.h, &w.f.c)->rec.connection == 0x200000001);
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 600), 0);
	world_end(&w, &w.f.c);
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
	world_end(&w, &w.f.c);
}

static void connections_go_while_it_moves(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 2; first++) {
		struct world w;

		stream_allocate(&w);
		opened(&w, &w.b);
		assert_int_equal(challenge_move(&w, &w.b), 0);
		assert_int_equal(w.f.h.store.live_moves, 1);
		closed(&w, first ? &w.f.c : &w.b);
		assert_int_equal(w.f.h.store.live_moves, 0);
		assert_int_equal(w.f.h.n_closed, 0);
		assert_int_equal(client_refresh(&w.f.h, first ? &w.b : &w.f.c, 600), 0);
		world_end(&w, first ? &w.b : &w.f.c);
	}
}

// The first connection closes between a reload without the second one's listener and the sweep.
static void removed_listener_leaves_it_waiting(void **state)
{
	struct world w;

	(void)state;
	stream_allocate(&w);
	by_udp(&w.b);
	assert_int_equal(challenge_move(&w, &w.b), 0);
	reconfigure(&w, w.f.h.listeners + 1, 1);
	closed(&w, &w.f.c);
	assert_int_equal(w.f.h.store.live_moves, 0);
	assert_int_equal(turn_get_counters(w.f.h.s)->allocations_held, 1);
	sweep(&w);
	assert_int_equal(w.f.h.n_closed, 0);
	w.f.c.tuple.connection += 0x100000000;
	opened(&w, &w.f.c);
	assert_int_equal(move(&w, &w.f.c, 600), 0);
	reconfigure(&w, w.f.h.listeners, 2);
	world_end(&w, &w.f.c);
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
		assert_int_equal(challenge_move(&w, &w.b), 0);
		switch_off(&w);
		if (way == 0)
			closed(&w, &w.b);
		else
			sweep(&w);
		assert_int_equal(w.f.h.store.live_moves, 0);
		assert_int_equal(turn_get_counters(w.f.h.s)->moves_abandoned, 1);
		sweep(&w);
		assert_int_equal(w.f.h.n_closed, 0);
		world_end(&w, &w.f.c);
	}
}

static void switched_off_ends_what_waits(void **state)
{
	struct world w;

	(void)state;
	stream_allocate(&w);
	closed(&w, &w.f.c);
	switch_off(&w);
	sweep(&w);
	assert_int_equal(w.f.h.n_closed, 1);
	assert_int_equal(w.f.h.reason, TURN_CLOSE_CONFIG);
	world_end(&w, NULL);
}

static void switched_off_begins_no_move_anew(void **state)
{
	struct world w;
	uint32_t ref;

	(void)state;
	world_allocate(&w);
	ref = client_allocation(&w.f.h, &w.f.c)->ref;
	switch_off(&w);
	assert_int_equal(turn_restore_move(w.f.h.s, w.f.h.now_ns, ref, &w.b.tuple), -EINVAL);
	assert_int_equal(w.f.h.store.live_moves, 0);
	world_end(&w, &w.f.c);
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
	assert_int_equal(challenge_move(&w, &w.b), 0);
	assert_int_equal(w.f.h.store.live_moves, 0);
	world_end(&w, &w.b);
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
		cmocka_unit_test(closed_connection_leaves_it_waiting),
		cmocka_unit_test(another_connection_resumes_it),
		cmocka_unit_test(connection_of_the_same_tuple_resumes_it),
		cmocka_unit_test(new_allocation_of_the_tuple_takes_its_place),
		cmocka_unit_test(connections_go_while_it_moves),
		cmocka_unit_test(removed_listener_leaves_it_waiting),
		cmocka_unit_test(switched_off_leaves_the_first),
		cmocka_unit_test(switched_off_ends_what_waits),
		cmocka_unit_test(switched_off_begins_no_move_anew),
		cmocka_unit_test(lost_edge_leaves_it_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
