// SPDX-License-Identifier: BSD-3-Clause
// Which frames are captured and what the records say.
#include "captured.h"

static void arm(const struct call *c, uint32_t frames)
{
	struct tp_capture_request r = captured_request(c, frames);

	assert_true(capture_request_is_right(&r));
	capture_disarm(&watch.capture);
	assert_int_equal(capture_arm(&watch.capture, &r), 0);
}

// The next record, in a buffer that is good until the next call. NULL: there is none.
static const struct tp_capture_record *take(void)
{
	static uint8_t room[4096] TP_ALIGNED(8);
	static size_t len, at;
	const struct tp_capture_record *rec;

	if (at == len) {
		at = 0;
		len = capture_take(&watch.capture, room, sizeof(room));
	}
	if (at == len)
		return NULL;
	rec = (const struct tp_capture_record *)(room + at);
	at += rec->size;
	return rec;
}

static const uint8_t *payload_of(const struct tp_capture_record *rec)
{
	return (const uint8_t *)(rec + 1) + rec->taken - 4;
}

static void both_ends_are_taken(struct call *c)
{
	const struct tp_capture_record *rec;
	struct stage_pkt pkt;
	uint16_t received;

	arm(c, 100);
	pkt = watched_channel(c, CALL_NUMBER);
	call_read(&pkt);
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->way, TP_CAPTURE_RECEIVED);
	assert_int_equal(rec->number, 7);
	assert_int_equal(rec->verdict, STAGE_SEND);
	assert_int_equal(rec->time_ns, c->r->now_ns);
	assert_int_equal(rec->taken, rec->len);
	assert_memory_equal(payload_of(rec), "abcd", 4);
	received = rec->len;
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->way, TP_CAPTURE_SENT);
	assert_int_equal(rec->verdict, STAGE_SEND);
	// Without the channel's header.
	assert_int_equal(rec->len, received - 4);
	assert_memory_equal(rec + 1, pkt.data, pkt.len);
	assert_null(take());

	pkt = watched_datagram(c, &c->peer);
	call_read(&pkt);
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->way, TP_CAPTURE_RECEIVED);
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->way, TP_CAPTURE_SENT);
	assert_int_equal(rec->len, received);
	assert_null(take());
}

static void take_both_ends(void **state)
{
	static const uint8_t families[] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};
	struct call c;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		watched_start(&c, families[i]);
		both_ends_are_taken(&c);
		watched_end(&c);
	}
}

static void tell_drops(void **state)
{
	const struct tp_capture_record *rec;
	struct stage_pkt pkt;
	struct call c;

	(void)state;
	watched_start(&c, TP_FAMILY_IPV4);
	arm(&c, 100);
	pkt = watched_channel(&c, CALL_NUMBER + 1);
	call_assert_drop(&pkt, TP_DROP_no_channel);
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->verdict, STAGE_DROP);
	assert_int_equal(rec->reason, TP_DROP_no_channel);
	assert_null(take());
	// Of a stranger, to the relayed address.
	c.visitor.ip[3]++;
	pkt = watched_datagram(&c, &c.visitor);
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->reason, TP_DROP_no_permission);
	assert_null(take());
	watched_end(&c);
}

// What the port refuses is not shown as sent.
static void tell_refused(void **state)
{
	const struct tp_capture_record *rec;
	struct call c;

	(void)state;
	watched_start(&c, TP_FAMILY_IPV4);
	arm(&c, 100);
	watched_port_is_full = true;
	watched_channel(&c, CALL_NUMBER);
	watched_port_is_full = false;
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->verdict, STAGE_SEND);
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->way, TP_CAPTURE_SENT);
	assert_int_equal(rec->verdict, STAGE_DROP);
	assert_int_equal(rec->reason, TP_DROP_tx_full);
	assert_null(take());
	watched_end(&c);
}

static void leave_others_out(void **state)
{
	struct tp_capture_request r;
	struct call c;

	(void)state;
	watched_start(&c, TP_FAMILY_IPV4);
	r = captured_request(&c, 100);
	r.client.port_be = (uint16_t)~r.client.port_be;
	r.relayed[0].port_be = (uint16_t)~r.relayed[0].port_be;
	assert_int_equal(capture_arm(&watch.capture, &r), 0);
	watched_channel(&c, CALL_NUMBER);
	watched_datagram(&c, &c.peer);
	assert_null(take());
	// The client's messages to another listener are not this allocation's.
	capture_disarm(&watch.capture);
	r = captured_request(&c, 100);
	r.listener.port_be = (uint16_t)~r.listener.port_be;
	r.n_relayed = 0;
	assert_int_equal(capture_arm(&watch.capture, &r), 0);
	watched_channel(&c, CALL_NUMBER);
	assert_null(take());
	watched_end(&c);
}

static void count_and_cut(void **state)
{
	struct tp_capture_request r;
	const struct tp_capture_record *rec;
	struct call c;
	unsigned n = 0;

	(void)state;
	watched_start(&c, TP_FAMILY_IPV4);
	r = captured_request(&c, 3);
	r.snaplen = 42;
	assert_int_equal(capture_arm(&watch.capture, &r), 0);
	for (unsigned i = 0; i < 4; i++)
		watched_channel(&c, CALL_NUMBER);
	assert_false(watch_is_on(&watch));
	for (; (rec = take()) != NULL; n++) {
		assert_int_equal(rec->taken, 42);
		assert_true(rec->len > 42);
		assert_int_equal(rec->size, 32 + 48);
	}
	assert_int_equal(n, 3);
	watched_end(&c);
}

// More than the ring holds, over its end again and again: nothing is torn, what found no room is
// counted, and packets are forwarded all the same.
static void full_rings_are_counted(void **state)
{
	const struct tp_capture_record *rec;
	uint8_t guard[4096];
	struct capture_ring *ring;
	struct call c;
	unsigned n = 0, runs = 0;

	(void)state;
	watched_start(&c, TP_FAMILY_IPV4);
	arm(&c, TP_CAPTURE_FRAMES_MAX);
	ring = &watch.capture.rings[0];
	free(ring->octets);
	ring->octets = aligned_alloc(TP_CACHE_LINE, CAPTURE_RING + sizeof(guard));
	assert_non_null(ring->octets);
	memset(guard, 0xee, sizeof(guard));
	memset(ring->octets, 0xee, CAPTURE_RING + sizeof(guard));
	// Never full, over the end with what does not fit before it: two records more than pairs.
	watched_channel(&c, CALL_NUMBER + 1);
	watched_channel(&c, CALL_NUMBER + 1);
	for (unsigned i = 0; i < CAPTURE_RING / 150; i++, runs++) {
		watched_channel(&c, CALL_NUMBER);
		for (; (rec = take()) != NULL; n++)
			assert_memory_equal(payload_of(rec), "abcd", 4);
	}
	assert_int_equal(n, 2 * runs + 2);
	for (unsigned turn = 0; turn < 3; turn++) {
		for (unsigned i = 0; i < CAPTURE_RING / 150; i++, runs++) {
			struct stage_pkt pkt = watched_channel(&c, CALL_NUMBER);

			assert_int_equal(pkt.verdict, STAGE_SEND);
		}
		for (; (rec = take()) != NULL; n++)
			assert_memory_equal(payload_of(rec), "abcd", 4);
		assert_true(n > 0);
	}
	assert_true(capture_missed(&watch.capture, 0) > 0);
	assert_int_equal(n + capture_missed(&watch.capture, 0) + capture_missed(&watch.capture, 1),
		2 * runs + 2);
	assert_memory_equal(ring->octets + CAPTURE_RING, guard, sizeof(guard));
	// Counted anew for the next one.
	arm(&c, 1);
	assert_int_equal(capture_missed(&watch.capture, 0), 0);
	watched_end(&c);
}

static void refuse_nonsense(void **state)
{
	struct tp_capture_request r;
	struct call c;

	(void)state;
	watched_start(&c, TP_FAMILY_IPV4);
	r = captured_request(&c, 1);
	assert_true(capture_request_is_right(&r));
	r.n_relayed = 3;
	assert_false(capture_request_is_right(&r));
	r = captured_request(&c, TP_CAPTURE_FRAMES_MAX + 1);
	assert_false(capture_request_is_right(&r));
	r = captured_request(&c, 1);
	r.client.family = 9;
	assert_false(capture_request_is_right(&r));
	r = captured_request(&c, 1);
	r.seconds = 0;
	assert_false(capture_request_is_right(&r));
	watched_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_both_ends),
		cmocka_unit_test(tell_drops),
		cmocka_unit_test(tell_refused),
		cmocka_unit_test(leave_others_out),
		cmocka_unit_test(count_and_cut),
		cmocka_unit_test(full_rings_are_counted),
		cmocka_unit_test(refuse_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
