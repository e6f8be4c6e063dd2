// SPDX-License-Identifier: BSD-3-Clause
// A mirror and the kernel's messages that it is fed with. Each function fails the test that calls
// it if the mirror refuses the message; strings are addresses as people write them.
#pragma once

#include <net/mirror.h>

#include <errno.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <libmnl/libmnl.h>

#include <cmocka.h>

#define MESSAGE_MAX 4096u

struct fixture {
	struct net_mirror *m;
	unsigned changes[NET_KINDS];
	struct net_change last;
	uint32_t seq;
};

// cmocka set-up: *state becomes the fixture.
int setup(void **state);
int teardown(void **state);

struct tp_addr ip(const char *text);

// An empty message in buf, which has MESSAGE_MAX octets.
struct nlmsghdr *message(void *buf, uint16_t type, uint32_t seq);

// An address as an attribute of that type.
void put_ip(struct nlmsghdr *nlh, uint16_t type, const char *text);

// As net_mirror_feed does.
int feed(struct fixture *f, const struct nlmsghdr *nlh);

void link_feed(struct fixture *f, uint16_t type, int ifindex, const char *name, bool up);

void address_feed(struct fixture *f, uint16_t type, int ifindex, const char *addr);

struct route_spec {
	const char *prefix;
	uint8_t len;
	const char *gateway; // NULL: on-link
	uint32_t ifindex;
	uint32_t metric;
	uint8_t type;	  // 0: unicast
	uint32_t table;	  // 0: main
	const char *via;  // of the other family
	uint32_t nexthop; // id of an object; 0: none
};

void route_feed(struct fixture *f, uint16_t type, const struct route_spec *r);

// gateway: NULL for a group of n members.
void nexthop_feed(struct fixture *f, uint16_t type, uint32_t id, const char *gateway,
	uint32_t ifindex, const uint32_t *members, size_t n);

// mac: NULL for none.
void neighbour_feed(struct fixture *f, uint16_t type, const char *addr, int ifindex, uint16_t nud,
	const uint8_t mac[6]);

// The end of a dump.
void done_feed(struct fixture *f, uint32_t seq, uint16_t flags);

// Runs the dumps that are wanted, all empty.
void dumps_settle(struct fixture *f);

// hop: NULL where there must be no route.
void route_expect(struct fixture *f, const char *dst, const char *hop, uint32_t ifindex);
