// SPDX-License-Identifier: BSD-3-Clause
// A load's changes to a network namespace, undone at the end: addresses that the kernel answers ARP
// for, and an nft table that counts and drops packets to our ports, behind the packet sockets and
// before the kernel would refuse it with port-unreachable. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <load/frame.h>

#define LOAD_NAME_MAX 32u

struct load_netns {
	char name[64]; // as `ip netns` knows it; empty: the calling process's own
	char interface[LOAD_NAME_MAX];
	uint32_t first_ip, n_ips; // made local, host order
	struct load_net net;	  // their prefix
	bool made;
	bool counts; // has the nft table
};

// Whether tools/lab made that namespace: nothing leaves it.
bool load_netns_is_lab(const char *name);

// The addresses alone, for clients with sockets of the kernel's. Prints the failure on stderr.
// -EIO, -EINVAL for an invalid name.
int load_netns_address(struct load_netns *n);
// Addresses and table. As above.
int load_netns_make(struct load_netns *n, uint16_t port_low, uint16_t port_high);
void load_netns_undo(struct load_netns *n); // fine when nothing was made

// Datagrams to our ports since load_netns_make: STUN answers apart from the rest.
int load_netns_counts(const struct load_netns *n, uint64_t *media, uint64_t *control);

// Returns the descriptor that `open` makes in the namespace, or a negative errno.
int load_netns_open(const char *name, int (*open)(void *ctx), void *ctx);
