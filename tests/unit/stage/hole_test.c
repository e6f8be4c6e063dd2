// SPDX-License-Identifier: BSD-3-Clause
// A leg that swallows long packets: their sender is told once, the control process learns of it.
#include "call.h"

static uint8_t data[1400];

// A long datagram of DTLS from the client, or from the peer.
static struct stage_pkt run(struct call *c, bool from_peer, uint8_t first, bool df)
{
	struct frame_spec spec = {.src = from_peer ? c->peer : c->client,
		.dst = from_peer ? c->relayed : c->listener,
		.payload = data,
		.len = sizeof(data),
		.df = df};
	static struct frame f;
	struct message m;

	data[0] = first;
	if (!from_peer) {
		message_channel(&m, CALL_NUMBER, data, sizeof(data), 0);
		spec.payload = m.data;
		spec.len = m.len;
	}
	frame_build(&f, &spec);
	return relay_run(c->r, &f);
}

static void short_one(struct call *c)
{
	static struct frame f;

	c->r->now_ns += TP_NS_PER_MS;
	(void)call_send_bytes(c, &f, &c->peer, &c->relayed, "consent", 7);
}

// Repeats with growing waits; returns how often the sender was told.
static unsigned repeat(struct call *c, bool from_peer, uint8_t first, bool df, unsigned times)
{
	uint64_t before = c->r->stats->path_packets[TP_PATH_too_big];

	for (unsigned i = 0; i < times; i++) {
		assert_int_equal(run(c, from_peer, first, df).verdict, STAGE_SEND);
		short_one(c);
		c->r->now_ns += TP_NS_PER_S << i;
	}
	return (unsigned)(c->r->stats->path_packets[TP_PATH_too_big] - before);
}

static void assert_hole(struct call *c, bool to_client)
{
	const struct tp_ring_slot *slot = relay_punted(c->r, TP_PUNT_LIVE);
	struct tp_ring_report about;

	assert_non_null(slot);
	assert_int_equal(slot->kind, TP_RING_REPORT);
	memcpy(&about, slot->data, sizeof(about));
	assert_int_equal(about.type, TP_REPORT_BLACK_HOLE);
	assert_int_equal(about.mtu, 1280);
	assert_int_equal(about.allocation, c->allocation);
	call_assert_addr(&slot->remote, to_client ? &c->client : &c->peer);
	assert_true(tp_addr_same_ip(
		&c->r->locals[slot->local_id].addr, to_client ? &c->listener : &c->relayed));
	if (!to_client)
		assert_int_equal(about.port_be, c->relayed.port_be);
	assert_null(relay_punted(c->r, TP_PUNT_LIVE));
}

static void healing(struct call *c)
{
	c->r->path.black_holes = TP_BLACK_HOLES_HEALED;
	relay_locals_change(c->r);
}

static void check_both_ways(struct call *c)
{
	healing(c);
	for (unsigned from_peer = 0; from_peer < 2; from_peer++) {
		assert_int_equal(repeat(c, from_peer, 22, true, 5), 1);
		assert_hole(c, from_peer);
		assert_int_equal(c->r->stats->path_packets[TP_PATH_mtu_black_hole], from_peer + 1);
	}
}

static void test_both_ways(void **state)
{
	(void)state;
	call_each_family(check_both_ways);
}

static void test_not_a_hole(void **state)
{
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	// Off.
	assert_int_equal(repeat(&c, false, 22, true, 6), 0);
	healing(&c);
	// Media; without DF; a leg whose MTU is known.
	assert_int_equal(repeat(&c, false, 0x80, true, 6), 0);
	assert_int_equal(repeat(&c, false, 22, false, 6), 0);
	c.r->entries[c.channel].path_mtu = 1450;
	assert_int_equal(repeat(&c, false, 22, true, 6), 0);
	assert_null(relay_punted(c.r, TP_PUNT_LIVE));
	assert_int_equal(c.r->stats->path_packets[TP_PATH_mtu_black_hole], 0);
	call_end(&c);
}

// The sender lets the network make fragments, which over IPv6 only the relay can.
static void test_in_fragments(void **state)
{
	struct stage_pkt pkt;
	unsigned cuts = 0;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV6);
	healing(&c);
	for (unsigned i = 0; i < 6; i++) {
		pkt = run(&c, false, 22, false);
		if (pkt.verdict == STAGE_CUT)
			cuts += pkt.mtu == 1280;
		else
			assert_int_equal(pkt.verdict, STAGE_SEND);
		short_one(&c);
		c.r->now_ns += TP_NS_PER_S << i;
	}
	assert_int_equal(cuts, 1);
	assert_int_equal(c.r->stats->path_packets[TP_PATH_too_big], 0);
	assert_hole(&c, false);
	call_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_not_a_hole),
		cmocka_unit_test(test_in_fragments),
	};

	return cmocka_run_group_tests_name("stage: hole", tests, NULL, NULL);
}
