// SPDX-License-Identifier: BSD-3-Clause
// What the kernel says about an interface, and whether AF_XDP can serve it. Any thread.
#pragma once

#include <turnpike/limits.h>

#include <steer/own.h>

// Longest frame that fits one page with XDP's headroom; longer MTUs are refused by the drivers.
#define STEER_MTU_MAX 3498u

struct steer_link {
	char name[TP_IFNAME_MAX];
	char kind[16]; // "veth", "bond", "vlan"...; empty for a plain device
	uint32_t ifindex;
	uint32_t mtu;
	uint8_t mac[6];
	bool up;	     // administratively and carrier
	bool tx_checksum;    // checksums of sent packets are left to the device
	bool spread_known;   // the device says by what it spreads UDP over queues
	bool spreads;	     // by the ports of both ends, over IPv4 and IPv6
	uint64_t rx_missed;  // frames that the device had no room for, since it is there
	unsigned rx_queues;  // active ones, at least 1
	unsigned xdp_queues; // those the AF_XDP driver can serve: combined channels, or one
};

// 0, -ENODEV or another negative errno.
int steer_link_read(const char *interface, struct steer_link *out);

// The same from one RTM_NEWLINK message, without what ethtool knows (one queue, no tx_checksum).
struct nlmsghdr;
int steer_link_parse(const struct nlmsghdr *message, struct steer_link *out);

// Whether AF_XDP with `queues` receive queues would get all packets of this interface.
int steer_link_check(const struct steer_link *l, unsigned queues, struct steer_fault *fault);
