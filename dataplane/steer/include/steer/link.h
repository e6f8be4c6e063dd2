// SPDX-License-Identifier: BSD-3-Clause
// An interface's properties as the kernel reports them, and whether AF_XDP can serve it. Any
// thread.
#pragma once

#include <turnpike/limits.h>

#include <steer/claim.h>

// Longest frame that fits one page with XDP's headroom; longer MTUs are refused by the drivers.
#define STEER_MTU_MAX 3498u

struct steer_link {
	char name[TP_IFNAME_MAX];
	char driver[32]; // the kernel's; empty: it does not tell
	char kind[16];	 // "veth", "bond", "vlan"...; empty for a plain device
	uint32_t ifindex;
	uint32_t mtu;
	uint8_t mac[6];
	bool up;	     // administratively and carrier
	bool tx_checksum;    // checksums of sent packets are left to the device
	bool strips_tags;    // VLAN tags are taken off received frames before XDP sees them
	bool has_vlans;	     // there are VLAN devices on top of it
	bool spread_known;   // the device reports how it distributes UDP over queues
	bool spreads;	     // by the ports of both ends, over IPv4 and IPv6
	uint64_t rx_missed;  // frames that the device had no room for, since it is there
	unsigned rx_queues;  // active ones, at least 1
	unsigned xdp_queues; // those the AF_XDP driver can serve: combined channels, or one
	unsigned max_queues; // as many could be active; 0: unknown
};

// An ethtool command (<linux/ethtool.h>) about an interface: the kernel's ioctl, or a test's. 0, or
// a negative errno.
struct steer_ethtool {
	int (*ask)(void *ctx, const char *interface, void *command);
	void *ctx;
};

// Fills in ethtool's part of a link whose name is known.
void steer_link_ask(struct steer_link *l, const struct steer_ethtool *ethtool);

// 0, -ENODEV or another negative errno.
int steer_link_read(const char *interface, struct steer_link *out);
// The same of an interface that may have got another name.
int steer_link_read_index(uint32_t ifindex, struct steer_link *out);

// The same from one RTM_NEWLINK message, without ethtool's part (one queue, no tx_checksum).
struct nlmsghdr;
int steer_link_parse(const struct nlmsghdr *message, struct steer_link *out);

// Names the cause for which the driver refused an XDP program or an AF_XDP socket with `err`, a
// negative errno, and the command that removes it. Returns `err`.
int steer_link_refusal(const struct steer_link *l, int err, struct steer_fault *fault);

// Whether AF_XDP with `queues` receive queues would get all packets of this interface.
int steer_link_check(const struct steer_link *l, unsigned queues, struct steer_fault *fault);
