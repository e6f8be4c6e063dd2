// SPDX-License-Identifier: BSD-3-Clause
// Which packets are recorded, the content of the records, and that tracing changes no packet.
#include "observed.h"

static void arm(const struct call *c, uint32_t packets, bool any_port)
{
	struct tp_trace_request r = {
		.ask = {TP_TRACE_REQUEST_MAGIC, 7, packets, 5},
		.client = c->client,
	};

	if (any_port)
		r.client.port_be = 0;
	assert_true(observe_trace_request_is_right(&r));
	observe_records_disarm(&observed.trace.records);
	assert_int_equal(observe_trace_arm(&observed.trace, &r), 0);
}

// False: there is none.
static bool take(struct tp_trace_record *rec)
{
	return observe_records_take(&observed.trace.records, (uint8_t *)rec, sizeof(*rec)) != 0;
}

static bool is_armed(void)
{
	return observe_records_are_armed(&observed.trace.records);
}

static void both_directions_are_told(struct call *c)
{
	struct tp_trace_record rec;
	struct stage_pkt pkt;

	arm(c, 10, false);
	pkt = observed_channel(c, CALL_NUMBER);
	call_read(&pkt);
	assert_true(take(&rec));
	assert_int_equal(rec.head.number, 7);
	assert_int_equal(rec.head.time_ns, c->r->now_ns);
	call_assert_addr(&rec.from, &c->client);
	call_assert_addr(&rec.to, &c->listener);
	call_assert_addr(&rec.sent_from, &c->relayed);
	call_assert_addr(&rec.sent_to, &c->peer);
	assert_int_equal(rec.first, CALL_NUMBER);
	assert_int_equal(rec.verdict, STAGE_SEND);
	assert_int_equal(rec.paths, 1u << TP_PATH_channel_to_peer);
	assert_int_equal(rec.sent_len, rec.len - 4);
	assert_memory_equal(rec.mac, frame_mac_other, 6);
	assert_true(rec.cycles > 0);

	// To the client: known by where it goes.
	pkt = observed_datagram(c, &c->peer);
	call_read(&pkt);
	assert_true(take(&rec));
	call_assert_addr(&rec.from, &c->peer);
	call_assert_addr(&rec.sent_to, &c->client);
	assert_int_equal(rec.paths, 1u << TP_PATH_peer_to_channel);
	assert_false(take(&rec));
}

static void tell_both_directions(void **state)
{
	static const uint8_t families[] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};
	struct call c;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		observed_start(&c, families[i]);
		both_directions_are_told(&c);
		observed_end(&c);
	}
}

static void tell_why_not(void **state)
{
	struct tp_trace_record rec;
	struct call c;
	struct stage_pkt pkt;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	arm(&c, 10, true);
	pkt = observed_channel(&c, CALL_NUMBER + 1);
	call_assert_drop(&pkt, TP_DROP_no_channel);
	assert_true(take(&rec));
	assert_int_equal(rec.verdict, STAGE_DROP);
	assert_int_equal(rec.reason, TP_DROP_no_channel);
	assert_int_equal(rec.sent_len, 0);
	assert_int_equal(rec.sent_to.family, TP_FAMILY_NONE);
	// A drop of somebody else's packet is not this client's.
	c.visitor.ip[3]++;
	pkt = observed_datagram(&c, &c.visitor);
	call_assert_drop(&pkt, TP_DROP_no_permission);
	assert_false(take(&rec));
	observed_end(&c);
}

static void others_are_left_out(void **state)
{
	struct tp_trace_record rec;
	struct call c;
	struct tp_addr client;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	client = c.client;
	c.client.port_be = (uint16_t)~c.client.port_be;
	arm(&c, 10, false);
	c.client = client;
	observed_channel(&c, CALL_NUMBER);
	assert_false(take(&rec));
	// By address alone.
	arm(&c, 10, true);
	observed_channel(&c, CALL_NUMBER);
	assert_true(take(&rec));
	observed_end(&c);
}

static void it_ends(void **state)
{
	struct tp_trace_record rec;
	struct call c;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	arm(&c, 2, false);
	for (unsigned i = 0; i < 3; i++)
		observed_channel(&c, CALL_NUMBER);
	assert_false(is_armed());
	assert_true(take(&rec));
	assert_true(take(&rec));
	assert_false(take(&rec));
	observed_end(&c);
}

static void nonsense_is_refused(void **state)
{
	struct tp_trace_request r;
	struct call c;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	r = (struct tp_trace_request){
		.ask = {TP_TRACE_REQUEST_MAGIC, 7, 1, 5},
		.client = c.client,
	};
	assert_true(observe_trace_request_is_right(&r));
	r.ask.magic = 1;
	assert_false(observe_trace_request_is_right(&r));
	r.ask = (struct tp_observe_request){TP_TRACE_REQUEST_MAGIC, 7, TP_TRACE_PACKETS_MAX + 1, 5};
	assert_false(observe_trace_request_is_right(&r));
	r.ask = (struct tp_observe_request){TP_TRACE_REQUEST_MAGIC, 7, 1, 0};
	assert_false(observe_trace_request_is_right(&r));
	r.ask = (struct tp_observe_request){TP_TRACE_REQUEST_MAGIC, 7, 1, 5};
	r.client.family = 9;
	assert_false(observe_trace_request_is_right(&r));
	observed_end(&c);
}

static void a_full_ring_is_counted(void **state)
{
	struct tp_trace_record rec;
	struct call c;
	unsigned n = 0;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	arm(&c, TP_TRACE_PACKETS_MAX, false);
	for (unsigned i = 0; i < TRACE_RING / sizeof(rec) + 5; i++)
		observed_channel(&c, CALL_NUMBER);
	for (; take(&rec); n++)
		assert_int_equal(rec.lost, 0);
	assert_int_equal(n, TRACE_RING / sizeof(rec));
	assert_int_equal(observe_records_missed(&observed.trace.records, 0), 5);
	observed_channel(&c, CALL_NUMBER);
	assert_true(take(&rec));
	assert_int_equal(rec.lost, 5);
	observed_end(&c);
}

// A burst with the trace running out in its middle is forwarded to its end.
static void bursts_stay_whole(void **state)
{
	static struct frame frames[4];
	static const uint8_t data[8] = {CALL_NUMBER >> 8, CALL_NUMBER & 0xff, 0, 4, 1, 2, 3, 4};
	struct stage_pkt pkts[4];
	struct call c;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
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
	observe_trace_run(&observed.trace, c.r->worker, pkts, NULL, 4, c.r->now_ns);
	for (unsigned i = 0; i < 4; i++)
		call_read(&pkts[i]);
	assert_int_equal(c.r->stats->path_packets[TP_PATH_channel_to_peer], 4);
	observed_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tell_both_directions),
		cmocka_unit_test(tell_why_not),
		cmocka_unit_test(others_are_left_out),
		cmocka_unit_test(it_ends),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(a_full_ring_is_counted),
		cmocka_unit_test(bursts_stay_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
