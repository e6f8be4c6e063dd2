// SPDX-License-Identifier: BSD-3-Clause
// A call from the first 401 to the last Refresh, and the same across a restart of the server.
#include "harness.h"

static const uint32_t client_ip = 0xc6336401;

// Clauses: 8489 5-3, 6.3.1.1-3; 8656 9-1
static void call_is_set_up(void **state)
{
	struct harness h;
	struct client c;
	struct tp_addr peer = tp_addr_ipv4(0x08080808, 4000);
	struct tp_addr mapped;
	const struct fake_allocation *a;
	const struct fake_channel *ch;

	(void)state;
	harness_init(&h);
	harness_start(&h);
	client_init(&c, client_ip, 5000);
	assert_int_equal(client_allocate(&h, &c, 777), 0);
	assert_int_equal(h.n_opened, 1);
	a = client_allocation(&h, &c);
	assert_non_null(a);
	// RFC 8489 6.3.1.2: the answer goes where the request came from.
	assert_true(tp_addr_equal(&h.to.remote, &c.tuple.remote));
	assert_int_equal(h.to.listener_id, c.tuple.listener_id);
	assert_true(reply_xor_addr(h.reply, h.reply_len, ATTR_XOR_MAPPED_ADDRESS, 0, &mapped));
	assert_true(tp_addr_equal(&mapped, &c.tuple.remote));
	assert_true(tp_addr_equal(&c.relayed, &a->rec.relay[0].advertised));
	assert_int_equal(a->rec.relay[0].relay_id, RELAY_ID);
	assert_int_equal(reply_u32(&h, ATTR_LIFETIME), 777);
	assert_false(reply_has(&h, ATTR_SOFTWARE));
	assert_false(reply_has(&h, ATTR_FINGERPRINT));
	// At 1000.33 s: never early, so 1001 + 777.
	assert_int_equal(a->rec.relay[0].expires_s, 1778);
	assert_int_equal(a->rec.username_len, strlen(USER));

	assert_int_equal(client_permit(&h, &c, &peer), 0);
	assert_int_equal(fake_store_permission(&h.store, a->ref, &peer)->expires_s, 1301);
	assert_int_equal(client_bind(&h, &c, 0x4000, &peer), 0);
	ch = fake_store_channel(&h.store, a->ref, 0x4000);
	assert_non_null(ch);
	assert_true(tp_addr_equal(&ch->peer, &peer));
	assert_int_equal(ch->expires_s, 1601);
	assert_int_equal(ch->permission_expires_s, 1301);

	assert_int_equal(client_refresh(&h, &c, 3600), 0);
	assert_int_equal(reply_u32(&h, ATTR_LIFETIME), 3600);
	assert_int_equal(client_refresh(&h, &c, 0), 0);
	assert_int_equal(reply_u32(&h, ATTR_LIFETIME), 0);
	assert_null(client_allocation(&h, &c));
	assert_int_equal(h.n_closed, 1);
	assert_int_equal(h.reason, TURN_CLOSE_REFRESH);
	assert_int_equal(h.store.live_permissions + h.store.live_channels, 0);
	harness_stop(&h);
}

// RFC 8489 9.2.4: the client knows itself, its realm and its nonce.
// Clauses: 8489 9.2.4-17
static void answers_name_nobody(void **state)
{
	static const uint16_t types[] = {
		ATTR_USERNAME, ATTR_USERHASH, ATTR_REALM, ATTR_NONCE, ATTR_PASSWORD_ALGORITHMS};
	struct tp_addr peer = tp_addr_ipv4(0x08080808, 4000);
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	harness_start(&h);
	client_init(&c, client_ip, 5000);
	for (unsigned step = 0; step < 5; step++) {
		unsigned code = step == 0   ? client_allocate(&h, &c, 0)
				: step == 1 ? client_permit(&h, &c, &peer)
				: step == 2 ? client_bind(&h, &c, 0x4000, &peer)
				: step == 3 ? client_bind(&h, &c, 0x3fff, &peer)
					    : client_refresh(&h, &c, 0);

		assert_int_equal(code, step == 3 ? 400 : 0);
		for (size_t i = 0; i < TP_ARRAY_LEN(types); i++)
			assert_false(reply_has(&h, types[i]));
	}
	harness_stop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(call_is_set_up),
		cmocka_unit_test(answers_name_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
