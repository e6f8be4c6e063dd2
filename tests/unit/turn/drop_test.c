// SPDX-License-Identifier: BSD-3-Clause
// Unanswered datagrams, and their counters.
#include "harness.h"

#include <errno.h>

struct row {
	const char *what;
	size_t counter;
	uint16_t type;
	void (*spoil)(struct msg *m);
};

static void add_bad_fingerprint(struct msg *m)
{
	msg_u32(m, ATTR_FINGERPRINT, 0x12345678);
}

static void add_octet(struct msg *m)
{
	m->octets[m->len++] = 0;
}

static void cut(struct msg *m)
{
	m->len = 19;
}

static void cut_all(struct msg *m)
{
	m->len = 0;
}

static void classic(struct msg *m)
{
	m->octets[4] ^= 1;
}

static void long_attribute(struct msg *m)
{
	msg_u32(m, ATTR_LIFETIME, 5);
	m->octets[23] = 5;
}

#define COUNTER(name) offsetof(struct turn_counters, name)

static const struct row rows[] = {
	{"success response", COUNTER(responses_ignored), 0x0103, NULL},
	{"error response", COUNTER(responses_ignored), 0x0113, NULL},
	{"Binding indication", COUNTER(indications_ignored), 0x0011, NULL},
	{"Send indication", COUNTER(indications_ignored), 0x0016, NULL},
	{"Data indication", COUNTER(indications_ignored), 0x0017, NULL},
	{"Allocate indication", COUNTER(indications_ignored), 0x0013, NULL},
	{"Send request", COUNTER(unknown_method), 0x0006, NULL},
	{"Data request", COUNTER(unknown_method), 0x0007, NULL},
	{"unknown request", COUNTER(unknown_method), 0x000d, NULL},
	{"shared secret request", COUNTER(unknown_method), 0x0002, NULL},
	{"method 0", COUNTER(unknown_method), 0x0000, NULL},
	{"method 0xfff", COUNTER(unknown_method), 0x3eef, NULL},
	{"ChannelData", COUNTER(bad_message), 0x4003, NULL},
	{"RTP", COUNTER(bad_message), 0x8003, NULL},
	{"no magic cookie", COUNTER(bad_message), MSG_ALLOCATE, classic},
	{"octets behind the end", COUNTER(bad_message), MSG_ALLOCATE, add_octet},
	{"less than a header", COUNTER(bad_message), MSG_ALLOCATE, cut},
	{"empty", COUNTER(bad_message), MSG_ALLOCATE, cut_all},
	{"attribute beyond the end", COUNTER(bad_message), MSG_ALLOCATE, long_attribute},
	{"FINGERPRINT wrong", COUNTER(bad_fingerprint), MSG_ALLOCATE, add_bad_fingerprint},
};

static uint64_t counter_at(const struct harness *h, size_t offset)
{
	return *(const uint64_t *)(const void *)((const char *)turn_get_counters(h->s) + offset);
}

static void rows_are_dropped_and_counted(void **state)
{
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	harness_start(&h);
	client_init(&c, 0xc6336401, 5000);
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		uint64_t before = counter_at(&h, rows[i].counter);
		struct msg m;

		client_start(&c, &m, rows[i].type);
		if (rows[i].spoil != NULL)
			rows[i].spoil(&m);
		h.reply_len = 0;
		turn_input(h.s, h.now_ns, h.wall_s, &c.tuple, m.octets, m.len);
		harness_drain(&h);
		if (h.reply_len != 0)
			fail_msg("%s: answered", rows[i].what);
		if (counter_at(&h, rows[i].counter) != before + 1)
			fail_msg("%s: not counted where it should be", rows[i].what);
	}
	assert_int_equal(turn_get_counters(h.s)->requests, 0);
	harness_stop(&h);
}

static void no_realm(struct turn_conf *c)
{
	c->n_realms = 0;
}

static void realm_without_a_policy(struct turn_conf *c)
{
	static const struct turn_realm_conf realm = {.name = REALM};

	c->realms = &realm;
}

static void two_realms_of_one_id(struct turn_conf *c)
{
	static struct turn_realm_conf realms[2];

	realms[0] = realms[1] = c->realms[0];
	realms[1].name = "another.example";
	c->realms = realms;
	c->n_realms = 2;
}

static void listener_without_a_realm(struct turn_conf *c)
{
	static struct turn_listener listener;

	listener = c->listeners[0];
	listener.realm = 1;
	c->listeners = &listener;
	c->n_listeners = 1;
}

static void no_listeners(struct turn_conf *c)
{
	c->n_listeners = 0;
}

static void no_relays(struct turn_conf *c)
{
	c->n_relays = 0;
}

static void ports_reversed(struct turn_conf *c)
{
	c->port_min = 65535;
	c->port_max = 1;
}

static void port_zero(struct turn_conf *c)
{
	c->port_min = 0;
}

static void no_default_lifetime(struct turn_conf *c)
{
	c->default_lifetime_s = 0;
}

static void lifetimes_reversed(struct turn_conf *c)
{
	c->max_lifetime_s = c->default_lifetime_s - 1;
}

static void no_permission_lifetime(struct turn_conf *c)
{
	c->permission_lifetime_s = 0;
}

static void no_channel_lifetime(struct turn_conf *c)
{
	c->channel_lifetime_s = 0;
}

static void channels_beyond_the_format(struct turn_conf *c)
{
	c->channel_max = 0x8000;
}

static void unusable_configuration_is_refused(void **state)
{
	static void (*const spoil[])(struct turn_conf *) = {no_realm, realm_without_a_policy,
		two_realms_of_one_id, listener_without_a_realm, no_listeners, no_relays,
		ports_reversed, port_zero, no_default_lifetime, lifetimes_reversed,
		no_permission_lifetime, no_channel_lifetime, channels_beyond_the_format};
	struct turn_store ops;
	struct harness h;

	(void)state;
	harness_init(&h);
	harness_start(&h);
	ops = fake_store_ops(&h.store);
	for (size_t i = 0; i < TP_ARRAY_LEN(spoil); i++) {
		struct turn_conf conf = h.conf;

		spoil[i](&conf);
		errno = 0;
		if (turn_create(&h.env, &ops, &conf) != NULL)
			fail_msg("%zu: taken", i);
		assert_int_equal(errno, EINVAL);
	}
	harness_stop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_dropped_and_counted),
		cmocka_unit_test(unusable_configuration_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
