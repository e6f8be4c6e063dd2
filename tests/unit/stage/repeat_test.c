// SPDX-License-Identifier: BSD-3-Clause
// Spoofed first contacts of a whole network, and new clients of it. Bar: a new client sends no
// request more than twice.
#include "call.h"

#define ALLOCATE     0x0003u
#define RATE	     200u
#define FLOOD_PER_MS 5u // 5,000 per second
#define PASSES	     8u // of one message above the limit, in ten seconds

struct network {
	uint8_t family;
	unsigned first, last; // octets of an address that vary
	bool one_id;	      // the same transaction id in all packets of the flood
};

static const struct network networks[] = {
	{TP_FAMILY_IPV4, 4, 4, false},	 // one address
	{TP_FAMILY_IPV4, 3, 4, false},	 // a /24
	{TP_FAMILY_IPV6, 15, 16, false}, // few addresses
	{TP_FAMILY_IPV6, 8, 16, false},	 // a /64
	{TP_FAMILY_IPV6, 6, 16, false},	 // a /48
	{TP_FAMILY_IPV4, 4, 4, true},
	{TP_FAMILY_IPV6, 15, 16, true},
};

struct stand {
	struct call call;
	struct network network;
	uint64_t random;
};

static unsigned draw(struct stand *s)
{
	s->random = s->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(s->random >> 33);
}

static struct tp_addr anybody(struct stand *s)
{
	struct tp_addr a = s->network.family == TP_FAMILY_IPV4 ? relay_addr4("10.77.9.9", 0)
							       : relay_addr6("2001:db8:1:1::1", 0);

	for (unsigned i = s->network.first; i < s->network.last; i++)
		a.ip[i] = (uint8_t)(1 + draw(s) % 250);
	a.port_be = tp_htons((uint16_t)(1024 + draw(s) % 60000));
	return a;
}

// A signed request with another server's nonce, which no worker answers. True: it got through.
static bool ask(struct stand *s, const struct tp_addr *from, const uint8_t *txid)
{
	static const uint8_t mac[20];
	struct stage_pkt pkt;
	struct message m;
	struct frame f;

	message_begin(&m, ALLOCATE, txid);
	message_attribute(&m, TP_ATTR_NONCE, "0123456789abcdef0123456789abcdef", 32);
	message_attribute(&m, TP_ATTR_MESSAGE_INTEGRITY, mac, sizeof(mac));
	pkt = call_send_bytes(&s->call, &f, from, &s->call.listener, m.data, m.len);
	if (pkt.verdict != STAGE_PUNT)
		call_assert_drop(&pkt, TP_DROP_punt_rate);
	while (relay_punted(s->call.r, TP_PUNT_FIRST) != NULL)
		;
	return pkt.verdict == STAGE_PUNT;
}

static void txid_draw(struct stand *s, uint8_t txid[12])
{
	for (unsigned i = 0; i < 12; i++)
		txid[i] = (uint8_t)draw(s);
}

static void flood(struct stand *s, unsigned ms)
{
	for (unsigned i = 0; i < ms * FLOOD_PER_MS; i++) {
		struct tp_addr from = anybody(s);
		uint8_t txid[12];

		txid_draw(s, txid);
		ask(s, &from, s->network.one_id ? call_txid : txid);
		if (i % FLOOD_PER_MS == 0)
			s->call.r->now_ns += TP_NS_PER_MS;
	}
}

static void start(struct stand *s, const struct network *n)
{
	*s = (struct stand){.network = *n, .random = 1};
	call_start(&s->call, n->family, TP_FAMILY_IPV4);
	s->call.r->path.first_contact_rate = RATE;
	relay_locals_change(s->call.r);
	// The refusals of some seconds are there already, and this one has no room left.
	flood(s, 3100);
}

// How many requests a new client needs, of those at `gaps_ms`; 0: more than that.
static unsigned needed(struct stand *s, const unsigned gaps_ms[], unsigned n)
{
	struct tp_addr from = anybody(s);
	uint8_t txid[12];

	txid_draw(s, txid);
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			flood(s, gaps_ms[i - 1]);
		if (ask(s, &from, txid))
			return i + 1;
	}
	return 0;
}

// Fault: 200 spoofed first contacts per second of a /64, and 3,200 of a /48, kept its new clients
// out.
static void one_retransmission_is_enough(void **state)
{
	// First waits of browsers, of RFC 8489, and of DTLS.
	static const unsigned gaps_ms[] = {250, 500, 1000};
	struct stand s;

	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(networks); i++) {
		start(&s, &networks[i]);
		for (unsigned client = 0; client < 60; client++)
			assert_in_range(needed(&s, &gaps_ms[client % 3], 2), 1, 2);
		call_end(&s.call);
	}
}

// Requests without credentials, at 5,000 per second: the worker answers each one.
static void challenges_have_no_limit(void **state)
{
	struct stand s;

	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(networks); i++) {
		start(&s, &networks[i]);
		s.call.r->path.realm_len = 12;
		s.call.r->path.realm_flags = TP_REALM_ONLY;
		memcpy(s.call.r->path.realm, "test.example", 12);
		relay_locals_change(s.call.r);
		for (unsigned n = 0; n < 5000; n++) {
			struct tp_addr from = anybody(&s);
			struct stage_pkt pkt;
			struct message m;
			struct frame f;

			message_begin(&m, ALLOCATE, call_txid);
			// Not shorter than a third of the answer.
			message_attribute(&m, 0x8022, "a client of this test", 21);
			pkt = call_send_bytes(&s.call, &f, &from, &s.call.listener, m.data, m.len);
			assert_int_equal(pkt.verdict, STAGE_SEND);
		}
		call_end(&s.call);
	}
}

// A copy that the network makes is no retransmission, and one message is not sent again for ever.
static void copies_do_not_count(void **state)
{
	static const unsigned gaps_ms[] = {20, 20, 20, 20, 10500};
	struct stand s;

	(void)state;
	start(&s, &networks[0]);
	assert_int_equal(needed(&s, gaps_ms, 5), 0);
	assert_int_equal(needed(&s, &gaps_ms[4], 2), 0);
	call_end(&s.call);
}

// Repeated ones have a limit, too, and take nothing of the others.
static void repeated_ones_have_a_limit(void **state)
{
	static uint8_t txids[1000][12];
	struct tp_addr from[1000], other;
	unsigned n = 0, m = 0;
	struct stand s;

	(void)state;
	start(&s, &networks[0]);
	s.call.r->now_ns += TP_NS_PER_S - s.call.r->now_ns % TP_NS_PER_S;
	for (unsigned i = 0; i < 1000; i++) {
		from[i] = anybody(&s);
		txid_draw(&s, txids[i]);
		n += ask(&s, &from[i], txids[i]);
	}
	assert_int_equal(n, RATE);
	s.call.r->now_ns += TP_NS_PER_S;
	for (unsigned i = 0; i < 1000; i++)
		m += ask(&s, &from[i], txids[i]);
	assert_int_equal(m, 2 * RATE);
	other = relay_addr4("10.77.9.10", 5000);
	assert_true(ask(&s, &other, call_txid));
	call_end(&s.call);
}

// Fault: one client that sent the same request without a pause took both shares of its address.
static void one_message_leaves_the_second_share(void **state)
{
	struct tp_addr loud, quiet;
	uint8_t txid[12];
	unsigned passed = 0;
	struct stand s;

	(void)state;
	start(&s, &networks[0]);
	loud = anybody(&s);
	quiet = anybody(&s);
	txid_draw(&s, txid);
	s.call.r->now_ns += TP_NS_PER_S - s.call.r->now_ns % TP_NS_PER_S;
	for (unsigned ms = 0; ms < 9000; ms++) {
		bool is_above = ms % 1000 >= RATE;

		passed += ask(&s, &loud, call_txid) && is_above;
		if (ms % 3000 == 1300)
			assert_false(ask(&s, &quiet, txid));
		if (ms % 3000 == 1900)
			assert_true(ask(&s, &quiet, txid));
		if (ms % 3000 == 1999)
			txid_draw(&s, txid);
		s.call.r->now_ns += TP_NS_PER_MS;
	}
	assert_int_equal(passed, PASSES);
	call_end(&s.call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_retransmission_is_enough),
		cmocka_unit_test(challenges_have_no_limit),
		cmocka_unit_test(copies_do_not_count),
		cmocka_unit_test(repeated_ones_have_a_limit),
		cmocka_unit_test(one_message_leaves_the_second_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
