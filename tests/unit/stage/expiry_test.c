// SPDX-License-Identifier: BSD-3-Clause
// Expiries, compared with the burst's clock: live while now < expires, to the nanosecond.
#include "call.h"

enum packet { CHANNEL_DATA, SEND, FROM_PEER, FROM_VISITOR };

static struct stage_pkt run(struct call *c, struct frame *f, enum packet packet, uint64_t now_ns)
{
	struct message m;

	c->r->now_ns = now_ns;
	switch (packet) {
	case CHANNEL_DATA:
		message_channel(&m, CALL_NUMBER, "abcd", 4, 0);
		return call_send_bytes(c, f, &c->client, &c->listener, m.data, m.len);
	case SEND:
		call_send_indication(&m, &c->visitor, "abcd", 4, false);
		return call_send_bytes(c, f, &c->client, &c->listener, m.data, m.len);
	case FROM_PEER:
		return call_send_bytes(c, f, &c->peer, &c->relayed, "abcd", 4);
	default:
		return call_send_bytes(c, f, &c->visitor, &c->relayed, "abcd", 4);
	}
}

#define EXPIRES_S 5000u

static void check_boundary(
	struct call *c, _Atomic uint32_t *word, enum packet packet, enum tp_drop reason)
{
	struct stage_pkt pkt;
	struct frame f;

	*word = EXPIRES_S;
	pkt = run(c, &f, packet, EXPIRES_S * TP_NS_PER_S - 1);
	call_read(&pkt);
	pkt = run(c, &f, packet, EXPIRES_S * TP_NS_PER_S);
	call_assert_drop(&pkt, reason);
	*word = EXPIRES_S + 1; // refreshed
	pkt = run(c, &f, packet, EXPIRES_S * TP_NS_PER_S);
	call_read(&pkt);
}

static void live_for_ever(struct call *c)
{
	for (uint32_t i = 1; i <= c->r->n_used; i++) {
		c->r->entries[i].expires_s = UINT32_MAX;
		if (c->r->entries[i].key.kind != TP_KIND_ALLOCATION)
			c->r->entries[i].other_expires_s = UINT32_MAX;
	}
}

// Clauses: 8656 5-5, 12.6-1
static void test_each_lifetime(void **state)
{
	struct tp_entry *e;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	e = c.r->entries;
	live_for_ever(&c);
	check_boundary(&c, &e[c.channel].expires_s, CHANNEL_DATA, TP_DROP_channel_expired);
	live_for_ever(&c);
	check_boundary(
		&c, &e[e[c.channel].partner].expires_s, FROM_PEER, TP_DROP_permission_expired);
	live_for_ever(&c);
	check_boundary(&c, &e[c.visitor_permission].expires_s, SEND, TP_DROP_permission_expired);
	live_for_ever(&c);
	check_boundary(
		&c, &e[c.visitor_permission].expires_s, FROM_VISITOR, TP_DROP_permission_expired);
	live_for_ever(&c);
	check_boundary(&c, &e[c.allocation].expires_s, SEND, TP_DROP_allocation_expired);
	live_for_ever(&c);
	check_boundary(&c, &e[c.allocation].expires_s, FROM_VISITOR, TP_DROP_allocation_expired);
	call_end(&c);
}

// Client to peer goes by the channel, peer to client by the permission: neither ends the other.
static void test_directions_expire_apart(void **state)
{
	struct stage_pkt pkt;
	struct tp_entry *e;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	e = c.r->entries;
	pkt = run(&c, &f, CHANNEL_DATA, (RELAY_NOW_S + 300) * TP_NS_PER_S);
	call_read(&pkt); // the permission is over, the channel is not
	pkt = run(&c, &f, FROM_PEER, (RELAY_NOW_S + 300) * TP_NS_PER_S);
	call_assert_drop(&pkt, TP_DROP_permission_expired);
	e[e[c.channel].partner].expires_s = RELAY_NOW_S + 900; // CreatePermission
	e[c.permission].expires_s = RELAY_NOW_S + 900;
	e[c.allocation].expires_s = RELAY_NOW_S + 900;
	pkt = run(&c, &f, FROM_PEER, (RELAY_NOW_S + 599) * TP_NS_PER_S);
	assert_int_equal(tp_load_be16(call_read(&pkt).payload), CALL_NUMBER);
	pkt = run(&c, &f, CHANNEL_DATA, (RELAY_NOW_S + 600) * TP_NS_PER_S);
	call_assert_drop(&pkt, TP_DROP_channel_expired);
	pkt = run(&c, &f, FROM_PEER, (RELAY_NOW_S + 600) * TP_NS_PER_S);
	assert_int_equal(tp_load_be16(call_read(&pkt).payload), TP_TURN_DATA_INDICATION);
	call_end(&c);
}

// Two relayed transport addresses, IPv4 and IPv6, each with its own end.
static void test_two_relay_slots(void **state)
{
	struct tp_addr client = relay_addr4("10.77.1.2", 50001);
	struct tp_addr peer4 = relay_addr4("10.77.2.2", 6000);
	struct tp_addr peer6 = relay_addr6("fd77:2::2", 6000);
	struct tp_addr listener, relayed4, relayed6;
	struct stage_pkt pkt;
	struct message m;
	struct relay *r;
	struct call c;
	struct frame f;
	uint32_t a;

	(void)state;
	r = c.r = relay_create(64, TP_HASH_KIND_SIPHASH);
	listener = r->locals[RELAY_LISTENER4].addr;
	a = relay_allocation(r, &client, RELAY_LISTENER4, call_relayed(TP_FAMILY_IPV4, 50000),
		call_relayed(TP_FAMILY_IPV6, 50002));
	relay_permission(r, a, 0, &peer4);
	relay_permission(r, a, 1, &peer6);
	relayed4 = relay_relayed(r, a, 0);
	relayed6 = relay_relayed(r, a, 1);
	for (unsigned dead = 0; dead < 3; dead++) { // none, the second, the first
		r->entries[a].expires_s = dead == 2 ? RELAY_NOW_S : RELAY_NOW_S + 1;
		r->entries[a].other_expires_s = dead == 1 ? RELAY_NOW_S : RELAY_NOW_S + 1;
		call_send_indication(&m, &peer4, "x", 1, false);
		pkt = call_send_bytes(&c, &f, &client, &listener, m.data, m.len);
		assert_int_equal(pkt.verdict, dead == 2 ? STAGE_DROP : STAGE_SEND);
		pkt = call_send_bytes(&c, &f, &peer4, &relayed4, "y", 1);
		assert_int_equal(pkt.verdict, dead == 2 ? STAGE_DROP : STAGE_SEND);
		call_send_indication(&m, &peer6, "x", 1, false);
		pkt = call_send_bytes(&c, &f, &client, &listener, m.data, m.len);
		assert_int_equal(pkt.verdict, dead == 1 ? STAGE_DROP : STAGE_SEND);
		pkt = call_send_bytes(&c, &f, &peer6, &relayed6, "y", 1);
		assert_int_equal(pkt.verdict, dead == 1 ? STAGE_DROP : STAGE_SEND);
	}
	assert_int_equal(r->stats->drops[TP_DROP_allocation_expired], 4);
	relay_destroy(r);
}

static void test_next_hops_and_mtu(void **state)
{
	static const struct {
		uint32_t slot;
		uint16_t len;
		enum tp_drop reason; // none: sent; too_big: sent in fragments
	} rows[] = {{RELAY_HOP, 1472, TP_DROP_none}, {RELAY_HOP, 1473, TP_DROP_too_big},
		{RELAY_HOP_SMALL, 1252, TP_DROP_none}, {RELAY_HOP_SMALL, 1253, TP_DROP_too_big},
		{0, 10, TP_DROP_no_route}, {RELAY_HOP_NONE, 10, TP_DROP_no_next_hop},
		{RELAY_HOP_ASTRAY, 10, TP_DROP_no_route}, {RELAY_NEXT_HOPS, 10, TP_DROP_no_route},
		{TP_EGRESS_STREAM - 1, 10, TP_DROP_no_route},
		{UINT32_MAX, 10, TP_DROP_table_corrupt}};
	static uint8_t data[1500];
	struct stage_pkt pkt;
	struct message m;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	for (unsigned i = 0; i < TP_ARRAY_LEN(rows); i++) {
		c.r->entries[c.channel].egress = rows[i].slot;
		message_channel(&m, CALL_NUMBER, data, rows[i].len, 0);
		pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
		if (rows[i].reason == TP_DROP_too_big) {
			assert_int_equal(pkt.verdict, STAGE_CUT);
			assert_int_equal(pkt.tx_port, rows[i].slot == RELAY_HOP_SMALL);
			assert_int_equal(pkt.mtu, rows[i].slot == RELAY_HOP_SMALL ? 1280 : 1500);
			continue;
		}
		if (rows[i].reason != TP_DROP_none) {
			call_assert_drop(&pkt, rows[i].reason);
			continue;
		}
		call_read(&pkt);
		assert_int_equal(pkt.tx_port, rows[i].slot == RELAY_HOP_SMALL);
		assert_memory_equal(pkt.data + 6, c.r->worker->ports[pkt.tx_port].mac, 6);
	}
	assert_int_equal(c.r->cells[c.channel].packets, 4);
	call_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_lifetime),
		cmocka_unit_test(test_directions_expire_apart),
		cmocka_unit_test(test_two_relay_slots),
		cmocka_unit_test(test_next_hops_and_mtu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
