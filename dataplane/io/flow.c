// SPDX-License-Identifier: BSD-3-Clause
#include <io/flow.h>

#include <errno.h>
#include <stdlib.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <turnpike/limits.h>

struct rule_on_card {
	struct io_flow_rule rule;
	struct rte_flow *handle;
};

struct io_flow {
	const struct io_flow_card *card;
	uint16_t port;
	uint16_t n_queues;
	uint16_t queues[TP_WORKERS_MAX];
	size_t n;
	struct rule_on_card rules[IO_FLOW_RULES_MAX];
};

const struct io_flow_card io_flow_dpdk = {
	.isolate = rte_flow_isolate,
	.create = rte_flow_create,
	.destroy = rte_flow_destroy,
};

static bool same(const struct io_flow_rule *a, const struct io_flow_rule *b)
{
	return a->port == b->port && a->mask == b->mask && tp_addr_equal(&a->addr, &b->addr);
}

// Whether an earlier rule takes all that this one would: a listener within the relay range.
static bool covered(const struct io_flow_rule *rules, size_t n, const struct io_flow_rule *rule)
{
	for (size_t i = 0; i < n; i++) {
		const struct io_flow_rule *r = &rules[i];

		if ((rule->mask & r->mask) == r->mask && (rule->port & r->mask) == r->port &&
			tp_addr_equal(&r->addr, &rule->addr))
			return true;
	}
	return false;
}

// The largest aligned block of ports from `low` that ends at `high` or before.
static uint32_t block_from(uint32_t low, uint32_t high)
{
	uint32_t size = 1;

	while ((low & (2 * size - 1)) == 0 && low + 2 * size - 1 <= high)
		size *= 2;
	return size;
}

static int range_add(
	struct io_flow_rule *rules, size_t max, size_t *n, const struct steer_claim *own)
{
	for (uint32_t low = own->port_min; low <= own->port_max;) {
		uint32_t size = block_from(low, own->port_max);
		struct io_flow_rule rule = {.addr = own->addr,
			.port = (uint16_t)low,
			.mask = (uint16_t)(0x10000u - size)};

		rule.addr.port_be = 0;
		if (!covered(rules, *n, &rule)) {
			if (*n == max)
				return -E2BIG;
			rules[(*n)++] = rule;
		}
		low += size;
	}
	return 0;
}

int io_flow_rules(struct io_flow_rule *rules, size_t max, const struct steer_claim *own, size_t n)
{
	size_t made = 0;
	int err = 0;

	// Ranges first, so that listeners within them need nothing of their own.
	for (size_t i = 0; i < n && err == 0; i++)
		if (own[i].kind == STEER_RELAY)
			err = range_add(rules, max, &made, &own[i]);
	for (size_t i = 0; i < n && err == 0; i++)
		if (own[i].kind == STEER_LISTENER)
			err = range_add(rules, max, &made, &own[i]);
	return err != 0 ? err : (int)made;
}

static const char *reason(const struct rte_flow_error *e, int err)
{
	return e->message != NULL ? e->message : strerror(-err);
}

int io_flow_isolate(const struct io_flow_card *card, uint16_t port, const char *device,
	struct steer_fault *fault)
{
	struct rte_flow_error e = {.message = NULL};
	int err = card->isolate(port, 1, &e);

	if (err == 0)
		return 0;
	return steer_fault_set(fault, err,
		"interface: beside a PCI device is for cards that the kernel drives as well "
		"(mlx5); one that is bound to vfio-pci takes kernel: NAME",
		"device %s does not leave the kernel's packets to the kernel: %s", device,
		reason(&e, err));
}

int io_flow_create(struct io_flow **out, const struct io_flow_card *card, uint16_t port,
	uint16_t n_queues, struct steer_fault *fault)
{
	struct io_flow *f = calloc(1, sizeof(*f));

	if (f == NULL || n_queues == 0 || n_queues > TP_ARRAY_LEN(f->queues)) {
		free(f);
		return steer_fault_set(fault, -ENOMEM, "", "no memory for the card's rules");
	}
	f->card = card;
	f->port = port;
	f->n_queues = n_queues;
	for (uint16_t q = 0; q < n_queues; q++)
		f->queues[q] = q;
	*out = f;
	return 0;
}

static int rule_make(struct io_flow *f, const struct io_flow_rule *rule, struct rte_flow **handle,
	struct rte_flow_error *e)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	struct rte_flow_item_ipv4 ip4 = {.hdr.next_proto_id = IPPROTO_UDP};
	struct rte_flow_item_ipv4 ip4_mask = {
		.hdr.next_proto_id = 0xff, .hdr.dst_addr = UINT32_MAX};
	struct rte_flow_item_ipv6 ip6 = {.hdr.proto = IPPROTO_UDP};
	struct rte_flow_item_ipv6 ip6_mask = {.hdr.proto = 0xff};
	struct rte_flow_item_udp udp = {.hdr.dst_port = tp_htons(rule->port)};
	struct rte_flow_item_udp udp_mask = {.hdr.dst_port = tp_htons(rule->mask)};
	bool v4 = rule->addr.family == TP_FAMILY_IPV4;
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = v4 ? RTE_FLOW_ITEM_TYPE_IPV4 : RTE_FLOW_ITEM_TYPE_IPV6,
			.spec = v4 ? (const void *)&ip4 : &ip6,
			.mask = v4 ? (const void *)&ip4_mask : &ip6_mask},
		{.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &udp, .mask = &udp_mask},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	// The ports of both ends, so that one client's calls spread.
	const struct rte_flow_action_rss rss = {
		.types = v4 ? RTE_ETH_RSS_NONFRAG_IPV4_UDP : RTE_ETH_RSS_NONFRAG_IPV6_UDP,
		.queue_num = f->n_queues,
		.queue = f->queues};
	const struct rte_flow_action_queue queue = {.index = 0};
	const struct rte_flow_action actions[] = {
		{.type = f->n_queues > 1 ? RTE_FLOW_ACTION_TYPE_RSS : RTE_FLOW_ACTION_TYPE_QUEUE,
			.conf = f->n_queues > 1 ? (const void *)&rss : &queue},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};

	memcpy(&ip4.hdr.dst_addr, rule->addr.ip, 4);
	memcpy(ip6.hdr.dst_addr, rule->addr.ip, 16);
	memset(ip6_mask.hdr.dst_addr, 0xff, 16);
	*handle = f->card->create(f->port, &attr, pattern, actions, e);
	return *handle != NULL ? 0 : rte_errno != 0 ? -rte_errno : -EIO;
}

static bool on_card(const struct io_flow *f, const struct io_flow_rule *rule)
{
	for (size_t i = 0; i < f->n; i++)
		if (same(&f->rules[i].rule, rule))
			return true;
	return false;
}

static int rules_add(
	struct io_flow *f, const struct io_flow_rule *rules, size_t n, struct steer_fault *fault)
{
	for (size_t i = 0; i < n; i++) {
		struct rte_flow_error e = {.message = NULL};
		struct rule_on_card *r = &f->rules[f->n];
		int err;

		if (on_card(f, &rules[i]))
			continue;
		err = f->n == IO_FLOW_RULES_MAX ? -E2BIG : rule_make(f, &rules[i], &r->handle, &e);
		if (err != 0)
			return steer_fault_set(fault, err,
				"fewer relay addresses, or relay.ports whose bounds are multiples "
				"of a power of two, such as 49152-65535",
				"the card takes no more rules after %zu: %s", f->n,
				reason(&e, err));
		r->rule = rules[i];
		f->n++;
	}
	return 0;
}

static void rules_keep(struct io_flow *f, const struct io_flow_rule *rules, size_t n)
{
	struct rte_flow_error e;
	size_t kept = 0;

	for (size_t i = 0; i < f->n; i++) {
		bool wanted = false;

		for (size_t j = 0; j < n && !wanted; j++)
			wanted = same(&f->rules[i].rule, &rules[j]);
		if (wanted)
			f->rules[kept++] = f->rules[i];
		else
			f->card->destroy(f->port, f->rules[i].handle, &e);
	}
	f->n = kept;
}

int io_flow_update(
	struct io_flow *f, const struct steer_claim *own, size_t n, struct steer_fault *fault)
{
	struct io_flow_rule *rules = calloc(IO_FLOW_RULES_MAX, sizeof(*rules));
	int made = rules == NULL ? -ENOMEM : io_flow_rules(rules, IO_FLOW_RULES_MAX, own, n);
	int err = made < 0 ? steer_fault_set(fault, made, "fewer relay addresses",
				     "the card's rules do not fit: %s", strerror(-made))
			   : rules_add(f, rules, (size_t)made, fault);

	if (err == 0)
		rules_keep(f, rules, (size_t)made);
	free(rules);
	return err;
}

void io_flow_destroy(struct io_flow *f)
{
	if (f == NULL)
		return;
	rules_keep(f, NULL, 0);
	free(f);
}
