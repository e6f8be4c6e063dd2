// SPDX-License-Identifier: BSD-3-Clause
// Third-party authorization: tokens of another program (coturn's turnutils_oauth), and the answers
// to clients that bring them.
#include "bearer.h"

static void tokens_of_another_program(void **state)
{
	const struct bytes tokens[] = {
		bearer_decode(bearer_token_256), bearer_decode(bearer_token_128)};
	const struct turn_token_key *const keys[] = {&bearer_key_256, &bearer_key_128};
	struct turn_token t;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct bytes b = tokens[i];

		assert_true(turn_token_open(keys[i], SERVER, b.octets, b.len, &t));
		assert_int_equal(t.key.len, MAC_KEY_LEN);
		assert_memory_equal(t.key.octets, MAC_KEY, MAC_KEY_LEN);
		assert_true(t.issued_s == ISSUED_S && t.expires_s == ISSUED_S + LIFE_S);
		assert_false(turn_token_open(keys[1 - i], SERVER, b.octets, b.len, &t));
		assert_false(turn_token_open(keys[i], "turn.example.com", b.octets, b.len, &t));
		for (size_t n = 0; n < b.len; n++) {
			assert_false(turn_token_open(keys[i], SERVER, b.octets, n, &t));
			b.octets[n] ^= 1;
			assert_false(turn_token_open(keys[i], SERVER, b.octets, b.len, &t));
			b.octets[n] ^= 1;
		}
		assert_false(turn_token_open(keys[i], SERVER, b.octets, b.len + 1, &t));
	}
}

// Longer than any token is: refused before anything is decrypted.
static void long_tokens_are_not_decrypted(void **state)
{
	uint8_t token[2048] = {0, 12};
	struct turn_token t = {.expires_s = 1};

	(void)state;
	for (size_t len = 200; len <= sizeof(token); len += 8)
		assert_false(turn_token_open(&bearer_key_256, SERVER, token, len, &t));
	assert_int_equal(t.expires_s, 1);
}

// Clauses: 8656 7.2-1
static void a_token_is_a_credential(void **state)
{
	const uint8_t *name;
	struct bearer f;
	uint16_t len;

	(void)state;
	bearer_init(&f);
	harness_start(&f.h);
	client_challenge(&f.h, &f.c);
	name = reply_attr(f.h.reply, f.h.reply_len, ATTR_THIRD_PARTY, 0, &len);
	assert_non_null(name);
	assert_int_equal(len, strlen(SERVER));
	assert_memory_equal(name, SERVER, len);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 437);
	assert_false(reply_has(&f.h, ATTR_THIRD_PARTY));
	assert_int_equal(bearer_ask(&f, MSG_ALLOCATE, 3600, true), 0);
	// No more than the rest of the token.
	assert_int_equal(reply_u32(&f.h, ATTR_LIFETIME), LIFE_S - 10);
	assert_int_equal(f.h.record.identity_kind, TURN_IDENTITY_TOKEN);
	assert_true(f.h.record.credential_expires_s == ISSUED_S + LIFE_S);
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, false), 0);
	// Another process, which has lost the key, knows the allocation's.
	f.h.realms[0].n_token_keys = 0;
	harness_restart(&f.h);
	f.h.wall_s = ISSUED_S + LIFE_S - 100;
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, false), 0);
	assert_int_equal(reply_u32(&f.h, ATTR_LIFETIME), 100);
	f.h.wall_s = ISSUED_S + LIFE_S + TURN_TOKEN_SKEW_S + 1;
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, false), 401);
	harness_stop(&f.h);
}

static void wrong_tokens_are_401(void **state)
{
	static const struct {
		const char *user;
		const char *mac_key;
		int64_t at_s;
		enum turn_refusal_cause cause; // NOT: taken
	} rows[] = {
		{"north", MAC_KEY, 10, TURN_REFUSED_NOT},
		{"north", MAC_KEY, -(int64_t)TURN_TOKEN_SKEW_S, TURN_REFUSED_NOT},
		{"north", MAC_KEY, -(int64_t)TURN_TOKEN_SKEW_S - 1, TURN_REFUSED_TOKEN},
		{"north", MAC_KEY, LIFE_S + TURN_TOKEN_SKEW_S, TURN_REFUSED_NOT},
		{"north", MAC_KEY, LIFE_S + TURN_TOKEN_SKEW_S + 1, TURN_REFUSED_TOKEN},
		{"north", "ZksjpweoixXmvn67", 10, TURN_REFUSED_NOT}, // as coturn's client
		{"north", "ZksjpweoixXmvn6753", 10, TURN_REFUSED_INTEGRITY},
		{"north", "another MAC key.....", 10, TURN_REFUSED_INTEGRITY},
		{"south", MAC_KEY, 10, TURN_REFUSED_TOKEN},
		{"west", MAC_KEY, 10, TURN_REFUSED_TOKEN},
		{USER, MAC_KEY, 10, TURN_REFUSED_TOKEN},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct bearer f;

		bearer_init(&f);
		harness_start(&f.h);
		f.c.user = rows[i].user;
		f.mac_key = rows[i].mac_key;
		f.h.wall_s = (uint64_t)((int64_t)ISSUED_S + rows[i].at_s);
		assert_int_equal(bearer_allocate(&f), rows[i].cause != TURN_REFUSED_NOT ? 401 : 0);
		assert_int_equal(f.h.refusal.cause, rows[i].cause);
		harness_stop(&f.h);
	}
}

static void a_long_life_is_refused(void **state)
{
	struct bearer f;

	(void)state;
	bearer_init(&f);
	f.h.conf.credential_lifetime_s = LIFE_S - 1;
	harness_start(&f.h);
	assert_int_equal(bearer_allocate(&f), 401);
	harness_stop(&f.h);
	bearer_init(&f);
	f.h.conf.credential_lifetime_s = LIFE_S;
	harness_start(&f.h);
	assert_int_equal(bearer_allocate(&f), 0);
	harness_stop(&f.h);
}

static void keys_have_times(void **state)
{
	struct turn_token_key key = bearer_key_256;
	struct bearer f;

	(void)state;
	bearer_init(&f);
	key.not_before_s = ISSUED_S + 20;
	key.not_after_s = ISSUED_S + 30;
	f.h.realms[0].token_keys = &key;
	f.h.realms[0].n_token_keys = 1;
	harness_start(&f.h);
	f.h.wall_s = ISSUED_S + 19;
	assert_int_equal(bearer_allocate(&f), 401);
	f.h.wall_s = ISSUED_S + 31;
	assert_int_equal(bearer_allocate(&f), 401);
	f.h.wall_s = ISSUED_S + 30;
	assert_int_equal(bearer_allocate(&f), 0);
	harness_stop(&f.h);
}

// All users of one key have one name: the MAC key tells them apart.
static void users_of_one_key_are_apart(void **state)
{
	struct turn_ban ban;
	struct bearer f;
	uint32_t index = TURN_BANS_MAX;
	const struct turn_key one = {.len = 20, .octets = {1}}, two = {.len = 20, .octets = {2}};

	(void)state;
	assert_int_not_equal(turn_token_number(&one), turn_token_number(&two));
	bearer_init(&f);
	harness_start(&f.h);
	assert_int_equal(bearer_allocate(&f), 0);
	// By another key, then by the same key with another MAC key: other users.
	f.c.user = "south";
	f.token = bearer_decode(bearer_token_128);
	assert_int_equal(bearer_ask(&f, MSG_CREATE_PERMISSION, UINT32_MAX, true), 441);
	f.c.user = "north";
	f.token = bearer_decode(bearer_token_other);
	f.mac_key = MAC_KEY_OTHER;
	assert_int_equal(bearer_ask(&f, MSG_CREATE_PERMISSION, UINT32_MAX, true), 441);
	f.token = bearer_decode(bearer_token_256);
	f.mac_key = MAC_KEY;
	assert_int_equal(bearer_ask(&f, MSG_REFRESH, 600, true), 0);
	// A ban of this token is none of the key's other users.
	assert_int_equal(
		turn_ban_of_credential(f.h.s, client_allocation(&f.h, &f.c)->ref, f.h.wall_s, &ban),
		0);
	assert_true(ban.name_len == strlen("north#01234567"));
	assert_memory_equal(ban.name, "north#", 6);
	assert_int_equal(turn_ban_add(f.h.s, f.h.now_ns, f.h.wall_s, &ban, &index), 0);
	turn_advance(f.h.s, f.h.now_ns, 1000);
	harness_drain(&f.h);
	assert_int_equal(f.h.n_closed, 1);
	assert_int_equal(bearer_allocate(&f), 401);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_BANNED);
	harness_stop(&f.h);
}

// Where tokens are not in use the attribute is as unknown as any.
static void without_tokens_it_is_420(void **state)
{
	struct bearer f;
	struct msg m;

	(void)state;
	bearer_init(&f);
	f.h.realms[0].token_server = NULL;
	f.h.realms[0].n_token_keys = 0;
	harness_start(&f.h);
	client_init(&f.c, 0xc6336401, 5000);
	client_challenge(&f.h, &f.c);
	assert_false(reply_has(&f.h, ATTR_THIRD_PARTY));
	client_start(&f.c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	msg_attr(&m, ATTR_ACCESS_TOKEN, f.token.octets, f.token.len);
	assert_int_equal(client_finish(&f.h, &f.c, &m), 420);
	harness_stop(&f.h);
}

static void reserve(struct bearer *f, uint16_t port, uint8_t reservation[8])
{
	static const uint8_t pair = 0x80;
	const uint8_t *value;
	uint16_t len;

	f->c.tuple.remote.port_be = tp_htons(port);
	assert_int_equal(bearer_allocate_with(f, ATTR_EVEN_PORT, &pair, 1), 0);
	value = reply_attr(f->h.reply, f->h.reply_len, ATTR_RESERVATION_TOKEN, 0, &len);
	assert_non_null(value);
	assert_int_equal(len, 8);
	memcpy(reservation, value, len);
}

static unsigned reserved_take(struct bearer *f, uint16_t port, const uint8_t reservation[8])
{
	f->c.tuple.remote.port_be = tp_htons(port);
	return bearer_allocate_with(f, ATTR_RESERVATION_TOKEN, reservation, 8);
}

static unsigned password_take(struct bearer *f, const uint8_t reservation[8])
{
	struct msg m;

	client_start(&f->c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	msg_attr(&m, ATTR_RESERVATION_TOKEN, reservation, 8);
	return client_finish(&f->h, &f->c, &m);
}

// As coturn's client: the sockets of RTP and RTCP have access tokens of their own.
static void a_pair_may_have_two_tokens(void **state)
{
	uint8_t reservation[8];
	struct bearer f;

	(void)state;
	bearer_init(&f);
	f.h.realms[0].user_quota = 2;
	harness_start(&f.h);
	reserve(&f, 5000, reservation);
	// Not for a user with a password.
	client_init(&f.c, 0xc6336401, 5001);
	client_challenge(&f.h, &f.c);
	assert_int_equal(password_take(&f, reservation), 508);
	bearer_take(&f, "south", bearer_token_128, MAC_KEY);
	assert_int_equal(reserved_take(&f, 5002, reservation), 0);
	assert_int_equal(turn_get_counters(f.h.s)->reservations_used, 1);
	// Once.
	bearer_take(&f, "north", bearer_token_other, MAC_KEY_OTHER);
	assert_int_equal(reserved_take(&f, 5003, reservation), 508);
	// The unit of the quota went to the second token: the first one's has room for one again.
	bearer_take(&f, "north", bearer_token_256, MAC_KEY);
	f.c.tuple.remote.port_be = tp_htons(5004);
	assert_int_equal(bearer_allocate(&f), 0);
	f.c.tuple.remote.port_be = tp_htons(5005);
	assert_int_equal(bearer_allocate(&f), 486);
	harness_stop(&f.h);
}

// Two realms with the same keys: a pair that one's client has reserved is not for clients of the
// other.
static void a_pair_is_its_realms(void **state)
{
	uint8_t reservation[8];
	struct bearer f;

	(void)state;
	bearer_init(&f);
	f.h.realms[1] = f.h.realms[0];
	f.h.realms[1].id = 5;
	f.h.realms[1].name = "other.example";
	f.h.conf.n_realms = 2;
	f.h.listeners[1].realm = 1;
	harness_start(&f.h);
	reserve(&f, 5000, reservation);
	bearer_take(&f, "south", bearer_token_128, MAC_KEY);
	f.c.tuple.listener_id = LISTENER6_ID;
	f.c.realm = "other.example";
	assert_int_equal(reserved_take(&f, 5002, reservation), 508);
	assert_int_equal(turn_get_counters(f.h.s)->reservations_used, 0);
	// The client is one of the other realm.
	assert_int_equal(bearer_allocate(&f), 0);
	f.c.tuple.listener_id = LISTENER_ID;
	f.c.realm = REALM;
	assert_int_equal(reserved_take(&f, 5003, reservation), 0);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_of_another_program),
		cmocka_unit_test(long_tokens_are_not_decrypted),
		cmocka_unit_test(a_token_is_a_credential),
		cmocka_unit_test(wrong_tokens_are_401),
		cmocka_unit_test(a_long_life_is_refused),
		cmocka_unit_test(keys_have_times),
		cmocka_unit_test(users_of_one_key_are_apart),
		cmocka_unit_test(without_tokens_it_is_420),
		cmocka_unit_test(a_pair_may_have_two_tokens),
		cmocka_unit_test(a_pair_is_its_realms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
