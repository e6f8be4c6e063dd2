// SPDX-License-Identifier: BSD-3-Clause
// Long-term credentials: the order of the checks, and the answer to each failure.
#include "harness.h"

// RFC 8489 9.2.4: REALM and a fresh NONCE, and no integrity under any key.
static void assert_challenge(const struct fixture *f)
{
	uint16_t len;
	const uint8_t *value = reply_attr(f->h.reply, f->h.reply_len, ATTR_REALM, 0, &len);

	assert_non_null(value);
	assert_int_equal(len, strlen(REALM));
	assert_memory_equal(value, REALM, len);
	assert_non_null(reply_attr(f->h.reply, f->h.reply_len, ATTR_NONCE, 0, &len));
	assert_true(len < 128);
	assert_false(reply_has(&f->h, ATTR_MESSAGE_INTEGRITY));
	assert_false(reply_has(&f->h, ATTR_USERNAME));
}

// A correct Allocate from here on; the rows change one thing each.
static void allocate_start(struct fixture *f, struct msg *m)
{
	client_start(&f->c, m, MSG_ALLOCATE);
	msg_u32(m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
}

static unsigned allocate(struct fixture *f)
{
	struct msg m;

	allocate_start(f, &m);
	return client_finish(&f->h, &f->c, &m);
}

// Clauses: 8489 9.2.4-1, 9.2.4-5, 14.10-1; 8656 5-1, 7.2-1
static void unsigned_is_challenged(void **state)
{
	static const uint16_t methods[] = {
		MSG_ALLOCATE, MSG_REFRESH, MSG_CREATE_PERMISSION, MSG_CHANNEL_BIND};
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_challenge(&f);
	for (size_t i = 0; i < TP_ARRAY_LEN(methods); i++) {
		client_start(&f.c, &m, methods[i]);
		assert_int_equal(client_send(&f.h, &f.c, &m), 401);
		assert_challenge(&f);
		// Also with unknown attributes: the client learns of them after authentication.
		client_start(&f.c, &m, methods[i]);
		msg_attr(&m, ATTR_DONT_FRAGMENT, NULL, 0);
		msg_text(&m, ATTR_USERNAME, USER);
		assert_int_equal(client_send(&f.h, &f.c, &m), 401);
		assert_challenge(&f);
	}
	harness_stop(&f.h);
}

// The answer to a bare request, which needs no address of one's own to provoke.
static void amplification_is_bounded(void **state)
{
	const size_t below = 28; // IPv4 and UDP
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_challenge(&f);
	client_start(&f.c, &m, MSG_ALLOCATE);
	assert_int_equal(client_send(&f.h, &f.c, &m), 401);
	assert_true(f.h.reply_len + below <= 3 * (m.len + below));
	harness_stop(&f.h);
}

// RFC 8489 6.1: the path MTU is not known, so 576 bytes with IPv4 and UDP.
// Clauses: 8489 6.1-1
static void answers_fit_a_small_mtu(void **state)
{
	const size_t most = 576 - 28;
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_challenge(&f);
	assert_in_range(f.h.reply_len, 1, most);
	client_start(&f.c, &m, MSG_ALLOCATE);
	for (uint16_t type = 0x0100; type < 0x0100 + 64; type++)
		msg_attr(&m, type, NULL, 0);
	assert_int_equal(client_finish(&f.h, &f.c, &m), 420);
	assert_in_range(f.h.reply_len, 1, most);
	client_start(&f.c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	msg_u32(&m, ATTR_ADDITIONAL_ADDRESS_FAMILY, 2u << 24);
	msg_attr(&m, ATTR_EVEN_PORT, (const uint8_t[]){0}, 1);
	assert_int_equal(client_finish(&f.h, &f.c, &m), 0);
	assert_in_range(f.h.reply_len, 1, most);
	harness_stop(&f.h);
}

// Clauses: 8489 9.2.4-6, 9.2.4-7
static void incomplete_is_400(void **state)
{
	static const struct {
		bool user, realm, nonce;
		unsigned mac_len;
	} rows[] = {
		{false, true, true, 20},
		{true, false, true, 20},
		{true, true, false, 20},
		{true, true, true, 0},
		{true, true, true, 16},
		{true, true, true, 24},
	};
	static const uint8_t mac[24] = {0};
	struct fixture f;

	(void)state;
	fixture_challenge(&f);
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct msg m;

		allocate_start(&f, &m);
		if (rows[i].user)
			msg_text(&m, ATTR_USERNAME, USER);
		if (rows[i].realm)
			msg_text(&m, ATTR_REALM, REALM);
		if (rows[i].nonce)
			msg_text(&m, ATTR_NONCE, f.c.nonce);
		if (rows[i].mac_len == 20)
			msg_integrity(&m, f.c.key);
		else
			msg_attr(&m, ATTR_MESSAGE_INTEGRITY, mac, rows[i].mac_len);
		assert_int_equal(client_send(&f.h, &f.c, &m), 400);
		assert_false(reply_has(&f.h, ATTR_REALM));
		assert_false(reply_has(&f.h, ATTR_NONCE));
		assert_false(reply_has(&f.h, ATTR_MESSAGE_INTEGRITY));
	}
	harness_stop(&f.h);
}

// Clauses: 8489 9.2.4-9, 9.2.4-10, 9.2.4-11, 9.2.4-12; 8656 5-1
static void wrong_credentials_are_401(void **state)
{
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_challenge(&f);
	client_user(&f.c, USER, "wrong");
	assert_int_equal(allocate(&f), 401);
	assert_challenge(&f);
	assert_int_equal(turn_get_counters(f.h.s)->integrity_failed, 1);
	client_user(&f.c, "nobody", PASSWORD);
	assert_int_equal(allocate(&f), 401);
	assert_challenge(&f);
	assert_int_equal(turn_get_counters(f.h.s)->unknown_user, 1);
	client_user(&f.c, "", "");
	assert_int_equal(allocate(&f), 401);
	// Changed on the way.
	client_user(&f.c, USER, PASSWORD);
	allocate_start(&f, &m);
	client_auth(&f.c, &m);
	m.octets[27] ^= 1;
	assert_int_equal(client_send(&f.h, &f.c, &m), 401);
	assert_int_equal(f.h.store.calls, 0);
	harness_stop(&f.h);
}

// The password is looked at before the nonce, the nonce before everything else.
// Clauses: 8489 9.2.4-13, 9.2.4-14
static void stale_nonce_is_438(void **state)
{
	static const char *const nonces[] = {"", "x", "4f6a", "obMatJos2AAAA",
		"obMatJos2AAAA00000000AAAAAAAAAAA00000000",
		"f//499k954d6OL34oL9FSTvy64sAf//499k954d6"};
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_challenge(&f);
	for (size_t i = 0; i < TP_ARRAY_LEN(nonces); i++) {
		strcpy(f.c.nonce, nonces[i]);
		client_start(&f.c, &m, MSG_ALLOCATE);
		msg_attr(&m, ATTR_DONT_FRAGMENT, NULL, 0);
		assert_int_equal(client_finish(&f.h, &f.c, &m), 438);
		assert_challenge(&f);
	}
	client_user(&f.c, USER, "wrong");
	assert_int_equal(allocate(&f), 401);
	harness_stop(&f.h);
}

// Clauses: 8489 9.2.4-2
static void nonce_of_another_client_is_stale(void **state)
{
	struct fixture f;
	struct client other;

	(void)state;
	fixture_challenge(&f);
	client_init(&other, 0xc6336401, 5001);
	strcpy(other.nonce, f.c.nonce);
	f.c.tuple = other.tuple;
	assert_int_equal(allocate(&f), 438);
	harness_stop(&f.h);
}

// Clauses: 8656 5-2
static void nonce_lives_600_s(void **state)
{
	struct fixture f;

	(void)state;
	fixture_challenge(&f);
	assert_int_equal(client_allocate(&f.h, &f.c, 3600), 0);
	harness_sleep(&f.h, 599 * SECOND);
	assert_int_equal(client_refresh(&f.h, &f.c, 3600), 0);
	harness_sleep(&f.h, 1 * SECOND);
	assert_int_equal(client_refresh(&f.h, &f.c, 3600), 438);
	assert_challenge(&f);
	// Another one was made meanwhile: a 438 revokes none.
	client_challenge(&f.h, &f.c);
	assert_int_equal(client_refresh(&f.h, &f.c, 3600), 0);
	harness_stop(&f.h);
}

// Only an Allocate is repeated after its nonce's time, and only the one that made the allocation.
static void allocates_txid_is_no_pass(void **state)
{
	struct fixture f;
	struct msg m;
	uint8_t txid[TXID_LEN];

	(void)state;
	fixture_challenge(&f);
	assert_int_equal(client_allocate(&f.h, &f.c, 3600), 0);
	memcpy(txid, f.c.txid, sizeof(txid));
	harness_sleep(&f.h, 700 * SECOND);
	msg_start(&m, MSG_REFRESH, txid);
	assert_int_equal(client_finish(&f.h, &f.c, &m), 438);
	harness_stop(&f.h);
}

// A client that was sent here by another server comes with that one's realm and nonce, and a key
// made of that realm. Told 401 it would give up; with a nonce of ours there is no such excuse.
static void foreign_realm(void **state)
{
	struct fixture f;
	char nonce[256];

	(void)state;
	fixture_challenge(&f);
	strcpy(nonce, f.c.nonce);
	f.c.realm = "elsewhere.org";
	client_user(&f.c, USER, PASSWORD);
	strcpy(f.c.nonce, "4f6a4f6a4f6a4f6a");
	assert_int_equal(allocate(&f), 438);
	assert_challenge(&f);
	strcpy(f.c.nonce, nonce);
	assert_int_equal(allocate(&f), 401);
	f.c.realm = REALM;
	client_user(&f.c, USER, PASSWORD);
	assert_int_equal(allocate(&f), 0);
	harness_stop(&f.h);
}

// RFC 8489 9.2.4: verified as such, and answered with MESSAGE-INTEGRITY, since no algorithm was
// negotiated; client_finish checks the answer.
// Clauses: 8489 9.2.4-16
static void sha256_is_verified(void **state)
{
	struct fixture f;

	(void)state;
	fixture_challenge(&f);
	f.c.sha256 = true;
	assert_int_equal(allocate(&f), 0);
	assert_false(reply_has(&f.h, ATTR_MESSAGE_INTEGRITY_SHA256));
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	client_user(&f.c, USER, "wrong");
	assert_int_equal(allocate(&f), 401);
	harness_stop(&f.h);
}

// Behind the integrity anybody on the path could have written.
// Clauses: 8489 9-1
static void attributes_behind_integrity_do_nothing(void **state)
{
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_challenge(&f);
	assert_int_equal(allocate(&f), 0);
	client_start(&f.c, &m, MSG_REFRESH);
	client_auth(&f.c, &m);
	msg_u32(&m, ATTR_LIFETIME, 0);
	msg_attr(&m, ATTR_DONT_FRAGMENT, NULL, 0);
	msg_fingerprint(&m);
	assert_int_equal(client_send(&f.h, &f.c, &m), 0);
	assert_int_equal(reply_u32(&f.h, ATTR_LIFETIME), 600);
	assert_int_equal(turn_allocation_count(f.h.s), 1);
	harness_stop(&f.h);
}

// RFC 8489 14.3: 763 bytes parse; more is malformed.
// Clauses: 8489 14.3-1
static void long_user_names(void **state)
{
	char name[TURN_USERNAME_MAX + 2];
	struct fixture f;
	struct turn_user user = {.name = name};
	uint8_t key[16];

	(void)state;
	memset(name, 'u', sizeof(name));
	name[TURN_USERNAME_MAX] = '\0';
	harness_init(&f.h);
	msg_key(name, REALM, "pw", key);
	user.key = turn_key_md5(key);
	f.h.realms[0].users = &user;
	f.h.realms[0].n_users = 1;
	harness_start(&f.h);
	client_init(&f.c, 0xc6336401, 5000);
	client_user(&f.c, name, "pw");
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	assert_int_equal(client_allocation(&f.h, &f.c)->rec.username_len, TURN_USERNAME_MAX);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	name[TURN_USERNAME_MAX] = 'u';
	name[TURN_USERNAME_MAX + 1] = '\0';
	assert_int_equal(allocate(&f), 400);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unsigned_is_challenged),
		cmocka_unit_test(amplification_is_bounded),
		cmocka_unit_test(answers_fit_a_small_mtu),
		cmocka_unit_test(incomplete_is_400),
		cmocka_unit_test(wrong_credentials_are_401),
		cmocka_unit_test(stale_nonce_is_438),
		cmocka_unit_test(nonce_of_another_client_is_stale),
		cmocka_unit_test(nonce_lives_600_s),
		cmocka_unit_test(allocates_txid_is_no_pass),
		cmocka_unit_test(foreign_realm),
		cmocka_unit_test(sha256_is_verified),
		cmocka_unit_test(attributes_behind_integrity_do_nothing),
		cmocka_unit_test(long_user_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
