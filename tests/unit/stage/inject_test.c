// SPDX-License-Identifier: BSD-3-Clause
// Messages of the control process: which become frames, and which are refused. The control process
// is not trusted here: it may answer from a listener and do nothing else.
#include "call.h"

#define BUFFER 2048u

struct buffers {
	uint8_t memory[8][BUFFER];
	struct stage_pkt pkts[8];
};

static void buffers_reset(struct buffers *b)
{
	for (unsigned i = 0; i < 8; i++)
		b->pkts[i] = (struct stage_pkt){.data = b->memory[i] + 128,
			.headroom = 128,
			.tailroom = BUFFER - 128,
			.cookie = b->memory[i]};
}

static _Atomic uint32_t *ring_head(struct relay *r)
{
	return &r->heads[TP_PUNT_CLASSES].value;
}

static struct tp_ring_slot *ring_put(struct relay *r)
{
	uint32_t head = (*ring_head(r))++;
	struct tp_ring_slot *slot =
		&r->slots[TP_PUNT_CLASSES * TP_RING_SLOTS + (head & (TP_RING_SLOTS - 1))];

	memset(slot, 0, sizeof(*slot));
	return slot;
}

static void answer_put(struct relay *r, uint16_t listener, const struct tp_addr *to, uint16_t len)
{
	struct tp_ring_slot *slot = ring_put(r);

	slot->local_id = listener;
	slot->remote = *to;
	slot->egress = RELAY_HOP;
	slot->len = len;
	for (unsigned i = 0; i < len && i < TP_RING_DATA_MAX; i++)
		slot->data[i] = (uint8_t)(i + len);
}

static void check_answers(struct call *c)
{
	static const uint16_t lengths[] = {1, 2, 3, 20, 333, 1452};
	uint16_t id = c->client.family == TP_FAMILY_IPV4 ? RELAY_LISTENER4 : RELAY_LISTENER6;
	static struct buffers b;
	struct frame_view v;

	for (unsigned i = 0; i < TP_ARRAY_LEN(lengths); i++)
		answer_put(c->r, id, &c->client, lengths[i]);
	buffers_reset(&b);
	assert_int_equal(stage_inject_pending(c->r->worker), TP_ARRAY_LEN(lengths));
	assert_int_equal(stage_inject(c->r->worker, b.pkts, 8), TP_ARRAY_LEN(lengths));
	assert_int_equal(stage_inject_pending(c->r->worker), 0);
	for (unsigned i = 0; i < TP_ARRAY_LEN(lengths); i++) {
		v = call_read(&b.pkts[i]);
		call_assert_addr(&v.src, &c->listener);
		call_assert_addr(&v.dst, &c->client);
		assert_true(v.udp_csum_right);
		assert_int_not_equal(v.csum, 0);
		assert_int_equal(v.ttl, 64);
		assert_memory_equal(v.mac_dst, frame_mac_other, 6);
		assert_memory_equal(v.mac_src, frame_mac_relay, 6);
		assert_int_equal(v.len, lengths[i]);
		for (unsigned n = 0; n < lengths[i]; n++)
			assert_int_equal(v.payload[n], (uint8_t)(n + lengths[i]));
		assert_ptr_equal(b.pkts[i].data - b.pkts[i].headroom, b.memory[i]);
		assert_int_equal(b.pkts[i].headroom + b.pkts[i].len + b.pkts[i].tailroom, BUFFER);
	}
	assert_int_equal(c->r->stats->path_packets[TP_PATH_inject], TP_ARRAY_LEN(lengths));
}

static void test_answers(void **state)
{
	(void)state;
	call_each_family(check_answers);
}

// Our own messages have no DF.
static void check_long_answer(struct call *c)
{
	static struct buffers b;
	bool v4 = c->client.family == TP_FAMILY_IPV4;
	uint16_t fits = v4 ? 1472 : 1452;
	struct frame_view v;

	buffers_reset(&b);
	answer_put(c->r, v4 ? RELAY_LISTENER4 : RELAY_LISTENER6, &c->client, fits);
	answer_put(c->r, v4 ? RELAY_LISTENER4 : RELAY_LISTENER6, &c->client, fits + 1);
	assert_int_equal(stage_inject(c->r->worker, b.pkts, 8), 2);
	assert_int_equal(b.pkts[0].verdict, STAGE_SEND);
	assert_int_equal(b.pkts[1].verdict, STAGE_CUT);
	assert_int_equal(b.pkts[1].mtu, 1500);
	assert_int_equal(b.pkts[1].tx_port, 0);
	assert_null(frame_read(b.pkts[1].data, b.pkts[1].len, &v));
	assert_int_equal(v.len, fits + 1);
	assert_false(v.df);
	assert_true(v.udp_csum_right);
}

static void test_long_answers(void **state)
{
	(void)state;
	call_each_family(check_long_answer);
}

struct refusal {
	const char *what;
	uint16_t local_id;
	uint16_t len;
	uint32_t next_hop;
	struct tp_addr to;
	enum tp_drop reason;
};

static void test_refusals(void **state)
{
	const struct tp_addr client = relay_addr4("10.77.1.2", 5000);
	const struct tp_addr client6 = relay_addr6("fd77:1::2", 5000);
	const struct tp_addr strange = {.port_be = 1, .family = 7};
	const struct refusal rows[] = {
		{"no id", 0, 20, 1, client, TP_DROP_inject_bad},
		{"relay address as source", RELAY_RELAY4, 20, 1, client, TP_DROP_inject_bad},
		{"id of nothing", 99, 20, 1, client, TP_DROP_inject_bad},
		{"id beyond the table", 65535, 20, 1, client, TP_DROP_inject_bad},
		{"another family", RELAY_LISTENER4, 20, 1, client6, TP_DROP_inject_bad},
		{"no family", RELAY_LISTENER4, 20, 1, {.port_be = 1}, TP_DROP_inject_bad},
		{"strange family", RELAY_LISTENER4, 20, 1, strange, TP_DROP_inject_bad},
		{"port 0", RELAY_LISTENER4, 20, 1, relay_addr4("10.77.1.2", 0), TP_DROP_inject_bad},
		{"no bytes", RELAY_LISTENER4, 0, 1, client, TP_DROP_inject_bad},
		{"too many bytes", RELAY_LISTENER4, TP_RING_DATA_MAX + 1, 1, client,
			TP_DROP_inject_bad},
		{"65,535 bytes", RELAY_LISTENER4, 65535, 1, client, TP_DROP_inject_bad},
		{"to ourselves", RELAY_LISTENER4, 20, 1, relay_addr4("10.77.0.1", 22),
			TP_DROP_inject_bad},
		{"to our external address", RELAY_LISTENER4, 20, 1, relay_addr4("198.51.100.2", 22),
			TP_DROP_inject_bad},
		{"to a group", RELAY_LISTENER4, 20, 1, relay_addr4("224.0.0.1", 22),
			TP_DROP_inject_bad},
		{"to loopback", RELAY_LISTENER6, 20, 1, relay_addr6("::1", 22), TP_DROP_inject_bad},
		{"no route", RELAY_LISTENER4, 20, 0, client, TP_DROP_no_route},
		{"next hop beyond the table", RELAY_LISTENER4, 20, 70000, client, TP_DROP_no_route},
		{"next hop unresolved", RELAY_LISTENER4, 20, RELAY_HOP_NONE, client,
			TP_DROP_no_next_hop},
		{"next hop on no port", RELAY_LISTENER4, 20, RELAY_HOP_ASTRAY, client,
			TP_DROP_no_route},
	};
	uint64_t expected[TP_DROP_COUNT] = {0};
	static struct buffers b;
	struct tp_ring_slot *slot;
	struct frame_view v;
	struct relay *r;

	(void)state;
	r = relay_create(64, TP_HASH_KIND_SIPHASH);
	buffers_reset(&b);
	for (unsigned i = 0; i < TP_ARRAY_LEN(rows); i++) {
		print_message("%s\n", rows[i].what);
		slot = ring_put(r);
		slot->local_id = rows[i].local_id;
		slot->len = rows[i].len;
		slot->egress = rows[i].next_hop;
		slot->remote = rows[i].to;
		answer_put(r, RELAY_LISTENER4, &client, 20); // takes no harm from its neighbour
		buffers_reset(&b);
		assert_int_equal(stage_inject(r->worker, b.pkts, 8), 1);
		v = call_read(&b.pkts[0]);
		assert_int_equal(v.len, 20);
		expected[rows[i].reason]++;
		assert_int_equal(r->stats->drops[rows[i].reason], expected[rows[i].reason]);
	}
	relay_destroy(r);
}

static void test_small_buffer(void **state)
{
	const struct tp_addr client = relay_addr4("10.77.1.2", 5000);
	static struct buffers b;
	struct relay *r;

	(void)state;
	r = relay_create(64, TP_HASH_KIND_SIPHASH);
	answer_put(r, RELAY_LISTENER4, &client, 100);
	buffers_reset(&b);
	b.pkts[0].tailroom = 161; // 14 + 40 + 8 + 100 less one
	assert_int_equal(stage_inject(r->worker, b.pkts, 8), 0);
	assert_int_equal(r->stats->drops[TP_DROP_no_memory], 1);
	relay_destroy(r);
}

static void test_no_more_than_asked(void **state)
{
	const struct tp_addr client = relay_addr4("10.77.1.2", 5000);
	static struct buffers b;
	struct relay *r;

	(void)state;
	r = relay_create(64, TP_HASH_KIND_SIPHASH);
	assert_int_equal(stage_inject(r->worker, b.pkts, 8), 0);
	for (unsigned i = 0; i < 10; i++)
		answer_put(r, RELAY_LISTENER4, &client, (uint16_t)(20 + i));
	buffers_reset(&b);
	assert_int_equal(stage_inject(r->worker, b.pkts, 8), 8);
	assert_int_equal(call_read(&b.pkts[7]).len, 27);
	assert_int_equal(stage_inject_pending(r->worker), 2);
	buffers_reset(&b);
	assert_int_equal(stage_inject(r->worker, b.pkts, 8), 2);
	assert_int_equal(call_read(&b.pkts[1]).len, 29);
	relay_destroy(r);
}

// An impossible head: the ring is taken for empty, from there on it works.
static void test_impossible_distance(void **state)
{
	const struct tp_addr client = relay_addr4("10.77.1.2", 5000);
	static struct buffers b;
	struct relay *r;

	(void)state;
	r = relay_create(64, TP_HASH_KIND_SIPHASH);
	*ring_head(r) = 0xdeadbeef;
	assert_int_equal(stage_inject_pending(r->worker), TP_RING_SLOTS);
	buffers_reset(&b);
	assert_int_equal(stage_inject(r->worker, b.pkts, 8), 0);
	assert_int_equal(r->worker->inject.resets, 1);
	answer_put(r, RELAY_LISTENER4, &client, 20);
	assert_int_equal(stage_inject(r->worker, b.pkts, 8), 1);
	relay_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_long_answers),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_small_buffer),
		cmocka_unit_test(test_no_more_than_asked),
		cmocka_unit_test(test_impossible_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
