// SPDX-License-Identifier: BSD-3-Clause
// The requests of relaybench setup's clients, and that they let no wrong answer pass.
#include <stun_client.h>

#include <client.h>
#include <user.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define FIRST 40u
#define USERS 7u
#define NONCE "obMatJos2AAAA0123456789"

struct fixture {
	struct bench_clients clients;
	uint8_t key[16];
};

static struct bench_client *client_of(struct fixture *f)
{
	return &f->clients.all[0];
}

static const uint8_t *txid_of(const struct fixture *f, enum bench_stage stage)
{
	return f->clients.all[0].requests[stage].octets + 8;
}

static void answer(struct fixture *f, enum bench_stage stage, const struct msg *m)
{
	struct bench_message *a = &client_of(f)->answers[stage];

	assert_true(m->len <= sizeof(a->octets));
	memcpy(a->octets, m->octets, m->len);
	a->len = (uint16_t)m->len;
}

static void challenge_answer(struct fixture *f)
{
	struct msg m;

	msg_start(&m, MSG_ALLOCATE | 0x0110, txid_of(f, BENCH_CHALLENGE));
	msg_text(&m, ATTR_REALM, BENCH_REALM);
	msg_text(&m, ATTR_NONCE, NONCE);
	answer(f, BENCH_CHALLENGE, &m);
}

static void allocate_answer(struct fixture *f, const struct tp_addr *relayed,
	const struct tp_addr *mapped, const uint8_t *key)
{
	struct msg m;

	msg_start(&m, MSG_ALLOCATE | 0x0100, txid_of(f, BENCH_ALLOCATE));
	msg_xor_addr(&m, ATTR_XOR_RELAYED_ADDRESS, relayed);
	msg_u32(&m, ATTR_LIFETIME, 600);
	msg_xor_addr(&m, ATTR_XOR_MAPPED_ADDRESS, mapped);
	msg_integrity(&m, key);
	answer(f, BENCH_ALLOCATE, &m);
}

static void plain_answer(struct fixture *f, enum bench_stage stage, uint16_t type)
{
	struct msg m;

	msg_start(&m, type, txid_of(f, stage));
	msg_integrity(&m, f->key);
	answer(f, stage, &m);
}

static struct tp_addr good_relayed(void)
{
	struct tp_addr a = bench_relay_address(BENCH_IPV4, 1);

	a.port_be = tp_htons(50000);
	return a;
}

// All of them as they should be.
static void answers_make(struct fixture *f)
{
	struct tp_addr relayed = good_relayed();

	allocate_answer(f, &relayed, &client_of(f)->addr, f->key);
	plain_answer(f, BENCH_PERMISSION, MSG_CREATE_PERMISSION | 0x0100);
	plain_answer(f, BENCH_CHANNEL, MSG_CHANNEL_BIND | 0x0100);
}

static int setup(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));

	assert_int_equal(bench_clients_init(&f->clients, 4, USERS, false), 0);
	bench_clients_begin(&f->clients, FIRST, 1);
	bench_user_key(FIRST % USERS, f->key);
	challenge_answer(f);
	assert_int_equal(bench_clients_sign(&f->clients), 0);
	answers_make(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bench_clients_fini(&f->clients);
	test_free(f);
	return 0;
}

static void requests_are_signed(void **state)
{
	struct fixture *f = *state;
	static const uint16_t types[] = {
		MSG_ALLOCATE, MSG_ALLOCATE, MSG_CREATE_PERMISSION, MSG_CHANNEL_BIND};

	for (unsigned s = BENCH_CHALLENGE; s < BENCH_STAGES; s++) {
		const struct bench_message *m = &client_of(f)->requests[s];
		uint16_t len;
		const uint8_t *nonce = reply_attr(m->octets, m->len, ATTR_NONCE, 0, &len);

		assert_int_equal(tp_load_be16(m->octets), types[s]);
		if (s == BENCH_CHALLENGE) {
			assert_null(nonce);
			continue;
		}
		assert_memory_equal(nonce, NONCE, strlen(NONCE));
		assert_true(reply_verifies(m->octets, m->len, f->key));
	}
}

// Base64 of the HMAC over the name is the password, as coturn's users make it.
static void a_time_limited_user_signs(void **state)
{
	struct fixture *f = *state;
	const struct bench_message *m = &client_of(f)->requests[BENCH_ALLOCATE];
	const uint8_t *name;
	uint8_t key[16];
	uint16_t len;

	f->clients.rest = true;
	assert_int_equal(bench_clients_sign(&f->clients), 0);
	name = reply_attr(m->octets, m->len, ATTR_USERNAME, 0, &len);
	assert_int_equal(len, strlen("4000000000:user0000005"));
	assert_memory_equal(name, "4000000000:user0000005", len);
	msg_key("4000000000:user0000005", BENCH_REALM, "r0l35YagzGhEsjrDI7XpUrtBZJM=", key);
	assert_true(reply_verifies(m->octets, m->len, key));
}

static void no_nonce_no_requests(void **state)
{
	struct fixture *f = *state;
	struct msg m;

	msg_start(&m, MSG_ALLOCATE | 0x0110, txid_of(f, BENCH_CHALLENGE));
	msg_text(&m, ATTR_REALM, BENCH_REALM);
	answer(f, BENCH_CHALLENGE, &m);
	assert_int_equal(bench_clients_sign(&f->clients), -EPROTO);
	client_of(f)->answers[BENCH_CHALLENGE].len = 0;
	assert_int_equal(bench_clients_sign(&f->clients), -EPROTO);
}

static void good_answers_pass(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bench_clients_verify(&f->clients), 0);
}

static void assert_wrong(struct fixture *f, const char *why)
{
	assert_int_equal(bench_clients_verify(&f->clients), -EPROTO);
	assert_non_null(strstr(f->clients.wrong, why));
	answers_make(f);
	assert_int_equal(bench_clients_verify(&f->clients), 0);
}

static void wrong_answers_do_not(void **state)
{
	struct fixture *f = *state;
	struct tp_addr relayed = good_relayed(), astray = tp_addr_ipv4(0x0a4d0001, 50000);
	struct tp_addr low = relayed;
	uint8_t key[16] = {1};

	client_of(f)->answers[BENCH_CHANNEL].len = 0;
	assert_wrong(f, "missing");
	plain_answer(f, BENCH_PERMISSION, MSG_CREATE_PERMISSION | 0x0110);
	assert_wrong(f, "another type");
	client_of(f)->answers[BENCH_CHANNEL].octets[19] ^= 1;
	assert_wrong(f, "not of this transaction");
	client_of(f)->answers[BENCH_CHANNEL].octets[30] ^= 1;
	assert_wrong(f, "not under the user's key");
	allocate_answer(f, &relayed, &client_of(f)->addr, key);
	assert_wrong(f, "not under the user's key");
	allocate_answer(f, &relayed, &relayed, f->key);
	assert_wrong(f, "another client");
	allocate_answer(f, &astray, &client_of(f)->addr, f->key);
	assert_wrong(f, "not the relay's");
	low.port_be = tp_htons(1024);
	allocate_answer(f, &low, &client_of(f)->addr, f->key);
	assert_wrong(f, "not the relay's");
}

static void a_client_is_found_by_its_address(void **state)
{
	static const uint32_t some[] = {0, 1, 7, 8, 4095, 999999, BENCH_FLOWS_MAX - 1};
	struct bench_population p = {.family = BENCH_IPV4};
	struct bench_flow flow;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(some); i++) {
		bench_flow_at(&p, some[i], &flow);
		assert_int_equal(bench_flow_of_client(&flow.client), some[i]);
		flow.client.port_be = tp_htons((uint16_t)(tp_addr_port(&flow.client) + 1));
		assert_int_equal(bench_flow_of_client(&flow.client), UINT32_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests_are_signed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_time_limited_user_signs, setup, teardown),
		cmocka_unit_test_setup_teardown(no_nonce_no_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(good_answers_pass, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_answers_do_not, setup, teardown),
		cmocka_unit_test(a_client_is_found_by_its_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
