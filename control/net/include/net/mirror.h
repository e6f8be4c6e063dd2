// SPDX-License-Identifier: BSD-3-Clause
// The kernel's links, addresses, routes and neighbours, mirrored from rtnetlink: enough to find the
// route of a packet without a system call per packet or client.
//
// Sans-I/O: datagrams of the netlink socket go in, changes come out by callback; <net/watch.h>
// owns the socket. Two routing tables are read: the main one for routes, without policy routing,
// and the local one for the host's own addresses. One thread at a time.
#pragma once

#include <turnpike/addr.h>
#include <turnpike/limits.h>

enum net_kind {
	NET_LINK,
	NET_ADDRESS,
	NET_NEXTHOP, // objects that routes name; a change is told as one of NET_ROUTE
	NET_ROUTE,
	NET_NEIGHBOUR,
	NET_KINDS,
};

struct net_link {
	uint32_t ifindex;
	uint32_t mtu;
	char name[TP_IFNAME_MAX];
	uint8_t mac[6]; // zeros where the link has no Ethernet address
	bool up;	// administratively, and with a carrier
};

enum net_neighbour_state {
	NET_NEIGHBOUR_UNKNOWN, // the kernel has no entry, or has not asked yet
	NET_NEIGHBOUR_ASKING,  // no answer so far
	NET_NEIGHBOUR_FAILED,  // nobody answered
	NET_NEIGHBOUR_USABLE,  // mac is set
};

struct net_neighbour {
	enum net_neighbour_state state;
	uint8_t mac[6];
};

// Where a packet goes next: the gateway, or the destination itself on a link.
struct net_next_hop {
	struct tp_addr addr; // port 0; may be IPv6 for an IPv4 destination (RFC 5549 routes)
	uint32_t ifindex;
};

struct net_change {
	enum net_kind kind;
	uint32_t ifindex; // LINK, ADDRESS, NEIGHBOUR
	struct tp_addr
		addr;	    // ADDRESS, NEIGHBOUR; ROUTE: its prefix, family 0: any may have changed
	uint8_t prefix_len; // ROUTE
};

typedef void (*net_change_fn)(void *ctx, const struct net_change *change);
// Which links may be used; the next best route is taken where the best leaves by another.
typedef bool (*net_usable_fn)(void *ctx, uint32_t ifindex);

struct net_mirror;

// `changed` may be NULL; it must not call back into net_mirror_feed. NULL with errno set.
struct net_mirror *net_mirror_create(net_change_fn changed, void *ctx);
void net_mirror_destroy(struct net_mirror *m);

// One datagram of the netlink socket. 0; -EBADMSG when it is malformed; -ENOMEM; the kernel's
// negative errno when it refused a dump. After an error everything is asked for again.
int net_mirror_feed(struct net_mirror *m, const void *buf, size_t len);
// The socket lost messages (ENOBUFS): dump everything again.
void net_mirror_lost(struct net_mirror *m);

// The next dump to ask the kernel for, if one is wanted and none is under way.
bool net_mirror_wants_dump(const struct net_mirror *m, enum net_kind *kind);
// The dump was asked for with this sequence number. Objects missing from the dump are removed at
// its end.
void net_mirror_dump_begin(struct net_mirror *m, enum net_kind kind, uint32_t seq);
// Everything was dumped at least once.
bool net_mirror_complete(const struct net_mirror *m);

// -ENETUNREACH when no route by a usable link leads there, or the best one forbids it (blackhole,
// unreachable, prohibit). `usable` NULL: any link. A link that is down is not used.
int net_mirror_route(const struct net_mirror *m, const struct tp_addr *destination,
	net_usable_fn usable, void *ctx, struct net_next_hop *out);
struct net_neighbour net_mirror_neighbour(
	const struct net_mirror *m, const struct tp_addr *addr, uint32_t ifindex);
// 0 or -ENOENT.
int net_mirror_link(const struct net_mirror *m, uint32_t ifindex, struct net_link *out);
// Whether the address stands for all hosts of a network that an address of this host is in: the
// first or the last of an IPv4 network with a prefix of at most 30 bits.
bool net_mirror_is_broadcast(const struct net_mirror *m, const struct tp_addr *addr);
// The interface that has this address, 0 for none.
uint32_t net_mirror_address_owner(const struct net_mirror *m, const struct tp_addr *addr);
// Whether this host takes packets to the address itself: by an address of an interface, or by a
// prefix of the kernel's local table (`ip route add local PREFIX dev lo`).
bool net_mirror_is_local(const struct net_mirror *m, const struct tp_addr *addr);
