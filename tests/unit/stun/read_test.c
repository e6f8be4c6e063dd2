// SPDX-License-Identifier: BSD-3-Clause
#include <stun/fingerprint.h>
#include <stun/write.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEADER(type, len) type, len, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
#define U16(v)		  (v) >> 8, (v)&0xff

struct parse_row {
	const char *what;
	enum stun_parse_result result;
	size_t len;
	uint8_t octets[64];
};

static const struct parse_row parse_rows[] = {
	{"bare request", STUN_PARSE_OK, 20, {HEADER(U16(0x0003), U16(0))}},
	{"empty", STUN_PARSE_BAD_LENGTH, 0, {0}},
	{"one octet short of a header", STUN_PARSE_BAD_LENGTH, 19, {HEADER(U16(0x0001), U16(0))}},
	{"first bits 01: ChannelData", STUN_PARSE_NOT_STUN, 20, {HEADER(U16(0x4000), U16(0))}},
	{"first bits 10: RTP", STUN_PARSE_NOT_STUN, 20, {HEADER(U16(0x8000), U16(0))}},
	{"classic STUN: no magic cookie", STUN_PARSE_NOT_STUN, 20, {U16(0x0001), U16(0), 0x21}},
	{"length more than there is", STUN_PARSE_BAD_LENGTH, 20, {HEADER(U16(0x0001), U16(4))}},
	{"octets behind the message", STUN_PARSE_BAD_LENGTH, 24, {HEADER(U16(0x0001), U16(0))}},
	{"length not a multiple of 4", STUN_PARSE_BAD_LENGTH, 22, {HEADER(U16(0x0001), U16(2))}},
	{"attribute longer than the message", STUN_PARSE_BAD_LENGTH, 28,
		{HEADER(U16(0x0001), U16(8)), U16(0x8022), U16(5), 'a', 'b', 'c', 'd'}},
	{"attribute of 65535 octets", STUN_PARSE_BAD_LENGTH, 28,
		{HEADER(U16(0x0001), U16(8)), U16(0x8022), U16(0xffff), 'a', 'b', 'c', 'd'}},
	{"attribute with padding", STUN_PARSE_OK, 28,
		{HEADER(U16(0x0001), U16(8)), U16(0x8022), U16(1), 'a', 0xff, 0xff, 0xff}},
	{"empty attribute at the end", STUN_PARSE_OK, 24,
		{HEADER(U16(0x0001), U16(4)), U16(0x8022), U16(0)}},
	{"FINGERPRINT wrong", STUN_PARSE_BAD_FINGERPRINT, 28,
		{HEADER(U16(0x0001), U16(8)), U16(0x8028), U16(4), 1, 2, 3, 4}},
	{"FINGERPRINT of 8 octets", STUN_PARSE_BAD_FINGERPRINT, 32,
		{HEADER(U16(0x0001), U16(12)), U16(0x8028), U16(8), 1, 2, 3, 4}},
};

// Clauses: 8489 5-1, 5-2, 5-4, 14-3
static void datagrams_parse(void **state)
{
	struct stun_message m;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(parse_rows); i++) {
		const struct parse_row *row = &parse_rows[i];
		// A heap copy of the exact size: a read beyond the end is seen by the sanitizer.
		uint8_t *copy = malloc(row->len);
		enum stun_parse_result result;

		assert_true(copy != NULL || row->len == 0);
		memcpy(copy, row->octets, row->len);
		result = stun_message_parse(&m, copy, row->len);
		free(copy);
		if (result != row->result)
			fail_msg("%s: %d, expected %d", row->what, result, row->result);
	}
}

// Every type of the wire space survives taking apart and making.
static void types_round_trip(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 0x4000; type++)
		assert_int_equal(stun_type_make(stun_type_class((uint16_t)type),
					 stun_type_method((uint16_t)type)),
			type);
	assert_int_equal(stun_type_make(STUN_INDICATION, STUN_SEND), TP_TURN_SEND_INDICATION);
	assert_int_equal(stun_type_make(STUN_SUCCESS, STUN_BINDING), TP_STUN_BINDING_SUCCESS);
	assert_int_equal(stun_type_make(STUN_ERROR, STUN_ALLOCATE), 0x0113);
}

struct builder {
	uint8_t octets[512];
	struct stun_writer w;
};

static void builder_start(struct builder *b)
{
	static const uint8_t txid[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

	stun_writer_start(&b->w, b->octets, sizeof(b->octets), 0x0003, txid);
}

static void builder_parse(struct builder *b, struct stun_message *m)
{
	assert_int_equal(stun_message_parse(m, b->octets, stun_writer_len(&b->w)), STUN_PARSE_OK);
}

static void first_duplicate_wins(void **state)
{
	struct builder b;
	struct stun_message m;
	uint32_t v;

	(void)state;
	builder_start(&b);
	stun_put_u32(&b.w, TP_ATTR_LIFETIME, 1);
	stun_put_u32(&b.w, TP_ATTR_LIFETIME, 2);
	builder_parse(&b, &m);
	assert_true(stun_get_u32(&m, STUN_LIFETIME, &v));
	assert_int_equal(v, 1);
}

// Clauses: 8489 6.3-1
static void unknown_required_listed_once(void **state)
{
	struct builder b;
	struct stun_message m;

	(void)state;
	builder_start(&b);
	stun_put(&b.w, 0x0021, NULL, 0);
	stun_put_u32(&b.w, 0x7ffe, 0);
	stun_put(&b.w, 0x0021, NULL, 0);
	stun_put_u32(&b.w, 0xc001, 0); // comprehension-optional
	builder_parse(&b, &m);
	assert_int_equal(m.n_unknown, 2);
	assert_int_equal(m.unknown[0], 0x0021);
	assert_int_equal(m.unknown[1], 0x7ffe);
}

static void unknown_list_is_bounded(void **state)
{
	struct builder b;
	struct stun_message m;

	(void)state;
	builder_start(&b);
	for (uint16_t type = 0x0100; type < 0x0100 + STUN_UNKNOWN_MAX + 8; type++)
		stun_put(&b.w, type, NULL, 0);
	builder_parse(&b, &m);
	assert_int_equal(m.n_unknown, STUN_UNKNOWN_MAX);
}

// RFC 8489 9: attributes behind the integrity are not covered by it.
// Clauses: 8489 9-1, 9-2
static void attributes_behind_integrity_ignored(void **state)
{
	static const uint8_t mac[32] = {0};
	struct builder b;
	struct stun_message m;
	struct stun_value value;
	size_t offset = 0;

	(void)state;
	builder_start(&b);
	stun_put_u32(&b.w, 0x0019, 17u << 24);
	stun_put(&b.w, TP_ATTR_MESSAGE_INTEGRITY, mac, 20);
	stun_put_u32(&b.w, TP_ATTR_LIFETIME, 7);
	stun_put(&b.w, TP_ATTR_XOR_PEER_ADDRESS, mac, 8);
	stun_put(&b.w, TP_ATTR_DONT_FRAGMENT, NULL, 0);
	stun_put(&b.w, TP_ATTR_MESSAGE_INTEGRITY_SHA256, mac, 32);
	stun_put_fingerprint(&b.w);
	builder_parse(&b, &m);
	assert_true(stun_has(&m, STUN_REQUESTED_TRANSPORT));
	assert_true(stun_has(&m, STUN_MESSAGE_INTEGRITY));
	assert_true(stun_has(&m, STUN_MESSAGE_INTEGRITY_SHA256));
	assert_true(stun_has(&m, STUN_FINGERPRINT));
	assert_false(stun_has(&m, STUN_LIFETIME));
	assert_int_equal(m.n_unknown, 0);
	assert_false(stun_message_next(&m, STUN_XOR_PEER_ADDRESS, &offset, &value));

	builder_start(&b);
	stun_put(&b.w, TP_ATTR_MESSAGE_INTEGRITY_SHA256, mac, 32);
	stun_put_u32(&b.w, TP_ATTR_LIFETIME, 7);
	stun_put(&b.w, TP_ATTR_MESSAGE_INTEGRITY, mac, 20);
	builder_parse(&b, &m);
	assert_false(stun_has(&m, STUN_LIFETIME));
	assert_true(stun_has(&m, STUN_MESSAGE_INTEGRITY));
}

// Clauses: 8489 14.7-1
static void fingerprint_must_be_last(void **state)
{
	struct builder b;
	struct stun_message m;

	(void)state;
	builder_start(&b);
	stun_put_fingerprint(&b.w);
	builder_parse(&b, &m);
	stun_put_u32(&b.w, TP_ATTR_LIFETIME, 7);
	tp_store_be32(b.octets + 24, stun_fingerprint(b.octets, 20));
	assert_int_equal(stun_message_parse(&m, b.octets, stun_writer_len(&b.w)),
		STUN_PARSE_BAD_FINGERPRINT);
}

// Clauses: 8489 14-1
static void malformed_lengths_noted(void **state)
{
	static const uint8_t zeros[24] = {0};
	struct builder b;
	struct stun_message m;
	uint8_t v;

	(void)state;
	for (enum stun_attr id = 0; id < STUN_FINGERPRINT; id++) {
		const struct stun_attr_info *info = &stun_attr_table[id];

		if (info->min_len == 0 || info->max_len > sizeof(zeros))
			continue;
		for (uint16_t len = 0; len <= sizeof(zeros); len++) {
			bool fits = len >= info->min_len && len <= info->max_len;

			builder_start(&b);
			stun_put(&b.w, info->type, zeros, len);
			builder_parse(&b, &m);
			assert_true(stun_has(&m, id));
			assert_int_equal(stun_is_malformed(&m, id), !fits);
			assert_int_equal(stun_get_u8(&m, id, &v), fits);
		}
	}
}

struct address_row {
	bool good;
	uint8_t len;
	uint8_t octets[24];
	struct tp_addr addr;
};

// Port 0x2112 reads as 0, address 0x2112a442 as 0.0.0.0.
static const struct address_row address_rows[] = {
	{true, 8, {0, 1, 0x21, 0x12, 0x21, 0x12, 0xa4, 0x42}, {.family = TP_FAMILY_IPV4}},
	{true, 8, {0xff, 1, 0x21, 0x13, 0x2b, 0x12, 0xa4, 0x43},
		{.family = TP_FAMILY_IPV4, .ip = {10, 0, 0, 1}, .port_be = 1}},
	{false, 7, {0, 1, 0x21, 0x12, 0x21, 0x12, 0xa4}, {.family = 0}},
	{false, 9, {0, 1, 0x21, 0x12, 0x21, 0x12, 0xa4, 0x42}, {.family = 0}},
	{false, 8, {0, 2, 0x21, 0x12, 0x21, 0x12, 0xa4, 0x42}, {.family = 0}},
	{false, 20, {0, 1, 0x21, 0x12}, {.family = 0}},
	{false, 8, {0, 0, 0x21, 0x12}, {.family = 0}},
	{false, 8, {0, 3, 0x21, 0x12}, {.family = 0}},
	// ::ffff:10.0.0.1 is 10.0.0.1.
	{true, 20,
		{0, 2, 0x21, 0x12, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 0xf8, 0xf7, 9 ^ 10, 10,
			11, 12 ^ 1},
		{.family = TP_FAMILY_IPV4, .ip = {10, 0, 0, 1}}},
};

// Clauses: 8489 14.1-1
static void addresses_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(address_rows); i++) {
		const struct address_row *row = &address_rows[i];
		struct tp_addr want = row->addr;
		struct builder b;
		struct stun_message m;
		struct tp_addr addr;

		want.port_be = tp_htons(want.port_be);
		builder_start(&b);
		stun_put(&b.w, TP_ATTR_XOR_PEER_ADDRESS, row->octets, row->len);
		builder_parse(&b, &m);
		assert_int_equal(stun_value_xor_address(&m, m.attr[STUN_XOR_PEER_ADDRESS], &addr),
			row->good);
		if (row->good)
			assert_memory_equal(&addr, &want, sizeof(addr));
	}
}

static void all_of_a_type_found(void **state)
{
	struct builder b;
	struct stun_message m;
	struct stun_value value;
	size_t offset = 0;

	(void)state;
	builder_start(&b);
	for (uint16_t port = 1; port <= 3; port++) {
		struct tp_addr addr = tp_addr_ipv4(0x01020304, port);

		stun_put_u32(&b.w, TP_ATTR_LIFETIME, 7);
		stun_put_xor_address(&b.w, TP_ATTR_XOR_PEER_ADDRESS, &addr);
	}
	builder_parse(&b, &m);
	for (uint16_t port = 1; port <= 3; port++) {
		struct tp_addr addr;

		assert_true(stun_message_next(&m, STUN_XOR_PEER_ADDRESS, &offset, &value));
		assert_true(stun_value_xor_address(&m, value, &addr));
		assert_int_equal(tp_addr_port(&addr), port);
	}
	assert_false(stun_message_next(&m, STUN_XOR_PEER_ADDRESS, &offset, &value));
}

static void cursor_error_sticks(void **state)
{
	const uint8_t octets[] = {1, 2, 3};
	struct stun_cursor c = stun_cursor_init(octets, sizeof(octets));

	(void)state;
	assert_int_equal(stun_cursor_u16(&c), 0x0102);
	assert_int_equal(stun_cursor_u32(&c), 0);
	assert_true(c.failed);
	assert_int_equal(stun_cursor_u8(&c), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams_parse),
		cmocka_unit_test(types_round_trip),
		cmocka_unit_test(first_duplicate_wins),
		cmocka_unit_test(unknown_required_listed_once),
		cmocka_unit_test(unknown_list_is_bounded),
		cmocka_unit_test(attributes_behind_integrity_ignored),
		cmocka_unit_test(fingerprint_must_be_last),
		cmocka_unit_test(malformed_lengths_noted),
		cmocka_unit_test(addresses_read),
		cmocka_unit_test(all_of_a_type_found),
		cmocka_unit_test(cursor_error_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
