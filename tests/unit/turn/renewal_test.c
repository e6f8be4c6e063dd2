// SPDX-License-Identifier: BSD-3-Clause
// A Refresh with a token: it renews the call or leaves it as it is.
#include "bearer.h"

static uint64_t renewed(const struct bearer *f)
{
	return turn_get_counters(f->h.s)->tokens_renewed;
}

// As coturn's client: each Refresh brings a token under any key of the server.
static void a_refresh_with_a_new_token_renews(void **state)
{
	const struct turn_allocation_record *owner;
	struct bearer f;

	(void)state;
	bearer_init(&f);
	harness_start(&f.h);
	assert_int_equal(bearer_allocate(&f), 0);
	// The same one again is no renewal.
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 0);
	assert_int_equal(renewed(&f), 0);
	bearer_take(&f, "north", bearer_token_other, MAC_KEY_OTHER);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, false), 401);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 0);
	assert_int_equal(renewed(&f), 1);
	// From now on its key is the allocation's, after a restart too, and the old one is no more.
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, false), 0);
	harness_restart(&f.h);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, false), 0);
	f.mac_key = MAC_KEY;
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, false), 401);
	// Under another key of the server.
	bearer_take(&f, "south", bearer_token_128, MAC_KEY);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 0);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, false), 0);
	owner = &client_allocation(&f.h, &f.c)->rec;
	assert_int_equal(owner->username_len, strlen("south"));
	assert_memory_equal(owner->username, "south", strlen("south"));
	// Also where it ends the call.
	bearer_take(&f, "north", bearer_token_other, MAC_KEY_OTHER);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 0, true), 0);
	assert_int_equal(f.h.n_closed, 1);
	harness_stop(&f.h);
}

static void a_renewal_that_is_refused_changes_nothing(void **state)
{
	struct bearer f;
	struct client first;

	(void)state;
	bearer_init(&f);
	f.h.realms[0].user_quota = 1;
	harness_start(&f.h);
	assert_int_equal(bearer_allocate(&f), 0);
	first = f.c;
	client_init(&f.c, 0xc6336401, 5001);
	bearer_take(&f, "north", bearer_token_other, MAC_KEY_OTHER);
	assert_int_equal(bearer_allocate(&f), 0);
	f.c = first;
	f.c.user = "north";
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 486);
	bearer_take(&f, "south", bearer_token_128, MAC_KEY);
	f.h.store.max_allocations = 1;
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 508);
	f.h.store.max_allocations = 100;
	bearer_take(&f, "north", bearer_token_256, MAC_KEY);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, false), 0);
	assert_int_equal(renewed(&f), 0);
	// A token that is none leaves it alone, too.
	f.token.octets[20] ^= 1;
	f.mac_key = MAC_KEY_OTHER;
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 401);
	f.mac_key = MAC_KEY;
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 0);
	assert_int_equal(renewed(&f), 0);
	f.token.octets[20] ^= 1;
	// The quota goes along: the first token's is free again.
	bearer_take(&f, "south", bearer_token_128, MAC_KEY);
	f.h.realms[0].user_quota = 2;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	bearer_take(&f, "north", bearer_token_other, MAC_KEY_OTHER);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 0);
	assert_int_equal(renewed(&f), 1);
	client_init(&f.c, 0xc6336401, 5002);
	bearer_take(&f, "north", bearer_token_other, MAC_KEY_OTHER);
	assert_int_equal(bearer_allocate(&f), 486);
	bearer_take(&f, "north", bearer_token_256, MAC_KEY);
	for (uint16_t port = 5003; port <= 5005; port++) {
		client_init(&f.c, 0xc6336401, port);
		f.c.user = "north";
		assert_int_equal(bearer_allocate(&f), port < 5005 ? 0 : 486);
	}
	harness_stop(&f.h);
}

// The new token is banned, as when a call with it was killed.
static void a_banned_token_renews_nothing(void **state)
{
	uint32_t index = TURN_BANS_MAX;
	struct turn_ban ban;
	struct client second;
	struct bearer f;

	(void)state;
	bearer_init(&f);
	harness_start(&f.h);
	assert_int_equal(bearer_allocate(&f), 0);
	second = f.c;
	client_init(&f.c, 0xc6336401, 5001);
	bearer_take(&f, "north", bearer_token_other, MAC_KEY_OTHER);
	assert_int_equal(bearer_allocate(&f), 0);
	assert_int_equal(
		turn_ban_of_credential(f.h.s, client_allocation(&f.h, &f.c)->ref, f.h.wall_s, &ban),
		0);
	assert_int_equal(turn_ban_add(f.h.s, f.h.now_ns, f.h.wall_s, &ban, &index), 0);
	turn_advance(f.h.s, f.h.now_ns, 1000);
	harness_drain(&f.h);
	assert_int_equal(f.h.n_closed, 1);
	f.c = second;
	f.c.user = "north";
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 401);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_BANNED);
	assert_int_equal(renewed(&f), 0);
	bearer_take(&f, "north", bearer_token_256, MAC_KEY);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 0);
	harness_stop(&f.h);
}

static void relayed_ports_go_along(void **state)
{
	struct bearer f;

	(void)state;
	bearer_init(&f);
	f.h.conf.port_min = 50000;
	f.h.conf.port_max = 50008;
	harness_start(&f.h);
	for (uint16_t port = 5000; port <= 5008; port++) {
		client_init(&f.c, 0xc6336401, port);
		f.c.user = "north";
		assert_int_equal(bearer_allocate(&f), port < 5008 ? 0 : 508);
	}
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_PORTS_SHARE);
	for (uint16_t port = 5000; port <= 5001; port++) {
		client_init(&f.c, 0xc6336401, port);
		bearer_take(&f, "north", bearer_token_other, MAC_KEY_OTHER);
		client_challenge(&f.h, &f.c);
		assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 0);
	}
	client_init(&f.c, 0xc6336401, 5008);
	bearer_take(&f, "north", bearer_token_256, MAC_KEY);
	assert_int_equal(bearer_allocate(&f), 0);
	harness_stop(&f.h);
}

// Clients send the token of the Allocate with each Refresh. The allocation goes on with its key
// when the server's has left, until the token's own time is over.
static void a_token_outlives_its_key(void **state)
{
	struct bearer f;

	(void)state;
	bearer_init(&f);
	harness_start(&f.h);
	assert_int_equal(bearer_allocate(&f), 0);
	f.h.realms[0].token_keys = &bearer_key_128;
	f.h.realms[0].n_token_keys = 1;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 0);
	f.mac_key = MAC_KEY_OTHER;
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 401);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_TOKEN);
	f.mac_key = MAC_KEY;
	f.h.wall_s = ISSUED_S + LIFE_S + TURN_TOKEN_SKEW_S;
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 0);
	f.h.wall_s++;
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 401);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_CREDENTIAL_EXPIRED);
	assert_int_equal(renewed(&f), 0);
	harness_stop(&f.h);
}

static uint32_t user_sessions(const struct bearer *f)
{
	const struct turn_limit *l =
		fake_store_limit(&f->h.store, client_allocation(&f->h, &f->c)->limit);

	l = fake_store_limit(&f->h.store, l->parent);
	assert_int_equal(l->kind, TP_LIMIT_USER);
	return l->sessions;
}

static void clients_swap(struct bearer *f, struct client *other)
{
	struct client c = f->c;

	f->c = *other;
	*other = c;
}

static void a_renewal_takes_the_cap_along(void **state)
{
	struct client second;
	struct bearer f;

	(void)state;
	bearer_init(&f);
	f.h.realms[0].user_cap = (struct turn_cap){.packets_per_s = 300, .burst_packets = 12};
	harness_start(&f.h);
	// Two calls of one token, each with a limit below the user's.
	client_init(&second, 0xc6336401, 5001);
	second.user = "north";
	assert_int_equal(bearer_allocate(&f), 0);
	clients_swap(&f, &second);
	assert_int_equal(bearer_allocate(&f), 0);
	assert_int_equal(user_sessions(&f), 2);
	assert_int_equal(f.h.store.live_limits, 3);
	// One goes to a user of its own, then the other one after it.
	bearer_take(&f, "south", bearer_token_128, MAC_KEY);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 0);
	assert_int_equal(user_sessions(&f), 1);
	assert_int_equal(f.h.store.live_limits, 4);
	clients_swap(&f, &second);
	assert_int_equal(user_sessions(&f), 1);
	bearer_take(&f, "south", bearer_token_128, MAC_KEY);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 0);
	assert_int_equal(user_sessions(&f), 2);
	assert_int_equal(f.h.store.live_limits, 3);
	assert_int_equal(renewed(&f), 2);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 0, false), 0);
	clients_swap(&f, &second);
	f.c.user = "south";
	assert_int_equal(user_sessions(&f), 1);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 0, false), 0);
	assert_int_equal(f.h.store.live_limits, 0);
	harness_stop(&f.h);
}

// A user with a password stays the owner.
static void a_token_renews_nothing_but_tokens(void **state)
{
	struct bearer f;

	(void)state;
	bearer_init(&f);
	harness_start(&f.h);
	client_init(&f.c, 0xc6336401, 5000);
	assert_int_equal(client_allocate(&f.h, &f.c, 600), 0);
	bearer_take(&f, "north", bearer_token_256, MAC_KEY);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 441);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refresh_with_a_new_token_renews),
		cmocka_unit_test(a_renewal_that_is_refused_changes_nothing),
		cmocka_unit_test(a_banned_token_renews_nothing),
		cmocka_unit_test(relayed_ports_go_along),
		cmocka_unit_test(a_token_outlives_its_key),
		cmocka_unit_test(a_renewal_takes_the_cap_along),
		cmocka_unit_test(a_token_renews_nothing_but_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
