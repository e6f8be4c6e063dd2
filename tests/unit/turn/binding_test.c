// SPDX-License-Identifier: BSD-3-Clause
// Binding requests, and the parts of every answer.
#include "harness.h"

// Clauses: 8489 12-1, 12-2
static void binding_needs_no_credentials(void **state)
{
	struct fixture f;
	struct msg m;
	struct tp_addr mapped;

	(void)state;
	fixture_init(&f);
	client_start(&f.c, &m, MSG_BINDING);
	msg_fingerprint(&m);
	assert_int_equal(client_send(&f.h, &f.c, &m), 0);
	assert_true(reply_xor_addr(f.h.reply, f.h.reply_len, ATTR_XOR_MAPPED_ADDRESS, 0, &mapped));
	assert_true(tp_addr_equal(&mapped, &f.c.tuple.remote));
	assert_true(reply_fingerprint_ok(f.h.reply, f.h.reply_len));
	// CHANGE-REQUEST of RFC 5780.
	client_start(&f.c, &m, MSG_BINDING);
	msg_u32(&m, 0x0003, 6);
	assert_int_equal(client_send(&f.h, &f.c, &m), 420);
	assert_false(reply_has(&f.h, ATTR_FINGERPRINT));
	harness_stop(&f.h);
}

// Clauses: 8489 12-2
static void secure_stun_asks_for_credentials(void **state)
{
	struct fixture f;
	struct msg m;

	(void)state;
	harness_init(&f.h);
	f.h.conf.secure_stun = true;
	harness_start(&f.h);
	client_init(&f.c, 0xc6336401, 5000);
	client_challenge(&f.h, &f.c);
	client_start(&f.c, &m, MSG_BINDING);
	assert_int_equal(client_send(&f.h, &f.c, &m), 401);
	client_start(&f.c, &m, MSG_BINDING);
	assert_int_equal(client_finish(&f.h, &f.c, &m), 0);
	harness_stop(&f.h);
}

// Clauses: 8489 6.3.1.1-4, 16.1.2-1; 8656 5-6
static void software_is_an_option(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	assert_false(reply_has(&f.h, ATTR_SOFTWARE));
	harness_stop(&f.h);
	harness_init(&f.h);
	f.h.conf.software = "Turnpike";
	harness_start(&f.h);
	client_init(&f.c, 0xc6336401, 5000);
	f.c.fingerprint = true;
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	assert_true(reply_has(&f.h, ATTR_SOFTWARE));
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(binding_needs_no_credentials),
		cmocka_unit_test(secure_stun_asks_for_credentials),
		cmocka_unit_test(software_is_an_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
