// SPDX-License-Identifier: BSD-3-Clause
// Several realms in one server: how a message finds its realm, and that equal names in two realms
// are two users.
#include "harness.h"

#define OTHER	     "other.example"
#define THIRD	     "third.example"
#define THIRD_ORIGIN "https://third.example"
#define OTHER_ID     5u
#define THIRD_ID     9u
#define ATTR_ORIGIN  0x802fu

struct world {
	struct fixture f;
	struct turn_user others[1];
	struct turn_user thirds[1];
};

// The second listener's own realm is OTHER, THIRD is chosen by its origin. The same user name in
// each, with the same password.
static void world_init(struct world *w)
{
	static const char *const origins[] = {"http://unrelated.example", THIRD_ORIGIN};
	struct harness *h = &w->f.h;
	uint8_t key[16];

	harness_init(h);
	h->conf.n_realms = 3;
	msg_key(USER, OTHER, PASSWORD, key);
	w->others[0] = (struct turn_user){.name = USER, .key = turn_key_md5(key)};
	msg_key(USER, THIRD, PASSWORD, key);
	w->thirds[0] = (struct turn_user){.name = USER, .key = turn_key_md5(key)};
	h->realms[0].user_quota = 1;
	h->realms[1] = (struct turn_realm_conf){
		.id = OTHER_ID,
		.name = OTHER,
		.users = w->others,
		.n_users = 1,
		.user_quota = 1,
	};
	h->realms[2] = (struct turn_realm_conf){
		.id = THIRD_ID,
		.name = THIRD,
		.users = w->thirds,
		.n_users = 1,
		.origins = origins,
		.n_origins = 2,
	};
	h->listeners[1].realm = 1;
	fixture_start(&w->f);
}

static void client_of(struct client *c, const char *realm, uint16_t listener, uint16_t port)
{
	client_init(c, 0xc6336401, port);
	c->tuple.listener_id = listener;
	c->realm = realm;
	client_user(c, USER, PASSWORD);
}

static unsigned challenge(struct harness *h, struct client *c, const char *origin)
{
	struct msg m;
	unsigned code;
	uint16_t len;
	const uint8_t *value;

	client_start(c, &m, MSG_ALLOCATE);
	if (origin != NULL)
		msg_text(&m, ATTR_ORIGIN, origin);
	code = client_send(h, c, &m);
	value = reply_attr(h->reply, h->reply_len, ATTR_NONCE, 0, &len);
	assert_non_null(value);
	memcpy(c->nonce, value, len);
	c->nonce[len] = '\0';
	return code;
}

static void assert_realm(const struct harness *h, const char *realm)
{
	uint16_t len;
	const uint8_t *value = reply_attr(h->reply, h->reply_len, ATTR_REALM, 0, &len);

	assert_non_null(value);
	assert_int_equal(len, strlen(realm));
	assert_memory_equal(value, realm, len);
}

static void listener_or_origin_chooses(void **state)
{
	static const struct {
		uint16_t listener;
		const char *origin;
		const char *realm;
	} rows[] = {
		{LISTENER_ID, NULL, REALM},
		{LISTENER6_ID, NULL, OTHER},
		{LISTENER_ID, "https://nobody.example", REALM},
		{LISTENER_ID, THIRD_ORIGIN, THIRD},
		{LISTENER6_ID, THIRD_ORIGIN, THIRD},
		{LISTENER6_ID, "https://third.exampl", OTHER},
	};
	struct world w;

	(void)state;
	world_init(&w);
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct client c;

		client_of(&c, rows[i].realm, rows[i].listener, (uint16_t)(6000 + i));
		assert_int_equal(challenge(&w.f.h, &c, rows[i].origin), 401);
		assert_realm(&w.f.h, rows[i].realm);
	}
	harness_stop(&w.f.h);
}

static unsigned allocate(struct harness *h, struct client *c)
{
	struct msg m;

	client_start(c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	return client_finish(h, c, &m);
}

// Once chosen, REALM names it: ORIGIN need not come again.
static void realm_attribute_keeps_the_choice(void **state)
{
	struct world w;
	struct client c;

	(void)state;
	world_init(&w);
	client_of(&c, THIRD, LISTENER_ID, 6000);
	assert_int_equal(challenge(&w.f.h, &c, THIRD_ORIGIN), 401);
	assert_int_equal(allocate(&w.f.h, &c), 0);
	assert_int_equal(w.f.h.record.realm_id, THIRD_ID);
	assert_int_equal(client_refresh(&w.f.h, &c, 600), 0);
	harness_stop(&w.f.h);
}

// OTHER has no origins: only its listener leads there, with any REALM and nonce.
static void realm_of_another_listener_is_foreign(void **state)
{
	struct world w;
	struct client c;

	(void)state;
	world_init(&w);
	client_of(&c, OTHER, LISTENER6_ID, 6000);
	assert_int_equal(challenge(&w.f.h, &c, NULL), 401);
	c.tuple.listener_id = LISTENER_ID;
	assert_int_equal(allocate(&w.f.h, &c), 438);
	assert_realm(&w.f.h, REALM);
	harness_stop(&w.f.h);
}

// Clauses: 8489 9.2.4-13
static void nonce_of_another_realm_is_stale(void **state)
{
	struct world w;
	struct client c;

	(void)state;
	world_init(&w);
	client_of(&c, THIRD, LISTENER_ID, 6000);
	assert_int_equal(challenge(&w.f.h, &c, NULL), 401); // of REALM
	assert_int_equal(allocate(&w.f.h, &c), 438);
	assert_realm(&w.f.h, THIRD);
	harness_stop(&w.f.h);
}

// The quota of each is one; counters count apart.
static void equal_names_are_two_users(void **state)
{
	struct world w;
	struct client a, b, c;
	struct harness *h = &w.f.h;

	(void)state;
	world_init(&w);
	client_of(&a, REALM, LISTENER_ID, 6000);
	client_of(&b, OTHER, LISTENER6_ID, 6001);
	assert_int_equal(client_allocate(h, &a, 0), 0);
	assert_int_equal(h->record.realm_id, 0);
	assert_int_equal(client_allocate(h, &b, 0), 0);
	assert_int_equal(h->record.realm_id, OTHER_ID);
	client_of(&c, OTHER, LISTENER6_ID, 6002);
	assert_int_equal(client_allocate(h, &c, 0), 486);
	assert_int_equal(h->refusal.realm_id, OTHER_ID);
	assert_int_equal(turn_get_realm_counters(h->s, 0)->allocations_opened, 1);
	assert_int_equal(turn_get_realm_counters(h->s, OTHER_ID)->allocations_opened, 1);
	assert_int_equal(turn_get_realm_counters(h->s, THIRD_ID)->requests, 0);
	assert_null(turn_get_realm_counters(h->s, 77));
	assert_int_equal(client_refresh(h, &b, 0), 0);
	assert_int_equal(turn_get_realm_counters(h->s, OTHER_ID)->allocations_closed, 1);
	assert_int_equal(turn_get_realm_counters(h->s, 0)->allocations_closed, 0);
	harness_stop(h);
}

// A ban of one realm's user is none of another's of the same name.
static void a_ban_is_for_one_realm(void **state)
{
	struct turn_ban ban = {.kind = TURN_BAN_USER, .realm_id = OTHER_ID};
	uint32_t index = TURN_BANS_MAX;
	struct client other;
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(client_allocate(&w.f.h, &w.f.c, 0), 0);
	client_of(&other, OTHER, LISTENER6_ID, 6000);
	assert_int_equal(client_allocate(&w.f.h, &other, 0), 0);
	ban.until_s = w.f.h.wall_s + 100;
	ban.name_len = sizeof(USER) - 1;
	memcpy(ban.name, USER, ban.name_len);
	assert_int_equal(turn_ban_add(w.f.h.s, w.f.h.now_ns, w.f.h.wall_s, &ban, &index), 0);
	turn_advance(w.f.h.s, w.f.h.now_ns, 1000);
	harness_drain(&w.f.h);
	assert_int_equal(w.f.h.n_closed, 1);
	assert_int_equal(client_refresh(&w.f.h, &w.f.c, 0), 0);
	w.f.c.tuple.remote.port_be = tp_htons(7000);
	assert_int_equal(client_allocate(&w.f.h, &w.f.c, 0), 0);
	other.tuple.remote.port_be = tp_htons(7000);
	assert_int_equal(client_allocate(&w.f.h, &other, 0), 401);
	assert_int_equal(w.f.h.refusal.cause, TURN_REFUSED_BANNED);
	harness_stop(&w.f.h);
}

// The allocation of one realm's user is not another's of the same name.
// Clauses: 8656 5-3
static void other_realms_user_is_441(void **state)
{
	struct world w;
	struct client c;

	(void)state;
	world_init(&w);
	client_of(&c, REALM, LISTENER_ID, 6000);
	assert_int_equal(client_allocate(&w.f.h, &c, 0), 0);
	client_of(&c, THIRD, LISTENER_ID, 6000);
	assert_int_equal(challenge(&w.f.h, &c, THIRD_ORIGIN), 401);
	assert_int_equal(client_refresh(&w.f.h, &c, 0), 441);
	harness_stop(&w.f.h);
}

static void realm_has_limits(void **state)
{
	const struct tp_addr peer = tp_addr_ipv4(0x08080808, 4000);
	struct world w;
	struct client c;

	(void)state;
	world_init(&w);
	turn_destroy(w.f.h.s);
	w.f.h.realms[2].max_allocations = 1;
	harness_start(&w.f.h);
	client_of(&c, THIRD, LISTENER_ID, 6000);
	assert_int_equal(challenge(&w.f.h, &c, THIRD_ORIGIN), 401);
	assert_int_equal(allocate(&w.f.h, &c), 0);
	assert_int_equal(client_permit(&w.f.h, &c, &peer), 0);
	client_of(&c, THIRD, LISTENER_ID, 6001);
	assert_int_equal(challenge(&w.f.h, &c, THIRD_ORIGIN), 401);
	assert_int_equal(allocate(&w.f.h, &c), 508);
	assert_int_equal(w.f.h.refusal.cause, TURN_REFUSED_ALLOCATIONS);
	client_of(&c, REALM, LISTENER_ID, 6002);
	assert_int_equal(client_allocate(&w.f.h, &c, 0), 0);
	harness_stop(&w.f.h);
}

static void restart_keeps_realm_and_identity(void **state)
{
	struct world w;
	struct client a, b;
	struct harness *h = &w.f.h;

	(void)state;
	world_init(&w);
	client_of(&a, OTHER, LISTENER6_ID, 6000);
	assert_int_equal(client_allocate(h, &a, 0), 0);
	harness_restart(h);
	assert_int_equal(client_refresh(h, &a, 600), 0);
	client_of(&b, OTHER, LISTENER6_ID, 6001);
	assert_int_equal(client_allocate(h, &b, 0), 486);
	client_of(&b, REALM, LISTENER_ID, 6002);
	assert_int_equal(client_allocate(h, &b, 0), 0);
	harness_stop(h);
}

// A reload gives the listener of one allocation, and the origin of another, to other realms.
static void allocations_keep_their_realm(void **state)
{
	struct harness *h;
	struct client a, b;
	struct world w;

	(void)state;
	world_init(&w);
	h = &w.f.h;
	client_of(&a, OTHER, LISTENER6_ID, 6000);
	assert_int_equal(challenge(h, &a, NULL), 401);
	assert_int_equal(allocate(h, &a), 0);
	client_of(&b, THIRD, LISTENER_ID, 6001);
	assert_int_equal(challenge(h, &b, THIRD_ORIGIN), 401);
	assert_int_equal(allocate(h, &b), 0);
	h->listeners[1].realm = 0;
	h->realms[2].n_origins = 0;
	assert_int_equal(turn_reconfigure(h->s, &h->conf), 0);
	assert_int_equal(client_refresh(h, &a, 600), 0);
	assert_int_equal(client_refresh(h, &b, 600), 0);
	// New ones there are of the new realm.
	client_of(&b, OTHER, LISTENER6_ID, 6002);
	assert_int_equal(challenge(h, &b, NULL), 401);
	assert_realm(h, REALM);
	harness_stop(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listener_or_origin_chooses),
		cmocka_unit_test(realm_attribute_keeps_the_choice),
		cmocka_unit_test(realm_of_another_listener_is_foreign),
		cmocka_unit_test(nonce_of_another_realm_is_stale),
		cmocka_unit_test(equal_names_are_two_users),
		cmocka_unit_test(a_ban_is_for_one_realm),
		cmocka_unit_test(other_realms_user_is_441),
		cmocka_unit_test(realm_has_limits),
		cmocka_unit_test(restart_keeps_realm_and_identity),
		cmocka_unit_test(allocations_keep_their_realm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
