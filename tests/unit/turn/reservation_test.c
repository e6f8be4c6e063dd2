// SPDX-License-Identifier: BSD-3-Clause
// EVEN-PORT with its R bit and RESERVATION-TOKEN (RFC 8656 7.2).
#include "harness.h"

#define RESERVATION_S 40

struct token {
	uint8_t octets[8];
};

static void allocate_write(struct client *c, struct msg *m)
{
	client_start(c, m, MSG_ALLOCATE);
	msg_u32(m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
}

static bool token_read(const struct harness *h, struct token *token)
{
	uint16_t len;
	const uint8_t *value = reply_attr(h->reply, h->reply_len, ATTR_RESERVATION_TOKEN, 0, &len);

	if (value == NULL)
		return false;
	assert_int_equal(len, sizeof(token->octets));
	memcpy(token->octets, value, len);
	return true;
}

static void relayed_read(const struct harness *h, struct client *c)
{
	assert_true(
		reply_xor_addr(h->reply, h->reply_len, ATTR_XOR_RELAYED_ADDRESS, 0, &c->relayed));
}

// An Allocate request with EVEN-PORT by a new client port; the code.
static unsigned pair_allocate(struct fixture *f, uint16_t port, uint8_t bits, struct msg *m)
{
	unsigned code;

	f->c.tuple.remote.port_be = tp_htons(port);
	client_challenge(&f->h, &f->c);
	allocate_write(&f->c, m);
	msg_attr(m, ATTR_EVEN_PORT, &bits, 1);
	code = client_finish(&f->h, &f->c, m);
	if (code == 0)
		relayed_read(&f->h, &f->c);
	return code;
}

static void pair_make(struct fixture *f, uint16_t port, struct token *token)
{
	struct msg m;

	assert_int_equal(pair_allocate(f, port, 0x80, &m), 0);
	assert_int_equal(tp_addr_port(&f->c.relayed) % 2, 0);
	assert_true(token_read(&f->h, token));
}

static unsigned token_use(struct fixture *f, uint16_t port, const struct token *token)
{
	struct msg m;
	unsigned code;

	f->c.tuple.remote.port_be = tp_htons(port);
	client_challenge(&f->h, &f->c);
	allocate_write(&f->c, &m);
	msg_attr(&m, ATTR_RESERVATION_TOKEN, token->octets, sizeof(token->octets));
	code = client_finish(&f->h, &f->c, &m);
	if (code == 0)
		relayed_read(&f->h, &f->c);
	return code;
}

static void next_port_is_the_bearers(void **state)
{
	struct fixture f;
	struct token token;
	struct tp_addr even;

	(void)state;
	fixture_init(&f);
	pair_make(&f, 1, &token);
	even = f.c.relayed;
	assert_int_equal(token_use(&f, 2, &token), 0);
	assert_true(tp_addr_same_ip(&f.c.relayed, &even));
	assert_int_equal(tp_addr_port(&f.c.relayed), tp_addr_port(&even) + 1);
	// Once. The second allocation reserves nothing.
	assert_false(reply_has(&f.h, ATTR_RESERVATION_TOKEN));
	assert_int_equal(token_use(&f, 3, &token), 508);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_RESERVATION);
	assert_int_equal(turn_get_counters(f.h.s)->reservations_made, 1);
	assert_int_equal(turn_get_counters(f.h.s)->reservations_used, 1);
	harness_stop(&f.h);
}

static void even_port_alone_reserves_nothing(void **state)
{
	struct fixture f;
	struct token token;
	struct msg m;

	(void)state;
	harness_init(&f.h);
	f.h.conf.port_min = 50000;
	f.h.conf.port_max = 50003;
	fixture_start(&f);
	assert_int_equal(pair_allocate(&f, 1, 0, &m), 0);
	assert_false(token_read(&f.h, &token));
	assert_int_equal(pair_allocate(&f, 2, 0x7f, &m), 0);
	assert_false(token_read(&f.h, &token));
	assert_int_equal(f.h.store.live_reservations, 0);
	// Both odd ports are there for anybody.
	f.c.tuple.remote.port_be = tp_htons(3);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	f.c.tuple.remote.port_be = tp_htons(4);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	harness_stop(&f.h);
}

// A request without a pair in reach takes no port.
static void without_a_pair_it_is_508(void **state)
{
	struct fixture f;
	struct token token;
	struct msg m;

	(void)state;
	harness_init(&f.h);
	f.h.conf.port_min = 50001;
	f.h.conf.port_max = 50003;
	fixture_start(&f);
	pair_make(&f, 1, &token);
	assert_int_equal(tp_addr_port(&f.c.relayed), 50002);
	for (uint16_t port = 2; port < 6; port++)
		assert_int_equal(pair_allocate(&f, port, 0x80, &m), 508);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_PORTS);
	f.c.tuple.remote.port_be = tp_htons(6);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	assert_int_equal(tp_addr_port(&f.c.relayed), 50001);
	// The reserved port is nobody else's.
	f.c.tuple.remote.port_be = tp_htons(7);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 508);
	assert_int_equal(token_use(&f, 8, &token), 0);
	assert_int_equal(tp_addr_port(&f.c.relayed), 50003);
	harness_stop(&f.h);
}

static void token_is_the_users(void **state)
{
	static const struct token guess = {{1, 2, 3, 4, 5, 6, 7, 8}};
	struct fixture f;
	struct token token;

	(void)state;
	fixture_init(&f);
	pair_make(&f, 1, &token);
	client_user(&f.c, "bob", "builder");
	assert_int_equal(token_use(&f, 2, &token), 508);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_RESERVATION);
	client_user(&f.c, USER, PASSWORD);
	assert_int_equal(token_use(&f, 2, &guess), 508);
	assert_int_equal(token_use(&f, 2, &token), 0);
	harness_stop(&f.h);
}

static void tokens_differ(void **state)
{
	struct token tokens[32];
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (uint16_t i = 0; i < TP_ARRAY_LEN(tokens); i++) {
		pair_make(&f, 1 + i, &tokens[i]);
		for (uint16_t k = 0; k < i; k++) {
			assert_memory_not_equal(tokens[i].octets, tokens[k].octets, 4);
			assert_memory_not_equal(tokens[i].octets + 4, tokens[k].octets + 4, 4);
		}
	}
	harness_stop(&f.h);
}

// Clauses: 8656 7.2-6
static void time_ends_a_reservation(void **state)
{
	struct fixture f;
	struct token token;
	uint16_t odd;

	(void)state;
	harness_init(&f.h);
	f.h.conf.port_min = 50000;
	f.h.conf.port_max = 50001;
	fixture_start(&f);
	pair_make(&f, 1, &token);
	odd = tp_addr_port(&f.c.relayed) + 1;
	harness_sleep(&f.h, (RESERVATION_S - 1) * SECOND);
	assert_int_equal(f.h.store.live_reservations, 1);
	harness_sleep(&f.h, 3 * SECOND);
	assert_int_equal(f.h.store.live_reservations, 0);
	assert_int_equal(token_use(&f, 2, &token), 508);
	// It cools down like a port that was used, and is the last that is given meanwhile.
	assert_int_equal(f.h.store.remains.n_ports, 1);
	assert_int_equal(f.h.store.remains.ports[0], odd);
	f.c.tuple.remote.port_be = tp_htons(3);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	assert_int_equal(tp_addr_port(&f.c.relayed), odd);
	harness_stop(&f.h);
}

// Also for a server that is late with its timers.
static void old_token_is_refused(void **state)
{
	struct fixture f;
	struct token token;

	(void)state;
	fixture_init(&f);
	pair_make(&f, 1, &token);
	f.h.now_ns += (RESERVATION_S + 2) * SECOND;
	assert_int_equal(token_use(&f, 2, &token), 508);
	harness_stop(&f.h);
}

// It lives on when the allocation that made it ends.
static void token_outlives_its_allocation(void **state)
{
	struct fixture f;
	struct token token;

	(void)state;
	fixture_init(&f);
	pair_make(&f, 1, &token);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	assert_int_equal(token_use(&f, 1, &token), 0);
	harness_stop(&f.h);
}

// Clauses: 8489 6.3.1-2
static void repetition_hears_the_token_again(void **state)
{
	uint8_t first[2048];
	struct fixture f;
	struct token token;
	struct msg m;
	size_t len;

	(void)state;
	fixture_init(&f);
	assert_int_equal(pair_allocate(&f, 1, 0x80, &m), 0);
	assert_true(token_read(&f.h, &token));
	len = f.h.reply_len;
	memcpy(first, f.h.reply, len);
	for (unsigned i = 0; i < 4; i++) {
		if (i == 1)
			harness_restart(&f.h);
		// Another transaction used it meanwhile.
		if (i == 2) {
			assert_int_equal(token_use(&f, 2, &token), 0);
			f.c.tuple.remote.port_be = tp_htons(1);
		}
		if (i == 3)
			harness_restart(&f.h);
		assert_int_equal(client_send(&f.h, &f.c, &m), 0);
		assert_int_equal(f.h.reply_len, len);
		assert_memory_equal(f.h.reply, first, len);
	}
	assert_int_equal(f.h.store.live_reservations, 1);
	harness_stop(&f.h);
}

static void restart_keeps_it(void **state)
{
	struct fixture f;
	struct token token, used;
	struct tp_addr even;

	(void)state;
	harness_init(&f.h);
	f.h.realms[0].user_quota = 3;
	fixture_start(&f);
	pair_make(&f, 1, &used);
	assert_int_equal(token_use(&f, 2, &used), 0);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	pair_make(&f, 3, &token);
	even = f.c.relayed;
	harness_restart(&f.h);
	// The quota too: two, and a reservation.
	f.c.tuple.remote.port_be = tp_htons(4);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 486);
	assert_int_equal(token_use(&f, 5, &used), 508);
	assert_int_equal(token_use(&f, 5, &token), 0);
	assert_int_equal(tp_addr_port(&f.c.relayed), tp_addr_port(&even) + 1);
	harness_restart(&f.h);
	assert_int_equal(token_use(&f, 6, &token), 508);
	harness_stop(&f.h);
}

// The process died between the allocation and the note that the reservation was used.
static void restart_notices_a_port_in_use(void **state)
{
	struct fixture f;
	struct token token;

	(void)state;
	fixture_init(&f);
	pair_make(&f, 1, &token);
	assert_int_equal(token_use(&f, 2, &token), 0);
	f.h.store.reservations[0].rec.used = false;
	harness_restart(&f.h);
	assert_int_equal(token_use(&f, 3, &token), 508);
	harness_sleep(&f.h, (RESERVATION_S + 2) * SECOND);
	assert_int_equal(f.h.store.remains.n_ports, 0);
	harness_stop(&f.h);
}

static void restart_after_its_time_drops_it(void **state)
{
	struct fixture f;
	struct token token;

	(void)state;
	fixture_init(&f);
	pair_make(&f, 1, &token);
	f.h.now_ns += (RESERVATION_S + 2) * SECOND;
	harness_restart(&f.h);
	assert_int_equal(f.h.store.live_reservations, 0);
	assert_int_equal(token_use(&f, 2, &token), 508);
	harness_stop(&f.h);
}

static void quota_counts_it(void **state)
{
	struct fixture f;
	struct token token;
	struct msg m;

	(void)state;
	harness_init(&f.h);
	f.h.realms[0].user_quota = 2;
	fixture_start(&f);
	pair_make(&f, 1, &token);
	f.c.tuple.remote.port_be = tp_htons(2);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 486);
	// The bearer needs no room besides.
	assert_int_equal(token_use(&f, 2, &token), 0);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	// One is too few for a pair.
	assert_int_equal(pair_allocate(&f, 3, 0x80, &m), 486);
	assert_int_equal(pair_allocate(&f, 3, 0, &m), 0);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	f.c.tuple.remote.port_be = tp_htons(1);
	client_challenge(&f.h, &f.c);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	// Its time gives the unit back.
	pair_make(&f, 4, &token);
	harness_sleep(&f.h, (RESERVATION_S + 2) * SECOND);
	f.c.tuple.remote.port_be = tp_htons(5);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	harness_stop(&f.h);
}

static void failure_leaves_nothing(void **state)
{
	struct fixture f;
	struct token token;
	struct msg m;

	(void)state;
	harness_init(&f.h);
	f.h.conf.port_min = 50000;
	f.h.conf.port_max = 50001;
	f.h.realms[0].user_quota = 2;
	f.h.store.max_allocations = 0;
	fixture_start(&f);
	for (uint16_t port = 1; port < 4; port++)
		assert_int_equal(pair_allocate(&f, port, 0x80, &m), 508);
	assert_int_equal(f.h.store.live_reservations, 0);
	f.h.store.max_allocations = 1;
	f.h.store.max_reservations = 0;
	for (uint16_t port = 1; port < 4; port++)
		assert_int_equal(pair_allocate(&f, port, 0x80, &m), 508);
	assert_int_equal(f.h.store.live_allocations, 0);
	assert_int_equal(realm_held(&f.h), 0);
	f.h.store.max_reservations = 1;
	pair_make(&f, 4, &token);
	// The token stays good when the table is full.
	assert_int_equal(token_use(&f, 5, &token), 508);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_TABLES);
	f.h.store.max_allocations = 2;
	f.c.tuple.remote.port_be = tp_htons(6);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 486);
	assert_int_equal(token_use(&f, 5, &token), 0);
	harness_stop(&f.h);
}

// A port of an address that left the configuration is not given any more.
static void address_that_left_is_not_given(void **state)
{
	struct turn_relay_address fresh = {.local = tp_addr_ipv4(0x05050503, 0), .id = 30};
	struct fixture f;
	struct token token;
	struct turn_conf conf;

	(void)state;
	fixture_init(&f);
	fresh.advertised = fresh.local;
	pair_make(&f, 1, &token);
	conf = f.h.conf;
	conf.relays = &fresh;
	conf.n_relays = 1;
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	assert_int_equal(token_use(&f, 2, &token), 508);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_port_is_the_bearers),
		cmocka_unit_test(even_port_alone_reserves_nothing),
		cmocka_unit_test(without_a_pair_it_is_508),
		cmocka_unit_test(token_is_the_users),
		cmocka_unit_test(tokens_differ),
		cmocka_unit_test(time_ends_a_reservation),
		cmocka_unit_test(old_token_is_refused),
		cmocka_unit_test(token_outlives_its_allocation),
		cmocka_unit_test(repetition_hears_the_token_again),
		cmocka_unit_test(restart_keeps_it),
		cmocka_unit_test(restart_notices_a_port_in_use),
		cmocka_unit_test(restart_after_its_time_drops_it),
		cmocka_unit_test(quota_counts_it),
		cmocka_unit_test(failure_leaves_nothing),
		cmocka_unit_test(address_that_left_is_not_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
