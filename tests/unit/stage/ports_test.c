// SPDX-License-Identifier: BSD-3-Clause
// Permissions with ports: Send indications and datagrams of other ports are dropped, and those that
// a policy under trial would drop are counted.
#include "call.h"

#include <stdlib.h>

#define ALLOWED 1u
#define TRIAL	2u
#define SETS	3u

static struct tp_port_set sets[SETS];

static void set_put(uint32_t set, uint16_t port)
{
	sets[set].bits[port / 32] |= 1u << port % 32;
}

// The visitor's permission gets the word, as the control process would store it.
static void ports_give(struct call *c, uint32_t allowed, uint32_t trial)
{
	struct tp_entry *e = &c->r->entries[c->visitor_permission];

	c->r->worker->port_sets = sets;
	c->r->worker->n_port_sets = SETS;
	e->other_expires_s = e->expires_s;
	e->partner = tp_ports_word(allowed, trial);
	e->expires_s = 0;
}

static struct stage_pkt send_to(struct call *c, struct frame *f, uint16_t port)
{
	struct tp_addr peer = c->visitor;
	struct message m;

	peer.port_be = tp_htons(port);
	call_send_indication(&m, &peer, "abcd", 4, false);
	return call_send_bytes(c, f, &c->client, &c->listener, m.data, m.len);
}

static struct stage_pkt from(struct call *c, struct frame *f, uint16_t port)
{
	struct tp_addr peer = c->visitor;

	peer.port_be = tp_htons(port);
	return call_send_bytes(c, f, &peer, &c->relayed, "abcd", 4);
}

static uint64_t would_deny(const struct call *c)
{
	return c->r->stats->path_packets[TP_PATH_port_would_deny];
}

static void other_ports_drop(struct call *c)
{
	struct stage_pkt pkt;
	struct frame f;

	memset(sets, 0, sizeof(sets));
	set_put(ALLOWED, 5000);
	ports_give(c, ALLOWED, 0);
	pkt = send_to(c, &f, 5000);
	assert_int_equal(call_read(&pkt).dst.port_be, tp_htons(5000));
	pkt = send_to(c, &f, 5001);
	call_assert_drop(&pkt, TP_DROP_peer_port);
	pkt = from(c, &f, 5000);
	assert_int_equal(tp_load_be16(call_read(&pkt).payload), TP_TURN_DATA_INDICATION);
	pkt = from(c, &f, 4999);
	call_assert_drop(&pkt, TP_DROP_peer_port);
	pkt = from(c, &f, 0x8813); // 5000, its bytes turned
	call_assert_drop(&pkt, TP_DROP_peer_port);
	assert_int_equal(would_deny(c), 0);
	// A channel is judged when it is bound.
	pkt = call_send_bytes(c, &f, &c->peer, &c->relayed, "abcd", 4);
	assert_int_equal(tp_load_be16(call_read(&pkt).payload), CALL_NUMBER);
}

static void test_other_ports_drop(void **state)
{
	(void)state;
	call_each_family(other_ports_drop);
}

static void trial_counts(struct call *c)
{
	struct stage_pkt pkt;
	struct frame f;

	memset(sets, 0, sizeof(sets));
	set_put(TRIAL, 5000);
	ports_give(c, 0, TRIAL);
	pkt = send_to(c, &f, 5000);
	call_read(&pkt);
	pkt = from(c, &f, 5000);
	call_read(&pkt);
	assert_int_equal(would_deny(c), 0);
	pkt = send_to(c, &f, 5001);
	call_read(&pkt);
	pkt = from(c, &f, 5002);
	call_read(&pkt);
	assert_int_equal(would_deny(c), 2);
	// Both: the one in force goes first.
	set_put(ALLOWED, 5000);
	set_put(ALLOWED, 5001);
	c->r->entries[c->visitor_permission].partner = tp_ports_word(ALLOWED, TRIAL);
	pkt = send_to(c, &f, 5001);
	call_read(&pkt);
	pkt = send_to(c, &f, 5002);
	call_assert_drop(&pkt, TP_DROP_peer_port);
	assert_int_equal(would_deny(c), 3);
}

static void test_trial_counts(void **state)
{
	(void)state;
	call_each_family(trial_counts);
}

// Its time is that of the other word; a set that is none lets nothing pass.
static void test_expiry_and_bad_sets(void **state)
{
	struct stage_pkt pkt;
	struct tp_entry *e;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	memset(sets, 0xff, sizeof(sets));
	ports_give(&c, ALLOWED, 0);
	e = &c.r->entries[c.visitor_permission];
	e->other_expires_s = RELAY_NOW_S + 10;
	c.r->now_ns = (RELAY_NOW_S + 10) * TP_NS_PER_S - 1;
	pkt = send_to(&c, &f, 5000);
	call_read(&pkt);
	c.r->now_ns++;
	pkt = send_to(&c, &f, 5000);
	call_assert_drop(&pkt, TP_DROP_permission_expired);
	pkt = from(&c, &f, 5000);
	call_assert_drop(&pkt, TP_DROP_permission_expired);
	e->other_expires_s = RELAY_NOW_S + 20;
	e->partner = tp_ports_word(SETS, 0);
	pkt = send_to(&c, &f, 5000);
	call_assert_drop(&pkt, TP_DROP_peer_port);
	e->partner = 0; // as of a TCP allocation
	pkt = send_to(&c, &f, 5000);
	call_assert_drop(&pkt, TP_DROP_permission_expired);
	call_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_ports_drop),
		cmocka_unit_test(test_trial_counts),
		cmocka_unit_test(test_expiry_and_bad_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
