// SPDX-License-Identifier: BSD-3-Clause
// SHA-256 passwords, USERHASH and the security features of nonces (RFC 8489 9.2). The client's side
// is written with OpenSSL alone.
#include "harness.h"

static const uint8_t offer[8] = {0, 2, 0, 0, 0, 1, 0, 0};
static const uint8_t sha256_alone[4] = {0, 2, 0, 0};
static const uint8_t md5_alone[4] = {0, 1, 0, 0};
static const uint8_t reversed[8] = {0, 1, 0, 0, 0, 2, 0, 0};
static const uint8_t third[4] = {0, 3, 0, 0};
static const uint8_t with_parameters[8] = {0, 2, 0, 4};

struct keys {
	uint8_t md5[16];
	uint8_t sha256[32];
};

// How a request names algorithms and integrity.
struct wish {
	const uint8_t *list;
	size_t list_len;
	const uint8_t *one;
	size_t one_len;
	bool by_sha256; // the key
	bool sha1;	// MESSAGE-INTEGRITY
	size_t mac_len; // MESSAGE-INTEGRITY-SHA256, 0: none
	bool userhash;
	bool nameless; // neither USERNAME nor USERHASH
};

#define LIST	      .list = offer, .list_len = sizeof(offer)
#define ONE(value)    .one = (value), .one_len = sizeof(value)
#define CLIENT_SHA256 LIST, ONE(sha256_alone), .by_sha256 = true, .mac_len = 32

static void users_set(struct harness *h)
{
	harness_offer_sha256(h);
	h->realms[0].features |= TP_FEATURE_USERHASH;
}

// Users by name alone, so that there is USERHASH.
static void fixture_offer(struct fixture *f)
{
	harness_init(&f->h);
	users_set(&f->h);
	f->h.realms[0].n_secrets = 0;
	fixture_start(f);
	client_challenge(&f->h, &f->c);
}

static unsigned send_as(struct fixture *f, uint16_t type, const struct wish *w, const char *user,
	const char *password)
{
	struct keys keys;
	struct msg m;
	const uint8_t *key = w->by_sha256 ? keys.sha256 : keys.md5;
	size_t key_len = w->by_sha256 ? sizeof(keys.sha256) : sizeof(keys.md5);
	unsigned code;

	msg_key(user, REALM, password, keys.md5);
	msg_key_sha256(user, REALM, password, keys.sha256);
	client_start(&f->c, &m, type);
	if (type == MSG_ALLOCATE)
		msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	if (w->userhash)
		msg_userhash(&m, user, REALM);
	else if (!w->nameless)
		msg_text(&m, ATTR_USERNAME, user);
	msg_text(&m, ATTR_REALM, REALM);
	msg_text(&m, ATTR_NONCE, f->c.nonce);
	if (w->list != NULL)
		msg_attr(&m, ATTR_PASSWORD_ALGORITHMS, w->list, w->list_len);
	if (w->one != NULL)
		msg_attr(&m, ATTR_PASSWORD_ALGORITHM, w->one, w->one_len);
	if (w->sha1)
		msg_integrity(&m, keys.md5);
	if (w->mac_len != 0)
		msg_integrity_sha256_by(&m, key, key_len, w->mac_len);
	code = client_send(&f->h, &f->c, &m);
	if (code != 0)
		return code;
	// The answer is as the request was: RFC 8489 9.2.4, last paragraph.
	if (w->one != NULL) {
		assert_true(reply_verifies_sha256(f->h.reply, f->h.reply_len, key, key_len));
		assert_false(reply_has(&f->h, ATTR_MESSAGE_INTEGRITY));
	} else {
		assert_true(reply_verifies(f->h.reply, f->h.reply_len, keys.md5));
		assert_false(reply_has(&f->h, ATTR_MESSAGE_INTEGRITY_SHA256));
	}
	assert_false(reply_has(&f->h, ATTR_PASSWORD_ALGORITHMS));
	return 0;
}

static unsigned send(struct fixture *f, uint16_t type, const struct wish *w)
{
	return send_as(f, type, w, USER, PASSWORD);
}

// Neither algorithm has parameters, so nothing is padded.
// Clauses: 8489 9.2.4-3, 14.12-1, 18.5.1.1-1
static void challenge_offers(void **state)
{
	struct fixture f;
	const uint8_t *value;
	uint16_t len;

	(void)state;
	fixture_offer(&f);
	value = reply_attr(f.h.reply, f.h.reply_len, ATTR_PASSWORD_ALGORITHMS, 0, &len);
	assert_non_null(value);
	assert_int_equal(len, sizeof(offer));
	assert_memory_equal(value, offer, len);
	// Bits 0 and 1 of 24, in base64.
	assert_memory_equal(f.c.nonce, "obMatJos2wAAA", 13);
	harness_stop(&f.h);
}

// Where a user has no such key, or can't be found by hash, nothing is offered.
// Clauses: 8489 9.2.4-3, 9.2.4-4
static void offer_is_the_realms(void **state)
{
	static const struct {
		bool key, secrets, directory, tokens;
		uint32_t wanted;
		const char *cookie;
	} rows[] = {
		{true, false, false, false, 0xc00000, "obMatJos2wAAA"},
		{true, true, false, false, 0xc00000, "obMatJos2gAAA"},
		{false, false, false, false, 0xc00000, "obMatJos2QAAA"},
		{false, true, false, false, 0xc00000, "obMatJos2AAAA"},
		{true, false, true, false, 0xc00000, "obMatJos2AAAA"},
		{true, false, false, true, 0xc00000, "obMatJos2gAAA"},
		{true, false, false, false, 0x800000, "obMatJos2gAAA"},
		{true, false, false, false, 0x400000, "obMatJos2QAAA"},
		{true, false, false, false, 0, "obMatJos2AAAA"},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct fixture f;

		harness_init(&f.h);
		users_set(&f.h);
		if (!rows[i].key)
			f.h.users[1].key_sha256.algorithm = TURN_KEY_NONE;
		if (!rows[i].secrets)
			f.h.realms[0].n_secrets = 0;
		f.h.realms[0].directory = rows[i].directory;
		if (rows[i].tokens)
			f.h.realms[0].token_server = "turn.example.org";
		f.h.realms[0].features = rows[i].wanted;
		fixture_start(&f);
		client_challenge(&f.h, &f.c);
		assert_memory_equal(f.c.nonce, rows[i].cookie, 13);
		assert_int_equal(reply_has(&f.h, ATTR_PASSWORD_ALGORITHMS),
			rows[i].cookie[9] == 'g' || rows[i].cookie[9] == 'w');
		harness_stop(&f.h);
	}
}

// Clauses: 8489 9.2.4-6, 9.2.4-8, 9.2.4-15, 9.2.4-16, 14.6-1, 14.12-1
static void algorithms_are_checked(void **state)
{
	static const struct {
		const char *what;
		struct wish wish;
		unsigned code;
	} rows[] = {
		{"SHA-256", {CLIENT_SHA256}, 0},
		{"MD5, named", {LIST, ONE(md5_alone), .mac_len = 32}, 0},
		{"MD5, named, MESSAGE-INTEGRITY", {LIST, ONE(md5_alone), .sha1 = true}, 0},
		{"RFC 5389", {.sha1 = true}, 0},
		{"both integrities, nothing named", {.sha1 = true, .mac_len = 32}, 0},
		{"MESSAGE-INTEGRITY-SHA256, nothing named", {.mac_len = 32}, 0},
		{"truncated", {LIST, ONE(sha256_alone), .by_sha256 = true, .mac_len = 16}, 0},
		{"truncated less", {LIST, ONE(sha256_alone), .by_sha256 = true, .mac_len = 28}, 0},
		{"cut too short", {LIST, ONE(sha256_alone), .by_sha256 = true, .mac_len = 12}, 400},
		{"no whole word", {LIST, ONE(sha256_alone), .by_sha256 = true, .mac_len = 18}, 400},
		{"no list", {ONE(sha256_alone), .by_sha256 = true, .mac_len = 32}, 400},
		{"only a list", {LIST, .mac_len = 32}, 400},
		{"list bid down", {.list = md5_alone, .list_len = 4, ONE(md5_alone), .mac_len = 32},
			400},
		{"list reversed", {.list = reversed, .list_len = 8, ONE(md5_alone), .mac_len = 32},
			400},
		{"third", {LIST, ONE(third), .mac_len = 32}, 400},
		{"parameters", {LIST, ONE(with_parameters), .by_sha256 = true, .mac_len = 32}, 400},
		{"key of MD5", {LIST, ONE(sha256_alone), .mac_len = 32}, 401},
		{"key of SHA-256", {LIST, ONE(md5_alone), .by_sha256 = true, .mac_len = 32}, 401},
		{"USERHASH", {CLIENT_SHA256, .userhash = true}, 0},
		{"USERHASH, MD5", {.sha1 = true, .userhash = true}, 0},
		{"neither USERNAME nor USERHASH", {.sha1 = true, .nameless = true}, 400},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct fixture f;
		unsigned code;

		fixture_offer(&f);
		code = send(&f, MSG_ALLOCATE, &rows[i].wish);
		if (code != rows[i].code)
			fail_msg("%s: %u, expected %u", rows[i].what, code, rows[i].code);
		harness_stop(&f.h);
	}
}

// On the way somebody took the offer out of the 401 and made the cookie fit: the nonce is ours no
// more.
// Clauses: 8489 9.2.4-13
static void bid_down_is_noticed(void **state)
{
	static const struct wish plain = {.sha1 = true};
	static const char cookies[] = "AQg";
	struct fixture f;

	(void)state;
	fixture_offer(&f);
	for (size_t i = 0; i < sizeof(cookies) - 1; i++) {
		f.c.nonce[9] = cookies[i];
		assert_int_equal(send(&f, MSG_ALLOCATE, &plain), 438);
		// With a fresh offer.
		assert_true(reply_has(&f.h, ATTR_PASSWORD_ALGORITHMS));
	}
	f.c.nonce[9] = 'w';
	assert_int_equal(send(&f, MSG_ALLOCATE, &plain), 0);
	harness_stop(&f.h);
}

// Of another server's nonce the client may say anything: it gets ours.
static void foreign_nonce_is_438(void **state)
{
	static const struct wish odd = {.list = reversed, .list_len = 8, ONE(third), .mac_len = 32};
	struct fixture f;

	(void)state;
	fixture_offer(&f);
	snprintf(f.c.nonce, sizeof(f.c.nonce), "obMatJos2wAAAelsewhere");
	assert_int_equal(send(&f, MSG_ALLOCATE, &odd), 438);
	harness_stop(&f.h);
}

// Clauses: 8656 6-2
static void allocation_is_kept_under_its_key(void **state)
{
	static const struct wish by_sha256 = {CLIENT_SHA256}, by_md5 = {.sha1 = true};
	static const struct wish hashed = {CLIENT_SHA256, .userhash = true};
	struct fixture f;
	struct turn_user left;
	uint8_t key[16];

	(void)state;
	fixture_offer(&f);
	assert_int_equal(send(&f, MSG_ALLOCATE, &by_sha256), 0);
	assert_int_equal(client_allocation(&f.h, &f.c)->rec.key_algorithm, TURN_KEY_SHA256);
	assert_int_equal(client_allocation(&f.h, &f.c)->rec.key_len, 32);
	assert_int_equal(send(&f, MSG_REFRESH, &by_sha256), 0);
	assert_int_equal(send(&f, MSG_REFRESH, &hashed), 0);
	// The user's other key does as well.
	assert_int_equal(send(&f, MSG_REFRESH, &by_md5), 0);
	harness_restart(&f.h);
	assert_int_equal(send(&f, MSG_REFRESH, &by_sha256), 0);
	// The user left the configuration: only the key that the allocation has is known.
	msg_key("dora", REALM, "secret", key);
	left = (struct turn_user){.name = "dora", .key = turn_key_md5(key)};
	left.key_sha256 = f.h.users[1].key_sha256;
	f.h.users[0] = left;
	harness_restart(&f.h);
	assert_int_equal(send(&f, MSG_REFRESH, &by_sha256), 0);
	assert_int_equal(send(&f, MSG_REFRESH, &hashed), 0);
	assert_int_equal(send(&f, MSG_REFRESH, &by_md5), 401);
	harness_stop(&f.h);
}

// Clauses: 8489 9.2.4-9, 14.4-1
static void userhash_names_one_user(void **state)
{
	static const struct wish hashed = {CLIENT_SHA256, .userhash = true};
	struct fixture f;

	(void)state;
	fixture_offer(&f);
	assert_int_equal(send_as(&f, MSG_ALLOCATE, &hashed, "nobody", PASSWORD), 401);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_UNKNOWN_USER);
	assert_int_equal(send_as(&f, MSG_ALLOCATE, &hashed, USER, "wrong"), 401);
	assert_int_equal(send_as(&f, MSG_ALLOCATE, &hashed, "bob", "builder"), 0);
	// The name is kept, not the hash.
	assert_int_equal(f.h.record.username_len, 3);
	assert_memory_equal(f.h.record.username, "bob", 3);
	assert_int_equal(send(&f, MSG_REFRESH, &hashed), 441);
	harness_stop(&f.h);
	// Not offered where users are unknown before they come.
	harness_init(&f.h);
	users_set(&f.h);
	fixture_start(&f);
	client_challenge(&f.h, &f.c);
	assert_int_equal(send(&f, MSG_ALLOCATE, &hashed), 400);
	harness_stop(&f.h);
}

static void time_limited_credentials_have_both(void **state)
{
	static const struct wish by_sha256 = {CLIENT_SHA256}, by_md5 = {.sha1 = true};
	const uint8_t secret[] = "new secret";
	struct turn_secret s = {.id = "s", .octets = secret, .len = sizeof(secret) - 1};
	struct turn_realm_conf realm = {.secrets = &s, .n_secrets = 1};
	char username[64], password[64];
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	users_set(&f.h);
	fixture_start(&f);
	client_challenge(&f.h, &f.c);
	assert_int_equal(turn_mint_credential(&realm, "carol", f.h.wall_s + 100, username,
				 sizeof(username), password, sizeof(password)),
		0);
	// By turns: the cached key is of one algorithm.
	for (unsigned i = 0; i < 6; i++) {
		f.c.tuple.remote.port_be = tp_htons((uint16_t)(1000 + i));
		client_challenge(&f.h, &f.c);
		assert_int_equal(send_as(&f, MSG_ALLOCATE, i / 2 % 2 == 0 ? &by_sha256 : &by_md5,
					 username, password),
			0);
		assert_int_equal(send_as(&f, MSG_REFRESH, i / 2 % 2 == 0 ? &by_sha256 : &by_md5,
					 username, "wrong"),
			401);
	}
	assert_int_equal(turn_get_counters(f.h.s)->key_cached, 3);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(challenge_offers),
		cmocka_unit_test(offer_is_the_realms),
		cmocka_unit_test(algorithms_are_checked),
		cmocka_unit_test(bid_down_is_noticed),
		cmocka_unit_test(foreign_nonce_is_438),
		cmocka_unit_test(allocation_is_kept_under_its_key),
		cmocka_unit_test(userhash_names_one_user),
		cmocka_unit_test(time_limited_credentials_have_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
