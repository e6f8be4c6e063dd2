// SPDX-License-Identifier: BSD-3-Clause
// Every way through the packet path is charged to the allocations it passes, and ends where one of
// their buckets is empty.
#include "call.h"

#include <core/bucket.h>

#define SLOTS 4u
#define LEN   5u

struct caps {
	struct tp_limit limits[SLOTS];
	struct tp_limit_cell cells[SLOTS];
	struct stage_cap fill[SLOTS];
};

// Each allocation has the limit of its number: slots from 0 on.
static void caps_attach(struct caps *t, struct relay *r)
{
	uint32_t n = 0;

	memset(t, 0, sizeof(*t));
	for (uint32_t i = 1; i <= r->n_used; i++) {
		if (r->entries[i].key.kind != TP_KIND_ALLOCATION)
			continue;
		t->limits[n].kind = TP_LIMIT_ALLOCATION;
		t->limits[n].bits_per_s = 1000000;
		n++;
		for (uint32_t k = 1; k <= r->n_used; k++)
			if (r->entries[k].allocation == i)
				relay_limit(&r->entries[k], n);
	}
	r->worker->limits = t->limits;
	r->worker->limit_cells = t->cells;
	r->worker->caps = t->fill;
	r->worker->n_limits = SLOTS;
}

static void bucket_empty(struct caps *t, const struct relay *r, unsigned slot)
{
	t->fill[slot].meters[STAGE_BITS].full_at = core_bucket_ticks(r->now_ns + 100 * TP_NS_PER_S);
}

static void assert_charged(const struct caps *t, unsigned slot, unsigned packets)
{
	assert_int_equal(t->cells[slot].packets, packets);
	assert_int_equal(t->cells[slot].bits, packets * LEN * 8);
}

typedef struct stage_pkt way_run(struct call *c, struct frame *f);

static struct stage_pkt channel_up(struct call *c, struct frame *f)
{
	struct message m;

	message_channel(&m, CALL_NUMBER, "hello", LEN, 0);
	return call_send_bytes(c, f, &c->client, &c->listener, m.data, m.len);
}

static struct stage_pkt send_up(struct call *c, struct frame *f)
{
	struct message m;

	call_send_indication(&m, &c->visitor, "hello", LEN, false);
	return call_send_bytes(c, f, &c->client, &c->listener, m.data, m.len);
}

static struct stage_pkt channel_down(struct call *c, struct frame *f)
{
	return call_send_bytes(c, f, &c->peer, &c->relayed, "hello", LEN);
}

static struct stage_pkt data_down(struct call *c, struct frame *f)
{
	return call_send_bytes(c, f, &c->visitor, &c->relayed, "hello", LEN);
}

static void check_ways(struct call *c)
{
	static way_run *const ways[] = {channel_up, send_up, channel_down, data_down};
	struct stage_pkt pkt;
	struct caps t;
	struct frame f;

	for (unsigned i = 0; i < TP_ARRAY_LEN(ways); i++) {
		caps_attach(&t, c->r);
		// The fast path learns from the first.
		for (unsigned n = 1; n <= 3; n++) {
			pkt = ways[i](c, &f);
			assert_int_equal(pkt.verdict, STAGE_SEND);
			assert_charged(&t, 0, n);
		}
		bucket_empty(&t, c->r, 0);
		pkt = ways[i](c, &f);
		call_assert_drop(&pkt, TP_DROP_cap_allocation);
		assert_charged(&t, 0, 3);
	}
}

static void every_way_is_charged(void **state)
{
	(void)state;
	call_each_family(check_ways);
}

// Between two clients: one bucket that is empty takes nothing from the other.
static void hairpins_are_charged_twice(void **state)
{
	struct tp_entry_relay none = {0}, at_a = call_relayed(TP_FAMILY_IPV4, 50000),
			      at_b = call_relayed(TP_FAMILY_IPV4, 51001);
	struct tp_addr a = relay_addr4("10.77.1.2", 50001), b = relay_addr4("10.77.2.2", 50001);
	struct relay *r = relay_create(64, TP_HASH_KIND_SIPHASH);
	uint32_t allocations[2] = {relay_allocation(r, &a, RELAY_LISTENER4, at_a, none),
		relay_allocation(r, &b, RELAY_LISTENER4, at_b, none)};
	struct tp_addr relayed[2] = {
		relay_relayed(r, allocations[0], 0), relay_relayed(r, allocations[1], 0)};
	struct call c = {.r = r, .client = a, .listener = r->locals[RELAY_LISTENER4].addr};
	struct stage_pkt pkt;
	struct frame f;
	struct caps t;

	(void)state;
	relay_channel(r, allocations[0], 0, CALL_NUMBER, &relayed[1]);
	relay_channel(r, allocations[1], 0, CALL_NUMBER, &relayed[0]);
	for (unsigned empty = 0; empty < 2; empty++) {
		caps_attach(&t, r);
		for (unsigned n = 1; n <= 3; n++) {
			pkt = channel_up(&c, &f);
			assert_int_equal(pkt.verdict, STAGE_SEND);
			assert_charged(&t, 0, n);
			assert_charged(&t, 1, n);
		}
		bucket_empty(&t, r, empty);
		pkt = channel_up(&c, &f);
		call_assert_drop(&pkt, TP_DROP_cap_allocation);
		assert_charged(&t, 0, 3);
		assert_charged(&t, 1, 3);
		assert_int_equal(t.cells[empty].dropped, 1);
		assert_int_equal(t.cells[1 - empty].dropped, 0);
	}
	relay_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_is_charged),
		cmocka_unit_test(hairpins_are_charged_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
