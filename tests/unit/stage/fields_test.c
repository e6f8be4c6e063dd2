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
// Clauses: 8656 13.1-1, 13.2-4, 13.3-2
static void test_dont_fragment(void **state)
{
	static const struct {
		uint8_t near, far;
		bool df;
	} rows[] = {{TP_FAMILY_IPV4, TP_FAMILY_IPV4, true}, {TP_FAMILY_IPV6, TP_FAMILY_IPV4, false},
		{TP_FAMILY_IPV4, TP_FAMILY_IPV6, false}, {TP_FAMILY_IPV6, TP_FAMILY_IPV6, false}};
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

static struct stage_pkt run_long(
	struct call *c, struct frame *f, const struct message *m, bool to_peer, bool df)
{
	struct frame_spec spec = {.src = to_peer ? c->client : c->peer,
		.dst = to_peer ? c->listener : c->relayed,
		.payload = to_peer ? m->data : data,
		.len = to_peer ? m->len : 1500,
		.df = df,
		.ttl = 9};

	frame_build(f, &spec);
	return relay_run(c->r, f);
}

// Each way through the relay of a packet above the MTU, DF clear and set: it leaves in fragments,
// without DF, or its sender is told. That of a whole packet of IPv6 always is.
static void check_too_long(struct call *c)
{
	bool near4 = c->client.family == TP_FAMILY_IPV4, far4 = c->peer.family == TP_FAMILY_IPV4;
	struct stage_pkt pkt;
	struct frame_view v;
	struct message m;
	unsigned told = 0;
	struct frame f;

	c->r->worker->ports[0].mtu = 1500;
	for (unsigned way = 0; way < 6; way++) {
		bool to_peer = way / 2 < 2, df = way % 2, from4 = to_peer ? near4 : far4;

		if (way / 2 == 0)
			message_channel(&m, CALL_NUMBER, data, 1500, 0);
		else
			call_send_indication(&m, &c->peer, data, 1500, false);
		pkt = run_long(c, &f, &m, to_peer, df);
		if (!from4 || df) {
			assert_int_equal(pkt.verdict, STAGE_SEND);
			assert_int_equal(c->r->stats->path_packets[TP_PATH_too_big], ++told);
			continue;
		}
		assert_int_equal(pkt.verdict, STAGE_CUT);
		assert_int_equal(pkt.mtu, 1500);
		assert_int_equal(pkt.tx_port, 0);
		assert_null(frame_read(pkt.data, pkt.len, &v));
		assert_false(v.df);
		assert_int_equal(v.ttl, 8);
		assert_int_equal(v.len, to_peer ? 1500 : 1504);
	}
}

// Clauses: 8656 3.7-1
static void test_too_long(void **state)
{
	(void)state;
	call_each_family(check_too_long);
}

// RFC 8656 14: asked for, it holds for long ones as well; 13: but not into another family.
// Clauses: 8656 13.1-1
static void test_dont_fragment_too_long(void **state)
{
	struct stage_pkt pkt;
	struct message m;
	struct frame f;
	struct call c;

	(void)state;
	for (unsigned far4 = 0; far4 < 2; far4++) {
		call_start(&c, TP_FAMILY_IPV4, far4 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6);
		message_begin(&m, TP_TURN_SEND_INDICATION, call_txid);
		message_attribute(&m, TP_ATTR_DONT_FRAGMENT, NULL, 0);
		message_address(&m, TP_ATTR_XOR_PEER_ADDRESS, &c.peer);
		message_attribute(&m, TP_ATTR_DATA, data, 1500);
		pkt = run_long(&c, &f, &m, true, false);
		if (far4)
			assert_int_equal(c.r->stats->path_packets[TP_PATH_too_big], 1);
		else
			assert_int_equal(pkt.verdict, STAGE_CUT);
		call_end(&c);
	}
}

// Datagrams that came in fragments may leave in fragments, over IPv6 too, and without DF where they
// fit; their sender is told nothing. They were counted as fragments.
static void check_whole(struct call *c)
{
	static const uint16_t lens[] = {1300, 1500};
	struct stage_worker *w = c->r->worker;
	struct stage_pkt pkt;
	struct frame_view v;
	struct message m;
	struct frame f;

	for (unsigned i = 0; i < 6; i++) {
		bool to_peer = i / 2 < 2, fits = i % 2 == 0;
		uint16_t len = lens[i % 2];

		if (i / 2 == 0)
			message_channel(&m, CALL_NUMBER, data, len, 0);
		else
			call_send_indication(&m, &c->peer, data, len, false);
		pkt = call_packet(&f, to_peer ? &c->client : &c->peer,
			to_peer ? &c->listener : &c->relayed, to_peer ? m.data : data,
			to_peer ? m.len : len);
		w->whole = true;
		stage_run(w, &pkt, 1, c->r->now_ns);
		w->whole = false;
		assert_int_equal(pkt.verdict, fits ? STAGE_SEND : STAGE_CUT);
		assert_null(frame_read(pkt.data, pkt.len, &v));
		assert_false(v.df);
		assert_int_equal(v.len, to_peer ? len : len + 4);
	}
	assert_int_equal(c->r->stats->rx_packets, 0);
	assert_int_equal(c->r->stats->path_packets[TP_PATH_too_big], 0);
}

// Clauses: 8656 13.2-3
static void test_whole(void **state)
{
	(void)state;
	call_each_family(check_whole);
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
// Clauses: 8656 3.7-1
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

static void check_ttl_reset(struct call *c, const struct tp_addr *src, const struct tp_addr *dst,
	const struct message *m)
{
	static const uint8_t ttls[] = {1, 2, 9, 63, 64, 65, 255};
	struct frame_spec spec = {.src = *src, .dst = *dst, .payload = m->data, .len = m->len};
	struct stage_pkt pkt;
	struct frame f;

	for (unsigned i = 0; i < 2 * TP_ARRAY_LEN(ttls); i++) {
		c->r->worker->slow_only = i % 2 != 0;
		spec.ttl = ttls[i / 2];
		spec.id = (uint16_t)(i * 4681);
		frame_build(&f, &spec);
		pkt = relay_run(c->r, &f);
		assert_int_equal(call_read(&pkt).ttl, 64); // judges the header's checksum too
	}
	c->r->worker->slow_only = false;
	// As before, unless the configuration says otherwise.
	c->r->path.ttl = 0;
	relay_locals_change(c->r);
	spec.ttl = 9;
	frame_build(&f, &spec);
	pkt = relay_run(c->r, &f);
	assert_int_equal(call_read(&pkt).ttl, 8);
	c->r->path.ttl = 64;
	relay_locals_change(c->r);
}

// RFC 8656 13, the alternate behavior: the default instead of one less.
static void check_ttl(struct call *c)
{
	struct message m;

	c->r->path.ttl = 64;
	relay_locals_change(c->r);
	message_channel(&m, CALL_NUMBER, "media", 5, 0);
	check_ttl_reset(c, &c->client, &c->listener, &m);
	call_send_indication(&m, &c->visitor, "media", 5, true);
	check_ttl_reset(c, &c->client, &c->listener, &m);
	memcpy(m.data, "media", 5);
	m.len = 5;
	check_ttl_reset(c, &c->peer, &c->relayed, &m);
	check_ttl_reset(c, &c->visitor, &c->relayed, &m);
}

// Clauses: 8656 13-1, 14-1
static void test_ttl(void **state)
{
	(void)state;
	call_each_family(check_ttl);
}

// An atomic fragment (RFC 6946) is a whole packet; any other stays a fragment.
static void check_fragment_header(struct call *c, const struct tp_addr *src,
	const struct tp_addr *dst, const void *payload, uint16_t len)
{
	static const struct {
		uint16_t offset_be;
		bool whole;
	} rows[] = {{0, true}, {0x0600, true}, {0x0100, false}, {0x0800, false}, {0x00ff, false}};
	struct frame f, plain;
	struct frame_spec spec = {.src = *src, .dst = *dst, .payload = payload, .len = len};
	struct stage_pkt pkt, expected;
	uint8_t *ip;

	for (unsigned i = 0; i < TP_ARRAY_LEN(rows); i++) {
		uint8_t header[8] = {17, 0, 0, 0, 1, 2, 3, 4};

		frame_build(&plain, &spec);
		frame_build(&f, &spec);
		memcpy(header + 2, &rows[i].offset_be, 2);
		ip = frame_data(&f) + 14;
		memmove(ip + 48, ip + 40, f.len - 54u);
		memcpy(ip + 40, header, 8);
		ip[6] = 44;
		tp_store_be16(ip + 4, (uint16_t)(tp_load_be16(ip + 4) + 8));
		f.len += 8;
		pkt = relay_run(c->r, &f);
		if (!rows[i].whole) {
			assert_int_equal(pkt.verdict, STAGE_FRAGMENT);
			continue;
		}
		expected = relay_run(c->r, &plain);
		call_read(&pkt);
		assert_int_equal(pkt.len, expected.len);
		assert_memory_equal(pkt.data + 54, expected.data + 54, pkt.len - 54u);
	}
}

static void test_atomic_fragment(void **state)
{
	struct message m;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV6, TP_FAMILY_IPV6);
	message_channel(&m, CALL_NUMBER, "whole", 5, 0);
	check_fragment_header(&c, &c.client, &c.listener, m.data, m.len);
	check_fragment_header(&c, &c.peer, &c.relayed, "whole", 5);
	call_send_indication(&m, &c.visitor, "whole", 5, true);
	check_fragment_header(&c, &c.client, &c.listener, m.data, m.len);
	call_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dont_fragment),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_dont_fragment_too_long),
		cmocka_unit_test(test_ip_id_moves_without_df),
		cmocka_unit_test(test_df_by_size_from_ipv6),
		cmocka_unit_test(test_no_checksum_of_zero),
		cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_atomic_fragment),
		cmocka_unit_test(test_corrupt_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
