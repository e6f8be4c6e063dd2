// SPDX-License-Identifier: BSD-3-Clause
// Third-party authorization: tokens of another program (coturn's turnutils_oauth), and the answers
// to clients that bring them.
#include "harness.h"

#include <openssl/evp.h>
#include <token.h>

#define SERVER		  "turn.example.org"
#define ISSUED_S	  UINT64_C(1795910400)
#define LIFE_S		  3600u
#define MAC_KEY		  "ZksjpweoixXmvn67534m"
#define MAC_KEY_LEN	  20u
#define ATTR_ACCESS_TOKEN 0x001bu
#define ATTR_THIRD_PARTY  0x802eu

// Of the key "carleon", filled up with zeros, for SERVER: MAC_KEY, ISSUED_S, LIFE_S.
static const char token_256[] = "AAxoNGozazJqMm40YjX2jBHC7B+SVS3um9fAly0JZyANkOl1RIk/"
				"unRADnQLynefnztirGc2gd3TyghVUAEJSA==";
static const char token_128[] = "AAxoNGozazJqMm40YjWW5d5WK+LGJNQ9/IVy6RpTEOxJfgKeDAldIlWB1mLegC52"
				"WHV60y2/vokyZmOGPgpK0Q==";

// As token_256, with another MAC key.
#define MAC_KEY_OTHER "anotherMACkeyof20byt"
static const char token_other[] =
	"AAxoNGozazJqMm40YjbwGr/QdpgQeSqSvl2AO4VUi7JW9vSNXsvchWf30VK0jsj8GdbATwbJookT420LqXBXeQ==";

static const struct turn_token_key key_256 = {
	.id = "north", .algorithm = TURN_TOKEN_A256GCM, .octets = "carleon"};
static const struct turn_token_key key_128 = {
	.id = "south", .algorithm = TURN_TOKEN_A128GCM, .octets = "carleon"};

struct bytes {
	uint8_t octets[256];
	size_t len;
};

static struct bytes decode(const char *base64)
{
	struct bytes b;
	size_t len = strlen(base64);

	b.len = (size_t)EVP_DecodeBlock(b.octets, (const unsigned char *)base64, (int)len);
	while (base64[len - 1] == '=') {
		b.len--;
		len--;
	}
	return b;
}

static void tokens_of_another_program(void **state)
{
	const struct bytes tokens[] = {decode(token_256), decode(token_128)};
	const struct turn_token_key *const keys[] = {&key_256, &key_128};
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

// ---- clients ------------------------------------------------------------------------------------

struct bearer {
	struct harness h;
	struct client c;
	struct bytes token;
	const char *mac_key;
};

static void bearer_init(struct bearer *f)
{
	static const struct turn_token_key keys[2] = {
		{.id = "north", .algorithm = TURN_TOKEN_A256GCM, .octets = "carleon"},
		{.id = "south", .algorithm = TURN_TOKEN_A128GCM, .octets = "carleon"},
	};

	harness_init(&f->h);
	f->h.realms[0].token_server = SERVER;
	f->h.realms[0].token_keys = keys;
	f->h.realms[0].n_token_keys = 2;
	f->h.wall_s = ISSUED_S + 10;
	f->token = decode(token_256);
	f->mac_key = MAC_KEY;
	client_init(&f->c, 0xc6336401, 5000);
	f->c.user = "north";
}

static unsigned ask(struct bearer *f, uint16_t type, uint32_t lifetime_s, bool token)
{
	struct msg m;

	client_start(&f->c, &m, type);
	if (type == MSG_ALLOCATE)
		msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	if (lifetime_s != UINT32_MAX)
		msg_u32(&m, ATTR_LIFETIME, lifetime_s);
	if (token)
		msg_attr(&m, ATTR_ACCESS_TOKEN, f->token.octets, f->token.len);
	msg_text(&m, ATTR_USERNAME, f->c.user);
	msg_text(&m, ATTR_REALM, f->c.realm);
	msg_text(&m, ATTR_NONCE, f->c.nonce);
	msg_integrity_sha256_by(&m, (const uint8_t *)f->mac_key, strlen(f->mac_key), 32);
	return client_send(&f->h, &f->c, &m);
}

static unsigned allocate(struct bearer *f)
{
	client_challenge(&f->h, &f->c);
	return ask(f, MSG_ALLOCATE, 3600, true);
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
	assert_int_equal(ask(&f, MSG_ALLOCATE, 3600, true), 0);
	// No more than the rest of the token.
	assert_int_equal(reply_u32(&f.h, ATTR_LIFETIME), LIFE_S - 10);
	assert_int_equal(f.h.record.identity_kind, TURN_IDENTITY_TOKEN);
	assert_true(f.h.record.credential_expires_s == ISSUED_S + LIFE_S);
	assert_int_equal(ask(&f, MSG_REFRESH, 600, false), 0);
	// Another process, which has lost the key, knows the allocation's.
	f.h.realms[0].n_token_keys = 0;
	harness_restart(&f.h);
	f.h.wall_s = ISSUED_S + LIFE_S - 100;
	assert_int_equal(ask(&f, MSG_REFRESH, 600, false), 0);
	assert_int_equal(reply_u32(&f.h, ATTR_LIFETIME), 100);
	f.h.wall_s = ISSUED_S + LIFE_S + TURN_TOKEN_SKEW_S + 1;
	assert_int_equal(ask(&f, MSG_REFRESH, 600, false), 401);
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
		assert_int_equal(allocate(&f), rows[i].cause != TURN_REFUSED_NOT ? 401 : 0);
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
	assert_int_equal(allocate(&f), 401);
	harness_stop(&f.h);
	bearer_init(&f);
	f.h.conf.credential_lifetime_s = LIFE_S;
	harness_start(&f.h);
	assert_int_equal(allocate(&f), 0);
	harness_stop(&f.h);
}

static void keys_have_times(void **state)
{
	struct turn_token_key key = key_256;
	struct bearer f;

	(void)state;
	bearer_init(&f);
	key.not_before_s = ISSUED_S + 20;
	key.not_after_s = ISSUED_S + 30;
	f.h.realms[0].token_keys = &key;
	f.h.realms[0].n_token_keys = 1;
	harness_start(&f.h);
	f.h.wall_s = ISSUED_S + 19;
	assert_int_equal(allocate(&f), 401);
	f.h.wall_s = ISSUED_S + 31;
	assert_int_equal(allocate(&f), 401);
	f.h.wall_s = ISSUED_S + 30;
	assert_int_equal(allocate(&f), 0);
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
	assert_int_equal(allocate(&f), 0);
	// By another key, then by the same key with another MAC key: other users.
	f.c.user = "south";
	f.token = decode(token_128);
	assert_int_equal(ask(&f, MSG_CREATE_PERMISSION, UINT32_MAX, true), 441);
	f.c.user = "north";
	f.token = decode(token_other);
	f.mac_key = MAC_KEY_OTHER;
	assert_int_equal(ask(&f, MSG_CREATE_PERMISSION, UINT32_MAX, true), 441);
	f.token = decode(token_256);
	f.mac_key = MAC_KEY;
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 0);
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
	assert_int_equal(allocate(&f), 401);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_BANNED);
	harness_stop(&f.h);
}

// ---- renewal ------------------------------------------------------------------------------------

static void bear(struct bearer *f, const char *user, const char *token, const char *mac_key)
{
	f->c.user = user;
	f->token = decode(token);
	f->mac_key = mac_key;
}

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
	assert_int_equal(allocate(&f), 0);
	// The same one again is no renewal.
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 0);
	assert_int_equal(renewed(&f), 0);
	bear(&f, "north", token_other, MAC_KEY_OTHER);
	assert_int_equal(ask(&f, MSG_REFRESH, 600, false), 401);
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 0);
	assert_int_equal(renewed(&f), 1);
	// From now on its key is the allocation's, after a restart too, and the old one is no more.
	assert_int_equal(ask(&f, MSG_REFRESH, 600, false), 0);
	harness_restart(&f.h);
	assert_int_equal(ask(&f, MSG_REFRESH, 600, false), 0);
	f.mac_key = MAC_KEY;
	assert_int_equal(ask(&f, MSG_REFRESH, 600, false), 401);
	// Under another key of the server.
	bear(&f, "south", token_128, MAC_KEY);
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 0);
	assert_int_equal(ask(&f, MSG_REFRESH, 600, false), 0);
	owner = &client_allocation(&f.h, &f.c)->rec;
	assert_int_equal(owner->username_len, strlen("south"));
	assert_memory_equal(owner->username, "south", strlen("south"));
	// Also where it ends the call.
	bear(&f, "north", token_other, MAC_KEY_OTHER);
	assert_int_equal(ask(&f, MSG_REFRESH, 0, true), 0);
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
	assert_int_equal(allocate(&f), 0);
	first = f.c;
	client_init(&f.c, 0xc6336401, 5001);
	bear(&f, "north", token_other, MAC_KEY_OTHER);
	assert_int_equal(allocate(&f), 0);
	f.c = first;
	f.c.user = "north";
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 486);
	bear(&f, "south", token_128, MAC_KEY);
	f.h.store.max_allocations = 1;
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 508);
	f.h.store.max_allocations = 100;
	bear(&f, "north", token_256, MAC_KEY);
	assert_int_equal(ask(&f, MSG_REFRESH, 600, false), 0);
	assert_int_equal(renewed(&f), 0);
	// A token that is none leaves it alone, too.
	f.token.octets[20] ^= 1;
	f.mac_key = MAC_KEY_OTHER;
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 401);
	f.mac_key = MAC_KEY;
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 0);
	assert_int_equal(renewed(&f), 0);
	f.token.octets[20] ^= 1;
	// The quota goes along: the first token's is free again.
	bear(&f, "south", token_128, MAC_KEY);
	f.h.realms[0].user_quota = 2;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	bear(&f, "north", token_other, MAC_KEY_OTHER);
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 0);
	assert_int_equal(renewed(&f), 1);
	client_init(&f.c, 0xc6336401, 5002);
	bear(&f, "north", token_other, MAC_KEY_OTHER);
	assert_int_equal(allocate(&f), 486);
	bear(&f, "north", token_256, MAC_KEY);
	for (uint16_t port = 5003; port <= 5005; port++) {
		client_init(&f.c, 0xc6336401, port);
		f.c.user = "north";
		assert_int_equal(allocate(&f), port < 5005 ? 0 : 486);
	}
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
		assert_int_equal(allocate(&f), port < 5008 ? 0 : 508);
	}
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_PORTS_SHARE);
	for (uint16_t port = 5000; port <= 5001; port++) {
		client_init(&f.c, 0xc6336401, port);
		bear(&f, "north", token_other, MAC_KEY_OTHER);
		client_challenge(&f.h, &f.c);
		assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 0);
	}
	client_init(&f.c, 0xc6336401, 5008);
	bear(&f, "north", token_256, MAC_KEY);
	assert_int_equal(allocate(&f), 0);
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
	assert_int_equal(allocate(&f), 0);
	f.h.realms[0].token_keys = &key_128;
	f.h.realms[0].n_token_keys = 1;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 0);
	f.mac_key = MAC_KEY_OTHER;
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 401);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_TOKEN);
	f.mac_key = MAC_KEY;
	f.h.wall_s = ISSUED_S + LIFE_S + TURN_TOKEN_SKEW_S;
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 0);
	f.h.wall_s++;
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 401);
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
	assert_int_equal(allocate(&f), 0);
	clients_swap(&f, &second);
	assert_int_equal(allocate(&f), 0);
	assert_int_equal(user_sessions(&f), 2);
	assert_int_equal(f.h.store.live_limits, 3);
	// One goes to a user of its own, then the other one after it.
	bear(&f, "south", token_128, MAC_KEY);
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 0);
	assert_int_equal(user_sessions(&f), 1);
	assert_int_equal(f.h.store.live_limits, 4);
	clients_swap(&f, &second);
	assert_int_equal(user_sessions(&f), 1);
	bear(&f, "south", token_128, MAC_KEY);
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 0);
	assert_int_equal(user_sessions(&f), 2);
	assert_int_equal(f.h.store.live_limits, 3);
	assert_int_equal(renewed(&f), 2);
	assert_int_equal(ask(&f, MSG_REFRESH, 0, false), 0);
	clients_swap(&f, &second);
	f.c.user = "south";
	assert_int_equal(user_sessions(&f), 1);
	assert_int_equal(ask(&f, MSG_REFRESH, 0, false), 0);
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
	bear(&f, "north", token_256, MAC_KEY);
	assert_int_equal(ask(&f, MSG_REFRESH, 600, true), 441);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_of_another_program),
		cmocka_unit_test(a_token_is_a_credential),
		cmocka_unit_test(wrong_tokens_are_401),
		cmocka_unit_test(a_long_life_is_refused),
		cmocka_unit_test(keys_have_times),
		cmocka_unit_test(users_of_one_key_are_apart),
		cmocka_unit_test(a_refresh_with_a_new_token_renews),
		cmocka_unit_test(a_renewal_that_is_refused_changes_nothing),
		cmocka_unit_test(relayed_ports_go_along),
		cmocka_unit_test(a_token_outlives_its_key),
		cmocka_unit_test(a_renewal_takes_the_cap_along),
		cmocka_unit_test(a_token_renews_nothing_but_tokens),
		cmocka_unit_test(without_tokens_it_is_420),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
