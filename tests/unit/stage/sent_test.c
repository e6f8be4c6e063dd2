// SPDX-License-Identifier: BSD-3-Clause
// New ports of permitted peers by Send indications have a rate; those that were sent to before, and
// channels, are not concerned.
#include "call.h"

#define RATE	  16u
#define BURST	  (8 * RATE)
#define SCAN	  2000u
#define SCAN_PORT 1024u
// New ports that may be taken for known ones, of a scan.
#define MISTAKEN  (SCAN / 20)

static struct stage_pkt send_port(
	struct call *c, struct frame *f, const struct tp_addr *peer, uint16_t port)
{
	struct tp_addr to = *peer;
	struct message m;

	to.port_be = tp_htons(port);
	call_send_indication(&m, &to, "abcd", 4, false);
	return call_send_bytes(c, f, &c->client, &c->listener, m.data, m.len);
}

// Whether it passes; else it must be dropped for the rate.
static bool passes(struct call *c, const struct tp_addr *peer, uint16_t port)
{
	struct frame f;
	struct stage_pkt pkt = send_port(c, &f, peer, port);

	if (pkt.verdict == STAGE_DROP) {
		call_assert_drop(&pkt, TP_DROP_port_rate);
		return false;
	}
	assert_int_equal(call_read(&pkt).dst.port_be, tp_htons(port));
	return true;
}

static unsigned scan(struct call *c, const struct tp_addr *peer, uint16_t from, unsigned n)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < n; i++)
		passed += passes(c, peer, (uint16_t)(from + i));
	return passed;
}

static void rate_set(struct call *c, uint32_t rate)
{
	c->r->path.port_rates[0].ports_per_s = rate;
	c->r->path.n_port_rates = 1;
	relay_locals_change(c->r);
}

static void assert_about(unsigned n, unsigned wanted)
{
	assert_in_range(n, wanted, wanted + MISTAKEN);
}

static void scan_is_cut(struct call *c)
{
	uint64_t dropped;
	unsigned passed;

	rate_set(c, RATE);
	passed = scan(c, &c->visitor, SCAN_PORT, SCAN);
	assert_about(passed, 1 + BURST); // the first of the peer is free
	dropped = c->r->stats->drops[TP_DROP_port_rate];
	assert_int_equal(dropped, SCAN - passed);
	// Those that passed are known now.
	assert_int_equal(scan(c, &c->visitor, SCAN_PORT, BURST), BURST);
	c->r->now_ns += 2 * TP_NS_PER_S;
	assert_about(scan(c, &c->visitor, SCAN_PORT + SCAN, SCAN), 2 * RATE);
	c->r->now_ns += 60 * TP_NS_PER_S;
	assert_about(scan(c, &c->visitor, SCAN_PORT + 2 * SCAN, SCAN), BURST);
}

static void test_scan_is_cut(void **state)
{
	(void)state;
	call_each_family(scan_is_cut);
}

// A call's ports, its channel and other allocations lose nothing.
static void call_goes_on(struct call *c)
{
	struct tp_addr other = c->client, peer = c->visitor;
	struct stage_pkt pkt;
	struct frame_view v;
	struct message m;
	struct frame f;

	other.port_be = tp_htons(50002);
	relay_permission(c->r,
		relay_allocation(c->r, &other, c->r->entries[c->allocation].key.local_id,
			call_relayed(c->visitor.family, 50002), (struct tp_entry_relay){0}),
		0, &c->visitor);
	rate_set(c, RATE);
	assert_true(passes(c, &c->visitor, 60009));
	assert_true(passes(c, &c->visitor, 60010));
	for (unsigned i = 0; i < SCAN; i++) {
		c->r->now_ns += TP_NS_PER_S / 10000;
		(void)passes(c, &c->visitor, (uint16_t)(SCAN_PORT + i));
		assert_true(passes(c, &c->visitor, 60009));
		assert_true(passes(c, &c->visitor, 60010));
	}
	assert_true(c->r->stats->drops[TP_DROP_port_rate] > SCAN / 2);
	// The first port of another peer is paid for by its permission.
	assert_true(passes(c, &c->peer, 60001));
	message_channel(&m, CALL_NUMBER, "data", 4, 0);
	pkt = call_send_bytes(c, &f, &c->client, &c->listener, m.data, m.len);
	v = call_read(&pkt);
	call_assert_addr(&v.dst, &c->peer);
	for (unsigned i = 0; i < BURST; i++) {
		peer.port_be = tp_htons((uint16_t)(SCAN_PORT + SCAN - 1 - i));
		call_send_indication(&m, &peer, "abcd", 4, false);
		pkt = call_send_bytes(c, &f, &other, &c->listener, m.data, m.len);
		v = call_read(&pkt);
		call_assert_addr(&v.dst, &peer);
	}
}

static void test_call_goes_on(void **state)
{
	(void)state;
	call_each_family(call_goes_on);
}

// Ports sent to every half minute stay known; one that nothing was sent to for two eras is new.
static void silence_is_forgotten(struct call *c)
{
	rate_set(c, RATE);
	assert_true(passes(c, &c->visitor, 60008));
	assert_true(passes(c, &c->visitor, 60009));
	assert_true(passes(c, &c->visitor, 60010));
	for (unsigned i = 0; i < 9; i++) {
		c->r->now_ns += 30 * TP_NS_PER_S;
		(void)scan(c, &c->visitor, (uint16_t)(SCAN_PORT + i * 2 * BURST), 2 * BURST);
		assert_true(passes(c, &c->visitor, 60009));
	}
	assert_false(passes(c, &c->visitor, 60010));
	assert_true(passes(c, &c->visitor, 60009));
}

static void test_silence_is_forgotten(void **state)
{
	(void)state;
	call_each_family(silence_is_forgotten);
}

// A full filter begins an era early: what is in use stays known.
static void test_full_filter(void **state)
{
	struct stage_sent *s;
	struct call c;
	uint16_t era;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	rate_set(&c, RATE);
	s = &c.r->worker->sent;
	assert_about(scan(&c, &c.visitor, SCAN_PORT, SCAN), 1 + BURST);
	for (unsigned i = 0; i < 3; i++) {
		era = s->era;
		s->n_seen = UINT32_MAX;
		(void)scan(&c, &c.visitor, SCAN_PORT + SCAN, 1);
		assert_int_equal((uint16_t)(s->era - era), 1);
		assert_in_range(s->n_seen, 0, 2);
		assert_int_equal(scan(&c, &c.visitor, SCAN_PORT, BURST), BURST);
		assert_int_equal((uint16_t)(s->era - era), 1);
	}
	call_end(&c);
}

// Without a rate each port passes and is known when there is one.
static void test_no_rate(void **state)
{
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	assert_int_equal(scan(&c, &c.visitor, SCAN_PORT, SCAN), SCAN);
	rate_set(&c, 1);
	assert_about(scan(&c, &c.visitor, SCAN_PORT + SCAN, SCAN), 8);
	assert_int_equal(scan(&c, &c.visitor, SCAN_PORT, SCAN), SCAN);
	rate_set(&c, UINT32_MAX); // of no control process of ours
	(void)scan(&c, &c.visitor, SCAN_PORT + 2 * SCAN, SCAN);
	call_end(&c);
}

// A permission has the rate of its user's realm; one of an unknown realm that of the first.
static void test_realms(void **state)
{
	static const struct tp_port_rate rates[] = {{.ports_per_s = RATE, .realm_id = 3},
		{.realm_id = 8}, {.ports_per_s = 1, .realm_id = 9}};
	static const struct {
		uint16_t realm_id;
		unsigned passed;
	} rows[] = {{3, 1 + BURST}, {8, SCAN}, {9, 1 + 8}, {7, 1 + BURST}};
	struct call c;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
		memcpy(c.r->path.port_rates, rates, sizeof(rates));
		c.r->path.n_port_rates = i % 2 == 0 ? TP_ARRAY_LEN(rates) : UINT32_MAX;
		relay_locals_change(c.r);
		c.r->entries[c.visitor_permission].realm_id = rows[i].realm_id;
		assert_about(scan(&c, &c.visitor, SCAN_PORT, SCAN), rows[i].passed);
		call_end(&c);
	}
}

// The control process is told of the first attempt in ten seconds.
static void test_report(void **state)
{
	const struct tp_ring_slot *slot;
	struct tp_ring_report about;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	rate_set(&c, RATE);
	for (unsigned i = 0; i < 3; i++) {
		(void)scan(&c, &c.visitor, (uint16_t)(SCAN_PORT + i * SCAN), SCAN);
		slot = relay_punted(c.r, TP_PUNT_LIVE);
		assert_non_null(slot);
		assert_int_equal(slot->kind, TP_RING_REPORT);
		memcpy(&about, slot->data, sizeof(about));
		assert_int_equal(about.type, TP_REPORT_SCAN);
		assert_int_equal(about.allocation, c.allocation);
		assert_int_equal(about.port_be, c.relayed.port_be);
		assert_int_equal(slot->local_id, RELAY_RELAY4);
		assert_true(tp_addr_same_ip(&slot->remote, &c.visitor));
		assert_in_range(tp_ntohs(slot->remote.port_be), SCAN_PORT + i * SCAN + BURST,
			SCAN_PORT + (i + 1) * SCAN);
		c.r->now_ns += 9 * TP_NS_PER_S;
		(void)scan(&c, &c.visitor, (uint16_t)(SCAN_PORT + (i + 3) * SCAN), SCAN);
		assert_null(relay_punted(c.r, TP_PUNT_LIVE));
		c.r->now_ns += 11 * TP_NS_PER_S;
	}
	call_end(&c);
}

// Ports of relayed addresses count, too: only those within the rate are looked for.
static void test_hairpin(void **state)
{
	unsigned looked_for = 0;
	struct tp_addr relay;
	struct stage_pkt pkt;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	rate_set(&c, RATE);
	relay = c.r->locals[RELAY_RELAY4].external;
	relay_permission(c.r, c.allocation, 0, &relay);
	for (unsigned i = 0; i < SCAN; i++) {
		pkt = send_port(&c, &f, &relay, (uint16_t)(SCAN_PORT + i));
		assert_int_equal(pkt.verdict, STAGE_DROP);
		looked_for += pkt.reason == TP_DROP_own_address;
	}
	assert_about(looked_for, 1 + BURST);
	assert_int_equal(c.r->stats->drops[TP_DROP_port_rate], SCAN - looked_for);
	call_end(&c);
}

// Packets that leave the fast path for another reason have the same rate.
static void test_second_tuple(void **state)
{
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	rate_set(&c, RATE);
	c.r->entries[c.visitor_permission].flags |= TP_ENTRY_MOVING;
	assert_about(scan(&c, &c.visitor, SCAN_PORT, SCAN), 1 + BURST);
	c.r->entries[c.visitor_permission].flags &= (uint8_t)~TP_ENTRY_MOVING;
	assert_int_equal(scan(&c, &c.visitor, SCAN_PORT, BURST), BURST);
	assert_in_range(scan(&c, &c.visitor, SCAN_PORT + SCAN, SCAN), 0, MISTAKEN);
	call_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan_is_cut),
		cmocka_unit_test(test_call_goes_on),
		cmocka_unit_test(test_silence_is_forgotten),
		cmocka_unit_test(test_full_filter),
		cmocka_unit_test(test_no_rate),
		cmocka_unit_test(test_realms),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_hairpin),
		cmocka_unit_test(test_second_tuple),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
