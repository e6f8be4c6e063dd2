// SPDX-License-Identifier: BSD-3-Clause
// What an operator is told of refused requests.
#include "harness.h"

struct fixture {
	struct harness h;
	struct client c;
};

static void fixture_init(struct fixture *f)
{
	harness_init(&f->h);
	f->h.conf.user_quota = 1;
	f->h.conf.max_allocations = 2;
	f->h.conf.port_min = f->h.conf.port_max = 50000;
	harness_start(&f->h);
	client_init(&f->c, 0xc6336401, 5000);
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
	// What every first request gets is no news.
	assert_int_equal(f->h.refusal.cause, TURN_REFUSED_NOT);
}

static void credentials(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	client_user(&f.c, USER, "wrong");
	allocate(&f, TURN_REFUSED_INTEGRITY, 401);
	client_user(&f.c, "nobody", "x");
	allocate(&f, TURN_REFUSED_UNKNOWN_USER, 401);
	client_user(&f.c, "1:carol", "x");
	allocate(&f, TURN_REFUSED_CREDENTIAL_EXPIRED, 401);
	client_user(&f.c, "9999999999:carol", "x");
	allocate(&f, TURN_REFUSED_INTEGRITY, 401);
	client_user(&f.c, USER, PASSWORD);
	allocate(&f, TURN_REFUSED_NOT, 0);
	harness_stop(&f.h);
}

static void capacity(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.h.store.max_allocations = 0;
	allocate(&f, TURN_REFUSED_TABLES, 508);
	f.h.store.max_allocations = 10;
	turn_set_draining(f.h.s, true);
	allocate(&f, TURN_REFUSED_DRAINING, 508);
	turn_set_draining(f.h.s, false);
	allocate(&f, TURN_REFUSED_NOT, 0);
	port_set(&f, 5001);
	allocate(&f, TURN_REFUSED_QUOTA, 486);
	client_user(&f.c, "bob", "builder");
	allocate(&f, TURN_REFUSED_PORTS, 508);
	harness_stop(&f.h);
	fixture_init(&f);
	turn_destroy(f.h.s);
	f.h.conf.max_allocations = 1;
	f.h.conf.user_quota = 0;
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
	fixture_init(&f);
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
	fixture_init(&f);
	f.c.tuple.remote = tp_addr_ipv6(six_to_four, 5000);
	client_challenge(&f.h, &f.c);
	allocate(&f, TURN_REFUSED_TUNNEL, 403);
	harness_stop(&f.h);
}

static void every_cause_has_a_text(void **state)
{
	(void)state;
	for (enum turn_refusal_cause cause = TURN_REFUSED_NOT; cause <= TURN_REFUSED_TABLES;
		cause++)
		assert_non_null(turn_refusal_text(cause));
	assert_string_equal(turn_refusal_text(TURN_REFUSED_TABLES), "a table is full");
	assert_string_equal(turn_refusal_text(TURN_REFUSED_TABLES + 1), "unknown cause");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credentials),
		cmocka_unit_test(capacity),
		cmocka_unit_test(full_tables),
		cmocka_unit_test(tunnel),
		cmocka_unit_test(every_cause_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
