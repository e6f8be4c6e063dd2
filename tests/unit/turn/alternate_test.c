// SPDX-License-Identifier: BSD-3-Clause
// Clients sent to other relays (RFC 8489 10, RFC 8656 7.2), and RFC 7982 counters.
#include "harness.h"

static void assert_sent_to(struct fixture *f, const struct tp_addr *want)
{
	uint16_t len;
	const uint8_t *value =
		reply_attr(f->h.reply, f->h.reply_len, ATTR_ALTERNATE_SERVER, 0, &len);

	assert_non_null(value);
	assert_int_equal(len, 4 + tp_family_ip_len(want->family));
	assert_int_equal(value[1], want->family);
	assert_memory_equal(value + 2, &want->port_be, 2);
	assert_memory_equal(value + 4, want->ip, len - 4);
	assert_null(reply_attr(f->h.reply, f->h.reply_len, ATTR_ALTERNATE_SERVER, 1, &len));
	// A forged one would take the client away.
	assert_true(reply_verifies(f->h.reply, f->h.reply_len, f->c.key));
}

static void alternates_set(struct harness *h)
{
	h->conf.alternates.items[0] = tp_addr_ipv6((const uint8_t[16]){0x2a, 1, [15] = 9}, 3478);
	h->conf.alternates.items[1] = tp_addr_ipv4(0x05050509, 3478);
	h->conf.alternates.items[2] = tp_addr_ipv4(0x0505050a, 443);
	h->conf.alternates.n = 3;
}

static void drain(struct fixture *f)
{
	f->h.conf.draining = true;
	assert_int_equal(turn_reconfigure(f->h.s, &f->h.conf), 0);
}

// Clauses: 8489 10-1, 10-2, 14.8-3
static void draining_relay_sends_clients_on(void **state)
{
	bool seen[3] = {false};
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	alternates_set(&f.h);
	fixture_allocate(&f);
	drain(&f);
	// The call goes on.
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	for (uint16_t i = 0; i < 4; i++) {
		uint16_t len;
		const uint8_t *value;
		unsigned which;

		f.c.tuple.remote.port_be = tp_htons(6000 + i);
		assert_int_equal(client_allocate(&f.h, &f.c, 0), 300);
		value = reply_attr(f.h.reply, f.h.reply_len, ATTR_ALTERNATE_SERVER, 0, &len);
		assert_non_null(value);
		which = value[7] == 9 ? 1 : 2;
		assert_sent_to(&f, &f.h.conf.alternates.items[which]);
		assert_int_equal(f.h.refusal.cause, TURN_REFUSED_DRAINING);
		assert_int_equal(f.h.refusal.code, 300);
		seen[which] = true;
	}
	assert_true(seen[1] && seen[2]);
	assert_int_equal(f.h.n_opened, 1);
	// A client of the other family gets the one that it can reach.
	f.c.tuple.listener_id = LISTENER6_ID;
	f.c.tuple.remote = tp_addr_ipv6((const uint8_t[16]){0x2a, 1, [15] = 7}, 5000);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 300);
	assert_sent_to(&f, &f.h.conf.alternates.items[0]);
	harness_stop(&f.h);
}

static void without_alternates_it_refuses(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	drain(&f);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 508);
	assert_false(reply_has(&f.h, ATTR_ALTERNATE_SERVER));
	// None of the client's family.
	alternates_set(&f.h);
	f.h.conf.alternates.n = 1;
	drain(&f);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 508);
	harness_stop(&f.h);
}

static void secure_start(struct fixture *f, uint8_t transport)
{
	harness_init(&f->h);
	harness_offer_sha256(&f->h);
	f->h.listeners[1].transport = transport;
	alternates_set(&f->h);
	fixture_start(f);
	f->c.tuple.listener_id = LISTENER6_ID;
	f->c.tuple.connection = 0x100000001;
	assert_int_equal(turn_stream_opened(f->h.s, f->h.now_ns, &f->c.tuple, false), 0);
	harness_drain(&f->h);
}

// The code of an Allocate that is signed by SHA-256.
static unsigned allocate_sha256(struct fixture *f, uint8_t key[32])
{
	struct msg m;

	client_challenge(&f->h, &f->c);
	client_start(&f->c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	client_auth_sha256(&f->c, &m, key);
	return client_send(&f->h, &f->c, &m);
}

// The alternate may have a certificate of its own: a client that knows ALTERNATE-DOMAIN, which it
// shows by SHA-256, is sent there and told its name.
// Clauses: 8489 10-3
static void secure_clients_are_told_the_name(void **state)
{
	static const uint8_t transports[] = {TP_TRANSPORT_TLS, TP_TRANSPORT_DTLS};
	static const char name[] = "turn2.example.org";

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(transports); i++) {
		const uint8_t *value;
		struct fixture f;
		uint8_t key[32];
		uint16_t len;

		secure_start(&f, transports[i]);
		drain(&f);
		// Those of UDP and TCP are none for it.
		assert_int_equal(allocate_sha256(&f, key), 508);
		assert_false(reply_has(&f.h, ATTR_ALTERNATE_SERVER));
		f.h.conf.tls_alternates.items[0] = tp_addr_ipv4(0x0505050b, 5349);
		f.h.conf.tls_alternates.n = 1;
		// By the name by which it came here.
		drain(&f);
		assert_int_equal(allocate_sha256(&f, key), 300);
		assert_false(reply_has(&f.h, ATTR_ALTERNATE_DOMAIN));
		f.h.conf.alternate_domain = name;
		drain(&f);
		assert_int_equal(allocate_sha256(&f, key), 300);
		value = reply_attr(f.h.reply, f.h.reply_len, ATTR_ALTERNATE_SERVER, 0, &len);
		assert_non_null(value);
		assert_memory_equal(value + 4, "\5\5\5\013", 4);
		value = reply_attr(f.h.reply, f.h.reply_len, ATTR_ALTERNATE_DOMAIN, 0, &len);
		assert_non_null(value);
		assert_int_equal(len, sizeof(name) - 1);
		assert_memory_equal(value, name, len);
		assert_true(reply_verifies_sha256(f.h.reply, f.h.reply_len, key, sizeof(key)));
		// Another looks for the address in the certificate.
		assert_int_equal(client_allocate(&f.h, &f.c, 0), 508);
		assert_false(reply_has(&f.h, ATTR_ALTERNATE_SERVER));
		harness_stop(&f.h);
	}
}

static void names_are_for_secure_clients(void **state)
{
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	alternates_set(&f.h);
	f.h.conf.alternate_domain = "turn2.example.org";
	fixture_start(&f);
	drain(&f);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 300);
	assert_false(reply_has(&f.h, ATTR_ALTERNATE_DOMAIN));
	harness_stop(&f.h);
}

// No one is sent elsewhere who is not known here.
// Clauses: 8489 14.8-3
static void wrong_password_is_401(void **state)
{
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	alternates_set(&f.h);
	fixture_start(&f);
	drain(&f);
	client_user(&f.c, USER, "wrong");
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 401);
	assert_false(reply_has(&f.h, ATTR_ALTERNATE_SERVER));
	harness_stop(&f.h);
}

static void full_relay_sends_clients_on(void **state)
{
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	alternates_set(&f.h);
	f.h.conf.max_allocations = 1;
	fixture_allocate(&f);
	f.c.tuple.remote.port_be ^= 1;
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 300);
	harness_stop(&f.h);
	// A user's own limit is no reason.
	harness_init(&f.h);
	alternates_set(&f.h);
	f.h.realms[0].user_quota = 1;
	fixture_allocate(&f);
	f.c.tuple.remote.port_be ^= 1;
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 486);
	harness_stop(&f.h);
}

// RFC 8489 12: Binding costs less than sending its client on.
// Clauses: 8489 12-3
static void binding_is_answered_here(void **state)
{
	struct fixture f;
	struct msg m;

	(void)state;
	harness_init(&f.h);
	alternates_set(&f.h);
	fixture_start(&f);
	drain(&f);
	client_start(&f.c, &m, MSG_BINDING);
	assert_int_equal(client_send(&f.h, &f.c, &m), 0);
	assert_true(reply_has(&f.h, ATTR_XOR_MAPPED_ADDRESS));
	assert_false(reply_has(&f.h, ATTR_ALTERNATE_SERVER));
	harness_stop(&f.h);
}

// A reserved port is nowhere else, and its allocation was promised.
static void reserved_port_is_not_sent_on(void **state)
{
	uint8_t token[8];
	const uint8_t *value;
	struct fixture f;
	uint16_t len;
	struct msg m;

	(void)state;
	harness_init(&f.h);
	alternates_set(&f.h);
	fixture_start(&f);
	client_challenge(&f.h, &f.c);
	client_start(&f.c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	msg_attr(&m, ATTR_EVEN_PORT, (const uint8_t[]){0x80}, 1);
	assert_int_equal(client_finish(&f.h, &f.c, &m), 0);
	value = reply_attr(f.h.reply, f.h.reply_len, ATTR_RESERVATION_TOKEN, 0, &len);
	assert_non_null(value);
	memcpy(token, value, sizeof(token));
	drain(&f);
	for (unsigned i = 0; i < 2; i++) {
		f.c.tuple.remote.port_be = tp_htons((uint16_t)(7000 + i));
		client_challenge(&f.h, &f.c);
		client_start(&f.c, &m, MSG_ALLOCATE);
		msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
		msg_attr(&m, ATTR_RESERVATION_TOKEN, token, sizeof(token));
		// Its second use is refused, here.
		assert_int_equal(client_finish(&f.h, &f.c, &m), i == 0 ? 0 : 508);
	}
	harness_stop(&f.h);
}

static void copies_of_a_request_are_told_apart(void **state)
{
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_init(&f);
	client_start(&f.c, &m, MSG_BINDING);
	assert_int_equal(client_send(&f.h, &f.c, &m), 0);
	assert_false(reply_has(&f.h, ATTR_TRANSMIT_COUNTER));
	for (uint32_t copy = 1; copy < 4; copy++) {
		client_start(&f.c, &m, copy == 3 ? MSG_ALLOCATE : MSG_BINDING);
		msg_u32(&m, ATTR_TRANSMIT_COUNTER, copy << 8);
		assert_int_equal(client_send(&f.h, &f.c, &m), copy == 3 ? 401 : 0);
		assert_int_equal(reply_u32(&f.h, ATTR_TRANSMIT_COUNTER), copy << 8 | copy);
	}
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(draining_relay_sends_clients_on),
		cmocka_unit_test(without_alternates_it_refuses),
		cmocka_unit_test(secure_clients_are_told_the_name),
		cmocka_unit_test(names_are_for_secure_clients),
		cmocka_unit_test(wrong_password_is_401),
		cmocka_unit_test(full_relay_sends_clients_on),
		cmocka_unit_test(binding_is_answered_here),
		cmocka_unit_test(reserved_port_is_not_sent_on),
		cmocka_unit_test(copies_of_a_request_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
