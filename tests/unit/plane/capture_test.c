// SPDX-License-Identifier: BSD-3-Clause
// Which frames are captured, and the content of the records.
#include "captured.h"

static void arm(const struct call *c, uint32_t frames)
{
	struct tp_capture_request r = captured_request(c, frames);

	assert_true(observe_capture_request_is_right(&r));
	observe_records_disarm(&observed.capture.records);
	assert_int_equal(observe_capture_arm(&observed.capture, &r), 0);
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
	pkt = observed_channel(c, CALL_NUMBER);
	call_read(&pkt);
	rec = captured_take();
	assert_non_null(rec);
	assert_int_equal(rec->direction, TP_CAPTURE_RECEIVED);
	assert_int_equal(rec->head.number, 7);
	assert_int_equal(rec->verdict, STAGE_SEND);
	assert_int_equal(rec->head.time_ns, c->r->now_ns);
	assert_int_equal(rec->taken, rec->len);
	assert_memory_equal(payload_of(rec), "abcd", 4);
	received = rec->len;
	rec = captured_take();
	assert_non_null(rec);
	assert_int_equal(rec->direction, TP_CAPTURE_SENT);
	assert_int_equal(rec->verdict, STAGE_SEND);
	// Without the channel's header.
	assert_int_equal(rec->len, received - 4);
	assert_memory_equal(rec + 1, pkt.data, pkt.len);
	assert_null(captured_take());

	pkt = observed_datagram(c, &c->peer);
	call_read(&pkt);
	rec = captured_take();
	assert_non_null(rec);
	assert_int_equal(rec->direction, TP_CAPTURE_RECEIVED);
	rec = captured_take();
	assert_non_null(rec);
	assert_int_equal(rec->direction, TP_CAPTURE_SENT);
	assert_int_equal(rec->len, received);
	assert_null(captured_take());
}

static void take_both_ends(void **state)
{
	static const uint8_t families[] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};
	struct call c;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		observed_start(&c, families[i]);
		both_ends_are_taken(&c);
		observed_end(&c);
	}
}

static void tell_drops(void **state)
{
	const struct tp_capture_record *rec;
	struct stage_pkt pkt;
	struct call c;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	arm(&c, 100);
	pkt = observed_channel(&c, CALL_NUMBER + 1);
	call_assert_drop(&pkt, TP_DROP_no_channel);
	rec = captured_take();
	assert_non_null(rec);
	assert_int_equal(rec->verdict, STAGE_DROP);
	assert_int_equal(rec->reason, TP_DROP_no_channel);
	assert_null(captured_take());
	// From a stranger, to the relayed address.
	c.visitor.ip[3]++;
	pkt = observed_datagram(&c, &c.visitor);
	rec = captured_take();
	assert_non_null(rec);
	assert_int_equal(rec->reason, TP_DROP_no_permission);
	assert_null(captured_take());
	observed_end(&c);
}

// A frame that the port refuses is not shown as sent.
static void tell_refused(void **state)
{
	const struct tp_capture_record *rec;
	struct call c;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	arm(&c, 100);
	observed_port_is_full = true;
	observed_channel(&c, CALL_NUMBER);
	observed_port_is_full = false;
	rec = captured_take();
	assert_non_null(rec);
	assert_int_equal(rec->verdict, STAGE_SEND);
	rec = captured_take();
	assert_non_null(rec);
	assert_int_equal(rec->direction, TP_CAPTURE_SENT);
	assert_int_equal(rec->verdict, STAGE_DROP);
	assert_int_equal(rec->reason, TP_DROP_tx_full);
	assert_null(captured_take());
	observed_end(&c);
}

// Integrity and tickets of the client's own messages are not in a record, other bytes are.
static void leave_secrets_out(void **state)
{
	static const uint16_t secrets[] = {0x0008, 0x001b, 0x001c, 0x0022, 0x8030};
	static const char planted[] = "planted secret of 32 bytes, whole";
	const struct tp_capture_record *rec;
	struct message m;
	struct frame f;
	struct call c;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	arm(&c, 100);
	message_begin(&m, 0x0004, call_txid);
	message_attribute(&m, TP_ATTR_USERNAME, "alice", 5);
	for (unsigned i = 0; i < TP_ARRAY_LEN(secrets); i++)
		message_attribute(&m, secrets[i], planted, 32);
	message_attribute(&m, TP_ATTR_REALM, "realm", 5);
	observed_run(&c, &f, &c.client, &c.listener, m.data, m.len);
	rec = captured_take();
	assert_non_null(rec);
	assert_int_equal(rec->taken, rec->len);
	assert_null(memmem(rec + 1, rec->taken, "secret", 6));
	assert_non_null(memmem(rec + 1, rec->taken, "alice", 5));
	assert_non_null(memmem(rec + 1, rec->taken, "realm", 5));
	// A peer's STUN message is its own business: ICE checks stay whole.
	observed_run(&c, &f, &c.peer, &c.relayed, m.data, m.len);
	rec = captured_take();
	assert_non_null(rec);
	assert_non_null(memmem(rec + 1, rec->taken, "secret", 6));
	while (captured_take() != NULL)
		;
	observed_end(&c);
}

static void leave_others_out(void **state)
{
	struct tp_capture_request r;
	struct call c;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	r = captured_request(&c, 100);
	r.client.port_be = (uint16_t)~r.client.port_be;
	r.relayed[0].port_be = (uint16_t)~r.relayed[0].port_be;
	assert_int_equal(observe_capture_arm(&observed.capture, &r), 0);
	observed_channel(&c, CALL_NUMBER);
	observed_datagram(&c, &c.peer);
	assert_null(captured_take());
	// The client's messages to another listener are not this allocation's.
	observe_records_disarm(&observed.capture.records);
	r = captured_request(&c, 100);
	r.listener.port_be = (uint16_t)~r.listener.port_be;
	r.n_relayed = 0;
	assert_int_equal(observe_capture_arm(&observed.capture, &r), 0);
	observed_channel(&c, CALL_NUMBER);
	assert_null(captured_take());
	observed_end(&c);
}

static void count_and_cut(void **state)
{
	struct tp_capture_request r;
	const struct tp_capture_record *rec;
	struct call c;
	unsigned n = 0;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	r = captured_request(&c, 3);
	r.snaplen = 42;
	assert_int_equal(observe_capture_arm(&observed.capture, &r), 0);
	for (unsigned i = 0; i < 4; i++)
		observed_channel(&c, CALL_NUMBER);
	assert_false(observe_is_on(&observed));
	for (; (rec = captured_take()) != NULL; n++) {
		assert_int_equal(rec->taken, 42);
		assert_true(rec->len > 42);
		assert_int_equal(rec->head.size, 32 + 48);
	}
	assert_int_equal(n, 3);
	observed_end(&c);
}

// More than the ring holds, over its end again and again: nothing is torn, records without room are
// counted, and packets are forwarded all the same.
static void full_rings_are_counted(void **state)
{
	const struct tp_capture_record *rec;
	uint8_t guard[4096];
	struct record_ring *ring;
	struct call c;
	unsigned n = 0, runs = 0;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	arm(&c, TP_CAPTURE_FRAMES_MAX);
	ring = &observed.capture.records.rings[0];
	free(ring->bytes);
	ring->bytes = aligned_alloc(TP_CACHE_LINE, CAPTURE_RING + sizeof(guard));
	assert_non_null(ring->bytes);
	memset(guard, 0xee, sizeof(guard));
	memset(ring->bytes, 0xee, CAPTURE_RING + sizeof(guard));
	// Never full, over the end with records that do not fit before it: two records more than
	// pairs.
	observed_channel(&c, CALL_NUMBER + 1);
	observed_channel(&c, CALL_NUMBER + 1);
	for (unsigned i = 0; i < CAPTURE_RING / 150; i++, runs++) {
		observed_channel(&c, CALL_NUMBER);
		for (; (rec = captured_take()) != NULL; n++)
			assert_memory_equal(payload_of(rec), "abcd", 4);
	}
	assert_int_equal(n, 2 * runs + 2);
	for (unsigned turn = 0; turn < 3; turn++) {
		for (unsigned i = 0; i < CAPTURE_RING / 150; i++, runs++) {
			struct stage_pkt pkt = observed_channel(&c, CALL_NUMBER);

			assert_int_equal(pkt.verdict, STAGE_SEND);
		}
		for (; (rec = captured_take()) != NULL; n++)
			assert_memory_equal(payload_of(rec), "abcd", 4);
		assert_true(n > 0);
	}
	assert_true(observe_records_missed(&observed.capture.records, 0) > 0);
	assert_int_equal(n + observe_records_missed(&observed.capture.records, 0) +
				 observe_records_missed(&observed.capture.records, 1),
		2 * runs + 2);
	assert_memory_equal(ring->bytes + CAPTURE_RING, guard, sizeof(guard));
	// Counted anew for the next one.
	arm(&c, 1);
	assert_int_equal(observe_records_missed(&observed.capture.records, 0), 0);
	observed_end(&c);
}

static void refuse_nonsense(void **state)
{
	struct tp_capture_request r;
	struct call c;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	r = captured_request(&c, 1);
	assert_true(observe_capture_request_is_right(&r));
	r.n_relayed = 3;
	assert_false(observe_capture_request_is_right(&r));
	r = captured_request(&c, TP_CAPTURE_FRAMES_MAX + 1);
	assert_false(observe_capture_request_is_right(&r));
	r = captured_request(&c, 1);
	r.client.family = 9;
	assert_false(observe_capture_request_is_right(&r));
	r = captured_request(&c, 1);
	r.ask.seconds = 0;
	assert_false(observe_capture_request_is_right(&r));
	observed_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_both_ends),
		cmocka_unit_test(tell_drops),
		cmocka_unit_test(tell_refused),
		cmocka_unit_test(leave_secrets_out),
		cmocka_unit_test(leave_others_out),
		cmocka_unit_test(count_and_cut),
		cmocka_unit_test(full_rings_are_counted),
		cmocka_unit_test(refuse_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
