// SPDX-License-Identifier: BSD-3-Clause
// The card's rules, on a card that is made of memory: it keeps its rules and tells which queue, if
// any, a packet would go to.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include <io/flow.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>

#define CARD_RULES 512u

struct rte_flow {
	bool used;
	bool v4;
	bool rss;
	unsigned n_queues;
	uint8_t ip[16];
	uint16_t port_be;
	uint16_t mask_be;
};

static struct {
	struct rte_flow rules[CARD_RULES];
	unsigned room;
	bool isolated;
	int refuse;	   // errno of isolate
	unsigned destroys; // so far
} card;

static int card_isolate(uint16_t port, int on, struct rte_flow_error *e)
{
	assert_int_equal(port, 7);
	if (card.refuse != 0) {
		e->message = "not on this card";
		return -card.refuse;
	}
	card.isolated = on != 0;
	return 0;
}

static void pattern_read(struct rte_flow *f, const struct rte_flow_item *items)
{
	const struct rte_flow_item_udp *udp = items[2].spec, *udp_mask = items[2].mask;

	assert_int_equal(items[0].type, RTE_FLOW_ITEM_TYPE_ETH);
	assert_null(items[0].spec);
	f->v4 = items[1].type == RTE_FLOW_ITEM_TYPE_IPV4;
	if (f->v4) {
		const struct rte_flow_item_ipv4 *ip = items[1].spec, *mask = items[1].mask;

		assert_int_equal(ip->hdr.next_proto_id & mask->hdr.next_proto_id, IPPROTO_UDP);
		assert_int_equal(mask->hdr.dst_addr, UINT32_MAX);
		assert_int_equal(mask->hdr.src_addr, 0);
		memcpy(f->ip, &ip->hdr.dst_addr, 4);
	} else {
		const struct rte_flow_item_ipv6 *ip = items[1].spec, *mask = items[1].mask;

		assert_int_equal(items[1].type, RTE_FLOW_ITEM_TYPE_IPV6);
		assert_int_equal(ip->hdr.proto & mask->hdr.proto, IPPROTO_UDP);
		for (unsigned i = 0; i < 16; i++) {
			assert_int_equal(mask->hdr.dst_addr[i], 0xff);
			assert_int_equal(mask->hdr.src_addr[i], 0);
		}
		memcpy(f->ip, ip->hdr.dst_addr, 16);
	}
	assert_int_equal(items[2].type, RTE_FLOW_ITEM_TYPE_UDP);
	assert_int_equal(udp_mask->hdr.src_port, 0);
	f->port_be = udp->hdr.dst_port;
	f->mask_be = udp_mask->hdr.dst_port;
	assert_int_equal(f->port_be & ~f->mask_be & 0xffff, 0); // cards refuse stray bits
	assert_int_equal(items[3].type, RTE_FLOW_ITEM_TYPE_END);
}

static void actions_read(struct rte_flow *f, const struct rte_flow_action *actions)
{
	f->rss = actions[0].type == RTE_FLOW_ACTION_TYPE_RSS;
	if (f->rss) {
		const struct rte_flow_action_rss *rss = actions[0].conf;

		f->n_queues = rss->queue_num;
		assert_int_equal(rss->types,
			f->v4 ? RTE_ETH_RSS_NONFRAG_IPV4_UDP : RTE_ETH_RSS_NONFRAG_IPV6_UDP);
		for (unsigned q = 0; q < rss->queue_num; q++)
			assert_int_equal(rss->queue[q], q);
	} else {
		assert_int_equal(actions[0].type, RTE_FLOW_ACTION_TYPE_QUEUE);
		f->n_queues = 1;
	}
	assert_int_equal(actions[1].type, RTE_FLOW_ACTION_TYPE_END);
}

static struct rte_flow *card_create(uint16_t port, const struct rte_flow_attr *attr,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *e)
{
	assert_int_equal(port, 7);
	assert_true(attr->ingress && !attr->egress && !attr->transfer);
	for (unsigned i = 0; i < card.room; i++) {
		struct rte_flow *f = &card.rules[i];

		if (f->used)
			continue;
		memset(f, 0, sizeof(*f));
		f->used = true;
		pattern_read(f, pattern);
		actions_read(f, actions);
		return f;
	}
	e->message = "no room";
	rte_errno = ENOSPC;
	return NULL;
}

static int card_destroy(uint16_t port, struct rte_flow *flow, struct rte_flow_error *e)
{
	(void)e;
	assert_int_equal(port, 7);
	assert_true(flow->used);
	flow->used = false;
	card.destroys++;
	return 0;
}

static const struct io_flow_card fake = {card_isolate, card_create, card_destroy};

static int card_reset(void **state)
{
	(void)state;
	memset(&card, 0, sizeof(card));
	card.room = CARD_RULES;
	return 0;
}

// How many rules take UDP to this address and port.
static unsigned takers(const struct tp_addr *addr, uint16_t port)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CARD_RULES; i++) {
		const struct rte_flow *f = &card.rules[i];

		n += f->used && f->v4 == (addr->family == TP_FAMILY_IPV4) &&
		     memcmp(f->ip, addr->ip, f->v4 ? 4 : 16) == 0 &&
		     (tp_htons(port) & f->mask_be) == f->port_be;
	}
	return n;
}

static unsigned rules_on_card(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CARD_RULES; i++)
		n += card.rules[i].used;
	return n;
}

static struct steer_claim own_of(const char *ip, uint16_t min, uint16_t max, enum steer_kind kind)
{
	struct steer_claim own = {.port_min = min, .port_max = max, .kind = kind};
	uint8_t octets[16];

	if (inet_pton(AF_INET, ip, octets) == 1)
		own.addr = tp_addr_ipv4(tp_load_be32(octets), 0);
	else if (inet_pton(AF_INET6, ip, octets) == 1)
		own.addr = tp_addr_ipv6(octets, 0);
	return own;
}

static bool is_own(
	const struct steer_claim *own, size_t n, const struct tp_addr *addr, uint32_t port)
{
	for (size_t i = 0; i < n; i++)
		if (tp_addr_equal(&own[i].addr, addr) && port >= own[i].port_min &&
			port <= own[i].port_max)
			return true;
	return false;
}

// Every port of every address: taken once if it is ours, else not at all.
static void check_all_ports(const struct steer_claim *own, size_t n)
{
	const struct steer_claim stranger = own_of("10.77.0.9", 1, 1, STEER_LISTENER);

	for (size_t i = 0; i <= n; i++) {
		const struct tp_addr *addr = i < n ? &own[i].addr : &stranger.addr;

		for (uint32_t port = 0; port < 65536; port++) {
			unsigned expected = is_own(own, n, addr, port) ? 1 : 0;

			if (takers(addr, (uint16_t)port) != expected)
				fail_msg("address %zu port %u: %u rules take it", i, port,
					takers(addr, (uint16_t)port));
		}
	}
}

static void test_rules_take_ours_only(void **state)
{
	const struct steer_claim own[] = {
		own_of("10.77.0.1", 3478, 3478, STEER_LISTENER),
		own_of("10.77.0.1", 49152, 65535, STEER_RELAY),
		own_of("10.77.0.1", 50000, 50000, STEER_LISTENER), // within the range
		own_of("fd77::1", 3478, 3478, STEER_LISTENER),
		own_of("fd77::1", 10001, 20000, STEER_RELAY),
	};
	struct steer_fault fault = {.problem = ""};
	struct io_flow *f;

	(void)state;
	assert_int_equal(io_flow_isolate(&fake, 7, "0000:3b:00.0", &fault), 0);
	assert_true(card.isolated);
	assert_int_equal(io_flow_create(&f, &fake, 7, 4, &fault), 0);
	assert_int_equal(io_flow_update(f, own, TP_ARRAY_LEN(own), &fault), 0);
	check_all_ports(own, TP_ARRAY_LEN(own));
	// The range that ends at a power of two is one rule.
	assert_true(rules_on_card() < 24);
	for (unsigned i = 0; i < CARD_RULES; i++)
		assert_true(!card.rules[i].used || card.rules[i].n_queues == 4);
	io_flow_destroy(f);
	assert_int_equal(rules_on_card(), 0);
}

static void test_changes_leave_the_rest(void **state)
{
	const struct steer_claim before[] = {
		own_of("10.77.0.1", 3478, 3478, STEER_LISTENER),
		own_of("10.77.0.1", 49152, 65535, STEER_RELAY),
	};
	const struct steer_claim after[] = {
		own_of("10.77.0.1", 3479, 3479, STEER_LISTENER),
		own_of("10.77.0.1", 49152, 65535, STEER_RELAY),
	};
	struct steer_fault fault = {.problem = ""};
	struct io_flow *f;

	(void)state;
	assert_int_equal(io_flow_create(&f, &fake, 7, 1, &fault), 0);
	assert_int_equal(io_flow_update(f, before, 2, &fault), 0);
	assert_false(card.rules[0].rss);
	assert_int_equal(io_flow_update(f, before, 2, &fault), 0);
	assert_int_equal(card.destroys, 0);
	assert_int_equal(io_flow_update(f, after, 2, &fault), 0);
	assert_int_equal(card.destroys, 1);
	check_all_ports(after, 2);
	io_flow_destroy(f);
}

static void test_refusals_say_why(void **state)
{
	const struct steer_claim own = own_of("10.77.0.1", 1, 65534, STEER_RELAY);
	struct steer_fault fault = {.problem = ""};
	struct io_flow_rule rules[4];
	struct io_flow *f;

	(void)state;
	card.refuse = ENOTSUP;
	assert_int_equal(io_flow_isolate(&fake, 7, "0000:3b:00.0", &fault), -ENOTSUP);
	assert_non_null(strstr(fault.problem, "0000:3b:00.0"));
	assert_non_null(strstr(fault.problem, "not on this card"));
	assert_non_null(strstr(fault.remedy, "kernel:"));
	card.room = 5;
	assert_int_equal(io_flow_create(&f, &fake, 7, 2, &fault), 0);
	assert_int_equal(io_flow_update(f, &own, 1, &fault), -ENOSPC);
	assert_non_null(strstr(fault.problem, "no more rules after 5"));
	io_flow_destroy(f);
	assert_int_equal(rules_on_card(), 0);
	assert_int_equal(io_flow_rules(rules, 4, &own, 1), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_rules_take_ours_only, card_reset),
		cmocka_unit_test_setup(test_changes_leave_the_rest, card_reset),
		cmocka_unit_test_setup(test_refusals_say_why, card_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
