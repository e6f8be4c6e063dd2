// SPDX-License-Identifier: BSD-3-Clause
// Which packets are recorded, what the records say, and that a traced packet fares as any other.
#include "watched.h"

static void arm(const struct call *c, uint32_t packets, bool any_port)
{
	struct tp_trace_request r = {.magic = TP_TRACE_REQUEST_MAGIC,
		.trace = 7,
		.packets = packets,
		.seconds = 5,
		.client = c->client};

	if (any_port)
		r.client.port_be = 0;
	trace_arm(&watch.trace, &r, c->r->now_ns);
}

static void both_directions_are_told(struct call *c)
{
	struct tp_trace_record rec;
	struct stage_pkt pkt;

	arm(c, 10, false);
	pkt = watched_channel(c, CALL_NUMBER);
	call_read(&pkt);
	assert_true(trace_take(&watch.trace, &rec));
	assert_int_equal(rec.magic, TP_TRACE_RECORD_MAGIC);
	assert_int_equal(rec.trace, 7);
	call_assert_addr(&rec.from, &c->client);
	call_assert_addr(&rec.to, &c->listener);
	call_assert_addr(&rec.sent_from, &c->relayed);
	call_assert_addr(&rec.sent_to, &c->peer);
	assert_int_equal(rec.first, CALL_NUMBER);
	assert_int_equal(rec.verdict, STAGE_SEND);
	assert_int_equal(rec.ways, 1u << TP_PATH_channel_to_peer);
	assert_int_equal(rec.sent_len, rec.len - 4);
	assert_memory_equal(rec.mac, frame_mac_other, 6);
	assert_true(rec.cycles > 0);
	for (unsigned i = 0; i < STAGE_LAPS; i++)
		assert_true(rec.laps[i] > 0);
	assert_true(rec.laps[0] + rec.laps[1] + rec.laps[2] <= rec.cycles);

	// To the client: known by where it goes.
	pkt = watched_datagram(c, &c->peer);
	call_read(&pkt);
	assert_true(trace_take(&watch.trace, &rec));
	call_assert_addr(&rec.from, &c->peer);
	call_assert_addr(&rec.sent_to, &c->client);
	assert_int_equal(rec.ways, 1u << TP_PATH_peer_to_channel);
	assert_false(trace_take(&watch.trace, &rec));
}

static void tell_both_directions(void **state)
{
	static const uint8_t families[] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};
	struct call c;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		watched_start(&c, families[i]);
		both_directions_are_told(&c);
		watched_end(&c);
	}
}

static void tell_why_not(void **state)
{
	struct tp_trace_record rec;
	struct call c;
	struct stage_pkt pkt;

	(void)state;
	watched_start(&c, TP_FAMILY_IPV4);
	arm(&c, 10, true);
	pkt = watched_channel(&c, CALL_NUMBER + 1);
	call_assert_drop(&pkt, TP_DROP_no_channel);
	assert_true(trace_take(&watch.trace, &rec));
	assert_int_equal(rec.verdict, STAGE_DROP);
	assert_int_equal(rec.reason, TP_DROP_no_channel);
	assert_int_equal(rec.sent_len, 0);
	assert_int_equal(rec.sent_to.family, TP_FAMILY_NONE);
	assert_true(rec.laps[STAGE_LAP_SETTLE] > 0);
	// A drop of somebody else's packet is not this client's.
	c.visitor.ip[3]++;
	pkt = watched_datagram(&c, &c.visitor);
	call_assert_drop(&pkt, TP_DROP_no_permission);
	assert_false(trace_take(&watch.trace, &rec));
	watched_end(&c);
}

static void others_are_left_out(void **state)
{
	struct tp_trace_record rec;
	struct call c;
	struct tp_addr client;

	(void)state;
	watched_start(&c, TP_FAMILY_IPV4);
	client = c.client;
	c.client.port_be = (uint16_t)~c.client.port_be;
	arm(&c, 10, false);
	c.client = client;
	watched_channel(&c, CALL_NUMBER);
	assert_false(trace_take(&watch.trace, &rec));
	// By address alone.
	arm(&c, 10, true);
	watched_channel(&c, CALL_NUMBER);
	assert_true(trace_take(&watch.trace, &rec));
	watched_end(&c);
}

static void it_ends(void **state)
{
	struct tp_trace_record rec;
	struct tp_trace_request none = {.magic = TP_TRACE_REQUEST_MAGIC, .trace = 8};
	struct call c;

	(void)state;
	watched_start(&c, TP_FAMILY_IPV4);
	arm(&c, 2, false);
	for (unsigned i = 0; i < 3; i++)
		watched_channel(&c, CALL_NUMBER);
	assert_false(trace_is_armed(&watch.trace));
	assert_true(trace_take(&watch.trace, &rec));
	assert_true(trace_take(&watch.trace, &rec));
	assert_false(trace_take(&watch.trace, &rec));

	arm(&c, 2, false);
	trace_tick(&watch.trace, c.r->now_ns + 5 * TP_NS_PER_S - 1);
	assert_true(trace_is_armed(&watch.trace));
	trace_tick(&watch.trace, c.r->now_ns + 5 * TP_NS_PER_S);
	assert_false(trace_is_armed(&watch.trace));

	arm(&c, 2, false);
	trace_arm(&watch.trace, &none, c.r->now_ns);
	assert_false(trace_is_armed(&watch.trace));
	// Nonsense.
	none = (struct tp_trace_request){.magic = 1, .trace = 1, .packets = 1, .seconds = 1};
	none.client = c.client;
	trace_arm(&watch.trace, &none, c.r->now_ns);
	assert_false(trace_is_armed(&watch.trace));
	none.magic = TP_TRACE_REQUEST_MAGIC;
	none.client.family = 9;
	trace_arm(&watch.trace, &none, c.r->now_ns);
	assert_false(trace_is_armed(&watch.trace));
	watched_end(&c);
}

static void a_full_ring_is_counted(void **state)
{
	struct tp_trace_record rec;
	struct call c;
	unsigned n = 0;

	(void)state;
	watched_start(&c, TP_FAMILY_IPV4);
	arm(&c, TP_TRACE_PACKETS_MAX, false);
	for (unsigned i = 0; i < TRACE_RING + 5; i++)
		watched_channel(&c, CALL_NUMBER);
	while (trace_take(&watch.trace, &rec))
		n++;
	assert_int_equal(n, TRACE_RING);
	assert_int_equal(rec.lost, 5);
	watched_end(&c);
}

// A burst with the trace running out in its middle is forwarded to its end.
static void bursts_stay_whole(void **state)
{
	static struct frame frames[4];
	static const uint8_t data[8] = {CALL_NUMBER >> 8, CALL_NUMBER & 0xff, 0, 4, 1, 2, 3, 4};
	struct stage_pkt pkts[4];
	struct call c;

	(void)state;
	watched_start(&c, TP_FAMILY_IPV4);
	arm(&c, 2, false);
	for (unsigned i = 0; i < 4; i++) {
		struct frame_spec spec = {
			.src = c.client, .dst = c.listener, .payload = data, .len = sizeof(data)};

		frame_build(&frames[i], &spec);
		pkts[i] = (struct stage_pkt){.data = frame_data(&frames[i]),
			.len = frames[i].len,
			.headroom = FRAME_FRONT,
			.tailroom = (uint16_t)(FRAME_MAX - frames[i].len)};
	}
	trace_run(&watch.trace, c.r->worker, pkts, 4, c.r->now_ns);
	for (unsigned i = 0; i < 4; i++)
		call_read(&pkts[i]);
	assert_int_equal(c.r->stats->path_packets[TP_PATH_channel_to_peer], 4);
	watched_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tell_both_directions),
		cmocka_unit_test(tell_why_not),
		cmocka_unit_test(others_are_left_out),
		cmocka_unit_test(it_ends),
		cmocka_unit_test(a_full_ring_is_counted),
		cmocka_unit_test(bursts_stay_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
