// SPDX-License-Identifier: BSD-3-Clause
// Single fields of the headers that leave, and header templates that are none.
#include "call.h"

static const uint8_t data[1500];

static void set_dont_fragment(struct message *m, const struct tp_addr *peer)
{
	message_begin(m, TP_TURN_SEND_INDICATION, call_txid);
	message_attribute(m, TP_ATTR_DONT_FRAGMENT, NULL, 0);
	message_address(m, TP_ATTR_XOR_PEER_ADDRESS, peer);
	message_attribute(m, TP_ATTR_DATA, "x", 1);
}

// RFC 8656 14: DF on request from IPv4 to IPv4; 13: ignored where a family changes.
static void test_dont_fragment(void **state)
{
	static const struct {
		uint8_t near, far;
		bool df;
	} rows[] = {{TP_FAMILY_IPV4, TP_FAMILY_IPV4, true}, {TP_FAMILY_IPV6, TP_FAMILY_IPV4, false},
		{TP_FAMILY_IPV4, TP_FAMILY_IPV6, false}};
	struct stage_pkt pkt;
	struct frame_view v;
	struct message m;
	struct frame f;
	struct call c;

	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(rows); i++) {
		call_start(&c, rows[i].near, rows[i].far);
		set_dont_fragment(&m, &c.peer);
		pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
		v = call_read(&pkt);
		assert_int_equal(v.df, rows[i].df);
		assert_int_equal(v.len, 1);
		call_end(&c);
	}
}

// Without DF each packet has another id: else fragments of two packets would be joined.
static void test_ip_id_moves_without_df(void **state)
{
	struct frame_view v;
	struct stage_pkt pkt;
	uint16_t ids[3];
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	for (unsigned i = 0; i < 3; i++) {
		pkt = call_send_bytes(&c, &f, &c.peer, &c.relayed, data, 10);
		v = call_read(&pkt);
		assert_false(v.df);
		ids[i] = v.id;
	}
	assert_int_equal((uint16_t)(ids[0] + 1), ids[1]);
	assert_int_equal((uint16_t)(ids[1] + 1), ids[2]);
	call_end(&c);
}

// IPv6 to IPv4: DF where the packet may not be cut without harm (RFC 7915 5.1).
static void test_df_by_size_from_ipv6(void **state)
{
	struct frame_view v;
	struct stage_pkt pkt;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV6);
	pkt = call_send_bytes(&c, &f, &c.peer, &c.relayed, data, 1260 - 28 - 4);
	v = call_read(&pkt);
	assert_false(v.df);
	pkt = call_send_bytes(&c, &f, &c.peer, &c.relayed, data, 1260 - 28 - 4 + 1);
	v = call_read(&pkt);
	assert_true(v.df);
	call_end(&c);
}

// Every sum there is passes by: a result of zero, which would mean "no checksum", is sent as its
// other spelling.
static void check_no_checksum_of_zero(struct call *c)
{
	unsigned spelled = 0;
	struct stage_pkt pkt;
	struct frame_view v;
	struct frame f;

	for (unsigned i = 0; i < 65536; i++) {
		uint8_t payload[2] = {(uint8_t)(i >> 8), (uint8_t)i};

		pkt = call_send_bytes(c, &f, &c->peer, &c->relayed, payload, 2);
		v = call_read(&pkt);
		assert_true(v.udp_csum_right);
		assert_int_not_equal(v.csum, 0);
		spelled += v.csum == 0xffff;
	}
	assert_int_not_equal(spelled, 0);
}

static void test_no_checksum_of_zero(void **state)
{
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	check_no_checksum_of_zero(&c);
	call_end(&c);
	call_start(&c, TP_FAMILY_IPV6, TP_FAMILY_IPV4);
	check_no_checksum_of_zero(&c);
	call_end(&c);
}

// A header template that is none: wrong length, no version, longer than its kind allows.
static void check_corrupt_header(struct call *c)
{
	uint32_t entries[] = {c->channel, c->r->entries[c->channel].partner, c->allocation,
		c->visitor_permission};
	struct stage_pkt pkt;
	struct message m;
	struct frame f;

	for (unsigned i = 0; i < TP_ARRAY_LEN(entries); i++) {
		struct tp_entry *e = &c->r->entries[entries[i]], sound;

		memcpy(&sound, e, sizeof(sound));
		for (unsigned fault = 0; fault < 5; fault++) {
			memcpy(e, &sound, sizeof(sound));
			e->header_len = (uint8_t)(fault == 0   ? sound.header_len + 4
						  : fault == 1 ? sound.header_len - 4
						  : fault == 2 ? 255
							       : sound.header_len);
			e->header[0] = fault == 3 ? 0x46 : fault == 4 ? 0 : sound.header[0];
			if (i == 0)
				message_channel(&m, CALL_NUMBER, "x", 1, 0);
			else
				call_send_indication(&m, &c->visitor, "x", 1, false);
			if (i == 1 || i == 2)
				pkt = call_send_bytes(c, &f, i == 1 ? &c->peer : &c->visitor,
					&c->relayed, "x", 1);
			else
				pkt = call_send_bytes(
					c, &f, &c->client, &c->listener, m.data, m.len);
			call_assert_drop(&pkt, TP_DROP_table_corrupt);
		}
		memcpy(e, &sound, sizeof(sound));
	}
}

static void test_corrupt_header(void **state)
{
	(void)state;
	call_each_family(check_corrupt_header);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dont_fragment),
		cmocka_unit_test(test_ip_id_moves_without_df),
		cmocka_unit_test(test_df_by_size_from_ipv6),
		cmocka_unit_test(test_no_checksum_of_zero),
		cmocka_unit_test(test_corrupt_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
