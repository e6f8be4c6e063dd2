// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include <load/client.h>
#include <turnclient/stun.h>

#define N  50u
#define MS 1000000ull

// A server that answers at once, unless told otherwise.
struct server {
	struct load_client *client;
	uint64_t now_ns;
	unsigned lose;	  // one request in so many is lost; 0: none
	unsigned stale;	  // so many signed requests are answered 438
	bool unsigned_ok; // successes lack their signature
	int refuse;	  // an error code for signed Allocates
	unsigned seen, by_method[16];
	uint32_t lifetime[2]; // of the last Allocate, Refresh
	// Answers, taken after the client's call returned.
	struct {
		uint32_t client;
		size_t len;
		uint8_t msg[TC_STUN_MAX];
	} out[256];
	unsigned n_out;
};

static void answer_error(struct tc_stun *m, int code, const char *nonce)
{
	const uint8_t value[4] = {0, 0, (uint8_t)(code / 100), (uint8_t)(code % 100)};

	tc_stun_put(m, TC_A_ERROR, value, sizeof(value));
	tc_stun_put(m, TC_A_REALM, "r", 1);
	tc_stun_put(m, TC_A_NONCE, nonce, strlen(nonce));
}

static void key_of(uint8_t key[16])
{
	assert_true(tc_key("u", "r", "p", key));
}

static void on_request(void *ctx, uint32_t client, const uint8_t *msg, size_t len)
{
	struct server *s = ctx;
	uint16_t method = tc_stun_type(msg);
	const union tc_addr relayed = {.v4 = {.sin_family = AF_INET,
					       .sin_port = htons((uint16_t)(49152 + client)),
					       .sin_addr.s_addr = htonl(0x0a4d0001)}};
	uint8_t key[16], *out = s->out[s->n_out].msg;
	size_t n;
	const uint8_t *nonce = tc_stun_find(msg, len, TC_A_NONCE, &n);
	const uint8_t *lifetime = tc_stun_find(msg, len, TC_A_LIFETIME, &n);
	struct tc_stun m;
	int code = 0;

	assert_true(tc_stun_valid(msg, len));
	if (lifetime != NULL && method != TC_PERMISSION)
		s->lifetime[method == TC_REFRESH] = (uint32_t)lifetime[2] << 8 | lifetime[3];
	if (s->lose != 0 && s->seen++ % s->lose == 0)
		return;
	key_of(key);
	if (nonce == NULL)
		code = 401;
	else if (s->stale > 0)
		code = 438;
	else if (method == TC_ALLOCATE)
		code = s->refuse;
	tc_stun_init(&m, out, TC_STUN_MAX, method | (code == 0 ? TC_SUCCESS : TC_ERROR), msg + 8);
	if (nonce != NULL)
		assert_true(tc_stun_integrity_ok(msg, len, key));
	if (code == 438)
		s->stale--;
	if (code != 0) {
		answer_error(&m, code, "n1");
	} else {
		s->by_method[method]++;
		if (method == TC_ALLOCATE)
			tc_stun_put_addr(&m, TC_A_XOR_RELAYED, &relayed);
		if (!s->unsigned_ok)
			tc_stun_put_integrity(&m, key);
	}
	s->out[s->n_out].client = client;
	s->out[s->n_out++].len = m.len;
	assert_true(s->n_out < 256);
}

static void run(struct server *s, unsigned ms)
{
	for (unsigned i = 0; i < ms; i++) {
		s->now_ns += MS;
		load_client_tick(s->client, s->now_ns);
		while (s->n_out > 0) {
			uint8_t msg[TC_STUN_MAX];
			unsigned last = --s->n_out;
			size_t len = s->out[last].len;

			memcpy(msg, s->out[last].msg, len);
			assert_true(load_client_input(
				s->client, s->out[last].client, msg, len, s->now_ns));
		}
	}
}

static struct server *begin(struct server *s, uint32_t channels)
{
	const struct load_client_options o = {
		.population = {.server = {.ip = 0x0a4d0001, .port = 3478},
			.client_ip = 0x0a4d0102,
			.n_client_ips = 1,
			.peer_ip = 0x0a4d0202,
			.n_allocations = N,
			.n_channels = channels},
		.user = "u",
		.password = "p",
		.window = 16,
		.lifetime_s = 3600,
		.run = 7,
		.send = on_request,
		.ctx = s};

	s->now_ns = 1000 * MS;
	assert_int_equal(load_client_create(&s->client, &o), 0);
	load_client_open(s->client);
	return s;
}

static void all_are_set_up_and_deleted(void **state)
{
	struct server s = {0};
	const struct load_client_counts *c;

	(void)state;
	begin(&s, 3);
	c = load_client_counts(s.client);
	run(&s, 100);
	assert_int_equal(load_client_live(s.client), N);
	assert_int_equal(load_client_pending(s.client), 0);
	assert_int_equal(c->codes[401], N);
	assert_int_equal(c->requests, N * (2 + 1 + 3));
	assert_int_equal(s.by_method[TC_CHANNEL], 3 * N);
	assert_int_equal(s.lifetime[0], 3600);
	for (uint32_t i = 0; i < N; i++) {
		assert_true(load_client_slot(s.client, i)->media);
		assert_int_equal(load_client_slot(s.client, i)->relayed.port, 49152 + i);
	}
	load_client_close(s.client);
	run(&s, 100);
	assert_int_equal(load_client_live(s.client), 0);
	assert_int_equal(c->deleted, N);
	assert_int_equal(s.lifetime[1], 0);
	load_client_destroy(s.client);
}

static void lost_requests_are_sent_again(void **state)
{
	struct server s = {.lose = 3};

	(void)state;
	begin(&s, 1);
	run(&s, 30000);
	assert_int_equal(load_client_live(s.client), N);
	assert_true(load_client_counts(s.client)->again > N);
	load_client_destroy(s.client);
}

static void a_silent_server_ends_it(void **state)
{
	struct server s = {.lose = 1};

	(void)state;
	begin(&s, 1);
	run(&s, 64000 * (N / 16 + 1));
	assert_int_equal(load_client_counts(s.client)->failed, N);
	assert_int_equal(load_client_pending(s.client), 0);
	load_client_destroy(s.client);
}

static void stale_nonces_are_replaced(void **state)
{
	struct server s = {.stale = 30};

	(void)state;
	begin(&s, 1);
	run(&s, 100);
	assert_int_equal(load_client_live(s.client), N);
	assert_int_equal(load_client_counts(s.client)->codes[438], 30);
	load_client_destroy(s.client);
}

static void a_refusal_is_counted(void **state)
{
	struct server s = {.refuse = 486};

	(void)state;
	begin(&s, 1);
	run(&s, 100);
	assert_int_equal(load_client_counts(s.client)->failed, N);
	assert_int_equal(load_client_counts(s.client)->codes[486], N);
	load_client_destroy(s.client);
}

static void success_without_signature_counts_for_nothing(void **state)
{
	struct server s = {.unsigned_ok = true};

	(void)state;
	begin(&s, 1);
	run(&s, 100);
	assert_int_equal(load_client_live(s.client), 0);
	assert_int_equal(load_client_counts(s.client)->bad_integrity, 16);
	load_client_destroy(s.client);
}

static void a_replaced_one_falls_silent_first(void **state)
{
	struct server s = {0};

	(void)state;
	begin(&s, 1);
	run(&s, 100);
	assert_true(load_client_replace(s.client, 5, s.now_ns));
	assert_false(load_client_slot(s.client, 5)->media);
	assert_false(load_client_replace(s.client, 5, s.now_ns));
	run(&s, 250);
	assert_int_equal(s.by_method[TC_REFRESH], 0);
	run(&s, 150);
	assert_int_equal(load_client_counts(s.client)->replaced, 1);
	assert_int_equal(load_client_live(s.client), N);
	// Another client, of which the server knows nothing.
	assert_int_equal(load_client_slot(s.client, 5)->client, N);
	load_client_destroy(s.client);
}

static void live_ones_are_kept_alive(void **state)
{
	struct server s = {0};

	(void)state;
	begin(&s, 2);
	run(&s, 100);
	run(&s, 201000);
	assert_int_equal(load_client_counts(s.client)->refreshed, N);
	assert_int_equal(s.by_method[TC_REFRESH], N);
	assert_int_equal(s.by_method[TC_CHANNEL], 4 * N);
	assert_int_equal(s.lifetime[1], 3600);
	assert_int_equal(load_client_live(s.client), N);
	load_client_destroy(s.client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_set_up_and_deleted),
		cmocka_unit_test(lost_requests_are_sent_again),
		cmocka_unit_test(a_silent_server_ends_it),
		cmocka_unit_test(stale_nonces_are_replaced),
		cmocka_unit_test(a_refusal_is_counted),
		cmocka_unit_test(success_without_signature_counts_for_nothing),
		cmocka_unit_test(a_replaced_one_falls_silent_first),
		cmocka_unit_test(live_ones_are_kept_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
