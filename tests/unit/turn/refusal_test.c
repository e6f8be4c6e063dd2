// SPDX-License-Identifier: BSD-3-Clause
// The operator's report of refused requests.
#include "harness.h"

static void fixture_limit(struct fixture *f)
{
	harness_init(&f->h);
	f->h.realms[0].user_quota = 1;
	f->h.conf.max_allocations = 2;
	f->h.conf.credential_lifetime_s = 31 * 86400;
	f->h.conf.port_min = f->h.conf.port_max = 50000;
	fixture_start(f);
	client_challenge(&f->h, &f->c);
}

static void assert_refused(const struct fixture *f, enum turn_refusal_cause cause, unsigned code)
{
	assert_int_equal(f->h.refusal.cause, cause);
	if (cause == TURN_REFUSED_NOT)
		return;
	assert_int_equal(f->h.refusal.code, code);
	assert_int_equal(f->h.refusal.username_len, strlen(f->c.user));
}

static void allocate(struct fixture *f, enum turn_refusal_cause cause, unsigned code)
{
	struct msg m;

	client_start(&f->c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	assert_int_equal(client_finish(&f->h, &f->c, &m), code);
	assert_refused(f, cause, code);
}

static void port_set(struct fixture *f, uint16_t port)
{
	f->c.tuple.remote.port_be = tp_htons(port);
	client_challenge(&f->h, &f->c);
	// The challenge that every first request gets is not reported.
	assert_int_equal(f->h.refusal.cause, TURN_REFUSED_NOT);
}

static void credentials(void **state)
{
	struct fixture f;

	(void)state;
	fixture_limit(&f);
	client_user(&f.c, USER, "wrong");
	allocate(&f, TURN_REFUSED_INTEGRITY, 401);
	client_user(&f.c, "nobody", "x");
	allocate(&f, TURN_REFUSED_UNKNOWN_USER, 401);
	client_user(&f.c, "1:carol", "x");
	allocate(&f, TURN_REFUSED_CREDENTIAL_EXPIRED, 401);
	client_rest_user(&f.c, "no secret", f.h.wall_s + 31 * 86400, "carol");
	allocate(&f, TURN_REFUSED_INTEGRITY, 401);
	// A time in milliseconds would be good for 57,000 years.
	client_rest_user(&f.c, "new secret", 1000 * f.h.wall_s, "carol");
	allocate(&f, TURN_REFUSED_CREDENTIAL_LIFETIME, 401);
	client_rest_user(&f.c, "new secret", f.h.wall_s + 31 * 86400 + 1, "carol");
	allocate(&f, TURN_REFUSED_CREDENTIAL_LIFETIME, 401);
	assert_int_equal(turn_get_counters(f.h.s)->credential_lifetime, 2);
	client_user(&f.c, USER, PASSWORD);
	allocate(&f, TURN_REFUSED_NOT, 0);
	harness_stop(&f.h);
}

static void capacity(void **state)
{
	struct fixture f;

	(void)state;
	fixture_limit(&f);
	f.h.store.max_allocations = 0;
	allocate(&f, TURN_REFUSED_TABLES, 508);
	f.h.store.max_allocations = 10;
	allocate(&f, TURN_REFUSED_NOT, 0);
	port_set(&f, 5001);
	allocate(&f, TURN_REFUSED_QUOTA, 486);
	client_user(&f.c, "bob", "builder");
	allocate(&f, TURN_REFUSED_PORTS, 508);
	harness_stop(&f.h);
	fixture_limit(&f);
	turn_destroy(f.h.s);
	f.h.conf.max_allocations = 1;
	f.h.realms[0].user_quota = 0;
	harness_start(&f.h);
	allocate(&f, TURN_REFUSED_NOT, 0);
	port_set(&f, 5001);
	allocate(&f, TURN_REFUSED_ALLOCATIONS, 508);
	harness_stop(&f.h);
}

static void full_tables(void **state)
{
	struct tp_addr peer = tp_addr_ipv4(0x08080808, 1);
	struct fixture f;

	(void)state;
	fixture_limit(&f);
	allocate(&f, TURN_REFUSED_NOT, 0);
	f.h.store.max_permissions = 0;
	assert_int_equal(client_permit(&f.h, &f.c, &peer), 508);
	assert_refused(&f, TURN_REFUSED_TABLES, 508);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer), 508);
	assert_refused(&f, TURN_REFUSED_TABLES, 508);
	f.h.store.max_permissions = 1;
	f.h.store.max_channels = 0;
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer), 508);
	assert_refused(&f, TURN_REFUSED_TABLES, 508);
	harness_stop(&f.h);
}

static void tunnel(void **state)
{
	static const uint8_t six_to_four[16] = {0x20, 0x02, 1};
	struct fixture f;

	(void)state;
	fixture_limit(&f);
	f.c.tuple.remote = tp_addr_ipv6(six_to_four, 5000);
	client_challenge(&f.h, &f.c);
	allocate(&f, TURN_REFUSED_TUNNEL, 403);
	harness_stop(&f.h);
}

static unsigned send_attributes(struct fixture *f, uint16_t method, const uint32_t (*attrs)[2])
{
	struct msg m;

	client_start(&f->c, &m, method);
	for (; (*attrs)[0] != 0; attrs++)
		msg_u32(&m, (uint16_t)(*attrs)[0], (*attrs)[1]);
	return client_finish(&f->h, &f->c, &m);
}

// Each error has an event with its reason; a challenge has none.
static void every_refusal_is_told(void **state)
{
	static const struct {
		uint16_t method;
		enum turn_refusal_cause cause;
		unsigned code;
		uint32_t attrs[4][2];
	} rows[] = {
		{MSG_ALLOCATE, TURN_REFUSED_BAD_REQUEST, 400, {{0}}},
		{MSG_ALLOCATE, TURN_REFUSED_UNKNOWN_ATTRIBUTE, 420,
			{{ATTR_REQUESTED_TRANSPORT, 17u << 24}, {0x7f01, 0}}},
		{MSG_REFRESH, TURN_REFUSED_NO_ALLOCATION, 437, {{0}}},
		{MSG_ALLOCATE, TURN_REFUSED_FAMILY, 440,
			{{ATTR_REQUESTED_TRANSPORT, 17u << 24},
				{ATTR_REQUESTED_ADDRESS_FAMILY, 3u << 24}}},
		{MSG_ALLOCATE, TURN_REFUSED_TRANSPORT, 442, {{ATTR_REQUESTED_TRANSPORT, 5u << 24}}},
	};
	static const uint8_t ip6[16] = {0x2a, 9};
	const struct tp_addr peer = tp_addr_ipv4(0x08080808, 1), peer6 = tp_addr_ipv6(ip6, 1);
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_challenge(&f);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_NOT);
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		assert_int_equal(send_attributes(&f, rows[i].method, rows[i].attrs), rows[i].code);
		assert_int_equal(f.h.refusal.cause, rows[i].cause);
		assert_int_equal(f.h.refusal.code, rows[i].code);
	}
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	assert_int_equal(client_permit(&f.h, &f.c, &peer6), 443);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_PEER_FAMILY);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &peer), 400);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_CHANNEL);
	assert_int_equal(client_bind(&f.h, &f.c, 0x3fff, &peer), 400);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_BAD_REQUEST);
	client_user(&f.c, "bob", "builder");
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 441);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_OWNER);
	f.c.nonce[20] ^= 1;
	client_start(&f.c, &m, MSG_REFRESH);
	assert_int_equal(client_finish(&f.h, &f.c, &m), 438);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_NOT);
	harness_stop(&f.h);
}

static void every_cause_has_a_text(void **state)
{
	(void)state;
	for (enum turn_refusal_cause cause = TURN_REFUSED_NOT; cause <= TURN_REFUSED_MEMORY;
		cause++)
		assert_non_null(turn_refusal_text(cause));
	assert_string_equal(turn_refusal_text(TURN_REFUSED_TABLES), "a table is full");
	assert_string_equal(turn_refusal_text(TURN_REFUSED_MEMORY + 1), "unknown cause");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credentials),
		cmocka_unit_test(capacity),
		cmocka_unit_test(full_tables),
		cmocka_unit_test(tunnel),
		cmocka_unit_test(every_refusal_is_told),
		cmocka_unit_test(every_cause_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
