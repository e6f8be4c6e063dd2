// SPDX-License-Identifier: BSD-3-Clause
// NAT behaviour discovery (RFC 5780).
#include "harness.h"

#define CHANGE_IP   4u
#define CHANGE_PORT 2u

// Listeners 0 to 3: two addresses, two ports each; then one of streams, and one at the first
// address of IPv6.
struct place {
	struct turn_listener listeners[6];
	struct fixture f;
};

static void place_init(struct place *p, bool enabled)
{
	struct turn_conf *conf = &p->f.h.conf;

	memset(p->listeners, 0, sizeof(p->listeners));
	harness_init(&p->f.h);
	for (unsigned i = 0; i < 4; i++) {
		struct turn_listener *l = &p->listeners[i];

		l->id = (uint16_t)(LISTENER_ID + i);
		l->local = tp_addr_ipv4(0x0a000001 + i / 2, (uint16_t)(3478 + i % 2));
		l->advertised = tp_addr_ipv4(0x05050501 + i / 2, (uint16_t)(3478 + i % 2));
	}
	p->listeners[4] = p->listeners[3];
	p->listeners[4].id = LISTENER_ID + 4;
	p->listeners[4].transport = TP_TRANSPORT_TCP;
	p->listeners[5] = p->f.h.listeners[1];
	p->listeners[5].id = LISTENER_ID + 5;
	conf->listeners = p->listeners;
	conf->n_listeners = TP_ARRAY_LEN(p->listeners);
	conf->nat_discovery = enabled;
	fixture_start(&p->f);
}

static bool address_read(const struct harness *h, uint16_t type, struct tp_addr *addr)
{
	uint16_t len;
	const uint8_t *value = reply_attr(h->reply, h->reply_len, type, 0, &len);

	if (value == NULL)
		return false;
	assert_int_equal(len, 8);
	assert_int_equal(value[1], TP_FAMILY_IPV4);
	*addr = tp_addr_ipv4(tp_load_be32(value + 4), tp_load_be16(value + 2));
	return true;
}

static void assert_address(const struct harness *h, uint16_t type, const struct tp_addr *want)
{
	struct tp_addr got;

	assert_true(address_read(h, type, &got));
	assert_true(tp_addr_equal(&got, want));
}

// RFC 5780 6.1, table 1.
static void answers_leave_by_the_listener_asked_for(void **state)
{
	static const uint32_t changes[] = {0, CHANGE_PORT, CHANGE_IP, CHANGE_IP | CHANGE_PORT};
	struct place p;

	(void)state;
	place_init(&p, true);
	for (unsigned from = 0; from < 4; from++) {
		for (unsigned i = 0; i < 4; i++) {
			// Of the four listeners the bits of the index are address and port.
			const struct turn_listener *origin = &p.listeners[from ^ i];
			struct client *c = &p.f.c;
			struct msg m;

			c->tuple.listener_id = p.listeners[from].id;
			client_start(c, &m, MSG_BINDING);
			if (i != 0)
				msg_u32(&m, ATTR_CHANGE_REQUEST, changes[i]);
			assert_int_equal(client_send(&p.f.h, c, &m), 0);
			assert_int_equal(p.f.h.to.listener_id, origin->id);
			assert_true(tp_addr_equal(&p.f.h.to.remote, &c->tuple.remote));
			assert_address(&p.f.h, ATTR_MAPPED_ADDRESS, &c->tuple.remote);
			assert_address(&p.f.h, ATTR_RESPONSE_ORIGIN, &origin->advertised);
			assert_address(
				&p.f.h, ATTR_OTHER_ADDRESS, &p.listeners[from ^ 3].advertised);
		}
	}
	harness_stop(&p.f.h);
}

static void response_port_is_obeyed(void **state)
{
	struct place p;
	struct msg m;

	(void)state;
	place_init(&p, true);
	client_start(&p.f.c, &m, MSG_BINDING);
	msg_u32(&m, ATTR_RESPONSE_PORT, 4444u << 16);
	assert_int_equal(client_send(&p.f.h, &p.f.c, &m), 0);
	assert_int_equal(p.f.h.to.remote.port_be, tp_htons(4444));
	assert_true(tp_addr_same_ip(&p.f.h.to.remote, &p.f.c.tuple.remote));
	assert_address(&p.f.h, ATTR_MAPPED_ADDRESS, &p.f.c.tuple.remote);
	// The next answer goes where it was asked.
	client_start(&p.f.c, &m, MSG_BINDING);
	msg_u32(&m, ATTR_RESPONSE_PORT, 0);
	assert_int_equal(client_send(&p.f.h, &p.f.c, &m), 400);
	assert_true(tp_addr_equal(&p.f.h.to.remote, &p.f.c.tuple.remote));
	client_start(&p.f.c, &m, MSG_BINDING);
	msg_u32(&m, ATTR_RESPONSE_PORT, 4444u << 16);
	msg_u32(&m, ATTR_PADDING, 0);
	assert_int_equal(client_send(&p.f.h, &p.f.c, &m), 400);
	assert_true(tp_addr_equal(&p.f.h.to.remote, &p.f.c.tuple.remote));
	harness_stop(&p.f.h);
}

static void padding_makes_no_answer_longer_than_its_request(void **state)
{
	static const uint8_t zeros[1800];
	static const size_t lens[] = {0, 4, 47, 60, 100, 800, 1500, 1800};
	struct place p;

	(void)state;
	place_init(&p, true);
	p.f.h.conf.software = NULL;
	for (unsigned i = 0; i < 2 * TP_ARRAY_LEN(lens); i++) {
		size_t len = lens[i / 2];
		struct msg m;

		client_start(&p.f.c, &m, MSG_BINDING);
		msg_attr(&m, ATTR_PADDING, zeros, (uint16_t)len);
		if (i % 2 != 0)
			msg_fingerprint(&m);
		assert_int_equal(client_send(&p.f.h, &p.f.c, &m), 0);
		if (i % 2 != 0)
			assert_true(reply_fingerprint_ok(p.f.h.reply, p.f.h.reply_len));
		// An answer without padding is as long as any.
		if (!reply_has(&p.f.h, ATTR_PADDING))
			assert_in_range(p.f.h.reply_len, m.len, 20 + 4 * 12 + 8);
		else
			assert_int_equal(p.f.h.reply_len, m.len);
		assert_int_equal(reply_has(&p.f.h, ATTR_PADDING), len >= 47);
	}
	harness_stop(&p.f.h);
}

static void assert_unknown(struct place *p, uint16_t method, unsigned code)
{
	static const uint16_t types[] = {ATTR_CHANGE_REQUEST, ATTR_PADDING, ATTR_RESPONSE_PORT};

	for (unsigned i = 0; i < TP_ARRAY_LEN(types); i++) {
		const uint8_t *value;
		struct msg m;
		uint16_t len;

		client_start(&p->f.c, &m, method);
		msg_u32(&m, types[i], 0);
		assert_int_equal(method == MSG_BINDING ? client_send(&p->f.h, &p->f.c, &m)
						       : client_finish(&p->f.h, &p->f.c, &m),
			code);
		value = reply_attr(
			p->f.h.reply, p->f.h.reply_len, ATTR_UNKNOWN_ATTRIBUTES, 0, &len);
		assert_non_null(value);
		assert_int_equal(len, 2);
		assert_int_equal(tp_load_be16(value), types[i]);
	}
}

// RFC 5780 6: 420 where the server has no other address, or does not do this at all.
static void without_other_addresses_nothing_is_known_of_it(void **state)
{
	struct tp_addr addr;
	struct place p;
	struct msg m;

	(void)state;
	place_init(&p, false);
	assert_unknown(&p, MSG_BINDING, 420);
	harness_stop(&p.f.h);
	place_init(&p, true);
	client_challenge(&p.f.h, &p.f.c);
	assert_unknown(&p, MSG_ALLOCATE, 420);
	// One address of IPv6 alone.
	p.f.c.tuple.listener_id = p.listeners[5].id;
	p.f.c.tuple.remote = tp_addr_ipv6((const uint8_t[16]){0x20, 1, [15] = 1}, 5000);
	assert_unknown(&p, MSG_BINDING, 420);
	client_start(&p.f.c, &m, MSG_BINDING);
	assert_int_equal(client_send(&p.f.h, &p.f.c, &m), 0);
	assert_false(address_read(&p.f.h, ATTR_OTHER_ADDRESS, &addr));
	harness_stop(&p.f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_leave_by_the_listener_asked_for),
		cmocka_unit_test(response_port_is_obeyed),
		cmocka_unit_test(padding_makes_no_answer_longer_than_its_request),
		cmocka_unit_test(without_other_addresses_nothing_is_known_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
