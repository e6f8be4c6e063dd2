// SPDX-License-Identifier: BSD-3-Clause
// Authenticated requests and the code each is answered with, in the order the checks must have.
#include "harness.h"

enum allocated {
	WITHOUT, // an allocation
	WITH_IPV4,
	WITH_IPV6,
};

struct attr {
	uint16_t type; // 0: no more
	uint16_t len;
	uint8_t value[24];
	bool is_addr;
	struct tp_addr addr;
};

struct row {
	const char *what;
	uint16_t method;
	enum allocated allocated;
	unsigned code;
	struct attr attrs[5];
	uint16_t unknown[4]; // expected in a 420
};

#define NO_ATTR                                                                                    \
	{                                                                                          \
		0, 0, {0}, false,                                                                  \
		{                                                                                  \
			.family = 0                                                                \
		}                                                                                  \
	}
#define RAW(type, len, ...)                                                                        \
	{                                                                                          \
		type, len, {__VA_ARGS__}, false,                                                   \
		{                                                                                  \
			.family = 0                                                                \
		}                                                                                  \
	}
#define EMPTY(type) RAW(type, 0, 0)
#define PEER(...)                                                                                  \
	{                                                                                          \
		ATTR_XOR_PEER_ADDRESS, 0, {0}, true, __VA_ARGS__                                   \
	}
#define PORT(p) ((uint16_t)((p) >> 8 | ((p)&0xff) << 8))
#define IPV4(a, b, c, d, port)                                                                     \
	{                                                                                          \
		.family = TP_FAMILY_IPV4, .ip = {a, b, c, d}, .port_be = PORT(port)                \
	}
#define IPV6(a, b, last, port)                                                                     \
	{                                                                                          \
		.family = TP_FAMILY_IPV6, .ip = {a, b, [15] = last}, .port_be = PORT(port)         \
	}
#define UDP	  RAW(ATTR_REQUESTED_TRANSPORT, 4, 17)
#define NUMBER(n) RAW(ATTR_CHANNEL_NUMBER, 4, (n) >> 8, (n)&0xff)
#define FAMILY(f) RAW(ATTR_REQUESTED_ADDRESS_FAMILY, 4, f)

#define PUBLIC	  IPV4(8, 8, 8, 8, 4000)
#define PUBLIC6	  IPV6(0x2a, 0x02, 9, 4000)
#define LISTENER  IPV4(5, 5, 5, 1, 3478)
#define RELAY(p)  IPV4(5, 5, 5, 2, p)

// clang-format off
static const struct row rows[] = {
	// RFC 8656 7.2
	{"UDP", MSG_ALLOCATE, WITHOUT, 0, {UDP}, {0}},
	{"RFFU of REQUESTED-TRANSPORT is ignored", MSG_ALLOCATE, WITHOUT, 0, {RAW(ATTR_REQUESTED_TRANSPORT, 4, 17, 1, 2, 3)}, {0}},
	{"no REQUESTED-TRANSPORT", MSG_ALLOCATE, WITHOUT, 400, {NO_ATTR}, {0}},
	{"REQUESTED-TRANSPORT of 1 octet", MSG_ALLOCATE, WITHOUT, 400, {RAW(ATTR_REQUESTED_TRANSPORT, 1, 17)}, {0}},
	{"REQUESTED-TRANSPORT of 8 octets", MSG_ALLOCATE, WITHOUT, 400, {RAW(ATTR_REQUESTED_TRANSPORT, 8, 17)}, {0}},
	{"TCP of a client by UDP", MSG_ALLOCATE, WITHOUT, 400, {RAW(ATTR_REQUESTED_TRANSPORT, 4, 6)}, {0}},
	{"protocol 0", MSG_ALLOCATE, WITHOUT, 442, {RAW(ATTR_REQUESTED_TRANSPORT, 4, 0)}, {0}},
	{"LIFETIME of 2 octets", MSG_ALLOCATE, WITHOUT, 400, {UDP, RAW(ATTR_LIFETIME, 2, 1)}, {0}},
	{"IPv4 asked for", MSG_ALLOCATE, WITHOUT, 0, {UDP, FAMILY(1)}, {0}},
	{"IPv6 asked for", MSG_ALLOCATE, WITHOUT, 0, {UDP, FAMILY(2)}, {0}},
	{"reserved bits of REQUESTED-ADDRESS-FAMILY are ignored", MSG_ALLOCATE, WITHOUT, 0, {UDP, RAW(ATTR_REQUESTED_ADDRESS_FAMILY, 4, 1, 0xff, 0xff, 0xff)}, {0}},
	{"family 0", MSG_ALLOCATE, WITHOUT, 440, {UDP, FAMILY(0)}, {0}},
	{"family 3", MSG_ALLOCATE, WITHOUT, 440, {UDP, FAMILY(3)}, {0}},
	{"family of 1 octet", MSG_ALLOCATE, WITHOUT, 400, {UDP, RAW(ATTR_REQUESTED_ADDRESS_FAMILY, 1, 1)}, {0}},
	{"additional IPv6", MSG_ALLOCATE, WITHOUT, 0, {UDP, RAW(ATTR_ADDITIONAL_ADDRESS_FAMILY, 4, 2)}, {0}},
	{"additional IPv4", MSG_ALLOCATE, WITHOUT, 400, {UDP, RAW(ATTR_ADDITIONAL_ADDRESS_FAMILY, 4, 1)}, {0}},
	{"additional of 2 octets", MSG_ALLOCATE, WITHOUT, 400, {UDP, RAW(ATTR_ADDITIONAL_ADDRESS_FAMILY, 2, 2)}, {0}},
	{"both family attributes", MSG_ALLOCATE, WITHOUT, 400, {UDP, FAMILY(1), RAW(ATTR_ADDITIONAL_ADDRESS_FAMILY, 4, 2)}, {0}},
	{"DONT-FRAGMENT", MSG_ALLOCATE, WITHOUT, 0, {UDP, EMPTY(ATTR_DONT_FRAGMENT)}, {0}},
	{"DONT-FRAGMENT of 4 octets", MSG_ALLOCATE, WITHOUT, 400, {UDP, RAW(ATTR_DONT_FRAGMENT, 4, 0)}, {0}},
	{"EVEN-PORT without a reservation", MSG_ALLOCATE, WITHOUT, 0, {UDP, RAW(ATTR_EVEN_PORT, 1, 0)}, {0}},
	{"EVEN-PORT of 2 octets", MSG_ALLOCATE, WITHOUT, 400, {UDP, RAW(ATTR_EVEN_PORT, 2, 0)}, {0}},
	{"EVEN-PORT's reservation and an additional family", MSG_ALLOCATE, WITHOUT, 400, {UDP, RAW(ATTR_EVEN_PORT, 1, 0x80), RAW(ATTR_ADDITIONAL_ADDRESS_FAMILY, 4, 2)}, {0}},
	{"EVEN-PORT and an additional family", MSG_ALLOCATE, WITHOUT, 0, {UDP, RAW(ATTR_EVEN_PORT, 1, 0), RAW(ATTR_ADDITIONAL_ADDRESS_FAMILY, 4, 2)}, {0}},
	{"RESERVATION-TOKEN that nobody has", MSG_ALLOCATE, WITHOUT, 508, {UDP, RAW(ATTR_RESERVATION_TOKEN, 8, 1)}, {0}},
	{"RESERVATION-TOKEN and EVEN-PORT", MSG_ALLOCATE, WITHOUT, 400, {UDP, RAW(ATTR_RESERVATION_TOKEN, 8, 1), RAW(ATTR_EVEN_PORT, 1, 0)}, {0}},
	{"RESERVATION-TOKEN and a family", MSG_ALLOCATE, WITHOUT, 400, {UDP, RAW(ATTR_RESERVATION_TOKEN, 8, 1), FAMILY(1)}, {0}},
	{"RESERVATION-TOKEN and an additional family", MSG_ALLOCATE, WITHOUT, 400, {UDP, RAW(ATTR_RESERVATION_TOKEN, 8, 1), RAW(ATTR_ADDITIONAL_ADDRESS_FAMILY, 4, 2)}, {0}},
	{"EVEN-PORT", MSG_ALLOCATE, WITHOUT, 0, {UDP, RAW(ATTR_EVEN_PORT, 1, 0x80)}, {0}},
	{"EVEN-PORT and a family", MSG_ALLOCATE, WITHOUT, 0, {FAMILY(2), UDP, RAW(ATTR_EVEN_PORT, 1, 0xff)}, {0}},
	{"RESERVATION-TOKEN of 4 octets", MSG_ALLOCATE, WITHOUT, 400, {RAW(ATTR_RESERVATION_TOKEN, 4, 1), UDP}, {0}},
	{"442 comes before a bad token", MSG_ALLOCATE, WITHOUT, 442, {RAW(ATTR_RESERVATION_TOKEN, 8, 1), RAW(ATTR_REQUESTED_TRANSPORT, 4, 5)}, {0}},
	{"400 comes before a bad token", MSG_ALLOCATE, WITHOUT, 400, {RAW(ATTR_RESERVATION_TOKEN, 8, 1), UDP, RAW(ATTR_EVEN_PORT, 1, 0x80), FAMILY(1)}, {0}},
	{"PASSWORD-ALGORITHM that was not offered", MSG_ALLOCATE, WITHOUT, 400, {UDP, RAW(ATTR_PASSWORD_ALGORITHM, 4, 0, 2)}, {0}},
	{"PASSWORD-ALGORITHMS that were not offered", MSG_ALLOCATE, WITHOUT, 0, {UDP, RAW(ATTR_PASSWORD_ALGORITHMS, 4, 0, 1)}, {0}},
	{"several, one twice", MSG_ALLOCATE, WITHOUT, 420,
		{RAW(0x7abc, 3, 1), UDP, EMPTY(0x7ffe), RAW(0x7abc, 0, 0), RAW(0x0010, 4, 0)},
		{0x7abc, 0x7ffe, 0x0010}},
	{"420 comes before 442 and 400", MSG_ALLOCATE, WITHOUT, 420, {RAW(ATTR_REQUESTED_TRANSPORT, 4, 5), RAW(ATTR_LIFETIME, 1, 1), RAW(0x0003, 4, 0)}, {0x0003}},
	{"unknown optional", MSG_ALLOCATE, WITHOUT, 0, {UDP, RAW(0xc0de, 4, 1), RAW(ATTR_SOFTWARE, 3, 'a')}, {0}},
	{"known, of no use here", MSG_ALLOCATE, WITHOUT, 0, {UDP, PEER(PUBLIC), NUMBER(0x1234), RAW(0x0013, 3, 1)}, {0}},
	{"5-tuple in use", MSG_ALLOCATE, WITH_IPV4, 437, {UDP}, {0}},
	{"437 comes before 400", MSG_ALLOCATE, WITH_IPV4, 437, {NO_ATTR}, {0}},
	{"420 comes before 437", MSG_ALLOCATE, WITH_IPV4, 420, {UDP, EMPTY(0x0021)}, {0x0021}},
	{"442 comes before 440", MSG_ALLOCATE, WITHOUT, 442, {RAW(ATTR_REQUESTED_TRANSPORT, 4, 5), FAMILY(3)}, {0}},

	// 8.2
	{"Refresh", MSG_REFRESH, WITH_IPV4, 0, {NO_ATTR}, {0}},
	{"Refresh without allocation", MSG_REFRESH, WITHOUT, 437, {NO_ATTR}, {0}},
	{"Refresh, LIFETIME of 8 octets", MSG_REFRESH, WITH_IPV4, 400, {RAW(ATTR_LIFETIME, 8, 0)}, {0}},
	{"Refresh, same family", MSG_REFRESH, WITH_IPV4, 0, {FAMILY(1)}, {0}},
	{"Refresh, other family", MSG_REFRESH, WITH_IPV4, 443, {FAMILY(2)}, {0}},
	{"Refresh, IPv6, same family", MSG_REFRESH, WITH_IPV6, 0, {FAMILY(2)}, {0}},
	{"Refresh, IPv6, other family", MSG_REFRESH, WITH_IPV6, 443, {FAMILY(1)}, {0}},
	{"Refresh, no family", MSG_REFRESH, WITH_IPV4, 443, {FAMILY(0)}, {0}},
	{"Refresh, unknown family", MSG_REFRESH, WITH_IPV4, 443, {FAMILY(3)}, {0}},
	{"Refresh, family of 8 octets", MSG_REFRESH, WITH_IPV4, 400, {RAW(ATTR_REQUESTED_ADDRESS_FAMILY, 8, 1)}, {0}},
	{"Refresh, 420 comes before 437", MSG_REFRESH, WITHOUT, 420, {EMPTY(0x0021)}, {0x0021}},

	// 10.2
	{"permission", MSG_CREATE_PERMISSION, WITH_IPV4, 0, {PEER(PUBLIC)}, {0}},
	{"two permissions", MSG_CREATE_PERMISSION, WITH_IPV4, 0, {PEER(PUBLIC), PEER(IPV4(9, 9, 9, 9, 0))}, {0}},
	{"IPv6 permission", MSG_CREATE_PERMISSION, WITH_IPV6, 0, {PEER(PUBLIC6)}, {0}},
	{"permission without allocation", MSG_CREATE_PERMISSION, WITHOUT, 437, {PEER(PUBLIC)}, {0}},
	{"437 comes before 400", MSG_CREATE_PERMISSION, WITHOUT, 437, {NO_ATTR}, {0}},
	{"no peer", MSG_CREATE_PERMISSION, WITH_IPV4, 400, {NO_ATTR}, {0}},
	{"peer of 4 octets", MSG_CREATE_PERMISSION, WITH_IPV4, 400, {RAW(ATTR_XOR_PEER_ADDRESS, 4, 0, 1)}, {0}},
	{"second peer of 4 octets", MSG_CREATE_PERMISSION, WITH_IPV4, 400, {PEER(PUBLIC), RAW(ATTR_XOR_PEER_ADDRESS, 4, 0, 1)}, {0}},
	{"peer of family 3", MSG_CREATE_PERMISSION, WITH_IPV4, 400, {RAW(ATTR_XOR_PEER_ADDRESS, 8, 0, 3)}, {0}},
	{"IPv4 peer of 20 octets", MSG_CREATE_PERMISSION, WITH_IPV4, 400, {RAW(ATTR_XOR_PEER_ADDRESS, 20, 0, 1)}, {0}},
	{"IPv6 peer, IPv4 allocation", MSG_CREATE_PERMISSION, WITH_IPV4, 443, {PEER(PUBLIC6)}, {0}},
	{"IPv4 peer, IPv6 allocation", MSG_CREATE_PERMISSION, WITH_IPV6, 443, {PEER(PUBLIC)}, {0}},
	{"one of two has the wrong family", MSG_CREATE_PERMISSION, WITH_IPV4, 443, {PEER(PUBLIC), PEER(PUBLIC6)}, {0}},
	{"400 comes before 443", MSG_CREATE_PERMISSION, WITH_IPV4, 400, {PEER(PUBLIC6), RAW(ATTR_XOR_PEER_ADDRESS, 3, 0)}, {0}},
	{"own listener", MSG_CREATE_PERMISSION, WITH_IPV4, 403, {PEER(LISTENER)}, {0}},
	{"own listener among others", MSG_CREATE_PERMISSION, WITH_IPV4, 403, {PEER(PUBLIC), PEER(LISTENER)}, {0}},
	{"443 comes before 403", MSG_CREATE_PERMISSION, WITH_IPV4, 443, {PEER(LISTENER), PEER(PUBLIC6)}, {0}},
	{"own relay address, any port", MSG_CREATE_PERMISSION, WITH_IPV4, 0, {PEER(RELAY(3478))}, {0}},

	// 12.2
	{"channel", MSG_CHANNEL_BIND, WITH_IPV4, 0, {NUMBER(0x4000), PEER(PUBLIC)}, {0}},
	{"last channel", MSG_CHANNEL_BIND, WITH_IPV4, 0, {PEER(PUBLIC), NUMBER(0x4fff)}, {0}},
	{"IPv6 channel", MSG_CHANNEL_BIND, WITH_IPV6, 0, {PEER(PUBLIC6), NUMBER(0x4fff)}, {0}},
	{"channel without allocation", MSG_CHANNEL_BIND, WITHOUT, 437, {NUMBER(0x4000), PEER(PUBLIC)}, {0}},
	{"no number", MSG_CHANNEL_BIND, WITH_IPV4, 400, {PEER(PUBLIC)}, {0}},
	{"no peer", MSG_CHANNEL_BIND, WITH_IPV4, 400, {NUMBER(0x4000)}, {0}},
	{"number of 2 octets", MSG_CHANNEL_BIND, WITH_IPV4, 400, {RAW(ATTR_CHANNEL_NUMBER, 2, 0x40), PEER(PUBLIC)}, {0}},
	{"peer of 12 octets", MSG_CHANNEL_BIND, WITH_IPV4, 400, {NUMBER(0x4000), RAW(ATTR_XOR_PEER_ADDRESS, 12, 0, 1)}, {0}},
	{"number 0", MSG_CHANNEL_BIND, WITH_IPV4, 400, {NUMBER(0), PEER(PUBLIC)}, {0}},
	{"number 0x3fff", MSG_CHANNEL_BIND, WITH_IPV4, 400, {NUMBER(0x3fff), PEER(PUBLIC)}, {0}},
	{"number 0x5000", MSG_CHANNEL_BIND, WITH_IPV4, 400, {NUMBER(0x5000), PEER(PUBLIC)}, {0}},
	{"number 0x7fff", MSG_CHANNEL_BIND, WITH_IPV4, 400, {NUMBER(0x7fff), PEER(PUBLIC)}, {0}},
	{"number 0xffff", MSG_CHANNEL_BIND, WITH_IPV4, 400, {NUMBER(0xffff), PEER(PUBLIC)}, {0}},
	{"RFFU of CHANNEL-NUMBER is ignored", MSG_CHANNEL_BIND, WITH_IPV4, 0, {RAW(ATTR_CHANNEL_NUMBER, 4, 0x40, 0, 0xff, 0xff), PEER(PUBLIC)}, {0}},
	{"channel to the other family", MSG_CHANNEL_BIND, WITH_IPV4, 443, {NUMBER(0x4000), PEER(PUBLIC6)}, {0}},
	{"400 comes before 443", MSG_CHANNEL_BIND, WITH_IPV4, 400, {NUMBER(0x5000), PEER(PUBLIC6)}, {0}},
	{"channel to the own listener", MSG_CHANNEL_BIND, WITH_IPV4, 403, {NUMBER(0x4000), PEER(LISTENER)}, {0}},
	{"400 comes before 403", MSG_CHANNEL_BIND, WITH_IPV4, 400, {NUMBER(0x5000), PEER(LISTENER)}, {0}},
	{"channel to port 0", MSG_CHANNEL_BIND, WITH_IPV4, 403, {NUMBER(0x4000), PEER(IPV4(8, 8, 8, 8, 0))}, {0}},
	{"channel to a relayed port", MSG_CHANNEL_BIND, WITH_IPV4, 0, {NUMBER(0x4000), PEER(RELAY(49152))}, {0}},
	{"channel to another port of a relay address", MSG_CHANNEL_BIND, WITH_IPV4, 403, {NUMBER(0x4000), PEER(RELAY(3478))}, {0}},
	{"channel below the relayed ports", MSG_CHANNEL_BIND, WITH_IPV4, 403, {NUMBER(0x4000), PEER(RELAY(49151))}, {0}},
};
// clang-format on

static void attrs_put(struct msg *m, const struct row *row)
{
	for (size_t i = 0; i < TP_ARRAY_LEN(row->attrs) && row->attrs[i].type != 0; i++) {
		const struct attr *a = &row->attrs[i];

		if (a->is_addr)
			msg_xor_addr(m, a->type, &a->addr);
		else
			msg_attr(m, a->type, a->value, a->len);
	}
}

static void unknown_check(const struct harness *h, const struct row *row)
{
	uint16_t len = 0, n = 0;
	const uint8_t *list = reply_attr(h->reply, h->reply_len, ATTR_UNKNOWN_ATTRIBUTES, 0, &len);

	while (n < TP_ARRAY_LEN(row->unknown) && row->unknown[n] != 0)
		n++;
	if (len != 2 * n)
		fail_msg("%s: %u octets of unknown types", row->what, len);
	for (uint16_t i = 0; i < n; i++)
		assert_int_equal(tp_load_be16(list + 2 * i), row->unknown[i]);
}

// An error changes nothing: the store is called only for the success of others.
static void row_run(const struct row *row, bool fingerprint)
{
	struct harness h;
	struct client c;
	struct msg m;
	size_t calls;
	unsigned code;

	harness_init(&h);
	harness_start(&h);
	client_init(&c, 0xc6336401, 5000);
	client_challenge(&h, &c);
	if (row->allocated != WITHOUT) {
		client_start(&c, &m, MSG_ALLOCATE);
		msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
		msg_u32(&m, ATTR_REQUESTED_ADDRESS_FAMILY,
			row->allocated == WITH_IPV4 ? 1u << 24 : 2u << 24);
		assert_int_equal(client_finish(&h, &c, &m), 0);
	}
	calls = h.store.calls;
	c.fingerprint = fingerprint;
	client_start(&c, &m, row->method);
	attrs_put(&m, row);
	code = client_finish(&h, &c, &m);
	if (code != row->code)
		fail_msg("%s: %u, expected %u", row->what, code, row->code);
	unknown_check(&h, row);
	if (code != 0 && h.store.calls != calls)
		fail_msg("%s: the store was touched", row->what);
	if (code == 0 && h.store.calls == calls)
		fail_msg("%s: the store was not touched", row->what);
	assert_int_equal(reply_has(&h, ATTR_FINGERPRINT), fingerprint);
	harness_stop(&h);
}

// Clauses: 8489 6.3-1, 6.3-2, 6.3.1.1-1, 6.3.1.1-2; 8656 3.7-1, 5-4, 8.2-1, 10.2-1, 10.2-2
// Clauses: 8656 12.2-1, 18.1-1, 18.6-1, 18.8-1
static void rows_are_answered(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++)
		row_run(&rows[i], i % 2 != 0);
}

// Every code that can be answered has its reason phrase and its counter.
static void errors_are_counted(void **state)
{
	struct harness h;
	struct client c;
	struct msg m;
	uint16_t len;
	const uint8_t *value;

	(void)state;
	harness_init(&h);
	harness_start(&h);
	client_init(&c, 0xc6336401, 5000);
	client_challenge(&h, &c);
	assert_int_equal(turn_get_counters(h.s)->error_401, 1);
	client_start(&c, &m, MSG_REFRESH);
	assert_int_equal(client_finish(&h, &c, &m), 437);
	value = reply_attr(h.reply, h.reply_len, ATTR_ERROR_CODE, 0, &len);
	assert_non_null(value);
	assert_int_equal(len, 4 + 19);
	assert_memory_equal(value, "\0\0\4\45Allocation Mismatch", len);
	assert_int_equal(value[len], 0); // padding
	assert_int_equal(turn_get_counters(h.s)->error_437, 1);
	assert_int_equal(turn_get_counters(h.s)->requests, 2);
	harness_stop(&h);
}

static void compat_channels_are_an_option(void **state)
{
	struct tp_addr peer = tp_addr_ipv4(0x08080808, 4000);
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.conf.channel_max = TP_CHANNEL_MAX_COMPAT;
	harness_start(&h);
	client_init(&c, 0xc6336401, 5000);
	assert_int_equal(client_allocate(&h, &c, 0), 0);
	assert_int_equal(client_bind(&h, &c, 0x7fff, &peer), 0);
	peer.ip[3]++;
	assert_int_equal(client_bind(&h, &c, 0x5000, &peer), 0);
	peer.ip[3]++;
	assert_int_equal(client_bind(&h, &c, 0x8000, &peer), 400);
	harness_stop(&h);
}

// RFC 8656 21.4.
// Clauses: 8656 21.4-1
static void tunnelled_clients_are_refused(void **state)
{
	static const uint8_t tunnelled[][16] = {{0x20, 0x01, 0, 0, 1}, {0x20, 0x02, 1}};
	static const uint8_t near[16] = {0x20, 0x01, 0, 1, 1};
	struct harness h;
	struct client c;
	struct msg m;

	(void)state;
	harness_init(&h);
	harness_start(&h);
	for (size_t i = 0; i < TP_ARRAY_LEN(tunnelled); i++) {
		client_init(&c, 0, 0);
		c.tuple.listener_id = LISTENER6_ID;
		c.tuple.remote = tp_addr_ipv6(tunnelled[i], 5000);
		assert_int_equal(client_allocate(&h, &c, 0), 403);
	}
	c.tuple.remote = tp_addr_ipv6(near, 5000);
	assert_int_equal(client_allocate(&h, &c, 0), 0);
	// A Binding harms nobody.
	c.tuple.remote = tp_addr_ipv6(tunnelled[0], 5000);
	client_start(&c, &m, MSG_BINDING);
	assert_int_equal(client_send(&h, &c, &m), 0);
	harness_stop(&h);
}

// Clauses: 8656 7.2-2, 7.2-3
static void family_without_address_is_440(void **state)
{
	struct harness h;
	struct client c;
	struct msg m;

	(void)state;
	harness_init(&h);
	h.conf.n_relays = 1;
	harness_start(&h);
	client_init(&c, 0xc6336401, 5000);
	client_challenge(&h, &c);
	client_start(&c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	msg_u32(&m, ATTR_REQUESTED_ADDRESS_FAMILY, 2u << 24);
	assert_int_equal(client_finish(&h, &c, &m), 440);
	harness_stop(&h);
	// IPv4 is meant where no family is named.
	harness_init(&h);
	h.conf.relays = &h.relays[1];
	h.conf.n_relays = 1;
	harness_start(&h);
	assert_int_equal(client_allocate(&h, &c, 0), 440);
	harness_stop(&h);
}

// RFC 8489 14.8: fewer than 128 characters; ASCII is UTF-8.
// Clauses: 8489 14.8-1
static void reasons_are_short_text(void **state)
{
	static const char *const reasons[] = {
#define REASON(code, reason) reason,
		TURN_ERRORS(REASON)
#undef REASON
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(reasons); i++) {
		assert_in_range(strlen(reasons[i]), 1, 127);
		for (const char *p = reasons[i]; *p != '\0'; p++)
			assert_in_range(*p, ' ', '~');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reasons_are_short_text),
		cmocka_unit_test(rows_are_answered),
		cmocka_unit_test(errors_are_counted),
		cmocka_unit_test(compat_channels_are_an_option),
		cmocka_unit_test(tunnelled_clients_are_refused),
		cmocka_unit_test(family_without_address_is_440),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
