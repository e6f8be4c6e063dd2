// SPDX-License-Identifier: BSD-3-Clause
// A client's second 5-tuple: its messages are relayed as ever, and the control process is told.
#include "call.h"

static void mark(struct call *c, uint32_t entry, uint8_t flags)
{
	c->r->entries[entry].flags = flags;
}

static void assert_told(struct call *c, bool told)
{
	const struct tp_ring_slot *slot = relay_punted(c->r, TP_PUNT_LIVE);
	struct tp_ring_report about;

	assert_true((slot != NULL) == told);
	if (!told)
		return;
	assert_int_equal(slot->kind, TP_RING_REPORT);
	assert_int_equal(slot->len, sizeof(about));
	memcpy(&about, slot->data, sizeof(about));
	assert_int_equal(about.type, TP_REPORT_MOVED);
	assert_int_equal(about.allocation, c->allocation);
	call_assert_addr(&slot->remote, &c->client);
	call_assert_addr(&c->r->locals[slot->local_id].addr, &c->listener);
	assert_null(relay_punted(c->r, TP_PUNT_LIVE));
}

static void channel_data(struct call *c)
{
	struct stage_pkt pkt;
	struct frame_view v;
	struct message m;
	struct frame f;

	message_channel(&m, CALL_NUMBER, "data", 4, 0);
	pkt = call_send_bytes(c, &f, &c->client, &c->listener, m.data, m.len);
	v = call_read(&pkt);
	call_assert_addr(&v.dst, &c->peer);
	assert_memory_equal(v.payload, "data", 4);
	assert_true(v.udp_csum_right);
}

static void indication(struct call *c)
{
	struct stage_pkt pkt;
	struct frame_view v;
	struct message m;
	struct frame f;

	call_send_indication(&m, &c->visitor, "data", 4, false);
	pkt = call_send_bytes(c, &f, &c->client, &c->listener, m.data, m.len);
	v = call_read(&pkt);
	call_assert_addr(&v.dst, &c->visitor);
	assert_memory_equal(v.payload, "data", 4);
}

static void check_told(struct call *c)
{
	channel_data(c);
	indication(c);
	assert_told(c, false);
	mark(c, c->channel, TP_ENTRY_MOVING);
	channel_data(c);
	assert_told(c, true);
	mark(c, c->channel, 0);
	channel_data(c);
	assert_told(c, false);
	mark(c, c->visitor_permission, TP_ENTRY_MOVING);
	indication(c);
	assert_told(c, true);
}

static void first_message_is_told(void **state)
{
	(void)state;
	call_each_family(check_told);
}

// A control process that does not come to it is not flooded, nor ever left without.
static void told_again_but_not_each_time(void **state)
{
	struct call c;
	unsigned n = 0;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	mark(&c, c.channel, TP_ENTRY_MOVING);
	for (unsigned i = 0; i < 1000; i++) {
		channel_data(&c);
		while (relay_punted(c.r, TP_PUNT_LIVE) != NULL)
			n++;
	}
	assert_in_range(n, 2, 100);
	c.r->now_ns += 10 * TP_NS_PER_S;
	channel_data(&c);
	assert_told(&c, true);
	call_end(&c);
}

// A dropped packet decides on nothing, and an index out of bounds is nobody's.
static void dropped_message_is_not_told(void **state)
{
	struct stage_pkt pkt;
	struct message m;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	mark(&c, c.channel, TP_ENTRY_MOVING);
	c.r->entries[c.channel].expires_s = 1;
	message_channel(&m, CALL_NUMBER, "data", 4, 0);
	pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
	call_assert_drop(&pkt, TP_DROP_channel_expired);
	assert_told(&c, false);
	c.r->entries[c.channel].expires_s = UINT32_MAX;
	c.r->entries[c.channel].allocation = UINT32_MAX;
	channel_data(&c);
	assert_told(&c, false);
	call_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_message_is_told),
		cmocka_unit_test(told_again_but_not_each_time),
		cmocka_unit_test(dropped_message_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
