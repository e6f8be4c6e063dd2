// SPDX-License-Identifier: BSD-3-Clause
// Steering by the card itself, for a device that the kernel drives as well (mlx5, bifurcated): the
// card is isolated, so that nothing comes to us by default, and rules give us UDP to our addresses
// and ports. Everything else, fragments and ICMP too, stays with the kernel, where the guard is in
// front of our ports. One thread at a time.
#pragma once

#include <steer/claim.h>

struct rte_flow;
struct rte_flow_action;
struct rte_flow_attr;
struct rte_flow_error;
struct rte_flow_item;

// UDP to one address whose destination port, in the bits of `mask`, is `port`. Cards match bits,
// not ranges: a range is several of these.
struct io_flow_rule {
	struct tp_addr addr; // port 0
	uint16_t port;	     // host order
	uint16_t mask;
};

#define IO_FLOW_RULES_MAX 4096u

// The rules for `own`, without duplicates. Their number, or -E2BIG.
int io_flow_rules(struct io_flow_rule *rules, size_t max, const struct steer_claim *own, size_t n);

// The operations needed of a card: DPDK's functions, or a test's.
struct io_flow_card {
	int (*isolate)(uint16_t port, int on, struct rte_flow_error *e);
	struct rte_flow *(*create)(uint16_t port, const struct rte_flow_attr *attr,
		const struct rte_flow_item *pattern, const struct rte_flow_action *actions,
		struct rte_flow_error *e);
	int (*destroy)(uint16_t port, struct rte_flow *flow, struct rte_flow_error *e);
};
extern const struct io_flow_card io_flow_dpdk;

// Before the port is configured. -ENOTSUP and the like with *fault filled in: the card cannot leave
// the kernel's packets to the kernel.
int io_flow_isolate(const struct io_flow_card *card, uint16_t port, const char *device,
	struct steer_fault *fault);

struct io_flow;

// Creates the rules of a started port with this many receive queues.
int io_flow_create(struct io_flow **out, const struct io_flow_card *card, uint16_t port,
	uint16_t n_queues, struct steer_fault *fault);
// Makes the card's rules those for `own`, additions first.
int io_flow_update(
	struct io_flow *f, const struct steer_claim *own, size_t n, struct steer_fault *fault);
// Takes the rules off the card. NULL is fine.
void io_flow_destroy(struct io_flow *f);
