// SPDX-License-Identifier: BSD-3-Clause
// Packets too long for their way: the number that their sender is told is the longest with which
// the same data, sent in the same form, gets through.
#include "call.h"

enum way { WAY_CHANNEL, WAY_SEND, WAY_SEND_FINGERPRINT, WAY_PEER_CHANNEL, WAY_PEER_DATA, WAYS };

static const uint8_t data[2000];

static struct stage_pkt way_run(
	struct call *c, struct frame *f, enum way way, uint16_t len, bool df)
{
	struct frame_spec spec = {.src = c->client, .dst = c->listener, .df = df};
	struct message m;

	if (way == WAY_PEER_CHANNEL || way == WAY_PEER_DATA) {
		spec.src = way == WAY_PEER_DATA ? c->visitor : c->peer;
		spec.dst = c->relayed;
		spec.payload = data;
		spec.len = len;
	} else {
		if (way == WAY_CHANNEL)
			message_channel(&m, CALL_NUMBER, data, len, 0);
		else
			call_send_indication(&m, &c->visitor, data, len, way != WAY_SEND);
		spec.payload = m.data;
		spec.len = m.len;
	}
	frame_build(f, &spec);
	return relay_run(c->r, f);
}

// Longest packet of the way, as sent with `len` bytes of data.
static uint32_t ip_len_of(struct call *c, enum way way, uint16_t len)
{
	bool from_peer = way == WAY_PEER_CHANNEL || way == WAY_PEER_DATA;
	const struct tp_addr *src = from_peer ? &c->peer : &c->client;
	uint32_t headers = (src->family == TP_FAMILY_IPV4 ? 20 : 40) + 8;
	uint32_t peer = c->visitor.family == TP_FAMILY_IPV4 ? 8 : 20;

	if (from_peer)
		return headers + len;
	if (way == WAY_CHANNEL)
		return headers + 4 + len;
	return headers + 20 + 4 + peer + 4 + ((len + 3u) & ~3u) +
	       (way == WAY_SEND_FINGERPRINT ? 8 : 0);
}

// Byte by byte, as a second implementation.
static uint16_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

// Judges the error about the `was`; returns the MTU in it.
static uint32_t told(const struct stage_pkt *pkt, const struct frame *was)
{
	const uint8_t *sent = was->memory + FRAME_FRONT, *got = pkt->data, *ip = got + 14;
	bool v4 = sent[14] >> 4 == 4;
	uint32_t ip_len = v4 ? 20 : 40, most = v4 ? 576 : 1280, quoted, sum;
	const uint8_t *icmp = ip + ip_len;
	uint16_t len;

	assert_int_equal(pkt->verdict, STAGE_SEND);
	assert_int_equal(pkt->tx_port, pkt->rx_port);
	assert_memory_equal(got, sent + 6, 6);
	assert_memory_equal(got + 6, sent, 6);
	assert_memory_equal(got + 12, sent + 12, 2);
	assert_int_equal(ip[0], v4 ? 0x45 : 0x6c);
	assert_memory_equal(ip + (v4 ? 12 : 8), sent + 14 + (v4 ? 16 : 24), v4 ? 4 : 16);
	assert_memory_equal(ip + (v4 ? 16 : 24), sent + 14 + (v4 ? 12 : 8), v4 ? 4 : 16);
	len = (uint16_t)(v4 ? tp_load_be16(ip + 2) : tp_load_be16(ip + 4) + 40);
	assert_int_equal(len + 14, pkt->len);
	assert_true(len <= most);
	if (v4)
		assert_int_equal(sum16(ip, 20, 0), 0xffff);
	assert_int_equal(v4 ? ip[9] : ip[6], v4 ? 1 : 58);
	assert_true((v4 ? ip[8] : ip[7]) > 1);
	assert_int_equal(icmp[0], v4 ? 3 : 2);
	assert_int_equal(icmp[1], v4 ? 4 : 0);
	// All of the packet that has room.
	quoted = was->len - 14u < most - ip_len - 8 ? was->len - 14u : most - ip_len - 8;
	assert_int_equal(len, ip_len + 8 + quoted);
	assert_memory_equal(icmp + 8, sent + 14, quoted);
	sum = v4 ? 0 : sum16(ip + 8, 32, len - 40u + 58u);
	assert_int_equal(sum16(icmp, len - ip_len, sum), 0xffff);
	return v4 ? tp_load_be16(icmp + 6) : tp_load_be32(icmp + 4);
}

static struct stage_pkt way_again(struct call *c, struct frame *f, enum way way, uint16_t len)
{
	// Time enough for another answer.
	c->r->now_ns += TP_NS_PER_S / 10;
	return way_run(c, f, way, len, true);
}

// The frame before the relay works on it.
static void frame_remake(struct call *c, struct frame *f, enum way way, uint16_t len)
{
	const struct stage_locals *locals = c->r->worker->locals;

	// Without tables the frame is dropped as it came.
	c->r->worker->locals = NULL;
	(void)way_run(c, f, way, len, true);
	c->r->worker->locals = locals;
}

static void check_way(struct call *c, enum way way, uint16_t mtu)
{
	uint16_t len = 1990 - 100;
	struct frame f, was;
	struct stage_pkt pkt;
	uint32_t number;
	bool v6 = (way == WAY_PEER_CHANNEL || way == WAY_PEER_DATA ? c->peer : c->client).family ==
		  TP_FAMILY_IPV6;

	c->r->worker->ports[0].mtu = mtu;
	frame_remake(c, &was, way, len);
	pkt = way_again(c, &f, way, len);
	number = told(&pkt, &was);
	assert_in_range(number, v6 ? 1280 : 1100, 1700);
	while (ip_len_of(c, way, len) > number)
		len--;
	pkt = way_again(c, &f, way, len);
	// IPv6 knows no smaller number: the relay fragments what cannot be shorter.
	if (v6 && number == 1280 && pkt.verdict == STAGE_CUT) {
		assert_int_equal(pkt.mtu, mtu);
		return;
	}
	call_read(&pkt);
	if (v6 && number == 1280)
		return;
	do
		len++;
	while (ip_len_of(c, way, len) <= number);
	// Of the packet's four lengths with the same padding the longest does not fit.
	if (way == WAY_SEND || way == WAY_SEND_FINGERPRINT)
		len = (uint16_t)(len + 3);
	frame_remake(c, &was, way, len);
	pkt = way_again(c, &f, way, len);
	assert_int_equal(told(&pkt, &was), number);
}

static void check_each_way(struct call *c)
{
	static const uint16_t mtus[] = {1280, 1281, 1282, 1283, 1400, 1403, 1500};

	for (enum way way = 0; way < WAYS; way++)
		for (unsigned i = 0; i < TP_ARRAY_LEN(mtus); i++)
			check_way(c, way, mtus[i]);
	assert_true(c->r->stats->path_packets[TP_PATH_too_big] >= WAYS * TP_ARRAY_LEN(mtus));
}

// Clauses: 8656 13.2-2, 13.3-1
static void test_number_is_right(void **state)
{
	(void)state;
	call_each_family(check_each_way);
}

// The figures of one case, worked out by hand.
// Clauses: 8656 13.2-2, 13.3-1
static void test_figures(void **state)
{
	static const struct {
		uint8_t near, far;
		enum way way;
		uint32_t number;
	} rows[] = {
		{TP_FAMILY_IPV4, TP_FAMILY_IPV4, WAY_CHANNEL, 1404},
		{TP_FAMILY_IPV4, TP_FAMILY_IPV4, WAY_PEER_CHANNEL, 1396},
		{TP_FAMILY_IPV4, TP_FAMILY_IPV4, WAY_PEER_DATA, 1364},
		{TP_FAMILY_IPV4, TP_FAMILY_IPV4, WAY_SEND, 1436},
		{TP_FAMILY_IPV6, TP_FAMILY_IPV6, WAY_PEER_DATA, 1352},
		{TP_FAMILY_IPV6, TP_FAMILY_IPV6, WAY_CHANNEL, 1404},
		{TP_FAMILY_IPV6, TP_FAMILY_IPV4, WAY_CHANNEL, 1424},
		{TP_FAMILY_IPV6, TP_FAMILY_IPV4, WAY_PEER_CHANNEL, 1376},
		{TP_FAMILY_IPV4, TP_FAMILY_IPV6, WAY_CHANNEL, 1384},
		{TP_FAMILY_IPV4, TP_FAMILY_IPV6, WAY_PEER_CHANNEL, 1416},
	};
	struct frame f, was;
	struct stage_pkt pkt;
	struct call c;

	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(rows); i++) {
		call_start(&c, rows[i].near, rows[i].far);
		c.r->worker->ports[0].mtu = 1400;
		frame_remake(&c, &was, rows[i].way, 1450);
		pkt = way_run(&c, &f, rows[i].way, 1450, true);
		assert_int_equal(told(&pkt, &was), rows[i].number);
		call_end(&c);
	}
}

// Packets up to the least MTU of all legs are sent without a look at theirs, and no longer ones.
static void check_least(struct call *c, enum way way, uint16_t leg, uint16_t least)
{
	struct tp_entry *e = c->r->entries;
	struct stage_pkt pkt;
	struct frame f;

	e[0].path_mtu = least;
	e[c->channel].path_mtu = e[e[c->channel].partner].path_mtu = leg;
	e[c->allocation].path_mtu = e[c->visitor_permission].path_mtu = leg;
	c->r->worker->ports[0].mtu = 1500;
	for (uint16_t len = 560; len <= 1430; len += 30) {
		uint32_t limit = leg == 0 ? 1500 : leg, out = ip_len_of(c, way, len);

		// Both ends are of one family: the way out differs by the wrapping.
		if (way == WAY_CHANNEL)
			out -= 4;
		else if (way == WAY_PEER_CHANNEL)
			out += 4;
		else if (way == WAY_PEER_DATA)
			out += (c->peer.family == TP_FAMILY_IPV4 ? 36 : 48) + (-len & 3);
		else
			out = (c->peer.family == TP_FAMILY_IPV4 ? 28u : 48u) + len;
		pkt = way_again(c, &f, way, len);
		// As short as IPv6 allows: in fragments.
		if (out > limit && pkt.verdict == STAGE_CUT) {
			assert_int_equal(pkt.mtu, limit);
			continue;
		}
		assert_int_equal(pkt.verdict, STAGE_SEND);
		assert_int_equal(pkt.len == out + 14, out <= limit);
	}
}

static void test_least_of_all(void **state)
{
	static const uint16_t rows[][2] = {{0, 0}, {0, 576}, {0, 1300}, {0, UINT16_MAX}, {1300, 0},
		{1300, 100}, {1300, 1280}, {1300, 1300}};
	static const uint8_t families[] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};
	struct call c;

	(void)state;
	for (unsigned f = 0; f < 2; f++)
		for (enum way way = 0; way < WAYS; way++)
			for (unsigned i = 0; i < TP_ARRAY_LEN(rows); i++) {
				call_start(&c, families[f], families[f]);
				check_least(&c, way, rows[i][0], rows[i][1]);
				call_end(&c);
			}
}

// A sender that goes on gets a bounded number of answers, and another one its own.
static void test_answers_are_bounded(void **state)
{
	unsigned n = 0;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	for (unsigned i = 0; i < 1000; i++)
		n += way_run(&c, &f, WAY_PEER_CHANNEL, 1490, true).verdict == STAGE_SEND;
	assert_int_equal(n, STAGE_BURST);
	assert_int_equal(c.r->stats->path_packets[TP_PATH_too_big], n);
	assert_int_equal(c.r->stats->drops[TP_DROP_too_big], 1000 - n);
	assert_int_equal(way_run(&c, &f, WAY_PEER_DATA, 1490, true).verdict, STAGE_SEND);
	assert_int_equal(way_run(&c, &f, WAY_CHANNEL, 1490, true).verdict, STAGE_SEND);
	c.r->now_ns += TP_NS_PER_S;
	assert_int_equal(way_run(&c, &f, WAY_PEER_CHANNEL, 1490, true).verdict, STAGE_SEND);
	call_end(&c);
}

// No headroom, no answer; a sender behind a group address gets none either.
static void test_no_answer(void **state)
{
	struct stage_pkt pkt;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	for (unsigned i = 0; i < 2; i++) {
		pkt = call_packet(&f, &c.peer, &c.relayed, data, 1490);
		tp_store_be16(pkt.data + 14 + 6, 0x4000);
		frame_fix_ip_csum(&f);
		pkt.headroom = i == 0 ? 47 : FRAME_FRONT;
		pkt.data[6] |= i == 1;
		stage_run(c.r->worker, &pkt, 1, c.r->now_ns);
		call_assert_drop(&pkt, TP_DROP_too_big);
	}
	call_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number_is_right),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_least_of_all),
		cmocka_unit_test(test_answers_are_bounded),
		cmocka_unit_test(test_no_answer),
	};

	return cmocka_run_group_tests_name("stage: too big", tests, NULL, NULL);
}
