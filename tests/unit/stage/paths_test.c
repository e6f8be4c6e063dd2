// SPDX-License-Identifier: BSD-3-Clause
// Packet in, packet out: every direction in every pair of address families.
#include "call.h"

static const uint16_t lengths[] = {0, 1, 2, 3, 4, 5, 160, 161, 1199, 1200};
static uint8_t data[1500];

struct header {
	uint8_t tos;
	bool df;
	bool no_csum;
};

// The last with no checksum, which IPv6 forbids.
static const struct header headers[] = {{0, false, false}, {0xb8, true, false},
	{0x2d, false, false}, {0x03, true, true}, {0xff, false, true}};

static struct stage_pkt run(struct call *c, struct frame *f, const struct tp_addr *src,
	const struct tp_addr *dst, const struct message *m, const struct header *h)
{
	struct frame_spec spec = {.src = *src,
		.dst = *dst,
		.payload = m->data,
		.len = m->len,
		.tos = h->tos,
		.ttl = 9,
		.df = h->df,
		.no_csum = h->no_csum,
		.id = 0x7777};

	frame_build(f, &spec);
	return relay_run(c->r, f);
}

static void assert_fields(const struct frame_view *v, const struct stage_pkt *pkt,
	const struct tp_addr *arrived_from, const struct tp_addr *src, const struct tp_addr *dst,
	const struct header *h)
{
	bool in4 = arrived_from->family == TP_FAMILY_IPV4, out4 = dst->family == TP_FAMILY_IPV4;

	call_assert_addr(&v->src, src);
	call_assert_addr(&v->dst, dst);
	assert_memory_equal(v->mac_dst, frame_mac_other, 6);
	assert_memory_equal(v->mac_src, frame_mac_relay, 6);
	assert_int_equal(pkt->tx_port, 0);
	assert_int_equal(v->tos, h->tos);
	assert_int_equal(v->ttl, 8);
	assert_int_equal(v->flow_label, 0);
	assert_true(v->udp_csum_right);
	assert_int_equal(v->csum == 0, in4 && out4 && h->no_csum);
	if (in4 && out4)
		assert_int_equal(v->df, h->df);
	else if (out4)
		assert_int_equal(v->df, pkt->len - 14 > 1260);
	if (v->df && out4)
		assert_int_equal(v->id, 0);
	assert_int_equal(pkt->headroom + pkt->len + pkt->tailroom, FRAME_FRONT + FRAME_MAX);
	assert_ptr_equal(pkt->data - pkt->headroom, ((struct frame *)pkt->cookie)->memory);
}

static void assert_payload(const struct frame_view *v, uint16_t len)
{
	assert_int_equal(v->len, len);
	assert_memory_equal(v->payload, data, len);
}

#define FOR_EACH_SHAPE(family, i, h)                                                               \
	for (unsigned i = 0; i < TP_ARRAY_LEN(lengths); i++)                                       \
		for (const struct header *h = headers; h < headers + TP_ARRAY_LEN(headers); h++)   \
			if (!(h->no_csum && (family) == TP_FAMILY_IPV6))

static void check_channel_to_peer(struct call *c)
{
	uint64_t packets = 0, octets = 0;
	struct message m;
	struct frame f;

	FOR_EACH_SHAPE(c->client.family, i, h)
	{
		for (unsigned pad = 0; pad < 4; pad++) {
			struct stage_pkt pkt;
			struct frame_view v;

			message_channel(&m, CALL_NUMBER, data, lengths[i], pad);
			pkt = run(c, &f, &c->client, &c->listener, &m, h);
			v = call_read(&pkt);
			assert_fields(&v, &pkt, &c->client, &c->relayed, &c->peer, h);
			assert_payload(&v, lengths[i]);
			packets++;
			octets += lengths[i];
		}
	}
	assert_int_equal(c->r->cells[c->channel].packets, packets);
	assert_int_equal(c->r->cells[c->channel].octets, octets);
	assert_int_equal(c->r->stats->path_packets[TP_PATH_channel_to_peer], packets);
	assert_int_equal(c->r->stats->path_octets[TP_PATH_channel_to_peer], octets);
	assert_int_equal(c->r->stats->rx_packets, packets);
}

static void check_peer_to_channel(struct call *c)
{
	uint32_t entry = c->r->entries[c->channel].partner;
	uint64_t packets = 0;
	struct message m;
	struct frame f;

	FOR_EACH_SHAPE(c->peer.family, i, h)
	{
		struct stage_pkt pkt;
		struct frame_view v;

		memcpy(m.data, data, lengths[i]);
		m.len = lengths[i];
		pkt = run(c, &f, &c->peer, &c->relayed, &m, h);
		v = call_read(&pkt);
		assert_fields(&v, &pkt, &c->peer, &c->listener, &c->client, h);
		assert_int_equal(v.len, lengths[i] + 4); // never padded over UDP
		assert_int_equal(tp_load_be16(v.payload), CALL_NUMBER);
		assert_int_equal(tp_load_be16(v.payload + 2), lengths[i]);
		assert_memory_equal(v.payload + 4, data, lengths[i]);
		packets++;
	}
	assert_int_equal(c->r->cells[entry].packets, packets);
	assert_int_equal(c->r->stats->path_packets[TP_PATH_peer_to_channel], packets);
}

// Attributes in another order, before, between and behind, with padding that is not zero.
static void send_shape(struct message *m, unsigned shape, const struct tp_addr *peer, uint16_t len)
{
	message_begin(m, TP_TURN_SEND_INDICATION, call_txid);
	if (shape & 1)
		message_attribute(m, TP_ATTR_DATA, data, len);
	if (shape & 2)
		message_attribute(m, 0x8022, "odd", 3); // SOFTWARE
	message_address(m, TP_ATTR_XOR_PEER_ADDRESS, peer);
	if (!(shape & 1))
		message_attribute(m, TP_ATTR_DATA, data, len);
	if (shape & 2)
		message_attribute(m, TP_ATTR_DATA, "second", 6);
	if (shape & 4)
		message_fingerprint(m);
}

static void check_send_to_peer(struct call *c)
{
	const struct tp_addr *peers[2] = {&c->peer, &c->visitor};
	uint64_t packets = 0;
	struct message m;
	struct frame f;

	FOR_EACH_SHAPE(c->client.family, i, h)
	{
		for (unsigned shape = 0; shape < 16; shape++) {
			const struct tp_addr *peer = peers[shape >> 3];
			struct stage_pkt pkt;
			struct frame_view v;

			send_shape(&m, shape, peer, lengths[i]);
			pkt = run(c, &f, &c->client, &c->listener, &m, h);
			v = call_read(&pkt);
			assert_fields(&v, &pkt, &c->client, &c->relayed, peer, h);
			assert_payload(&v, lengths[i]);
			packets++;
		}
	}
	assert_int_equal(c->r->cells[c->visitor_permission].packets, packets / 2);
	assert_int_equal(c->r->cells[c->permission].packets, packets / 2);
	assert_int_equal(c->r->stats->path_packets[TP_PATH_send_to_peer], packets);
}

static void check_peer_to_data(struct call *c)
{
	uint8_t txid[12] = {0};
	uint64_t packets = 0;
	struct message m;
	struct frame f;

	FOR_EACH_SHAPE(c->visitor.family, i, h)
	{
		const uint8_t *got = NULL;
		struct tp_addr from;
		struct stage_pkt pkt;
		struct frame_view v;
		const char *wrong;
		uint16_t len = 0;

		memcpy(m.data, data, lengths[i]);
		m.len = lengths[i];
		pkt = run(c, &f, &c->visitor, &c->relayed, &m, h);
		v = call_read(&pkt);
		assert_fields(&v, &pkt, &c->visitor, &c->listener, &c->client, h);
		wrong = message_read_data(v.payload, v.len, &from, &got, &len);
		if (wrong != NULL)
			fail_msg("%s", wrong);
		call_assert_addr(&from, &c->visitor);
		assert_int_equal(len, lengths[i]);
		assert_memory_equal(got, data, len);
		assert_memory_not_equal(v.payload + 8, txid, 12);
		memcpy(txid, v.payload + 8, 12);
		packets++;
	}
	assert_int_equal(c->r->cells[c->allocation].packets, packets);
	assert_int_equal(c->r->stats->path_packets[TP_PATH_peer_to_data], packets);
}

// Clauses: 8656 5-7, 13-1, 13.2-1, 14-1
static void test_channel_to_peer(void **state)
{
	(void)state;
	call_each_family(check_channel_to_peer);
}

// Clauses: 8656 5-7, 12.5-1, 13-1
static void test_peer_to_channel(void **state)
{
	(void)state;
	call_each_family(check_peer_to_channel);
}

// Clauses: 8656 13-1, 14-1
static void test_send_to_peer(void **state)
{
	(void)state;
	call_each_family(check_send_to_peer);
}

// Clauses: 8656 11.3-1, 13-1, 14-1
static void test_peer_to_data(void **state)
{
	(void)state;
	call_each_family(check_peer_to_data);
}

// Firefox's largest: a datagram of 1,436 bytes becomes a Data indication of 1,472, which is a
// packet of 1,500 bytes exactly; one byte more, padded to four, is too long for the port and leaves
// in fragments, unless DF forbids them.
static void test_firefox_fills_the_mtu(void **state)
{
	struct frame_spec spec;
	struct stage_pkt pkt;
	struct frame_view v;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	pkt = call_send_bytes(&c, &f, &c.visitor, &c.relayed, data, 1436);
	v = call_read(&pkt);
	assert_int_equal(v.len, 1472);
	assert_int_equal(pkt.len, 1514);
	pkt = call_send_bytes(&c, &f, &c.visitor, &c.relayed, data, 1437);
	assert_int_equal(pkt.verdict, STAGE_CUT);
	assert_int_equal(pkt.len, 1518);
	spec = (struct frame_spec){
		.src = c.visitor, .dst = c.relayed, .payload = data, .len = 1437, .df = true};
	frame_build(&f, &spec);
	pkt = relay_run(c.r, &f);
	assert_int_equal(pkt.verdict, STAGE_SEND);
	assert_int_equal(c.r->stats->path_packets[TP_PATH_too_big], 1);
	call_end(&c);
}

static int fill(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8) + 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_channel_to_peer),
		cmocka_unit_test(test_peer_to_channel),
		cmocka_unit_test(test_send_to_peer),
		cmocka_unit_test(test_peer_to_data),
		cmocka_unit_test(test_firefox_fills_the_mtu),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
